package status

import "github.com/modelwatch/modelwatch/ai"

func memory() resource {
	return resource{
		Check: ai.Check{
			ID: "memory", Title: "Memory", Layer: ai.LayerResource, Unit: "ratio",
			Threshold: 0.9, Critical: new(0.97), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Memory is nearly full: the next to ask for some may be killed.",
		},
		say: used("Memory"),
	}
}
