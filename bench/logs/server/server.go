// Package server joins the log store, the query engine, the receivers and the Loki API as the program does, without
// everything else, for benchmarks and end-to-end tests of logs.
package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	api "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/app/logsearch"
	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/receive/otlplogs"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// Server is the parts and what they serve.
type Server struct {
	http.Handler
	Store *local.Store
	API   *api.API
	push  *loki.Handler
	store *logsearch.Store
}

// New opens a store and puts the rest around it.
func New(ctx context.Context, o local.Options) (*Server, error) {
	store, err := logsearch.New(ctx, o)
	if err != nil {
		return nil, err
	}
	s, err := around(ctx, store)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return s, nil
}

func around(ctx context.Context, store *logsearch.Store) (*Server, error) {
	opened, err := store.Open(ctx)
	if err != nil {
		return nil, err
	}
	push, err := loki.New(loki.Options{Appender: store})
	if err != nil {
		return nil, err
	}
	otlp, err := otlplogs.New(otlplogs.Options{Appender: store})
	if err != nil {
		return nil, err
	}
	queries, err := api.New(api.Options{Queries: &logsearch.Queries{Engine: logql.New(store, logql.Options{})}, Store: store})
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
	return &Server{Handler: mux, Store: opened, API: queries, push: push, store: store}, nil
}

// Close ends everything. Nothing may be serving any more but live tails, which end here.
func (s *Server) Close() error {
	s.API.Close()
	s.push.Close()
	return s.store.Close()
}
