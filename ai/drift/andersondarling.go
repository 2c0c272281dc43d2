package drift

// AndersonDarling returns the Anderson-Darling distance of a window from its
// baseline in ordered cells: Σ wᵢ·(Fᵢ−Gᵢ)²/(uᵢ(1−uᵢ)) over the inner ends of the
// cells, where uᵢ is the baseline's share up to there, and wᵢ half the baseline's
// share of the two cells that meet there. It sees a change of location like a
// rank test, and unlike Kolmogorov-Smirnov changes of spread and tails as well.
// Ends that the baseline has nothing below or above are left out.
//
// Times n·m/(n+m) it is distributed as Σ λᵢ·χ²₁ with no drift, see
// bridgeEigenvalues.
//
// Sources: Anderson, Darling, "Asymptotic theory of certain goodness of fit
// criteria", Annals of Mathematical Statistics 1952; Pettitt, Biometrika 1976
// (two samples); Choulakian, Lockhart, Stephens 1994 (cells).
func AndersonDarling(ref, cur []float64) float64 {
	n, m := sum(ref), sum(cur)
	if n <= 0 || m <= 0 {
		return 0
	}
	var f, g, a float64
	for i := 0; i+1 < len(ref); i++ {
		f += ref[i]
		g += cur[i]
		u := f / n
		if v := u * (1 - u); f < n && v > 0 {
			d := u - g/m
			a += d * d * (ref[i] + ref[i+1]) / (2 * n * v)
		}
	}
	return a
}

// andersonDarlingWeights returns what the squared differences at the inner ends of
// the cells are multiplied by.
func andersonDarlingWeights(ref, u []float64, n float64) []float64 {
	a := make([]float64, len(u))
	for i := range u {
		if v := u[i] * (1 - u[i]); v > 0 {
			a[i] = (ref[i] + ref[i+1]) / (2 * n * v)
		}
	}
	return a
}
