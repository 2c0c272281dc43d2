package logql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
	"github.com/modelwatch/modelwatch/query/logql"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endless is a store that never ends, and that counts what it lends.
type endless struct {
	lent   atomic.Int64
	closed atomic.Int64
	fail   error // after some batches
	lines  func(i int) string
}

func (s *endless) Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error) {
	return &endlessCursor{endless: s, ctx: ctx, sel: sel}, nil
}

type endlessCursor struct {
	*endless
	ctx context.Context
	sel logs.Selection
	n   int
}

func (c *endlessCursor) Next() (*logs.Batch, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, fmt.Errorf("interrupted: %w", err)
	}
	if c.fail != nil && c.n == 5 {
		return nil, c.fail
	}
	c.n++
	c.lent.Add(1)
	b := &logs.Batch{Streams: []labels.Labels{labels.FromStrings("job", "x")}, Free: func() { c.lent.Add(-1) }}
	for i := range 100 {
		b.Stream = append(b.Stream, 0)
		b.Timestamps = append(b.Timestamps, c.sel.Start+int64(i))
		b.Lines = append(b.Lines, c.lines(c.n*100+i))
	}
	return b, nil
}

func (c *endlessCursor) Stats() logs.Stats { return logs.Stats{Lines: int64(c.n * 100)} }

func (c *endlessCursor) Close() error {
	if c.lent.Load() != 0 {
		return errors.New("closed with batches out")
	}
	c.closed.Add(1)
	return nil
}

func ask(ctx context.Context, e *logql.Engine, query string) (*logql.Result, error) {
	start := time.Unix(1_700_000_000, 0)
	return e.Range(ctx, logql.Query{Text: query, Start: start, End: start.Add(time.Hour), Step: time.Minute})
}

func TestCancel(t *testing.T) {
	for _, query := range []string{`{job="x"} |= ip("10.0.0.1")`, `sum(count_over_time({job="x"}[1m]))`} {
		store := &endless{lines: func(int) string { return "line" }}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 30*time.Millisecond, errors.New("the client has gone"))
		begin := time.Now()
		_, err := ask(ctx, logql.New(store, logql.Options{Workers: 3}), query)
		cancel()
		require.EqualError(t, err, "the client has gone", query)
		require.False(t, logql.IsUserError(err))
		require.Less(t, time.Since(begin), 5*time.Second)
		require.EqualValues(t, 1, store.closed.Load())
		require.Zero(t, store.lent.Load())
	}
}

func TestStoreFails(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, query := range []string{`{job="x"} |= ip("10.0.0.1")`, `sum(count_over_time({job="x"}[1m]))`} {
		store := &endless{lines: func(int) string { return "line" }, fail: broken}
		_, err := ask(t.Context(), logql.New(store, logql.Options{Workers: 3}), query)
		require.ErrorIs(t, err, broken)
		require.False(t, logql.IsUserError(err))
		require.EqualValues(t, 1, store.closed.Load())
	}
}

func TestLimits(t *testing.T) {
	numbered := func(i int) string { return fmt.Sprintf("id=%d v=1", i) }
	for name, c := range map[string]struct {
		opts  logql.Options
		query string
		want  string
	}{
		"series while working": {logql.Options{MaxWorkSeries: 1000}, `count(count_over_time({job="x"} | logfmt [1m]))`, "more than 1000 series"},
		"memory of series":     {logql.Options{MaxBytes: 1 << 20}, `count(count_over_time({job="x"} | logfmt [1m]))`, "more than 1 MiB"},
		"memory of values":     {logql.Options{MaxBytes: 1 << 20}, `quantile_over_time(0.5, {job="x"} | logfmt | unwrap v [1m]) by (job)`, "more than 1 MiB"},
		"memory of lines":      {logql.Options{MaxBytes: 1 << 20, MaxEntries: 1 << 30}, `{job="x"} | logfmt`, "more than 1 MiB"},
		"a failing pipeline":   {logql.Options{}, `sum by (a) (count_over_time({job="x"} | json [1m]))`, "JSONParserErr"},
	} {
		t.Run(name, func(t *testing.T) {
			store := &endless{lines: numbered}
			start := time.Unix(1_700_000_000, 0)
			_, err := logql.New(store, c.opts).Range(t.Context(), logql.Query{Text: c.query, Start: start, End: start.Add(time.Hour), Step: time.Minute, Limit: c.opts.MaxEntries})
			require.ErrorContains(t, err, c.want)
			require.True(t, logql.IsUserError(err), "%T", err)
			require.EqualValues(t, 1, store.closed.Load())
		})
	}
}

