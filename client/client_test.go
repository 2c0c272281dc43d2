package client

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stub is a modelwatch that remembers what it was sent.
type stub struct {
	*httptest.Server
	// answer decides about a request, given its number from 1; nil accepts.
	answer func(n int, w http.ResponseWriter, r *http.Request) (done bool)

	mu       sync.Mutex
	requests []request
}

type request struct {
	path, id string
	header   http.Header
	records  []map[string]any
}

func newStub(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request) bool) *stub {
	t.Helper()
	s := &stub{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	got := request{path: r.URL.Path, id: r.Header.Get("X-Modelwatch-Batch-Id"), header: r.Header.Clone()}
	gz, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	lines := bufio.NewScanner(gz)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var record map[string]any
		if err := json.Unmarshal(lines.Bytes(), &record); err != nil {
			http.Error(w, fmt.Sprintf("%v in %s", err, lines.Text()), http.StatusBadRequest)
			return
		}
		got.records = append(got.records, record)
	}
	if lines.Err() != nil {
		http.Error(w, lines.Err().Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.requests = append(s.requests, got)
	n := len(s.requests)
	s.mu.Unlock()
	if s.answer != nil && s.answer(n, w, r) {
		return
	}
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d,"rejected":[]}`, len(got.records))
}

func (s *stub) seen() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// fast are options with which tests need not wait.
func fast(url string) Options {
	return Options{
		URL: url, Service: "shop", FlushInterval: 5 * time.Millisecond,
		MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, RetryFor: 5 * time.Second,
	}
}

func newClient(t testing.TB, opts Options) *Client {
	t.Helper()
	c, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c
}

func flush(t testing.TB, c *Client) Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := c.Flush(ctx); err != nil {
		t.Fatalf("%v; stats %+v", err, c.Stats())
	}
	s := c.Stats()
	if s.Recorded != s.Sent+s.Rejected+s.Dropped+uint64(s.Queued) {
		t.Errorf("records do not add up: %+v", s)
	}
	if s.Dropped != s.Drops.QueueFull+s.Drops.Refused+s.Drops.GaveUp+s.Drops.Closed {
		t.Errorf("drops do not add up: %+v", s)
	}
	return s
}

func TestNewRefusesBadOptions(t *testing.T) {
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{}, "Options.URL is empty"},
		{Options{URL: "127.0.0.1:9090"}, "Options.URL"},
		{Options{URL: "ftp://x"}, "want http://"},
		{Options{URL: "http://"}, "want http://"},
		{Options{URL: "http://x/?a=b"}, "with a path at most"},
		{Options{URL: "http://user:secret@x y/"}, "Options.URL"},
		{Options{URL: "http://x", BatchSize: -1}, "Options.BatchSize is -1"},
		{Options{URL: "http://x", RetryFor: -time.Second}, "Options.RetryFor is -1s"},
	} {
		c, err := New(test.opts)
		if err == nil {
			_ = c.Close(t.Context())
			t.Errorf("%+v: no error", test.opts)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: error %q, want it to say %q and no secret", test.opts, err, test.want)
		}
	}
}

func TestRecordsArriveWithEveryField(t *testing.T) {
	s := newStub(t, nil)
	opts := fast(s.URL + "/prefix/")
	opts.Token = "t0ken"
	opts.Header = http.Header{"X-Scope": {"a"}}
	c := newClient(t, opts)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	c.Record(Inference{
		Model: "ranker", ModelVersion: "v1.0", Endpoint: "/predict", Timestamp: at, RequestID: "r1",
		Duration: 1500 * time.Millisecond, StatusCode: 500, Error: "out_of_memory",
		Features:   map[string]any{"age": 34, "city": "北京", "new": true, "gone": nil, "vec": []float64{1, 2.5}},
		Prediction: "click", Probabilities: map[string]float64{"click": 0.75, "skip": 0.25},
		Tokens: Tokens{Input: 10, Output: 20}, TimeToFirstToken: 250 * time.Millisecond,
		Tags: map[string]string{"region": "eu"},
	})
	c.Label(Label{RequestID: "r1", Label: "skip", Timestamp: at.Add(time.Hour)})
	stats := flush(t, c)
	if stats.Sent != 2 || stats.Dropped != 0 {
		t.Fatalf("stats %+v", stats)
	}
	got := s.seen()
	if len(got) != 2 || got[0].path != "/prefix/ai/v1/inferences" || got[1].path != "/prefix/ai/v1/labels" {
		t.Fatalf("requests %+v", got)
	}
	h := got[0].header
	if h.Get("Authorization") != "Bearer t0ken" || h.Get("X-Scope") != "a" ||
		h.Get("Content-Type") != "application/x-ndjson" || len(got[0].id) != 32 || got[0].id == got[1].id {
		t.Errorf("headers %v", h)
	}
	equalJSON(t, got[0].records, `[{
		"service":"shop","model":"ranker","model_version":"v1.0","endpoint":"/predict",
		"timestamp":"2026-01-02T03:04:05.6Z","request_id":"r1","duration_seconds":1.5,"status_code":500,
		"error":"out_of_memory","features":{"age":34,"city":"北京","new":true,"gone":null,"vec":[1,2.5]},
		"prediction":"click","probabilities":{"click":0.75,"skip":0.25},"tokens":{"input":10,"output":20},
		"time_to_first_token_seconds":0.25,"tags":{"region":"eu"}}]`)
	equalJSON(t, got[1].records, `[{"request_id":"r1","label":"skip","timestamp":"2026-01-02T04:04:05.6Z"}]`)
}

func equalJSON(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	g, _ := json.Marshal(got)
	wb, _ := json.Marshal(w)
	if string(g) != string(wb) {
		t.Errorf("got  %s\nwant %s", g, wb)
	}
}

func TestZeroFieldsAreLeftOut(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, Options{URL: s.URL, FlushInterval: time.Millisecond})
	before := time.Now().Add(-time.Second)
	c.Record(Inference{Model: "m"})
	flush(t, c)
	record := s.seen()[0].records[0]
	at, err := time.Parse(time.RFC3339Nano, record["timestamp"].(string))
	if err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("timestamp %v, error %v", record["timestamp"], err)
	}
	delete(record, "timestamp")
	equalJSON(t, record, `{"model":"m"}`)
}

func TestBatches(t *testing.T) {
	s := newStub(t, nil)
	opts := fast(s.URL)
	opts.BatchSize = 10
	opts.FlushInterval = time.Hour
	c := newClient(t, opts)
	for i := range 35 {
		c.Record(Inference{Model: "m", RequestID: fmt.Sprint(i)})
	}
	stats := flush(t, c)
	if stats.Sent != 35 {
		t.Errorf("stats %+v", stats)
	}
	ids := map[string]bool{}
	for _, r := range s.seen() {
		ids[r.id] = true
		if len(r.records) > 10 {
			t.Errorf("batch of %d", len(r.records))
		}
	}
	if len(ids) != 4 {
		t.Errorf("%d batch identifiers, want 4", len(ids))
	}
}

func TestTheIntervalSendsWhatIsNotFull(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	c.Record(Inference{Model: "m"})
	waitFor(t, "the record to be sent", func() bool { return c.Stats().Sent == 1 })
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestRetriesKeepTheBatchIdentifier(t *testing.T) {
	for name, fail := range map[string]func(w http.ResponseWriter, r *http.Request){
		"500":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"503":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"429":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"408":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestTimeout) },
		"closed": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"answer lost": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(202)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n <= 3 {
					fail(w, r)
				}
				return n <= 3
			})
			var failures atomic.Int64
			opts := fast(s.URL)
			opts.OnError = func(error) { failures.Add(1) }
			c := newClient(t, opts)
			c.Record(Inference{Model: "m"})
			stats := flush(t, c)
			if stats.Sent != 1 || stats.Dropped != 0 || stats.Retries != 3 || stats.LastError == nil || failures.Load() != 3 {
				t.Errorf("stats %+v, %d failures heard", stats, failures.Load())
			}
			got := s.seen()
			if len(got) != 4 || got[0].id == "" || got[0].id != got[3].id {
				t.Errorf("requests %+v", got)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	var refused, next atomic.Int64
	s := newStub(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		switch n {
		case 1:
			refused.Store(time.Now().UnixNano())
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		case 2:
			next.Store(time.Now().UnixNano())
		}
		return false
	})
	opts := fast(s.URL)
	opts.BatchSize, opts.Senders = 1, 4
	c := newClient(t, opts)
	c.Record(Inference{Model: "m"})
	waitFor(t, "the refusal", func() bool { return refused.Load() != 0 })
	waitFor(t, "the client to notice", func() bool { return c.Stats().LastError != nil })
	c.Record(Inference{Model: "m"}) // another sender keeps quiet too
	if stats := flush(t, c); stats.Sent != 2 {
		t.Errorf("stats %+v", stats)
	}
	if pause := time.Duration(next.Load() - refused.Load()); pause < 950*time.Millisecond {
		t.Errorf("came back after %s, was asked to wait 1 s", pause)
	}
}

func TestRetryAfterForms(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "99999999999": 0,
		"Thu, 01 Jan 2026 00:01:00 GMT": time.Minute, "Thu, 01 Jan 2025 00:01:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func TestRefusedBatchesAreDroppedAtOnce(t *testing.T) {
	for _, code := range []int{301, 307, 400, 401, 403, 404, 413, 415, 501} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				if code < 400 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(code)
				_, _ = io.WriteString(w, "because\nof this")
				return true
			})
			c := newClient(t, fast(s.URL))
			c.Record(Inference{Model: "m"})
			stats := flush(t, c)
			if stats.Dropped != 1 || stats.Drops.Refused != 1 || stats.Retries != 0 || len(s.seen()) != 1 {
				t.Errorf("stats %+v after %d requests", stats, len(s.seen()))
			}
			want := fmt.Sprintf("status %d: because", code)
			if code < 400 {
				want = "redirected to /elsewhere"
			}
			if !strings.Contains(stats.LastError.Error(), want) {
				t.Errorf("error %q, want it to say %q", stats.LastError, want)
			}
		})
	}
}

func TestPartialRejection(t *testing.T) {
	s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"accepted":2,"rejected":[{"index":1,"error":"model is missing"}]}`)
		return true
	})
	c := newClient(t, fast(s.URL))
	c.Record(Inference{Model: "m"})
	c.Record(Inference{})
	c.Record(Inference{Model: "m"})
	stats := flush(t, c)
	if stats.Sent != 2 || stats.Rejected != 1 || stats.LastRejection != "record 1: model is missing" {
		t.Errorf("stats %+v", stats)
	}
}

