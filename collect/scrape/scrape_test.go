package scrape

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// kept collects samples.
type kept struct {
	mu     sync.Mutex
	values map[string]float64
}

func (k *kept) AppenderV2(context.Context) storage.AppenderV2 { return &appender{kept: k} }

type appender struct{ kept *kept }

func (a *appender) Append(_ storage.SeriesRef, ls labels.Labels, _, _ int64, v float64, _ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	a.kept.mu.Lock()
	defer a.kept.mu.Unlock()
	a.kept.values[ls.String()] = v
	return 1, nil
}

func (*appender) Commit() error   { return nil }
func (*appender) Rollback() error { return nil }

func (k *kept) get(series string) (float64, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	v, ok := k.values[series]
	return v, ok
}

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Load(text, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return cfg
}

// The scraper reaches modelwatch's own metrics without a network, and tells who
// it is.
func TestScrapesItselfWithoutNetwork(t *testing.T) {
	const self = "modelwatch.internal:80"
	agent := make(chan string, 10)
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case agent <- r.UserAgent():
		default:
		}
		_, _ = io.WriteString(w, "own_metric 42\n")
	})}
	conns := make(chan net.Conn)
	l := chanListener{conns, make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()

	reg := prometheus.NewRegistry()
	logger := slog.New(slog.DiscardHandler)
	discovery, err := NewDiscovery(logger, reg)
	require.NoError(t, err)
	k := &kept{values: map[string]float64{}}
	s, err := New(Options{
		Appendable: k, SelfHost: self, UserAgent: "modelwatch/test",
		SelfDial: func(ctx context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			select {
			case conns <- server:
				return client, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
		Discovery: discovery, Logger: logger, Registerer: reg,
	})
	require.NoError(t, err)
	cfg := load(t, fmt.Sprintf("scrape_configs: [{job_name: self, fallback_scrape_protocol: PrometheusText0.0.4, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: [%q]}]}]\n", self))
	require.NoError(t, Prepare(cfg))
	require.NoError(t, s.Apply(cfg))
	s.Start()
	require.Eventually(t, func() bool {
		v, ok := k.get(`{__name__="own_metric", instance="modelwatch.internal:80", job="self"}`)
		return ok && v == 42
	}, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, "modelwatch/test", <-agent)
	s.Stop()
	require.NoError(t, srv.Close())
	<-done
}

type chanListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l chanListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l chanListener) Close() error { close(l.closed); return nil }
func (chanListener) Addr() net.Addr { return &net.UnixAddr{Name: "test"} }

func TestPrepareNamesTheJob(t *testing.T) {
	cfg := load(t, "scrape_configs: [{job_name: secure, scheme: https, tls_config: {ca_file: /does/not/exist.pem}, static_configs: [{targets: ['a:1']}]}]\n")
	err := Prepare(cfg)
	require.ErrorContains(t, err, `scrape job "secure"`)
	require.ErrorContains(t, err, "/does/not/exist.pem")
}

func TestReadyBeforeSet(t *testing.T) {
	var r Ready
	_, err := r.Get()
	require.Error(t, err)
}
