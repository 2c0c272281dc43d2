package drift

import (
	"errors"
	"fmt"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Options say how strict verdicts are. The zero value means the defaults.
type Options struct {
	// Alpha is the adjusted p-value that a verdict of drift needs at most;
	// default 0.0005. Windows come every minute, so it is much below the 0.05 of
	// a single experiment: a model without drift has one false verdict in 2,000
	// windows.
	Alpha float64
	// PossibleAlpha is the same for possible drift; default 0.002.
	PossibleAlpha float64
	// Method judges the values of features that Methods does not name; default
	// MethodAuto. A method that cannot judge a feature's kind leaves it to
	// MethodAuto.
	Method string
	// Methods by feature.
	Methods map[string]string
	// Thresholds are the effect floors by method id; the catalogue has the
	// defaults. That of MethodAuto is for all tests which it makes, but those that
	// have one here too.
	Thresholds map[string]float64
	// MinRows is how many values a window needs at least; default 20. Below it
	// the verdict is unknown.
	MinRows int
	// MinBaselineRows is the same for the baseline; default 50.
	MinBaselineRows int
}

// Defaults of Options.
const (
	DefaultAlpha           = 0.0005
	DefaultPossibleAlpha   = 0.002
	DefaultMinRows         = 20
	DefaultMinBaselineRows = 50
)

func (o Options) withDefaults() Options {
	if o.Alpha == 0 {
		o.Alpha = DefaultAlpha
	}
	if o.PossibleAlpha == 0 {
		o.PossibleAlpha = max(DefaultPossibleAlpha, o.Alpha)
	}
	if o.Method == "" {
		o.Method = MethodAuto
	}
	if o.MinRows == 0 {
		o.MinRows = DefaultMinRows
	}
	if o.MinBaselineRows == 0 {
		o.MinBaselineRows = DefaultMinBaselineRows
	}
	return o
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	o = o.withDefaults()
	var errs []error
	if !(o.Alpha > 0 && o.Alpha < 1) {
		errs = append(errs, fmt.Errorf("alpha is %v: want a number between 0 and 1, such as %v", o.Alpha, DefaultAlpha))
	}
	if !(o.PossibleAlpha >= o.Alpha && o.PossibleAlpha < 1) {
		errs = append(errs, fmt.Errorf("alpha for possible drift is %v: want at least alpha (%v) and below 1", o.PossibleAlpha, o.Alpha))
	}
	if o.MinRows < 2 || o.MinBaselineRows < 2 {
		errs = append(errs, fmt.Errorf("least rows are %d for a window and %d for a baseline: want at least 2", o.MinRows, o.MinBaselineRows))
	}
	if !selectable(o.Method) {
		errs = append(errs, unknownMethod(o.Method))
	}
	names := make([]string, 0, len(o.Methods))
	for name := range o.Methods {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !selectable(o.Methods[name]) {
			errs = append(errs, fmt.Errorf("feature %q: %w", name, unknownMethod(o.Methods[name])))
		}
	}
	ids := make([]string, 0, len(o.Thresholds))
	for id := range o.Thresholds {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if _, ok := MethodByID(id); !ok && id != MethodAuto {
			errs = append(errs, fmt.Errorf("threshold: %w", unknownMethod(id)))
		} else if t := o.Thresholds[id]; !(t >= 0 && t <= ai.MaxMagnitude) {
			errs = append(errs, fmt.Errorf("threshold of %s is %v: want a number from 0 up", id, t))
		}
	}
	return errors.Join(errs...)
}

// selectable reports whether a method can be chosen for features.
func selectable(id string) bool {
	if id == MethodAuto {
		return true
	}
	for _, s := range specs() {
		if s.ID == id {
			return s.stat != nil || id == MethodMMD
		}
	}
	return false
}

func unknownMethod(id string) error {
	ids := []string{MethodAuto}
	for _, s := range specs() {
		if s.stat != nil || s.ID == MethodMMD {
			ids = append(ids, s.ID)
		}
	}
	if slices.Contains([]string{"evidently", "nannyml", "whylogs"}, id) {
		return fmt.Errorf("method %q cannot be chosen, for it judges single values and not windows: use one of %q, or judge single values by it, of files or of what a running modelwatch keeps: modelwatch drift compare --preset=%[1]s (GET /ai/v1/drift/compare?preset=%[1]s)", id, ids)
	}
	return fmt.Errorf("method %q cannot be chosen: use one of %q", id, ids)
}
