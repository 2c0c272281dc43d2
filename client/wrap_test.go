package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// recorded gives the records that a client has sent so far.
func recorded(t *testing.T, s *stub, c *Client) []map[string]any {
	t.Helper()
	flush(t, c)
	var all []map[string]any
	for _, r := range s.seen() {
		all = append(all, r.records...)
	}
	return all
}

func extractJSON(x *Exchange, inf *Inference) {
	var asked struct {
		Features map[string]any `json:"features"`
	}
	var answer struct {
		Score float64 `json:"score"`
	}
	_ = json.Unmarshal(x.RequestBody, &asked)
	_ = json.Unmarshal(x.ResponseBody, &answer)
	inf.Features, inf.Prediction = asked.Features, answer.Score
}

func TestHandlerRecordsTheExchange(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /models/{name}/predict", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !bytes.Contains(body, []byte("age")) {
			t.Errorf("handler saw body %q", body)
		}
		time.Sleep(20 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"score":0.5}`)
	})
	watched := httptest.NewServer(c.Handler(mux, Watch{Model: "ranker", ModelVersion: "v2", Extract: extractJSON}))
	defer watched.Close()
	req, _ := http.NewRequestWithContext(t.Context(), "POST", watched.URL+"/models/7/predict", strings.NewReader(`{"features":{"age":34}}`))
	req.Header.Set("X-Request-Id", "r-1")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != `{"score":0.5}` {
		t.Errorf("caller got %q", body)
	}
	waitFor(t, "the record", func() bool { return c.Stats().Recorded == 1 })
	record := recorded(t, s, c)[0]
	if d := record["duration_seconds"].(float64); d < 0.02 || d > 5 {
		t.Errorf("duration %v", d)
	}
	delete(record, "timestamp")
	delete(record, "duration_seconds")
	equalJSON(t, record, `{"service":"shop","model":"ranker","model_version":"v2","endpoint":"/models/{name}/predict",
		"request_id":"r-1","status_code":200,"features":{"age":34},"prediction":0.5}`)
}

func TestHandlerErrorClasses(t *testing.T) {
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		ctx     func(context.Context) (context.Context, context.CancelFunc)
		status  float64
		class   any
	}{
		{"nothing written", func(http.ResponseWriter, *http.Request) {}, nil, 200, nil},
		{"client's fault", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422) }, nil, 422, "client_error"},
		{"server's fault", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, nil, 503, "server_error"},
		{"early hints", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(204) }, nil, 204, nil},
		{"panic", func(http.ResponseWriter, *http.Request) { panic("boom") }, nil, 500, "panic"},
		{"canceled", func(http.ResponseWriter, *http.Request) {}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, 200, "canceled"},
		{"timeout", func(http.ResponseWriter, *http.Request) {}, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, -1)
		}, 200, "timeout"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStub(t, nil)
			c := newClient(t, fast(s.URL))
			r := httptest.NewRequest("POST", "/predict", strings.NewReader("x"))
			if test.ctx != nil {
				ctx, cancel := test.ctx(t.Context())
				defer cancel()
				r = r.WithContext(ctx)
			}
			func() {
				defer func() {
					if p := recover(); (p != nil) != (test.class == "panic") {
						t.Errorf("panic %v came through", p)
					}
				}()
				c.Handler(test.handler, Watch{Model: "m", Endpoint: "/p"}).ServeHTTP(httptest.NewRecorder(), r)
			}()
			record := recorded(t, s, c)[0]
			if record["status_code"] != test.status || record["error"] != test.class || record["endpoint"] != "/p" {
				t.Errorf("record %v", record)
			}
		})
	}
}

func TestHandlerKeepsWhatTheWriterCanDo(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	stream := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/flush":
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			time.Sleep(50 * time.Millisecond)
			_, _ = io.WriteString(w, "b")
		case "/controller":
			_, _ = io.WriteString(w, "a")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Error(err)
			}
		case "/hijack":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
			_ = conn.Close()
		}
	}), Watch{Model: "m"})
	server := httptest.NewServer(stream)
	defer server.Close()
	for path, want := range map[string]string{"/flush": "ab", "/controller": "a", "/hijack": "hi"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != want {
			t.Errorf("%s: body %q", path, body)
		}
	}
	waitFor(t, "three records", func() bool { return c.Stats().Recorded == 3 })
	for _, record := range recorded(t, s, c) {
		first, _ := record["time_to_first_token_seconds"].(float64)
		switch record["endpoint"] {
		case "/flush":
			if whole := record["duration_seconds"].(float64); first < 0.02 || first > whole-0.04 {
				t.Errorf("first token after %v of %v s", first, whole)
			}
		case "/hijack":
			if record["status_code"] != 101.0 || first != 0 {
				t.Errorf("record %v", record)
			}
		}
	}
	// A writer that can do neither must not seem to.
	type plain struct{ http.ResponseWriter }
	c.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, ok := w.(http.Flusher); ok {
			t.Error("offers Flush in vain")
		}
		if _, ok := w.(http.Hijacker); ok {
			t.Error("offers Hijack in vain")
		}
	}), Watch{Model: "m"}).ServeHTTP(plain{httptest.NewRecorder()}, httptest.NewRequest("GET", "/", nil))
}

func TestExtractSeesAtMostMaxBody(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	seen := 0
	h := c.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		_, _ = io.WriteString(w, "!")
	}), Watch{Model: "m", MaxBody: 10, Extract: func(x *Exchange, inf *Inference) {
		seen++
		if string(x.RequestBody) != "0123456789" || string(x.ResponseBody) != "0123456789" {
			t.Errorf("bodies %q and %q", x.RequestBody, x.ResponseBody)
		}
		if x.RequestTruncated != (seen == 2) || !x.ResponseTruncated {
			t.Errorf("exchange %d: truncated %v and %v", seen, x.RequestTruncated, x.ResponseTruncated)
		}
		inf.ModelVersion = "v3"
		panic("after the version")
	}, Skip: func(r *http.Request) bool { return r.URL.Path == "/healthz" }})
	for _, body := range []string{"0123456789", "0123456789abc"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if w.Body.String() != body+"!" {
			t.Errorf("caller got %q", w.Body)
		}
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/healthz", nil))
	records := recorded(t, s, c)
	if len(records) != 2 || records[0]["model_version"] != "v3" || seen != 2 {
		t.Errorf("records %v", records)
	}
	if stats := c.Stats(); stats.ExtractPanics != 2 || !strings.Contains(stats.LastError.Error(), "after the version") {
		t.Errorf("stats %+v", stats)
	}
}

func TestRoundTripper(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/stream":
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			time.Sleep(20 * time.Millisecond)
			_, _ = io.WriteString(w, "data: a\n\n")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
			_, _ = io.WriteString(w, "data: b\n\n")
		case "/broken":
			w.WriteHeader(500)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "short")
		default:
			w.Header().Set("X-Request-Id", "from-answer")
			_, _ = fmt.Fprintf(w, `{"score":%d}`, len(body))
		}
	}))
	defer model.Close()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	caller := &http.Client{Transport: c.RoundTripper(transport, Watch{Model: "m", Extract: extractJSON})}
	for _, path := range []string{"/predict", "/stream", "/broken", "/cut"} {
		resp, err := caller.Post(model.URL+path, "application/json", strings.NewReader(`{"features":{"age":1}}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(resp.Body)
		if (err != nil) != (path == "/cut") {
			t.Errorf("%s: %v", path, err)
		}
		_ = resp.Body.Close()
	}
	records := recorded(t, s, c)
	if len(records) != 4 {
		t.Fatalf("records %v", records)
	}
	for _, record := range records {
		class := map[string]string{"/broken": "server_error", "/cut": "network"}[record["endpoint"].(string)]
		if got, _ := record["error"].(string); got != class {
			t.Errorf("%v: error %q, want %q", record["endpoint"], got, class)
		}
		first, streamed := record["time_to_first_token_seconds"].(float64)
		if streamed != (record["endpoint"] == "/stream") {
			t.Errorf("record %v", record)
		}
		if whole := record["duration_seconds"].(float64); streamed && (first < 0.02 || first > whole-0.04) {
			t.Errorf("first token after %v of %v s", first, whole)
		}
		if record["endpoint"] == "/predict" {
			delete(record, "timestamp")
			delete(record, "duration_seconds")
			equalJSON(t, record, `{"service":"shop","model":"m","endpoint":"/predict","request_id":"from-answer",
				"status_code":200,"features":{"age":1},"prediction":22}`)
		}
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRoundTripperErrorClasses(t *testing.T) {
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	for _, test := range []struct {
		class string
		url   string
		next  http.RoundTripper
		wait  time.Duration
	}{
		{"timeout", hanging.URL, nil, 20 * time.Millisecond},
		{"connection_refused", "http://" + closed.Addr().String(), nil, 0},
		{"dns", "http://x", transportFunc(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		}), 0},
		{"canceled", "http://x", transportFunc(func(*http.Request) (*http.Response, error) { return nil, context.Canceled }), 0},
		{"network", "http://x", transportFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("odd") }), 0},
	} {
		t.Run(test.class, func(t *testing.T) {
			s := newStub(t, nil)
			c := newClient(t, fast(s.URL))
			caller := &http.Client{Transport: c.RoundTripper(test.next, Watch{Model: "m"}), Timeout: test.wait}
			if resp, err := caller.Get(test.url); err == nil {
				_ = resp.Body.Close()
				t.Fatal("no error")
			}
			record := recorded(t, s, c)[0]
			if record["error"] != test.class || record["status_code"] != nil {
				t.Errorf("record %v", record)
			}
		})
	}
}

func TestRoundTripperLeavesTheRequestAlone(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	body := io.NopCloser(strings.NewReader("x"))
	r, _ := http.NewRequestWithContext(t.Context(), "POST", "http://x/", body)
	r.Body = body
	tripper := c.RoundTripper(transportFunc(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("y"))}, nil
	}), Watch{Model: "m", Extract: func(*Exchange, *Inference) {}})
	resp, err := tripper.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // unread: closing is the end as well
	if r.Body != body {
		t.Error("the caller's request was changed")
	}
	if n := len(recorded(t, s, c)); n != 1 {
		t.Errorf("%d records", n)
	}
}
