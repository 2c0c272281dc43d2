// Package inferences receives inferences and labels over HTTP: POST
// /ai/v1/inferences and POST /ai/v1/labels.
//
// It reads requests and answers for them; it does not store and does not
// analyse. A request is accepted when its Sink says that it is durable.
//
// # What it takes
//
// Content types application/x-ndjson (also application/ndjson, application/jsonl,
// application/json-lines and the like: one record a line), application/json (a
// list of records, or one record) and application/vnd.apache.arrow.stream (see
// package decode); content encodings gzip, zstd and none. Fields are those of
// ai.Inference in snake case; only model is required. service is "default" and
// timestamp is the time of arrival where they are not given; null is not given.
// Unknown fields are left alone.
//
// # What it answers
//
// 202 with {"accepted": n, "rejected": [{"index": i, "error": "…"}]}: good
// records count, bad ones are named by their index from 0. 400 where nothing
// could be read, with the place; 413 over the limit; 415 for another type; 429
// and 503 with Retry-After where the same request may succeed later. A request
// that comes again with the same X-Modelwatch-Batch-Id counts once.
package inferences

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/collect/receive/inferences/decode"
)

// BatchIDHeader is the header that makes a repeated request count once.
const BatchIDHeader = "X-Modelwatch-Batch-Id"

// MaxBatchID is the longest value of BatchIDHeader, in bytes.
const MaxBatchID = 128

// Batch is what a Sink stores together. It has records or labels, not both.
type Batch struct {
	// ID makes a repetition count once; empty means that there is none to know.
	ID string
	// Arrival is when it came.
	Arrival time.Time
	// Records and Labels are valid. Their slices belong to the sink until it
	// calls Release; strings, vectors and tags in them never change.
	Records []ai.Inference
	Labels  []ai.Label
	// Release must be called once when the slices are no longer used, also if
	// the batch is refused; it may be nil.
	Release func()
}

// Sink is where batches go. Append returns when the batch is durable; duplicate
// means that it was before. An error with a method StatusCode() int is answered
// with that status, and one with RetryAfter() time.Duration says when to come
// again; others are answered with 503.
type Sink interface {
	Append(ctx context.Context, b Batch) (duplicate bool, err error)
}

// Options configures a Receiver.
type Options struct {
	// Sink takes what was received.
	Sink Sink
	// MaxBody is the largest request in bytes, after decompression; default 32 MiB.
	MaxBody int64
	// MaxInFlight bounds the bytes of all requests being read or stored, after
	// decompression; default 64 MiB, or MaxBody if that is more. Beyond it, a request
	// waits for MaxWait (default one second) before it is read, and is then answered
	// with 429.
	MaxInFlight int64
	MaxWait     time.Duration
	// ChunkRecords is how many records are stored together at most; default 8,192.
	ChunkRecords int
	// MaxNamed is how many rejected records an answer names; default 1,000.
	MaxNamed int
	// Future is how far ahead of the clock a timestamp may be; default 10 minutes.
	Future time.Duration
	// Retention is how old a timestamp may be; default 15 days.
	Retention time.Duration
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Logger and Registerer are for the receiver's own log lines and metrics.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Receiver serves both paths. It is safe for concurrent use.
type Receiver struct {
	o        Options
	metrics  *metrics
	decoders chan *decode.Decoder // Idle ones.
	bodies   sync.Pool
	flight   *flight
	slots    chan struct{} // One for each request being decoded.
}

// New returns a receiver.
func New(o Options) (*Receiver, error) {
	if o.Sink == nil {
		return nil, errors.New("inference receiver: no sink")
	}
	set(&o.MaxBody, 32<<20)
	set(&o.MaxInFlight, max(64<<20, o.MaxBody))
	set(&o.MaxWait, time.Second)
	set(&o.ChunkRecords, 8192)
	set(&o.MaxNamed, 1000)
	set(&o.Future, 10*time.Minute)
	set(&o.Retention, 15*24*time.Hour)
	if o.MaxBody > o.MaxInFlight {
		return nil, fmt.Errorf("inference receiver: a request may have %d bytes, but all together only %d", o.MaxBody, o.MaxInFlight)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Receiver{o: o, decoders: make(chan *decode.Decoder, 8), flight: newFlight(o.MaxInFlight, o.MaxWait), slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	r.bodies.New = func() any { return new(body) }
	var err error
	if r.metrics, err = newMetrics(r, o.Registerer); err != nil {
		return nil, fmt.Errorf("inference receiver: %w", err)
	}
	return r, nil
}

func set[T int | int64 | time.Duration](p *T, v T) {
	if *p <= 0 {
		*p = v
	}
}

// Inferences serves POST /ai/v1/inferences.
func (r *Receiver) Inferences() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, decode.Inferences) })
}

