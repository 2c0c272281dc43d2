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
	of := ""
	if f.Kind == ai.KindVector {
		of = " of the norm"
	}
	if r.Method != MethodProportion && widened(f, w) {
		return Change{"standard deviation" + of, finite(b.Std()), finite(w.Std())}
	}
	return Change{"mean" + of, finite(b.Mean), finite(w.Mean)}
}

// widened reports whether the spread changed by more than the location did, both
// on a scale where the same number is as visible: by quartiles, which outliers do
// not move, or by moments where half the values are the same.
func widened(f *ai.FeatureBaseline, w *ai.Profile) bool {
	b := f.Profile
	q := func(p *ai.Profile, at float64) float64 { return p.Quantile(f.Bins, at) }
	before, now := q(b, 0.75)-q(b, 0.25), q(w, 0.75)-q(w, 0.25)
	moved := math.Abs(q(w, 0.5)-q(b, 0.5)) * 1.349
	if !(before > 0 && now > 0) {
		before, now = b.Std(), w.Std()
		moved = math.Abs(w.Mean - b.Mean)
	}
	if !(before > 0 && now > 0) {
		return false
	}
	return math.Abs(math.Log(now/before))*math.Sqrt2 > moved/before
}

// categoryChange returns the category whose share moved most on the scale where
// all shares have the same sampling error.
func categoryChange(f *ai.FeatureBaseline, w *ai.Profile) Change {
	n, m := float64(f.Profile.Count), float64(w.Count)
	var best float64
	c := Change{Of: "shares of categories"}
	see := func(name string, p, q float64) {
		if d := math.Abs(math.Sqrt(p) - math.Sqrt(q)); d > best {
			best = d
			c = Change{"share of " + name, p, q}
		}
	}
	other := len(f.Bins.Categories)
	for i := range w.Counts {
		p, q := float64(f.Profile.Counts[i])/n, float64(w.Counts[i])/m
		switch {
		case i < other:
			see(strconv.Quote(f.Bins.Categories[i]), p, q)
		case p > 0 || len(w.Top.Entries) == 0:
			see("other categories", p, q)
		default:
			for _, t := range w.Top.Entries {
				see(strconv.Quote(t.Category), 0, float64(t.Count-min(t.Over, t.Count))/m)
			}
		}
	}
	return c
}