// An error counts although another worker has come to the end before.
func TestLateError(t *testing.T) {
	store := memory.New()
	s := logs.Stream{Labels: labels.FromStrings("job", "x")}
	for i := range int64(200) {
		s.Entries = append(s.Entries, logs.Entry{Timestamp: 1_700_000_000e9 + i, Line: `{"a": 1}`})
	}
	s.Entries[199].Line = "broken"
	require.NoError(t, store.Append(t.Context(), []logs.Stream{s}))
	type selectOnly struct{ logql.Store }
	engine := logql.New(selectOnly{store}, logql.Options{Workers: 4})
	for range 200 {
		_, err := ask(t.Context(), engine, `sum by (a) (count_over_time({job="x"} | json [1m]))`)
		require.ErrorContains(t, err, "JSONParserErr")
	}
}

// A batch's strings may be overwritten once it is released.
func TestBorrowedMemory(t *testing.T) {
	for _, query := range []string{
		`{job="x"} | json`, `{job="x"} | logfmt | line_format "{{.a}}-{{ .b | upper }}"`, `{job="x"} | label_format c="{{ __line__ }}"`,
	} {
		store := &scribble{n: 40}
		res, err := ask(t.Context(), logql.New(store, logql.Options{}), query)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(res.Streams), "!", query)
	}
	for _, query := range []string{
		`sum by (a) (count_over_time({job="x"} | json | __error__="" [1m]))`, `count_over_time({job="x"} | logfmt [1m])`,
		`sum by (c) (count_over_time({job="x"} | logfmt | label_format c="{{.a}}/{{.b}}" [1m]))`,
	} {
		res, err := ask(t.Context(), logql.New(&scribble{n: 40}, logql.Options{Workers: 1}), query)
		require.NoError(t, err)
		require.NotEmpty(t, res.Matrix, query)
		require.NotContains(t, fmt.Sprint(res.Matrix), "!", query)
	}
}

// scribble gives lines out of one buffer, which it fills with something else on release.
type scribble struct {
	n int
}

func (s *scribble) Select(_ context.Context, sel logs.Selection) (logs.Cursor, error) {
	return &scribbleCursor{sel: sel, n: s.n}, nil
}

type scribbleCursor struct {
	sel logs.Selection
	n   int
}

func (c *scribbleCursor) Next() (*logs.Batch, error) {
	if c.n == 0 {
		return nil, io.EOF
	}
	c.n--
	text := fmt.Sprintf(`{"a":"x%d","b":"y"}`, c.n%3)
	if c.n%2 == 0 {
		text = fmt.Sprintf("a=x%d b=y", c.n%3)
	}
	buf := []byte(text)
	return &logs.Batch{
		Streams: []labels.Labels{labels.FromStrings("job", "x")}, Stream: []uint32{0}, Timestamps: []int64{c.sel.Start + 1}, Lines: []string{unsafeString(buf)},
		Free: func() {
			for i := range buf {
				buf[i] = '!'
			}
		},
	}, nil
}

func (c *scribbleCursor) Stats() logs.Stats { return logs.Stats{} }
func (c *scribbleCursor) Close() error      { return nil }

