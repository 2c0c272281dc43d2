package status

import "github.com/modelwatch/modelwatch/ai"

func cpu() resource {
	return resource{
		Check: ai.Check{
			ID: "cpu", Title: "CPU", Layer: ai.LayerResource, Unit: "ratio",
			Threshold: 0.9, Critical: new(0.98), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The CPU has hardly any time left: requests wait for it. Add cores or take load away.",
		},
		say: used("The CPU"),
	}
}
