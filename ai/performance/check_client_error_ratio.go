package performance

import "github.com/modelwatch/modelwatch/ai"

func clientErrorRatio() Kind {
	return Kind{
		Check: ai.Check{
			ID: "client_error_ratio", Title: "Refused requests against the baseline", Layer: ai.LayerService, Unit: "ratio",
			Threshold: 0.1, Critical: new(0.5), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The share of requests refused as wrong (4xx) rose: a caller or the input contract changed.",
		},
		Baseline: true,
		judge: func(s *subject) Result {
			now, then := &s.current.Service, &s.reference.Window.Service
			return s.moreEvents("were refused", now.Outcomes[ClassClient], now.answerable(), then.Outcomes[ClassClient], then.answerable())
		},
	}
}
