package drift

import (
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

// chosen judges values by one method that was asked for by name. Its null
// distribution is simulated once for the baseline's counts and the (quantised)
// size of the window.
func (e *Evaluator) chosen(sp *spec, b *prepared, w *ai.Profile, weight float64, s *scratch) Test {
	c, alpha := e.chosenCells(sp, b, w, s)
	stat := sp.stat(&c)
	t := Test{
		Method: sp.ID, Statistic: finite(stat), Threshold: e.floor[sp.ID], Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	}
	if sp.exact != nil {
		s.cells = resized(s.cells, 2*len(c.ref))
		t.PValue = sp.exact(&c, s.cells)
	} else {
		square := func(v float64) float64 {
			if sp.root {
				return v * v
			}
			return v
		}
		scale := c.m * c.n / (c.m + c.n)
		d := e.chosenNull(sp, b, &c, alpha, square)
		x := square(stat)
		t.PValue = d.p(scale * x)
		x = max(0, x-d.mean/scale)
		if sp.root {
			x = math.Sqrt(x)
		}
		t.Score = finite(x)
	}
	if sp.hellinger {
		t.Score = correctedHellinger(c.ref, c.cur, e.roots)
		if b.ordered && sp.cells == fine {
			s.rough = resized(s.rough, len(b.roughRef))
			gather(s.rough, w.Counts, b.rough)
			t.Score = correctedHellinger(b.roughRef, s.rough, e.roots)
		}
	}
	return t
}

// chosenNull returns the null distribution of the squared and scaled statistic.
func (e *Evaluator) chosenNull(sp *spec, b *prepared, c *cells, alpha []float64, square func(float64) float64) *null {
	n := c.n
	if sp.ID == MethodAndersonDarling && b.adNull != nil {
		return e.adNull(b, c.m)
	}
	q := quantise(c.m)
	// Distances in units of values depend on where the cells are: their shape is
	// the feature's alone.
	shape := b.hash
	if c.ends != nil {
		shape ^= b.bins.ID()
	}
	return e.null(nullKey{sp.ID, shape, q}, func() *null {
		scale := float64(q) * n / (float64(q) + n)
		sim := *c
		sim.m = float64(q)
		return simulate(alpha, q, repeatsFor(len(c.ref)), func(cur []float64) float64 {
			sim.cur = cur
			return scale * square(sp.stat(&sim))
		})
	})
}

// chosenCells returns the counts that a method wants, and the parameters of the
// distribution that the baseline came from.
func (e *Evaluator) chosenCells(sp *spec, b *prepared, w *ai.Profile, s *scratch) (c cells, alpha []float64) {
	c = cells{n: b.n, m: float64(w.Count), unit: b.unit, order: b.order}
	switch {
	case b.ordered && sp.cells == coarse:
		s.cur = resized(s.cur, len(b.roughRef))
		gather(s.cur, w.Counts, b.rough)
		c.ref, c.cur = b.roughRef, s.cur
		return c, b.roughRef
	case sp.ID == MethodAndersonDarling || sp.ID == MethodCramerVonMises:
		s.cur = resized(s.cur, len(b.testRef))
		gather(s.cur, w.Counts, b.test)
		c.ref, c.cur = b.testRef, s.cur
		return c, b.testRef
	}
	s.cur = resized(s.cur, len(b.counts))
	for i, x := range w.Counts {
		s.cur[i] = float64(x)
	}
	c.ref, c.cur = b.counts, s.cur
	if sp.ID == MethodWasserstein || sp.ID == MethodEnergy {
		s.u = resized(s.u, len(b.counts)+1)
		c.ends = s.u
		lo := min(b.baseline.Profile.Min, w.Min)
		hi := max(b.baseline.Profile.Max, w.Max)
		c.ends[0], c.ends[len(b.counts)] = lo, hi
		for i, x := range b.bins.Edges {
			c.ends[i+1] = min(max(x, lo), hi)
		}
	}
	return c, b.alpha
}

func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
