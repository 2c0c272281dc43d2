package performance

import (
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

func regressionError() Kind {
	return Kind{
		Check: ai.Check{
			ID: "regression_error", Title: "Numeric error against the baseline", Layer: ai.LayerModel, Unit: "ratio",
			Threshold: 1.25, Critical: new(2.0), Direction: ai.Above, Severity: ai.SeverityWarning,
			Message: "Measured with labels, the mean absolute error of the model's numbers is larger than on its baseline.",
		},
		Baseline: true,
		applies:  (*subject).regresses,
		judge: func(s *subject) Result {
			now, then := &s.current.Regression, &s.reference.Window.Regression
			if now.N() < s.settings.MinLabels {
				return s.few(now.N(), s.settings.MinLabels, "labelled numbers in the window")
			}
			if then.N() < s.settings.MinLabels {
				return s.few(then.N(), s.settings.MinLabels, "labelled numbers in the baseline")
			}
			a, b := now.Report().MAE, then.Report().MAE
			if !(b.Value > 0) {
				return s.unknown(a.N, "the baseline has no error")
			}
			iv := mover(a.Value, a.Interval, b.Value, b.Interval)
			ratio := Interval{0, math.Inf(1)}
			if a.Value > 0 {
				l := mover(math.Log(a.Value), logInterval(a.Interval, math.Log(a.Value)),
					math.Log(b.Value), logInterval(b.Interval, math.Log(b.Value)))
				ratio = Interval{math.Exp(l.Low), math.Exp(l.High)}
			}
			return s.result(measured(a.Value/b.Value, ratio, a.N), differencePValue(a.Value-b.Value, iv), "mover",
				fmt.Sprintf("The mean absolute error is %s, %s times the baseline's %s (%s; %d labelled answers).",
					figure(a.Value), figure(a.Value/b.Value), figure(b.Value), between(ratio), a.N))
		},
	}
}
