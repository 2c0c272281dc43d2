package drift

import "math"

// Wasserstein returns the first Wasserstein distance between two samples that
// are counted in cells, in the unit of the values: the area between their
// distribution functions. Cell i covers ends[i] to ends[i+1], and values are
// taken to be spread evenly within it, so the error is at most the width of the
// cells weighted by their shares. Divide by the baseline's deviation to compare
// features.
//
// Source: Vallender, "Calculation of the Wasserstein distance between
// probability distributions on the line", 1973.
func Wasserstein(ref, cur, ends []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var area, f, g float64
	for i := range ref {
		width := ends[i+1] - ends[i]
		before := f/n - g/m
		f += ref[i]
		g += cur[i]
		after := f/n - g/m
		// The difference is a line within the cell; where it changes sign, two
		// triangles.
		if before*after >= 0 {
			area += width * math.Abs(before+after) / 2
		} else {
			area += width * (before*before + after*after) / (2 * math.Abs(after-before))
		}
	}
	return area
}
