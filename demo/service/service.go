// Package service is an AI service to be watched: a recommender behind
// POST /predict, with health, metrics under the names that dashboards of AI
// services know, a JSON-lines log, and faults that can be switched on.
//
// The model is real and small: a factorization machine whose work grows with
// the square of the number of features. What is simulated is the accelerator
// it runs on: the handler counts the model's multiplications and waits as long
// as a device of the configured speed and memory would need for them. Nothing
// else about its latencies, errors and logs is made up.
//
// It is for demonstrations and tests, and knows nothing of modelwatch beyond
// the client that it records its inferences with.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/modelwatch/modelwatch/client"
)

// Names that the service gives itself.
const (
	// Name is the service's name in the inferences it records.
	Name = "ai_service"
	// ModelName is its model's.
	ModelName = "recommender"
	// Endpoint is where the model answers.
	Endpoint = "/predict"
)

// DefaultLatency is what a healthy inference takes.
const DefaultLatency = 450 * time.Millisecond

// slowAfter is the latency, in units of a healthy one, above which the log
// warns: 2 s at the default.
const slowAfter = 2.0 / 0.45

const (
	maxBody     = 1 << 20 // bytes of a request
	maxFeatures = 1000    // of a request: the work is their square
	maxInFlight = 64
)

// Recorder takes what the service inferred and what turned out to be true.
// Both calls must not block. [client.Client] is one.
type Recorder interface {
	Record(client.Inference)
	Label(client.Label)
}

// Options says what the service runs with. The zero value is usable.
type Options struct {
	// Recorder takes the inferences. Default: nobody.
	Recorder Recorder
	// Log gets the JSON lines. Default: nobody.
	Log io.Writer
	// Latency is what a healthy inference takes. Default DefaultLatency.
	Latency time.Duration
	// Seed makes the simulated noise repeatable.
	Seed uint64
}

// Service is the AI service. Its handler may be used by any number of
// goroutines.
type Service struct {
	opts     Options
	log      *slog.Logger
	model    *recommender
	device   device
	faults   faults
	pipeline pipeline
	metrics  *metrics
	noise    *noise
	handler  http.Handler
	inFlight atomic.Int64
}

// New makes a service. It runs in the goroutines that call its handler and
// needs no stopping of its own.
func New(opts Options) *Service {
	if opts.Latency <= 0 {
		opts.Latency = DefaultLatency
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	s := &Service{
		opts:   opts,
		log:    newLog(opts.Log),
		model:  newRecommender(),
		device: newDevice(opts.Latency),
		noise:  newNoise(opts.Seed),
	}
	registry := prometheus.NewRegistry()
	s.metrics = newMetrics(registry, s.device)
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Endpoint, s.predict)
	mux.HandleFunc("POST /feedback", s.feedback)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"status": "ok", "model_version": s.version()})
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.Faults()) })
	mux.HandleFunc("POST /fault", s.switchFault)
	s.handler = mux
	return s
}

// Handler serves /predict, /feedback, /healthz, /metrics and /fault.
func (s *Service) Handler() http.Handler { return s.handler }

// Serve answers on a listener until the context ends, then finishes the
// requests that have begun, within 5 s. It closes the listener.
func (s *Service) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := server.Shutdown(ctx)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		stopped <- err
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// version is the model version that answers now.
func (s *Service) version() string {
	if s.faults.on(Rollout) {
		return "v2.0"
	}
	return "v1.0"
}

// prediction is the answer of /predict.
type prediction struct {
	RequestID        string  `json:"request_id"`
	Model            string  `json:"model"`
	ModelVersion     string  `json:"model_version"`
	Items            []item  `json:"items"`
	Prediction       string  `json:"prediction"`
	ClickProbability float64 `json:"click_probability"`
}

type item struct {
	ID    string  `json:"id"`
	Score float64 `json:"score"`
}

// failure is why a request got no prediction.
type failure struct {
	status int
	class  string
	msg    string
}

