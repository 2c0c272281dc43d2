package profile

import (
	"cmp"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// shape says how numeric bins are cut.
type shape struct {
	// maxEdges is how many edges there are at most.
	maxEdges int
	// cells is how many cells of equal reference mass there are at most.
	cells int
	// grid is how many equal parts the reference's range is cut in where cells of
	// equal mass are wider than that.
	grid int
	// tail is how many edges lie beyond the range at each end, the first one a grid
	// cell away and each next one tailGrowth times farther on.
	tail int
	// values is the number of different values up to which each one gets a cell of
	// its own, if values repeat repeatsPerValue times on average.
	values int
}

var (
	// The edges of numberShape sum up to 16+1+128+16 = 161; grid and single values
	// share the rest.
	numberShape = shape{maxEdges: ai.MaxEdges, cells: 128, grid: 32, tail: 16, values: 64}
	// A vector's profile has its sums to hold, so its norm gets fewer.
	normShape = shape{maxEdges: 48, cells: 16, grid: 8, tail: 8, values: 8}
)

const (
	tailGrowth      = 1.5
	repeatsPerValue = 5
	// rowsPerCell is how many reference values a cell of equal mass gets at least,
	// unless they are so few that there would be less than minCells.
	rowsPerCell = 8
	minCells    = 8
)

// FreezeNumeric returns bins made from reference values, which it sorts. They
// must be finite and not empty.
//
// Few values that repeat (flags, small integers, ratings) get a cell each, with
// the gaps between them cells too, so that a value which was never seen is never
// counted as one that was. Otherwise cells hold about equal shares of the
// reference; a cell that is wide for its share (a gap, a tail) is cut by an
// equal-width grid, and a value that alone holds a cell's share (the zeros of a
// zero-inflated feature) is set apart. Beyond the range, cells grow
// geometrically, so that quantiles of a shifted window stay meaningful.
func FreezeNumeric(values []float64) (*ai.Bins, error) {
	return freezeNumeric(values, numberShape)
}

func freezeNumeric(values []float64, s shape) (*ai.Bins, error) {
	slices.Sort(values)
	lo, hi := values[0], values[len(values)-1]
	inner := innerEdges(values, s)
	unit := (hi - lo) / float64(s.grid)
	if unit == 0 {
		if unit = math.Abs(lo) / float64(s.grid); unit == 0 {
			unit = 1 / float64(s.grid)
		}
	}
	if allIntegers(values) {
		unit = max(unit, 1)
	}
	left, right := tail(inner[0], -unit, s.tail), tail(inner[len(inner)-1], unit, s.tail)
	n := min(len(left), len(right))
	left, right = left[:n], right[:n]
	slices.Reverse(left)
	edges := slices.Concat(left, inner, right)
	return ai.NewNumericBins(edges, n+1)
}

// tail returns the edges that start at edge and grow away from it by unit.
// Fewer come back where numbers that large do not tell them apart.
func tail(edge, unit float64, n int) []float64 {
	edges := make([]float64, 0, n)
	prev, step, at := edge, unit, 0.0
	for range n {
		at += step
		step *= tailGrowth
		if e := edge + at; e != prev {
			edges = append(edges, e)
			prev = e
		}
	}
	return edges
}

// innerEdges returns the edges within the range of sorted values: the first one
// just below the minimum, the last one the maximum.
func innerEdges(sorted []float64, s shape) []float64 {
	n := len(sorted)
	lo, hi := sorted[0], sorted[n-1]
	distinct, atoms := countValues(sorted, s.values, max(2, n/s.cells))
	if len(distinct) == 1 || len(distinct) > 0 && n >= repeatsPerValue*len(distinct) {
		edges := make([]float64, 0, 2*len(distinct))
		for _, v := range distinct {
			edges = append(edges, below(v), v)
		}
		return slices.Compact(edges)
	}

	cells := min(max(n/rowsPerCell, minCells), s.cells)
	edges := []float64{below(lo)}
	for i := 1; i <= cells; i++ {
		e := sorted[(i*n+cells-1)/cells-1]
		if e != edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	var more []float64
	width := (hi - lo) / float64(s.grid)
	for i := 1; i < len(edges); i++ {
		if w := edges[i] - edges[i-1]; w > width && width > 0 {
			parts := math.Ceil(w / width)
			for j := 1.0; j < parts; j++ {
				more = append(more, edges[i-1]+w*(j/parts))
			}
		}
	}
	for _, v := range atoms {
		more = append(more, below(v))
	}
	room := max(s.maxEdges-2*s.tail-len(edges), 0)
	edges = append(edges, more[:min(len(more), room)]...)
	slices.Sort(edges)
	return slices.Compact(edges)
}

// countValues returns the different values, nil if they are more than limit, and
// those which are there at least often times, most frequent first.
func countValues(sorted []float64, limit, often int) (distinct, atoms []float64) {
	type atom struct {
		v float64
		n int
	}
	var found []atom
	many := false
	for i := 0; i < len(sorted); {
		j := i + 1
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		if !many {
			distinct = append(distinct, sorted[i])
			many = len(distinct) > limit
		}
		if j-i >= often {
			found = append(found, atom{sorted[i], j - i})
		}
		i = j
	}
	if many {
		distinct = nil
	}
	slices.SortStableFunc(found, func(a, b atom) int { return cmp.Compare(b.n, a.n) })
	for _, a := range found {
		atoms = append(atoms, a.v)
	}
	return distinct, atoms
}

// below returns the next number below x: the edge of a cell that ends at x and
// holds x alone.
func below(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }

func allIntegers(values []float64) bool {
	for _, v := range values {
		if v != math.Trunc(v) {
			return false
		}
	}
	return true
}

// minCategoryCount is how often a category must be in the reference to get a
// cell of its own, where there are more categories than cells. Choosing by count
// and then comparing by the same counts favours categories that were there by
// luck; the rarer they are, the more.
const minCategoryCount = 20

// FreezeCategories returns bins made from the counts of reference categories,
// and whether some categories had to go to the cell of others.
func FreezeCategories(counts map[string]uint64) (bins *ai.Bins, truncated bool, err error) {
	type category struct {
		name string
		n    uint64
	}
	all := make([]category, 0, len(counts))
	for name, n := range counts {
		all = append(all, category{name, n})
	}
	slices.SortFunc(all, func(a, b category) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.name, b.name))
	})
	if truncated = len(all) > ai.MaxCategories; truncated {
		all = all[:ai.MaxCategories]
		for len(all) > 0 && all[len(all)-1].n < minCategoryCount {
			all = all[:len(all)-1]
		}
	}
	names := make([]string, len(all))
	for i, c := range all {
		names[i] = c.name
	}
	bins, err = ai.NewCategoryBins(names)
	return bins, truncated, err
}
