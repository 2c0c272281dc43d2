package drift

import "math"

// Hellinger returns the Hellinger distance of two rows of counts,
// √(½·Σ(√p−√q)²) over their shares, between 0 and 1. A shift of a normal mean by
// δ deviations gives √(1−exp(−δ²/8)), about 0.35·δ.
//
// Source: Hellinger 1909; Le Cam, Yang, "Asymptotics in Statistics", 2000.
func Hellinger(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var d float64
	for i := range ref {
		d += hellingerTerm(ref[i], cur[i], n, m)
	}
	return math.Sqrt(min(d, 1))
}

func hellingerTerm(r, c, n, m float64) float64 {
	x := math.Sqrt(r/n) - math.Sqrt(c/m)
	return x * x / 2
}

// correctedHellinger is Hellinger without what sampling adds: of two samples
// from one distribution it is 0 on average (of its square), of any size. With h²
// the squared distance and b its expectation with no drift,
//
//	h²ᶜ = max(0, (h² − b) / (1 − b)),  b = 1 − Σ E√(X/n)·E√(Y/m),
//
// where X and Y are Poisson with means n·t and m·t, and t is the cell's share of
// both samples together. For well-filled cells b is (cells−1)/8·(1/n+1/m).
func correctedHellinger(ref, cur []float64, roots *rootTable) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var both, affinity float64
	norm := 1 / math.Sqrt(n*m)
	for i := range ref {
		t := ref[i] + cur[i]
		if t <= 0 {
			continue
		}
		t /= n + m
		both += roots.mean(n*t) * roots.mean(m*t)
		affinity += math.Sqrt(ref[i] * cur[i])
	}
	// 1 − h² is the affinity. Sums of independent Poissons would differ from
	// fixed sizes by one cell's worth, (1/n + 1/m)/8.
	expected := min(1, both*norm+(1/n+1/m)/8)
	if expected <= 0 {
		return 0
	}
	return math.Sqrt(max(0, 1-affinity*norm/expected))
}

// rootTable has E√X of Poisson X for means up to its end.
type rootTable struct {
	v []float64
}

const (
	rootStep = 1.0 / 32
	rootEnd  = 12.0
)

func newRootTable() *rootTable {
	t := &rootTable{v: make([]float64, int(rootEnd/rootStep)+2)}
	for i := 1; i < len(t.v); i++ {
		mean := float64(i) * rootStep
		p := math.Exp(-mean)
		var e float64
		for k := 1; k < 80; k++ {
			p *= mean / float64(k)
			e += p * math.Sqrt(float64(k))
		}
		t.v[i] = e
	}
	return t
}

// mean returns E√X for a Poisson X of that mean.
func (t *rootTable) mean(mean float64) float64 {
	if mean < rootEnd {
		x := mean / rootStep
		i := int(x)
		return t.v[i] + (x-float64(i))*(t.v[i+1]-t.v[i])
	}
	return math.Sqrt(mean) * (1 - (1+(7.0/16+75.0/(128*mean))/mean)/(8*mean))
}
