package status

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func gpuMissing() resource {
	return resource{
		Check: ai.Check{
			ID: "gpu_missing", Title: "GPUs that are missing", Layer: ai.LayerResource, Unit: "gpus",
			Threshold: 0, Critical: new(0.0), Direction: ai.Above, Severity: ai.SeverityCritical,
			Message: "Fewer GPUs answer than are expected: one fell off the bus, or its driver hangs.",
		},
		say: func(x float64) string { return fmt.Sprintf("%.0f of the expected GPUs do not answer", x) },
	}
}
