package peer

import (
	"math"
	"slices"
)

// jensenShannon returns the Jensen-Shannon distance in base 2 of two rows of
// shares, which it normalises.
func jensenShannon(p, q []float64) float64 {
	var sp, sq float64
	for i := range p {
		sp += p[i]
		sq += q[i]
	}
	var d float64
	for i := range p {
		a, b := p[i]/sp, q[i]/sq
		m := (a + b) / 2
		if a > 0 {
			d += a * math.Log2(a/m)
		}
		if b > 0 {
			d += b * math.Log2(b/m)
		}
	}
	return math.Sqrt(max(0, d/2))
}

// Wasserstein returns the first Wasserstein distance of two samples, exactly:
// the area between their empirical distribution functions.
func Wasserstein(ref, cur []float64) float64 {
	a, b := slices.Clone(ref), slices.Clone(cur)
	slices.Sort(a)
	slices.Sort(b)
	var d, last float64
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		x := 0.0
		switch {
		case i == len(a):
			x = b[j]
		case j == len(b):
			x = a[i]
		default:
			x = min(a[i], b[j])
		}
		if i+j > 0 {
			d += (x - last) * math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b)))
		}
		last = x
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
	}
	return d
}

// moments returns mean and population deviation.
func moments(x []float64) (mean, sd float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(x)))
}

// Rule says how many equal-width cells a sample is cut in.
type Rule int

// The rules, as NumPy has them.
const (
	Sturges Rule = iota
	Doane
)

// Edges returns the ends of equal-width cells over the range of values, as
// numpy.histogram_bin_edges does for floating-point numbers.
func Edges(values []float64, rule Rule) []float64 {
	lo, hi := slices.Min(values), slices.Max(values)
	n := float64(len(values))
	cells := math.Log2(n) + 1
	if rule == Doane {
		cells = doane(values)
	}
	k := 1
	if lo == hi {
		lo, hi = lo-0.5, hi+0.5
	} else if cells > 0 {
		// By way of the width, whose rounding decides where cells is whole.
		k = int(math.Ceil((hi - lo) / ((hi - lo) / cells)))
	}
	edges := make([]float64, k+1)
	step := (hi - lo) / float64(k)
	for i := range edges {
		edges[i] = lo + float64(i)*step
	}
	edges[k] = hi
	return edges
}

// doane returns the number of cells by Doane's rule, which adds cells for
// skewness; 0 where there is no spread.
func doane(values []float64) float64 {
	n := float64(len(values))
	mean, sd := moments(values)
	if n <= 2 || sd <= 0 {
		return 0
	}
	var g float64
	for _, x := range values {
		z := (x - mean) / sd
		g += z * z * z
	}
	g /= n
	s := math.Sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
	return 1 + math.Log2(n) + math.Log2(1+math.Abs(g)/s)
}

// Histogram counts values in cells that hold their lower end, the last one its
// upper end too. Values outside are not counted.
func Histogram(values, edges []float64) []float64 {
	counts := make([]float64, len(edges)-1)
	last := len(edges) - 1
	for _, x := range values {
		i, exact := slices.BinarySearch(edges, x)
		if !exact {
			i--
		}
		switch {
		case i >= 0 && i < last:
			counts[i]++
		case i == last && exact:
			counts[last-1]++
		}
	}
	return counts
}
