package drift

import "math"

// JensenShannon returns the Jensen-Shannon distance of two rows of counts: the
// square root of their divergence in base 2, between 0 (equal shares) and 1
// (nothing in common). Empty cells need no care.
//
// It equals SciPy's jensenshannon with base 2; NannyML uses the same, Evidently
// the natural base, which is smaller by the factor √ln 2 = 0.8326. Source: Lin,
// "Divergence measures based on the Shannon entropy", IEEE Transactions on
// Information Theory 1991; Endres, Schindelin 2003.
func JensenShannon(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var d float64
	for i := range ref {
		d += jensenShannonTerm(ref[i], cur[i], n, m)
	}
	return math.Sqrt(min(max(d, 0), 1))
}

func jensenShannonTerm(r, c, n, m float64) float64 {
	p, q := r/n, c/m
	mid := (p + q) / 2
	var d float64
	if p > 0 {
		d += p * math.Log2(p/mid)
	}
	if q > 0 {
		d += q * math.Log2(q/mid)
	}
	return d / 2
}
