package rules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// LogRanger is a LogQuerier that evaluates over a range of time.
type LogRanger interface {
	// Range gives the points of a LogQL metric query at start, start+step, …
	// up to end.
	Range(ctx context.Context, expr string, start, end time.Time, step time.Duration) (promql.Matrix, error)
}

// The bounds of a preview.
const (
	maxPreviewSteps     = 11_000
	maxPreviewSeries    = 50
	maxPreviewSpans     = 200
	maxPreviewSelectors = 4
	maxPreviewRange     = 31 * 24 * time.Hour
	previewTimeout      = 30 * time.Second
)

// PreviewRequest is a rule that is to be judged by what has been.
type PreviewRequest struct {
	Expr               string
	For, KeepFiringFor time.Duration
	// Start and End bound the time looked at.
	Start, End time.Time
}

// Preview is what a rule would have done.
type Preview struct {
	Start, End time.Time
	// Interval is how often the rule would be evaluated, Step how often it was
	// here; the longer of the two bounds the work.
	Interval, Step time.Duration
	LogQL          bool
	// Fired is how often an alert would have begun to fire, of all series;
	// Pending how often one would have been pending without ever firing.
	Fired, Pending int
	// FiringNow is how many alerts would fire at End.
	FiringNow int
	// Total is how many series the condition held for; Series are those that
	// would have fired most, at most maxPreviewSeries.
	Total  int
	Series []PreviewSeries
	// Data says for which part of the time there was anything to judge. It is
	// empty where that cannot be told.
	Data []Coverage
}

// PreviewSeries is one alert that would have been.
type PreviewSeries struct {
	Labels  labels.Labels
	Fired   int
	Pending int
	// Longest is the longest time of firing, Firing all of it.
	Longest, Firing time.Duration
	// First and Last are when it began to fire; zero if it never did.
	First, Last time.Time
	// Spans are in the order of time; Cut says that there were more.
	Spans []Span
	Cut   bool

	firingAtEnd bool
}

// Span is a time in which an alert is in one state.
type Span struct {
	Firing   bool
	From, To time.Time
}

// Coverage says when a selector of an expression had data.
type Coverage struct {
	Selector string
	// Share is the part of the time with data, from 0 to 1.
	Share float64
	// Gaps are times without any, at most maxPreviewSpans.
	Gaps []Gap
	Cut  bool
}

// Gap is a time without data.
type Gap struct{ From, To time.Time }

// Preview evaluates a rule over time that has passed and says when it would have
// been pending and firing. Nothing is stored and nobody is told.
func (m *Manager) Preview(ctx context.Context, req PreviewRequest) (*Preview, error) {
	expr, err := m.opts.Parser.ParseExpr(req.Expr)
	if err != nil {
		return nil, &PreviewError{err}
	}
	if t := expr.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, &PreviewError{fmt.Errorf("the expression gives a %s, and a rule needs a vector or a number", parser.DocumentedType(t))}
	}
	interval := time.Minute
	if cfg := m.config.Load(); cfg != nil {
		interval = time.Duration(cfg.GlobalConfig.EvaluationInterval)
	}
	p := &Preview{Start: req.Start, End: req.End, Interval: interval, Step: stepFor(req.End.Sub(req.Start), interval)}
	ctx, cancel := context.WithTimeoutCause(ctx, previewTimeout, errSlow)
	defer cancel()
	var matrix promql.Matrix
	if log, ok := expr.(logExpr); ok {
		p.LogQL = true
		ranger, ok := m.opts.Logs.(LogRanger)
		if !ok {
			return nil, &PreviewError{errors.New("LogQL is answered by a Loki elsewhere, so rules of it cannot be previewed")}
		}
		matrix, err = ranger.Range(ctx, log.text, p.Start, p.End, p.Step)
		if err != nil {
			return nil, &PreviewError{orCause(ctx, err)}
		}
		p.judge(matrix, req)
		return p, nil
	}
	if err := m.rangeOf(ctx, expr.String(), p, func(matrix promql.Matrix) { p.judge(matrix, req) }); err != nil {
		return nil, err
	}
	for _, selector := range selectorsOf(expr) {
		err := m.rangeOf(ctx, "count("+selector+")", p, func(matrix promql.Matrix) { p.cover(selector, matrix) })
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// PreviewError is a preview that cannot be had, for a reason that lies in the
// rule or in the limits of queries.
type PreviewError struct{ Err error }

// Error implements error.
func (e *PreviewError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *PreviewError) Unwrap() error { return e.Err }

var errSlow = fmt.Errorf("the preview took longer than %s: choose a shorter time", previewTimeout)

func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSlow) {
		return cause
	}
	return err
}

// rangeOf evaluates PromQL at each step. The matrix is valid within use.
func (m *Manager) rangeOf(ctx context.Context, expr string, p *Preview, use func(promql.Matrix)) error {
	q, err := m.opts.Engine.NewRangeQuery(ctx, m.opts.Queryable, nil, expr, p.Start, p.End, p.Step)
	if err != nil {
		return &PreviewError{err}
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return &PreviewError{orCause(ctx, res.Err)}
	}
	matrix, err := res.Matrix()
	if err != nil {
		return &PreviewError{err}
	}
	use(matrix)
	return nil
}

