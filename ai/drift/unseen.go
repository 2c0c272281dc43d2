package drift

import "math"

// unseenP returns the probability of at least hits of the window's rows falling
// where the baseline has nothing: outside its range, or in categories that it
// does not have.
//
// That the baseline has nothing there does not make the probability zero. It is
// taken as Beta(a, b), where a baseline of n rows says how large it can be:
//
//   - outside the range of continuous values: Beta(2, n−1), which is exact for
//     every continuous distribution (the two outer gaps of n order statistics)
//     and errs to the safe side with ties;
//   - categories and other discrete values: mean (f₁+1)/n and variance
//     (f₁+2f₂+1)/n², where f₁ and f₂ are the numbers of values that the baseline
//     has once and twice. Without any, this is the chance that all rows of a new
//     category fall into the window rather than into the baseline.
//
// Sources: order statistics, e.g. David, Nagaraja, "Order Statistics", 2003; the
// missing mass by Good, "The population frequencies of species", Biometrika
// 1953, and its variance by Esty, Annals of Statistics 1983.
func unseenP(hits, m, a, b float64) float64 {
	if hits <= 0 || m <= 0 {
		return 1
	}
	hits = min(hits, m)
	if a <= 0 || b <= 0 {
		return 1
	}
	// log P(X = hits) of the beta-binomial distribution, then upwards.
	lbeta := func(x, y float64) float64 { return lgamma(x) + lgamma(y) - lgamma(x+y) }
	if hits <= m*a/(a+b) {
		return 1 // At most as many as expected: not unusual, the value does not matter.
	}
	logp := lchoose(m, hits) + lbeta(a+hits, b+m-hits) - lbeta(a, b)
	tail, x := 1.0, 1.0
	for k := hits; k < m; k++ {
		x *= (m - k) / (k + 1) * (a + k) / (b + m - k - 1)
		tail += x
		if x < 1e-12*tail {
			break
		}
	}
	return clampP(math.Exp(max(minLogP, min(0, logp+math.Log(tail)))))
}

// missingMass returns the parameters of unseenP for discrete values, from the
// baseline's counts of each.
func missingMass(ref []float64) (a, b float64) {
	var n, once, twice float64
	for _, r := range ref {
		n += r
		switch r {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	if n <= 1 {
		return 0, 0
	}
	// The gamma distribution with that mean and variance has shape mean²/variance;
	// as Beta it keeps mean and, for small means, variance.
	mean, variance := (once+1)/n, (once+2*twice+1)/(n*n)
	if mean >= 0.5 {
		return 0, 0 // Nearly all values are new: nothing can be said.
	}
	a = mean * mean / variance
	return a, a * (1 - mean) / mean
}
