// Package quality judges whether the data of a window is whole: values that are
// missing, out of range, of another type or never seen before, inputs that got
// stuck or repeat, features that came or went. It compares with a baseline, or
// with a schema that somebody configured.
//
// It does not judge whether distributions moved; that is ai/drift. It keeps no
// state: one profile in, its findings out.
//
// A small window never alarms by luck: against a baseline a check needs both an
// effect above its threshold and a p-value, of an exact test, below
// Options.Alpha divided by the number of features. A configured schema is a
// promise and not an estimate, so one value that breaks it is enough.
//
// Each kind of finding is one file with one catalogue line.
package quality

//go:generate go test . -run TestDocsPage -rewrite

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Options are what a caller may change. The zero value means the defaults.
type Options struct {
	// Alpha is how often at most a check may find something in a window of a model
	// where there is nothing, all features together; default 0.001.
	Alpha float64
	// MinRecords is the number of records below which a window is not compared
	// with a baseline; default 30.
	MinRecords uint64
	// Limits change catalogue lines, by id.
	Limits map[string]Limit
	// Schemas are configured schemas, by feature. They take the place of what the
	// baseline inferred.
	Schemas map[string]ai.Schema
}

// Limit changes a catalogue line.
type Limit struct {
	// Off switches the check off.
	Off bool
	// Threshold and Critical replace those of the catalogue; nil leaves them.
	Threshold *float64
	Critical  *float64
}

// Validate reports an id that is not in the catalogue, or a number out of place.
func (o Options) Validate() error {
	ids := make([]string, 0, len(checks()))
	for _, c := range checks() {
		ids = append(ids, c.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(o.Limits)) {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("quality check %q is not known: use one of %s", id, strings.Join(ids, ", "))
		}
	}
	if !(o.Alpha >= 0 && o.Alpha < 1) {
		return fmt.Errorf("quality alpha %v is not a probability: use a number like 0.001", o.Alpha)
	}
	return nil
}

// Catalogue returns the line of every kind of finding, in the order of checking.
func Catalogue() []ai.Check {
	var out []ai.Check
	for _, c := range checks() {
		out = append(out, c.Check)
	}
	return out
}

// check is one kind of finding.
type check struct {
	ai.Check
	// feature judges one feature; nil for checks of the whole model.
	feature func(*input, *feature) (result, bool)
	// model judges the window as a whole.
	model func(*input) (result, bool)
}

func checks() []check {
	return []check{
		missingRatio(), outOfRange(), unseenCategory(),
		typeMismatch(), notFinite(), notInteger(), wrongDimension(),
		constantInput(), duplicateInput(),
		newFeatures(), vanishedFeatures(), featureCount(), guardDropped(),
	}
}

// input is a window with what it is compared with.
type input struct {
	baseline *ai.Baseline // May be nil.
	profile  *ai.ModelProfile
	opt      Options
	features []*feature // Sorted by name, derived ones among them.
	tests    int        // Features that the error rate is shared by.
}

// comparable reports whether the window is large enough to be compared.
func (in *input) comparable() bool {
	return in.baseline != nil && in.profile.Inputs >= in.opt.MinRecords
}

// feature is one feature of the window.
type feature struct {
	name       string
	p          *ai.Profile
	base       *ai.FeatureBaseline // Nil where the baseline does not have it.
	schema     ai.Schema
	configured bool // Schema was configured, and not inferred.
}

// result is what a check found, before it is put into words.
type result struct {
	score float64
	// offset is what the baseline has of the score anyway: thresholds are above it.
	offset float64
	// test returns the p-value; nil where the check is not a test. It is called
	// only for scores above the threshold.
	test    func() float64
	method  string
	samples uint64
	// message is called for findings only.
	message func() string
	// broken means that a configured schema was broken: the thresholds of the
	// catalogue do not apply.
	broken bool
}

// Evaluate returns the findings of one window, sorted by check and feature.
// baseline may be nil: then only configured schemas and guards are checked. It
// must be the one whose bins the profile counts in.
func Evaluate(baseline *ai.Baseline, profile *ai.ModelProfile, opt Options) []ai.Finding {
	opt.Alpha = cmp.Or(opt.Alpha, 0.001)
	opt.MinRecords = cmp.Or(opt.MinRecords, 30)
	if baseline != nil && profile.BaselineID != baseline.ID {
		baseline = nil // Counted in other bins: there is nothing to compare with.
	}
	in := newInput(baseline, profile, opt)
	var out []ai.Finding
	for _, c := range checks() {
		limit := opt.Limits[c.ID]
		if limit.Off {
			continue
		}
		if limit.Threshold != nil {
			c.Threshold = *limit.Threshold
		}
		if limit.Critical != nil {
			c.Critical = limit.Critical
		}
		if c.model != nil {
			if r, ok := c.model(in); ok {
				out = in.judge(out, c, "", r)
			}
			continue
		}
		for _, f := range in.features {
			if r, ok := c.feature(in, f); ok {
				out = in.judge(out, c, f.name, r)
			}
		}
	}
	return out
}

func newInput(baseline *ai.Baseline, profile *ai.ModelProfile, opt Options) *input {
	in := &input{baseline: baseline, profile: profile, opt: opt}
	for _, name := range slices.Sorted(maps.Keys(profile.Features)) {
		f := &feature{name: name, p: profile.Features[name]}
		if baseline != nil {
			if f.base = baseline.Features[name]; f.base != nil {
				f.schema = f.base.Schema
			}
		}
		if s, ok := opt.Schemas[name]; ok {
			f.schema, f.configured = s, true
		}
		in.features = append(in.features, f)
	}
	in.tests = max(len(in.features), 1)
	return in
}

// judge appends the finding of a result that is above its threshold and, if it
// is a test, significant.
func (in *input) judge(out []ai.Finding, c check, name string, r result) []ai.Finding {
	threshold := r.offset + c.Threshold
	if r.broken {
		threshold = 0
	}
	if c.Direction == ai.Below && r.score >= threshold || c.Direction == ai.Above && r.score <= threshold {
		return out
	}
	f := ai.Finding{
		Layer: c.Layer, Kind: c.ID, Severity: c.Severity, Key: in.profile.Key, Feature: name,
		Score: r.score, Threshold: threshold, Direction: c.Direction, Unit: c.Unit,
		Method: r.method, SampleSize: r.samples, Since: in.profile.Window.Start,
	}
	if r.test != nil && !r.broken {
		alpha := in.opt.Alpha / float64(in.tests)
		p := r.test()
		if p > alpha {
			return out
		}
		f.PValue, f.PValueThreshold = &p, &alpha
	}
	if c.Critical != nil && r.score >= r.offset+*c.Critical {
		f.Severity = ai.SeverityCritical
	}
	f.Message = r.message()
	return append(out, f)
}

// percent writes a ratio for a message.
func percent(x float64) string { return fmt.Sprintf("%.3g%%", 100*x) }

// names writes a list of names for a message, the first few of them.
func names(list []string) string {
	const shown = 5
	quoted := make([]string, 0, shown)
	for _, s := range list[:min(len(list), shown)] {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	s := strings.Join(quoted, ", ")
	if n := len(list) - shown; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}
