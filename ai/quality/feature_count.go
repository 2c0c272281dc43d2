package quality

import (
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

// featureCount finds windows with many more or fewer features than the baseline.
func featureCount() check {
	return check{
		Check: ai.Check{
			ID: "feature_count", Title: "Number of features", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.2, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Records have many more or fewer features than the baseline, relative to it. Latency and cost change with them.",
		},
		model: func(in *input) (result, bool) {
			if !in.comparable() {
				return result{}, false
			}
			before, now := inputs(in.baseline), 0
			if before == 0 {
				return result{}, false
			}
			for _, f := range in.features {
				if !ai.Derived(f.name) && in.has(f) {
					now++
				}
			}
			r := result{score: math.Abs(float64(now-before)) / float64(before), samples: in.profile.Inputs, method: "count"}
			r.message = func() string {
				return fmt.Sprintf("records have %d features, in the baseline %d", now, before)
			}
			return r, true
		},
	}
}
