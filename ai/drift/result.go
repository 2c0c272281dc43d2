package drift

import (
	"fmt"
	"math"
	"strconv"

	"github.com/modelwatch/modelwatch/ai"
)

// Result is the judgement on one feature, with everything that led to it. All
// its numbers are finite.
type Result struct {
	Feature string     `json:"feature"`
	Kind    ai.Kind    `json:"kind"`
	Verdict ai.Verdict `json:"verdict"`
	// Reason says why the verdict is unknown; empty otherwise.
	Reason string `json:"reason,omitempty"`

	// Method is the test that decided, of Tests: the one with the smallest
	// p-value among those whose score reaches its threshold, or of all where none
	// does. The rest up to AdjustedPValue is about it.
	Method string `json:"method,omitempty"`
	// Score is the effect size, corrected for what sampling adds: it is about 0
	// with no drift whatever the sample sizes. Threshold is its floor.
	Score     float64      `json:"score"`
	Threshold float64      `json:"threshold"`
	Direction ai.Direction `json:"direction,omitempty"`
	Unit      string       `json:"unit,omitempty"`
	// Statistic is the method's own figure as textbooks and other tools have it,
	// without correction.
	Statistic float64 `json:"statistic"`

	// PValue is the probability of windows at least this unusual with no drift,
	// for these sample sizes, corrected for the number of tests of the feature.
	PValue float64 `json:"p_value"`
	// AdjustedPValue is PValue corrected for the number of features judged.
	AdjustedPValue float64 `json:"adjusted_p_value"`
	// Alpha is what AdjustedPValue has to be at most for drift, and
	// PValueThreshold what that means for PValue in this window.
	Alpha           float64 `json:"alpha"`
	PValueThreshold float64 `json:"p_value_threshold"`

	// BaselineRows and WindowRows are the sample sizes of the deciding test.
	BaselineRows uint64 `json:"baseline_rows"`
	WindowRows   uint64 `json:"window_rows"`

	// Change says what changed most, where there may be drift.
	Change Change `json:"change,omitzero"`
	// Tests are all that were made.
	Tests []Test `json:"tests,omitempty"`
}

// Test is one of the tests of a feature.
type Test struct {
	Method    string  `json:"method"`
	Statistic float64 `json:"statistic"`
	Score     float64 `json:"score"`
	Threshold float64 `json:"threshold"`
	PValue    float64 `json:"p_value"`
	// Weight is the test's share of the false alarms that the feature may have.
	Weight float64 `json:"weight"`
	// BaselineRows and WindowRows are the sizes of the two samples.
	BaselineRows uint64 `json:"baseline_rows"`
	WindowRows   uint64 `json:"window_rows"`
}

// Change is a figure of the feature before and now.
type Change struct {
	Of   string  `json:"of"` // Such as "mean", or "share of \"visa\"".
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// String returns the change for messages.
func (c Change) String() string {
	return fmt.Sprintf("%s %s → %s", c.Of, number(c.From), number(c.To))
}

func number(x float64) string {
	if a := math.Abs(x); a >= 1e5 && a < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// CheckID is the kind of findings made from results.
const CheckID = "drift"

// Check returns the catalogue line of findings made from results.
func Check() ai.Check {
	return ai.Check{
		ID: CheckID, Title: "Drift", Layer: ai.LayerData, Unit: hellingerUnit, Threshold: defaultFloor,
		Direction: ai.Above, Severity: ai.SeverityWarning,
		Message: "The values of the feature no longer look like the baseline's: look at what changed upstream, or whether the baseline is still right.",
	}
}

// Finding returns the result as a finding about that model version. Drift is a
// warning, everything else for information.
func (r *Result) Finding(key ai.Key) ai.Finding {
	f := ai.Finding{
		Layer: ai.LayerData, Kind: CheckID, Severity: ai.SeverityInfo, Key: key, Feature: r.Feature,
		Score: r.Score, Threshold: r.Threshold, Direction: ai.Above, Unit: r.Unit,
		Method: r.Method, Verdict: r.Verdict, SampleSize: r.WindowRows,
	}
	if r.Verdict == ai.VerdictDrift {
		f.Severity = ai.SeverityWarning
	}
	if r.Verdict == ai.VerdictUnknown {
		f.Message = fmt.Sprintf("%s: drift is unknown: %s", r.Feature, r.Reason)
		return f
	}
	p, threshold := r.PValue, r.PValueThreshold
	f.PValue, f.PValueThreshold = &p, &threshold
	method := r.Method
	if m, ok := MethodByID(method); ok {
		method = m.Title
	}
	figures := fmt.Sprintf("%s: score %s, threshold %s, p-value %s of at most %s, %d rows against %d",
		method, number(r.Score), number(r.Threshold), number(p), number(threshold), r.WindowRows, r.BaselineRows)
	switch r.Verdict {
	case ai.VerdictDrift:
		f.Message = fmt.Sprintf("%s drifted: %s (%s)", r.Feature, r.Change, figures)
	case ai.VerdictPossible:
		f.Message = fmt.Sprintf("%s may have drifted: %s (%s)", r.Feature, r.Change, figures)
	default:
		f.Message = fmt.Sprintf("%s: no drift (%s)", r.Feature, figures)
	}
	return f
}
