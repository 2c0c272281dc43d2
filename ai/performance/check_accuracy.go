package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func accuracy() Kind {
	return Kind{
		Check: ai.Check{
			ID: "accuracy", Title: "Accuracy against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.1), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Measured with labels, the model is right less often than on its baseline.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			now, then := s.current.Classification, s.reference.Window.Classification
			if now.N() < s.settings.MinLabels {
				return s.few(now.N(), s.settings.MinLabels, "labelled answers in the window")
			}
			if then.N() < s.settings.MinLabels {
				return s.few(then.N(), s.settings.MinLabels, "labelled answers in the baseline")
			}
			wrong1, wrong2 := now.n-now.correct, then.n-then.correct
			p1, p2 := float64(wrong1)/float64(now.n), float64(wrong2)/float64(then.n)
			iv := MiettinenNurminen(float64(wrong1), float64(now.n), float64(wrong2), float64(then.n))
			return s.result(measured(p1-p2, iv, now.n), fisherGreater(wrong1, now.n, wrong2, then.n), "fisher_exact",
				fmt.Sprintf("Accuracy is %s, %s in the baseline (fall %s, %s; %d labelled answers).",
					percent(1-p1), percent(1-p2), percent(p1-p2), betweenAs(iv, percent), now.n))
		},
	}
}
