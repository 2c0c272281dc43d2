package ai

import (
	"math"
	"slices"
	"strconv"
)

// DefaultBins are the cells of numbers before there is a baseline: zero, and
// six cells a decade on both sides of it from 10⁻⁶ to 10¹¹. They give rough
// quantiles for any scale and are the same everywhere.
func DefaultBins() *Bins { return defaultBins }

var defaultBins = makeDefaultBins()

func makeDefaultBins() *Bins {
	var positive []float64
	for decade := -6; decade < 11; decade++ {
		for _, digits := range []string{"1", "1.5", "2", "3", "5", "7"} {
			// Parsing rounds alike on every machine; powers do not.
			x, _ := strconv.ParseFloat(digits+"e"+strconv.Itoa(decade), 64)
			positive = append(positive, x)
		}
	}
	positive = append(positive, 1e11)
	edges := make([]float64, 0, 2*len(positive)+2)
	for _, x := range slices.Backward(positive) {
		edges = append(edges, -x)
	}
	// Zero itself has a cell: the one that ends at it and begins just below it.
	edges = append(edges, -math.SmallestNonzeroFloat64, 0)
	b := &Bins{Edges: append(edges, positive...)}
	_ = b.freeze() // The edges are right; a test checks them.
	return b
}

// QuantileBounds returns an interval that holds the q-quantile of the counted
// numbers for certain: the smallest counted x with at least ⌈q·Count⌉ values ≤ x
// is in [lo, hi]. It is the part of one cell of bins, which must be those that p
// counts in, between p's minimum and maximum. Both are NaN where nothing was
// counted or p has no numeric bins.
func (p *Profile) QuantileBounds(bins *Bins, q float64) (lo, hi float64) {
	cell, _, _ := p.quantileCell(bins, q)
	if cell < 0 {
		return math.NaN(), math.NaN()
	}
	lo, hi = bins.Bounds(cell)
	return max(lo, p.Min), min(hi, p.Max)
}

// Quantile estimates the q-quantile by interpolating inside the cell that
// QuantileBounds names, so its error is at most that interval's length. Within
// the baseline's range a cell spans at most 1/32 of the range, and about 1/128
// of the reference values; outside it a cell spans at most a third of the
// distance from the far end of that side. NaN where nothing was counted.
func (p *Profile) Quantile(bins *Bins, q float64) float64 {
	cell, below, in := p.quantileCell(bins, q)
	if cell < 0 {
		return math.NaN()
	}
	if q <= 0 {
		return p.Min
	}
	if q >= 1 {
		return p.Max
	}
	lo, hi := bins.Bounds(cell)
	lo, hi = max(lo, p.Min), min(hi, p.Max)
	share := (q*float64(p.Count) - below) / in
	// Rounding may lead out of the cell by a last digit.
	return min(max(lo+(hi-lo)*min(max(share, 0), 1), lo), hi)
}

// quantileCell returns the cell that holds the q-quantile, the count below it
// and in it; −1 where there is none.
func (p *Profile) quantileCell(bins *Bins, q float64) (cell int, below, in float64) {
	if p.Count == 0 || bins.ID() != p.BinsID || bins == nil || bins.Edges == nil || math.IsNaN(q) {
		return -1, 0, 0
	}
	rank := math.Ceil(min(max(q, 0), 1) * float64(p.Count))
	rank = max(rank, 1)
	for i, n := range p.Counts {
		if in = float64(n); below+in >= rank {
			return i, below, in
		}
		below += in
	}
	return -1, 0, 0
}
