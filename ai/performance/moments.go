package performance

import "math"

// moments are the count, mean and squared deviations of numbers, updated as
// Welford and merged as Chan, Golub and LeVeque do ("Algorithms for computing the
// sample variance", The American Statistician 1983).
type moments struct {
	N    uint64  `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`
}

func (m *moments) add(x float64) {
	m.N++
	d := x - m.Mean
	m.Mean += d / float64(m.N)
	m.M2 += d * (x - m.Mean)
}

func (m *moments) merge(o moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = o
		return
	}
	n, k := float64(m.N), float64(o.N)
	d := o.Mean - m.Mean
	m.N += o.N
	m.Mean = (n*m.Mean + k*o.Mean) / (n + k)
	m.M2 += o.M2 + d*d*n*k/(n+k)
}

// variance returns the unbiased variance; 0 of fewer than two.
func (m *moments) variance() float64 {
	if m.N < 2 {
		return 0
	}
	return max(m.M2, 0) / float64(m.N-1)
}

func (m *moments) measure(none string) Measure {
	if m.N == 0 {
		return unknown(0, none)
	}
	return measured(m.Mean, meanInterval(m.Mean, m.variance(), float64(m.N)), m.N)
}

func (m *moments) valid() bool {
	return !math.IsNaN(m.Mean) && !math.IsInf(m.Mean, 0) && m.M2 >= 0 && m.M2 <= math.MaxFloat64
}
