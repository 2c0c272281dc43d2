package performance

import (
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

func accuracyEstimate() Kind {
	return Kind{
		Check: ai.Check{
			ID: "accuracy_estimate", Title: "Estimated accuracy against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.1), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Without labels, the model's confidence says that it is right less often than on its baseline. " +
				"This sees changed inputs, not a changed meaning of inputs.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			now, then, r := s.estimates()
			if r != nil {
				return *r
			}
			fall := then.Accuracy.Value - now.Accuracy.Value
			// Under no change both are means of the same distribution of confidence.
			se := math.Sqrt(now.spread/float64(now.N) + then.spread/float64(then.N))
			iv := Interval{fall - z975*se, fall + z975*se}
			p := 1.0
			if se > 0 {
				p = normalAbove(fall / se)
			} else if fall > 0 {
				p = 0
			}
			return s.result(measured(fall, iv, now.N), p, "confidence",
				fmt.Sprintf("Accuracy is estimated at %s, %s in the baseline (fall %s, %s; %d answers; %s).",
					percent(now.Accuracy.Value), percent(then.Accuracy.Value), percent(fall), betweenAs(iv, percent), now.N, now.Calibration))
		},
	}
}

// estimates returns the estimates of the window and of the baseline's own
// predictions, or a result that says why there is none.
func (s *subject) estimates() (now, then Estimate, none *Result) {
	now, then = s.estimate(), s.reference.estimate
	var r Result
	switch {
	case !now.Accuracy.Known:
		r = s.unknown(now.N, now.Accuracy.Reason)
	case now.N < s.settings.MinRequests:
		r = s.few(now.N, s.settings.MinRequests, "answers with probabilities in the window")
	case then.N < s.settings.MinRequests:
		r = s.few(then.N, s.settings.MinRequests, "answers with probabilities in the baseline")
	case now.Positive != then.Positive:
		r = s.unknown(now.N, "the classes are not those of the baseline")
	default:
		return now, then, nil
	}
	return now, then, &r
}
