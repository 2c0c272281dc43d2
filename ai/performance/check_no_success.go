package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// minNoSuccess is the number of requests without one answer that is no chance.
const minNoSuccess = 5

func noSuccess() Kind {
	return Kind{
		Check: ai.Check{
			ID: "no_success", Title: "Unanswered requests", Layer: ai.LayerService, Unit: "ratio",
			Threshold: 0.999, Critical: new(0.999), Direction: ai.Above, Severity: ai.SeverityCritical,
			Message: "No request of the window got an answer: the service is down for its callers.",
		},
		Fatal: true,
		judge: func(s *subject) Result {
			svc := &s.current.Service
			n, ok := svc.answerable(), svc.Outcomes[ClassOK]
			if n < minNoSuccess {
				return s.few(n, minNoSuccess, "requests in the window")
			}
			m := proportion(n-ok, n, "")
			r := s.result(m, notATest(), "count", fmt.Sprintf("%d of %d requests were answered (%d failed, %d were refused as wrong).",
				ok, n, svc.Failures(), svc.Outcomes[ClassClient]))
			// Callers who send nothing right are not an outage, but somebody should look.
			if r.Severity == ai.SeverityCritical && svc.Outcomes[ClassClient] > svc.Failures() {
				r.Severity = ai.SeverityWarning
			}
			return r
		},
	}
}
