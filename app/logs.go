package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	lokiapi "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/receive/otlplogs"
	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/evaluate/logerrors"
	"github.com/modelwatch/modelwatch/evaluate/rules"
	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// appender is where lines go.
type appender interface {
	Append(ctx context.Context, streams []logs.Stream) error
}

// logParts is everything that concerns log lines.
type logParts struct {
	appender appender
	// lines is where error lines are looked for.
	lines logerrors.Store
	rules rules.LogQuerier
	// route registers who answers questions and pushes of Loki's protocol.
	route func(*http.ServeMux)
	// naming adds labels to lines that are kept here.
	naming logs.Naming
	otlp   *otlplogs.Handler
	tail   *tail.Manager
}

// setUpLogs makes store, API, receivers and tailer of logs. Nothing is tailed
// before the first configuration is applied.
func (a *App) setUpLogs() error {
	setUpStore := a.setUpLocalLogs
	if a.config.Logs.Loki.Set() {
		setUpStore = a.setUpRemoteLogs
	}
	err := setUpStore()
	if err != nil {
		return err
	}
	a.logs.otlp, err = otlplogs.New(otlplogs.Options{
		Appender: a.logs.appender, Naming: a.logs.naming, MaxBody: int64(a.config.Web.MaxRequestBytes), Logger: a.logger.With("component", "logs"), Registerer: a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up OTLP log receiver: %w", err)
	}
	a.logs.tail, err = tail.New(tail.Options{
		Appender:   a.logs.appender,
		Naming:     a.logs.naming,
		Dir:        filepath.Join(a.config.Storage.Path, "tail"),
		Own:        ownAddresses(a.config.Logs.Loki, a.url.Host, a.ports()...),
		Logger:     a.logger.With("component", "tail"),
		Registerer: a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up log collection: %w", err)
	}
	a.cleanups.add("stop tailing", func() error { a.logs.tail.Stop(); return nil })
	return nil
}

// watchLogErrors looks for error lines of a kind that is new, while the
// built-in rules that tell of them are evaluated.
func (a *App) watchLogErrors() error {
	if !*a.config.Metrics.BuiltinRules {
		return nil
	}
	w, err := logerrors.New(context.Background(), logerrors.Options{Store: a.logs.lines, Memory: a.state, Logger: a.logger.With("component", "logs")})
	if err != nil {
		return err
	}
	a.registry.MustRegister(w)
	a.background("looking for new error lines", w.Run)
	return nil
}

// setUpLocalLogs makes the store on this machine and what asks it.
func (a *App) setUpLocalLogs() error {
	c := a.config.Logs
	logger := a.logger.With("component", "logs")
	store, err := logsearch.New(context.Background(), local.Options{
		Dir:            filepath.Join(a.config.Storage.Path, "logs"),
		MemoryLimit:    int64(c.MemoryLimit),
		Retention:      time.Duration(*c.Retention),
		RetentionBytes: int64(c.RetentionSize),
		Rate:           float64(c.Rate),
		StreamRate:     float64(c.StreamRate),
		MaxStreams:     c.MaxStreams,
		MaxLabelValues: c.MaxLabelValues,
		Logger:         logger,
		Registerer:     a.registry,
	})
	if err != nil {
		return fmt.Errorf("open log store: %w", err)
	}
	a.cleanups.add("close log store", store.Close)
	engine := logql.New(store, logql.Options{MaxEntries: c.MaxEntries, MaxSeries: c.MaxSeries})
	api, err := lokiapi.New(lokiapi.Options{
		Queries:    &logsearch.Queries{Engine: engine},
		Store:      store,
		Timeout:    time.Duration(c.QueryTimeout),
		MaxEntries: c.MaxEntries, ServiceName: c.DiscoverServiceName,
		Revision:   buildVersion().Revision,
		Logger:     logger,
		Registerer: a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up log API: %w", err)
	}
	a.cleanups.add("end live tails", func() error { api.Close(); return nil })
	naming := logs.Naming{TenantLabel: c.TenantLabel, ServiceName: c.DiscoverServiceName}
	push, err := loki.New(loki.Options{Appender: store, Naming: naming, MaxBody: int64(a.config.Web.MaxRequestBytes), Logger: logger, Registerer: a.registry})
	if err != nil {
		return fmt.Errorf("set up log receiver: %w", err)
	}
	a.cleanups.add("close log receiver", func() error { push.Close(); return nil })
	a.logs.appender, a.logs.lines, a.logs.rules, a.logs.naming = store, store, logsearch.Rules{Engine: engine}, naming
	a.logs.route = func(mux *http.ServeMux) {
		api.Register(mux)
		mux.Handle("POST /loki/api/v1/push", push)
		mux.Handle("POST /api/prom/push", push)
	}
	return nil
}

// ports are those that modelwatch listens on.
func (a *App) ports() []int {
	var ports []int
	for _, l := range a.listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			ports = append(ports, tcp.Port)
		}
	}
	return ports
}

// ownAddresses says which clients of a promtail.yml mean the store of logs: this
// process, or the Loki elsewhere that keeps its lines.
func ownAddresses(l config.Loki, host string, ports ...int) tail.Whose {
	own := tail.Whose{Addresses: []string{host}, Ports: ports}
	if u, err := url.Parse(l.URL); err == nil && l.Set() {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		own.Addresses = append(own.Addresses, net.JoinHostPort(u.Hostname(), port))
	}
	return own
}

// prepareTail reads a promtail.yml without touching what is tailed; nil for no
// file.
func (a *App) prepareTail(c config.LogCollect) (*tail.Prepared, error) {
	file := c.ConfigFile
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read promtail configuration: %w", err)
	}
	p, err := a.logs.tail.Prepare(text, c.OwnAddresses...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, w := range p.Problems {
		a.logger.Warn("Promtail configuration", "file", file, "line", w.Line, "problem", w.Reason, "hint", w.Hint)
	}
	return p, nil
}

// routeLogs says who answers the paths of logs.
func (a *App) routeLogs(mux *http.ServeMux) {
	a.logs.route(mux)
	mux.Handle("POST /v1/logs", a.logs.otlp)
	mux.Handle("POST /otlp/v1/logs", a.logs.otlp)
}
