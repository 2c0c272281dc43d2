package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	lokiapi "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/receive/otlplogs"
	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// logParts is everything that concerns log lines.
type logParts struct {
	store  *logsearch.Store
	engine *logql.Engine
	api    *lokiapi.API
	push   *loki.Handler
	otlp   *otlplogs.Handler
	tail   *tail.Manager
}

// setUpLogs makes store, engine, API, receivers and tailer of logs. Nothing is
// tailed before the first configuration is applied.
func (a *App) setUpLogs() error {
	c := a.config.Logs
	logger := a.logger.With("component", "logs")
	var err error
	a.logs.store, err = logsearch.New(context.Background(), local.Options{
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
	a.cleanups.add("close log store", a.logs.store.Close)
	a.logs.engine = logql.New(a.logs.store, logql.Options{MaxEntries: c.MaxEntries, MaxSeries: c.MaxSeries})
	a.logs.api, err = lokiapi.New(lokiapi.Options{
		Queries:    &logsearch.Queries{Engine: a.logs.engine},
		Store:      a.logs.store,
		Timeout:    time.Duration(c.QueryTimeout),
		MaxEntries: c.MaxEntries,
		Revision:   buildVersion().Revision,
		Logger:     logger,
		Registerer: a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up log API: %w", err)
	}
	a.cleanups.add("end live tails", func() error { a.logs.api.Close(); return nil })
	maxBody := int64(a.config.Web.MaxRequestBytes)
	a.logs.push, err = loki.New(loki.Options{Appender: a.logs.store, MaxBody: maxBody, Logger: logger, Registerer: a.registry})
	if err != nil {
		return fmt.Errorf("set up log receiver: %w", err)
	}
	a.cleanups.add("close log receiver", func() error { a.logs.push.Close(); return nil })
	a.logs.otlp, err = otlplogs.New(otlplogs.Options{Appender: a.logs.store, MaxBody: maxBody, Logger: logger, Registerer: a.registry})
	if err != nil {
		return fmt.Errorf("set up OTLP log receiver: %w", err)
	}
	a.logs.tail, err = tail.New(tail.Options{
		Appender:     a.logs.store,
		Dir:          filepath.Join(a.config.Storage.Path, "tail"),
		OwnAddresses: []string{a.url.Host},
		OwnPorts:     a.ports(),
		Logger:       a.logger.With("component", "tail"),
		Registerer:   a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up log collection: %w", err)
	}
	a.cleanups.add("stop tailing", func() error { a.logs.tail.Stop(); return nil })
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

// prepareTail reads a promtail.yml without touching what is tailed; nil for no
// file.
func (a *App) prepareTail(file string) (*tail.Prepared, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read promtail configuration: %w", err)
	}
	p, err := a.logs.tail.Prepare(text)
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
	a.logs.api.Register(mux)
	mux.Handle("POST /loki/api/v1/push", a.logs.push)
	mux.Handle("POST /api/prom/push", a.logs.push)
	mux.Handle("POST /v1/logs", a.logs.otlp)
	mux.Handle("POST /otlp/v1/logs", a.logs.otlp)
}
