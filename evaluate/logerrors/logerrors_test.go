package logerrors

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// store is a store of lines that lists all its streams.
type store struct {
	*memory.Store
	series []labels.Labels
}

func (s *store) Series(context.Context, [][]*labels.Matcher, int64, int64) ([]labels.Labels, error) {
	return s.series, nil
}

type documents map[string][]byte

func (d documents) Document(_ context.Context, name string) (value []byte, ok bool, err error) {
	value, ok = d[name]
	return value, ok, nil
}

func (d documents) SetDocument(_ context.Context, name string, value []byte) error {
	d[name] = value
	return nil
}

// world is a watcher with a clock that the test moves.
type world struct {
	t     *testing.T
	now   time.Time
	store *store
	kept  documents
	w     *Watcher
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC), store: &store{Store: memory.New()}, kept: documents{}}
	w.restart()
	return w
}

func (w *world) restart() {
	var err error
	w.w, err = New(w.t.Context(), Options{Store: w.store, Memory: w.kept, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now }})
	require.NoError(w.t, err)
}

// log adds lines of a service, 15 seconds pass, and the watcher looks.
func (w *world) log(service string, lines ...string) {
	ls := labels.FromStrings("service", service)
	if service == "" {
		ls = labels.FromStrings("filename", "/x.log")
	}
	st := logs.Stream{Labels: ls}
	for i, l := range lines {
		st.Entries = append(st.Entries, logs.Entry{Timestamp: w.now.UnixNano() + int64(i), Line: l})
	}
	require.NoError(w.t, w.store.Append(w.t.Context(), []logs.Stream{st}))
	w.store.series = append(w.store.series, ls)
	w.now = w.now.Add(15 * time.Second)
	require.NoError(w.t, w.w.Look(w.t.Context()))
}

func (w *world) expect(lines ...string) {
	w.t.Helper()
	want := ""
	if len(lines) > 0 {
		want = "# HELP modelwatch_log_new_error_lines Lines of an error template that its service had not logged before, for 15 minutes after the first of them.\n# TYPE modelwatch_log_new_error_lines gauge\n" + strings.Join(lines, "\n") + "\n"
	}
	require.NoError(w.t, testutil.CollectAndCompare(w.w, strings.NewReader(want)))
}

func TestNewTemplates(t *testing.T) {
	w := newWorld(t)
	// What a service logs in its first minutes counts as known.
	w.log("shop", "level=error cannot reach cache 1", "level=info all is well")
	w.expect()
	w.now = w.now.Add(time.Hour)
	w.log("shop", "level=error cannot reach cache 2", "level=info no error at all", `{"level":"info","error":null}`)
	w.expect()
	// Then what is new is counted, once for each line, also if it is read twice.
	w.log("shop", "level=error out of memory on gpu 3", "level=error out of memory on gpu 4")
	w.log("shop", "level=error out of memory on gpu 5", `{"level":"fatal","msg":"giving up"}`)
	w.expect(`modelwatch_log_new_error_lines{service="shop",template="level=error out of memory on gpu <_>"} 3`,
		`modelwatch_log_new_error_lines{service="shop",template="{\"level\":\"fatal\",\"msg\":\"giving up\"}"} 1`)
	// A template becomes more general while it is counted.
	w.log("shop", `{"level":"fatal","msg":"giving in"}`)
	w.expect(`modelwatch_log_new_error_lines{service="shop",template="level=error out of memory on gpu <_>"} 3`,
		`modelwatch_log_new_error_lines{service="shop",template="{\"level\":\"fatal\",\"msg\":\"giving <_>\"}"} 2`)
	// After a restart it is known, and nothing is told again.
	w.restart()
	w.log("shop", "level=error out of memory on gpu 6", `{"level":"fatal","msg":"giving away"}`)
	w.expect()
	w.log("shop", "level=error disk sdb is gone")
	w.expect(`modelwatch_log_new_error_lines{service="shop",template="level=error disk sdb is gone"} 1`)
	w.now = w.now.Add(16 * time.Minute)
	w.log("shop")
	w.expect()
	// A service that nobody names is left out.
	w.log("", "level=error nobody")
	w.now = w.now.Add(time.Hour)
	w.log("", "level=error nobody else at all here")
	w.expect()
}

func TestBounds(t *testing.T) {
	w := newWorld(t)
	w.log("shop", "hello")
	w.now = w.now.Add(time.Hour)
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("level=error %s", strings.Repeat("abcdefghij"[i%10:i%10+1]+" ", 2+i/10)))
	}
	w.log("shop", lines...)
	require.Equal(t, maxShown, testutil.CollectAndCount(w.w))
	for i := range maxServices + 10 {
		w.log(fmt.Sprintf("s%d", i))
	}
	require.Len(t, w.w.services, maxServices)
}

func TestBrokenMemoryIsLearntAnew(t *testing.T) {
	w := newWorld(t)
	w.kept[document] = []byte("{")
	w.restart()
	w.log("shop", "level=error a")
	require.Contains(t, string(w.kept[document]), "level=error a")
}
