package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// outOfRange finds numbers outside the range of the baseline or of the schema.
func outOfRange() check {
	return check{
		Check: ai.Check{
			ID: "out_of_range", Title: "Out of range", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.01, Critical: new(0.25), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More values lie outside the baseline's range than chance puts there, or any outside a configured range. Look for a changed unit or scale.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			p := f.p
			if p.Kind != ai.KindNumber || p.Count == 0 || f.schema.Min == nil && f.schema.Max == nil {
				return result{}, false
			}
			outside := outsideCount(f)
			if outside == 0 {
				return result{}, false
			}
			r := result{score: float64(outside) / float64(p.Count), samples: p.Count}
			if f.configured {
				r.broken, r.method = true, "schema"
				r.message = func() string {
					return fmt.Sprintf("at least %d of %d values of %q are outside the schema's range, %s", outside, p.Count, f.name, span(f))
				}
				return r, true
			}
			if !in.comparable() {
				return result{}, false
			}
			r.method = "beta-binomial"
			r.test = func() float64 { return outsideRange(outside, p.Count, f.base.Profile.Count) }
			r.message = func() string {
				return fmt.Sprintf("%s of %d values of %q are outside the baseline's range, %s", percent(r.score), p.Count, f.name, span(f))
			}
			return r, true
		},
	}
}

// span writes the range that is allowed and the one that was seen.
func span(f *feature) string {
	lo, hi := f.schema.Min, f.schema.Max
	seen := fmt.Sprintf(" (now %.6g to %.6g)", f.p.Min, f.p.Max)
	switch {
	case lo == nil:
		return "at most " + number(hi) + seen
	case hi == nil:
		return "at least " + number(lo) + seen
	default:
		return number(lo) + " to " + number(hi) + seen
	}
}

func number(x *float64) string { return fmt.Sprintf("%.6g", *x) }

// outsideCount returns how many values are outside the schema's range: exactly
// for a range inferred with the bins, whose ends are edges; for another one, the
// least that the cells and the extremes prove.
func outsideCount(f *feature) uint64 {
	lo, hi := f.schema.Min, f.schema.Max
	var below, above uint64
	bins := ai.DefaultBins()
	if f.base != nil {
		bins = f.base.Bins
	}
	if bins.ID() == f.p.BinsID {
		for i, n := range f.p.Counts {
			if n == 0 {
				continue
			}
			from, to := bins.Bounds(i) // The cell is (from, to].
			if lo != nil && to < *lo {
				below += n
			}
			if hi != nil && from >= *hi {
				above += n
			}
		}
	}
	if lo != nil && f.p.Min < *lo {
		below = max(below, 1)
	}
	if hi != nil && f.p.Max > *hi {
		above = max(above, 1)
	}
	return below + above
}
