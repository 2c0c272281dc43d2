package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func accuracyLimit() Kind {
	return Kind{
		Check: ai.Check{
			ID: "accuracy_limit", Title: "Accuracy against its limit", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.9, Critical: new(0.8), Direction: ai.Below, Severity: ai.SeverityWarning,
			Message: "Measured accuracy is under the configured limit.",
		},
		OptIn:   true,
		applies: (*subject).classifies,
		judge: func(s *subject) Result {
			c := s.current.Classification
			if c.N() < s.settings.MinLabels {
				return s.few(c.N(), s.settings.MinLabels, "labelled answers in the window")
			}
			m := proportion(c.correct, c.n, "")
			return s.result(m, notATest(), "ratio", fmt.Sprintf("Accuracy is %s (%s; %d labelled answers).",
				percent(m.Value), betweenAs(m.Interval, percent), m.N))
		},
	}
}
