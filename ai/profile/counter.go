package profile

import (
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

// Counter builds the profile of one feature in one window. Updating it with a
// number does not allocate.
type Counter struct {
	p    *ai.Profile
	bins *ai.Bins
	// boolCells are the cells of false and true.
	boolCells [2]int
}

// NewCounter returns a counter for values of that kind, counted in those bins.
// bins may be nil: numbers are then counted in ai.DefaultBins, categories in
// ai.Top only, and vectors by their norm in ai.DefaultBins.
func NewCounter(kind ai.Kind, bins *ai.Bins) *Counter {
	if bins == nil && (kind == ai.KindNumber || kind == ai.KindVector) {
		bins = ai.DefaultBins()
	}
	c := &Counter{p: ai.NewProfile(kind, bins), bins: bins}
	if kind == ai.KindBool && bins != nil {
		c.boolCells = [2]int{bins.CategoryIndex("false"), bins.CategoryIndex("true")}
	}
	return c
}

// Profile returns the profile so far. It shares memory with the counter: Clone
// it if the counter goes on.
func (c *Counter) Profile() *ai.Profile { return c.p }

// Update counts one value.
func (c *Counter) Update(v ai.Value) {
	kind := v.Kind()
	switch {
	case kind == ai.KindMissing:
		c.p.Missing++
	case kind != c.p.Kind:
		c.p.TypeErrors.Add(kind, 1)
	case kind == ai.KindNumber:
		x, _ := v.Number()
		c.UpdateNumber(x)
	case kind == ai.KindString:
		s, _ := v.Str()
		c.updateCategory(s)
	case kind == ai.KindBool:
		c.updateBool(v)
	default:
		c.updateVector(v)
	}
}

// UpdateNumber counts a number, for which the counter must have been made.
// NaN is counted as missing.
func (c *Counter) UpdateNumber(x float64) {
	p := c.p
	if !(math.Abs(x) <= ai.MaxMagnitude) {
		if x != x {
			p.Missing++
		} else {
			p.NotFinite++
		}
		return
	}
	p.Counts[c.bins.Index(x)]++
	p.Distinct.AddNumber(x)
	if x == math.Trunc(x) {
		p.Integers++
	}
	c.moments(x)
}

// moments is Welford's update (Welford, "Note on a method for calculating
// corrected sums of squares and products", Technometrics 1962).
func (c *Counter) moments(x float64) {
	p := c.p
	p.Count++
	if p.Count == 1 {
		p.Mean, p.Min, p.Max = x, x, x
		return
	}
	d := x - p.Mean
	p.Mean += d / float64(p.Count)
	p.M2 += d * (x - p.Mean)
	if x < p.Min {
		p.Min = x
	} else if x > p.Max {
		p.Max = x
	}
}

func (c *Counter) updateCategory(s string) {
	p := c.p
	p.Count++
	if c.bins == nil {
		p.Distinct.AddString(s)
		p.Top.Add(s, 1)
		return
	}
	i := c.bins.CategoryIndex(s)
	p.Counts[i]++
	if i < len(c.bins.Categories) {
		p.Distinct.AddHash(c.bins.CategoryHash(i))
		return
	}
	p.Distinct.AddString(s)
	p.Top.Add(s, 1)
}

func (c *Counter) updateBool(v ai.Value) {
	b, _ := v.Bool()
	if c.bins == nil {
		c.updateCategory(v.Category())
		return
	}
	i := c.boolCells[0]
	if b {
		i = c.boolCells[1]
	}
	if i == len(c.bins.Categories) {
		c.updateCategory(v.Category())
		return
	}
	c.p.Count++
	c.p.Counts[i]++
	c.p.Distinct.AddHash(c.bins.CategoryHash(i))
}

func (c *Counter) updateVector(v ai.Value) {
	proj := c.bins.Projection
	if proj == nil {
		c.updateNorm(norm(v))
		return
	}
	if v.Dim() != proj.Dim {
		c.p.Vector.WrongDim++
		return
	}
	var buf [ai.SketchDim]float64
	sketch, n, ok := proj.Sketch(buf[:], v)
	if !ok {
		c.p.NotFinite++
		return
	}
	sum := c.p.Vector.Sum
	for i, x := range sketch {
		sum[i] += x
	}
	proj.AddKernel(c.p.Vector.Kernel, sketch)
	c.updateNorm(n)
}

func (c *Counter) updateNorm(n float64) {
	if !(n <= ai.MaxMagnitude) {
		c.p.NotFinite++
		return
	}
	c.p.Counts[c.bins.Index(n)]++
	c.moments(n)
}

// norm returns the Euclidean norm of a vector.
func norm(v ai.Value) float64 {
	var sq float64
	if x, ok := v.Float64s(); ok {
		for _, xi := range x {
			sq += xi * xi
		}
	} else if x, ok := v.Float32s(); ok {
		for _, xi := range x {
			sq += float64(xi) * float64(xi)
		}
	}
	return math.Sqrt(sq)
}
