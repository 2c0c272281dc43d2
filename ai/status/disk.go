package status

import "github.com/modelwatch/modelwatch/ai"

func disk() resource {
	return resource{
		Check: ai.Check{
			ID: "disk", Title: "Disk", Layer: ai.LayerResource, Unit: "ratio",
			Threshold: 0.9, Critical: new(0.97), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The disk is nearly full: logs, caches and models cannot be written any more.",
		},
		say: used("The disk"),
	}
}
