package inferences_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/client"
	receive "github.com/modelwatch/modelwatch/collect/receive/inferences"
	store "github.com/modelwatch/modelwatch/store/inferences"
)

// sink joins receiver and store as app does.
type sink struct{ s *store.Store }

func (k sink) Append(ctx context.Context, b receive.Batch) (bool, error) {
	return k.s.Append(ctx, store.Batch(b))
}

// server is receiver and store behind a port, as clients find them. Every other
// answer is lost, so that clients send again.
func server(t *testing.T) (url string, s *store.Store, joined func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	s, err := store.Open(store.Options{
		Dir:     t.TempDir(),
		Deliver: func(store.Position, []ai.Inference, []ai.Label) {},
		Joined: func(_ store.Position, list []store.Joined) {
			mu.Lock()
			defer mu.Unlock()
			for i := range list {
				got = append(got, list[i].RequestID+" "+list[i].Prediction.Category()+" "+list[i].Label.Category())
			}
		},
	})
	require.NoError(t, err)
	s.Start()
	r, err := receive.New(receive.Options{Sink: sink{s}})
	require.NoError(t, err)
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		mu.Lock()
		n++
		lose := n%2 == 1
		mu.Unlock()
		if lose {
			r.ServeHTTP(httptest.NewRecorder(), q)
			http.Error(w, "the answer was lost", http.StatusBadGateway)
			return
		}
		r.ServeHTTP(w, q)
	}))
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, s.Close())
	})
	return srv.URL, s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), got...)
	}
}

func check(t *testing.T, s *store.Store, joined func() []string) {
	t.Helper()
	rows, err := s.List(t.Context(), store.Filter{Oldest: true})
	require.NoError(t, err)
	require.Len(t, rows, 3, "each once, although each was sent twice")
	require.Equal(t, "ranker", rows[0].Model)
	require.Equal(t, "shop", rows[0].Service)
	require.Equal(t, "v1", rows[0].ModelVersion)
	require.JSONEq(t, `{"age":41,"country":"DE","emb":[1,2.5]}`, string(rows[0].Features))
	require.InDelta(t, .25, *rows[0].Duration, 1e-9)
	require.Eventually(t, func() bool { return len(joined()) == 1 }, 5*time.Second, 5*time.Millisecond)
	require.Equal(t, []string{"r0 click skip"}, joined())
}

func TestGoClient(t *testing.T) {
	url, s, joined := server(t)
	c, err := client.New(client.Options{URL: url, Service: "shop", FlushInterval: 10 * time.Millisecond, MinBackoff: time.Millisecond})
	require.NoError(t, err)
	for _, id := range []string{"r0", "r1", "r2"} {
		c.Record(client.Inference{
			Model: "ranker", ModelVersion: "v1", RequestID: id, Duration: 250 * time.Millisecond, Prediction: "click",
			Features: map[string]any{"age": 41, "country": "DE", "emb": []float32{1, 2.5}},
		})
	}
	c.Label(client.Label{RequestID: "r0", Label: "skip"})
	require.NoError(t, c.Close(t.Context()))
	stats := c.Stats()
	require.Equal(t, uint64(4), stats.Sent)
	require.Zero(t, stats.Rejected+stats.Dropped)
	check(t, s, joined)
}

func TestPythonClient(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	url, s, joined := server(t)
	dir, err := filepath.Abs("../../client/python")
	require.NoError(t, err)
	script := `
import sys
sys.path.insert(0, sys.argv[1])
import modelwatch
client = modelwatch.Client(sys.argv[2], "shop", min_backoff=0.001, flush_interval=0.01)
for i in range(3):
    client.record("ranker", "v1", request_id="r%d" % i, duration=0.25, prediction="click", features={"age": 41, "country": "DE", "emb": [1, 2.5]})
client.label("r0", "skip")
assert client.close(), client.stats()
stats = client.stats()
assert stats.sent == 4 and stats.rejected == 0 and stats.dropped == 0, stats
`
	cmd := exec.Command(python, "-c", script, dir, url)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), out.String())
	check(t, s, joined)
}
