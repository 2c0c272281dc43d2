package remote

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/stretchr/testify/require"
)

// What is sent before discovery found any Alertmanager arrives once it has,
// and what is sent later is not held.
func TestAlertsOfTheStartAreHeld(t *testing.T) {
	t.Parallel()
	got := make(chan string, 10)
	am := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer am.Close()
	m := newManager(t, am.URL)
	m.Send(alert("BeforeStart"))
	m.Start()
	m.Send(alert("AtStart"))
	received := receive(t, got)
	if !strings.Contains(received, "AtStart") {
		received += receive(t, got)
	}
	require.Contains(t, received, "BeforeStart")
	require.Contains(t, received, "AtStart")
	m.Send(alert("Later"))
	require.Contains(t, receive(t, got), "Later")
}

// Without an Alertmanager in the configuration nothing is kept.
func TestNothingIsHeldForNobody(t *testing.T) {
	t.Parallel()
	m := newManager(t, "")
	m.Send(alert("A"))
	require.Empty(t, m.held)
	m.Start()
}

// What is held is bounded.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	m := newManager(t, "http://127.0.0.1:1")
	many := make([]*notifier.Alert, queueCapacity-1)
	for i := range many {
		many[i] = alert("A")
	}
	m.Send(many...)
	m.Send(many...)
	require.Len(t, m.held, queueCapacity)
	m.Start()
}

func alert(name string) *notifier.Alert {
	return &notifier.Alert{Labels: labels.FromStrings("alertname", name)}
}

func receive(t *testing.T, got <-chan string) string {
	t.Helper()
	select {
	case body := <-got:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("no alert arrived")
		return ""
	}
}

// newManager makes a manager for one Alertmanager, or none.
func newManager(t *testing.T, url string) *Manager {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	registry := prometheus.NewRegistry()
	logger := slog.New(slog.DiscardHandler)
	sd, err := discovery.CreateAndRegisterSDMetrics(registry)
	require.NoError(t, err)
	m := New(Options{
		Discovery:  discovery.NewManager(ctx, logger, registry, sd),
		Cancel:     cancel,
		Logger:     logger,
		Registerer: registry,
	})
	text := ""
	if url != "" {
		text = "alerting: {alertmanagers: [{static_configs: [{targets: ['" + strings.TrimPrefix(url, "http://") + "']}]}]}"
	}
	cfg, err := config.Load(text, logger)
	require.NoError(t, err)
	require.NoError(t, m.Apply(cfg))
	t.Cleanup(m.Stop)
	return m
}
