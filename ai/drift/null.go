package drift

import (
	"math"
	"slices"
	"sort"
)

// minLogP is the logarithm of the smallest p-value that is ever reported.
const minLogP = -690 // About 1e-300.

// null is the distribution of a statistic with no drift: a table of its upper
// tail. It is immutable.
type null struct {
	x    []float64 // Values of the statistic, increasing.
	logp []float64 // log P(T ≥ x), not increasing.
	tail float64   // Change of logp per unit past the last x; negative.
	mean float64   // Expectation of the statistic.
}

// p returns the probability of a value of at least x with no drift, in
// [1e-300, 1]. Between the points of the table log p is interpolated linearly;
// past the last one it falls at the rate of the tail.
func (d *null) p(x float64) float64 {
	last := len(d.x) - 1
	var lp float64
	switch {
	case last < 0 || math.IsNaN(x):
		return 1
	case x <= d.x[0]:
		lp = d.logp[0]
	case x >= d.x[last]:
		lp = d.logp[last] + (x-d.x[last])*d.tail
	default:
		i := sort.SearchFloat64s(d.x, x) // x[i-1] < x ≤ x[i].
		f := (x - d.x[i-1]) / (d.x[i] - d.x[i-1])
		lp = d.logp[i-1] + f*(d.logp[i]-d.logp[i-1])
	}
	return math.Exp(min(0, max(lp, minLogP)))
}

// tailShare is the share of simulated values that the exponential tail is
// fitted to.
const tailShare = 0.02

// newSampledNull makes a table from simulated values, which it sorts. The upper
// tail beyond the largest tailShare of them is exponential with the mean excess
// found there, made one standard error slower so that it errs towards larger
// p-values. All methods simulate on a squared scale, where tails are exponential
// or lighter (quadratic forms of nearly normal counts).
func newSampledNull(values []float64) *null {
	slices.Sort(values)
	b := len(values)
	d := &null{}
	for _, v := range values {
		d.mean += v / float64(b)
	}
	from := b - max(1, int(tailShare*float64(b)))
	const points = 64
	add := func(i int) {
		// The first of equal values has the probability of all of them.
		for i > 0 && values[i-1] == values[i] {
			i--
		}
		if n := len(d.x); n > 0 && d.x[n-1] >= values[i] {
			return
		}
		d.x = append(d.x, values[i])
		d.logp = append(d.logp, math.Log(float64(b-i)/float64(b)))
	}
	for j := range points {
		// Denser where p is small: the rank falls geometrically from b.
		r := math.Pow(float64(b-from)/float64(b), float64(j)/points)
		add(min(b-int(r*float64(b)), from))
	}
	add(from)
	at := d.x[len(d.x)-1]
	var excess, n float64
	for _, v := range values[from:] {
		if v >= at {
			excess += v - at
			n++
		}
	}
	excess = excess / n * (1 + 1/math.Sqrt(n))
	if excess <= 0 {
		// All values are equal: anything above never happened.
		excess = max(at, 1) / float64(b)
	}
	d.tail = -1 / excess
	return d
}
