package drift

import "math"

// KolmogorovSmirnov returns the largest distance between the two empirical
// distribution functions at the ends of the cells, between 0 and 1. Within a
// cell they could be farther apart by at most the larger of its two shares.
//
// Source: Kolmogorov 1933, Smirnov 1939.
func KolmogorovSmirnov(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var f, g, d float64
	for i := range ref {
		f += ref[i]
		g += cur[i]
		d = max(d, math.Abs(f/n-g/m))
	}
	return min(d, 1)
}
