package logql

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSelection finds in any order what a sorted slice has.
func TestSelection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		values := make([]float64, 1+r.IntN(200))
		kind := r.IntN(5)
		for i := range values {
			switch kind {
			case 0:
				values[i] = r.NormFloat64()
			case 1: // many equal ones
				values[i] = float64(r.IntN(3))
			case 2: // sorted, as pipes of an organ
				values[i] = math.Abs(float64(i - len(values)/2))
			case 3:
				values[i] = float64(-i)
			default:
				values[i] = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, r.Float64()}[r.IntN(5)]
			}
		}
		sorted := slices.Sorted(slices.Values(values))
		s := newSelection(values)
		for k := r.IntN(len(values)); k < len(values); k += 1 + r.IntN(2)*r.IntN(9) {
			got := s.at(k)
			require.Truef(t, got == sorted[k] || math.IsNaN(got) && math.IsNaN(sorted[k]), "%d of %v: %v", k, sorted, got)
		}
	}
}
