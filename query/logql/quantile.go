package logql

import (
	"cmp"
	"math"
	"slices"
)

// quantiles are the q-quantiles of the values in each window that has some.
//
// All values of the series are sorted once. A tree of counts over their ranks (Fenwick, Software: Practice and Experience
// 24(3), 1994) then says which of them are in the window, so that a window costs what enters and leaves it.
func quantiles(q float64, s *tally, pn *panes) []point {
	var values []float64
	begin := make([]int, len(s.panes)+1) // of the values of each pane
	for i := range s.cells {
		for _, t := range s.cells[i].vals {
			values = append(values, t.v)
		}
		begin[i+1] = len(values)
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
	at := func(r int) float64 { return values[order[r]] }

	in := newCounts(len(values))
	var points []point
	lo, hi := 0, 0
	for i := range pn.n {
		first, last := pn.window(i)
		for ; hi < len(s.panes) && s.panes[hi] <= last; hi++ {
			for _, r := range rank[begin[hi]:begin[hi+1]] {
				in.add(int(r), 1)
			}
		}
		for ; lo < hi && s.panes[lo] < first; lo++ {
			for _, r := range rank[begin[lo]:begin[lo+1]] {
				in.add(int(r), -1)
			}
		}
		if n := begin[hi] - begin[lo]; n > 0 {
			points = append(points, point{step: int32(i), v: quantile(q, n, func(k int) float64 { return at(in.find(k)) })})
		}
	}
	return points
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
