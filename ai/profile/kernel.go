package profile

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/modelwatch/modelwatch/ai"
)

// kernelSeed makes the random features of every projection: fixed, so that the
// same data gives the same baseline on every machine.
const kernelSeed = 0x6d6f64656c776174

// freezeVectors returns bins for vectors made from reference vectors of that
// dimension, one after the other: the kernel's bandwidth is the median distance
// between two of them (Gretton et al., "A kernel two-sample test", JMLR 2012,
// section 8), and the norm gets cells like a number.
func freezeVectors(vectors []float32, dim int) (*ai.Bins, error) {
	n := len(vectors) / dim
	norms := make([]float64, n)
	for i := range norms {
		norms[i] = norm(ai.Vector32(vectors[i*dim : (i+1)*dim]))
	}
	// Folding keeps distances, so the bandwidth of the vectors is that of the
	// folded ones.
	p, err := ai.NewProjection(dim, kernelSeed, medianDistance(vectors, dim))
	if err != nil {
		return nil, fmt.Errorf("make bins of vectors: %w", err)
	}
	numeric, err := freezeNumeric(norms, normShape)
	if err != nil {
		return nil, fmt.Errorf("make bins of norms: %w", err)
	}
	return ai.NewVectorBins(p, numeric.Edges, numeric.Tail)
}

// medianDistance returns the median Euclidean distance of up to a few thousand
// pairs of vectors, and 1 where they are all the same.
func medianDistance(vectors []float32, dim int) float64 {
	n := len(vectors) / dim
	const maxPairs = 4096
	var d []float64
	// Pairs (i, i+step) for growing steps: no random numbers, and every vector is
	// in about as many pairs.
	for step := 1; step < n && len(d) < maxPairs; step++ {
		for i := 0; i+step < n && len(d) < maxPairs; i++ {
			a, b := vectors[i*dim:(i+1)*dim], vectors[(i+step)*dim:(i+step+1)*dim]
			var sq float64
			for j := range a {
				diff := float64(a[j]) - float64(b[j])
				sq += diff * diff
			}
			if sq > 0 {
				d = append(d, math.Sqrt(sq))
			}
		}
	}
	if len(d) == 0 {
		return 1
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// kernelMoments gathers the covariance of the reference's kernel features.
type kernelMoments struct {
	n     float64
	sum   [ai.KernelDim]float64
	outer [ai.KernelDim][ai.KernelDim]float64 // Upper triangle.
}

func (m *kernelMoments) add(p *ai.Projection, v ai.Value) {
	var buf [ai.SketchDim]float64
	var z [ai.KernelDim]float64
	sketch, _, ok := p.Sketch(buf[:], v)
	if !ok {
		return
	}
	p.AddKernel(z[:], sketch)
	m.n++
	for i, zi := range z {
		m.sum[i] += zi
		row := &m.outer[i]
		for j := i; j < len(z); j++ {
			row[j] += zi * z[j]
		}
	}
}

// reference returns the eigenvalues of the covariance, largest first.
func (m *kernelMoments) reference() (*ai.KernelReference, error) {
	if m.n < 2 {
		return &ai.KernelReference{}, nil
	}
	cov := mat.NewSymDense(ai.KernelDim, nil)
	for i := range ai.KernelDim {
		for j := i; j < ai.KernelDim; j++ {
			cov.SetSym(i, j, (m.outer[i][j]-m.sum[i]*m.sum[j]/m.n)/(m.n-1))
		}
	}
	var eig mat.EigenSym
	if !eig.Factorize(cov, false) {
		return nil, fmt.Errorf("eigenvalues of %d kernel features of %v vectors do not converge", ai.KernelDim, m.n)
	}
	values := eig.Values(nil)
	slices.Reverse(values)
	for i, v := range values {
		if v <= 1e-12 {
			values = values[:i]
			break
		}
	}
	return &ai.KernelReference{Eigenvalues: values}, nil
}
