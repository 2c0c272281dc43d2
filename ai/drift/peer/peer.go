// Package peer has the drift rules of other tools, so that a user who comes from
// one of them can reproduce its numbers and compare: which test it chooses, what
// it computes, and when it says drift. It works on samples, as those tools do;
// profiles are for ai/drift, whose verdicts are calibrated and these are not.
//
// The rules are those of Evidently 0.7, NannyML 0.13 and whylogs 1.6 at their
// default settings, for one feature. Their formulas are implemented here from
// their documentation and behaviour; test/golden/drift.py runs the tools
// themselves where they are installed and keeps what they say.
package peer

import (
	"fmt"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Preset names a tool.
type Preset string

// The presets.
const (
	Evidently Preset = "evidently"
	NannyML   Preset = "nannyml"
	Whylogs   Preset = "whylogs"
)

// Presets lists the presets.
func Presets() []Preset { return []Preset{Evidently, NannyML, Whylogs} }

// Sample is the values of one feature: numbers or categories, not both. NaN and
// infinite numbers are left out before anything is computed.
type Sample struct {
	Numbers    []float64
	Categories []string
}

// Result is what a tool says.
type Result struct {
	Method string // The tool's own name for it.
	// Score is what the tool compares with its threshold, a p-value or a distance.
	Score     float64
	Threshold float64
	// Direction says on which side of the threshold it says drift.
	Direction ai.Direction
	// Statistic is the test statistic where Score is a p-value, else the score.
	Statistic float64
	Verdict   ai.Verdict
}

// Judge applies a tool's default rule to a feature. The error says what is wrong
// with the samples: they are empty, or of different kinds.
func Judge(p Preset, ref, cur Sample) (Result, error) {
	ref, cur = ref.clean(), cur.clean()
	if (ref.Categories == nil) != (cur.Categories == nil) {
		return Result{}, fmt.Errorf("%s: one sample has numbers and the other categories", p)
	}
	if ref.size() == 0 || cur.size() == 0 {
		return Result{}, fmt.Errorf("%s: a sample is empty: %d values against %d", p, cur.size(), ref.size())
	}
	switch p {
	case Evidently:
		return evidently(ref, cur), nil
	case NannyML:
		return nannyML(ref, cur)
	case Whylogs:
		return whylogs(ref, cur), nil
	default:
		return Result{}, fmt.Errorf("preset %q is not known: use one of %q", p, Presets())
	}
}

func (s Sample) clean() Sample {
	if s.Categories != nil {
		return Sample{Categories: s.Categories}
	}
	kept := make([]float64, 0, len(s.Numbers))
	for _, x := range s.Numbers {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			kept = append(kept, x)
		}
	}
	return Sample{Numbers: kept}
}

func (s Sample) size() int { return max(len(s.Numbers), len(s.Categories)) }

// count returns the counts of each different value of two samples, in the order
// of the values.
func count(ref, cur Sample) (r, c []float64) {
	if ref.Categories != nil {
		return countValues(ref.Categories, cur.Categories)
	}
	return countValues(ref.Numbers, cur.Numbers)
}

func countValues[T interface{ ~string | ~float64 }](ref, cur []T) (r, c []float64) {
	all := slices.Concat(ref, cur)
	slices.Sort(all)
	all = slices.Compact(all)
	r, c = make([]float64, len(all)), make([]float64, len(all))
	for _, v := range ref {
		i, _ := slices.BinarySearch(all, v)
		r[i]++
	}
	for _, v := range cur {
		i, _ := slices.BinarySearch(all, v)
		c[i]++
	}
	return r, c
}

func different(s Sample) int {
	r, _ := count(s, Sample{})
	return len(r)
}

// decide makes a result of a score.
func decide(method string, score, statistic, threshold float64, d ai.Direction, drift bool) Result {
	v := ai.VerdictNone
	if drift {
		v = ai.VerdictDrift
	}
	return Result{Method: method, Score: score, Statistic: statistic, Threshold: threshold, Direction: d, Verdict: v}
}
