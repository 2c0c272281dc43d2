package quality

import (
	"fmt"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// unseenCategory finds categories that the baseline, or the schema, does not have.
func unseenCategory() check {
	return check{
		Check: ai.Check{
			ID: "unseen_category", Title: "Unseen categories", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.01, Critical: new(0.25), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More values are of categories that the baseline hardly had, or any of one that a configured schema does not list. The model never learned them.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			p := f.p
			if !p.Kind.Categorical() || p.Count == 0 {
				return result{}, false
			}
			r := result{samples: p.Count}
			if f.configured {
				if f.schema.Categories == nil {
					return result{}, false
				}
				n, which := unlisted(f)
				if n == 0 {
					return result{}, false
				}
				r.score = float64(n) / float64(p.Count)
				r.broken, r.method = true, "schema"
				r.message = func() string {
					return fmt.Sprintf("%d of %d values of %q are not among the schema's categories: %s", n, p.Count, f.name, names(which))
				}
				return r, true
			}
			if !in.comparable() || f.base == nil || f.base.Profile.Count == 0 || len(p.Counts) == 0 {
				return result{}, false
			}
			unseen := p.Counts[len(p.Counts)-1]
			n0 := f.base.Profile.Count
			k0 := uint64(math.Ceil(f.base.Unseen * float64(n0)))
			r.score, r.offset = float64(unseen)/float64(p.Count), f.base.Unseen
			r.method = "fisher"
			r.test = func() float64 { return fisherGreater(k0, n0, unseen, p.Count) }
			r.message = func() string {
				return fmt.Sprintf("%s of %d values of %q are of categories that the baseline hardly had (%s expected): %s",
					percent(r.score), p.Count, f.name, percent(r.offset), names(topNames(p)))
			}
			return r, true
		},
	}
}

// unlisted returns how many values are of categories that the schema does not
// list, and which ones.
func unlisted(f *feature) (n uint64, which []string) {
	allowed := func(category string) bool {
		return slices.ContainsFunc(f.schema.Categories, func(s string) bool { return ai.CategoryKey(s) == category })
	}
	other := f.p.Count
	if f.base != nil && f.base.Bins.ID() == f.p.BinsID {
		for i, category := range f.base.Bins.Categories {
			other -= f.p.Counts[i]
			if f.p.Counts[i] > 0 && !allowed(category) {
				n += f.p.Counts[i]
				which = append(which, category)
			}
		}
	}
	// Of what has no cell, Top knows the frequent ones; the allowed ones among them
	// may have been counted too often, so they are taken off as such.
	var listed uint64
	for _, e := range f.p.Top.Sorted() {
		if allowed(e.Category) {
			listed += e.Count
		} else {
			which = append(which, e.Category)
		}
	}
	return n + other - min(other, listed), which
}

func topNames(p *ai.Profile) []string {
	var out []string
	for _, e := range p.Top.Sorted() {
		out = append(out, e.Category)
	}
	return out
}
