package inferences

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var arrival = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// memory is a sink that keeps what it gets.
type memory struct {
	mu      sync.Mutex
	batches []Batch
	records []string
	labels  []ai.Label
	seen    map[string]bool
	err     error
	block   chan struct{}
}

func (m *memory) Append(_ context.Context, b Batch) (bool, error) {
	if m.block != nil {
		<-m.block
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	defer b.Release()
	if m.err != nil {
		return false, m.err
	}
	if b.ID != "" && m.seen[b.ID] {
		return true, nil
	}
	if m.seen == nil {
		m.seen = map[string]bool{}
	}
	m.seen[b.ID] = true
	for i := range b.Records {
		if err := b.Records[i].Validate(); err != nil {
			return false, fmt.Errorf("record %d got through: %w", i, err)
		}
		text, err := json.Marshal(b.Records[i])
		if err != nil {
			return false, err
		}
		m.records = append(m.records, string(text))
	}
	m.labels = append(m.labels, b.Labels...)
	m.batches = append(m.batches, b)
	return false, nil
}

func receiver(t *testing.T, sink Sink, change func(*Options)) *Receiver {
	t.Helper()
	o := Options{Sink: sink, Now: func() time.Time { return arrival }, Registerer: prometheus.NewPedanticRegistry()}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	require.NoError(t, err)
	return r
}

func post(t *testing.T, r http.Handler, path, contentType string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	q := httptest.NewRequest(http.MethodPost, path, body)
	if contentType != "" {
		q.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, q)
	return w
}

const full = `{"service":"shop","model":"ranker","model_version":"v1","endpoint":"/rank","timestamp":"2026-03-01T11:59:00.25Z",
"request_id":"r1","duration_seconds":0.25,"status_code":200,"error":"slow","features":{"age":41,"país":"DE","ok":true,"none":null,"emb":[1,2.5,-3e2]},
"prediction":"click","probabilities":{"click":0.75,"skip":0.25},"tokens":{"input":3,"output":4},"time_to_first_token_seconds":0.01,"tags":{"a":"b"},"unknown":{"x":[1,{}]}}`

func TestAnswers(t *testing.T) {
	line := strings.ReplaceAll(full, "\n", "")
	for _, c := range []struct {
		name, kind, body string
		status           int
		answer           string // What the answer is, or has in it.
	}{
		{"one line", "application/x-ndjson", line, 202, `{"accepted":1,"rejected":[]}`},
		{
			"lines of every kind", "application/x-ndjson", line + "\r\n\n" + `{"model":"m"}` + "\n" + `nonsense` + "\n" + `{"service":"x"}` + "\n" + `[1]` + "\n", 202,
			`{"accepted":2,"rejected":[{"index":2,"error":"'n' where a value should come at byte 0"},{"index":3,"error":"model: is required"},{"index":4,"error":"record is not an object: want {\"model\": …}"}]}`,
		},
		{"two records in a line", "application/jsonl", `{"model":"m"}{"model":"m"}` + "\n" + `{"model":"m"}`, 202, `"accepted":1,"rejected":[{"index":0,"error":"'{' where the end of the line should come`},
		{"no JSON", "application/x-ndjson", "\n<html>\n</html>", 400, "nothing could be read: line 2: '<' where a value should come at byte 0"},
		{"NaN", "application/x-ndjson", `{"model":"m"}` + "\n" + `{"model":"m","features":{"a":NaN}}` + "\n" + `{"model":"m","features":{"a":-Infinity}}`, 202, `{"accepted":1,"rejected":[{"index":1,"error":"NaN (which JSON does not have: send null) where a value should come at byte 29"},{"index":2,"error":"Infinity (which JSON does not have: send null) where a digit should come at byte 30"}]}`},
		{"nothing", "application/x-ndjson", "", 400, "request is empty"},
		{"blank", "application/x-ndjson", " \n\n", 400, "request is empty"},
		{"all bad", "application/x-ndjson", `{}`, 202, `{"accepted":0,"rejected":[{"index":0,"error":"model: is required"}]}`},
		{"one document", "application/json; charset=utf-8", full, 202, `{"accepted":1,"rejected":[]}`},
		{"list", "application/json", "[" + full + `, {"model":""}, 7, {"model":"x"}]`, 202, `{"accepted":2,"rejected":[{"index":1,"error":"model: is required"},{"index":2,"error":"record is not an object`},
		{"empty list", "application/json", " [ ] ", 202, `{"accepted":0,"rejected":[]}`},
		{"broken list", "application/json", "[\n" + full + "\n,\n  {\"model\" 1}]", 400, "not JSON: '1' where ':' should come at line 6, column 12 (byte"},
		{"cut list", "application/json", "[" + full, 400, "text ends where ',' or ']' should come"},
		{"document and more", "application/json", `{"model":"m"} {"model":"m"}`, 400, "where the end (several records stand in a list"},
		{"empty document", "application/json", ` `, 400, "request is empty"},
		{"text", "text/plain", line, 415, `content type "text/plain" is not understood: send application/x-ndjson`},
		{"no type", "", line, 415, "send application/x-ndjson (one record a line), application/json (a list or one record) or application/vnd.apache.arrow.stream"},
		{"arrow that is none", "application/vnd.apache.arrow.stream", "ARROW1", 400, "not an Arrow stream"},
		{"future", "application/x-ndjson", `{"model":"m","timestamp":1900000000}`, 202, `timestamp: 2030-03-17T17:46:40Z is more than 10m0s in the future`},
		{"milliseconds", "application/x-ndjson", `{"model":"m","timestamp":1772366400000}`, 202, `give Unix times in seconds`},
		{"old", "application/x-ndjson", `{"model":"m","timestamp":"2026-02-01T00:00:00Z"}`, 202, `is older than the retention of 360h0m0s`},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink := &memory{}
			w := post(t, receiver(t, sink, nil), "/ai/v1/inferences", c.kind, strings.NewReader(c.body))
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Contains(t, strings.TrimSpace(w.Body.String()), c.answer)
			if c.status != 202 {
				require.Empty(t, sink.records)
			}
		})
	}
}

