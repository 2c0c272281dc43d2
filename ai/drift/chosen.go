package drift

import (
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// chosen judges values by one method that was asked for by name.
//
// Over categories the divergences are the same as chi-square to first order, and
// the p-value is that of the test given the margins, which holds for sparse
// tables too. Over numbers the null distribution of the method's own statistic
// is simulated, once for the baseline's counts and the (quantised) size of the
// window.
func (e *Evaluator) chosen(sp *spec, b *prepared, w *ai.Profile, weight float64, s *scratch) Test {
	t := Test{
		Method: sp.ID, Threshold: e.floor[sp.ID], Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	}
	c := cells{n: b.n, m: float64(w.Count), unit: b.unit}
	var expected float64 // Of the statistic (squared, for root) with no drift.
	switch {
	case !b.ordered:
		order := b.categories(w, s)
		c.ref, c.cur, c.n = s.ref, s.rough, sum(s.ref)
		s.cells = resized(s.cells, 2*len(c.ref))
		t.PValue = contingencyP(c.ref, c.cur, order, s.cells)
		if sp.term != nil {
			expected = expectation(sp.term, &c)
		}
	case sp.ID == MethodChiSquare:
		s.cur = resized(s.cur, len(b.roughRef))
		gather(s.cur, w.Counts, b.rough)
		c.ref, c.cur = b.roughRef, s.cur
		s.cells = resized(s.cells, 2*len(c.ref))
		t.PValue = contingencyP(c.ref, c.cur, nil, s.cells)
	default:
		alpha := b.orderedCells(&c, sp, w, s)
		var d *null
		if sp.ID == MethodAndersonDarling && b.adNull != nil {
			d = e.adNull(b, c.m)
		} else {
			d = e.chosenNull(sp, b, c, alpha)
		}
		scale := sp.scale(c.n, c.m)
		t.PValue = d.p(scale * sp.squared(&c))
		expected = d.mean / scale
	}
	if c.ends != nil {
		b.allEnds(c.ends, w)
	}
	t.Statistic = finite(sp.stat(&c))
	if !sp.hellinger {
		t.Score = max(0, finite(sp.squared(&c))-expected)
		if sp.root {
			t.Score = math.Sqrt(t.Score)
		}
		return t
	}
	if b.ordered && sp.cells == fine {
		s.rough = resized(s.rough, len(b.roughRef))
		gather(s.rough, w.Counts, b.rough)
		c.ref, c.cur = b.roughRef, s.rough
	}
	t.Score = correctedHellinger(c.ref, c.cur, e.roots)
	return t
}

// squared returns the statistic on the scale where its null distribution is
// that of squares.
func (sp *spec) squared(c *cells) float64 {
	x := sp.stat(c)
	if sp.root {
		x *= x
	}
	return x
}

// scale returns what the squared statistic is multiplied by so that its null
// distribution does not depend on the sample sizes, to first order. The
// likelihood ratio is so already.
func (sp *spec) scale(n, m float64) float64 {
	if sp.ID == MethodGTest {
		return 1
	}
	return n * m / (n + m)
}

// chosenNull returns the null distribution of the squared and scaled statistic.
func (e *Evaluator) chosenNull(sp *spec, b *prepared, c cells, alpha []float64) *null {
	q := quantise(c.m)
	shape := b.hash
	if c.ends != nil {
		shape ^= b.bins.ID() // Distances depend on where the cells are, too.
	}
	return e.null(nullKey{sp.ID, shape, q}, func() *null {
		c.m = float64(q)
		scale := sp.scale(c.n, c.m)
		return simulate(alpha, q, repeatsFor(len(c.ref)), func(cur []float64) float64 {
			c.cur = cur
			return scale * sp.squared(&c)
		})
	})
}

// orderedCells fills c with the counts of numbers that a method wants, and
// returns the parameters of the distribution that the baseline came from. Where
// the method wants ends, they are those within the baseline's range: how far
// outside of it values may lie, no baseline says, so the test leaves it out.
func (b *prepared) orderedCells(c *cells, sp *spec, w *ai.Profile, s *scratch) (alpha []float64) {
	switch {
	case sp.cells == coarse:
		s.cur = resized(s.cur, len(b.roughRef))
		gather(s.cur, w.Counts, b.rough)
		c.ref, c.cur = b.roughRef, s.cur
		return b.roughRef
	case sp.ID == MethodAndersonDarling || sp.ID == MethodCramerVonMises:
		s.cur = resized(s.cur, len(b.testRef))
		gather(s.cur, w.Counts, b.test)
		c.ref, c.cur = b.testRef, s.cur
		return b.testRef
	}
	s.cur = s.cur[:0]
	for _, x := range w.Counts {
		s.cur = append(s.cur, float64(x))
	}
	c.ref, c.cur = b.counts, s.cur
	if sp.ID == MethodWasserstein || sp.ID == MethodEnergy {
		s.ends = resized(s.ends, len(b.counts)+1)
		c.ends = s.ends
		b.ends(c.ends, b.baseline.Profile.Min, b.baseline.Profile.Max)
	}
	return b.alpha
}

// ends fills in the ends of the cells between lo and hi.
func (b *prepared) ends(ends []float64, lo, hi float64) {
	ends[0], ends[len(ends)-1] = lo, hi
	for i, x := range b.bins.Edges {
		ends[i+1] = min(max(x, lo), hi)
	}
}

// allEnds fills in the ends of the cells over the range of both samples.
func (b *prepared) allEnds(ends []float64, w *ai.Profile) {
	p := b.baseline.Profile
	b.ends(ends, min(p.Min, w.Min), max(p.Max, w.Max))
}

// expectation returns what a sum over cells is expected to be with no drift,
// given how often each cell was hit in both samples together: each of those hits
// is the window's with probability m/(n+m).
func expectation(term func(r, c, n, m float64) float64, c *cells) float64 {
	phi := c.m / (c.n + c.m)
	var e float64
	for i := range c.ref {
		t := c.ref[i] + c.cur[i]
		if t <= 0 {
			continue
		}
		mean, sd := t*phi, math.Sqrt(t*phi*(1-phi))
		if sd > 8 {
			// The second derivative is all that matters: three points see it.
			e += (term(t-mean-sd, mean+sd, c.n, c.m) + term(t-mean+sd, mean-sd, c.n, c.m)) / 2
			continue
		}
		lo, hi := max(0, math.Floor(mean-6*sd-2)), min(t, math.Ceil(mean+6*sd+6))
		p := math.Exp(lchoose(t, lo) + lo*math.Log(phi) + (t-lo)*math.Log1p(-phi))
		for k := lo; k <= hi; k++ {
			e += p * term(t-k, k, c.n, c.m)
			p *= (t - k) / (k + 1) * phi / (1 - phi)
		}
	}
	// Independent cells have one degree of freedom more than cells with a sum.
	filled := 0
	for i := range c.ref {
		if c.ref[i]+c.cur[i] > 0 {
			filled++
		}
	}
	if filled > 0 {
		e *= float64(filled-1) / float64(filled)
	}
	return e
}

// chosenOf returns the method that was asked for to judge a feature's values,
// nil where it cannot.
func (e *Evaluator) chosenOf(method string, b *prepared) *spec {
	sp := e.specs[method]
	if sp == nil || sp.stat == nil || !slices.Contains(sp.Data, b.data()) {
		return nil
	}
	return sp
}

func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
