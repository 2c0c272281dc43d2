package logql

import (
	"cmp"
	"math"
	"slices"
)

// overlap is how often a value may be looked at, on average over all windows, before sorting all of them pays.
const overlap = 6

// quantiles are the q-quantiles of the values in each window that has some. It changes the order of the series' values.
func quantiles(q float64, s *tally, pn *panes) []point {
	begin := make([]int, len(s.panes)+1) // how many values are before those of each pane
	for i := range s.cells {
		begin[i+1] = begin[i] + len(s.cells[i].nums)
	}
	looked := 0
	windows(s, pn, func(_, lo, hi int) { looked += begin[hi] - begin[lo] })
	if looked > overlap*begin[len(s.panes)] {
		return rankedQuantiles(q, s, pn, begin)
	}
	var points []point
	var room []float64
	windows(s, pn, func(i, lo, hi int) {
		values := s.cells[lo].nums
		if hi-lo > 1 {
			room = room[:0]
			for j := lo; j < hi; j++ {
				room = append(room, s.cells[j].nums...)
			}
			values = room
		}
		points = append(points, point{step: int32(i), v: quantile(q, len(values), newSelection(values).at)})
	})
	return points
}

// windows calls f for each window with the run of the series' panes in it, if there are any.
func windows(s *tally, pn *panes, f func(i, lo, hi int)) {
	lo, hi := 0, 0
	for i := range pn.n {
		first, last := pn.window(i)
		for hi < len(s.panes) && s.panes[hi] <= last {
			hi++
		}
		for lo < hi && s.panes[lo] < first {
			lo++
		}
		if lo < hi {
			f(i, lo, hi)
		}
	}
}

// rankedQuantiles sorts all values of the series once. A tree of counts over their ranks (Fenwick, Software: Practice and
// Experience 24(3), 1994) then says which of them are in the window, so that a window costs what enters and leaves it.
func rankedQuantiles(q float64, s *tally, pn *panes, begin []int) []point {
	values := make([]float64, 0, begin[len(s.panes)])
	for i := range s.cells {
		values = append(values, s.cells[i].nums...)
	}
	order := make([]int32, len(values))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(values[a], values[b]) })
	rank := make([]int32, len(values))
	for r, i := range order {
		rank[i] = int32(r)
	}
	in := newCounts(len(values))
	var points []point
	from, to := 0, 0 // the values that are in
	windows(s, pn, func(i, lo, hi int) {
		for ; to < begin[hi]; to++ {
			in.add(int(rank[to]), 1)
		}
		for ; from < begin[lo]; from++ {
			in.add(int(rank[from]), -1)
		}
		points = append(points, point{step: int32(i), v: quantile(q, to-from, func(k int) float64 { return values[order[in.find(k)]] })})
	})
	return points
}

// selection finds the k-th of values without sorting all of them. Not a number is less than every number.
type selection struct {
	nans   int
	values []float64 // the others
	last   int       // the k that was found last, of those
}

func newSelection(values []float64) *selection {
	s := &selection{last: -1}
	for i, v := range values {
		if math.IsNaN(v) {
			values[i], values[s.nans] = values[s.nans], v
			s.nans++
		}
	}
	s.values = values[s.nans:]
	return s
}

func (s *selection) at(k int) float64 {
	if k -= s.nans; k < 0 {
		return math.NaN()
	}
	if s.last >= 0 && k == s.last+1 {
		return slices.Min(s.values[k:])
	}
	s.last = k
	return nth(s.values, k)
}

// nth is the k-th least value. No value before it is then greater, and none behind it less (Hoare, "Algorithm 65: Find",
// CACM 4(7), 1961).
func nth(values []float64, k int) float64 {
	lo, hi := 0, len(values)-1
	for rounds := 0; lo < hi; rounds++ {
		if rounds == 64 { // these values go on being split badly
			slices.Sort(values[lo : hi+1])
			break
		}
		a, b, c := values[lo], values[lo+(hi-lo)/2], values[hi]
		pivot := max(min(a, b), min(max(a, b), c))
		i, j := lo, hi
		for i <= j {
			for values[i] < pivot {
				i++
			}
			for values[j] > pivot {
				j--
			}
			if i <= j {
				values[i], values[j] = values[j], values[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return values[k]
		}
	}
	return values[k]
}

// quantile is the q-quantile of n sorted values, between two of them in proportion, as PromQL defines it.
func quantile(q float64, n int, value func(k int) float64) float64 {
	switch {
	case n == 0 || math.IsNaN(q):
		return math.NaN()
	case q < 0:
		return math.Inf(-1)
	case q > 1:
		return math.Inf(1)
	}
	rank := q * float64(n-1)
	low := int(rank)
	w := rank - float64(low)
	v := value(low)
	if w == 0 {
		return v
	}
	return v*(1-w) + value(low+1)*w
}

// counts is a Fenwick tree: which ranks are in, and which is the k-th of them.
type counts struct {
	tree []int32 // from 1
	top  int     // the greatest power of two that is not more than its length
}

func newCounts(n int) *counts {
	c := &counts{tree: make([]int32, n+1), top: 1}
	for c.top*2 <= n {
		c.top *= 2
	}
	return c
}

func (c *counts) add(rank int, d int32) {
	for i := rank + 1; i < len(c.tree); i += i & -i {
		c.tree[i] += d
	}
}

// find is the rank of the k-th that is in, from 0.
func (c *counts) find(k int) int {
	at, left := 0, int32(k)
	for b := c.top; b > 0; b /= 2 {
		if at+b < len(c.tree) && c.tree[at+b] <= left {
			at += b
			left -= c.tree[at]
		}
	}
	return at
}