func TestFields(t *testing.T) {
	sink := &memory{}
	r := receiver(t, sink, nil)
	w := post(t, r, "/ai/v1/inferences", "application/json", strings.NewReader("["+full+`,{"model":"m","service":null,"features":{},"timestamp":1772366300.123456789,"prediction":["a","b"]}]`))
	require.Equal(t, 202, w.Code, w.Body.String())
	require.Contains(t, w.Body.String(), `"accepted":2`)
	require.JSONEq(t, `{"Service":"shop","Model":"ranker","ModelVersion":"v1","Endpoint":"/rank","Timestamp":"2026-03-01T11:59:00.25Z","RequestID":"r1",
"DurationSeconds":0.25,"StatusCode":200,"Error":"slow","Features":[{"name":"age","value":41},{"name":"país","value":"DE"},{"name":"ok","value":true},
{"name":"none","value":null},{"name":"emb","value":[1,2.5,-300]}],"Prediction":"click","Probabilities":[{"class":"click","p":0.75},{"class":"skip","p":0.25}],
"Tokens":{"input":3,"output":4},"TimeToFirstTokenSeconds":0.01,"Tags":{"a":"b"}}`, sink.records[0])
	require.Contains(t, sink.records[1], `"Service":"default","Model":"m"`)
	require.Contains(t, sink.records[1], `"Timestamp":"2026-03-01T11:58:20.123456789Z"`)
	require.Contains(t, sink.records[1], `"Prediction":"[\"a\",\"b\"]"`, "a list of texts counts as its text")
}