func (s *Service) predict(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	ids := identify(r)
	w.Header().Set("X-Request-Id", ids.request)
	version := s.version()

	var asked struct {
		Features map[string]*float64 `json:"features"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked); err != nil || len(asked.Features) > maxFeatures {
		if err == nil {
			err = fmt.Errorf("%d features, want at most %d", len(asked.Features), maxFeatures)
		}
		s.metrics.request(r.Method, Endpoint, http.StatusBadRequest)
		s.log.Warn("bad request", "request_id", ids.request, "trace_id", ids.trace, "error", err.Error())
		answer(w, http.StatusBadRequest, map[string]string{"error": "want {\"features\": {NAME: NUMBER, ...}}: " + err.Error()})
		return
	}

	features, changed := s.pipeline.run(asked.Features, &s.faults, s.noise)
	if changed != nil {
		s.log.Info("feature set changed", "before", changed.before, "after", changed.after)
	}
	result, fault := s.infer(r.Context(), features, ids)
	took := time.Since(start)

	inference := client.Inference{
		Service: Name, Model: ModelName, ModelVersion: version, Endpoint: Endpoint,
		RequestID: ids.request, Duration: took, StatusCode: http.StatusOK,
		Features: features.asMap(), Tags: map[string]string{"trace_id": ids.trace},
	}
	attrs := []any{
		"request_id", ids.request, "trace_id", ids.trace, "model_version", version,
		"features", len(features.names), "latency", seconds(took),
	}
	if fault != nil {
		inference.StatusCode, inference.Error = fault.status, fault.class
		level := slog.LevelError
		if fault.status < 500 {
			level = slog.LevelWarn // the caller's affair
		}
		s.log.Log(r.Context(), level, fault.msg, append(attrs, "status", fault.status)...)
	} else {
		inference.Prediction = result.outcome()
		inference.Probabilities = map[string]float64{"click": result.click, "skip": 1 - result.click}
		s.log.Info("inference done", append(attrs, "status", http.StatusOK)...)
	}
	if took.Seconds() > slowAfter*s.opts.Latency.Seconds() {
		s.log.Warn(fmt.Sprintf("inference took longer than %.3g s", slowAfter*s.opts.Latency.Seconds()), attrs...)
	}
	s.metrics.inference(observation{
		at: time.Now(), took: took, version: version, features: features,
		answered: fault == nil, failed: inference.StatusCode >= 500,
	})
	s.metrics.request(r.Method, Endpoint, inference.StatusCode)
	if s.opts.Recorder != nil {
		s.opts.Recorder.Record(inference)
	}
	if fault != nil {
		answer(w, fault.status, map[string]string{"request_id": ids.request, "error": fault.msg})
		return
	}
	answer(w, http.StatusOK, prediction{
		RequestID: ids.request, Model: ModelName, ModelVersion: version,
		Items: result.items, Prediction: result.outcome(), ClickProbability: result.click,
	})
}

// infer runs the model and waits for the device.
func (s *Service) infer(ctx context.Context, features features, ids identity) (result, *failure) {
	if s.inFlight.Add(1) > maxInFlight {
		s.inFlight.Add(-1)
		return result{}, &failure{http.StatusServiceUnavailable, "overloaded", "too many requests in flight"}
	}
	defer s.inFlight.Add(-1)

	run := s.model.predict(features)
	need := s.device.need(run.operations, len(features.names))
	s.metrics.deviceMemory(need.memory)
	if s.faults.on(Slow) {
		need.time *= 5
	}
	wait := time.Duration(float64(need.time) * (0.96 + 0.08*s.noise.float()))
	switch {
	case s.faults.on(OOM) && s.noise.float() < 0.5:
		// The allocation fails early in the run.
		if !sleep(ctx, wait/10) {
			return result{}, gone()
		}
		return result{}, &failure{
			http.StatusServiceUnavailable, "out_of_memory",
			fmt.Sprintf("OutOfMemory: cannot allocate %s on the device: %s of %s in use", gigabytes(need.memory), gigabytes(s.device.memory), gigabytes(s.device.memory)),
		}
	case s.faults.on(Errors) && s.noise.float() < 1.0/3:
		return result{}, &failure{http.StatusInternalServerError, "server_error", "error: embedding lookup failed: index out of range"}
	}
	if need.spilled > 0 {
		s.log.Error(fmt.Sprintf("OutOfMemory: embedding matrix of %s does not fit the device's %s, %s spilled to host memory",
			gigabytes(need.memory), gigabytes(s.device.memory), gigabytes(need.spilled)),
			"request_id", ids.request, "trace_id", ids.trace, "features", len(features.names))
	}
	if !sleep(ctx, wait) {
		return result{}, gone()
	}
	return run, nil
}

func gone() *failure {
	return &failure{499, "canceled", "client went away before the answer"}
}

// feedback takes what the user did: {"request_id": ID, "clicked": BOOL}.
func (s *Service) feedback(w http.ResponseWriter, r *http.Request) {
	var said struct {
		RequestID string `json:"request_id"`
		Clicked   *bool  `json:"clicked"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&said)
	if err != nil || said.RequestID == "" || said.Clicked == nil {
		s.metrics.request(r.Method, "/feedback", http.StatusBadRequest)
		answer(w, http.StatusBadRequest, map[string]string{"error": `want {"request_id": ID, "clicked": true or false}`})
		return
	}
	if s.opts.Recorder != nil {
		s.opts.Recorder.Label(client.Label{RequestID: said.RequestID, Label: outcome(*said.Clicked)})
	}
	s.metrics.request(r.Method, "/feedback", http.StatusAccepted)
	answer(w, http.StatusAccepted, map[string]string{"request_id": said.RequestID})
}

func outcome(click bool) string {
	if click {
		return "click"
	}
	return "skip"
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // of our own types, which have a form
		status, text = http.StatusInternalServerError, []byte(strconv.Quote(err.Error()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away is its own affair
}

// sleep tells whether the context lasted.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
