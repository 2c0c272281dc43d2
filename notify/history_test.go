package notify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

var historyStart = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func openTestHistory(t *testing.T, dir string, limit int) *history {
	t.Helper()
	h, err := openHistory(filepath.Join(dir, "h.jsonl"), limit, testOptions(t, "").Logger, prometheus.NewCounter(prometheus.CounterOpts{}))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.close()) })
	return h
}

// numbered returns a record; every third failed, and receivers alternate.
func numbered(i int) Notification {
	n := Notification{ID: fmt.Sprintf("%06d", i), Time: historyStart.Add(time.Duration(i) * time.Second), Receiver: []string{"a", "b"}[i%2], Status: Sent}
	if i%3 == 0 {
		n.Status = Failed
	}
	return n
}

func ids(ns []Notification) string {
	var out []string
	for _, n := range ns {
		out = append(out, strings.TrimLeft(n.ID, "0"))
	}
	return strings.Join(out, " ")
}

func TestHistoryQuery(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openTestHistory(t, dir, 10)
	for i := 1; i <= 23; i++ {
		h.add(numbered(i))
	}
	for _, tc := range []struct {
		q    Query
		want string
	}{
		{Query{}, "23 22 21 20 19 18 17 16"}, // Half of the limit at least, all of it at most.
		{Query{Limit: 3}, "23 22 21"},
		{Query{Receiver: "a"}, "22 20 18 16"},
		{Query{Failed: true}, "21 18"},
		{Query{Receiver: "b", Failed: true}, "21"},
		{Query{Since: historyStart.Add(20 * time.Second)}, "23 22 21 20"},
		{Query{Until: historyStart.Add(17 * time.Second)}, "17 16"},
		{Query{Receiver: "nobody"}, ""},
	} {
		found, err := newJournal(h).query(t.Context(), tc.q)
		require.NoError(t, err)
		require.Equalf(t, tc.want, ids(found), "%+v", tc.q)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newJournal(h).query(ctx, Query{})
	require.ErrorIs(t, err, context.Canceled)

	// It is there for the next process.
	require.NoError(t, h.close())
	h = openTestHistory(t, dir, 10)
	h.add(numbered(24))
	found, err := newJournal(h).query(t.Context(), Query{Limit: 3})
	require.NoError(t, err)
	require.Equal(t, "24 23 22", ids(found))
}

func TestHistoryAfterACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := openTestHistory(t, dir, 100)
	h.add(numbered(1))
	require.NoError(t, h.close())
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("garbage\n\n{\"id\":\"torn\",\"time\":\"2026-")
	require.NoError(t, err)
	require.NoError(t, f.Close())

	h = openTestHistory(t, dir, 100)
	h.add(numbered(2))
	found, err := newJournal(h).query(t.Context(), Query{})
	require.NoError(t, err)
	require.Equal(t, "2 1", ids(found))
}

// A disk that refuses costs nothing as long as the process lives.
func TestHistoryOnADiskThatRefuses(t *testing.T) {
	t.Parallel()
	h := openTestHistory(t, t.TempDir(), 4)
	h.add(numbered(1))
	require.NoError(t, h.file.Close()) // Each write fails from now on.
	h.add(numbered(2))
	h.add(numbered(3))
	require.InDelta(t, 2, testutil.ToFloat64(h.failures), 0)
	found, err := newJournal(h).query(t.Context(), Query{})
	require.NoError(t, err)
	require.Equal(t, "3 2 1", ids(found))
	h.mu.Lock()
	require.NoError(t, h.open())
	h.mu.Unlock()
	h.add(numbered(4))
	require.Empty(t, h.pending)
	found, err = newJournal(h).query(t.Context(), Query{})
	require.NoError(t, err)
	require.Equal(t, "4 3 2 1", ids(found))
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	require.Equal(t, "short", truncate("short", 10))
	for limit := 5; limit < 40; limit++ {
		got := truncate(strings.Repeat("延迟", 20), limit)
		require.LessOrEqual(t, len(got), limit)
		require.Equal(t, strings.ToValidUTF8(got, "?"), got)
		require.True(t, strings.HasSuffix(got, " …"))
	}
}

func FuzzSelectNewest(f *testing.F) {
	f.Add([]byte(`{"id":"1","time":"2026-03-02T12:00:00Z","status":"sent"}` + "\n"))
	f.Add([]byte("\n\n{}\n{\"time\":1}\nx"))
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := selectNewest(t.Context(), nil, data, Query{}, 1000)
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), bytes.Count(data, []byte{'\n'})+1)
		for _, n := range found {
			require.False(t, n.Time.IsZero())
		}
	})
}

func BenchmarkHistoryQuery(b *testing.B) {
	h, err := openHistory(filepath.Join(b.TempDir(), "h.jsonl"), 20_000, nil, prometheus.NewCounter(prometheus.CounterOpts{}))
	require.NoError(b, err)
	for i := range 19_999 {
		n := numbered(i)
		n.GroupKey = `{}/{severity="critical"}:{alertname="HighLatency", service="ranker"}`
		n.GroupLabels = map[string]string{"alertname": "HighLatency", "service": "ranker"}
		n.Error = strings.Repeat("connection refused ", 10)
		h.add(n)
	}
	j := newJournal(h)
	for _, q := range []Query{{Limit: 100}, {Receiver: "nobody"}} {
		b.Run(fmt.Sprintf("receiver=%s", q.Receiver), func(b *testing.B) {
			for b.Loop() {
				if _, err := j.query(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	require.NoError(b, h.close())
}
