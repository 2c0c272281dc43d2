// Package models serves what is known of AI models over HTTP, under /ai/v1:
// services, models, versions, features, drift, baselines and the catalogue.
//
// It reads requests and writes JSON; what is true, a Models and a Baselines know. It
// receives no inferences and decides nothing. openapi.yaml in the folder above
// describes it.
package models

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// AnyService as a service selects the only one that has the model, or all where several
// may be listed.
const AnyService = "*"

// The types that answers take are plain structs, so that whoever knows them need not
// import this package.
type (
	// DriftQuery selects versions and a span of time; nil and zero mean the default.
	DriftQuery = struct {
		Service, Model, Version *string
		From, To                time.Time
		Limit                   int
	}
	// Comparison is what is to be compared. Service and Version are those of Model; nil
	// means the only one that there is. One side is the span of BaselineID, that from
	// BaselineSince to BaselineUntil, or without these the span of the baseline in use;
	// the other is from Since to Until, which is now where it is zero. Rows is about how
	// many rows of each side are taken, evenly; 0 means all.
	Comparison = struct {
		Service, Version             *string
		Model                        string
		BaselineID                   string
		BaselineSince, BaselineUntil time.Time
		Since, Until                 time.Time
		Presets, Exclude             []string
		Rows                         int
	}
	// Origin says what a new baseline is of.
	Origin = struct {
		Key      ai.Key
		Note     string
		Activate bool
	}
	// Table says how rows are to be read: Format is "csv", "ndjson" or "parquet";
	// Prediction and Label name columns that are no features, Exclude those that are
	// left out.
	Table = struct {
		Format, Prediction, Label string
		Exclude                   []string
	}
)

// Models knows models. Each method returns a document to be written as JSON; an error
// whose chain has a method StatusCode is answered with that status, others with 500.
type Models interface {
	Services(ctx context.Context) (any, error)
	Models(ctx context.Context, service string) (any, error)
	Model(ctx context.Context, service, model string) (any, error)
	Version(ctx context.Context, key ai.Key) (any, error)
	Features(ctx context.Context, key ai.Key) (any, error)
	Feature(ctx context.Context, key ai.Key, feature string) (any, error)
	Drift(ctx context.Context, q DriftQuery) (any, error)
	Catalogue() any
}

// Comparer compares raw inferences. Documents and errors are as in Models.
type Comparer interface {
	Compare(ctx context.Context, q Comparison) (any, error)
}

// Baselines knows baselines. Documents and errors are as in Models.
type Baselines interface {
	Baselines(ctx context.Context, key ai.Key) (any, error) // Empty fields select all.
	Baseline(ctx context.Context, id string) (any, error)
	Confirm(ctx context.Context, id string) (any, error)
	Activate(ctx context.Context, id string) (any, error)
	Delete(ctx context.Context, id string) error
	// Export returns a document, with the single records of the baseline or without.
	Export(ctx context.Context, id string, records bool) ([]byte, error)
	// Import takes an exported document; fields of key that are not empty win over it.
	Import(ctx context.Context, document []byte, key ai.Key, activate bool) (any, error)
	FromRange(ctx context.Context, o Origin, from, to time.Time) (any, error)
	FromTable(ctx context.Context, o Origin, t Table, body io.Reader) (any, error)
}

// Options is what a handler needs.
type Options struct {
	Models    Models
	Baselines Baselines
	Comparer  Comparer
	// MaxDocument bounds an imported baseline; default 64 MiB.
	MaxDocument int64
	Logger      *slog.Logger
}

type handler struct {
	Options
	log *slog.Logger
}

// New returns the handler of everything under /ai/v1 that Models and Baselines
// know. It expects the whole path, and leaves other paths and methods to whoever
// has the mux.
func New(o Options) *http.ServeMux {
	if o.MaxDocument <= 0 {
		o.MaxDocument = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &handler{o, o.Logger.With("component", "api")}
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"GET /ai/v1/services":                                             h.services,
		"GET /ai/v1/models":                                               h.models,
		"GET /ai/v1/models/{model}":                                       h.model,
		"GET /ai/v1/models/{model}/versions/{version}":                    h.version,
		"GET /ai/v1/models/{model}/versions/{version}/features":           h.features,
		"GET /ai/v1/models/{model}/versions/{version}/features/{feature}": h.feature,
		"GET /ai/v1/drift":                                                h.drift,
		"GET /ai/v1/drift/compare":                                        h.compare,
		"GET /ai/v1/metrics/catalogue":                                    h.catalogue,
		"GET /ai/v1/baselines":                                            h.baselines,
		"GET /ai/v1/baselines/{id}":                                       h.baseline,
		"POST /ai/v1/baselines/{id}/confirm":                              h.confirm,
		"POST /ai/v1/baselines/{id}/activate":                             h.activate,
	} {
		mux.HandleFunc(pattern, h.json(http.StatusOK, serve))
	}
	mux.HandleFunc("POST /ai/v1/baselines", h.json(http.StatusCreated, h.create))
	mux.HandleFunc("DELETE /ai/v1/baselines/{id}", h.delete)
	mux.HandleFunc("GET /ai/v1/baselines/{id}/export", h.export)
	return mux
}

