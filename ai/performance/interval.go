package performance

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Confidence is the level of every interval in this package.
const Confidence = 0.95

// z975 is the normal quantile that belongs to Confidence.
const z975 = 1.959963984540054

// Interval is a two-sided confidence interval at the level Confidence. An end
// that the sample is too small to bound is infinite.
type Interval struct{ Low, High float64 }

// Contains reports whether x is in the interval, its ends among it.
func (i Interval) Contains(x float64) bool { return i.Low <= x && x <= i.High }

func everything() Interval { return Interval{math.Inf(-1), math.Inf(1)} }

// Wilson returns the score interval of a proportion of k in n (Wilson, "Probable
// inference, the law of succession, and statistical inference", JASA 1927). k
// may be fractional: expected counts are.
func Wilson(k, n float64) Interval {
	if !(n > 0) {
		return Interval{0, 1}
	}
	p := min(max(k/n, 0), 1)
	const zz = z975 * z975
	middle := (p + zz/(2*n)) / (1 + zz/n)
	half := z975 / (1 + zz/n) * math.Sqrt(p*(1-p)/n+zz/(4*n*n))
	iv := Interval{max(middle-half, 0), min(middle+half, 1)}
	if p == 0 {
		iv.Low = 0
	}
	if p == 1 {
		iv.High = 1
	}
	return iv
}

// MiettinenNurminen returns the score interval of the difference p1 - p2 of two
// proportions k1 in n1 and k2 in n2 (Miettinen and Nurminen, "Comparative
// analysis of two rates", Statistics in Medicine 1985). It holds its level with
// small counts and with none, where the normal interval does not.
func MiettinenNurminen(k1, n1, k2, n2 float64) Interval {
	if !(n1 > 0 && n2 > 0) {
		return Interval{-1, 1}
	}
	d := k1/n1 - k2/n2
	chi := func(delta float64) float64 {
		p2 := restrictedDifference(k1, n1, k2, n2, delta)
		p1 := p2 + delta
		v := (p1*(1-p1)/n1 + p2*(1-p2)/n2) * (n1 + n2) / (n1 + n2 - 1)
		if d == delta {
			return 0
		}
		if !(v > 0) {
			return math.Inf(1)
		}
		return (d - delta) * (d - delta) / v
	}
	return Interval{
		Low:  bisect(-1, d, func(x float64) bool { return chi(x) > z975*z975 }),
		High: bisect(1, d, func(x float64) bool { return chi(x) > z975*z975 }),
	}
}

// restrictedDifference returns the maximum-likelihood p2 where p1 = p2 + delta.
// The derivative of the log likelihood falls over the whole feasible span, so
// its root is found by halving.
func restrictedDifference(k1, n1, k2, n2, delta float64) float64 {
	low, high := max(0, -delta), min(1, 1-delta)
	for range 60 {
		p2 := (low + high) / 2
		p1 := p2 + delta
		// Both terms over their p(1-p); the likelihood rises while this is positive.
		slope := score(k1, n1, p1) + score(k2, n2, p2)
		if slope > 0 {
			low = p2
		} else {
			high = p2
		}
	}
	return (low + high) / 2
}

// score is the derivative of the binomial log likelihood of k in n at p.
func score(k, n, p float64) float64 {
	v := p * (1 - p)
	if v <= 0 {
		switch d := k - n*p; {
		case d > 0:
			return math.Inf(1)
		case d < 0:
			return math.Inf(-1)
		default:
			return 0
		}
	}
	return (k - n*p) / v
}

