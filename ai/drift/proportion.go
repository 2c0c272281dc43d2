package drift

import "math"

// Proportion returns the two-proportion z statistic with pooled variance for
// hits and misses of the window and of the baseline: positive where the window's
// share of hits is larger. It is 0 where it is not defined.
//
// It equals the z-test of Evidently and of statsmodels' proportions_ztest.
func Proportion(curHits, curMisses, refHits, refMisses float64) float64 {
	m, n := curHits+curMisses, refHits+refMisses
	if m <= 0 || n <= 0 {
		return 0
	}
	p := (curHits + refHits) / (m + n)
	v := p * (1 - p) * (1/m + 1/n)
	if v <= 0 {
		return 0
	}
	return (curHits/m - refHits/n) / math.Sqrt(v)
}

// fisherP returns the two-sided p-value of Fisher's exact test: the probability,
// given both margins, of all tables that are no more likely than this one. It is
// exact at any size and never too small.
//
// Source: Fisher 1934; equal to SciPy's fisher_exact.
func fisherP(curHits, curMisses, refHits, refMisses float64) float64 {
	m, n := curHits+curMisses, refHits+refMisses
	t := curHits + refHits // Hits in both samples together.
	total := m + n
	if m <= 0 || n <= 0 || t <= 0 || t >= total {
		return 1
	}
	// With this many expected in every field, normal is as good, and adding up
	// would take long.
	if min(t, total-t)*min(m, n)/total > 5000 {
		z := Proportion(curHits, curMisses, refHits, refMisses)
		return clampP(math.Erfc(math.Abs(z) / math.Sqrt2))
	}
	lo, hi := max(0, t-n), min(t, m)
	// Odds of k+1 hits to k.
	up := func(k float64) float64 { return (t - k) * (m - k) / ((k + 1) * (n - t + k + 1)) }
	mode := min(max(math.Floor((t+1)*(m+1)/(total+2)), lo), hi)

	logP := lchoose(t, curHits) + lchoose(total-t, m-curHits) - lchoose(total, m)
	logMode := lchoose(t, mode) + lchoose(total-t, m-mode) - lchoose(total, m)
	// All in units of the mode's probability, whose logarithm is near 0.
	limit := math.Exp(logP-logMode) * (1 + 1e-7)
	if limit < 1e-290 {
		return clampP(math.Exp(logP) * 2) // Beyond what the sum below resolves.
	}
	var p float64
	if 1 <= limit {
		return 1
	}
	const negligible = 1e-14
	x := 1.0
	for k := mode; k < hi; k++ {
		x *= up(k)
		if x <= limit {
			p += x
			if x < negligible*p {
				break
			}
		}
	}
	x = 1
	for k := mode; k > lo; k-- {
		x /= up(k - 1)
		if x <= limit {
			p += x
			if x < negligible*p {
				break
			}
		}
	}
	return clampP(p * math.Exp(logMode))
}

func lchoose(n, k float64) float64 {
	return lgamma(n+1) - lgamma(k+1) - lgamma(n-k+1)
}
