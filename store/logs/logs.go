// Package logstore says what modelwatch expects of a store of logs and how one refuses.
//
// The stores themselves are in local (DuckDB in this process, the default) and remote (a Loki cluster or another
// modelwatch). Both pass the suite in contract.
package logstore

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// Store keeps log lines. All methods may be called from many goroutines.
type Store interface {
	// Append stores entries and returns when they are durable. Entries that the store refuses do not keep the others
	// from being stored; the error is then a *Rejected. An entry that equals a stored one in stream, timestamp and line
	// is accepted and not stored again. The store does not keep streams after it has returned.
	Append(ctx context.Context, streams []logs.Stream) error
	// Select reads entries. An entry is seen by every Select that begins after its Append has returned.
	Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error)
	// Series returns the label sets of streams that have entries in start <= t < end and match all matchers of any
	// group. No group selects every stream.
	Series(ctx context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error)
	// Volume adds up the bytes of lines by stream or label. Where the range cuts a stream it may be an estimate.
	Volume(ctx context.Context, req logs.VolumeRequest) ([]logs.Volume, error)
	// Delete removes entries for good: those in start <= t < end whose stream matches and whose line passes the filters.
	Delete(ctx context.Context, req DeleteRequest) error
}

// DeleteRequest says which entries to remove.
type DeleteRequest struct {
	// Query is the selector and line filters as the user wrote them. A store that forwards the request sends this.
	Query string
	// Matchers and Filters say the same.
	Matchers []*labels.Matcher
	Filters  []logs.LineFilter
	// Start <= t < End in nanoseconds since the Unix epoch.
	Start, End int64
}

// Reason is why entries were refused, in words that Loki's clients know.
type Reason string

// The reasons.
const (
	TooOld         Reason = "greater_than_max_sample_age"
	TooNew         Reason = "too_far_in_future"
	LineTooLong    Reason = "line_too_long"
	BadLabels      Reason = "invalid_labels"
	TooManyStreams Reason = "stream_limit"
	TooManyValues  Reason = "label_value_limit"
	RateLimited    Reason = "rate_limited"
	StreamRate     Reason = "per_stream_rate_limit"
)

// Refusal is a number of entries refused for one reason.
type Refusal struct {
	Reason  Reason
	Entries int
	// Explanation is one sentence for the sender: what was wrong with the first of the entries and the way out.
	Explanation string
}

// Rejected is the error of an Append that refused entries. The other entries of the request are stored.
type Rejected struct {
	Refusals []Refusal
	// Total is the number of entries in the request.
	Total int
}

// Error explains every refusal.
func (r *Rejected) Error() string {
	var b strings.Builder
	for i, f := range r.Refusals {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Explanation)
	}
	return fmt.Sprintf("%d of %d entries refused: %s", r.Rejected(), r.Total, b.String())
}

// StatusCode is the HTTP status that tells the sender what to do: 429 if trying again later helps, else 400.
func (r *Rejected) StatusCode() int {
	for _, f := range r.Refusals {
		if f.Reason != RateLimited && f.Reason != StreamRate {
			return http.StatusBadRequest
		}
	}
	return http.StatusTooManyRequests
}

// Rejected is the number of entries refused.
func (r *Rejected) Rejected() int {
	n := 0
	for _, f := range r.Refusals {
		n += f.Entries
	}
	return n
}

// Add counts entries refused for a reason; explain is called for the first only.
func (r *Rejected) Add(reason Reason, entries int, explain func() string) {
	for i := range r.Refusals {
		if r.Refusals[i].Reason == reason {
			r.Refusals[i].Entries += entries
			return
		}
	}
	r.Refusals = append(r.Refusals, Refusal{Reason: reason, Entries: entries, Explanation: explain()})
}

// TooBigError is a query that needed more memory than the store may use.
type TooBigError struct {
	Limit string
	Err   error
}

// Error says what to do.
func (e *TooBigError) Error() string {
	return fmt.Sprintf("query needs more than the log store's memory limit of %s: narrow the time range or the selector, or raise logs.memory_limit (%v)", e.Limit, e.Err)
}

// Unwrap returns the engine's error.
func (e *TooBigError) Unwrap() error { return e.Err }

// StatusCode is the HTTP status of the error.
func (e *TooBigError) StatusCode() int { return http.StatusUnprocessableEntity }
