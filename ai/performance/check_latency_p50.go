package performance

import "github.com/modelwatch/modelwatch/ai"

func latencyP50() Kind {
	return Kind{
		Check: ai.Check{
			ID: "latency_p50", Title: "Median latency against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 1.5, Critical: new(3.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The usual request takes longer than it did: all requests are affected, not only the slowest.",
		},
		Baseline: true,
		judge: func(s *subject) Result {
			return s.latency("p50 latency", 0.5, func(s *Service) *Sketch { return &s.Duration })
		},
	}
}
