package drift

import "math"

// halfRow is what an empty cell of a sample of n rows is taken as in
// PopulationStability, in shares: half a row.
func halfRow(n float64) float64 { return 0.5 / n }

// PopulationStability returns the population stability index of two rows of
// counts, Σ (p−q)·ln(p/q) over their shares, which is the symmetric
// Kullback-Leibler divergence in nats. A cell that is empty in one sample counts
// as half a row there; one that is empty in both adds nothing.
//
// Source: Lewis, "An Introduction to Credit Scoring", 1994; Jeffreys 1946.
func PopulationStability(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var psi float64
	for i := range ref {
		psi += populationStabilityTerm(ref[i], cur[i], n, m)
	}
	return psi
}

func populationStabilityTerm(r, c, n, m float64) float64 {
	if r <= 0 && c <= 0 {
		return 0
	}
	p, q := r/n, c/m
	if p <= 0 {
		p = halfRow(n)
	}
	if q <= 0 {
		q = halfRow(m)
	}
	return (p - q) * math.Log(p/q)
}
