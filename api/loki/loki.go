// Package loki serves Loki's HTTP API for queries under /loki/api/v1, in Loki's own shapes, so that Grafana's Loki data
// source, Logs Drilldown and logcli work unchanged.
//
// It reads requests and writes answers. The language is the business of a Queries, the data that of a Store; pushing is
// received elsewhere, and so are rules.
package loki

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// Queries answers LogQL. An error whose chain has a method StatusCode is answered with that HTTP status.
type Queries interface {
	// Range answers a query over a range of time.
	Range(ctx context.Context, q Query) (*Result, error)
	// Instant answers a metric query at a point of time.
	Instant(ctx context.Context, text string, at time.Time) (*Result, error)
	// Parse reads a query without running it.
	Parse(text string) (*Parsed, error)
	// Selector reads a stream selector alone.
	Selector(text string) ([]*labels.Matcher, error)
	// DetectedFields finds the fields in the newest q.Limit entries of a log query, at most limit of them.
	DetectedFields(ctx context.Context, q Query, limit int) ([]Field, error)
	// DetectedFieldValues are the values of one field there.
	DetectedFieldValues(ctx context.Context, q Query, name string, limit int) ([]string, error)
}

// Field is a field that a sample of entries has.
type Field struct {
	Label string `json:"label"`
	// Type is string, int, float, boolean, duration or bytes.
	Type        string   `json:"type"`
	Cardinality int      `json:"cardinality"`
	Parsers     []string `json:"parsers"`
	JSONPath    []string `json:"jsonPath,omitempty"`
}

// Query is a query over a range of time: entries with Start <= t < End, or points at Start, Start+Step, … <= End.
type Query struct {
	Text       string
	Start, End time.Time
	Step       time.Duration
	// Interval is the least distance of entries; 0 is none.
	Interval time.Duration
	Limit    int
	Forward  bool
	// Categorize keeps the labels of the stream, of metadata and of parsers apart.
	Categorize bool
}

// Parsed is a query that was read.
type Parsed struct {
	// Metric is true for a query for numbers.
	Metric bool
	// Pretty is the query over several lines. Plan says how it would be run, as something to be written as JSON.
	Pretty string
	Plan   any
	// Matchers and Filters are what a log query selects. Simple is true if there is nothing else in it.
	Matchers []*labels.Matcher
	Filters  []logs.LineFilter
	Simple   bool
	// Run makes a function that takes one entry after the other through all of a log query's stages.
	Run func() func(stream labels.Labels, e logs.Entry) (labels.Labels, string, bool)
}

// Result is the answer to a query. Type says which part is filled.
type Result struct {
	// Type is streams, vector, matrix or scalar.
	Type     string
	Streams  []Stream
	Series   []Series
	Warnings []string
	Stats    Stats
}

// Stream is entries with the same labels.
type Stream struct {
	Labels  labels.Labels
	Entries []Entry
}

// Entry is a line of a result. Metadata and Parsed are filled for a query that asked for categories.
type Entry struct {
	Timestamp        int64
	Line             string
	Metadata, Parsed labels.Labels
}

// Series is points of a vector (one), a matrix, or a scalar (one, without labels).
type Series struct {
	Labels labels.Labels
	Points []Point
}

// Point is a value at a time in Unix milliseconds.
type Point struct {
	T int64
	V float64
}

// Stats is what a query cost.
type Stats struct {
	Streams                   int
	Lines, Bytes, Kept, Given int64
	Scans                     int
	Duration                  time.Duration
}

// Store has the streams.
type Store interface {
	Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error)
	Series(ctx context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error)
	Volume(ctx context.Context, req logs.VolumeRequest) ([]logs.Volume, error)
}

// Sizer is a Store that can say cheaply how much a selection is.
type Sizer interface {
	Size(ctx context.Context, matchers []*labels.Matcher, start, end int64) (streams, chunks int, entries, bytes int64, err error)
}

// Follower is a Store that tells of new entries. The channel is closed for one that is too slow and after stop.
type Follower interface {
	Follow(buffer int) (commits <-chan []logs.Stream, stop func())
}

// Deleter keeps delete requests.
type Deleter interface {
	RequestDelete(query string, matchers []*labels.Matcher, filters []logs.LineFilter, start, end int64) (id string, err error)
	// Deletes lists the requests, the oldest first.
	Deletes() []Deletion
	// CancelDelete takes a waiting request back; false if there is none of that number.
	CancelDelete(id string) (bool, error)
}

// Deletion is a delete request. Start and End are in nanoseconds since the Unix epoch.
type Deletion struct {
	ID, Query, Status string
	Start, End        int64
	Created           time.Time
}

// Patterns has the templates of log lines, mined as the lines came in.
type Patterns interface {
	Patterns(ctx context.Context, matchers []*labels.Matcher, start, end, step int64) ([]Pattern, error)
}

// Pattern is a template with the numbers of its lines over time: pairs of Unix seconds and a number.
type Pattern struct {
	Text, Level string
	Samples     [][2]int64
}

