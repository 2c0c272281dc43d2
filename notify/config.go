package notify

import (
	"bytes"
	"crypto/md5" //nolint:gosec // Not for security: peers compare the hash, so it must be Alertmanager's.
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/alertmanager/timeinterval"
)

// matcherMode is the one thing here that belongs to the process and not to a
// Manager: Alertmanager's libraries hold the parser of matchers in package
// variables, whose initial value is not the one that Alertmanager runs with.
var matcherMode sync.Once

func setMatcherMode(features featurecontrol.Flagger) {
	matcherMode.Do(func() { compat.InitFromFlags(slog.New(slog.DiscardHandler), features) })
}

// Prepared is a configuration that has been loaded and whose receivers, templates,
// routes and time intervals have been built. Nothing of it is in force yet.
type Prepared struct {
	// Source is where the configuration came from.
	Source Source
	// Warnings say what works but is hardly what was meant.
	Warnings []string

	cfg       *config.Config
	hash      float64
	shown     string // As it may be shown to users of the API.
	tmpl      *template.Template
	routes    *dispatch.Route
	intervals map[string][]timeinterval.TimeInterval
	redact    *redactor

	// receivers holds the integrations of every receiver; used names those that a
	// route leads to.
	receivers map[string][]amnotify.Integration
	used      map[string]bool
}

// Check loads a configuration as Prepare does, and returns what is dubious about
// it. It needs no Manager.
func Check(src Source) (warnings []string, err error) {
	setMatcherMode(featurecontrol.NoopFlags{})
	p, err := prepare(src, Options{Logger: slog.New(slog.DiscardHandler)}.withDefaults(), featurecontrol.NoopFlags{})
	if err != nil {
		return nil, err
	}
	return p.Warnings, nil
}

// CheckTemplate parses the text of a file of templates, with what Alertmanager's
// own templates define.
func CheckTemplate(text []byte) error {
	t, err := template.FromGlobs(nil)
	if err != nil {
		return err
	}
	return t.Parse(bytes.NewReader(text))
}

// TemplateFiles lists the files that the configuration in force takes templates
// from.
func (m *Manager) TemplateFiles() []string {
	live := m.live.Load()
	if live == nil {
		return nil
	}
	var files []string
	for _, pattern := range live.prepared.cfg.Templates {
		found, err := filepath.Glob(pattern)
		if err == nil { // Else it would not be in force.
			files = append(files, found...)
		}
	}
	return files
}

// prepare does everything about a configuration that can fail.
func prepare(src Source, opts Options, features featurecontrol.Flagger) (*Prepared, error) {
	p := &Prepared{Source: src}
	if err := p.load(); err != nil {
		return nil, fmt.Errorf("load %s: %w", src, newRedactor(nil).err(err))
	}
	p.redact = newRedactor(p.cfg)
	if err := p.build(opts); err != nil {
		return nil, fmt.Errorf("load %s: %w", src, p.redact.err(err))
	}
	p.warn(opts, features)
	return p, nil
}

// load parses the configuration.
func (p *Prepared) load() (err error) {
	data := p.Source.Data
	switch {
	case p.Source.File != "":
		if data, err = os.ReadFile(p.Source.File); err != nil {
			return err
		}
		p.cfg, err = config.LoadFile(p.Source.File)
	case len(data) > 0:
		p.cfg, err = config.Load(string(data))
	default:
		data = []byte(builtinConfig)
		p.cfg, err = config.Load(builtinConfig)
	}
	if err != nil {
		return err
	}
	sum := md5.Sum(data) //nolint:gosec // See the import.
	var low [8]byte
	copy(low[:], sum[:6]) // 48 bits, which a float64 holds exactly.
	p.hash = float64(binary.LittleEndian.Uint64(low[:]))
	p.shown = shownConfig(data, p.cfg.String())
	return nil
}

// build makes templates, routes, receivers and time intervals.
func (p *Prepared) build(opts Options) error {
	tmpl, err := template.FromGlobs(p.cfg.Templates)
	if err != nil {
		return fmt.Errorf("parse templates: %w", err)
	}
	tmpl.ExternalURL = opts.ExternalURL
	p.tmpl = tmpl

	p.routes = dispatch.NewRoute(p.cfg.Route, nil)
	p.used = map[string]bool{}
	p.routes.Walk(func(r *dispatch.Route) { p.used[r.RouteOpts.Receiver] = true })

	p.receivers = make(map[string][]amnotify.Integration, len(p.cfg.Receivers))
	var errs []error
	for _, rcv := range p.cfg.Receivers {
		integrations, err := receiver.BuildReceiverIntegrations(rcv, tmpl, opts.Logger.With("receiver", rcv.Name))
		if err != nil {
			if p.used[rcv.Name] {
				errs = append(errs, fmt.Errorf("build receiver %q: %w", rcv.Name, err))
			} else {
				p.Warnings = append(p.Warnings, p.redact.text(fmt.Sprintf("receiver %q cannot be built, but no route leads to it: %v", rcv.Name, err)))
			}
			continue
		}
		p.receivers[rcv.Name] = integrations
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}

	p.intervals = make(map[string][]timeinterval.TimeInterval, len(p.cfg.MuteTimeIntervals)+len(p.cfg.TimeIntervals))
	for _, ti := range p.cfg.MuteTimeIntervals {
		p.intervals[ti.Name] = ti.TimeIntervals
	}
	for _, ti := range p.cfg.TimeIntervals {
		p.intervals[ti.Name] = ti.TimeIntervals
	}
	return nil
}

// warn collects what works but is hardly meant.
func (p *Prepared) warn(opts Options, features featurecontrol.Flagger) {
	add := func(format string, args ...any) { p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...)) }
	for _, rcv := range p.cfg.Receivers {
		if !p.used[rcv.Name] {
			add("no route leads to receiver %q", rcv.Name)
		}
	}
	p.routes.Walk(func(r *dispatch.Route) {
		o := r.RouteOpts
		if o.RepeatInterval > opts.Retention {
			add("route %s: repeat_interval %s is longer than notifications are remembered (%s), so they may repeat earlier", r.Key(), o.RepeatInterval, opts.Retention)
		}
		if o.RepeatInterval < o.GroupInterval {
			add("route %s: repeat_interval %s is shorter than group_interval %s, so notifications repeat at the next group_interval only", r.Key(), o.RepeatInterval, o.GroupInterval)
		}
	})
	for _, pattern := range p.cfg.Templates {
		if files, err := filepath.Glob(pattern); err == nil && len(files) == 0 {
			add("templates: no file matches %s", pattern)
		}
	}
	if p.cfg.TracingConfig.Endpoint != "" {
		add("tracing is ignored here: spans are exported by the process as a whole")
	}
	if !features.EnableEventRecorder() && (len(p.cfg.EventRecorder.FileOutputs) > 0 || len(p.cfg.EventRecorder.WebhookOutputs) > 0 || len(p.cfg.EventRecorder.KafkaOutputs) > 0) {
		add("event_recorder is ignored: it needs the feature %q", featurecontrol.FeatureEventRecorder)
	}
	slices.Sort(p.Warnings)
	p.Warnings = slices.Compact(p.Warnings)
}
