// Package server joins the log store, the query engine, the receivers and the Loki API as the program does, without
// everything else, for benchmarks and end-to-end tests of logs.
package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	api "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/receive/otlplogs"
	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// Server is the parts and what they serve.
type Server struct {
	http.Handler
	Store *local.Store
	API   *api.API
	push  *loki.Handler
}

// New opens a store and puts the rest around it.
func New(ctx context.Context, o local.Options) (*Server, error) {
	store, err := local.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := around(store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return s, nil
}

func around(store *local.Store) (*Server, error) {
	push, err := loki.New(loki.Options{Appender: store})
	if err != nil {
		return nil, err
	}
	otlp, err := otlplogs.New(otlplogs.Options{Appender: store})
	if err != nil {
		return nil, err
	}
	queries, err := api.New(api.Options{Queries: &Queries{logql.New(store, logql.Options{})}, Store: &Adapter{store}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/loki/api/v1/push", push)
	mux.Handle("/api/prom/push", push)
	mux.Handle("/v1/logs", otlp)
	mux.Handle("/otlp/v1/logs", otlp)
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ready") })
	queries.Register(mux)
	return &Server{Handler: mux, Store: store, API: queries, push: push}, nil
}

// Close ends everything. Nothing may be serving any more but live tails, which end here.
func (s *Server) Close() error {
	s.API.Close()
	s.push.Close()
	return s.Store.Close()
}

// Queries is the query engine as the API wants it.
type Queries struct{ Engine *logql.Engine }

// userError is an error that the sender of a query can do something about.
type userError struct{ error }

func (userError) StatusCode() int { return http.StatusBadRequest }
func (e userError) Unwrap() error { return e.error }

func coded(err error) error {
	if err != nil && logql.IsUserError(err) {
		return userError{err}
	}
	return err
}

func query(q api.Query) logql.Query {
	return logql.Query{
		Text: q.Text, Start: q.Start, End: q.End, Step: q.Step, Interval: q.Interval, Limit: q.Limit,
		Forward: q.Forward, Categorize: q.Categorize,
	}
}

// Range implements api.Queries.
func (q *Queries) Range(ctx context.Context, a api.Query) (*api.Result, error) {
	res, err := q.Engine.Range(ctx, query(a))
	if err != nil {
		return nil, coded(err)
	}
	return result(res), nil
}

// Instant implements api.Queries.
func (q *Queries) Instant(ctx context.Context, text string, at time.Time) (*api.Result, error) {
	res, err := q.Engine.Instant(ctx, text, at)
	if err != nil {
		return nil, coded(err)
	}
	return result(res), nil
}

func result(res *logql.Result) *api.Result {
	out := &api.Result{Type: string(res.Type), Warnings: res.Warnings, Stats: api.Stats{
		Streams: res.Stats.Store.Streams, Lines: res.Stats.Store.Lines, Bytes: res.Stats.Store.Bytes,
		Kept: res.Stats.Kept, Given: res.Stats.Returned, Scans: res.Stats.Scans, Duration: res.Stats.Duration,
	}}
	for _, s := range res.Streams {
		st := api.Stream{Labels: s.Labels, Entries: make([]api.Entry, len(s.Entries))}
		for i, e := range s.Entries {
			st.Entries[i] = api.Entry(e)
		}
		out.Streams = append(out.Streams, st)
	}
	for _, s := range res.Vector {
		out.Series = append(out.Series, api.Series{Labels: s.Labels, Points: []api.Point{api.Point(s.Point)}})
	}
	for _, s := range res.Matrix {
		points := make([]api.Point, len(s.Points))
		for i, p := range s.Points {
			points[i] = api.Point(p)
		}
		out.Series = append(out.Series, api.Series{Labels: s.Labels, Points: points})
	}
	if res.Type == logql.Scalar {
		out.Series = []api.Series{{Points: []api.Point{api.Point(res.Scalar.Point)}}}
	}
	return out
}

// Parse implements api.Queries.
func (q *Queries) Parse(text string) (*api.Parsed, error) {
	expr, err := syntax.Parse(text)
	if err != nil {
		return nil, coded(err)
	}
	plan, err := q.Engine.Explain(text)
	if err != nil {
		return nil, coded(err)
	}
	out := &api.Parsed{Pretty: syntax.Pretty(expr), Plan: plan, Metric: true}
	l, ok := expr.(*syntax.LogExpr)
	if !ok {
		return out, nil
	}
	out.Metric, out.Simple, out.Matchers = false, true, l.Matchers
	for _, st := range l.Stages {
		f, ok := st.(*syntax.LineFilter)
		if !ok {
			out.Simple = false
			break
		}
		filter, ok := f.LogFilter()
		if !ok {
			out.Simple = false
			break
		}
		out.Filters = append(out.Filters, filter)
	}
	if _, err := logql.NewFilter(text); err != nil {
		return nil, coded(err)
	}
	out.Run = func() func(labels.Labels, logs.Entry) (labels.Labels, string, bool) {
		filter, err := logql.NewFilter(text)
		return func(ls labels.Labels, e logs.Entry) (labels.Labels, string, bool) {
			if err != nil {
				return ls, "", false
			}
			out, entry, ok := filter.Process(ls, e)
			return out, entry.Line, ok
		}
	}
	return out, nil
}

// Selector implements api.Queries.
func (q *Queries) Selector(text string) ([]*labels.Matcher, error) {
	m, err := syntax.ParseMatchers(text, true)
	return m, coded(err)
}

// DetectedFields implements api.Queries.
func (q *Queries) DetectedFields(ctx context.Context, a api.Query, limit int) ([]api.Field, error) {
	fields, err := q.Engine.DetectedFields(ctx, query(a), limit)
	if err != nil {
		return nil, coded(err)
	}
	out := make([]api.Field, len(fields))
	for i, f := range fields {
		out[i] = api.Field{Label: f.Label, Type: string(f.Type), Cardinality: f.Cardinality, Parsers: f.Parsers, JSONPath: f.JSONPath}
	}
	return out, nil
}

// DetectedFieldValues implements api.Queries.
func (q *Queries) DetectedFieldValues(ctx context.Context, a api.Query, name string, limit int) ([]string, error) {
	values, err := q.Engine.DetectedFieldValues(ctx, query(a), name, limit)
	return values, coded(err)
}

// Adapter is the store with delete requests and patterns as the API wants them.
type Adapter struct{ *local.Store }

// Patterns implements api.Patterns.
func (d *Adapter) Patterns(ctx context.Context, matchers []*labels.Matcher, start, end, step int64) ([]api.Pattern, error) {
	found, err := d.Store.Patterns(ctx, matchers, start, end, step)
	out := make([]api.Pattern, len(found))
	for i, p := range found {
		out[i] = api.Pattern{Text: p.Text, Samples: p.Samples}
	}
	return out, err
}

// RequestDelete implements api.Deleter.
func (d *Adapter) RequestDelete(query string, matchers []*labels.Matcher, filters []logs.LineFilter, start, end int64) (string, error) {
	return d.Store.RequestDelete(logstore.DeleteRequest{Query: query, Matchers: matchers, Filters: filters, Start: start, End: end})
}

// Deletes implements api.Deleter.
func (d *Adapter) Deletes() []api.Deletion {
	var out []api.Deletion
	for _, x := range d.Store.Deletes() {
		out = append(out, api.Deletion{ID: x.ID, Query: x.Query, Status: x.Status, Start: x.Start, End: x.End, Created: x.Created})
	}
	return out
}

// CancelDelete implements api.Deleter.
func (d *Adapter) CancelDelete(id string) (bool, error) {
	err := d.Store.CancelDelete(id)
	if errors.Is(err, local.ErrNoDelete) {
		return false, nil
	}
	return err == nil, err
}