func TestBadFields(t *testing.T) {
	long := strings.Repeat("x", 257)
	for _, c := range []struct{ field, want string }{
		{`"service":1`, "service: is not a string"},
		{`"model_version":"` + long + `"`, "model_version: 257 bytes long, the limit is 256"},
		{`"endpoint":"a\u0000"`, "endpoint: holds a zero byte"},
		{"\"endpoint\":\"\xff\"", "endpoint: is not valid UTF-8"},
		{`"timestamp":"yesterday"`, `timestamp: "yesterday" is not RFC 3339, such as 2006-01-02T15:04:05.999Z`},
		{`"timestamp":true`, "timestamp: is not an RFC 3339 text or a number of Unix seconds"},
		{`"timestamp":1e300`, "timestamp: 1e+300 is not a time in Unix seconds"},
		{`"duration_seconds":"1"`, "duration_seconds: is not a number"},
		{`"duration_seconds":-1`, "duration_seconds: -1 is negative"},
		{`"duration_seconds":1e9`, "give seconds, not milliseconds"},
		{`"status_code":20.5`, "status_code: 20.5 is not an HTTP status (100 to 999)"},
		{`"error":{}`, "error: is not a string"},
		{`"features":[1]`, "features: is not an object"},
		{`"features":{"a":1,"a":2}`, "features.a: is given twice"},
		{`"features":{"":1}`, "a feature has an empty name"},
		{`"features":{"@prediction":1}`, "names that start with '@' are kept for predictions"},
		{`"features":{"a":{"b":1}}`, "features.a: is not a number, a string, a boolean, null or a list of numbers"},
		{`"features":{"a":[1,"b"]}`, "features.a: element 1 of the list is not a number"},
		{`"features":{"a":1e999}`, "features.a: is out of range"},
		{`"probabilities":{"a":1.5}`, "probabilities.a: 1.5 is not a probability (0 to 1)"},
		{`"probabilities":{"a":0.5,"a":0.5}`, "probabilities.a: is given twice"},
		{`"probabilities":{"a":"x"}`, "probabilities.a: is not a number"},
		{`"tokens":7`, "tokens: is not an object"},
		{`"tokens":{"input":-1}`, "tokens.input: -1 is not a count"},
		{`"tokens":{"output":"1"}`, "tokens.output: is not a number"},
		{`"tags":{"a":1}`, "tags.a: is not a string"},
		{`"tags":"a"`, "tags: is not an object of strings"},
		{`"prediction":{}`, "prediction: is not a number, a string, a boolean or a list"},
		{`"model":"n"`, "model: is given twice"},
	} {
		sink := &memory{}
		body := `{"model":"m",` + c.field + `,"more":[{"x":1}]}` + "\n" + `{"model":"good"}`
		w := post(t, receiver(t, sink, nil), "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(body))
		require.Equal(t, 202, w.Code)
		var answer struct {
			Accepted int
			Rejected []rejection
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		require.Len(t, answer.Rejected, 1, c.field)
		require.Contains(t, answer.Rejected[0].Error, c.want)
		require.Equal(t, 1, answer.Accepted, "the next record is good")
	}
}

func TestLabels(t *testing.T) {
	sink := &memory{}
	r := receiver(t, sink, nil)
	w := post(t, r, "/ai/v1/labels", "application/x-ndjson", strings.NewReader(
		`{"request_id":"a","label":"cat","timestamp":"2026-03-01T11:00:00+01:00"}
{"request_id":"b","label":1.5,"model":"ignored"}
{"request_id":"c","label":null}
{"label":true}
{"request_id":"d","label":{}}
`))
	require.Equal(t, 202, w.Code)
	require.JSONEq(t, `{"accepted":2,"rejected":[{"index":2,"error":"label: is required"},{"index":3,"error":"request_id: is required"},
{"index":4,"error":"label: is not a number, a string, a boolean or a list"}]}`, w.Body.String())
	require.Equal(t, time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC), sink.labels[0].Timestamp)
	require.Equal(t, arrival, sink.labels[1].Timestamp)
	require.True(t, sink.labels[1].Label.Equal(ai.Number(1.5)))
	w = post(t, r, "/ai/v1/labels", "application/vnd.apache.arrow.stream", strings.NewReader(""))
	require.Equal(t, 415, w.Code)
}

func TestCompression(t *testing.T) {
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write([]byte(`{"model":"m"}`))
	require.NoError(t, g.Close())
	z, err := zstd.NewWriter(&zs)
	require.NoError(t, err)
	_, _ = z.Write([]byte(`{"model":"m"}`))
	require.NoError(t, z.Close())
	r := receiver(t, &memory{}, nil)
	for _, c := range []struct {
		encoding string
		body     []byte
		status   int
		want     string
	}{
		{"gzip", gz.Bytes(), 202, `"accepted":1`},
		{"zstd", zs.Bytes(), 202, `"accepted":1`},
		{"identity", []byte(`{"model":"m"}`), 202, `"accepted":1`},
		{"br", nil, 415, `content encoding "br" is not understood: send gzip, zstd or plain`},
		{"gzip", []byte(`{"model":"m"}`), 400, "request is not gzip"},
		{"zstd", []byte(`{"model":"m"}`), 400, "request is not zstd"},
		{"gzip", gz.Bytes()[:gz.Len()-9], 400, "not read to its end"},
	} {
		w := post(t, r, "/ai/v1/inferences", "application/x-ndjson", bytes.NewReader(c.body), "Content-Encoding", c.encoding)
		require.Equal(t, c.status, w.Code, w.Body.String())
		require.Contains(t, w.Body.String(), c.want)
	}
}

func TestTooLarge(t *testing.T) {
	sink := &memory{}
	r := receiver(t, sink, func(o *Options) { o.MaxBody = 1 << 10 })
	body := []byte(strings.Repeat(`{"model":"m"}`+"\n", 1000))
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	_, _ = g.Write(body)
	require.NoError(t, g.Close())
	require.Less(t, gz.Len(), 1<<10)
	for _, w := range []*httptest.ResponseRecorder{
		post(t, r, "/ai/v1/inferences", "application/x-ndjson", bytes.NewReader(body)),
		post(t, r, "/ai/v1/inferences", "application/x-ndjson", struct{ io.Reader }{bytes.NewReader(body)}),
		post(t, r, "/ai/v1/inferences", "application/x-ndjson", &gz, "Content-Encoding", "gzip"),
	} {
		require.Equal(t, 413, w.Code)
		require.Contains(t, w.Body.String(), "1024 bytes")
	}
	require.Empty(t, sink.records, "nothing of a request that is refused is kept")
	require.Zero(t, r.flight.held())
}

func TestOverload(t *testing.T) {
	sink := &memory{block: make(chan struct{})}
	r := receiver(t, sink, func(o *Options) { o.MaxBody, o.MaxInFlight, o.MaxWait = 64<<10, 64<<10, 10*time.Millisecond })
	done := make(chan int)
	body := strings.Repeat(" ", 40<<10) + `{"model":"m"}`
	go func() { done <- post(t, r, "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(body)).Code }()
	require.Eventually(t, func() bool { return r.flight.held() > 0 }, 5*time.Second, time.Millisecond)
	w := post(t, r, "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(body))
	require.Equal(t, 429, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	close(sink.block)
	require.Equal(t, 202, <-done)
	require.Zero(t, r.flight.held())
}

// Who finds no room waits for it with the body unread.
func TestOverloadWaits(t *testing.T) {
	sink := &memory{block: make(chan struct{})}
	r := receiver(t, sink, func(o *Options) { o.MaxBody, o.MaxInFlight, o.MaxWait = 64<<10, 64<<10, time.Minute })
	body := strings.Repeat(" ", 40<<10) + `{"model":"m"}`
	done := make(chan int, 2)
	go func() { done <- post(t, r, "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(body)).Code }()
	require.Eventually(t, func() bool { return r.flight.held() > 0 }, 5*time.Second, time.Millisecond)
	held := r.flight.held()
	second, writer := io.Pipe()
	read := make(chan struct{})
	go func() {
		_, _ = writer.Write([]byte(body)) // Returns when it was read, or the reader is gone.
		close(read)
		_ = writer.Close()
	}()
	q := httptest.NewRequest(http.MethodPost, "/ai/v1/inferences", second)
	q.Header.Set("Content-Type", "application/x-ndjson")
	q.ContentLength = int64(len(body))
	go func() {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		done <- w.Code
	}()
	select {
	case <-read:
		t.Fatal("read before there was room")
	case <-time.After(50 * time.Millisecond):
	}
	require.Equal(t, held, r.flight.held())
	close(sink.block)
	require.Equal(t, 202, <-done)
	require.Equal(t, 202, <-done)
	require.Zero(t, r.flight.held())
}

// slow is a sink that takes batches only once it may.
type slow struct {
	has atomic.Int64
	may chan struct{}
}

func (s *slow) Append(_ context.Context, b Batch) (bool, error) {
	s.has.Add(1)
	<-s.may
	b.Release()
	return false, nil
}

// What is decoded does not pile up before a slow sink, and does not keep others from it.
func TestSlowSink(t *testing.T) {
	sink := &slow{may: make(chan struct{})}
	r := receiver(t, sink, func(o *Options) { o.ChunkRecords = 10 })
	large := cap(r.slots)
	done := make(chan int, large+1)
	send := func(records int) {
		body := strings.Repeat(`{"model":"m"}`+"\n", records)
		done <- post(t, r, "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(body)).Code
	}
	for range large {
		go send(95)
	}
	has := func(n int) func() bool { return func() bool { return sink.has.Load() == int64(n) } }
	require.Eventually(t, has(large*chunksAtOnce), 5*time.Second, time.Millisecond)
	go send(1)
	require.Eventually(t, has(large*chunksAtOnce+1), 5*time.Second, time.Millisecond)
	require.Never(t, func() bool { return sink.has.Load() > int64(large*chunksAtOnce+1) }, 50*time.Millisecond, 5*time.Millisecond)
	close(sink.may)
	for range large + 1 {
		require.Equal(t, 202, <-done)
	}
	require.Equal(t, int64(large*10+1), sink.has.Load())
	require.Empty(t, r.slots)
}

type refusal struct{ error }

func (refusal) StatusCode() int           { return 503 }
func (refusal) RetryAfter() time.Duration { return 4500 * time.Millisecond }

func TestSinkRefuses(t *testing.T) {
	sink := &memory{err: refusal{errors.New("disk full: 3 MiB are left")}}
	w := post(t, receiver(t, sink, nil), "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(`{"model":"m"}`))
	require.Equal(t, 503, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), "disk full: 3 MiB are left")
}

func TestChunksAndRepetition(t *testing.T) {
	sink := &memory{}
	r := receiver(t, sink, func(o *Options) { o.ChunkRecords = 10; o.MaxNamed = 3 })
	var b strings.Builder
	for i := range 95 {
		if i%10 == 9 {
			b.WriteString("bad\n")
			continue
		}
		fmt.Fprintf(&b, `{"model":"m","request_id":"%d"}`+"\n", i)
	}
	for range 2 {
		w := post(t, r, "/ai/v1/inferences", "application/x-ndjson", strings.NewReader(b.String()), BatchIDHeader, "batch")
		require.Equal(t, 202, w.Code)
		require.Contains(t, w.Body.String(), `{"accepted":86,"rejected":[{"index":9,`)
		require.Contains(t, w.Body.String(), `"rejected_total":9}`)
	}
	require.Len(t, sink.records, 86)
	var ids []string
	for _, b := range sink.batches {
		ids = append(ids, b.ID)
	}
	slices.Sort(ids)
	require.Equal(t, []string{"batch", "batch#1", "batch#2", "batch#3", "batch#4", "batch#5", "batch#6", "batch#7", "batch#8", "batch#9"}, ids)

	list := "[" + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(b.String(), "bad", "{}")), "\n", ",") + "]"
	sink.batches = nil
	w := post(t, r, "/ai/v1/inferences", "application/json", strings.NewReader(list), BatchIDHeader, "other")
	require.Contains(t, w.Body.String(), `{"accepted":86,"rejected":[{"index":9,`)
	require.Len(t, sink.batches, 10)

	w = post(t, r, "/ai/v1/inferences", "application/json", strings.NewReader(list), BatchIDHeader, strings.Repeat("x", 129))
	require.Equal(t, 400, w.Code)
	q := httptest.NewRequest(http.MethodGet, "/ai/v1/inferences", nil)
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, q)
	require.Equal(t, 405, rec.Code)
}

// onlyFirst stores the first chunk of a request and refuses the others.
type onlyFirst struct{ *memory }

func (o onlyFirst) Append(ctx context.Context, b Batch) (bool, error) {
	if len(b.Records) < 10 {
		b.Release()
		return false, refusal{errors.New("overloaded")}
	}
	return o.memory.Append(ctx, b)
}

// Who is refused half of a request is told what sending it again does.
func TestHalfARequest(t *testing.T) {
	r := receiver(t, onlyFirst{&memory{}}, func(o *Options) { o.ChunkRecords = 10 })
	body := strings.Repeat(`{"model":"m"}`+"\n", 15)
	for id, want := range map[string]string{
		"":   "overloaded (10 records of this request are kept already, and count twice if it is sent again: give requests a X-Modelwatch-Batch-Id, and repetitions the same)\n",
		"b7": "overloaded (10 records of this request are kept already, and count once if it is sent again with the same X-Modelwatch-Batch-Id)\n",
	} {
		q := httptest.NewRequest(http.MethodPost, "/ai/v1/inferences", strings.NewReader(body))
		q.Header.Set("Content-Type", "application/x-ndjson")
		if id != "" {
			q.Header.Set(BatchIDHeader, id)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, q)
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "5", w.Header().Get("Retry-After"))
		require.Equal(t, want, w.Body.String())
	}
}
