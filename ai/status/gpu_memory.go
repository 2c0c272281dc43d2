package status

import "github.com/modelwatch/modelwatch/ai"

func gpuMemory() resource {
	return resource{
		Check: ai.Check{
			ID: "gpu_memory", Title: "GPU memory", Layer: ai.LayerResource, Unit: "ratio",
			Threshold: 0.97, Critical: new(0.995), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "GPU memory is nearly full: a larger batch or a longer prompt will fail. " +
				"Servers that reserve memory ahead show this always; raise the limit for them.",
		},
		say: used("GPU memory"),
	}
}
