package ai_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// golden is test/golden/stats.json, made by the script beside it.
type golden struct {
	Moments []struct {
		Name                string
		Values              []float64
		Mean, Std, Min, Max float64
		Quantiles           [][2]float64
	}
	Kernel struct {
		Reference, Same, Moved [][]float64

		Bandwidth float64
		MMD2Same  float64 `json:"mmd2_same"`
		MMD2Moved float64 `json:"mmd2_moved"`
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("../test/golden/stats.json")
	require.NoError(t, err)
	var g golden
	require.NoError(t, json.Unmarshal(data, &g))
	return g
}

// TestMomentsAgainstNumPy compares moments and quantiles of a profile with those
// of NumPy, counted in the values' own bins, in those of other values, and in
// the default ones.
func TestMomentsAgainstNumPy(t *testing.T) {
	for _, c := range readGolden(t).Moments {
		own, err := profile.FreezeNumeric(append([]float64(nil), c.Values...))
		require.NoError(t, err)
		other, err := profile.FreezeNumeric([]float64{-1, 0, 0.5, 2, 7, 7, 9})
		require.NoError(t, err)
		for binsName, bins := range map[string]*ai.Bins{"own": own, "other": other, "default": ai.DefaultBins()} {
			t.Run(c.Name+"/"+binsName, func(t *testing.T) {
				counter := profile.NewCounter(ai.KindNumber, bins)
				for _, x := range c.Values {
					counter.Update(ai.Number(x))
				}
				p := counter.Profile()
				require.NoError(t, p.Validate())
				require.InEpsilon(t, 1+math.Abs(c.Mean), 1+math.Abs(p.Mean), 1e-12)
				if c.Std == 0 {
					require.Zero(t, p.Std())
				} else {
					// Far from zero, the mean itself has few digits below the deviation.
					require.InEpsilon(t, c.Std, p.Std(), 1e-9+3e-16*math.Abs(c.Mean)/c.Std)
				}
				require.True(t, c.Min == p.Min && c.Max == p.Max, "range %v to %v", p.Min, p.Max)
				for _, q := range c.Quantiles {
					lo, hi := p.QuantileBounds(bins, q[0])
					require.True(t, lo <= q[1] && q[1] <= hi, "quantile %v is %v, not in [%v, %v]", q[0], q[1], lo, hi)
					got := p.Quantile(bins, q[0])
					require.True(t, lo <= got && got <= hi, "quantile %v is estimated as %v, not in [%v, %v]", q[0], got, lo, hi)
				}
			})
		}
	}
}

// TestKernelAgainstNumPy compares the squared distance of kernel means with the
// exact maximum mean discrepancy. Random features estimate each kernel value
// with a standard deviation of at most 1/√(2·64) = 0.09; means of means of them
// are much closer.
func TestKernelAgainstNumPy(t *testing.T) {
	g := readGolden(t).Kernel
	var errSame, errMoved float64
	const seeds = 20
	for seed := range uint64(seeds) {
		p, err := ai.NewProjection(6, seed, g.Bandwidth)
		require.NoError(t, err)
		ref := kernelMean(p, g.Reference)
		same := squaredDistance(ref, kernelMean(p, g.Same))
		moved := squaredDistance(ref, kernelMean(p, g.Moved))
		require.InDelta(t, g.MMD2Same, same, 0.02)
		require.InDelta(t, g.MMD2Moved, moved, 0.12)
		errSame += (same - g.MMD2Same) / seeds
		errMoved += (moved - g.MMD2Moved) / seeds
	}
	require.InDelta(t, 0, errSame, 0.003, "the estimate is not biased")
	require.InDelta(t, 0, errMoved, 0.03, "the estimate is not biased")
}

func kernelMean(p *ai.Projection, vectors [][]float64) []float64 {
	sum := make([]float64, ai.KernelDim)
	buf := make([]float64, ai.SketchDim)
	for _, v := range vectors {
		sketch, _, _ := p.Sketch(buf, ai.Vector(v))
		p.AddKernel(sum, sketch)
	}
	for i := range sum {
		sum[i] /= float64(len(vectors))
	}
	return sum
}

func squaredDistance(a, b []float64) float64 {
	var d float64
	for i := range a {
		d += (a[i] - b[i]) * (a[i] - b[i])
	}
	return d
}

func TestCentroidDistance(t *testing.T) {
	p, err := ai.NewProjection(2, 1, 1)
	require.NoError(t, err)
	bins, err := ai.NewVectorBins(p, []float64{1}, 0)
	require.NoError(t, err)
	of := func(vectors ...[]float64) *ai.Profile {
		c := profile.NewCounter(ai.KindVector, bins)
		for _, v := range vectors {
			c.Update(ai.Vector(v))
		}
		return c.Profile()
	}
	euclidean, cosine, ok := ai.CentroidDistance(of([]float64{2, 0}, []float64{4, 0}), of([]float64{0, 4}))
	require.True(t, ok)
	require.InDelta(t, 5, euclidean, 1e-12)
	require.InDelta(t, 1, cosine, 1e-12)
	_, _, ok = ai.CentroidDistance(of(), of([]float64{0, 4}))
	require.False(t, ok)
	_, _, ok = ai.CentroidDistance(of([]float64{0, 0}), of([]float64{0, 4}))
	require.False(t, ok, "a mean of zero has no direction")
}
