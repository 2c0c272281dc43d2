package drift

import (
	"math"
	"math/rand/v2"
)

// simulate returns the null distribution of stat: what it is when baseline and
// window come from one distribution.
//
// The baseline's counts are known and stay; what is not known is the
// distribution they came from. Given the counts, its cell probabilities are
// Dirichlet(alpha) with the counts as alpha, exactly so for continuous values in
// cells between the baseline's own order statistics, and the window's counts are
// multinomial given those. Cells where the baseline has nothing have the alpha
// that unseen values deserve.
//
// stat gets the counts of the window in a slice that it must not keep, and gives
// a number that is not negative. The result is the same for the same arguments.
func simulate(alpha []float64, m, repeats int, stat func(cur []float64) float64) *null {
	seed := uint64(m)
	for _, a := range alpha {
		seed = seed*0x9e3779b97f4a7c15 + math.Float64bits(a)
	}
	s := sampler{rng: rand.New(rand.NewPCG(seed, 0x6d6f64656c776174))}
	cur := make([]float64, len(alpha))
	prob := make([]float64, len(alpha))
	values := make([]float64, repeats)
	for i := range values {
		s.dirichlet(prob, alpha)
		s.multinomial(cur, m, prob)
		if v := stat(cur); v >= 0 { // Not NaN.
			values[i] = v
		}
	}
	return newSampledNull(values)
}

// sampler draws from the distributions that the simulation needs.
type sampler struct {
	rng *rand.Rand
}

// dirichlet fills p with probabilities that sum to 1. A zero alpha gives zero.
func (s *sampler) dirichlet(p, alpha []float64) {
	var sum float64
	for i, a := range alpha {
		p[i] = 0
		if a > 0 {
			p[i] = s.gamma(a)
		}
		sum += p[i]
	}
	if sum <= 0 {
		for i := range p {
			p[i] = 1 / float64(len(p))
		}
		return
	}
	for i := range p {
		p[i] /= sum
	}
}

// gamma draws from Gamma(a, 1).
//
// Source: Marsaglia, Tsang, "A simple method for generating gamma variables",
// ACM TOMS 2000.
func (s *sampler) gamma(a float64) float64 {
	boost := 1.0
	if a < 1 {
		boost = math.Pow(1-s.rng.Float64(), 1/a)
		a++
	}
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := s.rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := 1 - s.rng.Float64()
		if u < 1-0.0331*x*x*x*x || math.Log(u) < x*x/2+d*(1-v+math.Log(v)) {
			return boost * d * v
		}
	}
}

// multinomial fills counts with m draws from p.
func (s *sampler) multinomial(counts []float64, m int, p []float64) {
	left, mass := m, 1.0
	last := len(p) - 1
	for i, q := range p {
		switch {
		case left == 0 || q <= 0:
			counts[i] = 0
		case i == last || q >= mass:
			counts[i] = float64(left)
			left = 0
		default:
			x := s.binomial(left, q/mass)
			counts[i] = float64(x)
			left -= x
		}
		mass -= q
	}
	if left > 0 { // Rounding left mass behind the last cell with any.
		for i := last; i >= 0; i-- {
			if p[i] > 0 || i == 0 {
				counts[i] += float64(left)
				break
			}
		}
	}
}

// binomial draws the number of successes in n trials.
//
// Source: Hörmann, "The generation of binomial random variates", Journal of
// Statistical Computation and Simulation 1993 (BTRS), and inversion where the
// mean is small.
func (s *sampler) binomial(n int, p float64) int {
	if p > 0.5 {
		return n - s.binomial(n, 1-p)
	}
	if p <= 0 || n == 0 {
		return 0
	}
	nf := float64(n)
	if nf*p < 10 {
		odds := p / (1 - p)
		none := math.Exp(nf * math.Log1p(-p))
		for {
			u := s.rng.Float64()
			f := none
			k := 0
			for ; u > f && k < n; k++ {
				u -= f
				f *= odds * (nf - float64(k)) / float64(k+1)
				if f < 1e-300 {
					break
				}
			}
			if f >= 1e-300 || k == n {
				return k
			}
		}
	}
	spq := math.Sqrt(nf * p * (1 - p))
	b := 1.15 + 2.53*spq
	a := -0.0873 + 0.0248*b + 0.01*p
	c := nf*p + 0.5
	vr := 0.92 - 4.2/b
	alpha := (2.83 + 5.1/b) * spq
	for {
		u := s.rng.Float64() - 0.5
		v := 1 - s.rng.Float64()
		us := 0.5 - math.Abs(u)
		k := math.Floor((2*a/us+b)*u + c)
		if us >= 0.07 && v <= vr {
			return int(k)
		}
		if k < 0 || k > nf {
			continue
		}
		// Rarely needed, so not made ready before.
		mode := math.Floor((nf + 1) * p)
		lpq := math.Log(p / (1 - p))
		h := lgamma(mode+1) + lgamma(nf-mode+1)
		if math.Log(v*alpha/(a/(us*us)+b)) <= h-lgamma(k+1)-lgamma(nf-k+1)+(k-mode)*lpq {
			return int(k)
		}
	}
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
