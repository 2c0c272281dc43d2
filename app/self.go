package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// selfHost is the address under which the scraper finds modelwatch's own
// metrics. It is never dialled over the network.
const selfHost = "modelwatch.internal:80"

// pipeListener accepts connections from within the process, so that scraping
// oneself needs no port, no certificate and no password.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial opens a connection to the listener.
func (l *pipeListener) Dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return selfHost }

// gatherers are the registries whose metrics modelwatch exposes.
type gatherers struct {
	// engine is the health of modelwatch itself.
	engine prometheus.Gatherer
	// watched is what modelwatch measures: host, processes, GPUs, models.
	watched prometheus.Gatherers
}

func (g gatherers) all() prometheus.Gatherer {
	return append(prometheus.Gatherers{g.engine}, g.watched...)
}

func metricsHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		// One failing collector must not hide all the others.
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// metricsFor serves /metrics. A prometheus.yml often has a job that scrapes its
// own server, as Prometheus's first example does; here that job would bring a
// second copy of what the job modelwatch already has, and every alert would
// fire twice. So our own scraper gets the engine's health at /metrics, and the
// rest by the job modelwatch. Everybody else gets everything.
func metricsFor(g gatherers, ownUserAgent string) http.Handler {
	all, engine := metricsHandler(g.all()), metricsHandler(g.engine)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == ownUserAgent {
			engine.ServeHTTP(w, r)
			return
		}
		all.ServeHTTP(w, r)
	})
}

// serveSelf serves all metrics to the process's own scraper until stopped.
func serveSelf(l net.Listener, g gatherers) (stop func() error) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metricsHandler(g.all()))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	return func() error {
		err := srv.Close()
		if serveErr := <-done; !errors.Is(serveErr, http.ErrServerClosed) && !errors.Is(serveErr, net.ErrClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	}
}
