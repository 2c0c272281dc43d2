package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/file"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/api/files"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/config/edit"
	"github.com/modelwatch/modelwatch/evaluate/rules"
	"github.com/modelwatch/modelwatch/notify"
	"github.com/modelwatch/modelwatch/store/state"
)

// Of a file, this many versions are kept; of all files, this many bytes.
const (
	keptVersions     = 200
	keptVersionBytes = 64 << 20
)

// setUpEditing makes what changes configuration files in the page.
func (a *App) setUpEditing() error {
	var roots []string
	for _, f := range []string{a.opts.ConfigFile, a.config.Metrics.ConfigFile, a.config.Alerting.ConfigFile, a.config.Logs.Collect.ConfigFile} {
		if f != "" {
			roots = append(roots, filepath.Dir(f))
		}
	}
	var err error
	a.editor, err = edit.New(edit.Options{
		Owner:   &fileOwner{a},
		History: fileHistory{a.state.FileVersions()},
		Off:     !*a.config.Web.Editing,
		Roots:   roots,
		Logger:  a.logger.With("component", "editing"),
	})
	if err != nil {
		return fmt.Errorf("set up editing: %w", err)
	}
	return nil
}

// routeEditing says who answers the paths of configuration files.
func (a *App) routeEditing(mux *http.ServeMux) {
	mux.Handle("/ai/v1/config/", files.New(files.Options{Editor: a.editor, Who: whoAsks, May: mayChange, Logger: a.logger.With("component", "api")}))
}

// whoAsks names who sends a request, as far as that is known.
func whoAsks(r *http.Request) string {
	if p, ok := auth.From(r.Context()); ok && p.Kind != auth.ByNobody {
		if p.Kind == auth.ByToken {
			return "token " + p.Name
		}
		return p.Name
	}
	name, _, _ := r.BasicAuth() // The web config has checked it.
	return name
}

// reload takes over all files, and notes which of them were changed outside of
// the page.
func (a *App) reload() error {
	err := a.reloader.Reload()
	if observeErr := a.editor.Observe(context.Background()); observeErr != nil {
		a.logger.Error("Cannot keep what changed in configuration files", "err", observeErr)
	}
	return err
}

// mayChange keeps two files to admins: modelwatch.yml can turn authentication
// off, and promtail.yml can make every file of the host readable as a log.
// Who may change files at all is in the rules of api/auth.
func mayChange(r *http.Request, kind edit.Kind) bool {
	p, ok := auth.From(r.Context())
	return !ok || p.Kind == auth.ByNobody || p.Role == auth.Admin || kind != edit.Modelwatch && kind != edit.Promtail
}

// fileOwner tells the editor which files there are, and takes changes over.
type fileOwner struct{ app *App }

// main are the files that the command line or modelwatch.yml name, as they are
// named now.
func (o *fileOwner) main() *config.Config {
	cfg, err := loadConfig(o.app.opts)
	if err != nil {
		return o.app.config // The file is broken; what runs is the best answer.
	}
	return cfg
}