// Options configures an API.
type Options struct {
	Queries Queries
	// Store may also be a Sizer, a Follower, a Deleter and Patterns; what it is not is answered by other means or with 501.
	Store Store
	// Timeout bounds a query. Default one minute.
	Timeout time.Duration
	// MaxEntries is the greatest limit of a log query, for those who ask what the limits are. Default 5000.
	MaxEntries int
	// ServiceName lists the labels from which service_name is made as lines come in, for those who ask what the limits are.
	ServiceName []string
	// Version is what status/buildinfo says; clients decide by it which of Loki's features to use. Default 3.7.0.
	Version string
	// Revision is modelwatch's own version.
	Revision string
	// Origins are host patterns of pages that may open the live tail beside modelwatch's own.
	Origins    []string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// API serves the endpoints.
type API struct {
	o        Options
	requests *prometheus.HistogramVec
	tails    prometheus.Gauge
	slow     prometheus.Counter
	stop     chan struct{}
	once     sync.Once
}

// New returns an API.
func New(o Options) (*API, error) {
	if o.Queries == nil || o.Store == nil {
		return nil, errors.New("loki API: queries and a store are needed")
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 5000
	}
	if o.Version == "" {
		o.Version = "3.7.0"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{
		o: o, stop: make(chan struct{}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "modelwatch_loki_api_request_seconds", Help: "Time to answer requests to the Loki API.",
			Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"endpoint"}),
		tails: prometheus.NewGauge(prometheus.GaugeOpts{Name: "modelwatch_loki_api_tails", Help: "Clients that follow logs live."}),
		slow:  prometheus.NewCounter(prometheus.CounterOpts{Name: "modelwatch_loki_api_tails_dropped_total", Help: "Live tails ended because the client was too slow."}),
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{a.requests, a.tails, a.slow} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// Close ends live tails; everything else ends with its request.
func (a *API) Close() { a.once.Do(func() { close(a.stop) }) }

// Register adds the endpoints to a mux, at their own paths.
func (a *API) Register(mux *http.ServeMux) {
	get := func(path string, f func(w http.ResponseWriter, r *http.Request) error) {
		h := a.handler(path, f)
		mux.Handle("GET /loki/api/v1"+path, h)
		// Long queries are sent as a form.
		mux.Handle("POST /loki/api/v1"+path, h)
	}
	get("/query", a.query)
	get("/query_range", a.queryRange)
	get("/labels", a.labelNames)
	get("/label", a.labelNames)
	get("/label/{name}/values", a.labelValues)
	get("/series", a.series)
	get("/index/stats", a.indexStats)
	get("/index/volume", a.volume)
	get("/index/volume_range", a.volumeRange)
	get("/patterns", a.patterns)
	get("/detected_labels", a.detectedLabels)
	get("/detected_fields", a.detectedFields)
	get("/detected_field/{name}/values", a.detectedValues)
	get("/format_query", a.formatQuery)
	get("/drilldown-limits", a.limits)
	mux.Handle("GET /loki/api/v1/status/buildinfo", a.handler("/status/buildinfo", a.buildInfo))
	mux.Handle("GET /loki/api/v1/tail", http.HandlerFunc(a.tail))
	mux.Handle("GET /loki/api/v1/delete", a.handler("/delete", a.listDeletes))
	mux.Handle("POST /loki/api/v1/delete", a.handler("/delete", a.requestDelete))
	mux.Handle("PUT /loki/api/v1/delete", a.handler("/delete", a.requestDelete))
	mux.Handle("DELETE /loki/api/v1/delete", a.handler("/delete", a.cancelDelete))
}

// statusError is an error with its HTTP status.
type statusError struct {
	status int
	error
}

func (e statusError) StatusCode() int { return e.status }
func (e statusError) Unwrap() error   { return e.error }

func bad(err error) error { return statusError{http.StatusBadRequest, err} }

// clientGone is the status that nobody reads.
const clientGone = 499

func (a *API) handler(endpoint string, f func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		ctx, cancel := context.WithTimeout(r.Context(), a.o.Timeout)
		defer cancel()
		err := f(w, r.WithContext(ctx))
		a.requests.WithLabelValues(endpoint).Observe(time.Since(begin).Seconds())
		if err != nil {
			a.fail(w, r, err)
		}
	})
}

// fail answers with an error, as Loki does in plain text.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	var coded interface{ StatusCode() int }
	text := err.Error()
	switch {
	case r.Context().Err() != nil:
		status = clientGone
	case errors.As(err, &coded):
		status = coded.StatusCode()
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
		text = "query took longer than " + a.o.Timeout.String() + ": narrow the time range or the selector, or raise the timeout"
	case errors.Is(err, context.Canceled):
		status = http.StatusServiceUnavailable
	}
	if status == http.StatusInternalServerError {
		a.o.Logger.Error("answer Loki API request", "path", r.URL.Path, "err", err)
	}
	http.Error(w, text, status)
}

// answer writes data as JSON.
func answer(w http.ResponseWriter, data any) error {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// An error here means that the client is gone.
	_ = enc.Encode(data)
	return nil
}

// success is the frame around most answers.
type success struct {
	Status string `json:"status"`
	Data   any    `json:"data"`
}
