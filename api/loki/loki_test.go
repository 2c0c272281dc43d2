package loki

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// queries answers everything in the same way.
type queries struct {
	result *Result
	err    error
	metric bool
	wait   bool
	asked  Query
}

func (q *queries) Range(ctx context.Context, a Query) (*Result, error) {
	q.asked = a
	if q.wait {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return q.result, q.err
}

func (q *queries) Instant(context.Context, string, time.Time) (*Result, error) {
	return q.result, q.err
}

func (q *queries) Parse(text string) (*Parsed, error) {
	return &Parsed{Metric: q.metric, Pretty: text, Simple: true, Run: func() func(labels.Labels, logs.Entry) (labels.Labels, string, bool) {
		return func(ls labels.Labels, e logs.Entry) (labels.Labels, string, bool) { return ls, e.Line, true }
	}}, nil
}

func (q *queries) Selector(string) ([]*labels.Matcher, error)                  { return nil, nil }
func (q *queries) DetectedFields(context.Context, Query, int) ([]Field, error) { return nil, q.err }
func (q *queries) DetectedFieldValues(context.Context, Query, string, int) ([]string, error) {
	return nil, q.err
}

// plainStore can do no more than it must.
type plainStore struct{ volumes []logs.Volume }

func (plainStore) Select(context.Context, logs.Selection) (logs.Cursor, error) { return nil, io.EOF }

func (plainStore) Series(context.Context, [][]*labels.Matcher, int64, int64) ([]labels.Labels, error) {
	return nil, nil
}

func (s plainStore) Volume(context.Context, logs.VolumeRequest) ([]logs.Volume, error) {
	return s.volumes, nil
}

// followed is a store that can be followed.
type followed struct {
	plainStore
	commits chan []logs.Stream
}

func (f *followed) Follow(int) (<-chan []logs.Stream, func()) { return f.commits, func() {} }

func serve(t *testing.T, o Options) (*API, string) {
	t.Helper()
	a, err := New(o)
	require.NoError(t, err)
	mux := http.NewServeMux()
	a.Register(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return a, s.URL
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func TestErrors(t *testing.T) {
	q := &queries{}
	_, url := serve(t, Options{Queries: q, Store: plainStore{}, Timeout: 30 * time.Millisecond})
	for _, c := range []struct {
		err    error
		status int
		text   string
	}{
		{errors.New("disk"), 500, "disk"},
		{fmt.Errorf("wrapped: %w", bad(errors.New("your fault"))), 400, "wrapped: your fault"},
		{statusError{422, errors.New("too big")}, 422, "too big"},
		{context.DeadlineExceeded, 504, "query took longer than 30ms: narrow the time range or the selector, or raise the timeout"},
	} {
		q.err = c.err
		status, text := get(t, url+"/loki/api/v1/query_range?query=x")
		require.Equal(t, c.status, status)
		require.Equal(t, c.text, text)
	}
	q.wait = true
	status, _ := get(t, url+"/loki/api/v1/query_range?query=x")
	require.Equal(t, 504, status)
	// What the store cannot do.
	for _, path := range []string{"/patterns?query=x", "/tail?query=x", "/delete"} {
		status, _ := get(t, url+"/loki/api/v1"+path)
		require.Equal(t, 501, status, path)
	}
}

func TestStatsWithoutSizer(t *testing.T) {
	_, url := serve(t, Options{Queries: &queries{}, Store: plainStore{[]logs.Volume{{Bytes: 7, Buckets: []logs.Bucket{{Entries: 2}}}, {Bytes: 1, Buckets: []logs.Bucket{{Entries: 1}}}}}})
	status, text := get(t, url+"/loki/api/v1/index/stats?query=x")
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"streams":2,"chunks":2,"entries":3,"bytes":8}`, text)
}

func TestQueryParameters(t *testing.T) {
	q := &queries{result: &Result{Type: "streams"}}
	now := time.Unix(1_800_000_000, 0)
	_, url := serve(t, Options{Queries: q, Store: plainStore{}, Now: func() time.Time { return now }})
	for params, want := range map[string]string{
		"":                                 "from -1h0m0s to 0s step 14s interval 0s limit 100 backward",
		"&since=10m":                       "from -10m0s to 0s step 2s interval 0s limit 100 backward",
		"&start=1799999990&end=1800000005": "from -10s to 5s step 1s interval 0s limit 100 backward",
		"&start=1799999990.5&step=0.5&interval=1m":             "from -9.5s to 0s step 500ms interval 1m0s limit 100 backward",
		"&start=1799999990000000000&limit=7&direction=FORWARD": "from -10s to 0s step 1s interval 0s limit 7 forward",
		"&start=2027-01-15T07:59:00Z&step=15s":                 "from -1m0s to 0s step 15s interval 0s limit 100 backward",
	} {
		status, text := get(t, url+"/loki/api/v1/query_range?query=x"+params)
		require.Equal(t, 200, status, text)
		direction := "backward"
		if q.asked.Forward {
			direction = "forward"
		}
		a := q.asked
		require.Equal(t, want, fmt.Sprintf("from %s to %s step %s interval %s limit %d %s", a.Start.Sub(now), a.End.Sub(now), a.Step, a.Interval, a.Limit, direction), params)
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1e9, "1700000000": 1_700_000_000e9, "1700000000.123": 1_700_000_000_123e6, "1700000000123456789": 1_700_000_000_123_456_789,
		"2023-11-14T22:13:20.5Z": 1_700_000_000_500e6, "-5": -5e9,
	} {
		got, err := parseTime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UnixNano(), text)
	}
	for _, text := range []string{"", "x", "NaN", "Inf", "2023"[:0]} {
		_, err := parseTime(text)
		require.Error(t, err, text)
	}
}

// TestTailEnds ends live tails of clients that are too slow and when the server stops.
func TestTailEnds(t *testing.T) {
	store := &followed{commits: make(chan []logs.Stream, 1)}
	a, url := serve(t, Options{Queries: &queries{result: &Result{Type: "streams"}}, Store: store})
	dial := func() *websocket.Conn {
		c, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/loki/api/v1/tail?query=x&delay_for=1", nil)
		require.NoError(t, err)
		return c
	}
	c := dial()
	store.commits <- []logs.Stream{{Labels: labels.FromStrings("a", "b"), Entries: []logs.Entry{{Timestamp: 2, Line: "two"}, {Timestamp: 1, Line: "one"}}}}
	_, text, err := c.Read(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"streams":[{"stream":{"a":"b"},"values":[["1","one"],["2","two"]]}]}`, string(text), "lines that were kept back are in order")
	close(store.commits) // The store cuts off who is too slow.
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusPolicyViolation, websocket.CloseStatus(err))
	store.commits = make(chan []logs.Stream)
	c = dial()
	time.AfterFunc(50*time.Millisecond, a.Close)
	_, _, err = c.Read(t.Context())
	require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	status, _ := get(t, url+"/loki/api/v1/tail?query=x&delay_for=6")
	require.Equal(t, 400, status)
}

func FuzzEncodeText(f *testing.F) {
	f.Add("a\"\\\n\x00\xff\u2028é🙂")
	f.Fuzz(func(t *testing.T, s string) {
		e := &encoder{}
		e.text(s)
		var got string
		require.NoError(t, json.Unmarshal(e.b, &got))
		var want strings.Builder
		for _, r := range s {
			want.WriteRune(r)
		}
		require.Equal(t, want.String(), got)
	})
}

func FuzzParameters(f *testing.F) {
	f.Add("1700000000.5")
	f.Add("1h30m")
	f.Fuzz(func(_ *testing.T, s string) {
		_, _ = parseTime(s)
		_, _ = parseDuration(s)
	})
}
