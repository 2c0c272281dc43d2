// Package app puts modelwatch together: it is the only package that knows all
// the others. It opens what stores, starts what judges and notifies, then what
// collects and serves, and takes everything down in the opposite order. It
// decides nothing about data.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/api/prom"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/collect/host"
	"github.com/modelwatch/modelwatch/collect/scrape"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/config/edit"
	"github.com/modelwatch/modelwatch/evaluate/rules"
	"github.com/modelwatch/modelwatch/notify"
	"github.com/modelwatch/modelwatch/notify/remote"
	"github.com/modelwatch/modelwatch/query/promql"
	"github.com/modelwatch/modelwatch/store/metrics"
	"github.com/modelwatch/modelwatch/store/state"
	"github.com/modelwatch/modelwatch/telemetry"
)

// App is one running modelwatch.
type App struct {
	opts      Options
	config    *config.Config
	logger    *slog.Logger
	logLevel  *slog.LevelVar
	heap      heapGrowth
	cleanups  cleanups
	readiness telemetry.Readiness
	registry  *prometheus.Registry

	self      config.Self
	url       *url.URL
	listeners []net.Listener

	store      *metrics.Store
	logs       logParts
	state      *state.DB
	guard      *metrics.Guard
	facts      *facts
	inferences *inference.Pipeline
	host       *host.Collectors
	engine     *promql.Engine
	notify     *notify.Manager
	remote     *remote.Manager
	rules      *rules.Manager
	scraper    *scrape.Scraper
	api        *prom.API
	auth       *auth.Auth
	reloader   *reloader
	editor     *edit.Editor
	serveErr   chan error

	stopOnce sync.Once
	stopErr  error
}

// New opens and wires everything and binds the ports, but scrapes, evaluates
// and serves nothing before Start. On error all that was opened is closed
// again.
func New(opts Options) (*App, error) {
	a := &App{opts: opts, serveErr: make(chan error, 1), registry: prometheus.NewRegistry()}
	var err error
	if a.logger, a.logLevel, err = telemetry.NewLogger(opts.Stderr, telemetry.LogOptions{Level: opts.LogLevel, Format: opts.LogFormat}); err != nil {
		return nil, err
	}
	if err := a.setUp(); err != nil {
		return nil, errors.Join(err, a.cleanups.run(a.logger))
	}
	return a, nil
}

// Run runs modelwatch until ctx ends, or until serving fails.
func Run(ctx context.Context, opts Options) error {
	a, err := New(opts)
	if err != nil {
		return err
	}
	if err := a.Start(); err != nil {
		return errors.Join(err, a.Stop())
	}
	for {
		select {
		case <-ctx.Done():
			a.logger.Info("Stopping")
			return a.Stop()
		case <-opts.Reload:
			_ = a.reload() // It has logged and counted its error.
		case err := <-a.serveErr:
			return errors.Join(fmt.Errorf("serve: %w", err), a.Stop())
		}
	}
}

