package logql_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
	"github.com/modelwatch/modelwatch/query/logql"
)

type sample struct {
	ts int64
	v  float64
}

// slow are the range aggregations as their documentation says them, of the samples of one window in order of time.
var slow = map[string]func(s []sample, seconds float64) float64{
	"count_over_time": func(s []sample, _ float64) float64 { return float64(len(s)) },
	"rate":            func(s []sample, seconds float64) float64 { return float64(len(s)) / seconds },
	"sum_over_time":   func(s []sample, _ float64) float64 { return total(s) },
	"avg_over_time":   func(s []sample, _ float64) float64 { return total(s) / float64(len(s)) },
	"min_over_time":   func(s []sample, _ float64) float64 { return slices.MinFunc(s, byV).v },
	"max_over_time":   func(s []sample, _ float64) float64 { return slices.MaxFunc(s, byV).v },
	"first_over_time": func(s []sample, _ float64) float64 { return s[0].v },
	"last_over_time":  func(s []sample, _ float64) float64 { return s[len(s)-1].v },
	"stdvar_over_time": func(s []sample, _ float64) float64 {
		mean, sum := total(s)/float64(len(s)), 0.0
		for _, x := range s {
			sum += (x.v - mean) * (x.v - mean)
		}
		return sum / float64(len(s))
	},
	"quantile_over_time": func(s []sample, _ float64) float64 {
		s = slices.Clone(s)
		slices.SortFunc(s, byV)
		rank := 0.9 * float64(len(s)-1)
		low := math.Floor(rank)
		high := min(low+1, float64(len(s)-1))
		return s[int(low)].v*(1-(rank-low)) + s[int(high)].v*(rank-low)
	},
}

func byV(a, b sample) int {
	switch {
	case a.v < b.v:
		return -1
	case a.v > b.v:
		return 1
	}
	return 0
}

func total(s []sample) float64 {
	sum := 0.0
	for _, x := range s {
		sum += x.v
	}
	return sum
}

// TestWindows compares the single pass over panes with windows cut one by one, for ranges and steps of every proportion.
func TestWindows(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		start := int64(1_700_000_000) * 1e9
		span := 1 + r.Int64N(200)
		var samples []sample
		for range r.IntN(120) {
			// Times on whole seconds often fall on the edges of windows.
			ts := start + (r.Int64N(3*span)-span)*1e9
			if r.IntN(3) == 0 {
				ts += r.Int64N(1e9)
			}
			samples = append(samples, sample{ts, math.Round(r.NormFloat64() * 100)})
		}
		// Equal times would leave first and last open.
		slices.SortFunc(samples, func(a, b sample) int { return int(a.ts - b.ts) })
		samples = slices.CompactFunc(samples, func(a, b sample) bool { return a.ts == b.ts })
		store := memory.New()
		s := logs.Stream{Labels: labels.FromStrings("job", "x")}
		for _, x := range samples {
			s.Entries = append(s.Entries, logs.Entry{Timestamp: x.ts, Line: fmt.Sprint("v=", x.v)})
		}
		require.NoError(t, store.Append(t.Context(), []logs.Stream{s}))
		type selectOnly struct{ logql.Store }
		var engines []*logql.Engine
		for _, st := range []logql.Store{store, selectOnly{store}} {
			engines = append(engines, logql.New(st, logql.Options{Workers: 1 + r.IntN(3)}))
		}

		length := time.Duration(1+r.IntN(60)) * time.Second
		step := time.Duration(1+r.IntN(60)) * time.Second
		offset := time.Duration(r.IntN(40)-20) * time.Second
		if r.IntN(4) == 0 {
			step = length
		}
		end := start + r.Int64N(span+1)*1e9
		for op, f := range slow {
			query := fmt.Sprintf(`%s({job="x"} | logfmt | unwrap v [%s] offset %s) by (job)`, op, length, offset)
			switch op {
			case "count_over_time", "rate":
				query = fmt.Sprintf(`sum by (job) (%s({job="x"}[%s] offset %s))`, op, length, offset)
			case "sum_over_time":
				query = fmt.Sprintf(`sum by (job) (sum_over_time({job="x"} | logfmt | unwrap v [%s] offset %s))`, length, offset)
			case "quantile_over_time":
				query = fmt.Sprintf(`quantile_over_time(0.9, {job="x"} | logfmt | unwrap v [%s] offset %s) by (job)`, length, offset)
			}
			var want []logql.Point
			for at := start; at <= end; at += int64(step) {
				var in []sample
				for _, x := range samples {
					if last := at - int64(offset); x.ts > last-int64(length) && x.ts <= last {
						in = append(in, x)
					}
				}
				if len(in) > 0 {
					want = append(want, logql.Point{T: at / 1e6, V: f(in, length.Seconds())})
				}
			}
			for _, engine := range engines {
				res, err := engine.Range(t.Context(), logql.Query{Text: query, Start: time.Unix(0, start), End: time.Unix(0, end), Step: step})
				require.NoError(t, err, query)
				var got []logql.Point
				for _, s := range res.Matrix {
					got = append(got, s.Points...)
				}
				require.Len(t, got, len(want), "seed %d: %s step %s", seed, query, step)
				for i, w := range want {
					require.Equal(t, w.T, got[i].T, "seed %d: %s", seed, query)
					require.InDelta(t, w.V, got[i].V, 1e-6*max(1, math.Abs(w.V)), "seed %d: %s step %s at %d", seed, query, step, i)
				}
			}
		}
	}
}
