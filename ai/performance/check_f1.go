package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func f1() Kind {
	return Kind{
		Check: ai.Check{
			ID: "f1", Title: "F1 against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.15), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Measured with labels, F1 is lower than on the baseline. It sees rare classes, where accuracy does not.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			return s.fall("F1", func(r *ClassificationReport) Measure { return r.F1 })
		},
	}
}

// fall judges how far a measured figure of a classifier fell below the
// baseline's, from the intervals of both.
func (s *subject) fall(name string, of func(*ClassificationReport) Measure) Result {
	c, b := s.current.Classification, s.reference.Window.Classification
	if c.N() < s.settings.MinLabels {
		return s.few(c.N(), s.settings.MinLabels, "labelled answers in the window")
	}
	if b.N() < s.settings.MinLabels {
		return s.few(b.N(), s.settings.MinLabels, "labelled answers in the baseline")
	}
	current, reference := s.report(), &s.reference.report
	if current.Positive != reference.Positive {
		return s.unknown(c.N(), "the classes are not those of the baseline")
	}
	now, then := of(current), of(reference)
	if !now.Known {
		return s.unknown(c.N(), now.Reason)
	}
	if !then.Known {
		return s.unknown(c.N(), "in the baseline "+then.Reason)
	}
	difference := then.Value - now.Value
	iv := mover(then.Value, then.Interval, now.Value, now.Interval)
	return s.result(measured(difference, iv, c.N()), differencePValue(difference, iv), "mover",
		fmt.Sprintf("%s is %s, %s in the baseline (fall %s, %s; %d labelled answers).",
			name, figure(now.Value), figure(then.Value), figure(difference), between(iv), c.N()))
}
