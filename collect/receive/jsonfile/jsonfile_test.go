package jsonfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/collect/receive/inferences"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a sink that knows repetitions, as the store does.
type memory struct {
	mu      sync.Mutex
	seen    map[string]bool
	ids     []string
	records []ai.Inference
	labels  []ai.Label
	fail    int  // So many times.
	lose    bool // Take the next batch, but let its answer be lost.
}

func (m *memory) Append(_ context.Context, b inferences.Batch) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail > 0 {
		m.fail--
		return false, errors.New("not now")
	}
	if m.seen[b.ID] {
		return true, nil
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	m.seen[b.ID] = true
	for i := range b.Records {
		m.ids = append(m.ids, b.Records[i].RequestID)
	}
	m.records = append(m.records, b.Records...)
	m.labels = append(m.labels, b.Labels...)
	if m.lose {
		m.lose = false
		return false, errors.New("the answer was lost")
	}
	return false, nil
}

func source(t *testing.T, dir string, sink inferences.Sink, change func(*Options)) *Source {
	t.Helper()
	o := Options{
		Paths: []string{filepath.Join(dir, "*.jsonl")}, Positions: filepath.Join(dir, "positions.json"), Sink: sink,
		BatchRecords: 3, MaxLine: 1000, Registerer: prometheus.NewPedanticRegistry(),
	}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, f := range s.files {
			f.close()
		}
	})
	return s
}

func write(t *testing.T, path string, ids ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	for _, id := range ids {
		_, err := fmt.Fprintf(f, `{"model":"m","request_id":%q}`+"\n", id)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

func TestFollowsFilesThroughRotationAndTruncation(t *testing.T) {
	dir, m := t.TempDir(), &memory{}
	path := filepath.Join(dir, "a.jsonl")
	s := source(t, dir, m, nil)
	write(t, path, "1", "2", "3", "4")
	s.round(t.Context())
	require.Equal(t, []string{"1", "2", "3", "4"}, m.ids)

	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"model":"m","request_id":"5`)
	require.NoError(t, err)
	s.round(t.Context())
	require.Len(t, m.ids, 4, "a line waits for its end")
	_, err = f.WriteString("\"}\nno JSON\n" + strings.Repeat("x", 3000) + "\n" + `{"model":"m","request_id":"6"}`)
	require.NoError(t, err)
	s.round(t.Context())
	require.Equal(t, []string{"1", "2", "3", "4", "5"}, m.ids)
	require.InDelta(t, 2, testutil.ToFloat64(s.rejected.WithLabelValues("syntax")), 0)

	// Rotated by renaming: the rest of the old file, then the new one.
	require.NoError(t, f.Close())
	require.NoError(t, os.Rename(path, path+".1"))
	write(t, path, "7")
	s.round(t.Context())
	require.ElementsMatch(t, []string{"1", "2", "3", "4", "5", "6", "7"}, m.ids)

	// Truncated and written again, shorter and then longer than before.
	require.NoError(t, os.Truncate(path, 0))
	write(t, path, "8")
	s.round(t.Context())
	require.NoError(t, os.Truncate(path, 0))
	write(t, path, "9", "10", "11", "12", "13")
	s.round(t.Context())
	require.Equal(t, []string{"8", "9", "10", "11", "12", "13"}, m.ids[7:])

	// Started again: goes on where it was.
	write(t, path, "14")
	source(t, dir, m, nil).round(t.Context())
	require.Equal(t, []string{"14"}, m.ids[13:])
}

func TestABatchOnItsWayIsSentAgainAsItWas(t *testing.T) {
	dir, m := t.TempDir(), &memory{lose: true}
	path := filepath.Join(dir, "a.jsonl")
	write(t, path, "1", "2")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s := source(t, dir, m, nil)
	s.round(ctx) // The process ends while it waits to try again.
	require.Equal(t, []string{"1", "2"}, m.ids)
	write(t, path, "3")
	s = source(t, dir, m, nil)
	s.round(t.Context())
	require.Equal(t, []string{"1", "2", "3"}, m.ids, "and is not counted twice, though the file has grown")
}

func TestRetriesUntilTaken(t *testing.T) {
	dir, m := t.TempDir(), &memory{fail: 1}
	write(t, filepath.Join(dir, "a.jsonl"), "1")
	s := source(t, dir, m, func(o *Options) { o.Interval = time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.ids) == 1
	}, 5*time.Second, 5*time.Millisecond)
	cancel()
	<-done
}

func TestFromEnd(t *testing.T) {
	dir, m := t.TempDir(), &memory{}
	path := filepath.Join(dir, "a.jsonl")
	write(t, path, "old")
	s := source(t, dir, m, func(o *Options) { o.FromEnd = true })
	s.round(t.Context())
	write(t, path, "new")
	write(t, filepath.Join(dir, "b.jsonl"), "other")
	s.round(t.Context())
	require.ElementsMatch(t, []string{"new", "other"}, m.ids)
}

func TestMapping(t *testing.T) {
	dir, m := t.TempDir(), &memory{}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(
		`{"req":{"id":"r1","model":"gpt"},"t":1772366400.5,"ms":12,"in":{"age":3,"name":"x"},"out":[{"text":"hi"},{"text":"ho"}],"odd.name":7}`+"\n"), 0o600))
	s := source(t, dir, m, func(o *Options) {
		o.Now = func() time.Time { return time.Unix(1772366410, 0) }
		o.Fields = map[string]string{
			"model": "$.req.model", "service": "gateway", "request_id": "$.req.id", "timestamp": "$.t", "features": "$.in",
			"features.odd": "$['odd.name']", "features.none": "$.absent", "prediction": "$.out[-1].text", "tags.kind": "$$5", "endpoint": "$.nowhere[0]",
		}
	})
	s.round(t.Context())
	require.Len(t, m.records, 1)
	r := m.records[0]
	require.Equal(t, "gateway", r.Service)
	require.Equal(t, "gpt", r.Model)
	require.Equal(t, "r1", r.RequestID)
	require.Empty(t, r.Endpoint)
	require.Equal(t, "2026-03-01T12:00:00.5Z", r.Timestamp.Format(time.RFC3339Nano))
	require.Len(t, r.Features, 3)
	odd, _ := r.Feature("odd")
	require.True(t, odd.Equal(ai.Number(7)))
	require.True(t, r.Prediction.Equal(ai.String("ho")))
	require.Equal(t, map[string]string{"kind": "$5"}, r.Tags)
}

