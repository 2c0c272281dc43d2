package performance

import "github.com/modelwatch/modelwatch/ai"

func firstToken() Kind {
	return Kind{
		Check: ai.Check{
			ID: "first_token", Title: "Time to first token against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 1.5, Critical: new(3.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The 95th percentile of the time to the first token rose: look at queueing and prompt lengths.",
		},
		Baseline: true,
		applies:  func(s *subject) bool { return s.counts(func(s *Service) *Sketch { return &s.FirstToken }) },
		judge: func(s *subject) Result {
			return s.latency("p95 time to first token", 0.95, func(s *Service) *Sketch { return &s.FirstToken })
		},
	}
}