func TestStrangeAnswersCountAsAccepted(t *testing.T) {
	for _, answer := range []string{"", "ok", "null", `{"accepted":0}`, `{"accepted":-9,"rejected":[]}`, `[]`} {
		s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, answer)
			return true
		})
		c := newClient(t, fast(s.URL))
		c.Record(Inference{Model: "m"})
		if stats := flush(t, c); stats.Sent != 1 {
			t.Errorf("%q: stats %+v", answer, stats)
		}
	}
}

func TestTooLargeBatchesAreDivided(t *testing.T) {
	var s *stub
	s = newStub(t, func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if len(s.seen()[n-1].records) > 3 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}
		return false
	})
	opts := fast(s.URL)
	opts.Senders = 1
	opts.FlushInterval = time.Hour
	c := newClient(t, opts)
	for range 10 {
		c.Record(Inference{Model: "m"})
	}
	if stats := flush(t, c); stats.Sent != 10 || stats.Dropped != 0 {
		t.Errorf("stats %+v", stats)
	}

	s2 := newStub(t, nil)
	opts = fast(s2.URL)
	opts.MaxBodyBytes = 1000
	opts.FlushInterval = time.Hour
	c2 := newClient(t, opts)
	for range 20 {
		c2.Record(Inference{Model: strings.Repeat("x", 300)})
	}
	c2.Record(Inference{Model: strings.Repeat("x", 3000)}) // alone over the bound: the server may still take it
	if stats := flush(t, c2); stats.Sent != 21 {
		t.Errorf("stats %+v", stats)
	}
	for _, r := range s2.seen() {
		if len(r.records) > 3 {
			t.Errorf("%d records of 300 bytes in one request", len(r.records))
		}
	}
}

