package quality

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// vanishedFeatures finds features of the baseline that no record has any more.
func vanishedFeatures() check {
	return check{
		Check: ai.Check{
			ID: "vanished_features", Title: "Vanished features", Layer: ai.LayerData, Unit: "features",
			Threshold: 0, Direction: ai.Above, Severity: ai.SeverityCritical,
			Message: "No record has features that the baseline has. The model works on fill values.",
		},
		model: func(in *input) (result, bool) {
			if !in.comparable() {
				return result{}, false
			}
			var gone []string
			worst := 0.0
			for _, name := range slices.Sorted(maps.Keys(in.baseline.Features)) {
				if ai.Derived(name) {
					continue
				}
				if p := in.profile.Features[name]; p != nil && present(p) > 0 {
					continue
				}
				// How likely is it that a feature which only some records have is in none
				// of these?
				base := in.baseline.Features[name].Profile
				share := (float64(present(base)) + 0.5) / (float64(base.Rows()) + 1)
				chance := math.Exp(float64(in.profile.Inputs) * math.Log1p(-share))
				if chance > in.opt.Alpha/float64(in.tests) {
					continue
				}
				gone = append(gone, name)
				worst = max(worst, chance)
			}
			r := result{score: float64(len(gone)), samples: in.profile.Inputs, method: "binomial"}
			r.test = func() float64 { return worst }
			r.message = func() string {
				return fmt.Sprintf("%d of %d features are gone: %s", len(gone), inputs(in.baseline), names(gone))
			}
			return r, true
		},
	}
}

// inputs returns the number of the baseline's features that are not derived.
func inputs(b *ai.Baseline) int {
	n := 0
	for name := range b.Features {
		if !ai.Derived(name) {
			n++
		}
	}
	return n
}
