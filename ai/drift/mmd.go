package drift

// KernelDistance returns the squared maximum mean discrepancy of two samples:
// the squared distance between the means of their kernel features, whose sums
// over n and m vectors are given. It is the biased estimate (with no drift its
// expectation is (1/n+1/m)·Σλ, λ the eigenvalues of the features' covariance).
//
// Sources: Gretton et al., "A kernel two-sample test", JMLR 2012; features:
// Rahimi, Recht, NIPS 2007.
func KernelDistance(refSum []float64, n float64, curSum []float64, m float64) float64 {
	if n <= 0 || m <= 0 || len(refSum) != len(curSum) {
		return 0
	}
	var d2 float64
	for i := range refSum {
		d := refSum[i]/n - curSum[i]/m
		d2 += d * d
	}
	return d2
}
