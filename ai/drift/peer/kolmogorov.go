package peer

import (
	"math"
	"slices"
)

// exactRows is the size of the larger sample up to which the p-value of
// KolmogorovSmirnov is exact.
const exactRows = 10_000

// KolmogorovSmirnov returns the largest distance of two empirical distribution
// functions and its two-sided p-value, as SciPy's ks_2samp does by default:
// exact up to 10,000 rows, beyond by the one-sample distribution at the
// effective size.
func KolmogorovSmirnov(ref, cur []float64) (d, p float64) {
	a, b := slices.Clone(ref), slices.Clone(cur)
	slices.Sort(a)
	slices.Sort(b)
	n, m := len(a), len(b)
	g := gcd(n, m)
	un, um := m/g, n/g // A row of a weighs un, a row of b um, of lcm(n, m).
	var most int
	for i, j := 0, 0; i < n && j < m; {
		x := min(a[i], b[j])
		for i < n && a[i] == x {
			i++
		}
		for j < m && b[j] == x {
			j++
		}
		most = max(most, abs(i*un-j*um))
	}
	d = float64(most) / float64(un) / float64(n)
	if most == 0 {
		return 0, 1
	}
	if max(n, m) <= exactRows {
		return d, min(1, max(0, 1-insideProbability(n, m, un, um, most)))
	}
	return d, KolmogorovTail(d, int(math.RoundToEven(float64(n)*float64(m)/float64(n+m))))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// insideProbability returns the probability that a random order of n rows of one
// kind and m of the other never gets the two shares as far apart as most/lcm.
//
// With i and j rows of each kind so far, the last one was of the first kind with
// probability i/(i+j); so the probability of having stayed inside is a weighted
// mean of that one row earlier.
//
// Source: Hodges, "The significance probability of the Smirnov two-sample test",
// Arkiv för Matematik 1958.
func insideProbability(n, m, un, um, most int) float64 {
	row := make([]float64, m+1)
	for i := 0; i <= n; i++ {
		// Only |i·un − j·um| < most is inside.
		lo := max(0, (i*un-most)/um-1)
		hi := min(m, (i*un+most)/um+1)
		if lo > 0 {
			row[lo-1] = 0
		}
		for j := lo; j <= hi; j++ {
			switch {
			case abs(i*un-j*um) >= most:
				row[j] = 0
			case i == 0 && j == 0:
				row[j] = 1
			default:
				var v float64
				if i > 0 {
					v += float64(i) * row[j]
				}
				if j > 0 {
					v += float64(j) * row[j-1]
				}
				row[j] = v / float64(i+j)
			}
		}
		for j := hi + 1; j <= m && row[j] != 0; j++ {
			row[j] = 0
		}
	}
	return row[m]
}

// KolmogorovTail returns the probability that the empirical distribution
// function of n values is at least d away from the true one somewhere, as SciPy's
// kstwo.sf does.
//
// Sources: Simard, L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov
// distribution", Journal of Statistical Software 2011, after Marsaglia, Tsang,
// Wang 2003 (small n) and Pelz, Good 1976 (large n); twice Smirnov's one-sided
// probability in the tail.
func KolmogorovTail(d float64, n int) float64 {
	nf := float64(n)
	switch {
	case n < 1 || math.IsNaN(d):
		return math.NaN()
	case d <= 0.5/nf:
		return 1
	case d >= 1:
		return 0
	case nf*d*d >= 4 || d > 0.5:
		return min(1, 2*smirnovTail(d, nf))
	case n <= 140:
		return min(1, max(0, 1-marsagliaTsangWang(d, n)))
	default:
		return min(1, max(0, 1-pelzGood(d*math.Sqrt(nf), nf)))
	}
}

// smirnovTail returns the one-sided probability.
func smirnovTail(d, n float64) float64 {
	var p float64
	ln, _ := math.Lgamma(n + 1)
	for j := 0.0; j <= math.Floor(n*(1-d)); j++ {
		rest := 1 - d - j/n
		if rest <= 0 {
			break
		}
		lj, _ := math.Lgamma(j + 1)
		lr, _ := math.Lgamma(n - j + 1)
		p += math.Exp(ln - lj - lr + (n-j)*math.Log(rest) + (j-1)*math.Log(d+j/n))
	}
	return p * d
}

// marsagliaTsangWang returns P(D < d) exactly, by a power of a matrix.
func marsagliaTsangWang(d float64, n int) float64 {
	nd := float64(n) * d
	k := int(math.Ceil(nd))
	h := float64(k) - nd
	m := 2*k - 1
	a := make([]float64, m*m)
	for i := range m {
		for j := range m {
			if i-j+1 >= 0 {
				a[i*m+j] = 1
			}
		}
	}
	for i := range m {
		a[i*m] -= math.Pow(h, float64(i+1))
		a[(m-1)*m+i] -= math.Pow(h, float64(m-i))
	}
	if 2*h-1 > 0 {
		a[(m-1)*m] += math.Pow(2*h-1, float64(m))
	}
	for i := range m {
		for j := range m {
			for g := 1; g <= i-j+1; g++ {
				a[i*m+j] /= float64(g)
			}
		}
	}
	v, e := matrixPower(a, 0, m, n)
	s := v[(k-1)*m+k-1]
	for i := 1; i <= n; i++ {
		s = s * float64(i) / float64(n)
		if s < 1e-140 {
			s *= 1e140
			e -= 140
		}
	}
	return s * math.Pow(10, float64(e))
}

// matrixPower returns a·10^e to the power n, scaled by 10 to the returned power.
func matrixPower(a []float64, e, m, n int) (v []float64, ev int) {
	if n == 1 {
		return slices.Clone(a), e
	}
	v, ev = matrixPower(a, e, m, n/2)
	v, ev = multiply(v, v, m), 2*ev
	if n%2 == 1 {
		v, ev = multiply(a, v, m), e+ev
	}
	if v[(m/2)*m+m/2] > 1e140 {
		for i := range v {
			v[i] *= 1e-140
		}
		ev += 140
	}
	return v, ev
}

func multiply(a, b []float64, m int) []float64 {
	c := make([]float64, m*m)
	for i := range m {
		for k := range m {
			x := a[i*m+k]
			if x == 0 {
				continue
			}
			row, out := b[k*m:k*m+m], c[i*m:i*m+m]
			for j, y := range row {
				out[j] += x * y
			}
		}
	}
	return c
}

// pelzGood returns P(√n·D < z) by an asymptotic expansion to n^(−3/2).
func pelzGood(z, n float64) float64 {
	z2 := z * z
	z4, z6, z8 := z2*z2, z2*z2*z2, z2*z2*z2*z2
	pi2 := math.Pi * math.Pi
	var k0, k1, k2a, k2b, k3a, k3b float64
	for i := range 20 {
		h := (float64(i) + 0.5) * (float64(i) + 0.5)
		e := 2 * math.Exp(-pi2*h/(2*z2)) // Both signs.
		k0 += e / 2
		k1 += (pi2*h - z2) * e
		k2a += ((6*z6 + 2*z4) + pi2*(2*z4-5*z2)*h + pi2*pi2*(1-2*z2)*h*h) * e
		k3a += (pi2*pi2*pi2*h*h*h*(5-30*z2) + pi2*pi2*h*h*(-60*z2+212*z4) +
			pi2*h*(135*z4-96*z6) - (30*z6 + 90*z8)) * e
		w := float64(i) * float64(i)
		e = 2 * math.Exp(-pi2*w/(2*z2)) // Nothing at 0 anyway.
		k2b += pi2 * w * e
		k3b += (-pi2*pi2*w*w + 3*pi2*w*z2) * e
	}
	half := math.Sqrt(math.Pi / 2)
	return math.Sqrt(2*math.Pi)/z*k0 +
		half/(6*z4)*k1/math.Sqrt(n) +
		(half/(72*z6*z)*k2a-half/(36*z2*z)*k2b)/n +
		(half/(6480*z8*z2)*k3a+half/(216*z6)*k3b)/(n*math.Sqrt(n))
}
