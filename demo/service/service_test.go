package service

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder keeps what the service recorded.
type recorder struct {
	mu         sync.Mutex
	inferences []client.Inference
	labels     []client.Label
}

func (r *recorder) Record(inf client.Inference) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inferences = append(r.inferences, inf)
}

func (r *recorder) Label(l client.Label) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.labels = append(r.labels, l)
}

func (r *recorder) last() client.Inference { return r.inferences[len(r.inferences)-1] }

// world is a service under a clock that only moves when everything waits.
type world struct {
	*Service
	t   *testing.T
	rec *recorder
	log *bytes.Buffer
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, rec: &recorder{}, log: &bytes.Buffer{}}
	w.Service = New(Options{Recorder: w.rec, Log: w.log, Seed: 1})
	return w
}

// row is a request's input: age and income at their means, behaviours at 1.
func row() map[string]any {
	f := map[string]any{"age": 39, "income": 6500}
	for n := 1; n <= BehaviourFeatures; n++ {
		f[BehaviourName(n)] = 1
	}
	return f
}

// ask sends one request and tells its status, answer and how long it took.
func (w *world) ask(features map[string]any) (int, map[string]any, time.Duration) {
	w.t.Helper()
	text, err := json.Marshal(map[string]any{"features": features})
	require.NoError(w.t, err)
	start := time.Now()
	rr := httptest.NewRecorder()
	w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/predict", bytes.NewReader(text)))
	var answer map[string]any
	require.NoError(w.t, json.Unmarshal(rr.Body.Bytes(), &answer))
	return rr.Code, answer, time.Since(start)
}

// lines gives the log so far.
func (w *world) lines() []map[string]any {
	w.t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(w.log.String()) {
		var fields map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(line), &fields), line)
		lines = append(lines, fields)
	}
	return lines
}

func (w *world) get(path string) string {
	w.t.Helper()
	rr := httptest.NewRecorder()
	w.Handler().ServeHTTP(rr, httptest.NewRequest("GET", path, nil))
	require.Equal(w.t, http.StatusOK, rr.Code)
	return rr.Body.String()
}

// shows requires lines of /metrics that begin so.
func (w *world) shows(beginnings ...string) {
	w.t.Helper()
	text := w.get("/metrics")
	for _, want := range beginnings {
		require.Contains(w.t, text, "\n"+want, "no line of /metrics begins with %s", want)
	}
}

// hides requires that no line of /metrics begins so.
func (w *world) hides(beginning string) {
	w.t.Helper()
	require.NotContains(w.t, w.get("/metrics"), "\n"+beginning, "a line of /metrics begins with %s", beginning)
}

func TestHealthyInference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := httptest.NewRequest("POST", "/predict", strings.NewReader(`{"features":{"age":60,"income":3000,"behaviour_001":null}}`))
		r.Header.Set("X-Request-Id", "req-1")
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		rr := httptest.NewRecorder()
		w.Handler().ServeHTTP(rr, r)
		require.Equal(t, 200, rr.Code)
		var p prediction
		require.NoError(t, json.Unmarshal(rr.Body.Bytes(), &p))
		require.Equal(t, "req-1", p.RequestID)
		require.Equal(t, "req-1", rr.Header().Get("X-Request-Id"))
		require.Len(t, p.Items, shown)
		require.GreaterOrEqual(t, p.Items[0].Score, p.Items[1].Score)
		require.Equal(t, "click", p.Prediction, "old and poor users click")
		require.Greater(t, p.ClickProbability, 0.9)

		inf := w.rec.last()
		require.Positive(t, inf.Duration)
		require.Equal(t, client.Inference{
			Service: "ai_service", Model: "recommender", ModelVersion: "v1.0", Endpoint: "/predict", RequestID: "req-1",
			Duration: inf.Duration, StatusCode: 200, Prediction: "click",
			Features:      map[string]any{"age": 60.0, "income": 3000.0, "behaviour_001": nil},
			Probabilities: map[string]float64{"click": p.ClickProbability, "skip": 1 - p.ClickProbability},
			Tags:          map[string]string{"trace_id": "0af7651916cd43dd8448eb211c80319c"},
		}, inf)
		line := w.lines()[0]
		require.Equal(t, "info", line["level"])
		require.Equal(t, "0af7651916cd43dd8448eb211c80319c", line["trace_id"])
		require.Equal(t, "req-1", line["request_id"])
		_, err := time.Parse(time.RFC3339Nano, line["ts"].(string))
		require.NoError(t, err)

		_, _, took := w.ask(row())
		require.InDelta(t, 0.45, took.Seconds(), 0.03)
	})
}

