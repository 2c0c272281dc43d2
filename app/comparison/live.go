package comparison

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift/compare"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/evaluate/models"
	store "github.com/modelwatch/modelwatch/store/inferences"
)

// Bounds of a comparison on a server, whose memory is for other things too.
const (
	// MaxLiveValues is what each side may have, counted as in compare.Table.
	MaxLiveValues = 500_000
	// liveWait is how long a comparison waits for another one to end.
	liveWait = 30 * time.Second
	// liveLimit is how long one may take.
	liveLimit = 5 * time.Minute
)

// Rows reads raw inferences, as the inference store does.
type Rows interface {
	Extent(ctx context.Context, of store.Selection) (store.Extent, error)
	Scan(ctx context.Context, of store.Selection, f func(features, prediction []byte) error) error
}

// Live compares raw inferences that a server keeps. One comparison is made at a time.
type Live struct {
	// Limit is of the values of each side; MaxLiveValues.
	Limit int
	// Wait is how long a comparison waits for another one to end.
	Wait time.Duration

	rows   Rows
	engine *models.Engine
	turn   chan struct{} // Taken by the comparison that is under way.
}

// NewLive returns what compares raw inferences of the versions that an engine watches.
func NewLive(rows Rows, e *models.Engine) *Live {
	return &Live{Limit: MaxLiveValues, Wait: liveWait, rows: rows, engine: e, turn: make(chan struct{}, 1)}
}

// Query is what is to be compared. It is a plain struct, so that the API, which takes
// it, need not be imported.
type Query = struct {
	// Service and Version are those of Model; nil means the only one that there is.
	Service, Version *string
	Model            string
	// BaselineID names a baseline whose span is one side. Where neither it nor
	// BaselineSince is given, that is the baseline in use.
	BaselineID                   string
	BaselineSince, BaselineUntil time.Time
	// Since and Until bound the other side; Until is now where it is zero.
	Since, Until     time.Time
	Presets, Exclude []string
	// Rows is about how many rows of each side are taken, evenly; 0 means all.
	Rows int
}

// Side is what one side of a comparison was.
type Side struct {
	// BaselineID is of the baseline whose span it is.
	BaselineID string    `json:"baseline_id,omitempty"`
	Since      time.Time `json:"since"`
	Until      time.Time `json:"until"`
	// Kept is the number of raw inferences of that span, and Inferences how many these
	// stand for: more where days were sampled.
	Kept       int64   `json:"kept"`
	Inferences float64 `json:"inferences"`
	// Compared is how many of them were compared.
	Compared int `json:"compared"`
}

// Answer is the report about raw inferences.
type Answer struct {
	Service  string `json:"service"`
	Model    string `json:"model"`
	Version  string `json:"model_version"`
	Baseline Side   `json:"baseline"`
	Current  Side   `json:"current"`
	// Notices say what the figures are not about.
	Notices []string `json:"notices"`
	compare.Report
}

// Compare judges one span of a version's raw inferences against another.
func (l *Live) Compare(ctx context.Context, q Query) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, liveLimit)
	defer cancel()
	if len(q.Presets) == 0 {
		q.Presets = []string{compare.Modelwatch}
	}
	if err := checkPresets("preset", q.Presets); err != nil {
		return nil, refuse(http.StatusBadRequest, "%w", err)
	}
	out, err := l.sides(&q)
	if err != nil {
		return nil, err
	}
	end, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	key := ai.Key{Service: out.Service, Model: out.Model, Version: out.Version}
	baseline, err := l.read(ctx, key, &out.Baseline, &q, "the baseline")
	if err != nil {
		return nil, err
	}
	current, err := l.read(ctx, key, &out.Current, &q, "the current data")
	if err != nil {
		return nil, err
	}
	report, err := compare.Compare(baseline, current, q.Presets)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%w", err)
	}
	out.Report, out.Notices = *report, []string{}
	for _, s := range []struct {
		what string
		side Side
	}{{"baseline", out.Baseline}, {"current data", out.Current}} {
		if s.side.Inferences > float64(s.side.Kept)+0.5 {
			out.Notices = append(out.Notices, fmt.Sprintf("Of the %s, %d inferences are kept of about %.0f, for days beyond inferences.raw.day_size are sampled. Failed ones are all kept, so they weigh more here than they did.",
				s.what, s.side.Kept, s.side.Inferences))
		}
		if int64(s.side.Compared) < s.side.Kept {
			out.Notices = append(out.Notices, fmt.Sprintf("Of the %s, %d of the %d inferences that are kept were taken evenly.", s.what, s.side.Compared, s.side.Kept))
		}
	}
	return out, nil
}

