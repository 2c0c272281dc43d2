package quality

import (
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

// constantInput finds features that are stuck at one value.
func constantInput() check {
	return check{
		Check: ai.Check{
			ID: "constant_input", Title: "Constant input", Layer: ai.LayerData, Unit: "values",
			Threshold: 2, Direction: ai.Below, Severity: ai.SeverityWarning,
			Message: "Every record of the window has the same value, where the baseline varies enough to rule out chance. Look for a default, a cache or a sensor that hangs.",
		},
		feature: func(in *input, f *feature) (result, bool) {
			p := f.p
			if !in.comparable() || f.base == nil || p.Count < in.opt.MinRecords || f.base.Profile.Count == 0 {
				return result{}, false
			}
			value, cell, constant := onlyValue(f)
			if !constant {
				return result{score: 2}, true
			}
			r := result{score: 1, samples: p.Count, method: "binomial"}
			// The chance of a value is at most that of its cell; one is added to the
			// count for a cell that the reference never hit.
			base := f.base.Profile
			share := (float64(base.Counts[cell]) + 1) / (float64(base.Count) + 1)
			r.test = func() float64 { return math.Pow(share, float64(p.Count)) }
			r.message = func() string {
				return fmt.Sprintf("all %d values of %q are %s, in the baseline at most %s", p.Count, f.name, value, percent(share))
			}
			return r, true
		},
	}
}

// onlyValue returns the value that all values of the window are, and its cell.
func onlyValue(f *feature) (value string, cell int, ok bool) {
	p := f.p
	switch {
	case p.BinsID != f.base.Bins.ID():
		return "", 0, false
	case p.Kind == ai.KindNumber && p.Min == p.Max:
		return fmt.Sprintf("%.6g", p.Min), f.base.Bins.Index(p.Min), true
	case p.Kind.Categorical():
		for i, n := range p.Counts {
			if n != p.Count {
				continue
			}
			if i < len(f.base.Bins.Categories) {
				return fmt.Sprintf("%q", f.base.Bins.Categories[i]), i, true
			}
			if len(p.Top.Entries) == 1 && p.Top.Entries[0].Count == n {
				return fmt.Sprintf("%q", p.Top.Entries[0].Category), i, true
			}
		}
	}
	return "", 0, false
}
