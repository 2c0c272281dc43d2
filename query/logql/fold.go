package logql

import (
	"cmp"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// cell is what a range aggregation keeps of the entries of a pane. Which fields are used depends on the function.
type cell struct {
	n    int64     // entries, or bytes
	a, b float64   // sum and compensation; least or greatest; mean and sum of squares; value
	ts   int64     // of the value of first and last
	vals []timed   // all values, where the function needs them
	nums []float64 // the same without their times
}

// timed is a value with its time in nanoseconds.
type timed struct {
	ts int64
	v  float64
}

// fold is a range aggregation as three steps: add entries to cells, put cells together, take the value.
type fold struct {
	// add adds an entry to a cell: its time, its value (unwrapped), its length in bytes.
	add func(c *cell, ts int64, v float64, size int)
	// merge adds cell src to cell dst. It does not change src.
	merge func(dst, src *cell)
	// value is that of a window with the cell of all its entries; end is that of the window.
	value func(c *cell, end int64) float64
	// keeps is true if cells hold all values.
	keeps bool
}

// foldOf is the fold of a function over windows of a length in nanoseconds.
func foldOf(e *syntax.RangeAgg) fold {
	length := int64(e.Range.Range)
	seconds := e.Range.Range.Seconds()
	count := func(c *cell, _ int64, _ float64, _ int) { c.n++ }
	mergeN := func(dst, src *cell) { dst.n += src.n }
	sum := func(c *cell, _ int64, v float64, _ int) {
		c.n++
		c.sum(v)
	}
	mergeSum := func(dst, src *cell) {
		dst.n += src.n
		dst.sum(src.a)
		dst.sum(src.b)
	}
	n := func(c *cell, _ int64) float64 { return float64(c.n) }
	perSecond := func(f func(*cell, int64) float64) func(*cell, int64) float64 {
		return func(c *cell, end int64) float64 { return f(c, end) / seconds }
	}
	total := func(c *cell, _ int64) float64 { return c.a + c.b }
	bytes := func(c *cell, _ int64, _ float64, size int) { c.n += int64(size) }
	keep := func(c *cell, ts int64, v float64, _ int) {
		c.n++
		c.vals = append(c.vals, timed{ts, v})
	}
	mergeKeep := func(dst, src *cell) {
		dst.n += src.n
		dst.vals = append(dst.vals, src.vals...)
	}
	// pick keeps the value for which better says so.
	pick := func(better func(c *cell, ts int64, v float64) bool) fold {
		return fold{
			add: func(c *cell, ts int64, v float64, _ int) {
				if c.n == 0 || better(c, ts, v) {
					c.a, c.ts = v, ts
				}
				c.n++
			},
			merge: func(dst, src *cell) {
				if src.n > 0 && (dst.n == 0 || better(dst, src.ts, src.a)) {
					dst.a, dst.ts = src.a, src.ts
				}
				dst.n += src.n
			},
			value: func(c *cell, _ int64) float64 { return c.a },
		}
	}
	switch e.Op {
	case syntax.CountOverTime:
		return fold{add: count, merge: mergeN, value: n}
	case syntax.Rate:
		if e.Range.Unwrap != nil {
			return fold{add: sum, merge: mergeSum, value: perSecond(total)}
		}
		return fold{add: count, merge: mergeN, value: perSecond(n)}
	case syntax.BytesOverTime:
		return fold{add: bytes, merge: mergeN, value: n}
	case syntax.BytesRate:
		return fold{add: bytes, merge: mergeN, value: perSecond(n)}
	case syntax.SumOverTime:
		return fold{add: sum, merge: mergeSum, value: total}
	case syntax.AvgOverTime:
		return fold{add: sum, merge: mergeSum, value: func(c *cell, _ int64) float64 { return (c.a + c.b) / float64(c.n) }}
	case syntax.MinOverTime:
		return pick(func(c *cell, _ int64, v float64) bool { return v < c.a || math.IsNaN(c.a) })
	case syntax.MaxOverTime:
		return pick(func(c *cell, _ int64, v float64) bool { return v > c.a || math.IsNaN(c.a) })
	// Among values of the same time the answer must not depend on the order of delivery.
	case syntax.FirstOverTime:
		return pick(func(c *cell, ts int64, v float64) bool { return ts < c.ts || ts == c.ts && v < c.a })
	case syntax.LastOverTime:
		return pick(func(c *cell, ts int64, v float64) bool { return ts > c.ts || ts == c.ts && v > c.a })
	case syntax.StdvarOverTime, syntax.StddevOverTime:
		f := fold{
			add:   func(c *cell, _ int64, v float64, _ int) { c.vary(1, v, 0) },
			merge: func(dst, src *cell) { dst.vary(src.n, src.a, src.b) },
			value: func(c *cell, _ int64) float64 { return c.b / float64(c.n) },
		}
		if e.Op == syntax.StddevOverTime {
			f.value = func(c *cell, _ int64) float64 { return math.Sqrt(c.b / float64(c.n)) }
		}
		return f
	case syntax.QuantileOverTime:
		return fold{
			add: func(c *cell, _ int64, v float64, _ int) {
				c.n++
				c.nums = append(c.nums, v)
			},
			merge: func(dst, src *cell) {
				dst.n += src.n
				dst.nums = append(dst.nums, src.nums...)
			},
			keeps: true, // see quantiles
		}
	case syntax.RateCounter:
		return fold{add: keep, merge: mergeKeep, keeps: true, value: func(c *cell, end int64) float64 {
			slices.SortFunc(c.vals, func(a, b timed) int { return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.v, b.v)) })
			return counterRate(c.vals, end-length, end)
		}}
	}
	// absent_over_time only asks whether there are entries.
	return fold{add: count, merge: mergeN, value: func(*cell, int64) float64 { return 1 }}
}

