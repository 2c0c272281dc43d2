package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func errorLimit() Kind {
	return Kind{
		Check: ai.Check{
			ID: "error_limit", Title: "Error ratio against its limit", Layer: ai.LayerService, Unit: "ratio",
			Threshold: 0.05, Critical: new(0.25), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "A larger share of requests failed than is allowed: look at the errors by class.",
		},
		judge: func(s *subject) Result {
			svc := &s.current.Service
			n, failed := svc.answerable(), svc.Failures()
			if n < s.settings.MinRequests {
				return s.few(n, s.settings.MinRequests, "requests in the window")
			}
			m := proportion(failed, n, "")
			r := s.result(m, notATest(), "ratio", fmt.Sprintf("%s of %d requests failed (%d %s; %s).",
				percent(m.Value), n, failed, svc.worstClass(), betweenAs(m.Interval, percent)))
			if failed < 2 {
				r.Severity = "" // One failure is no ratio.
			}
			return r
		},
	}
}

// worstClass names the most frequent class of failures, for messages.
func (s *Service) worstClass() string {
	worst := ClassOther
	for _, c := range Classes() {
		if c.Failure() && s.Outcomes[c] > s.Outcomes[worst] {
			worst = c
		}
	}
	if s.Outcomes[worst] == 0 {
		return "in all"
	}
	return fmt.Sprintf("in all, %d by %s", s.Outcomes[worst], worst.words())
}