// setUp makes every part, downstream first, and registers how to undo it.
func (a *App) setUp() error {
	cfg, err := loadConfig(a.opts)
	if err != nil {
		return err
	}
	if err := errors.Join(checkResetAdmin(a.opts, cfg), checkAuth(cfg)); err != nil {
		return err
	}
	a.config = cfg
	a.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(),
	)

	unlock, err := lockDir(cfg.Storage.Path)
	if err != nil {
		return err
	}
	a.cleanups.add("unlock data directory", unlock)

	if err := a.listen(); err != nil {
		return err
	}
	a.self = config.Self{Host: selfHost, Instance: a.listeners[0].Addr().String()}
	prometheusConfig, err := cfg.Prometheus(a.self, a.logger)
	if err != nil {
		return err
	}

	guard, err := metrics.NewGuard(metrics.GuardOptions{
		Dir:        cfg.Storage.Path,
		Reserve:    uint64(cfg.Storage.Reserve),
		Logger:     a.logger.With("component", "storage"),
		Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.guard = guard
	a.background("disk guard", guard.Run)

	scraped := &scrape.Ready{}
	a.store, err = metrics.Open(metrics.Options{
		Dir:        filepath.Join(cfg.Storage.Path, "metrics"),
		Config:     prometheusConfig,
		Targets:    scraped,
		Guard:      guard,
		Logger:     a.logger,
		Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.cleanups.add("close metrics store", a.store.Close)

	query := cfg.Metrics.Query
	a.engine, err = promql.New(promql.Options{
		MaxSamples:     query.MaxSamples,
		Timeout:        time.Duration(query.Timeout),
		MaxConcurrency: query.MaxConcurrency,
		LookbackDelta:  time.Duration(query.LookbackDelta),
		Experimental:   query.Experimental,
		Dir:            a.store.Dir(),
		Logger:         a.logger,
		Registerer:     a.registry,
	})
	if err != nil {
		return err
	}
	a.cleanups.add("close query engine", a.engine.Close)

	a.notify, err = notify.New(a.notifyOptions())
	if err != nil {
		return err
	}
	a.cleanups.add("stop notifying", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return a.notify.Stop(ctx)
	})

	if err := a.setUpLogs(); err != nil {
		return err
	}
	if err := a.setUpInferences(guard); err != nil {
		return err
	}
	if err := a.setUpAuth(); err != nil {
		return err
	}

	discovery, err := scrape.NewDiscovery(a.logger, a.registry)
	if err != nil {
		return err
	}
	discoveryCtx, cancel := context.WithCancel(context.Background())
	a.cleanups.add("stop discovery of alertmanagers", func() error { cancel(); return nil })
	alertmanagers, err := discovery.NewManager(discoveryCtx, "alertmanagers")
	if err != nil {
		return err
	}
	a.remote = remote.New(remote.Options{Discovery: alertmanagers, Cancel: cancel, Logger: a.logger, Registerer: a.registry})

	a.rules = rules.New(rules.Options{
		Engine:          a.engine,
		Parser:          a.engine.Parser(),
		Logs:            a.logs.rules,
		Queryable:       a.store.Queryable(),
		Local:           a.store.Local(),
		Appendable:      a.store.Appendable(),
		Senders:         []rules.Sender{a.notify},
		Remote:          a.remote,
		ExternalURL:     a.url,
		Builtin:         *cfg.Metrics.BuiltinRules,
		OutageTolerance: time.Duration(cfg.Alerting.ForOutageTolerance),
		ForGracePeriod:  time.Duration(cfg.Alerting.ForGracePeriod),
		ResendDelay:     time.Duration(cfg.Alerting.ResendDelay),
		Logger:          a.logger,
		Registerer:      a.registry,
	})

	watched, err := a.watched()
	if err != nil {
		return err
	}
	exposed := gatherers{engine: a.registry, watched: watched}
	selfListener := newPipeListener()
	a.cleanups.add("stop serving own metrics", serveSelf(selfListener, exposed))

	a.scraper, err = scrape.New(scrape.Options{
		Appendable: a.store.AppendableV2(),
		SelfHost:   selfHost,
		SelfDial:   selfListener.Dial,
		UserAgent:  userAgent(),
		Discovery:  discovery,
		Logger:     a.logger,
		Registerer: a.registry,
	})
	if err != nil {
		return err
	}
	a.cleanups.add("stop scraping", func() error { a.scraper.Stop(); return nil })
	scraped.Set(a.scraper.Manager())

	a.reloader = newReloader(a)
	a.api = prom.New(prom.Options{
		Store:         a.store,
		Engine:        a.engine,
		Parser:        a.engine.Parser(),
		Scrape:        a.scraper.Manager(),
		Rules:         a.rules.Rules(),
		Alertmanagers: a.remote.Manager,
		Ready:         a.whenReady,
		ExternalURL:   a.url,
		ListenAddress: a.self.Instance,
		AdminAPI:      cfg.Metrics.AdminAPI,
		LookbackDelta: time.Duration(query.LookbackDelta),
		Flags:         a.opts.Flags,
		Version:       buildVersion(),
		Reloaded:      a.reloader.last,
		Logger:        a.logger,
		Gatherer:      a.registry,
		Registerer:    a.registry,
	})
	if err := a.reloader.applyFirst(prometheusConfig); err != nil {
		return err
	}
	if err := a.setUpEditing(); err != nil {
		return err
	}
	a.serve(exposed)
	return nil
}

// Start begins to work and tells people where to look.
func (a *App) Start() error {
	if err := a.inferences.Start(); err != nil {
		return err
	}
	if err := a.watchLogErrors(); err != nil {
		return err
	}
	a.background("judging models", a.inferences.Run)
	a.background("asking for facts", a.facts.run)
	a.background("watching the disk", a.alertWhenFull(a.guard))
	a.background("keeping sessions", a.auth.Run)
	a.background("bounding the heap", a.watchIngest)
	a.background("watching the clock", a.watchClock)
	a.remote.Start()
	a.cleanups.add("stop sending to alertmanagers", func() error { a.remote.Stop(); return nil })
	a.rules.Start()
	a.cleanups.add("stop evaluating rules", func() error { a.rules.Stop(); return nil })
	a.scraper.Start()
	a.readiness.Set(telemetry.Ready)
	a.logger.Info("Ready", "url", a.URL(), "data", a.config.Storage.Path)
	if !a.opts.Quiet {
		a.greet(a.opts.Stdout)
	}
	if err := trim(); err != nil {
		a.logger.Debug("Memory of starting is kept", "err", err)
	}
	return nil
}

// Stop drains and closes everything. It may be called more than once.
func (a *App) Stop() error {
	a.stopOnce.Do(func() {
		a.readiness.Set(telemetry.Stopping)
		done := make(chan error, 1)
		go func() { done <- a.cleanups.run(a.logger) }()
		select {
		case a.stopErr = <-done:
			a.logger.Info("Stopped")
		case <-time.After(stopTimeout):
			a.stopErr = fmt.Errorf("not stopped within %s: what was acknowledged is on disk and will be replayed", stopTimeout)
		}
	})
	return a.stopErr
}

// background runs f until stopping; it is waited for.
func (a *App) background(name string, f func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f(ctx) }()
	a.cleanups.add("stop "+name, func() error { cancel(); <-done; return nil })
}

// URL is where the page is on this machine.
func (a *App) URL() string { return a.url.String() }

func (a *App) notifyOptions() notify.Options {
	o := notify.DefaultOptions()
	c := a.config.Alerting
	o.Config = notify.Source{File: c.ConfigFile}
	o.DataDir = filepath.Join(a.config.Storage.Path, "alerts")
	o.ExternalURL = a.url
	o.Retention = time.Duration(c.Retention)
	setCluster(&o.Cluster, c.Cluster)
	o.Logger = a.logger
	o.Registerer = a.registry
	return o
}

// loadConfig reads modelwatch.yml and lets the flags win.
func loadConfig(o Options) (*config.Config, error) {
	cfg := config.Default()
	if o.ConfigFile != "" {
		var err error
		if cfg, err = config.Load(o.ConfigFile); err != nil {
			return nil, err
		}
	}
	override := func(p *string, v string) {
		if v != "" {
			*p = v
		}
	}
	override(&cfg.Storage.Path, o.StoragePath)
	override(&cfg.Web.ListenAddress, o.ListenAddress)
	override(&cfg.Web.ConfigFile, o.WebConfigFile)
	override(&cfg.Web.ExternalURL, o.ExternalURL)
	override(&cfg.Metrics.ConfigFile, o.PrometheusConfig)
	override(&cfg.Alerting.ConfigFile, o.AlertmanagerConfig)
	override(&cfg.Logs.Collect.ConfigFile, o.PromtailConfig)
	overrideCluster(&cfg.Alerting.Cluster, o.Cluster)
	cfg.Web.CompatPorts = cfg.Web.CompatPorts || o.CompatPorts
	return cfg, nil
}

// externalURL is where people reach modelwatch: as configured, or by the
// address that was bound.
func externalURL(configured string, bound net.Addr, tls bool) (*url.URL, error) {
	if configured != "" {
		u, err := url.Parse(configured)
		if err != nil {
			return nil, fmt.Errorf("external URL: %w", err)
		}
		u.Path = strings.TrimRight(u.Path, "/")
		return u, nil
	}
	name, port, err := net.SplitHostPort(bound.String())
	if err != nil {
		return nil, fmt.Errorf("bound address: %w", err)
	}
	if ip := net.ParseIP(name); ip != nil && ip.IsUnspecified() {
		if name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("read host name: %w", err)
		}
	}
	scheme := "http"
	if tls {
		scheme = "https"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(name, port)}, nil
}