// Files implements edit.Owner.
func (o *fileOwner) Files() []edit.File {
	var out []edit.File
	add := func(kind edit.Kind, path, namedBy string) {
		if path == "" {
			return
		}
		as := path
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		if namedBy != "" {
			if abs, err := filepath.Abs(namedBy); err == nil {
				namedBy = abs
			}
		}
		out = append(out, edit.File{Kind: kind, Path: path, As: as, NamedBy: namedBy})
	}
	cfg := o.main()
	by := o.app.opts.ConfigFile
	unless := func(flag string) string {
		if flag != "" {
			return ""
		}
		return by
	}
	add(edit.Modelwatch, by, "")
	add(edit.Prometheus, cfg.Metrics.ConfigFile, unless(o.app.opts.PrometheusConfig))
	add(edit.Alertmanager, cfg.Alerting.ConfigFile, unless(o.app.opts.AlertmanagerConfig))
	add(edit.Promtail, cfg.Logs.Collect.ConfigFile, unless(o.app.opts.PromtailConfig))
	running := o.app.reloader.running()
	ruleFiles, _ := rules.Files(running.RuleFiles) // What is wrong is told when it is loaded.
	for _, f := range ruleFiles {
		add(edit.Rules, f, cfg.Metrics.ConfigFile)
	}
	for _, pattern := range running.ScrapeConfigFiles {
		found, _ := filepath.Glob(pattern) // It was checked when it was loaded.
		for _, f := range found {
			add(edit.Scrape, f, cfg.Metrics.ConfigFile)
		}
	}
	jobs, _ := running.GetScrapeConfigs()
	for _, job := range jobs {
		for _, f := range targetFiles(job.ServiceDiscoveryConfigs) {
			add(edit.Targets, f, cfg.Metrics.ConfigFile)
		}
	}
	for _, f := range o.app.notify.TemplateFiles() {
		add(edit.Template, f, cfg.Alerting.ConfigFile)
	}
	if *o.app.config.Metrics.BuiltinRules {
		for _, name := range rules.Builtin() {
			if text, err := rules.Read(name); err == nil {
				out = append(out, edit.File{Kind: edit.Rules, Path: name, As: name, Builtin: text})
			}
		}
	}
	return out
}

// Places implements edit.Owner.
func (o *fileOwner) Places() []edit.Place {
	namedBy := o.main().Metrics.ConfigFile
	if abs, err := filepath.Abs(namedBy); err == nil && namedBy != "" {
		namedBy = abs
	}
	var out []edit.Place
	for _, pattern := range o.app.reloader.running().RuleFiles {
		abs, err := filepath.Abs(pattern)
		if err != nil || !strings.ContainsAny(filepath.Base(abs), "*?[") {
			continue // A file that is named by itself is there already.
		}
		dirs := []string{filepath.Dir(abs)}
		if strings.ContainsAny(dirs[0], "*?[") {
			dirs, _ = filepath.Glob(dirs[0]) // It was checked when it was loaded.
			dirs = slices.DeleteFunc(dirs, func(dir string) bool {
				info, err := os.Stat(dir)
				return err != nil || !info.IsDir()
			})
		}
		for _, dir := range dirs {
			i := slices.IndexFunc(out, func(p edit.Place) bool { return p.Dir == dir })
			if i < 0 {
				i = len(out)
				out = append(out, edit.Place{Dir: dir, NamedBy: namedBy})
			}
			out[i].Patterns = append(out[i].Patterns, filepath.Base(abs))
		}
	}
	return out
}

func targetFiles(configs discovery.Configs) []string {
	var out []string
	for _, c := range configs {
		sd, ok := c.(*file.SDConfig)
		if !ok {
			continue
		}
		for _, pattern := range sd.Files {
			found, _ := filepath.Glob(pattern) // It was checked when it was loaded.
			out = append(out, found...)
		}
	}
	return out
}

