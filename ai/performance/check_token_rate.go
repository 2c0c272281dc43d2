package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func tokenRate() Kind {
	return Kind{
		Check: ai.Check{
			ID: "token_rate", Title: "Generation speed against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 0.7, Critical: new(0.4), Direction: ai.Below, Severity: ai.SeverityWarning,
			Message: "The usual request gets fewer tokens per second than it did: look at batch sizes and the GPU.",
		},
		Baseline: true,
		applies:  func(s *subject) bool { return s.counts(func(s *Service) *Sketch { return &s.TokenRate }) },
		judge: func(s *subject) Result {
			now, then := &s.current.Service.TokenRate, &s.reference.Window.Service.TokenRate
			if n := now.Count(); n < s.settings.MinRequests {
				return s.few(n, s.settings.MinRequests, "requests with output tokens in the window")
			}
			if n := then.Count(); n < s.settings.MinRequests {
				return s.few(n, s.settings.MinRequests, "requests with output tokens in the baseline")
			}
			ratio, p, a, b := quantileRatio(now, then, 0.5, false)
			return s.result(ratio, p, "order_statistics",
				fmt.Sprintf("The median request gets %s tokens/s, %s times the baseline's %s (%s; %d requests).",
					figure(a), figure(ratio.Value), figure(b), between(ratio.Interval), now.Count()))
		},
	}
}
