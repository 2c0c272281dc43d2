// Package server joins the log store, the query engine, the receivers and the Loki API as the program does, without
// everything else, for benchmarks and end-to-end tests of logs.
package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/prometheus/model/labels"

	api "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/receive/otlplogs"
	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql"
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
	queries, err := api.New(api.Options{Queries: &logsearch.Queries{Engine: logql.New(store, logql.Options{})}, Store: &Adapter{store}})
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
