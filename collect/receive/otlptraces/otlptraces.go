// Package otlptraces receives spans by OpenTelemetry's protocol over HTTP (POST
// /v1/traces) and makes inferences of those that call an AI model.
//
// It looks for the attributes of the GenAI semantic conventions (gen_ai.*) and
// leaves all other spans alone, with a count: it is not a store of traces.
package otlptraces

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/prometheus/client_golang/prometheus"
	collectpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/collect/receive/inferences"
)

// Options configures a Handler.
type Options struct {
	// Sink takes what was received, as package inferences says.
	Sink inferences.Sink
	// MaxBody is the greatest size of a request in bytes after decompression. Default 16 MiB.
	MaxBody int64
	// MaxInFlight is how many requests are worked on at once; further ones are
	// answered with 429. Default 16.
	MaxInFlight int
	// Future and Retention are as in inferences.Options.
	Future    time.Duration
	Retention time.Duration
	// Now is the clock; default time.Now.
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Handler receives spans.
type Handler struct {
	o        Options
	slots    chan struct{}
	accepted prometheus.Counter
	ignored  prometheus.Counter
	rejected prometheus.Counter
	bad      prometheus.Counter
}

// New returns a handler.
func New(o Options) (*Handler, error) {
	if o.Sink == nil {
		return nil, errors.New("OTLP trace receiver: no sink")
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 16 << 20
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 16
	}
	if o.Future <= 0 {
		o.Future = 10 * time.Minute
	}
	if o.Retention <= 0 {
		o.Retention = 15 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	h := &Handler{
		o: o, slots: make(chan struct{}, o.MaxInFlight),
		accepted: counter("modelwatch_receive_otlp_spans_total", "Spans received by OTLP that became inferences."),
		ignored:  counter("modelwatch_receive_otlp_spans_ignored_total", "Spans received by OTLP that call no AI model."),
		rejected: counter("modelwatch_receive_otlp_spans_rejected_total", "Spans received by OTLP that call an AI model but are no valid inference."),
		bad:      counter("modelwatch_receive_otlp_trace_bad_requests_total", "OTLP trace requests that could not be read."),
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{h.accepted, h.ignored, h.rejected, h.bad} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of OTLP trace receiver: %w", err)
			}
		}
	}
	return h, nil
}

// problem is a request that is answered with an error.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// ServeHTTP answers 200 when the inferences are durable. Spans that are no valid
// inference are counted in the answer's partial success; spans that call no
// model are none of its business, and no failure.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "send spans by POST", http.StatusMethodNotAllowed)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "overloaded: too many requests with spans at once", http.StatusTooManyRequests)
		return
	}
	raw, isJSON, err := h.read(r)
	req := &collectpb.ExportTraceServiceRequest{}
	if err == nil {
		err = parse(raw, isJSON, req)
	}
	if err != nil {
		h.bad.Inc()
		status := http.StatusBadRequest
		if p, ok := errors.AsType[*problem](err); ok {
			status = p.status
		}
		http.Error(w, "spans refused: "+err.Error(), status)
		return
	}
	found := h.convert(req)
	h.ignored.Add(float64(found.ignored))
	if len(found.records) > 0 {
		// A repeated request has the same bytes, and the spans in it name themselves.
		sum := sha256.Sum256(raw)
		_, err := h.o.Sink.Append(r.Context(), inferences.Batch{
			ID: "otlp-" + hex.EncodeToString(sum[:16]), Arrival: h.o.Now(), Records: found.records,
		})
		if err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	h.accepted.Add(float64(len(found.records)))
	h.rejected.Add(float64(found.rejected))
	h.answer(w, isJSON, found)
}

func (h *Handler) answer(w http.ResponseWriter, isJSON bool, found *found) {
	out := &collectpb.ExportTraceServiceResponse{}
	if found.rejected > 0 {
		out.PartialSuccess = &collectpb.ExportTracePartialSuccess{RejectedSpans: int64(found.rejected), ErrorMessage: found.first.Error()}
	}
	var body []byte
	var err error
	if isJSON {
		w.Header().Set("Content-Type", "application/json")
		body, err = protojson.Marshal(out)
	} else {
		w.Header().Set("Content-Type", "application/x-protobuf")
		body, err = proto.Marshal(out)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(body) // The inferences are stored whether or not the sender still listens.
}

// refuse answers for a sink that did not take a batch.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, after := http.StatusServiceUnavailable, 5*time.Second
	if c, ok := errors.AsType[interface {
		error
		StatusCode() int
	}](err); ok {
		status = c.StatusCode()
	} else if r.Context().Err() == nil {
		h.o.Logger.Error("Store inferences of spans", "err", err)
	}
	if c, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		after = c.RetryAfter()
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	http.Error(w, err.Error(), status)
}

