// Package prom serves Prometheus's HTTP API: /api/v1 with Prometheus's own
// handlers, /federate, and the OTLP receiver for metrics. It does not scrape,
// store or evaluate.
package prom

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/grafana/regexp"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	apiv1 "github.com/prometheus/prometheus/web/api/v1"
)

// Limits of one remote read request, Prometheus's own defaults.
const (
	remoteReadSamples     = 5e7
	remoteReadConcurrency = 10
	remoteReadFrameBytes  = 1 << 20
	searchLimit           = 10_000
)

// Store is where samples are.
type Store interface {
	apiv1.TSDBAdminStats
	Queryable() storage.SampleAndChunkQueryable
	Local() storage.Queryable
	Exemplars() storage.ExemplarQueryable
	Appendable() storage.Appendable
	AppendableV2() storage.AppendableV2
	Dir() string
}

// Options is what the API needs.
type Options struct {
	Store         Store
	Engine        promql.QueryEngine
	Parser        parser.Parser
	Scrape        *scrape.Manager
	Rules         *rules.Manager
	Alertmanagers *notifier.Manager
	// Ready wraps handlers that must wait until the process is ready.
	Ready func(http.HandlerFunc) http.HandlerFunc

	ExternalURL   *url.URL
	ListenAddress string
	// AdminAPI allows deleting series and taking snapshots.
	AdminAPI      bool
	LookbackDelta time.Duration
	Flags         map[string]string
	Version       Version
	// Reloaded says when the configuration was last loaded and whether the
	// last try succeeded.
	Reloaded func() (at time.Time, ok bool)

	Logger     *slog.Logger
	Gatherer   prometheus.Gatherer
	Registerer prometheus.Registerer
}

// Version is what /api/v1/status/buildinfo tells.
type Version struct {
	Version, Revision, Branch, BuildUser, BuildDate string
}

// API serves Prometheus's paths.
type API struct {
	opts      Options
	config    atomic.Pointer[config.Config]
	retention atomic.Value
	birth     time.Time
	federate  *federation
	handler   http.Handler
}

// New makes the API. Apply must be called before it serves.
func New(opts Options) *API {
	a := &API{opts: opts, birth: time.Now().UTC()}
	a.retention.Store("")
	a.federate = newFederation(opts, func() *config.Config { return a.config.Load() })
	v := opts.Version
	api := apiv1.NewAPI(
		opts.Engine,
		opts.Store.Queryable(),
		opts.Store.Appendable(), opts.Store.AppendableV2(),
		opts.Store.Exemplars(),
		func(context.Context) apiv1.ScrapePoolsRetriever { return opts.Scrape },
		func(context.Context) apiv1.TargetRetriever { return opts.Scrape },
		func(context.Context) apiv1.AlertmanagerRetriever { return opts.Alertmanagers },
		func() config.Config { return *a.config.Load() },
		flags(opts.Flags),
		apiv1.GlobalURLOptions{ListenAddress: opts.ListenAddress, Host: opts.ExternalURL.Host, Scheme: opts.ExternalURL.Scheme},
		opts.Ready,
		opts.Store,
		opts.Store.Dir(),
		opts.AdminAPI,
		false, searchLimit,
		opts.Logger.With("component", "api"),
		func(context.Context) apiv1.RulesRetriever { return opts.Rules },
		remoteReadSamples, remoteReadConcurrency, remoteReadFrameBytes,
		false,
		regexp.MustCompile(`^$`), // No other origin may read: the page is served from here.
		a.runtimeInfo,
		&apiv1.PrometheusVersion{Version: v.Version, Revision: v.Revision, Branch: v.Branch, BuildUser: v.BuildUser, BuildDate: v.BuildDate, GoVersion: runtime.Version()},
		func() []notifications.Notification { return nil },
		func() (<-chan notifications.Notification, func(), bool) { return nil, func() {}, false },
		opts.Gatherer, opts.Registerer,
		nil,
		true, remoteapi.MessageTypes{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType},
		true, true, false,
		false,
		opts.LookbackDelta,
		false, false,
		nil,
		features.NewRegistry(),
		apiv1.OpenAPIOptions{ExternalURL: opts.ExternalURL.String(), Version: v.Version, MaxSearchLimit: searchLimit},
		opts.Parser,
	)
	r := route.New()
	api.Register(r.WithPrefix("/api/v1"))
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", r)
	mux.Handle("GET /federate", opts.Ready(a.federate.ServeHTTP))
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, req *http.Request) {
		// OpenTelemetry's exporters append /v1/metrics to the endpoint.
		req = req.Clone(req.Context())
		req.URL.Path = "/api/v1/otlp/v1/metrics"
		r.ServeHTTP(w, req)
	})
	a.handler = mux
	return a
}

// Apply takes over the configuration that is shown and by which OTLP metrics
// are translated.
func (a *API) Apply(cfg *config.Config) error {
	a.config.Store(cfg)
	var s string
	if r := cfg.StorageConfig.TSDBConfig.Retention; r != nil {
		if r.Time != 0 {
			s = r.Time.String()
		}
		if r.Size != 0 {
			if s != "" {
				s += " or "
			}
			s += r.Size.String()
		}
		if r.Percentage != 0 {
			if s != "" {
				s += " or "
			}
			s += fmt.Sprintf("%g%%", r.Percentage)
		}
	}
	a.retention.Store(s)
	return nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// gogc is by how much the heap may grow before garbage is collected, in percent.
func gogc() string {
	sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(sample)
	percent := sample[0].Value.Uint64()
	if percent > math.MaxInt32 {
		return "off"
	}
	return strconv.FormatUint(percent, 10)
}

func (a *API) runtimeInfo() (apiv1.RuntimeInfo, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return apiv1.RuntimeInfo{}, fmt.Errorf("read host name: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return apiv1.RuntimeInfo{}, fmt.Errorf("read working directory: %w", err)
	}
	at, ok := a.opts.Reloaded()
	retention, _ := a.retention.Load().(string)
	info := apiv1.RuntimeInfo{
		StartTime:           a.birth,
		CWD:                 dir,
		Hostname:            hostname,
		ServerTime:          time.Now().UTC(),
		ReloadConfigSuccess: ok,
		LastConfigTime:      at,
		GoroutineCount:      runtime.NumGoroutine(),
		GOMAXPROCS:          runtime.GOMAXPROCS(0),
		GOMEMLIMIT:          debug.SetMemoryLimit(-1),
		GOGC:                gogc(),
		GODEBUG:             os.Getenv("GODEBUG"),
		StorageRetention:    retention,
	}
	families, err := a.opts.Gatherer.Gather()
	if err != nil {
		return info, fmt.Errorf("gather own metrics: %w", err)
	}
	for _, f := range families {
		if f.GetName() == "prometheus_tsdb_wal_corruptions_total" {
			for _, m := range f.GetMetric() {
				info.CorruptionCount += int64(m.GetCounter().GetValue())
			}
		}
	}
	return info, nil
}

// flags is an object in the answer even where none was given.
func flags(given map[string]string) map[string]string {
	if given == nil {
		return map[string]string{}
	}
	return given
}
