package ai

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Sizes of the summary of vectors.
const (
	// SketchDim is the largest dimension that is kept as it is; longer vectors
	// are folded to it by Projection.Sketch.
	SketchDim = 256
	// Frequencies is the number of random frequencies of the kernel; each gives a
	// cosine and a sine.
	Frequencies = 64
	// KernelDim is the length of a kernel feature vector.
	KernelDim = 2 * Frequencies
)

// Projection says how the vectors of one feature are summarised. It is frozen
// with the baseline and immutable.
//
// Vectors longer than SketchDim are first folded to SketchDim numbers by signed
// hashing, which keeps inner products without bias and squared distances within
// a standard error of √(2/256) = 8.8 % (Weinberger et al., "Feature hashing for
// large scale multitask learning", ICML 2009).
//
// The folded vector is then mapped to KernelDim random Fourier features of the
// kernel exp(−‖x−y‖²/(2·Bandwidth²)) (Rahimi, Recht, "Random features for
// large-scale kernel machines", NIPS 2007), so that the mean of the features of
// a window is all that maximum mean discrepancy needs, and windows merge by
// addition (Gretton et al., "A kernel two-sample test", JMLR 2012).
type Projection struct {
	// Dim is the dimension of the vectors.
	Dim int `json:"dim"`
	// Seed makes the folding and the frequencies.
	Seed uint64 `json:"seed,string"`
	// Bandwidth is the kernel's σ, in units of the folded vector.
	Bandwidth float64 `json:"bandwidth"`

	w    []float32 // Frequencies × sketch dimension, divided by Bandwidth.
	fold []int16   // Dim entries: the cell, or its complement for sign −1. Nil without folding.
}

// NewProjection returns the projection for vectors of that dimension. bandwidth
// is usually the median distance between two of the baseline's vectors.
func NewProjection(dim int, seed uint64, bandwidth float64) (*Projection, error) {
	p := &Projection{Dim: dim, Seed: seed, Bandwidth: bandwidth}
	if err := p.freeze(); err != nil {
		return nil, err
	}
	return p, nil
}

// SketchLen returns the length of a folded vector.
func (p *Projection) SketchLen() int { return min(p.Dim, SketchDim) }

func (p *Projection) freeze() error {
	if p.Dim < 1 || p.Dim > MaxVectorDim {
		return fmt.Errorf("projection: dimension %d is not between 1 and %d", p.Dim, MaxVectorDim)
	}
	if !(p.Bandwidth > 0) || math.IsInf(p.Bandwidth, 0) {
		return fmt.Errorf("projection: bandwidth %v is not a positive number", p.Bandwidth)
	}
	rng := rand.New(rand.NewPCG(p.Seed, uint64(p.Dim)))
	if p.Dim > SketchDim {
		p.fold = make([]int16, p.Dim)
		for i := range p.fold {
			cell := int16(rng.IntN(SketchDim))
			if rng.Uint64()&1 == 1 {
				cell = ^cell
			}
			p.fold[i] = cell
		}
	}
	p.w = make([]float32, Frequencies*p.SketchLen())
	for i := range p.w {
		p.w[i] = float32(rng.NormFloat64() / p.Bandwidth)
	}
	return nil
}

// Sketch folds vector v, which must be a vector of p.Dim finite elements, into
// dst, which must have room for SketchLen elements, and returns it with the
// Euclidean norm of v. ok is false where an element is not finite or the
// dimension differs.
func (p *Projection) Sketch(dst []float64, v Value) (sketch []float64, norm float64, ok bool) {
	if v.Dim() != p.Dim {
		return dst[:0], 0, false
	}
	dst = dst[:p.SketchLen()]
	clear(dst)
	var sq float64
	if x, is64 := v.Float64s(); is64 {
		for i, xi := range x {
			p.put(dst, i, xi)
			sq += xi * xi
		}
	} else {
		x, _ := v.Float32s()
		for i, xi := range x {
			p.put(dst, i, float64(xi))
			sq += float64(xi) * float64(xi)
		}
	}
	norm = math.Sqrt(sq)
	return dst, norm, norm <= MaxMagnitude // False for NaN too.
}

func (p *Projection) put(dst []float64, i int, x float64) {
	if p.fold == nil {
		dst[i] = x
		return
	}
	if cell := p.fold[i]; cell >= 0 {
		dst[cell] += x
	} else {
		dst[^cell] -= x
	}
}

// AddKernel adds the kernel features of a folded vector to sum, which has
// KernelDim elements: Frequencies cosines, then as many sines, each divided by
// √Frequencies, so that the features of every vector have norm 1.
func (p *Projection) AddKernel(sum, sketch []float64) {
	scale := 1 / math.Sqrt(Frequencies)
	n := len(sketch)
	for f := range Frequencies {
		sin, cos := math.Sincos(dot(p.w[f*n:f*n+n], sketch))
		sum[f] += scale * cos
		sum[Frequencies+f] += scale * sin
	}
}

// dot returns the inner product, in four sums that do not wait for each other.
// Both have the same length.
func dot(w []float32, x []float64) float64 {
	var a, b, c, d float64
	for len(x) >= 4 && len(w) >= 4 {
		a += float64(w[0]) * x[0]
		b += float64(w[1]) * x[1]
		c += float64(w[2]) * x[2]
		d += float64(w[3]) * x[3]
		w, x = w[4:], x[4:]
	}
	for i := range x {
		a += float64(w[i]) * x[i]
	}
	return (a + b) + (c + d)
}

// VectorSummary sums up the vectors of one feature in one window. Divide by the
// profile's Count for means.
type VectorSummary struct {
	// Sum is the sum of the folded vectors.
	Sum []float64 `json:"sum"`
	// Kernel is the sum of the kernel features, KernelDim of them.
	Kernel []float64 `json:"kernel"`
	// WrongDim counts vectors of another dimension than the baseline's.
	WrongDim uint64 `json:"wrong_dim,omitempty"`
}

// CentroidDistance compares the mean vectors of two profiles of the same feature
// and bins: the Euclidean distance between them, and the cosine distance, 1 minus
// the cosine of their angle, between 0 and 2. For vectors longer than SketchDim
// both are estimates within a few percent. ok is false where one of them has no
// vectors or a mean is zero.
func CentroidDistance(p, q *Profile) (euclidean, cosine float64, ok bool) {
	if p.Vector == nil || q.Vector == nil || p.Count == 0 || q.Count == 0 || p.BinsID != q.BinsID {
		return 0, 0, false
	}
	var pp, qq, pq float64
	for i, x := range p.Vector.Sum {
		a, b := x/float64(p.Count), q.Vector.Sum[i]/float64(q.Count)
		pp += a * a
		qq += b * b
		pq += a * b
		euclidean += (a - b) * (a - b)
	}
	if pp == 0 || qq == 0 {
		return 0, 0, false
	}
	return math.Sqrt(euclidean), 1 - pq/math.Sqrt(pp*qq), true
}
