package drift

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// ChiSquare returns Pearson's statistic of homogeneity of two rows of counts,
// and its degrees of freedom: one less than the number of cells that either row
// has something in. It is 0, 0 where a row is empty.
//
// Source: Pearson 1900; equal to SciPy's chi2_contingency without correction.
func ChiSquare(ref, cur []float64) (x2 float64, dof int) {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0, 0
	}
	dof = -1
	for i := range ref {
		t := ref[i] + cur[i]
		if t <= 0 {
			continue
		}
		d := cur[i]/m - ref[i]/n
		x2 += d * d / t
		dof++
	}
	return x2 * n * m, max(dof, 0)
}

// contingencyP returns the p-value of ChiSquare given both margins of the table:
// the sizes of the samples and how often each cell was hit in both together.
// Given those, the window's counts are multivariate hypergeometric with no
// drift, whatever the distribution. The first three moments of the statistic are
// then known exactly, and a gamma distribution with those moments gives the
// tail; two cells are judged by Fisher's exact test.
//
// Cells so rare that one single hit would move the statistic by more than
// maxHit of its standard deviation are put together first. What is rare is
// decided by both samples together, and who goes with whom by order (a fixed
// order of the cells that knows nothing of the counts; nil for as they come): a
// choice by the baseline's counts would put together what the baseline has too
// little of by luck. buf is scratch; it has room for two numbers a cell.
//
// Sources: Haldane 1940 and Mielke, Berry, "Non-asymptotic inferences based on
// the chi-square statistic for r by c contingency tables", 1985, for moments
// given the margins and the gamma fit.
func contingencyP(ref, cur []float64, order []int32, buf []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 1
	}
	total := n + m
	k := 0
	for i := range ref {
		if ref[i]+cur[i] > 0 {
			k++
		}
	}
	if k < 2 {
		return 1
	}
	least := total * total / (m * n) / (maxHit * math.Sqrt(2*float64(k-1)))
	cells := buf[:0] // Pairs of (ref, cur).
	for i := range ref {
		if t := ref[i] + cur[i]; t >= least {
			cells = append(cells, ref[i], cur[i])
		}
	}
	pools := len(cells)
	var r, c float64
	for j := range ref {
		i := j
		if order != nil {
			i = int(order[j])
		}
		if t := ref[i] + cur[i]; t >= least {
			continue
		}
		r += ref[i]
		c += cur[i]
		if r+c >= least {
			cells = append(cells, r, c)
			r, c = 0, 0
		}
	}
	cells = joinLeast(cells, pools, r, c)
	switch len(cells) / 2 {
	case 0, 1:
		return 1
	case 2:
		return fisherP(cells[1], m-cells[1], cells[0], n-cells[0])
	}
	var x2, rarest float64
	rarest = math.Inf(1)
	for i := 0; i < len(cells); i += 2 {
		t := cells[i] + cells[i+1]
		d := cells[i+1]/m - cells[i]/n
		x2 += d * d / t
		rarest = min(rarest, t)
	}
	x2 *= n * m
	if rarest*min(n, m)/total >= 50 {
		return clampP(mathext.GammaIncRegComp(float64(len(cells)/2-1)/2, x2/2))
	}
	mean, variance, third := chiSquareMoments(cells, n, m)
	return gammaTail(x2, mean, variance, third)
}

// joinLeast adds counts that are too rare for a cell to the least of the pooled
// cells, so that no row is lost, or of all where there are no pooled ones.
func joinLeast(cells []float64, pools int, r, c float64) []float64 {
	if r+c <= 0 {
		return cells
	}
	if len(cells) < 4 {
		return append(cells, r, c)
	}
	if pools == len(cells) {
		pools = 0
	}
	at := pools
	for i := pools; i < len(cells); i += 2 {
		if cells[i]+cells[i+1] < cells[at]+cells[at+1] {
			at = i
		}
	}
	cells[at] += r
	cells[at+1] += c
	return cells
}

// maxHit bounds what one single row may add to a chi-square statistic, in
// standard deviations.
const maxHit = 0.5

// gammaTail returns P(X ≥ x) for the shifted gamma distribution with those
// central moments (Pearson's type III).
func gammaTail(x, mean, variance, third float64) float64 {
	if !(variance > 0) {
		if x <= mean {
			return 1
		}
		return math.Exp(minLogP)
	}
	sd := math.Sqrt(variance)
	z := (x - mean) / sd
	skew := third / (variance * sd)
	if !(skew > 1e-4) {
		return clampP(math.Erfc(z/math.Sqrt2) / 2)
	}
	a := 4 / (skew * skew)
	y := a + z*math.Sqrt(a)
	if y <= 0 {
		return 1
	}
	return clampP(mathext.GammaIncRegComp(a, y))
}

func clampP(p float64) float64 {
	if !(p > 1e-300) { // NaN too: GammaIncRegComp gives it where it underflows.
		return 1e-300
	}
	return min(p, 1)
}