// RiskRatio returns the score interval of the ratio p1 / p2 of two proportions
// (Miettinen and Nurminen 1985, as MiettinenNurminen). With no event in the
// second sample it has no upper end, and with none in either no end at all.
func RiskRatio(k1, n1, k2, n2 float64) Interval {
	if !(n1 > 0 && n2 > 0) || k1+k2 <= 0 {
		return Interval{0, math.Inf(1)}
	}
	p1, p2 := k1/n1, k2/n2
	chi := func(phi float64) float64 {
		a := (n1 + n2) * phi
		b := -(n1*phi + k1 + n2 + k2*phi)
		c := k1 + k2
		q2 := (-b - math.Sqrt(max(b*b-4*a*c, 0))) / (2 * a)
		q1 := phi * q2
		v := (q1*(1-q1)/n1 + phi*phi*q2*(1-q2)/n2) * (n1 + n2) / (n1 + n2 - 1)
		d := p1 - phi*p2
		if d == 0 {
			return 0
		}
		if !(v > 0) {
			return math.Inf(1)
		}
		return d * d / v
	}
	out := func(logPhi float64) bool { return chi(math.Exp(logPhi)) > z975*z975 }
	const far = 60 // exp(60): further than any two counts can be apart.
	start := math.Log((k1 + 0.5) / (n1 + 1) / ((k2 + 0.5) / (n2 + 1)))
	if k1 > 0 && k2 > 0 {
		start = math.Log(p1 / p2)
	}
	iv := Interval{Low: 0, High: math.Inf(1)}
	if k1 > 0 {
		iv.Low = math.Exp(bisect(-far, start, out))
	}
	if k2 > 0 {
		iv.High = math.Exp(bisect(far, start, out))
	}
	return iv
}

// bisect returns where out changes between a point at which it holds and one
// at which it does not; the first where it holds at neither.
func bisect(outside, inside float64, out func(float64) bool) float64 {
	if !out(outside) {
		return outside
	}
	for range 60 {
		m := (outside + inside) / 2
		if out(m) {
			outside = m
		} else {
			inside = m
		}
	}
	return (outside + inside) / 2
}

// mover joins the intervals of two independent estimates a and b into that of
// a - b, keeping their lopsidedness (method of variance estimates recovery: Zou
// and Donner, "Construction of confidence limits about effect measures",
// Statistics in Medicine 2008).
func mover(a float64, ia Interval, b float64, ib Interval) Interval {
	return Interval{
		Low:  a - b - math.Hypot(a-ia.Low, ib.High-b),
		High: a - b + math.Hypot(ia.High-a, b-ib.Low),
	}
}

// QuantileInterval returns the distribution-free interval of the q-quantile
// from order statistics: of n values in order, the true quantile is between
// those at the two ranks with at least the probability Confidence (David and
// Nagaraja, "Order Statistics", 2003, section 7.1), widened by SketchError. An
// end is infinite where the sample is too small to have that rank.
func (s *Sketch) QuantileInterval(q float64) Interval {
	if s.count == 0 || !(q > 0 && q < 1) {
		return everything()
	}
	n := float64(s.count)
	// low is the number of ranks r with P(Bin(n,q) < r) <= 2.5 %, counted from 1.
	low := searchRank(s.count, func(r uint64) bool { return binomialCDF(float64(r)-1, n, q) <= (1-Confidence)/2 })
	// high is the first rank r with P(Bin(n,q) < r) >= 97.5 %.
	high := searchRank(s.count, func(r uint64) bool { return binomialCDF(float64(r)-1, n, q) < 1-(1-Confidence)/2 }) + 1
	iv := everything()
	if low >= 1 {
		iv.Low = s.atRank(low-1) * (1 - SketchError)
	}
	if high <= s.count {
		iv.High = s.atRank(high-1) * (1 + SketchError)
	}
	return iv
}

// searchRank returns the largest rank from 1 to n at which holds is true, where
// it is true up to some rank and false after it; 0 if it is never true.
func searchRank(n uint64, holds func(uint64) bool) uint64 {
	low, high := uint64(0), n
	for low < high {
		m := low + (high-low+1)/2
		if holds(m) {
			low = m
		} else {
			high = m - 1
		}
	}
	return low
}

// binomialCDF returns P(X <= k) for X binomial with n trials of probability p.
func binomialCDF(k, n, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return mathext.RegIncBeta(n-math.Floor(k), math.Floor(k)+1, 1-p)
}

