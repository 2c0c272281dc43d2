package drift

import "math"

// Energy returns the energy distance between two samples counted in cells,
// √(2·∫(F−G)² dx), in the square root of the values' unit. Cells are as in
// Wasserstein.
//
// Source: Székely, Rizzo, "Energy statistics", Journal of Statistical Planning
// and Inference 2013; equal to SciPy's energy_distance but for the cells.
func Energy(ref, cur, ends []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var e, f, g float64
	for i := range ref {
		before := f/n - g/m
		f += ref[i]
		g += cur[i]
		after := f/n - g/m
		// The square of a line, integrated.
		e += (ends[i+1] - ends[i]) * (before*before + before*after + after*after) / 3
	}
	return math.Sqrt(max(0, 2*e))
}
