package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func latencyLimit() Kind {
	return Kind{
		Check: ai.Check{
			ID: "latency_limit", Title: "Latency against its limit", Layer: ai.LayerService, Unit: "seconds",
			Threshold: 1.5, Critical: new(3.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The 95th percentile of latency is over the configured limit.",
		},
		OptIn: true,
		judge: func(s *subject) Result {
			d := &s.current.Service.Duration
			if n := d.Count(); n < s.settings.MinRequests {
				return s.few(n, s.settings.MinRequests, "answered requests with a duration in the window")
			}
			m := d.quantileMeasure(0.95, "")
			return s.result(m, notATest(), "quantile", fmt.Sprintf("p95 latency is %s (%s; %d requests).",
				seconds(m.Value), betweenAs(m.Interval, seconds), m.N))
		},
	}
}
