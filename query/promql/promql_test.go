package promql

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// testEngine is the engine as it is served, with the limits of Prometheus's own
// tests.
func testEngine(tb testing.TB, experimental bool) *Engine {
	tb.Helper()
	e, err := New(Options{
		MaxSamples:     50_000_000,
		Timeout:        2 * time.Minute,
		MaxConcurrency: 20,
		LookbackDelta:  5 * time.Minute,
		Experimental:   experimental,
		Dir:            tb.TempDir(),
		Logger:         slog.New(slog.DiscardHandler),
		Registerer:     prometheus.NewRegistry(),
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	return e
}

// Prometheus's test language runs against the engine that modelwatch serves.
func TestPromQLScripts(t *testing.T) {
	script := `
load 10s
  model_inference_latency_seconds{model_version="v1.0",endpoint="/predict"} 0.5x29 2.5x30
  input_data_mean{feature_name="age"} 38+0.5x60
  input_data_mean_offset{feature_name="age"} 38x60
  http_requests_total{status="200"} 0+10x60
  http_requests_total{status="500"} 0+1x60

eval instant at 4m model_inference_latency_seconds{endpoint="/predict"} > 1.5

eval instant at 6m model_inference_latency_seconds{endpoint="/predict"} > 1.5
  model_inference_latency_seconds{model_version="v1.0",endpoint="/predict"} 2.5

eval instant at 5m sum(rate(http_requests_total{status="500"}[5m])) / sum(rate(http_requests_total[5m]))
  {} 0.09090909090909091

eval instant at 10m (input_data_mean{feature_name="age"} - input_data_mean_offset{feature_name="age"}) / input_data_mean_offset{feature_name="age"} > 0.2
  {feature_name="age"} 0.7894736842105263

eval range from 4m to 6m step 1m max_over_time(model_inference_latency_seconds[1m])
  {model_version="v1.0",endpoint="/predict"} 0.5 2.5 2.5
`
	promqltest.RunTest(t, script, testEngine(t, false).Engine)
}

// Prometheus's own cases, all of them, the experimental ones included.
func TestPromQLBuiltin(t *testing.T) {
	promqltest.RunBuiltinTests(t, testEngine(t, true).Engine)
}