// Twice the features are four times the work, and no longer fit the device.
func TestFeaturesFaultMakesTheWorkGrow(t *testing.T) {
	for _, fault := range []Fault{Features, Rollout} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.ask(row())
				require.NoError(t, w.SetFault(fault, true))
				for range 20 {
					status, _, took := w.ask(row())
					require.Equal(t, 200, status)
					require.Greater(t, took, 2*time.Second)
					require.Less(t, took, 2500*time.Millisecond)
				}
				require.Len(t, w.rec.last().Features, 202)
				want := map[Fault]string{Features: "v1.0", Rollout: "v2.0"}[fault]
				require.Equal(t, want, w.rec.last().ModelVersion)
				w.shows(`model_inference_latency_seconds{endpoint="/predict",model_version="` + want + `"} 2.`)
				require.Equal(t, 202, strings.Count(w.get("/metrics"), "\ninput_data_mean{"))
				text := w.log.String()
				require.Contains(t, text, `"level":"warn","msg":"inference took longer than 2 s"`)
				require.Contains(t, text, `"level":"error","msg":"OutOfMemory: embedding matrix of 2.0 GB does not fit the device's 1.5 GB`)
				require.Contains(t, text, `"msg":"feature set changed","before":102,"after":202`)

				require.NoError(t, w.SetFault(fault, false))
				_, _, took := w.ask(row())
				require.Less(t, took, 500*time.Millisecond)
				time.Sleep(inputWindow)
				w.ask(row())
				w.shows(`model_inference_latency_seconds{endpoint="/predict",model_version="v1.0"} 0.4`)
				require.Equal(t, 102, strings.Count(w.get("/metrics"), "\ninput_data_mean{"), "the added features are forgotten")
			})
		})
	}
}

func TestOtherFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		statuses := func(n int) map[int]int {
			got := map[int]int{}
			for range n {
				status, _, _ := w.ask(row())
				got[status]++
			}
			return got
		}
		set := func(fault Fault, on bool) { require.NoError(t, w.SetFault(fault, on)) }

		set(Slow, true)
		_, _, took := w.ask(row())
		require.InDelta(t, 2.25, took.Seconds(), 0.15)
		set(Slow, false)

		set(Errors, true)
		got := statuses(60)
		require.InDelta(t, 20, got[500], 12)
		require.Equal(t, 60, got[500]+got[200])
		require.Contains(t, w.log.String(), `"level":"error","msg":"error: embedding lookup failed`)
		w.shows(`http_requests_error_rate{endpoint="/predict"} 0.`)
		w.shows(fmt.Sprintf(`http_requests_total{endpoint="/predict",method="POST",status="500"} %d`, got[500]))
		set(Errors, false)

		set(OOM, true)
		got = statuses(60)
		require.InDelta(t, 30, got[503], 14)
		require.Contains(t, w.log.String(), `OutOfMemory: cannot allocate 1.0 GB on the device`)
		set(OOM, false)
		failed := 0
		for _, inf := range w.rec.inferences {
			if inf.Error == "out_of_memory" {
				require.Equal(t, 503, inf.StatusCode)
				failed++
			}
		}
		require.Equal(t, got[503], failed)

		time.Sleep(inputWindow)
		set(Drift, true)
		statuses(10)
		require.InDelta(t, 39*1.4, w.rec.last().Features["age"], 1e-9)
		w.shows(`input_data_mean{feature_name="age"} 54.`)
		w.shows(`input_data_mean_offset{feature_name="age"} 39`)
		set(Drift, false)

		set(Missing, true)
		before := len(w.rec.inferences)
		statuses(50)
		missing := 0
		for _, inf := range w.rec.inferences[before:] {
			if inf.Features["income"] == nil {
				missing++
			}
		}
		require.InDelta(t, 30, missing, 12)
	})
}

func TestFaultSwitch(t *testing.T) {
	s := New(Options{})
	post := func(body string) (int, string) {
		rr := httptest.NewRecorder()
		s.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/fault", strings.NewReader(body)))
		return rr.Code, rr.Body.String()
	}
	status, answer := post(`{"kind":"oom","on":true}`)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"features":false,"rollout":false,"slow":false,"error":false,"oom":true,"drift":false,"missing":false}`, answer)
	require.True(t, s.Faults()[OOM])
	status, _ = post(`{"kind":"oom","on":false}`)
	require.Equal(t, 200, status)
	require.False(t, s.Faults()[OOM])
	for body, want := range map[string]string{
		`{"kind":"flood","on":true}`: "want one of features, rollout, slow, error, oom, drift, missing",
		`{"kind":"oom"}`:             `want {\"kind\"`,
		`nothing`:                    "invalid character",
	} {
		status, answer := post(body)
		require.Equal(t, 400, status)
		require.Contains(t, answer, want)
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	many := map[string]any{}
	for n := range maxFeatures + 1 {
		many[fmt.Sprint(n)] = 1
	}
	text, err := json.Marshal(map[string]any{"features": many})
	require.NoError(t, err)
	for _, body := range []string{"", "[]", `{"features":{"age":"old"}}`, string(text)} {
		rr := httptest.NewRecorder()
		w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/predict", strings.NewReader(body)))
		require.Equal(t, 400, rr.Code)
	}
	require.Empty(t, w.rec.inferences)
	w.shows(`http_requests_total{endpoint="/predict",method="POST",status="400"} 4`)
	require.Len(t, w.lines(), 4)
}

