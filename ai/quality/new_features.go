package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// rareShare is the share of records that a feature must be in to count as one
// that the window has: a typing error in one record is not a new feature.
const rareShare = 0.05

// newFeatures finds features that the baseline does not have.
func newFeatures() check {
	return check{
		Check: ai.Check{
			ID: "new_features", Title: "New features", Layer: ai.LayerData, Unit: "features",
			Threshold: 0, Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Records have features that the baseline does not. The model may ignore them, or work longer for them.",
		},
		model: func(in *input) (result, bool) {
			if !in.comparable() {
				return result{}, false
			}
			var fresh []string
			for _, f := range in.features {
				if f.base == nil && !ai.Derived(f.name) && in.has(f) {
					fresh = append(fresh, f.name)
				}
			}
			r := result{score: float64(len(fresh)), samples: in.profile.Inputs, method: "count"}
			r.message = func() string {
				return fmt.Sprintf("%d features are new: %s", len(fresh), names(fresh))
			}
			return r, true
		},
	}
}

// has reports whether the window has the feature in more than a few records.
func (in *input) has(f *feature) bool {
	return float64(present(f.p)) > rareShare*float64(in.profile.Inputs)
}