// sum adds v to a with Neumaier's compensation in b (ZAMM 54, 1974).
func (c *cell) sum(v float64) {
	t := c.a + v
	switch {
	case math.IsInf(t, 0) || math.IsNaN(t):
		c.a, c.b = t, 0
		return
	case math.Abs(c.a) >= math.Abs(v):
		c.b += (c.a - t) + v
	default:
		c.b += (v - t) + c.a
	}
	c.a = t
}

// vary adds n values of a mean and a sum of squared differences from it to those of the cell (Chan, Golub, LeVeque, 1979).
func (c *cell) vary(n int64, mean, squares float64) {
	if n == 0 {
		return
	}
	total := float64(c.n + n)
	d := mean - c.a
	c.b += squares + d*d*float64(c.n)*float64(n)/total
	c.a += d * float64(n) / total
	c.n += n
}

// counterRate is the increase a second of a counter in a window from start to end, resets taken into account, with the
// ends of the window extrapolated as PromQL's rate does it.
func counterRate(samples []timed, start, end int64) float64 {
	if len(samples) < 2 {
		return 0
	}
	first, last := samples[0], samples[len(samples)-1]
	increase := last.v - first.v
	for i := 1; i < len(samples); i++ {
		if samples[i].v < samples[i-1].v {
			increase += samples[i-1].v
		}
	}
	sampled := float64(last.ts-first.ts) / 1e9
	if sampled == 0 {
		return 0
	}
	toStart, toEnd := float64(first.ts-start)/1e9, float64(end-last.ts)/1e9
	average := sampled / float64(len(samples)-1)
	threshold := average * 1.1
	if toStart >= threshold {
		toStart = average / 2
	}
	// A counter is not less than zero, so it cannot have begun before it was zero.
	if increase > 0 && first.v >= 0 {
		toStart = min(toStart, sampled*(first.v/increase))
	}
	if toEnd >= threshold {
		toEnd = average / 2
	}
	return increase * (sampled + toStart + toEnd) / sampled / (float64(end-start) / 1e9)
}