func TestFeedback(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]int{
		`{"request_id":"r1","clicked":true}`: 202, `{"request_id":"r1"}`: 400, `{"clicked":true}`: 400, `x`: 400,
	} {
		rr := httptest.NewRecorder()
		w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/feedback", strings.NewReader(body)))
		require.Equal(t, want, rr.Code, body)
	}
	require.Equal(t, []client.Label{{RequestID: "r1", Label: "click"}}, w.rec.labels)
}

func TestClientThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		rr := httptest.NewRecorder()
		w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/predict", strings.NewReader(`{"features":{}}`)).WithContext(ctx))
		require.Equal(t, 200, rr.Code, "no features, no work")
		rr = httptest.NewRecorder()
		text, _ := json.Marshal(map[string]any{"features": row()})
		w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/predict", bytes.NewReader(text)).WithContext(ctx))
		require.Equal(t, 499, rr.Code)
		require.Equal(t, "canceled", w.rec.last().Error)
		w.shows(`http_requests_error_rate{endpoint="/predict"} 0`)
		require.NotContains(t, w.log.String(), `"level":"error"`)
	})
}

func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var wg sync.WaitGroup
		text, _ := json.Marshal(map[string]any{"features": row()})
		codes := make(chan int, 2*maxInFlight)
		for range maxInFlight + 3 {
			wg.Go(func() {
				rr := httptest.NewRecorder()
				w.Handler().ServeHTTP(rr, httptest.NewRequest("POST", "/predict", bytes.NewReader(text)))
				codes <- rr.Code
			})
		}
		wg.Wait()
		close(codes)
		got := map[int]int{}
		for c := range codes {
			got[c]++
		}
		require.Equal(t, map[int]int{200: maxInFlight, 503: 3}, got)
	})
}

func TestMetricsFollowTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.hides("model_inference_latency_seconds{") // unknown before the first inference
		for range 20 {
			w.ask(row())
			time.Sleep(550 * time.Millisecond)
		}
		w.shows(
			`model_qps{model_version="v1.0"} 1`,
			`http_requests_error_rate{endpoint="/predict"} 0`,
			`input_data_std_dev{feature_name="income"} 0`,
			`model_inference_duration_seconds_count{endpoint="/predict",model_version="v1.0"} 20`,
			"device_memory_bytes 1.572864e+09",
		)
		time.Sleep(20 * time.Second)
		w.shows("model_inference_latency_seconds{") // the latest holds for a while
		w.hides("input_data_mean{")
		w.hides("model_qps{")
		time.Sleep(time.Minute)
		w.hides("model_inference_latency_seconds{") // then it is unknown again
	})
}

func TestMetricsAreWellFormed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m := newMetrics(prometheus.NewRegistry(), newDevice(time.Second))
	require.NoError(t, registry.Register(m))
	now := time.Now()
	m.inference(observation{at: now, took: time.Second, version: "v1.0", answered: true, features: features{names: []string{"age"}, values: []float64{3}}})
	m.inference(observation{at: now.Add(-time.Second), took: time.Hour, version: "v1.0", failed: true})
	m.inference(observation{at: now.Add(-2 * time.Second), took: 3 * time.Second, version: "v1.0", answered: true})
	m.inference(observation{at: now.Add(-2500 * time.Millisecond), took: 9 * time.Second, version: "v0.9", answered: true})
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP model_inference_latency_seconds Mean duration of the inferences of the last seconds.
# TYPE model_inference_latency_seconds gauge
model_inference_latency_seconds{endpoint="/predict",model_version="v1.0"} 2
`), "model_inference_latency_seconds"), "neither failures nor other versions count")
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestServeStopsWithTheContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Options{Latency: 100 * time.Millisecond})
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, listener) }()
	url := "http://" + listener.Addr().String()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	resp, err := c.Get(url + "/healthz")
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.JSONEq(t, `{"status":"ok","model_version":"v1.0"}`, string(text))

	// A request under way is finished.
	body, _ := json.Marshal(map[string]any{"features": row()})
	answered := make(chan int, 1)
	go func() {
		resp, err := c.Post(url+"/predict", "application/json", bytes.NewReader(body))
		if err != nil {
			answered <- 0
			return
		}
		answered <- resp.StatusCode
		_ = resp.Body.Close()
	}()
	require.Eventually(t, func() bool { return s.inFlight.Load() == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	require.Equal(t, 200, <-answered)
	require.NoError(t, <-done)

	require.ErrorContains(t, s.Serve(t.Context(), listener), "serve")
}
