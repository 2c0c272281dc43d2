package peer

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/modelwatch/modelwatch/ai"
)

// manyRows is the number of reference rows up to which Evidently tests, and
// beyond which it measures distances.
const manyRows = 1000

// evidently chooses by the size of the reference and the number of different
// values: up to 1,000 rows a test at p 0.05 (Kolmogorov-Smirnov, chi-square or
// two proportions), beyond a distance of 0.1 (Wasserstein in deviations, or
// Jensen-Shannon).
func evidently(ref, cur Sample) Result {
	r, c := count(ref, cur)
	values := len(r)
	numbers := ref.Categories == nil && values > 5
	switch {
	case ref.size() > manyRows && numbers:
		d := EvidentlyWasserstein(ref.Numbers, cur.Numbers)
		return decide("wasserstein", d, d, 0.1, ai.Above, d >= 0.1)
	case ref.size() > manyRows:
		d := EvidentlyJensenShannon(ref, cur)
		return decide("jensenshannon", d, d, 0.1, ai.Above, d >= 0.1)
	case numbers:
		d, p := KolmogorovSmirnov(ref.Numbers, cur.Numbers)
		return decide("ks", p, d, 0.05, ai.Below, p <= 0.05)
	case values > 2:
		x, p := evidentlyChiSquare(r, c)
		return decide("chisquare", p, x, 0.05, ai.Below, p < 0.05)
	default:
		z, p := evidentlyZ(r, c)
		return decide("z", p, z, 0.05, ai.Below, p < 0.05)
	}
}

// EvidentlyWasserstein returns the exact Wasserstein distance of two samples in
// deviations of the first, which count as at least 0.001.
func EvidentlyWasserstein(ref, cur []float64) float64 {
	_, sd := moments(ref)
	return Wasserstein(ref, cur) / max(sd, 0.001)
}

// EvidentlyJensenShannon returns the Jensen-Shannon distance in the natural base
// over Evidently's cells.
func EvidentlyJensenShannon(ref, cur Sample) float64 {
	p, q := evidentlyShares(ref, cur, false)
	return jensenShannon(p, q) * math.Sqrt(math.Ln2)
}

// EvidentlyPSI returns the population stability index over Evidently's cells.
func EvidentlyPSI(ref, cur Sample) float64 {
	p, q := evidentlyShares(ref, cur, true)
	var s float64
	for i := range p {
		s += (p[i] - q[i]) * math.Log(p[i]/q[i])
	}
	return s
}

// EvidentlyKL returns the Kullback-Leibler divergence in nats over Evidently's
// cells.
func EvidentlyKL(ref, cur Sample) float64 {
	p, q := evidentlyShares(ref, cur, true)
	var sp, sq, s float64
	for i := range p {
		sp += p[i]
		sq += q[i]
	}
	for i := range p {
		s += p[i] / sp * math.Log(p[i]/sp/(q[i]/sq))
	}
	return s
}

// evidentlyShares returns the shares of cells: equal-width ones over both
// samples by Sturges' rule for numbers with more than 20 different values in the
// reference, else one for each value. fill replaces empty shares as its PSI does.
func evidentlyShares(ref, cur Sample, fill bool) (p, q []float64) {
	if ref.Categories == nil && different(ref) > 20 {
		edges := Edges(append(append([]float64(nil), ref.Numbers...), cur.Numbers...), Sturges)
		p, q = Histogram(ref.Numbers, edges), Histogram(cur.Numbers, edges)
	} else {
		p, q = count(ref, cur)
	}
	for i := range p {
		p[i] /= float64(ref.size())
		q[i] /= float64(cur.size())
	}
	if fill {
		fillEmpty(p)
		fillEmpty(q)
	}
	return p, q
}

func fillEmpty(p []float64) {
	least := math.Inf(1)
	for _, x := range p {
		if x != 0 {
			least = min(least, x)
		}
	}
	by := 0.0001
	if least <= 0.0001 {
		by = least / 1e6
	}
	for i, x := range p {
		if x == 0 {
			p[i] = by
		}
	}
}

// evidentlyChiSquare is a goodness-of-fit test: the reference is taken as exact,
// and one value that it does not have makes the p-value 0.
func evidentlyChiSquare(ref, cur []float64) (x2, p float64) {
	var n, m float64
	for i := range ref {
		n += ref[i]
		m += cur[i]
	}
	for i := range ref {
		e := ref[i] * m / n
		if e == 0 {
			return math.Inf(1), 0
		}
		x2 += (cur[i] - e) * (cur[i] - e) / e
	}
	return x2, chiSquareTail(x2, len(ref)-1)
}

// evidentlyZ compares the shares of all values but the first.
func evidentlyZ(ref, cur []float64) (z, p float64) {
	if len(ref) < 2 {
		return 0, 1
	}
	var n, m float64
	for i := range ref {
		n += ref[i]
		m += cur[i]
	}
	a, b := (n-ref[0])/n, (m-cur[0])/m
	pool := (a*n + b*m) / (n + m)
	z = (a - b) / math.Sqrt(pool*(1-pool)*(1/n+1/m))
	return z, math.Erfc(math.Abs(z) / math.Sqrt2)
}

func chiSquareTail(x float64, dof int) float64 {
	if dof < 1 {
		return 1
	}
	if math.IsInf(x, 1) {
		return 0
	}
	return mathext.GammaIncRegComp(float64(dof)/2, x/2)
}
