package performance

import "github.com/modelwatch/modelwatch/ai"

func rocAUC() Kind {
	return Kind{
		Check: ai.Check{
			ID: "roc_auc", Title: "Area under the ROC curve against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.03, Critical: new(0.1), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Measured with labels, the model ranks cases worse than on its baseline, whatever the cut-off.",
		},
		Baseline: true,
		applies:  (*subject).classifies,
		judge: func(s *subject) Result {
			return s.fall("The area under the ROC curve", func(r *ClassificationReport) Measure { return r.AUC })
		},
	}
}
