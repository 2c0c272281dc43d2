package drift

import "math"

// GTest returns the likelihood ratio statistic of homogeneity of two rows of
// counts, and its degrees of freedom. It is 0, 0 where a row is empty.
//
// Source: Woolf 1957; equal to SciPy's chi2_contingency with
// lambda_="log-likelihood" and without correction.
func GTest(ref, cur []float64) (g float64, dof int) {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0, 0
	}
	dof = -1
	for i := range ref {
		r, c := ref[i], cur[i]
		t := r + c
		if t <= 0 {
			continue
		}
		dof++
		if r > 0 {
			g += r * math.Log(r/n*(n+m)/t)
		}
		if c > 0 {
			g += c * math.Log(c/m*(n+m)/t)
		}
	}
	return max(0, 2*g), max(dof, 0)
}