func TestLabels(t *testing.T) {
	dir, m := t.TempDir(), &memory{}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(`{"id":"r1","truth":{"class":"cat"}}`+"\n"), 0o600))
	source(t, dir, m, func(o *Options) {
		o.Labels, o.Fields = true, map[string]string{"request_id": "$.id", "label": "$.truth.class"}
	}).round(t.Context())
	require.Len(t, m.labels, 1)
	require.Equal(t, "r1", m.labels[0].RequestID)
}

func TestBadOptions(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"no sink":                                  func(o *Options) { o.Sink = nil },
		"no paths":                                 func(o *Options) { o.Paths = nil },
		"no file for positions":                    func(o *Options) { o.Positions = "" },
		`"[" is not a pattern`:                     func(o *Options) { o.Paths = []string{"["} },
		`field "mod" is none of a record`:          func(o *Options) { o.Fields = map[string]string{"mod": "x"} },
		`field "model" is required`:                func(o *Options) { o.Fields = map[string]string{"service": "x"} },
		`field "model" has no members`:             func(o *Options) { o.Fields = map[string]string{"model.x": "x"} },
		`place "$.a..b": a name is empty`:          func(o *Options) { o.Fields = map[string]string{"model": "$.a..b"} },
		`place "$.a[x]": "x" is neither a number`:  func(o *Options) { o.Fields = map[string]string{"model": "$.a[x]"} },
		`place "$.a[1": ']' is missing`:            func(o *Options) { o.Fields = map[string]string{"model": "$.a[1"} },
		`place "$model": want '.' or '['`:          func(o *Options) { o.Fields = map[string]string{"model": "$model"} },
		`field "request_id" is required`:           func(o *Options) { o.Labels, o.Fields = true, map[string]string{"label": "$.x"} },
		"delete the file to read all files from t": func(o *Options) { require.NoError(t, os.WriteFile(o.Positions, []byte("{"), 0o600)) },
	} {
		dir := t.TempDir()
		o := Options{Paths: []string{dir + "/*"}, Positions: dir + "/p", Sink: &memory{}}
		change(&o)
		_, err := New(o)
		require.ErrorContains(t, err, want)
	}
}