// Never implements edit.Owner.
func (o *fileOwner) Never() []string {
	var out []string
	for _, cfg := range []*config.Config{o.app.config, o.main()} {
		for _, f := range []string{cfg.Web.ConfigFile, cfg.Alerting.Cluster.TLSConfig} {
			if f != "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// Check implements edit.Owner: it is what the subcommand check does, with the
// draft in the place of the file.
func (o *fileOwner) Check(f edit.File, text []byte) config.Problems {
	c := &checker{w: io.Discard, seen: map[string]bool{}}
	c.read = func(name string) ([]byte, config.Problems) {
		if sameFile(name, f.Path) {
			return text, nil
		}
		return config.ReadFile(name)
	}
	switch f.Kind {
	case edit.Targets:
		return config.CheckTargets(f.Path, text)
	case edit.Template:
		if err := notify.CheckTemplate(text); err != nil {
			return templateProblem(f.Path, err)
		}
		return nil
	default:
		// The file first: nothing that is wrong elsewhere hides what is wrong here.
		c.file(f.Path, kindOf[f.Kind])
		if len(c.found) == 0 || c.found.Err() == nil {
			o.others(c, f, text)
		}
	}
	// Prometheus's parser says some things twice.
	var once config.Problems
	for _, p := range c.found {
		if !slices.Contains(once, p) {
			once = append(once, p)
		}
	}
	return once
}

var kindOf = map[edit.Kind]config.Kind{
	edit.Modelwatch: config.KindModelwatch, edit.Prometheus: config.KindPrometheus, edit.Rules: config.KindRules,
	edit.Alertmanager: config.KindAlertmanager, edit.Scrape: config.KindScrape, edit.Promtail: config.KindPromtail,
}

// others checks the files in use beside f. A modelwatch.yml has named its own.
func (o *fileOwner) others(c *checker, f edit.File, text []byte) {
	cfg := o.main()
	if f.Kind == edit.Modelwatch {
		if next, problems := config.Parse(f.Path, text); problems.Err() == nil {
			cfg = next
		}
	}
	opts := o.app.opts
	for _, named := range []struct {
		flag, file string
		kind       config.Kind
	}{
		{opts.PrometheusConfig, cfg.Metrics.ConfigFile, config.KindPrometheus},
		{opts.AlertmanagerConfig, cfg.Alerting.ConfigFile, config.KindAlertmanager},
		{opts.PromtailConfig, cfg.Logs.Collect.ConfigFile, config.KindPromtail},
	} {
		if named.flag != "" {
			named.file = named.flag
		}
		c.named(named.file, named.kind)
	}
	// Warnings of other files were there before.
	c.found = slices.DeleteFunc(c.found, func(p config.Problem) bool { return p.Warning && !sameFile(p.File, f.Path) })
}

// Try implements edit.Owner.
func (o *fileOwner) Try(f edit.File, draft string) error { return o.app.reloader.try(f.Path, draft) }

// Reload implements edit.Owner.
func (o *fileOwner) Reload() error { return o.app.reloader.Reload() }

func sameFile(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

// fileHistory keeps versions in the database of state.
type fileHistory struct{ db state.FileVersions }

func versionOf(v state.FileVersion) edit.Version {
	return edit.Version{ID: v.ID, Path: v.Path, At: v.At, Kind: edit.VersionKind(v.Kind), Who: v.Who, Comment: v.Comment, Text: v.Text, Size: v.Size}
}

// List implements edit.History.
func (h fileHistory) List(ctx context.Context, path string) ([]edit.Version, error) {
	kept, err := h.db.List(ctx, path)
	if err != nil {
		return nil, err
	}
	out := make([]edit.Version, len(kept))
	for i, v := range kept {
		out[i] = versionOf(v)
	}
	return out, nil
}

// Ending implements edit.History.
func (h fileHistory) Ending(ctx context.Context, kinds ...edit.VersionKind) ([]string, error) {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return h.db.Ending(ctx, names...)
}

// Get implements edit.History.
func (h fileHistory) Get(ctx context.Context, path string, id int64) (edit.Version, bool, error) {
	v, ok, err := h.db.Get(ctx, path, id)
	return versionOf(v), ok, err
}

// Add implements edit.History.
func (h fileHistory) Add(ctx context.Context, v edit.Version) (int64, error) {
	return h.db.Add(ctx, state.FileVersion{Path: v.Path, At: v.At, Kind: string(v.Kind), Who: v.Who, Comment: v.Comment, Text: v.Text}, keptVersions, keptVersionBytes)
}

// SetKind implements edit.History.
func (h fileHistory) SetKind(ctx context.Context, id int64, kind edit.VersionKind) error {
	return h.db.SetKind(ctx, id, string(kind))
}

// Delete implements edit.History.
func (h fileHistory) Delete(ctx context.Context, id int64) error { return h.db.Delete(ctx, id) }
