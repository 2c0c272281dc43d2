package app

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	promconfig "github.com/prometheus/prometheus/config"

	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/collect/scrape"
	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/notify"
)

// reloader takes over changed configuration files: all of them or none. What
// can fail is done before anything live is touched; if applying fails all the
// same, the configuration that ran before is applied again.
type reloader struct {
	app *App

	mu      sync.Mutex
	current *promconfig.Config
	at      time.Time
	ok      bool

	success prometheus.Gauge
	when    prometheus.Gauge
}

func newReloader(a *App) *reloader {
	r := &reloader{
		app: a,
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "modelwatch_config_last_reload_successful",
			Help: "1 if the last reload of the configuration succeeded, 0 if it was refused and the old one goes on.",
		}),
		when: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "modelwatch_config_last_reload_success_timestamp_seconds",
			Help: "Unix time of the last successful load of the configuration.",
		}),
	}
	a.registry.MustRegister(r.success, r.when)
	return r
}

// step is one part that takes a configuration over.
type step struct {
	name  string
	apply func(*promconfig.Config) error
}

// steps are in the order of the way of data, downstream first.
func (r *reloader) steps() []step {
	a := r.app
	return []step{
		{"runtime", a.applyRuntime},
		{"metrics store", a.store.Apply},
		{"query engine", a.engine.Apply},
		{"api", a.api.Apply},
		{"alertmanagers", a.remote.Apply},
		{"rules", a.rules.Apply},
		{"scraping", a.scraper.Apply},
	}
}

func (r *reloader) apply(cfg *promconfig.Config) error {
	var errs []error
	for _, s := range r.steps() {
		if err := s.apply(cfg); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}

// applyFirst takes over the configuration with which the process starts.
func (r *reloader) applyFirst(cfg *promconfig.Config) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := scrape.Prepare(cfg); err != nil {
		return err
	}
	if err := r.app.rules.Prepare(cfg); err != nil {
		return err
	}
	tailed, err := r.app.prepareTail(r.app.config.Logs.Collect)
	if err != nil {
		return err
	}
	if err := r.apply(cfg); err != nil {
		return err
	}
	if err := r.app.logs.tail.Apply(tailed); err != nil {
		return err
	}
	r.done(cfg)
	return nil
}

func (r *reloader) done(cfg *promconfig.Config) {
	r.current, r.at, r.ok = cfg, time.Now(), true
	r.success.Set(1)
	r.when.SetToCurrentTime()
}

// Reload reads every file again. An error says what is wrong; then nothing has
// changed.
func (r *reloader) Reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.reload()
	if err != nil {
		r.ok = false
		r.success.Set(0)
		r.app.logger.Error("Reload refused, the old configuration goes on", "err", err)
		return err
	}
	r.app.logger.Info("Reloaded")
	return nil
}

// prepare does what can fail in taking cfg over, but for the receivers. from
// says where the text of a file is read.
func (r *reloader) prepare(cfg *config.Config, from func(file string) string) (*promconfig.Config, *tail.Prepared, error) {
	a := r.app
	next, err := cfg.Prometheus(a.self, a.logger)
	if err != nil {
		return nil, nil, err
	}
	if next.ScrapeConfigFiles, err = config.ScrapeFilesFrom(next.ScrapeConfigFiles, from); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(
		scrape.Prepare(next),
		a.rules.PrepareFrom(next, from),
		checkWebConfig(cfg.Web.ConfigFile),
		checkAuth(cfg),
	); err != nil {
		return nil, nil, err
	}
	tailed, err := a.prepareTail(cfg.Logs.Collect)
	return next, tailed, err
}

func (r *reloader) reload() error {
	a := r.app
	cfg, err := loadConfig(a.opts)
	if err != nil {
		return err
	}
	next, tailed, err := r.prepare(cfg, asItIs)
	if err != nil {
		return err
	}
	judges, err := inference.Judges(cfg.Inferences)
	if err != nil {
		return err
	}
	prepared, err := a.notify.Prepare(notify.Source{File: cfg.Alerting.ConfigFile})
	if err != nil {
		return err
	}
	if err := a.host.Watch(watches(cfg.Collect)); err != nil {
		return err
	}
	if err := r.apply(next); err != nil {
		return errors.Join(err, r.apply(r.current), a.host.Watch(watches(a.config.Collect)))
	}
	if err := a.logs.tail.Apply(tailed); err != nil {
		return errors.Join(err, r.apply(r.current), a.host.Watch(watches(a.config.Collect)))
	}
	a.notify.Apply(prepared)
	a.judgeBy(cfg.Inferences, judges)
	r.warnFixed(cfg)
	a.config.Collect = cfg.Collect
	r.done(next)
	return nil
}

// try does what can fail in a reload with the text of one file read from
// elsewhere, and changes nothing.
func (r *reloader) try(file, draft string) error {
	from := func(name string) string {
		if sameFile(name, file) {
			return draft
		}
		return name
	}
	opts := r.app.opts
	opts.ConfigFile = from(opts.ConfigFile)
	cfg, err := loadConfig(opts)
	if err != nil {
		return err
	}
	for _, name := range []*string{&cfg.Metrics.ConfigFile, &cfg.Alerting.ConfigFile, &cfg.Logs.Collect.ConfigFile} {
		*name = from(*name)
	}
	if _, _, err := r.prepare(cfg, from); err != nil {
		return err
	}
	_, err = notify.Check(notify.Source{File: cfg.Alerting.ConfigFile})
	_, jerr := inference.Judges(cfg.Inferences)
	return errors.Join(err, jerr)
}

func asItIs(file string) string { return file }

// warnFixed names the sections in which a setting has changed that only a
// restart takes over.
func (r *reloader) warnFixed(next *config.Config) {
	old, now := fixed(*r.app.config), fixed(*next)
	for i := range old.NumField() {
		if !reflect.DeepEqual(old.Field(i).Interface(), now.Field(i).Interface()) {
			r.app.logger.Warn("A changed setting takes effect at the next start", "section", strings.ToLower(old.Type().Field(i).Name))
		}
	}
}

// fixed is a configuration without what a reload takes over.
func fixed(c config.Config) reflect.Value {
	c.Metrics.ConfigFile, c.Alerting.ConfigFile, c.Logs.Collect = "", "", config.LogCollect{}
	c.Metrics.Limits, c.Metrics.Retention, c.Metrics.RetentionSize = config.Limits{}, 0, 0
	c.Collect.Processes, c.Collect.Interval = nil, 0
	models := map[string]config.Model{}
	for name, a := range c.Inferences.Answers() {
		models[name] = config.Model{Answers: a}
	}
	c.Inferences.Judging, c.Inferences.Models = config.Judging{}, models
	return reflect.ValueOf(c)
}

// last says when the configuration was last loaded, and whether the last try
// succeeded.
func (r *reloader) last() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.ok
}

// running is the configuration of metrics and rules that is in force.
func (r *reloader) running() *promconfig.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current
}

// checkWebConfig validates a web config file before it is used.
func checkWebConfig(file string) error {
	if file == "" {
		return nil
	}
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("web config: %w", err)
	}
	if err := toolkit.Validate(file); err != nil {
		return fmt.Errorf("web config %s: %w", file, err)
	}
	return nil
}
