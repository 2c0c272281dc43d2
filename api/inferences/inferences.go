// Package inferences answers GET /ai/v1/inferences: single inferences, listed
// and filtered.
//
// It reads parameters and writes JSON; what is kept, and for how long, is the
// store's concern. Inferences are taken in by collect/receive/inferences.
package inferences

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query says which inferences are asked for. Empty fields mean any.
type Query struct {
	Service, Model, Version, Endpoint, RequestID string
	// Since and Until bound the timestamp; Until is not in.
	Since, Until time.Time
	// Errors asks for failed ones only.
	Errors bool
	// Limit is how many to list at most: 1 to MaxLimit.
	Limit int
	// Oldest asks for the oldest first instead of the newest.
	Oldest bool
}

// Lister lists inferences. The rows are written as JSON as they are. status says
// in words what is not kept, and is empty while everything is.
type Lister interface {
	List(ctx context.Context, q Query) (rows any, n int, status string, err error)
}

// Limits of a list.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// Options configures a Handler.
type Options struct {
	Lister Lister
	// Now is the clock, for relative times; default time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Handler serves GET /ai/v1/inferences.
type Handler struct{ o Options }

// New returns a handler.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{o}
}

// Answer is what a list is wrapped in.
type answer struct {
	Inferences any `json:"inferences"`
	Count      int `json:"count"`
	// Notice says why the list may not have all inferences.
	Notice string `json:"notice,omitempty"`
}

// ServeHTTP answers with {"inferences": […], "count": n}.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "list inferences by GET", http.StatusMethodNotAllowed)
		return
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, "parameters: "+err.Error(), http.StatusBadRequest)
		return
	}
	q, err := Parse(values, h.o.Now())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, n, notice, err := h.o.Lister.List(r.Context(), q)
	if err != nil {
		if r.Context().Err() == nil {
			h.o.Logger.Error("List inferences", "err", err)
		}
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	body, err := json.Marshal(answer{rows, n, notice})
	if err != nil {
		h.o.Logger.Error("Encode inferences", "err", err)
		http.Error(w, "encode inferences: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // Nobody is left to be told.
}

// parameters are those that a request may have.
var parameters = []string{
	"service", "model", "version", "endpoint", "request_id", "since", "until", "errors", "limit", "order",
}

// Parse reads the parameters of a request. The error names the parameter and
// what it may be.
func Parse(values url.Values, now time.Time) (q Query, err error) {
	q.Limit = DefaultLimit
	for name, list := range values {
		if !slices.Contains(parameters, name) {
			return q, fmt.Errorf("parameter %q is not known: use %s", name, strings.Join(parameters, ", "))
		}
		if len(list) > 1 {
			return q, fmt.Errorf("parameter %q is given %d times", name, len(list))
		}
	}
	q.Service, q.Model, q.Version = values.Get("service"), values.Get("model"), values.Get("version")
	q.Endpoint, q.RequestID = values.Get("endpoint"), values.Get("request_id")
	if q.Since, err = parseTime("since", values.Get("since"), now); err != nil {
		return q, err
	}
	if q.Until, err = parseTime("until", values.Get("until"), now); err != nil {
		return q, err
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return q, fmt.Errorf("since (%s) is not before until (%s)", q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	}
	switch v := values.Get("errors"); v {
	case "", "false", "0":
	case "true", "1":
		q.Errors = true
	default:
		return q, fmt.Errorf("errors is %q: want true or false", v)
	}
	if v := values.Get("limit"); v != "" {
		if q.Limit, err = strconv.Atoi(v); err != nil || q.Limit < 1 || q.Limit > MaxLimit {
			return q, fmt.Errorf("limit is %q: want a number from 1 to %d", v, MaxLimit)
		}
	}
	switch v := values.Get("order"); v {
	case "", "desc", "newest":
	case "asc", "oldest":
		q.Oldest = true
	default:
		return q, fmt.Errorf("order is %q: want desc (newest first) or asc", v)
	}
	return q, nil
}

// parseTime reads an RFC 3339 time, Unix seconds, or a duration before now.
func parseTime(name, v string, now time.Time) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, v); err == nil && t.Year() >= 1678 && t.Year() < 2262 {
		return t.UTC(), nil
	}
	if x, err := strconv.ParseFloat(v, 64); err == nil && math.Abs(x) < 9e9 {
		sec := math.Floor(x)
		return time.Unix(int64(sec), int64((x-sec)*1e9)).UTC(), nil
	}
	if d, err := time.ParseDuration(v); err == nil && d >= 0 {
		return now.Add(-d).UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%s is %q: want RFC 3339 (2006-01-02T15:04:05Z), Unix seconds, or how long ago (15m)", name, v)
}
