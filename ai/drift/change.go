package drift

import (
	"math"
	"strconv"

	"github.com/modelwatch/modelwatch/ai"
)

// change returns the figure that changed most, in the terms of the test that
// decided.
func change(r *Result, f *ai.FeatureBaseline, w *ai.Profile) Change {
	b := f.Profile
	switch {
	case r.Method == MethodMissing:
		return Change{"missing share", finite(b.MissingRatio()), finite(w.MissingRatio())}
	case r.Method == MethodUnseen && f.Bins.Categories != nil:
		return Change{"share of unseen categories", 0, r.Statistic}
	case r.Method == MethodUnseen:
		return Change{"share of values that the baseline never had", 0, r.Statistic}
	case r.Method == MethodMMD:
		return Change{"distance from the baseline's embeddings", 0, r.Statistic}
	case f.Bins.Categories != nil:
		return categoryChange(f, w)
	}
	of := "mean"
	if f.Kind == ai.KindVector {
		of = "mean norm"
	}
	c := Change{of, finite(b.Mean), finite(w.Mean)}
	// The spread, where it changed by more than the mean did, in deviations of
	// the baseline: a mean moves by δ where a deviation of 1+δ/√2 is as visible.
	if sd, now := b.Std(), w.Std(); sd > 0 && math.Abs(math.Log(max(now, 1e-300)/sd))*math.Sqrt2 > math.Abs(w.Mean-b.Mean)/sd {
		c = Change{"standard deviation", finite(sd), finite(now)}
	}
	return c
}

// categoryChange returns the category whose share moved most on the scale where
// all shares have the same sampling error.
func categoryChange(f *ai.FeatureBaseline, w *ai.Profile) Change {
	n, m := float64(f.Profile.Count), float64(w.Count)
	var best float64
	c := Change{Of: "shares of categories"}
	for i := range w.Counts {
		p, q := float64(f.Profile.Counts[i])/n, float64(w.Counts[i])/m
		if d := math.Abs(math.Sqrt(p) - math.Sqrt(q)); d > best {
			best = d
			c = Change{"share of other categories", p, q}
			if i < len(f.Bins.Categories) {
				c.Of = "share of " + strconv.Quote(f.Bins.Categories[i])
			}
		}
	}
	return c
}
