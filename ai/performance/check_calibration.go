package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func calibration() Kind {
	return Kind{
		Check: ai.Check{
			ID: "calibration", Title: "Calibration of probabilities", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.1, Critical: new(0.3), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Measured with labels, the model's probabilities are not how often it is right. " +
				"Estimates without labels rest on them.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			c, b := s.current.Classification, s.reference.Window.Classification
			if c.N() < s.settings.MinLabels {
				return s.few(c.N(), s.settings.MinLabels, "labelled answers in the window")
			}
			r := s.report()
			if !r.CalibrationError.Known {
				return s.unknown(c.N(), r.CalibrationError.Reason)
			}
			if r.CalibrationP == nil {
				return s.unknown(c.N(), "all probabilities are 0, 0.5 or 1: they cannot be tested")
			}
			// A model that was never calibrated is no news: what counts is the rise.
			then := 0.0
			if e := s.reference.report.CalibrationError; b.N() >= s.settings.MinLabels && e.Known {
				then = e.Value
			}
			rise := measured(r.CalibrationError.Value-max(then, r.CalibrationNoise), everything(), r.CalibrationError.N)
			return s.result(rise, *r.CalibrationP, "spiegelhalter",
				fmt.Sprintf("Probabilities are off by %s on average, %s in the baseline, and chance alone would show %s (%d labelled answers).",
					percent(r.CalibrationError.Value), percent(then), percent(r.CalibrationNoise), rise.N))
		},
	}
}
