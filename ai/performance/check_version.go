package performance

import "github.com/modelwatch/modelwatch/ai"

// version is judged by Compare, which has two windows to look at.
func version() Kind {
	return Kind{
		Check: ai.Check{
			ID: "version", Title: "Newer version against the older", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 1, Critical: new(5.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Beside the older version in the same time, the newer one has more errors, is slower or is less often right.",
		},
	}
}