func TestLabelsFollowTheirInferences(t *testing.T) {
	var s *stub = newStub(t, func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == inferencesPath {
			time.Sleep(20 * time.Millisecond)
		}
		return false
	})
	opts := fast(s.URL)
	opts.BatchSize, opts.Senders = 5, 4
	c := newClient(t, opts)
	for i := range 40 {
		id := fmt.Sprint(i)
		c.Record(Inference{Model: "m", RequestID: id})
		c.Label(Label{RequestID: id, Label: 1})
	}
	if stats := flush(t, c); stats.Sent != 80 {
		t.Fatalf("stats %+v", stats)
	}
	known := map[any]bool{}
	for _, r := range s.seen() {
		for _, record := range r.records {
			if r.path == inferencesPath {
				known[record["request_id"]] = true
			} else if !known[record["request_id"]] {
				t.Errorf("label of %v came before its inference", record["request_id"])
			}
		}
	}
}

func TestGivesUp(t *testing.T) {
	s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	opts := fast(s.URL)
	opts.RetryFor = 300 * time.Millisecond
	c := newClient(t, opts)
	c.Record(Inference{Model: "m"})
	stats := flush(t, c)
	if stats.Drops.GaveUp != 1 || stats.Retries == 0 || !strings.Contains(stats.LastError.Error(), "given up after 300ms") {
		t.Errorf("stats %+v", stats)
	}
}

