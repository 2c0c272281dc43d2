package quality

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// duplicateInput finds windows in which the same inputs come again and again.
func duplicateInput() check {
	return check{
		Check: ai.Check{
			ID: "duplicate_input", Title: "Repeated input", Layer: ai.LayerData, Unit: "ratio",
			Threshold: 0.1, Critical: new(0.8), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "More records repeat the features of another record than in the baseline. Look for a retry loop, a replay or a stuck producer.",
		},
		model: func(in *input) (result, bool) {
			k1, n1 := in.profile.Duplicates, in.profile.Inputs
			if !in.comparable() || k1 == 0 || in.baseline.Inputs == 0 {
				return result{}, false
			}
			k0, n0 := in.baseline.Duplicates, in.baseline.Inputs
			r := result{score: float64(k1) / float64(n1), offset: float64(k0) / float64(n0), samples: n1, method: "fisher"}
			r.test = func() float64 { return fisherGreater(k0, n0, k1, n1) }
			r.message = func() string {
				return fmt.Sprintf("%s of %d records repeat the features of a recent one, in the baseline %s", percent(r.score), n1, percent(r.offset))
			}
			return r, true
		},
	}
}
