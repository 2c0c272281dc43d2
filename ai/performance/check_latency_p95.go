package performance

import "github.com/modelwatch/modelwatch/ai"

func latencyP95() Kind {
	return Kind{
		Check: ai.Check{
			ID: "latency_p95", Title: "95th percentile of latency against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 1.5, Critical: new(3.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The slowest requests take longer than they did: look for queues, cold starts and long inputs.",
		},
		Baseline: true,
		judge: func(s *subject) Result {
			return s.latency("p95 latency", 0.95, func(s *Service) *Sketch { return &s.Duration })
		},
	}
}
