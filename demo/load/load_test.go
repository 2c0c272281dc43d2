package load

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/demo/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeepsItsRateAndTells(t *testing.T) {
	var mu sync.Mutex
	told := map[string]bool{}
	var rows []map[string]float64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var body struct {
			Features  map[string]float64 `json:"features"`
			RequestID string             `json:"request_id"`
			Clicked   bool               `json:"clicked"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/feedback" {
			told[body.RequestID] = body.Clicked
			return
		}
		rows = append(rows, body.Features)
		if len(rows)%10 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte(`{"request_id":"r` + string(rune('0'+len(rows)%10)) + `"}`))
	}))
	defer server.Close()
	g, err := New(Options{URL: server.URL + "/", Rate: 40, Feedback: 1, FeedbackDelay: 10 * time.Millisecond})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stats := g.Run(ctx)
	// A busy machine may lose ticks; none are added.
	require.LessOrEqual(t, stats.Sent, 41)
	require.GreaterOrEqual(t, stats.Sent, 10)
	require.InDelta(t, stats.Sent/10, stats.Failed, 2)
	require.ErrorContains(t, stats.LastError, "status 500")
	require.Positive(t, stats.Labels)
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, told)
	require.Len(t, rows[0], service.BehaviourFeatures+2)
	require.NotEqual(t, rows[0], rows[1])
}

func TestUsersAreThoseOfTheTrainingData(t *testing.T) {
	g, err := New(Options{URL: "http://x", Seed: 7})
	require.NoError(t, err)
	const n = 4000
	sum, squares := map[string]float64{}, map[string]float64{}
	clicks := 0.0
	for range n {
		u := g.user()
		for name, v := range u.features {
			sum[name] += v
			squares[name] += v * v
		}
		if u.clicks {
			clicks++
		}
	}
	require.InDelta(t, 0.5, clicks/n, 0.02)
	for name := range sum {
		ref, ok := service.TrainingData(name)
		require.True(t, ok, name)
		mean := sum[name] / n
		// Five standard errors of a mean, and of a deviation.
		require.InDelta(t, ref.Mean, mean, 5*ref.StdDev/math.Sqrt(n), name)
		require.InDelta(t, ref.StdDev, math.Sqrt(squares[name]/n-mean*mean), 5*ref.StdDev/math.Sqrt(n), name)
	}
}

func TestSkipsBeyondItsBound(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	g, err := New(Options{URL: server.URL, Rate: 500, MaxInFlight: 2})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	stats := g.Run(ctx)
	require.Less(t, time.Since(start), 5*time.Second, "requests under way are let go")
	require.Positive(t, stats.Skipped)
	require.Zero(t, stats.Sent)
}

func TestNewRefusesBadOptions(t *testing.T) {
	for _, opts := range []Options{{}, {URL: "http://x", Rate: -1}, {URL: "http://x", Rate: math.NaN()}, {URL: "http://x", Rate: 1e9}} {
		_, err := New(opts)
		require.Error(t, err, "%+v", opts)
	}
}
