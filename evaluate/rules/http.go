package rules

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/common/model"
)

type previewBody struct {
	Expr          string `json:"expr"`
	For           string `json:"for"`
	KeepFiringFor string `json:"keepFiringFor"`
	Range         string `json:"range"`
}

type previewAnswer struct {
	Start           time.Time         `json:"start"`
	End             time.Time         `json:"end"`
	IntervalSeconds float64           `json:"intervalSeconds"`
	StepSeconds     float64           `json:"stepSeconds"`
	Language        string            `json:"language"`
	Fired           int               `json:"fired"`
	Pending         int               `json:"pending"`
	FiringNow       int               `json:"firingNow"`
	Total           int               `json:"total"`
	Series          []previewSeries   `json:"series"`
	Data            []previewCoverage `json:"data"`
}

type previewSeries struct {
	Labels         map[string]string `json:"labels"`
	Fired          int               `json:"fired"`
	Pending        int               `json:"pending"`
	LongestSeconds float64           `json:"longestSeconds"`
	FiringSeconds  float64           `json:"firingSeconds"`
	First          *time.Time        `json:"first"`
	Last           *time.Time        `json:"last"`
	Spans          []previewSpan     `json:"spans"`
	Cut            bool              `json:"cut"`
}

type previewSpan struct {
	State string    `json:"state"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
}

type previewCoverage struct {
	Selector string       `json:"selector"`
	Share    float64      `json:"share"`
	Gaps     []previewGap `json:"gaps"`
	Cut      bool         `json:"cut"`
}

type previewGap struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// PreviewHandler serves
//
//	POST /ai/v1/alerting/preview    {expr, for?, keepFiringFor?, range?}: what a rule would have done
//
// It ends with its client. No more than two previews run at once, so that
// typing costs rules and pages little; others wait.
func (m *Manager) PreviewHandler() http.Handler {
	turns := make(chan struct{}, 2)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := readPreview(w, r)
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-r.Context().Done():
			return
		}
		p, err := m.Preview(r.Context(), req)
		var refused *PreviewError
		switch {
		case r.Context().Err() != nil && errors.Is(r.Context().Err(), context.Canceled):
			// Nobody waits any more.
		case errors.As(err, &refused):
			writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": err.Error()})
		case err != nil:
			writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
		default:
			writeJSON(w, http.StatusOK, p.answer())
		}
	})
}

func readPreview(w http.ResponseWriter, r *http.Request) (PreviewRequest, error) {
	var in previewBody
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return PreviewRequest{}, fmt.Errorf("read request: %w", err)
	}
	if in.Expr == "" {
		return PreviewRequest{}, errors.New("expr: there is none; give the expression of a rule, such as up == 0")
	}
	req := PreviewRequest{Expr: in.Expr}
	span := 7 * 24 * time.Hour
	for _, one := range []struct {
		name, text string
		to         *time.Duration
	}{{"for", in.For, &req.For}, {"keepFiringFor", in.KeepFiringFor, &req.KeepFiringFor}, {"range", in.Range, &span}} {
		if one.text == "" {
			continue
		}
		v, err := model.ParseDuration(one.text)
		if err != nil {
			return PreviewRequest{}, fmt.Errorf("%s: %w: write durations such as 30s, 5m or 7d", one.name, err)
		}
		*one.to = time.Duration(v)
	}
	if span < time.Minute || span > maxPreviewRange {
		return PreviewRequest{}, fmt.Errorf("range: %s is not from one minute to %s", model.Duration(span), model.Duration(maxPreviewRange))
	}
	req.End = time.Now().Truncate(time.Second)
	req.Start = req.End.Add(-span)
	return req, nil
}

func (p *Preview) answer() previewAnswer {
	out := previewAnswer{
		Start: p.Start.UTC(), End: p.End.UTC(), IntervalSeconds: p.Interval.Seconds(), StepSeconds: p.Step.Seconds(), Language: "promql",
		Fired: p.Fired, Pending: p.Pending, FiringNow: p.FiringNow, Total: p.Total, Series: []previewSeries{}, Data: []previewCoverage{},
	}
	if p.LogQL {
		out.Language = "logql"
	}
	for _, s := range p.Series {
		one := previewSeries{
			Labels: s.Labels.Map(), Fired: s.Fired, Pending: s.Pending, LongestSeconds: s.Longest.Seconds(), FiringSeconds: s.Firing.Seconds(),
			Spans: make([]previewSpan, 0, len(s.Spans)), Cut: s.Cut,
		}
		if !s.First.IsZero() {
			first, last := s.First.UTC(), s.Last.UTC()
			one.First, one.Last = &first, &last
		}
		for _, span := range s.Spans {
			state := "pending"
			if span.Firing {
				state = "firing"
			}
			one.Spans = append(one.Spans, previewSpan{state, span.From.UTC(), span.To.UTC()})
		}
		out.Series = append(out.Series, one)
	}
	for _, c := range p.Data {
		one := previewCoverage{Selector: c.Selector, Share: c.Share, Gaps: make([]previewGap, 0, len(c.Gaps)), Cut: c.Cut}
		for _, g := range c.Gaps {
			one.Gaps = append(one.Gaps, previewGap{g.From.UTC(), g.To.UTC()})
		}
		out.Data = append(out.Data, one)
	}
	return out
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // Values of this package always can be.
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
