package compare

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/drift/peer"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// Modelwatch is the preset of our own rule.
const Modelwatch = "modelwatch"

// Presets lists what tables can be compared by.
func Presets() []string {
	all := []string{Modelwatch}
	for _, p := range peer.Presets() {
		all = append(all, string(p))
	}
	return all
}

// Report is what came of a comparison.
type Report struct {
	BaselineRows int        `json:"baseline_rows"`
	CurrentRows  int        `json:"current_rows"`
	Results      []Result   `json:"results"`  // By feature, then as presets were given.
	New          []string   `json:"new"`      // Features that the baseline does not have.
	Vanished     []string   `json:"vanished"` // Features that only the baseline has.
	Retyped      []Retyping `json:"retyped"`
	// Drift says whether any rule found drift, or a feature vanished or changed its type.
	Drift bool `json:"drift"`
}

// Retyping is a feature whose values are of another kind than the baseline's.
type Retyping struct {
	Feature string  `json:"feature"`
	From    ai.Kind `json:"from"`
	To      ai.Kind `json:"to"`
}

// Result is the verdict of one rule on one feature. Figures that there are none of are
// nil.
type Result struct {
	Feature string     `json:"feature"`
	Kind    ai.Kind    `json:"kind"`
	Preset  string     `json:"preset"`
	Method  string     `json:"method,omitempty"`
	Verdict ai.Verdict `json:"verdict"`
	Reason  string     `json:"reason,omitempty"` // Why it is unknown.
	Score   *float64   `json:"score"`
	// Threshold is what the score has to reach, PValueThreshold what the p-value may be
	// at most. Where both are there, both are needed.
	Threshold       *float64 `json:"threshold"`
	PValue          *float64 `json:"p_value"`
	PValueThreshold *float64 `json:"p_value_threshold"`
	BaselineRows    uint64   `json:"baseline_rows"`
	CurrentRows     uint64   `json:"current_rows"`
	// Change says where to it moved; nil where that is not known.
	Change *drift.Change `json:"change"`
}

// Compare judges every feature of two tables by each preset. The error names a preset
// that is not known, or a table without rows.
func Compare(baseline, current *Table, presets []string) (*Report, error) {
	for _, p := range presets {
		if !slices.Contains(Presets(), p) {
			return nil, fmt.Errorf("preset %q is not known: use one of %q", p, Presets())
		}
	}
	if baseline.Rows() == 0 || current.Rows() == 0 {
		return nil, fmt.Errorf("there are %d rows in the baseline and %d in the current data: both need some", baseline.Rows(), current.Rows())
	}
	out := &Report{
		BaselineRows: baseline.Rows(), CurrentRows: current.Rows(),
		Results: []Result{}, New: []string{}, Vanished: []string{}, Retyped: []Retyping{},
	}
	var own map[string]drift.Result
	if slices.Contains(presets, Modelwatch) {
		var err error
		if own, err = judge(baseline, current); err != nil {
			return nil, err
		}
	}
	names := slices.Concat(baseline.features(), current.features())
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		ref, cur := baseline.column(name), current.column(name)
		switch {
		case !ref.present:
			out.New = append(out.New, name)
		case !cur.present:
			out.Vanished = append(out.Vanished, name)
		case ref.kind != cur.kind && ref.kind != ai.KindMissing && cur.kind != ai.KindMissing:
			out.Retyped = append(out.Retyped, Retyping{name, ref.kind, cur.kind})
		}
		if !ref.present || !cur.present {
			continue
		}
		for _, p := range presets {
			r := Result{Feature: name, Kind: ref.kind, Preset: p, BaselineRows: uint64(len(ref.values)), CurrentRows: uint64(len(cur.values))}
			if p == Modelwatch {
				r.ours(own[name])
			} else {
				r.theirs(peer.Preset(p), ref, cur)
			}
			out.Drift = out.Drift || r.Verdict == ai.VerdictDrift
			out.Results = append(out.Results, r)
		}
	}
	out.Drift = out.Drift || len(out.Vanished)+len(out.Retyped) > 0
	return out, nil
}

