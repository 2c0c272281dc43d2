package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v3"
	"golang.org/x/net/netutil"

	"github.com/modelwatch/modelwatch/telemetry"
	"github.com/modelwatch/modelwatch/ui"
)

// compatPorts are the ports of the programs that modelwatch stands in for.
var compatPorts = []struct{ port, name string }{
	{"9093", "Alertmanager"},
	{"3100", "Loki"},
}

// listen binds the ports, before anything else that could take long, so that
// a port in use is told at once.
func (a *App) listen() error {
	web := a.config.Web
	if err := checkWebConfig(web.ConfigFile); err != nil {
		return err
	}
	main, err := net.Listen("tcp", web.ListenAddress)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (is another program using the port? choose one with --web.listen-address)", web.ListenAddress, err)
	}
	// Serving closes the listeners; here they are closed if it never begins.
	closing := func(l net.Listener) {
		a.cleanups.add("close "+l.Addr().String(), func() error {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		})
	}
	closing(main)
	a.listeners = append(a.listeners, netutil.LimitListener(main, web.MaxConnections))
	if web.CompatPorts {
		host, _, err := net.SplitHostPort(web.ListenAddress)
		if err != nil {
			return fmt.Errorf("listen address: %w", err)
		}
		for _, c := range compatPorts {
			l, err := net.Listen("tcp", net.JoinHostPort(host, c.port))
			if err != nil {
				return fmt.Errorf("listen on the port of %s: %w (is it still running? stop it, or leave out --compat.ports)", c.name, err)
			}
			closing(l)
			a.listeners = append(a.listeners, netutil.LimitListener(l, web.MaxConnections))
		}
	}
	a.url, err = externalURL(web.ExternalURL, main.Addr(), hasTLS(web.ConfigFile))
	return err
}

// serve begins to answer on all ports.
func (a *App) serve(g gatherers) {
	handler := a.middleware(a.routes(g))
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Duration(a.config.Web.ReadTimeout),
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    1 << 20,
	}
	file := a.config.Web.ConfigFile
	noSocket := false
	flags := &toolkit.FlagConfig{WebConfigFile: &file, WebSystemdSocket: &noSocket}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := toolkit.ServeMultiple(a.listeners, srv, flags, a.logger.With("component", "web"))
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			a.serveErr <- err
		}
	}()
	a.cleanups.add("stop serving", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		err := srv.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			// Some answer takes longer than stopping may: cut it off.
			err = srv.Close()
		}
		<-done
		return err
	})
}

// routes says who answers which path.
func (a *App) routes(g gatherers) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsFor(g, userAgent()))
	mux.Handle("/api/v1/", a.api)
	mux.Handle("GET /api/v1/rules", a.rules.AsWritten(a.api))
	mux.Handle("/federate", a.api)
	mux.Handle("/v1/metrics", a.api)
	a.routeLogs(mux)
	a.routeModels(mux)
	a.routeAuth(mux)
	a.routeEditing(mux)

	mux.Handle("/api/v2/", a.notify.APIHandler())
	alerts := a.notify.Handler()
	mux.Handle("/ai/v1/notifications", alerts)
	mux.Handle("/ai/v1/alerting/", alerts)
	mux.Handle("POST /ai/v1/alerting/preview", a.rules.PreviewHandler())

	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "modelwatch is healthy.\n")
	})
	ready := a.whenReady(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "modelwatch is ready.\n")
	})
	mux.HandleFunc("GET /-/ready", ready)
	mux.HandleFunc("GET /ready", a.whenReady(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ready\n") // What Loki says.
	}))
	mux.HandleFunc("POST /-/reload", a.handleReload)
	mux.HandleFunc("PUT /-/reload", a.handleReload)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	// Every other path may be one of the page's own.
	mux.Handle("/", ui.Handler(ui.Options{Prefix: a.url.Path, HSTS: hasTLS(a.config.Web.ConfigFile)}))
	return elsewhere(mux)
}

func (a *App) handleReload(w http.ResponseWriter, _ *http.Request) {
	if err := a.reload(); err != nil {
		http.Error(w, "reload refused, the old configuration goes on:\n"+err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = io.WriteString(w, "reloaded\n")
}

// whenReady answers 503 with the reason until the process is ready.
func (a *App) whenReady(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s := a.readiness.State(); s != telemetry.Ready {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "modelwatch is "+s.String(), http.StatusServiceUnavailable)
			return
		}
		next(w, r)
	}
}

// middleware bounds and counts every request, and lets through what its role
// may do.
func (a *App) middleware(next http.Handler) http.Handler {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "modelwatch_http_requests_total",
		Help: "HTTP requests answered, by status code.",
	}, []string{"code"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:                        "modelwatch_http_request_duration_seconds",
		Help:                        "Time to answer HTTP requests.",
		Buckets:                     []float64{.001, .005, .025, .1, .5, 2.5, 10, 60},
		NativeHistogramBucketFactor: 1.1,
	}, nil)
	a.registry.MustRegister(requests, duration)
	limit := int64(a.config.Web.MaxRequestBytes)
	bounded := boundBodies(a.auth.Middleware(next), func(r *http.Request) int64 { return bodyLimit(r, limit) })
	// A page of another origin must not make a browser change anything here.
	protected := http.NewCrossOriginProtection().Handler(bounded)
	if !a.config.Web.Auth.Enabled && len(readWebConfig(a.config.Web.ConfigFile).Users) == 0 {
		protected = knownOrigins(protected, a.url)
	}
	return promhttp.InstrumentHandlerDuration(duration, promhttp.InstrumentHandlerCounter(requests, protected))
}

// webConfig is the part of an exporter-toolkit web config that decides what
// is told at start.
type webConfig struct {
	TLS struct {
		Cert     string `yaml:"cert"`
		CertFile string `yaml:"cert_file"`
	} `yaml:"tls_server_config"`
	Users map[string]string `yaml:"basic_auth_users"`
}

func readWebConfig(file string) webConfig {
	var c webConfig
	if text, err := os.ReadFile(file); err == nil {
		_ = yaml.Unmarshal(text, &c) // The toolkit has validated it.
	}
	return c
}

func hasTLS(file string) bool {
	c := readWebConfig(file)
	return c.TLS.Cert != "" || c.TLS.CertFile != ""
}
