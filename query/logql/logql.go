// Package logql answers LogQL queries from a log store: it parses, plans and runs.
//
// The plan gives the store what it can do exactly (streams, time, line filters, conditions on labels before a parser, and
// counting) and does the rest itself, in one pass over what the store delivers and within limits. It is written after
// the public documentation of the language and the answers of a real Loki. It does not store anything, keeps no state
// between queries and knows no protocol: handlers turn a Result into what their clients expect.
package logql

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// Store is the log store that queries are asked of.
type Store interface {
	// Select gives the entries of a selection. The cursor ends with the context.
	Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error)
}

// Counter is a Store that can count by itself. It returns logs.ErrNotPushed for what it cannot count exactly.
type Counter interface {
	Count(ctx context.Context, req logs.CountRequest) (logs.Counts, error)
}

// Options are the limits of an Engine. Zero values stand for the defaults.
type Options struct {
	// MaxEntries is the greatest limit that a log query may ask for. Default 5000.
	MaxEntries int
	// MaxSeries is the greatest number of series in an answer. Default 500.
	MaxSeries int
	// MaxPoints is the greatest number of points of a series. Default 11000.
	MaxPoints int
	// MaxWorkSeries is the greatest number of series that a part of a query may have while it is worked on, before
	// aggregations make them fewer. Default 100000.
	MaxWorkSeries int
	// MaxBytes is the memory that a query may hold, roughly. Default 256 MiB.
	MaxBytes int64
	// Workers is the number of goroutines that run the pipeline of a metric query. Default is GOMAXPROCS, at most 8.
	Workers int
	// Now is the clock for statistics. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxEntries, 5000)
	def(&o.MaxSeries, 500)
	def(&o.MaxPoints, 11000)
	def(&o.MaxWorkSeries, 100_000)
	def(&o.Workers, min(runtime.GOMAXPROCS(0), 8))
	if o.MaxBytes <= 0 {
		o.MaxBytes = 256 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Engine answers queries. It may be used by several goroutines and needs no closing.
type Engine struct {
	store Store
	opts  Options
}

// New makes an engine on a store.
func New(store Store, opts Options) *Engine {
	return &Engine{store: store, opts: opts.withDefaults()}
}

// Query is a query over a range of time.
type Query struct {
	Text string
	// Start and End bound it: a log query gives entries with Start <= t < End, a metric query points at Start,
	// Start+Step, … <= End.
	Start, End time.Time
	// Step is the distance of points of a metric query.
	Step time.Duration
	// Interval is the least distance of entries of a log query; 0 is none.
	Interval time.Duration
	// Limit is the greatest number of entries of a log query; 0 is the default of 100.
	Limit int
	// Forward gives the oldest entries first, otherwise the newest.
	Forward bool
	// Categorize keeps the labels of streams, of metadata and of parsers apart: streams in the result then have the
	// labels of streams alone, and entries have the others.
	Categorize bool
}

// DefaultLimit is the number of entries of a log query that does not say.
const DefaultLimit = 100

// DefaultStep is the step for a range of time when none is given: about 250 points, at least a second apart.
func DefaultStep(start, end time.Time) time.Duration {
	return max(time.Second, (end.Sub(start) / 250).Truncate(time.Second))
}

// LimitError is a query that would be more than the limits allow.
type LimitError struct {
	// Msg says which limit, Hint what to do.
	Msg, Hint string
}

// Error implements error.
func (e *LimitError) Error() string { return e.Msg + " (" + e.Hint + ")" }

// PipelineError is an entry that a metric query cannot count because a stage of its pipeline failed on it.
type PipelineError struct {
	// Kind is the value of __error__, Details of __error_details__.
	Kind, Details string
	// Labels are those of the entry.
	Labels labels.Labels
}

// Error implements error.
func (e *PipelineError) Error() string {
	return fmt.Sprintf("pipeline error %s for %s: %s (skip such entries by | __error__!=%q, all with errors by | __error__=\"\", after the stage that fails)",
		e.Kind, e.Labels, e.Details, e.Kind)
}

// MatchError is a binary operation whose vectors do not fit together.
type MatchError struct {
	Msg string
}

// Error implements error.
func (e *MatchError) Error() string { return e.Msg }

// RequestError is a request that makes no sense, whatever the data.
type RequestError struct {
	Msg, Hint string
}

// Error implements error.
func (e *RequestError) Error() string {
	if e.Hint == "" {
		return e.Msg
	}
	return e.Msg + " (" + e.Hint + ")"
}

// IsUserError says whether an error is due to the query and not to the store or its surroundings.
func IsUserError(err error) bool {
	var (
		syn *syntax.Error
		lim *LimitError
		pip *PipelineError
		mat *MatchError
		req *RequestError
	)
	return errors.As(err, &syn) || errors.As(err, &lim) || errors.As(err, &pip) || errors.As(err, &mat) || errors.As(err, &req)
}

// Range answers a query over a range of time: streams for a log query, a matrix for a metric query.
func (e *Engine) Range(ctx context.Context, q Query) (*Result, error) {
	expr, err := syntax.Parse(q.Text)
	if err != nil {
		return nil, err
	}
	if q.End.Before(q.Start) {
		return nil, &RequestError{Msg: "the end is before the start"}
	}
	r := e.newRun(ctx)
	if l, ok := expr.(*syntax.LogExpr); ok {
		return r.finish(r.log(l, q))
	}
	if q.Step <= 0 {
		return nil, &RequestError{Msg: "a metric query over a range of time needs a step greater than 0", Hint: "such as 15s"}
	}
	n := q.End.Sub(q.Start)/q.Step + 1
	if n > time.Duration(e.opts.MaxPoints) {
		return nil, &LimitError{Msg: fmt.Sprintf("%d points for each series are more than %d", n, e.opts.MaxPoints), Hint: "use a longer step or a shorter range"}
	}
	r.grid = grid{start: q.Start.UnixNano(), step: int64(q.Step), n: int(n)}
	return r.finish(r.matrix(expr.(syntax.SampleExpr)))
}

// Instant answers a metric query at one point of time: a vector, or a scalar for a number.
func (e *Engine) Instant(ctx context.Context, text string, at time.Time) (*Result, error) {
	expr, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	s, ok := expr.(syntax.SampleExpr)
	if !ok {
		return nil, &RequestError{Msg: "a log query has no value at one point of time", Hint: "ask it over a range of time"}
	}
	r := e.newRun(ctx)
	r.grid = grid{start: at.UnixNano(), step: int64(time.Second), n: 1}
	r.instant = true
	return r.finish(r.vector(s))
}
