package logsearch

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/prometheus/promql"

	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
	"github.com/modelwatch/modelwatch/store/logs/remote"
)

// Rules evaluates LogQL for the rule manager. The zero value checks only.
type Rules struct{ Engine *logql.Engine }

// Check refuses what is not a LogQL metric query.
func (Rules) Check(expr string) error {
	parsed, err := syntax.Parse(expr)
	if err != nil {
		return err
	}
	if _, ok := parsed.(*syntax.LogExpr); ok {
		return errors.New("this LogQL query gives lines, and a rule needs numbers: count them, as in count_over_time({...} [5m])")
	}
	return nil
}

// Range gives the points of a LogQL metric query.
func (r Rules) Range(ctx context.Context, expr string, start, end time.Time, step time.Duration) (promql.Matrix, error) {
	res, err := r.Engine.Range(ctx, logql.Query{Text: expr, Start: start, End: end, Step: step})
	if err != nil {
		return nil, err
	}
	out := make(promql.Matrix, 0, len(res.Matrix))
	for _, s := range res.Matrix {
		one := promql.Series{Metric: s.Labels, Floats: make([]promql.FPoint, len(s.Points))}
		for i, p := range s.Points {
			one.Floats[i] = promql.FPoint{T: p.T, F: p.V}
		}
		out = append(out, one)
	}
	return out, nil
}

// Eval gives the vector of a LogQL metric query at a time.
func (r Rules) Eval(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
	res, err := r.Engine.Instant(ctx, expr, t)
	if err != nil {
		return nil, err
	}
	if res.Type == logql.Scalar {
		return promql.Vector{{T: t.UnixMilli(), F: res.Scalar.Point.V}}, nil
	}
	out := make(promql.Vector, 0, len(res.Vector))
	for _, s := range res.Vector {
		out = append(out, promql.Sample{Metric: s.Labels, T: t.UnixMilli(), F: s.Point.V})
	}
	return out, nil
}

// RemoteRules has LogQL of rules evaluated by the store elsewhere, at one time
// after the other; over a range it does not.
type RemoteRules struct{ Store *remote.Store }

// Check refuses what is not a LogQL metric query.
func (RemoteRules) Check(expr string) error { return Rules{}.Check(expr) }

// Eval gives the vector of a LogQL metric query at a time.
func (r RemoteRules) Eval(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
	samples, err := r.Store.Instant(ctx, expr, t)
	if err != nil {
		return nil, err
	}
	out := make(promql.Vector, len(samples))
	for i, s := range samples {
		out[i] = promql.Sample{Metric: s.Labels, T: t.UnixMilli(), F: s.Value}
	}
	return out, nil
}
