package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func f1Estimate() Kind {
	return Kind{
		Check: ai.Check{
			ID: "f1_estimate", Title: "Estimated F1 against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.15), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Without labels, the model's confidence says that F1 is lower than on the baseline. " +
				"This sees changed inputs, not a changed meaning of inputs.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			now, then, r := s.estimates()
			if r != nil {
				return *r
			}
			if !now.F1.Known || !then.F1.Known {
				reason := now.F1.Reason
				if reason == "" {
					reason = "in the baseline " + then.F1.Reason
				}
				return s.unknown(now.N, reason)
			}
			fall := then.F1.Value - now.F1.Value
			iv := mover(then.F1.Value, then.F1.Interval, now.F1.Value, now.F1.Interval)
			return s.result(measured(fall, iv, now.N), differencePValue(fall, iv), "confidence",
				fmt.Sprintf("F1 is estimated at %s, %s in the baseline (fall %s, %s; %d answers; %s).",
					figure(now.F1.Value), figure(then.F1.Value), figure(fall), between(iv), now.N, now.Calibration))
		},
	}
}