// exactMoments is the largest number of rows for which the moments are exact;
// beyond it rounding would eat them, and what the approximation leaves out (of
// the order of cells²/rows) is gone.
const exactMoments = 50_000

// chiSquareMoments returns mean, variance and third central moment of the
// chi-square statistic of a 2×k table given its margins. cells holds pairs of
// counts (baseline, window).
func chiSquareMoments(cells []float64, n, m float64) (mean, variance, third float64) {
	// The statistic is the same for either sample, and so are its moments. Of the
	// smaller one less is lost to rounding.
	n, m = max(n, m), min(n, m)
	total := n + m
	k := float64(len(cells) / 2)
	mean = (k - 1) * total / (total - 1)
	if total > exactMoments {
		phi := m / total
		v := phi * (1 - phi)
		variance, third = 2*(k-1), 8*(k-1)
		for i := 0; i < len(cells); i += 2 {
			t := cells[i] + cells[i+1]
			// Cumulants of a standardised binomial with t trials.
			k3sq := (1 - 2*phi) * (1 - 2*phi) / (t * v)
			k4 := (1 - 6*v) / (t * v)
			k6 := (1 - 30*v + 120*v*v) / (t * v * t * v)
			variance += k4
			third += 12*k4 + 10*k3sq + k6
		}
		return mean, variance, third
	}

	// Y = Σ cⱼ²/tⱼ is X² up to an affine map. With x^(a) the falling factorial,
	// E[Π cⱼ^(aⱼ)] = Π tⱼ^(aⱼ) · m^(Σa)/N^(Σa): a product over cells times a
	// function of the total order. So each power of cⱼ is written as a polynomial
	// whose coefficient of order a stands for the falling factorial of order a,
	// polynomials of different cells multiply, and at the end each order is
	// replaced by its factor.
	var p1, pp, qq, ppp, pq, rr poly
	for i := 0; i < len(cells); i += 2 {
		t := cells[i] + cells[i+1]
		w := 1 / t
		t1, t2, t3, t4, t5 := t-1, t-2, t-3, t-4, t-5
		f2 := t1 // Falling factorials of t, each divided by t.
		f3 := f2 * t2
		f4 := f3 * t3
		f5 := f4 * t4
		f6 := f5 * t5
		// c² = x₁ + x₂, times w.
		a1, a2 := 1.0, f2
		// c⁴ = x₁ + 7x₂ + 6x₃ + x₄, times w².
		b1, b2, b3, b4 := w, 7*f2*w, 6*f3*w, f4*w
		// c⁶ = x₁ + 31x₂ + 90x₃ + 65x₄ + 15x₅ + x₆, times w³.
		w2 := w * w
		p1[1] += a1
		p1[2] += a2
		pp[2] += a1 * a1
		pp[3] += 2 * a1 * a2
		pp[4] += a2 * a2
		qq[1] += b1
		qq[2] += b2
		qq[3] += b3
		qq[4] += b4
		ppp[3] += a1 * a1 * a1
		ppp[4] += 3 * a1 * a1 * a2
		ppp[5] += 3 * a1 * a2 * a2
		ppp[6] += a2 * a2 * a2
		pq[2] += a1 * b1
		pq[3] += a1*b2 + a2*b1
		pq[4] += a1*b3 + a2*b2
		pq[5] += a1*b4 + a2*b3
		pq[6] += a2 * b4
		rr[1] += w2
		rr[2] += 31 * f2 * w2
		rr[3] += 90 * f3 * w2
		rr[4] += 65 * f4 * w2
		rr[5] += 15 * f5 * w2
		rr[6] += f6 * w2
	}
	var factor poly
	factor[0] = 1
	for a := 1; a < len(factor); a++ {
		factor[a] = factor[a-1] * max(0, m-float64(a-1)) / (total - float64(a-1))
	}
	s2 := p1.times(&p1)
	s3 := s2.times(&p1)
	sq := p1.times(&qq)
	var e1, e2, e3 float64
	for a := 1; a < len(factor); a++ {
		e1 += factor[a] * p1[a]
		e2 += factor[a] * (s2[a] - pp[a] + qq[a])
	}
	p1pp := p1.times(&pp)
	for a := 1; a < len(factor); a++ {
		e3 += factor[a] * (s3[a] - 3*p1pp[a] + 2*ppp[a] + 3*(sq[a]-pq[a]) + rr[a])
	}
	scale := total * total / (m * n)
	variance = (e2 - e1*e1) * scale * scale
	third = (e3 - 3*e1*e2 + 2*e1*e1*e1) * scale * scale * scale
	return mean, variance, third
}

// poly is a polynomial of degree at most 6, without what would be above.
type poly [7]float64

func (p *poly) times(q *poly) poly {
	var r poly
	for i, x := range p {
		if x == 0 {
			continue
		}
		for j := 0; i+j < len(r); j++ {
			r[i+j] += x * q[j]
		}
	}
	return r
}

func sum(x []float64) float64 {
	var s float64
	for _, v := range x {
		s += v
	}
	return s
}
