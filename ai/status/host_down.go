package status

import "github.com/modelwatch/modelwatch/ai"

func hostDown() resource {
	return resource{
		Check: ai.Check{
			ID: "host_down", Title: "Host", Layer: ai.LayerResource, Unit: "1",
			Threshold: 0.5, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityCritical,
			Message: "The host or the agent on it does not answer.",
		},
		say: func(float64) string { return "The host does not answer" },
	}
}