// Labels serves POST /ai/v1/labels.
func (r *Receiver) Labels() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.serve(w, q, decode.Labels) })
}

// ServeHTTP serves both paths, told apart by the last part of the path.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	kind := decode.Inferences
	if n := len(q.URL.Path); n >= 7 && q.URL.Path[n-7:] == "/labels" {
		kind = decode.Labels
	}
	r.serve(w, q, kind)
}

// problem is a request that is answered with an error.
type problem struct {
	status int
	after  time.Duration
	text   string
}

func (p *problem) Error() string { return p.text }

func (r *Receiver) serve(w http.ResponseWriter, q *http.Request, kind decode.Kind) {
	out, err := r.receive(w, q, kind)
	if err == nil {
		if out.duplicate {
			w.Header().Set("X-Modelwatch-Duplicate", "true")
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write(out.answer(r.o.MaxNamed)) // It is stored whether or not the sender still listens.
		r.metrics.requests.WithLabelValues("202").Inc()
		return
	}
	p := r.problem(q, err)
	if p.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.after.Seconds()))))
	}
	http.Error(w, p.text, p.status)
	r.metrics.requests.WithLabelValues(strconv.Itoa(p.status)).Inc()
}

// problem turns any error into an answer.
func (r *Receiver) problem(q *http.Request, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	p := &problem{status: http.StatusServiceUnavailable, after: 5 * time.Second, text: err.Error()}
	if c, ok := errors.AsType[interface {
		error
		StatusCode() int
	}](err); ok {
		p.status = c.StatusCode()
	}
	if c, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		p.after = c.RetryAfter()
	} else if q.Context().Err() == nil {
		r.o.Logger.Error("Store received inferences", "err", err)
	}
	return p
}

// receive reads a request and stores it.
func (r *Receiver) receive(w http.ResponseWriter, q *http.Request, kind decode.Kind) (*outcome, error) {
	if q.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &problem{status: http.StatusMethodNotAllowed, text: "send records by POST"}
	}
	form, err := formOf(q.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	if form == formArrow && kind == decode.Labels {
		return nil, &problem{status: http.StatusUnsupportedMediaType, text: "labels are sent as application/x-ndjson or application/json"}
	}
	id := q.Header.Get(BatchIDHeader)
	if len(id) > MaxBatchID {
		return nil, &problem{status: http.StatusBadRequest, text: fmt.Sprintf("%s has %d bytes, the limit is %d", BatchIDHeader, len(id), MaxBatchID)}
	}
	b := r.bodies.Get().(*body)
	held := int64(0)
	defer func() {
		r.flight.release(held)
		if b != nil && cap(b.data) <= maxKept {
			r.bodies.Put(b)
		}
	}()
	hold := func(n int64) error {
		err := r.flight.hold(q.Context(), held, n)
		if err == nil {
			held += n
		}
		return err
	}
	if err := b.read(q, r.o.MaxBody, hold); err != nil {
		return nil, err
	}
	r.metrics.bytes.Add(float64(b.wire))
	select {
	case r.slots <- struct{}{}:
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
	out, wait, err := r.store(q.Context(), b.data, form, kind, id)
	<-r.slots
	if cap(b.data) > maxKept {
		b = nil // Nothing points into it, and the sink may take a while.
	}
	if werr := wait(); err == nil {
		err = werr
	}
	if err != nil {
		return nil, err
	}
	r.metrics.count(kind, out)
	return out, nil
}

// store decodes a body and hands it to the sink in chunks. wait returns when
// all of them are durable, and must be called in any case. The caller has a slot.
func (r *Receiver) store(ctx context.Context, data []byte, form form, kind decode.Kind, id string) (*outcome, func() error, error) {
	out := &outcome{}
	c := &chunks{r: r, ctx: ctx, id: id, kind: kind, out: out, arrival: r.o.Now(), room: make(chan struct{}, chunksAtOnce)}
	var err error
	switch form {
	case formLines:
		err = c.lines(data)
	case formArrow:
		err = c.arrow(data)
	default:
		err = c.document(data)
	}
	return out, c.wait, err
}

// decoder returns an idle decoder, or a new one.
func (r *Receiver) decoder(arrival time.Time) *decode.Decoder {
	var d *decode.Decoder
	select {
	case d = <-r.decoders:
	default:
		d = decode.New()
	}
	d.Reset(decode.Limits{Arrival: arrival, Future: r.o.Future, Age: r.o.Retention})
	return d
}

// maxKept is the size in bytes beyond which a body is not kept.
const maxKept = 4 << 20

// maxIdle is the size in bytes beyond which a decoder is not kept.
const maxIdle = 24 << 20

func (r *Receiver) putDecoder(d *decode.Decoder) {
	if d.Size() > maxIdle {
		return
	}
	d.Reset(decode.Limits{})
	select {
	case r.decoders <- d:
	default:
	}
}
