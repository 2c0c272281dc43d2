package quality

import "math"

// fisherGreater returns the p-value of Fisher's exact test that the current
// share k1/n1 is above the reference share k0/n0: the probability, given the
// k0+k1 hits in n0+n1 records, that k1 or more of them are among the current
// ones. Source: Fisher, "On the interpretation of χ² from contingency tables,
// and the calculation of P", 1922.
func fisherGreater(k0, n0, k1, n1 uint64) float64 {
	if k1 == 0 || n1 == 0 || n0 == 0 {
		return 1
	}
	hits, all := k0+k1, n0+n1
	logP := func(k uint64) float64 {
		return logChoose(hits, k) + logChoose(all-hits, n1-k) - logChoose(all, n1)
	}
	lo := uint64(0)
	if n1 > all-hits {
		lo = n1 - (all - hits)
	}
	hi := min(hits, n1)
	// Terms fall on both sides of the mode, so the shorter tail is summed from its
	// largest term until the rest no longer matters.
	if mean := float64(hits) / float64(all) * float64(n1); float64(k1) > mean {
		return min(1, sumTerms(k1, hi, +1, logP))
	}
	if k1 == lo {
		return 1
	}
	return max(0, 1-sumTerms(k1-1, lo, -1, logP))
}

// maxExactRange is the largest window that outsideRange sums up exactly.
const maxExactRange = 20_000

// outsideRange returns the probability that k or more of m values lie outside
// the range of n reference values from the same distribution, whichever
// continuous one it is; ties only make it smaller. The share outside is
// distributed as Beta(2, n−1), so the count is beta-binomial; in windows above
// maxExactRange it is taken for the share times m.
// Source: Wilks, "Determination of sample sizes for setting tolerance limits",
// Annals of Mathematical Statistics 1941.
func outsideRange(k, m, n uint64) float64 {
	switch {
	case k == 0 || n < 2:
		return 1
	case k > m:
		return 0
	}
	b := float64(n - 1)
	if m > maxExactRange {
		x := float64(k) / float64(m)
		return math.Exp(b*math.Log1p(-x)) * (1 + b*x)
	}
	base := logBeta(2, b)
	logP := func(i uint64) float64 {
		return logChoose(m, i) + logBeta(float64(i)+2, float64(m-i)+b) - base
	}
	if mean := float64(m) * 2 / (2 + b); float64(k) > mean {
		return min(1, sumTerms(k, m, +1, logP))
	}
	return max(0, 1-sumTerms(k-1, 0, -1, logP))
}

// sumTerms sums exp(logP(i)) from i=from to i=to by step, as long as the terms
// matter.
func sumTerms(from, to uint64, step int, logP func(uint64) float64) float64 {
	var sum float64
	for i := from; ; i = uint64(int64(i) + int64(step)) {
		term := math.Exp(logP(i))
		sum += term
		if i == to || term <= sum*1e-17 {
			return sum
		}
	}
}

func logChoose(n, k uint64) float64 {
	if k == 0 || k == n {
		return 0
	}
	return lgamma(float64(n)+1) - lgamma(float64(k)+1) - lgamma(float64(n-k)+1)
}

func logBeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
