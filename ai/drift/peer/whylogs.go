package peer

import (
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Limits of whylogs' three answers, p-values.
const (
	whylogsDrift    = 0.05
	whylogsPossible = 0.15
)

// whylogs tests numbers by Kolmogorov-Smirnov at 100 quantiles of each sample,
// with the one-sample distribution at the effective size, and categories by
// chi-square against shares that are rounded down to whole expected counts. Its
// sketches are exact for the few hundred values that they hold unmerged; here
// quantiles always are.
func whylogs(ref, cur Sample) Result {
	r := Result{Method: "ks", Direction: ai.Below, Threshold: whylogsDrift, Verdict: ai.VerdictNone}
	if ref.Categories == nil {
		r.Statistic, r.Score = WhylogsKS(ref.Numbers, cur.Numbers)
	} else {
		r.Method = "chi-square"
		r.Statistic, r.Score = WhylogsChiSquare(ref.Categories, cur.Categories)
	}
	switch {
	case r.Score < whylogsDrift:
		r.Verdict = ai.VerdictDrift
	case r.Score < whylogsPossible:
		r.Verdict = ai.VerdictPossible
	}
	return r
}

// WhylogsKS returns the largest difference of the shares below each of the 100
// quantiles of both samples, and its p-value.
func WhylogsKS(ref, cur []float64) (d, p float64) {
	ref, cur = slices.Clone(ref), slices.Clone(cur)
	slices.Sort(ref)
	slices.Sort(cur)
	below := func(s []float64, x float64) float64 {
		i, _ := slices.BinarySearch(s, x)
		return float64(i) / float64(len(s))
	}
	const quantiles = 100
	for _, s := range [][]float64{ref, cur} {
		for i := range quantiles {
			x := s[min(int(float64(i)/(quantiles-1)*float64(len(s))), len(s)-1)]
			d = max(d, math.Abs(below(ref, x)-below(cur, x)))
		}
	}
	n, m := float64(len(ref)), float64(len(cur))
	return d, KolmogorovTail(d, int(math.RoundToEven(n*m/(n+m))))
}

// WhylogsChiSquare returns the statistic and the p-value; a category that the
// reference does not have, or expects less than one of, makes it infinite.
func WhylogsChiSquare(ref, cur []string) (x2, p float64) {
	r, c := countValues(ref, cur)
	n, m := float64(len(ref)), float64(len(cur))
	seen := 0
	for i := range r {
		e := math.Floor(r[i] / n * m)
		if c[i] > 0 {
			seen++
		}
		if e == 0 {
			return math.Inf(1), 0
		}
		x2 += (c[i] - e) * (c[i] - e) / e
	}
	return x2, chiSquareTail(x2, max(seen-1, 1))
}
