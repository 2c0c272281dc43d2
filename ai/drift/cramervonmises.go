package drift

import "math"

// CramerVonMises returns the two-sample Cramér-von Mises distance of two rows of
// counts in ordered cells: ∫(F−G)² dH, where H is the distribution of both
// samples together, between 0 and 1. Times n·m/(n+m) it is the usual statistic
// T plus O(1/n), with tied values taken at the end of their cell.
//
// Source: Anderson, "On the distribution of the two-sample Cramér-von Mises
// criterion", Annals of Mathematical Statistics 1962.
func CramerVonMises(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var f, g, w float64
	for i := range ref {
		f += ref[i]
		g += cur[i]
		d := f/n - g/m
		w += d * d * (ref[i] + cur[i])
	}
	return w / (n + m)
}

// cramerVonMisesOfBaseline is CramerVonMises with the integral taken over the
// baseline alone, so that its null distribution depends on the baseline only.
func cramerVonMisesOfBaseline(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var f, g, w float64
	for i := 0; i+1 < len(ref); i++ {
		f += ref[i]
		g += cur[i]
		d := f/n - g/m
		w += d * d * (ref[i] + ref[i+1]) / (2 * n)
	}
	return w
}

func sqrtOf(x float64) float64 { return math.Sqrt(max(0, x)) }