// stepFor is the interval, or the least multiple of it with which a range has
// not too many steps.
func stepFor(span, interval time.Duration) time.Duration {
	n := (span + interval*maxPreviewSteps - 1) / (interval * maxPreviewSteps)
	return interval * max(n, 1)
}

// selectorsOf are the selectors of an expression, without their time: those of
// which it takes the data that it judges.
func selectorsOf(expr parser.Expr) []string {
	var out []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		vs, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		bare := &parser.VectorSelector{Name: vs.Name, LabelMatchers: vs.LabelMatchers}
		if s := bare.String(); !slices.Contains(out, s) && len(out) < maxPreviewSelectors {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// steps is how many evaluations there were.
func (p *Preview) steps() int { return int(p.End.Sub(p.Start)/p.Step) + 1 }

func (p *Preview) at(step int) time.Time { return p.Start.Add(time.Duration(step) * p.Step) }

// present tells at which steps a series has a value.
func (p *Preview) present(s promql.Series) []bool {
	out := make([]bool, p.steps())
	mark := func(ms int64) {
		if i := (ms - p.Start.UnixMilli()) / p.Step.Milliseconds(); i >= 0 && int(i) < len(out) {
			out[i] = true
		}
	}
	for _, f := range s.Floats {
		mark(f.T)
	}
	for _, h := range s.Histograms {
		mark(h.T)
	}
	return out
}

// judge runs the states of every series.
func (p *Preview) judge(matrix promql.Matrix, req PreviewRequest) {
	p.Total = len(matrix)
	for _, s := range matrix {
		one := p.run(p.present(s), req.For, req.KeepFiringFor)
		one.Labels = labels.NewBuilder(s.Metric).Del(model.MetricNameLabel).Labels()
		p.Fired += one.Fired
		p.Pending += one.Pending
		if one.firingAtEnd {
			p.FiringNow++
		}
		p.Series = append(p.Series, one)
		if len(p.Series) > 4*maxPreviewSeries {
			p.keepWorst()
		}
	}
	p.keepWorst()
}

func (p *Preview) keepWorst() {
	slices.SortStableFunc(p.Series, func(a, b PreviewSeries) int {
		return cmp.Or(cmp.Compare(b.Fired, a.Fired), cmp.Compare(b.Firing, a.Firing), cmp.Compare(b.Pending, a.Pending), strings.Compare(a.Labels.String(), b.Labels.String()))
	})
	p.Series = p.Series[:min(len(p.Series), maxPreviewSeries)]
}

// run is what Prometheus's rule manager does with the alert of one series, step
// by step.
func (p *Preview) run(present []bool, wait, keep time.Duration) PreviewSeries {
	var s PreviewSeries
	const inactive, pending, firing = 0, 1, 2
	state, since, absent := inactive, 0, -1
	end := func(step int) {
		to := p.at(step)
		if step >= len(present) || to.After(p.End) {
			to = p.End
		}
		span := Span{Firing: state == firing, From: p.at(since), To: to}
		if span.Firing {
			d := to.Sub(span.From)
			s.Firing += d
			s.Longest = max(s.Longest, d)
		}
		if len(s.Spans) < maxPreviewSpans {
			s.Spans = append(s.Spans, span)
		} else {
			s.Cut = true
		}
	}
	fire := func(step int) {
		state, since, absent = firing, step, -1
		s.Fired++
		if s.First.IsZero() {
			s.First = p.at(step)
		}
		s.Last = p.at(step)
	}
	for i, on := range present {
		switch {
		case on && state == inactive:
			state, since = pending, i
			if wait <= 0 {
				fire(i)
			}
		case on && state == pending && p.at(i).Sub(p.at(since)) >= wait:
			end(i)
			fire(i)
		case on:
			absent = -1
		case state == pending:
			end(i)
			s.Pending++
			state = inactive
		case state == firing:
			if absent < 0 {
				absent = i
			}
			if p.at(i).Sub(p.at(absent)) >= keep {
				end(i)
				state, absent = inactive, -1
			}
		}
	}
	if state != inactive {
		end(len(present))
	}
	s.firingAtEnd = state == firing
	return s
}

// cover notes when a selector had data.
func (p *Preview) cover(selector string, matrix promql.Matrix) {
	c := Coverage{Selector: selector}
	present := make([]bool, p.steps())
	if len(matrix) > 0 {
		present = p.present(matrix[0])
	}
	with, from := 0, -1
	gap := func(to time.Time) {
		if len(c.Gaps) < maxPreviewSpans {
			c.Gaps = append(c.Gaps, Gap{p.at(from), to})
		} else {
			c.Cut = true
		}
		from = -1
	}
	for i, on := range present {
		switch {
		case on:
			with++
			if from >= 0 {
				gap(p.at(i))
			}
		case from < 0:
			from = i
		}
	}
	if from >= 0 {
		gap(p.End)
	}
	c.Share = float64(with) / float64(len(present))
	p.Data = append(p.Data, c)
}
