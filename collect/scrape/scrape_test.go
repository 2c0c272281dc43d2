package scrape

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
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

// TestRestart begins the rhythm of all jobs anew, those of files among them as they were applied, and takes nothing else
// for changed.
func TestRestart(t *testing.T) {
	var scrapes atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "n %d\n", scrapes.Add(1))
	}))
	defer srv.Close()
	target := strings.TrimPrefix(srv.URL, "http://")
	file := filepath.Join(t.TempDir(), "more.yml")
	job := func(name string) string {
		return fmt.Sprintf("scrape_configs: [{job_name: %s, fallback_scrape_protocol: PrometheusText0.0.4, scrape_interval: 100ms, scrape_timeout: 100ms, static_configs: [{targets: [%q]}]}]\n", name, target)
	}
	require.NoError(t, os.WriteFile(file, []byte(job("of_file")), 0o600))
	cfg := load(t, job("main")+fmt.Sprintf("scrape_config_files: [%q]\n", file))

	reg := prometheus.NewRegistry()
	logger := slog.New(slog.DiscardHandler)
	discovery, err := NewDiscovery(logger, reg)
	require.NoError(t, err)
	k := &kept{values: map[string]float64{}}
	s, err := New(Options{Appendable: k, Discovery: discovery, Logger: logger, Registerer: reg})
	require.NoError(t, err)
	require.NoError(t, s.Restart(), "there is nothing to restart")
	require.NoError(t, s.Apply(cfg))
	s.Start()
	defer s.Stop()
	value := func(job string) float64 {
		v, _ := k.get(fmt.Sprintf(`{__name__="n", instance=%q, job=%q}`, target, job))
		return v
	}
	goesOn := func() {
		t.Helper()
		for _, job := range []string{"main", "of_file"} {
			before := value(job)
			require.Eventually(t, func() bool { return value(job) > before }, 10*time.Second, 10*time.Millisecond, job)
		}
	}
	goesOn()
	reloads := func() float64 {
		families, err := reg.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if f.GetName() == "prometheus_target_scrape_pool_reloads_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return -1
	}
	require.NoError(t, os.WriteFile(file, []byte("scrape_configs: []\n"), 0o600)) // Nobody has reloaded it.
	for i := range 2 {
		require.NoError(t, s.Restart())
		require.InDelta(t, 2*(i+1), reloads(), 0, "each of the two jobs began anew")
		goesOn()
	}
	for job, targets := range s.Manager().TargetsActive() {
		require.Len(t, targets, 1)
		require.Equal(t, "100ms", targets[0].GetValue(model.ScrapeTimeoutLabel), job)
	}
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