func TestCloseSendsTheRest(t *testing.T) {
	s := newStub(t, nil)
	opts := fast(s.URL)
	opts.FlushInterval = time.Hour
	c := newClient(t, opts)
	for range 2500 {
		c.Record(Inference{Model: "m"})
	}
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Record(Inference{Model: "m"}) // too late
	c.Label(Label{RequestID: "1"})
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
	stats := flush(t, c)
	if stats.Sent != 2500 || stats.Drops.Closed != 2 {
		t.Errorf("stats %+v", stats)
	}
}

func TestFlushObeysItsContext(t *testing.T) {
	release := make(chan struct{})
	s := newStub(t, func(int, http.ResponseWriter, *http.Request) bool { <-release; return false })
	defer close(release)
	c := newClient(t, fast(s.URL))
	c.Record(Inference{Model: "m"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := c.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestNilClientDoesNothing(t *testing.T) {
	var c *Client
	c.Record(Inference{})
	c.Label(Label{})
	if err := errors.Join(c.Flush(t.Context()), c.Close(t.Context())); err != nil || c.Stats() != (Stats{}) {
		t.Errorf("error %v, stats %+v", err, c.Stats())
	}
	w := httptest.NewRecorder()
	c.Handler(http.NotFoundHandler(), Watch{}).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 404 || c.RoundTripper(nil, Watch{}) != http.DefaultTransport {
		t.Error("wrappers of a nil client must be transparent")
	}
}

func TestManyGoroutines(t *testing.T) {
	s := newStub(t, nil)
	opts := fast(s.URL)
	opts.BatchSize, opts.QueueSize, opts.Senders = 50, 100_000, 3
	c := newClient(t, opts)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 500 {
				c.Record(Inference{Model: "m", RequestID: fmt.Sprint(g, "-", i)})
				if i%10 == 0 {
					c.Label(Label{RequestID: fmt.Sprint(g, "-", i), Label: true})
				}
				if i%100 == 0 {
					_ = c.Flush(t.Context())
				}
			}
		}()
	}
	wg.Wait()
	stats := flush(t, c)
	if stats.Sent != 8*550 {
		t.Errorf("stats %+v", stats)
	}
	seen := map[any]int{}
	for _, r := range s.seen() {
		for _, record := range r.records {
			if r.path == inferencesPath {
				seen[record["request_id"]]++
			}
		}
	}
	if len(seen) != 4000 {
		t.Errorf("%d different records arrived, want 4000", len(seen))
	}
}