func TestStats(t *testing.T) {
	store := goldenStore(t)
	start := time.Unix(goldenBase, 0)
	engine := logql.New(store, logql.Options{})
	res, err := engine.Range(t.Context(), logql.Query{Text: `{job="ai"} | json | level="error"`, Start: start, End: start.Add(30 * time.Minute), Limit: 10})
	require.NoError(t, err)
	require.EqualValues(t, 10, res.Stats.Returned)
	require.Equal(t, 1, res.Stats.Scans)
	require.EqualValues(t, 800, res.Stats.Store.Lines)
	require.Positive(t, res.Stats.Store.Bytes)
	require.Positive(t, res.Stats.Duration)

	res, err = engine.Instant(t.Context(), `sum by (level) (count_over_time({fmt="json"} | json [30m]))`, start.Add(30*time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, res.Stats.Counted, "the store can count this")
	require.Equal(t, 3, res.Stats.Series)
}

func TestDetect(t *testing.T) {
	store := goldenStore(t)
	start := time.Unix(goldenBase, 0)
	engine := logql.New(store, logql.Options{})
	q := func(text string) logql.Query {
		return logql.Query{Text: text, Start: start, End: start.Add(30 * time.Minute)}
	}
	fields := func(text string) string {
		fs, err := engine.DetectedFields(t.Context(), q(text), 0)
		require.NoError(t, err)
		var out []string
		for _, f := range fs {
			out = append(out, fmt.Sprintf("%s %s %d %v %v", f.Label, f.Type, f.Cardinality, f.Parsers, f.JSONPath))
		}
		return strings.Join(out, "\n")
	}
	require.Equal(t, `latency_ms float 396 [json] [latency_ms]
level string 3 [json] [level]
msg string 2 [json] [msg]
ok boolean 2 [json] [ok]
path string 4 [json] [path]
req_id int 400 [json] [req id]
req_size bytes 329 [json] [req size]
status int 3 [json] [status]
user string 4 [json] [user]`, fields(`{fmt="json"}`))
	require.Contains(t, fields(`{fmt="logfmt"}`), "dur duration 398 [logfmt] []")
	require.Contains(t, fields(`{fmt="plain"}`), "score int 5 [] []")
	require.Contains(t, fields(`{fmt="json"} | json level, status`), "level string 3 [json] []")

	values, err := engine.DetectedFieldValues(t.Context(), q(`{fmt="json"}`), "level", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"error", "info"}, values)
	values, err = engine.DetectedFieldValues(t.Context(), q(`{fmt="json"}`), "nosuch", 0)
	require.NoError(t, err)
	require.Empty(t, values)
	_, err = engine.DetectedFields(t.Context(), q(`rate({fmt="json"}[1m])`), 0)
	require.ErrorContains(t, err, "log query")

	require.Equal(t, []logql.DetectedLabel{{Label: "job", Cardinality: 2}, {Label: "pod", Cardinality: 1}}, logql.DetectLabels([]labels.Labels{
		labels.FromStrings("job", "a", "id", "123", "pod", "7"), labels.FromStrings("job", "b", "id", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
	}))
}

func TestFilter(t *testing.T) {
	f, err := logql.NewFilter(`{job="x"} |= "k" | logfmt | level="error" | line_format "{{.msg}}"`)
	require.NoError(t, err)
	stream := labels.FromStrings("job", "x")
	require.True(t, f.Matches(stream))
	require.False(t, f.Matches(labels.FromStrings("job", "y")))
	_, _, ok := f.Process(stream, logs.Entry{Line: "level=info msg=k"})
	require.False(t, ok)
	ls, e, ok := f.Process(stream, logs.Entry{Timestamp: 5, Line: "level=error msg=k", Metadata: labels.FromStrings("trace", "t")})
	require.True(t, ok)
	require.Equal(t, `{job="x", level="error", msg="k", trace="t"}`, ls.String())
	require.Equal(t, logql.Entry{Timestamp: 5, Line: "k", Metadata: labels.FromStrings("trace", "t"), Parsed: labels.FromStrings("level", "error", "msg", "k")}, e)
	_, err = logql.NewFilter(`rate({job="x"}[1m])`)
	require.ErrorContains(t, err, "metric query")
}

func TestDefaultStep(t *testing.T) {
	start := time.Unix(0, 0)
	require.Equal(t, time.Second, logql.DefaultStep(start, start.Add(time.Minute)))
	require.Equal(t, 14*time.Second, logql.DefaultStep(start, start.Add(time.Hour)))
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{
		`{a="b"} | json | x > 5 or y="z" | line_format "{{.x}}"`, `{a="b"} | logfmt --strict | label_format a=b | drop c, d="e"`,
		`{a="b"} | pattern "<x> <_>" |> "<_>a<_>" | decolorize`, `{a="b"} | regexp "(?P<x>.*)" | unpack | keep x`,
		`{a="b"} |~ "(?i)s.*k" != ip("1.2.3.4/8") | json a="b[0].c"`, `sum by (x) (rate({a="b"} | json | unwrap duration(x) [5m])) > 2`,
		`topk(1, quantile_over_time(0.5, {a="b"} | logfmt | unwrap x [5m]) without (y)) or vector(1)`,
	} {
		f.Add(q, `{"x": 1, "b": [{"c": 2}], "y": "z"}`)
		f.Add(q, "x=5s b=\"q\\\"\" \x1b[31m 1.2.3.4 \xff")
	}
	f.Fuzz(func(t *testing.T, query, line string) {
		store := memory.New()
		_ = store.Append(t.Context(), []logs.Stream{{Labels: labels.FromStrings("a", "b"), Entries: []logs.Entry{
			{Timestamp: 1e9, Line: line, Metadata: labels.FromStrings("m", "1")}, {Timestamp: 2e9, Line: line},
		}}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		engine := logql.New(store, logql.Options{MaxPoints: 10, MaxBytes: 1 << 20})
		// Whatever comes of it, it must come, and be an answer or an error.
		res, err := engine.Range(ctx, logql.Query{Text: query, Start: time.Unix(0, 0), End: time.Unix(5, 0), Step: time.Second})
		require.NotEqual(t, (res == nil), (err == nil))
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		if err == nil {
			_, err = engine.Explain(query)
			require.NoError(t, err)
		}
	})
}