func (h *Handler) read(r *http.Request) (raw []byte, isJSON bool, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-protobuf" && kind != "application/json" {
		return nil, false, &problem{http.StatusUnsupportedMediaType, fmt.Sprintf(
			"content type %q is neither application/x-protobuf nor application/json", r.Header.Get("Content-Type"))}
	}
	var body io.Reader = r.Body
	switch encoding := strings.ToLower(r.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip":
		gz, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, false, fmt.Errorf("decompress gzip: %w", err)
		}
		body = gz
	default:
		return nil, false, &problem{http.StatusUnsupportedMediaType, fmt.Sprintf("content encoding %q is not gzip", encoding)}
	}
	raw, err = io.ReadAll(io.LimitReader(body, h.o.MaxBody+1))
	if err != nil {
		return nil, false, fmt.Errorf("read request: %w", err)
	}
	if int64(len(raw)) > h.o.MaxBody {
		return nil, false, &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("request has over %d bytes after decompression", h.o.MaxBody)}
	}
	return raw, kind == "application/json", nil
}

func parse(raw []byte, isJSON bool, req *collectpb.ExportTraceServiceRequest) error {
	if !isJSON {
		if err := proto.Unmarshal(raw, req); err != nil {
			return fmt.Errorf("not an ExportTraceServiceRequest: %w", err)
		}
		return nil
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, req); err != nil {
		return fmt.Errorf("not an ExportTraceServiceRequest: %w", err)
	}
	// OTLP writes identifiers in hexadecimal where the protocol buffer's JSON has
	// base64; hexadecimal of these lengths is valid base64, so it is encoded again.
	fix := func(b []byte, n int) []byte {
		if id, err := hex.DecodeString(base64.StdEncoding.EncodeToString(b)); err == nil && len(id) == n {
			return id
		}
		return b
	}
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				s.TraceId, s.SpanId = fix(s.TraceId, 16), fix(s.SpanId, 8)
			}
		}
	}
	return nil
}

// found is what a request holds.
type found struct {
	records  []ai.Inference
	ignored  int
	rejected int
	first    error // Why the first was rejected.
}

// Inferences returns what a request holds, without storing it: the inferences,
// how many spans call no model, and how many are no valid inference.
func (h *Handler) Inferences(_ context.Context, req *collectpb.ExportTraceServiceRequest) (records []ai.Inference, ignored, rejected int) {
	f := h.convert(req)
	return f.records, f.ignored, f.rejected
}

func (h *Handler) convert(req *collectpb.ExportTraceServiceRequest) *found {
	f := &found{}
	now := h.o.Now().UTC().Round(0)
	for _, rs := range req.ResourceSpans {
		res := resourceOf(rs.GetResource().GetAttributes())
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				inf, ok := convert(s, &res, now)
				if !ok {
					f.ignored++
					continue
				}
				err := inf.Validate()
				switch {
				case err != nil:
				case inf.Timestamp.After(now.Add(h.o.Future)):
					err = &ai.FieldError{Field: "end_time", Problem: fmt.Sprintf("%s is more than %s in the future", inf.Timestamp.Format(time.RFC3339), h.o.Future)}
				case inf.Timestamp.Before(now.Add(-h.o.Retention)):
					err = &ai.FieldError{Field: "end_time", Problem: fmt.Sprintf("%s is older than the retention of %s", inf.Timestamp.Format(time.RFC3339), h.o.Retention)}
				}
				if err != nil {
					f.rejected++
					if f.first == nil {
						f.first = fmt.Errorf("span %q: %w", s.Name, err)
					}
					continue
				}
				f.records = append(f.records, inf)
			}
		}
	}
	return f
}