// judge compares by our own rule. All rows are one window.
func judge(baseline, current *Table) (map[string]drift.Result, error) {
	b := profile.NewBuilder(profile.BuilderOptions{})
	for _, step := range []func(*ai.Inference) error{b.Learn, b.Add} {
		for i := range baseline.rows {
			if err := step(baseline.rows[i].inference()); err != nil {
				return nil, fmt.Errorf("row %d of the baseline: %w", i+1, err)
			}
		}
	}
	at := time.Unix(0, 0).UTC()
	ref, err := b.Build(profile.Meta{Key: key, ID: "compared", Number: 1, Created: at, Source: ai.SourceFile, Confirmed: true})
	if err != nil {
		return nil, fmt.Errorf("make the baseline: %w", err)
	}
	window := profile.NewAccumulator(key, ref, profile.Options{Window: 24 * time.Hour})
	for i := range current.rows {
		if !window.Add(current.rows[i].inference(), at) {
			return nil, fmt.Errorf("row %d of the current data could not be counted", i+1)
		}
	}
	profiles := window.Flush()
	if len(profiles) != 1 {
		return nil, fmt.Errorf("the current data made %d windows instead of one", len(profiles))
	}
	results, err := drift.Evaluate(ref, profiles[0].Features, drift.Options{})
	if err != nil {
		return nil, err
	}
	out := make(map[string]drift.Result, len(results))
	for _, r := range results {
		out[r.Feature] = r
	}
	return out, nil
}

func (r *Result) ours(d drift.Result) {
	r.Verdict, r.Reason, r.Method = d.Verdict, d.Reason, d.Method
	if d.Feature == "" {
		r.unknown("it was not judged")
		return
	}
	if d.Verdict == ai.VerdictUnknown {
		return
	}
	r.Score, r.Threshold = finite(d.Score), finite(d.Threshold)
	r.PValue, r.PValueThreshold = finite(d.PValue), finite(d.PValueThreshold)
	r.BaselineRows, r.CurrentRows = d.BaselineRows, d.WindowRows
	if d.Change.Of != "" {
		r.Change = &d.Change
	}
}

// theirs judges by the rule of another tool, whose figures stay as it has them.
func (r *Result) theirs(p peer.Preset, ref, cur column) {
	switch {
	case len(ref.values) == 0 || len(cur.values) == 0:
		r.unknown(fmt.Sprintf("there are %d values in the baseline and %d in the current data", len(ref.values), len(cur.values)))
		return
	case ref.kind != cur.kind:
		r.unknown(fmt.Sprintf("the values were %s and are %s now", ref.kind, cur.kind))
		return
	case ref.kind == ai.KindVector:
		r.unknown("this rule judges no vectors")
		return
	}
	x, y := ref.sample(), cur.sample()
	d, err := peer.Judge(p, x, y)
	if err != nil {
		r.unknown(err.Error())
		return
	}
	if math.IsNaN(d.Score) {
		r.Method = d.Method
		r.unknown("its figure is not defined for these values")
		return
	}
	r.Method, r.Verdict = d.Method, d.Verdict
	if d.Direction == ai.Below { // It compares a p-value.
		r.Score, r.PValue, r.PValueThreshold = finite(d.Statistic), finite(d.Score), finite(d.Threshold)
	} else {
		r.Score, r.Threshold = finite(d.Score), finite(d.Threshold)
	}
	if from, to := mean(x.Numbers), mean(y.Numbers); from != nil && to != nil && d.Verdict != ai.VerdictNone {
		r.Change = &drift.Change{Of: "mean", From: *from, To: *to}
	}
}

func (r *Result) unknown(why string) { r.Verdict, r.Reason = ai.VerdictUnknown, why }

func (c *column) sample() peer.Sample {
	var s peer.Sample
	for _, v := range c.values {
		if x, ok := v.Number(); ok {
			s.Numbers = append(s.Numbers, x)
		} else {
			s.Categories = append(s.Categories, v.Category())
		}
	}
	return s
}

func mean(values []float64) *float64 {
	sum, n := 0.0, 0.0
	for _, x := range values {
		if !math.IsInf(x, 0) {
			sum, n = sum+x, n+1
		}
	}
	return finite(sum / n)
}

func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