// json answers with the document that serve returns.
func (h *handler) json(status int, serve func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		doc, err := serve(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		text, err := encode(doc)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		write(w, status, text)
	}
}

// encode writes a document as people read it: "&" stays "&".
func encode(doc any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("write answer: %w", err)
	}
	return b.Bytes(), nil
}

func write(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // Nobody is left to tell if the client is gone.
}

// fail answers with an error.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if known, ok := errors.AsType[interface {
		error
		StatusCode() int
	}](err); ok {
		status = known.StatusCode()
	} else if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	if status == http.StatusInternalServerError {
		h.log.Error("A request failed", "path", r.URL.Path, "err", err)
	}
	if again, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok && again.RetryAfter() > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(again.RetryAfter().Seconds())))
	}
	text, _ := encode(map[string]string{"error": err.Error()}) // A string can always be written.
	write(w, status, text)
}

func (h *handler) services(r *http.Request) (any, error) { return h.Models.Services(r.Context()) }

func (h *handler) models(r *http.Request) (any, error) {
	return h.Models.Models(r.Context(), service(r))
}

func (h *handler) model(r *http.Request) (any, error) {
	return h.Models.Model(r.Context(), service(r), r.PathValue("model"))
}

func (h *handler) version(r *http.Request) (any, error) {
	return h.Models.Version(r.Context(), version(r))
}

func (h *handler) features(r *http.Request) (any, error) {
	return h.Models.Features(r.Context(), version(r))
}

func (h *handler) feature(r *http.Request) (any, error) {
	return h.Models.Feature(r.Context(), version(r), r.PathValue("feature"))
}

func (h *handler) catalogue(*http.Request) (any, error) { return h.Models.Catalogue(), nil }

func (h *handler) drift(r *http.Request) (any, error) {
	p := params{r.URL.Query()}
	q := DriftQuery{Service: p.optional("service"), Model: p.optional("model"), Version: p.optional("version")}
	var err error
	if q.From, err = p.time("since"); err != nil {
		return nil, err
	}
	if q.To, err = p.time("until"); err != nil {
		return nil, err
	}
	if q.Limit, err = p.count("limit", 10_000); err != nil {
		return nil, err
	}
	return h.Models.Drift(r.Context(), q)
}

// maxRows is more than any comparison takes.
const maxRows = 10_000_000

func (h *handler) compare(r *http.Request) (any, error) {
	p := params{r.URL.Query()}
	q := Comparison{
		Service: p.optional("service"), Model: p.Get("model"), Version: p.optional("version"),
		BaselineID: p.Get("baseline"), Presets: p.Values["preset"], Exclude: p.Values["exclude"],
	}
	for name, into := range map[string]*time.Time{
		"baseline_since": &q.BaselineSince, "baseline_until": &q.BaselineUntil, "since": &q.Since, "until": &q.Until,
	} {
		t, err := p.time(name)
		if err != nil {
			return nil, err
		}
		*into = t
	}
	var err error
	if q.Rows, err = p.count("rows", maxRows); err != nil {
		return nil, err
	}
	return h.Comparer.Compare(r.Context(), q)
}

// service is the service that a request is about.
func service(r *http.Request) string {
	q := r.URL.Query()
	if !q.Has("service") {
		return AnyService
	}
	return q.Get("service")
}

// version is the model version that a request is about; "-" in the path stands for a
// model without versions.
func version(r *http.Request) ai.Key {
	k := ai.Key{Service: service(r), Model: r.PathValue("model"), Version: r.PathValue("version")}
	if k.Version == "-" {
		k.Version = ""
	}
	return k
}
