package performance

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

func errorRatio() Kind {
	return Kind{
		Check: ai.Check{
			ID: "error_ratio", Title: "Error ratio against the baseline", Layer: ai.LayerService, Unit: "ratio",
			Threshold: 0.02, Critical: new(0.1), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "The share of failed requests rose over the baseline's by more than chance explains.",
		},
		Baseline: true,
		judge: func(s *subject) Result {
			now, then := &s.current.Service, &s.reference.Window.Service
			return s.moreEvents("failed", now.Failures(), now.answerable(), then.Failures(), then.answerable())
		},
	}
}

// moreEvents judges the difference between a share of requests and the
// baseline's.
func (s *subject) moreEvents(what string, k1, n1, k2, n2 uint64) Result {
	if n1 < s.settings.MinRequests {
		return s.few(n1, s.settings.MinRequests, "requests in the window")
	}
	if n2 < s.settings.MinRequests {
		return s.few(n2, s.settings.MinRequests, "requests in the baseline")
	}
	p1, p2 := float64(k1)/float64(n1), float64(k2)/float64(n2)
	iv := MiettinenNurminen(float64(k1), float64(n1), float64(k2), float64(n2))
	return s.result(measured(p1-p2, iv, n1), fisherGreater(k1, n1, k2, n2), "fisher_exact",
		fmt.Sprintf("%s of requests %s, %s in the baseline (difference %s, %s; %d requests).",
			percent(p1), what, percent(p2), percent(p1-p2), betweenAs(iv, percent), n1))
}