// fisherGreater returns the one-sided p-value of Fisher's exact test that the
// first of two proportions, k1 in n1 and k2 in n2, is the larger: the chance of k1 or
// more of all k1+k2 events to fall among the first n1 of n1+n2.
func fisherGreater(k1, n1, k2, n2 uint64) float64 {
	if n1 == 0 || n2 == 0 || k1+k2 == 0 {
		return 1
	}
	events, total := k1+k2, n1+n2
	least, most := uint64(0), min(events, n1)
	if events > n2 {
		least = events - n2
	}
	logTerm := func(k uint64) float64 {
		return logChoose(float64(n1), float64(k)) + logChoose(float64(n2), float64(events-k)) -
			logChoose(float64(total), float64(events))
	}
	up := func(k uint64) float64 { // Term k+1 over term k.
		return float64(n1-k) / float64(k+1) * float64(events-k) / float64(n2-(events-k)+1)
	}
	return tail(k1, least, most, float64(events)*float64(n1)/float64(total), logTerm, up)
}

// exceedance returns the one-sided p-value of k of n new values lying above a
// bound that r of m old ones lie above, had both one distribution. The share of
// a distribution beyond an order statistic is Beta distributed, so the count is
// beta-binomial whatever the distribution (a form of the tests of Mathisen,
// "A method of testing the hypothesis that two samples are from the same
// population", Annals of Mathematical Statistics 1943). The bound lies between
// two old values; the lower one is taken, which errs to the safe side.
func exceedance(k, n, r, m uint64) float64 {
	if n == 0 || m == 0 || r >= m {
		return 1
	}
	a, b := float64(r+1), float64(m-r)
	logTerm := func(k uint64) float64 {
		return logChoose(float64(n), float64(k)) + logBeta(float64(k)+a, float64(n-k)+b) - logBeta(a, b)
	}
	up := func(k uint64) float64 {
		return float64(n-k) / float64(k+1) * (float64(k) + a) / (float64(n-k) - 1 + b)
	}
	return tail(k, 0, n, float64(n)*a/(a+b), logTerm, up)
}

// tail sums the terms of a unimodal distribution over least..most from k up. It
// starts on the side of k away from the middle, where terms fall fast, and
// stops when they no longer count.
func tail(k, least, most uint64, middle float64, logTerm func(uint64) float64, up func(uint64) float64) float64 {
	if k <= least {
		return 1
	}
	if k > most {
		return 0
	}
	if float64(k) > middle {
		term := math.Exp(logTerm(k))
		sum := term
		for i := k; i < most; i++ {
			term *= up(i)
			sum += term
			if term <= sum*1e-16 {
				break
			}
		}
		return min(max(sum, 0), 1)
	}
	term := math.Exp(logTerm(k - 1))
	sum := term
	for i := k - 1; i > least; i-- {
		term /= up(i - 1)
		sum += term
		if term <= sum*1e-16 {
			break
		}
	}
	return min(max(1-sum, 0), 1)
}

func logChoose(n, k float64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	return -math.Log(n+1) - logBeta(n-k+1, k+1)
}

func logBeta(a, b float64) float64 { return mathext.Lbeta(a, b) }

// normalAbove returns P(Z > z) of a standard normal Z.
func normalAbove(z float64) float64 { return math.Erfc(z/math.Sqrt2) / 2 }

// meanInterval returns Student's interval of a mean with that variance of one
// value.
func meanInterval(mean, variance, n float64) Interval {
	if n < 2 || !(variance >= 0) {
		return everything()
	}
	half := studentQuantile(n-1) * math.Sqrt(variance/n)
	return Interval{mean - half, mean + half}
}

// studentQuantile returns the 97.5 % quantile of Student's t.
func studentQuantile(df float64) float64 {
	if df > 1e6 {
		return z975
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(1 - (1-Confidence)/2)
}

// poissonInterval returns the exact interval of a Poisson mean of which k events
// were seen (Garwood, "Fiducial limits for the Poisson distribution",
// Biometrika 1936).
func poissonInterval(k uint64) Interval {
	const tail = (1 - Confidence) / 2
	n := float64(k)
	iv := Interval{}
	if k > 1e6 {
		half := z975 * math.Sqrt(n)
		return Interval{n - half, n + half}
	}
	if k > 0 {
		iv.Low = mathext.GammaIncRegInv(n, tail)
	}
	iv.High = mathext.GammaIncRegInv(n+1, 1-tail)
	return iv
}