// sides finds out what is to be compared.
func (l *Live) sides(q *Query) (*Answer, error) {
	choice := models.DriftQuery{Service: q.Service, Model: &q.Model, Version: q.Version}
	var of models.BaselineInfo
	var key ai.Key
	var err error
	ranged := !q.BaselineSince.IsZero() || !q.BaselineUntil.IsZero()
	switch {
	case q.BaselineID != "" && ranged:
		return nil, refuse(http.StatusBadRequest, "baseline names one, and baseline_since and baseline_until a span: leave one out")
	case q.BaselineID != "":
		if of, err = l.engine.BaselineByID(q.BaselineID); err != nil {
			return nil, err
		}
		key = of.Key()
		if q.Model != "" && q.Model != key.Model || q.Service != nil && *q.Service != key.Service || q.Version != nil && *q.Version != key.Version {
			return nil, refuse(http.StatusBadRequest, "baseline %s is of %s: leave out model, service and version", of.ID, key)
		}
	case q.Model == "":
		return nil, refuse(http.StatusBadRequest, "model is required: say whose inferences are to be compared")
	default:
		if key, err = l.engine.OneVersion(choice); err != nil {
			return nil, err
		}
	}
	if q.BaselineID == "" && !ranged {
		ok := false
		if of, ok = l.engine.ActiveBaseline(key); !ok {
			return nil, refuse(http.StatusConflict, "%s has no baseline in use: give a span by baseline_since and baseline_until", key)
		}
	}
	if of.ID != "" && of.From.IsZero() {
		return nil, refuse(http.StatusConflict, "baseline %s was not made of inferences of %s, so none of its rows are kept here: compare files (modelwatch drift compare --baseline=FILE --current=FILE), or give a span by baseline_since and baseline_until", of.ID, key)
	}
	out := &Answer{Service: key.Service, Model: key.Model, Version: key.Version}
	out.Baseline = Side{Since: q.BaselineSince.UTC(), Until: q.BaselineUntil.UTC()}
	if of.ID != "" {
		out.Baseline = Side{BaselineID: of.ID, Since: of.From.UTC(), Until: of.To.Add(1).UTC()} // The last one is in.
	}
	if q.Until.IsZero() {
		q.Until = time.Now()
	}
	out.Current = Side{Since: q.Since.UTC(), Until: q.Until.UTC()}
	for _, s := range []struct {
		name string
		side Side
	}{{"baseline_", out.Baseline}, {"", out.Current}} {
		switch {
		case s.side.Since.IsZero() || s.side.Until.IsZero():
			return nil, refuse(http.StatusBadRequest, "%[1]ssince and %[1]suntil are required: they bound the span", s.name)
		case !s.side.Since.Before(s.side.Until):
			return nil, refuse(http.StatusBadRequest, "%ssince (%s) is not before %suntil (%s)", s.name, s.side.Since.Format(time.RFC3339), s.name, s.side.Until.Format(time.RFC3339))
		}
	}
	return out, nil
}

// begin waits for its turn, and returns what ends it.
func (l *Live) begin(ctx context.Context) (end func(), err error) {
	timer := time.NewTimer(l.Wait)
	defer timer.Stop()
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, refuse(http.StatusTooManyRequests, "another comparison is under way, and one is made at a time: ask again in a minute")
	}
}

// read reads one side, and notes in it what there was.
func (l *Live) read(ctx context.Context, key ai.Key, side *Side, q *Query, what string) (*compare.Table, error) {
	of := store.Selection{Key: key, Since: side.Since, Until: side.Until}
	there, err := l.rows.Extent(ctx, of)
	if errors.Is(err, store.ErrNoRaw) {
		return nil, refuse(http.StatusConflict, "%w", err)
	} else if err != nil {
		return nil, err
	}
	side.Kept, side.Inferences = there.Rows, there.Inferences
	if there.Rows == 0 {
		return nil, refuse(http.StatusNotFound, "of %s no raw inferences of %s from %s to %s are kept: inferences.raw.retention says for how long they are", what, key,
			side.Since.Format(time.RFC3339), side.Until.Format(time.RFC3339))
	}
	if q.Rows > 0 && int64(q.Rows) < there.Rows {
		of.Share = float64(q.Rows) / float64(there.Rows)
	}
	t := &compare.Table{Limit: l.Limit}
	names := make(map[string]string)
	err = l.rows.Scan(ctx, of, func(features, prediction []byte) error {
		inf, err := inference.Decode(features, prediction, names)
		if err != nil {
			return err
		}
		inf.Features = slices.DeleteFunc(inf.Features, func(f ai.Feature) bool { return slices.Contains(q.Exclude, f.Name) })
		if slices.Contains(q.Exclude, ai.PredictionFeature) {
			inf.Prediction = ai.Value{}
		}
		return t.Add(inf)
	})
	if limit, ok := errors.AsType[*compare.LimitError](err); ok {
		return nil, refuse(http.StatusRequestEntityTooLarge, "%s has %d rows: %w: take a shorter span, leave features out by exclude, or take a sample by rows=%d",
			what, there.Rows, limit, max(1, t.Rows()*9/10))
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if t.Rows() == 0 {
		return nil, refuse(http.StatusBadRequest, "a sample of %d rows of %d has none: raise rows", q.Rows, there.Rows)
	}
	side.Compared = t.Rows()
	return t, nil
}

// refusal is an error of the sender, with the status that HTTP has for it.
type refusal struct {
	error
	status int
}

func refuse(status int, format string, args ...any) error {
	return refusal{fmt.Errorf(format, args...), status}
}

// StatusCode is what the API answers with.
func (r refusal) StatusCode() int { return r.status }

// RetryAfter is when to ask again; 0 where that is no use.
func (r refusal) RetryAfter() time.Duration {
	if r.status == http.StatusTooManyRequests {
		return time.Minute
	}
	return 0
}

// Unwrap returns the cause.
func (r refusal) Unwrap() error { return r.error }
