package drift

import "sort"

// BenjaminiHochberg fills adjusted with the adjusted p-values: the smallest
// false discovery rate at which each one would still be a discovery. index is
// scratch of the same length. The slices must not overlap.
//
// Source: Benjamini, Hochberg, "Controlling the false discovery rate", JRSS B
// 1995; equal to statsmodels' multipletests fdr_bh.
func BenjaminiHochberg(adjusted, p []float64, index []int) {
	n := len(p)
	for i := range n {
		index[i] = i
	}
	sort.Slice(index, func(a, b int) bool { return p[index[a]] < p[index[b]] })
	lowest := 1.0
	for r := n - 1; r >= 0; r-- {
		i := index[r]
		lowest = min(lowest, p[i]*float64(n)/float64(r+1))
		adjusted[i] = lowest
	}
}
