package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/quality"
)

// Judging says how strict verdicts about models are.
type Judging struct {
	Drift       Drift       `yaml:"drift,omitempty"`
	Quality     Quality     `yaml:"quality,omitempty"`
	Performance Performance `yaml:"performance,omitempty"`
	// Schema is what features have to be, by name. One value that breaks it is a
	// finding.
	Schema map[string]FeatureSchema `yaml:"schema,omitempty"`
}

// Drift says when a feature has drifted.
type Drift struct {
	// Method is the test of features that Features does not name.
	Method string `yaml:"method,omitempty"`
	// Features are tests by the name of the feature.
	Features map[string]string `yaml:"features,omitempty"`
	// Alpha is the rate of false alarms of a model's windows, PossibleAlpha that of
	// possible drift.
	Alpha         *float64 `yaml:"alpha,omitempty"`
	PossibleAlpha *float64 `yaml:"possible_alpha,omitempty"`
	// Thresholds are effect floors by method.
	Thresholds map[string]float64 `yaml:"thresholds,omitempty"`
	// Classifier judges all features together, too.
	Classifier *bool `yaml:"classifier,omitempty"`
	// MinRows is how many values a window needs at least.
	MinRows *int `yaml:"min_rows,omitempty"`
}

// Quality says when data is not whole.
type Quality struct {
	Alpha      *float64              `yaml:"alpha,omitempty"`
	MinRecords *int                  `yaml:"min_records,omitempty"`
	Checks     map[string]CheckLimit `yaml:"checks,omitempty"`
}

// Performance says when a version serves badly.
type Performance struct {
	Alpha       *float64              `yaml:"alpha,omitempty"`
	MinRequests *int                  `yaml:"min_requests,omitempty"`
	MinLabels   *int                  `yaml:"min_labels,omitempty"`
	Checks      map[string]CheckLimit `yaml:"checks,omitempty"`
}

// CheckLimit changes one check.
type CheckLimit struct {
	Off       bool     `yaml:"off,omitempty"`
	Threshold *float64 `yaml:"threshold,omitempty"`
	Critical  *float64 `yaml:"critical,omitempty"`
}

// FeatureSchema is what the values of a feature have to be.
type FeatureSchema struct {
	// Kind is number, string, bool or vector.
	Kind       string   `yaml:"kind,omitempty"`
	Nullable   bool     `yaml:"nullable,omitempty"`
	Optional   bool     `yaml:"optional,omitempty"`
	Integer    bool     `yaml:"integer,omitempty"`
	Min        *float64 `yaml:"min,omitempty"`
	Max        *float64 `yaml:"max,omitempty"`
	Categories []string `yaml:"categories,omitempty"`
	// Dimension is that of vectors; 0 means any.
	Dimension int `yaml:"dimension,omitempty"`
}

func (j *Judging) setDefaults() {
	set(&j.Drift.Method, drift.MethodAuto)
	setPointer(&j.Drift.Alpha, drift.DefaultAlpha)
	setPointer(&j.Drift.MinRows, drift.DefaultMinRows)
	setPointer(&j.Drift.Classifier, true)
	setPointer(&j.Quality.Alpha, 0.001)
	setPointer(&j.Quality.MinRecords, 30)
	setPointer(&j.Performance.Alpha, 0.001)
	setPointer(&j.Performance.MinRequests, 20)
	setPointer(&j.Performance.MinLabels, 30)
}

// Over returns j where it says something, and base elsewhere.
func (j Judging) Over(base Judging) Judging {
	set(&j.Drift.Method, base.Drift.Method)
	j.Drift.Features = over(j.Drift.Features, base.Drift.Features)
	orPointer(&j.Drift.Alpha, base.Drift.Alpha)
	orPointer(&j.Drift.PossibleAlpha, base.Drift.PossibleAlpha)
	j.Drift.Thresholds = over(j.Drift.Thresholds, base.Drift.Thresholds)
	orPointer(&j.Drift.MinRows, base.Drift.MinRows)
	orPointer(&j.Drift.Classifier, base.Drift.Classifier)
	orPointer(&j.Quality.Alpha, base.Quality.Alpha)
	orPointer(&j.Quality.MinRecords, base.Quality.MinRecords)
	j.Quality.Checks = over(j.Quality.Checks, base.Quality.Checks)
	orPointer(&j.Performance.Alpha, base.Performance.Alpha)
	orPointer(&j.Performance.MinRequests, base.Performance.MinRequests)
	orPointer(&j.Performance.MinLabels, base.Performance.MinLabels)
	j.Performance.Checks = over(j.Performance.Checks, base.Performance.Checks)
	j.Schema = over(j.Schema, base.Schema)
	return j
}

func orPointer[T any](p **T, v *T) {
	if *p == nil {
		*p = v
	}
}

func over[V any](top, base map[string]V) map[string]V {
	if len(base) == 0 {
		return top
	}
	out := maps.Clone(base)
	maps.Copy(out, top)
	return out
}

// DriftOptions returns the drift settings as the analysis takes them.
func (j *Judging) DriftOptions() drift.Options {
	o := drift.Options{Method: j.Drift.Method, Methods: j.Drift.Features, Thresholds: j.Drift.Thresholds}
	take(&o.Alpha, j.Drift.Alpha)
	take(&o.PossibleAlpha, j.Drift.PossibleAlpha)
	take(&o.MinRows, j.Drift.MinRows)
	return o
}

// QualityOptions returns the settings of quality as the analysis takes them.
func (j *Judging) QualityOptions() quality.Options {
	o := quality.Options{Limits: make(map[string]quality.Limit), Schemas: make(map[string]ai.Schema)}
	take(&o.Alpha, j.Quality.Alpha)
	if n := j.Quality.MinRecords; n != nil {
		o.MinRecords = uint64(max(*n, 0))
	}
	for id, l := range j.Quality.Checks {
		o.Limits[id] = quality.Limit(l)
	}
	for name, s := range j.Schema {
		o.Schemas[name] = s.schema()
	}
	return o
}

// PerformanceSettings returns the settings of performance as the analysis takes them.
func (j *Judging) PerformanceSettings() performance.Settings {
	o := performance.Settings{Limits: make(map[string]performance.Limit)}
	take(&o.Alpha, j.Performance.Alpha)
	if n := j.Performance.MinRequests; n != nil {
		o.MinRequests = uint64(max(*n, 0))
	}
	if n := j.Performance.MinLabels; n != nil {
		o.MinLabels = uint64(max(*n, 0))
	}
	for id, l := range j.Performance.Checks {
		o.Limits[id] = performance.Limit(l)
	}
	return o
}

func take[T any](p *T, v *T) {
	if v != nil {
		*p = *v
	}
}

func (s *FeatureSchema) schema() ai.Schema {
	out := ai.Schema{
		Nullable: s.Nullable, Optional: s.Optional, Integer: s.Integer, Min: s.Min, Max: s.Max, Categories: s.Categories, Dim: s.Dimension,
	}
	_ = out.Kind.UnmarshalText([]byte(s.Kind)) // validate has looked at it.
	return out
}

// validate reports problems by add, at and below the path at.
func (j *Judging) validate(add func(reason, hint string, path ...string), at ...string) {
	below := func(path ...string) []string { return slices.Concat(at, path) }
	wrong := func(err error, path ...string) {
		if err != nil {
			reason, hint := advice(err)
			add(reason, hint, below(path...)...)
		}
	}
	share := func(v *float64, path ...string) {
		if v != nil && !(*v > 0 && *v < 1) {
			add(format(*v)+" is no share of false alarms", "use a number between 0 and 1, such as 0.0005; leave it out for the default", below(path...)...)
		}
	}
	least := func(v *int, n int, path ...string) {
		if v != nil && *v < n {
			add(format(float64(*v))+" is too few", "use at least "+format(float64(n))+", or leave it out for the default", below(path...)...)
		}
	}
	d := &j.Drift
	share(d.Alpha, "drift", "alpha")
	share(d.PossibleAlpha, "drift", "possible_alpha")
	if d.Alpha != nil && d.PossibleAlpha != nil && *d.PossibleAlpha < *d.Alpha {
		add("it is below alpha", "possible drift is less sure than drift: use at least "+format(*d.Alpha), below("drift", "possible_alpha")...)
	}
	least(d.MinRows, 2, "drift", "min_rows")
	wrong(drift.Options{Method: d.Method}.Validate(), "drift", "method")
	for _, name := range slices.Sorted(maps.Keys(d.Features)) {
		wrong(drift.Options{Method: d.Features[name]}.Validate(), "drift", "features", name)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Thresholds)) {
		wrong(drift.Options{Thresholds: map[string]float64{id: d.Thresholds[id]}}.Validate(), "drift", "thresholds", id)
	}
	share(j.Quality.Alpha, "quality", "alpha")
	least(j.Quality.MinRecords, 1, "quality", "min_records")
	for _, id := range slices.Sorted(maps.Keys(j.Quality.Checks)) {
		wrong(quality.Options{Limits: map[string]quality.Limit{id: quality.Limit(j.Quality.Checks[id])}}.Validate(), "quality", "checks", id)
	}
	share(j.Performance.Alpha, "performance", "alpha")
	least(j.Performance.MinRequests, 1, "performance", "min_requests")
	least(j.Performance.MinLabels, 2, "performance", "min_labels")
	for _, id := range slices.Sorted(maps.Keys(j.Performance.Checks)) {
		wrong(performance.Settings{Limits: map[string]performance.Limit{id: performance.Limit(j.Performance.Checks[id])}}.Validate(), "performance", "checks", id)
	}
	for _, name := range slices.Sorted(maps.Keys(j.Schema)) {
		s := j.Schema[name]
		s.validate(add, below("schema", name))
	}
}

func (s *FeatureSchema) validate(add func(reason, hint string, path ...string), at []string) {
	var k ai.Kind
	numbers := s.Min != nil || s.Max != nil || s.Integer
	switch {
	case k.UnmarshalText([]byte(s.Kind)) != nil || k == ai.KindMissing:
		add("kind "+s.Kind+" is not known", "use number, string, bool or vector", at...)
	case numbers && k != ai.KindNumber:
		add("min, max and integer are for numbers", "leave them out, or use kind: number", at...)
	case s.Min != nil && s.Max != nil && *s.Min > *s.Max:
		add("min is above max", "swap them", at...)
	case len(s.Categories) > 0 && k != ai.KindString:
		add("categories are for texts", "leave them out, or use kind: string", at...)
	case s.Dimension < 0 || s.Dimension > 0 && k != ai.KindVector:
		add("dimension is for vectors, and at least 1", "leave it out, or use kind: vector", at...)
	}
}

func format(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// advice splits an error into what is wrong and the way out.
func advice(err error) (reason, hint string) {
	for _, mark := range []string{": use ", ": want "} {
		if i := strings.LastIndex(err.Error(), mark); i >= 0 {
			return err.Error()[:i], err.Error()[i+2:]
		}
	}
	return err.Error(), "see docs/configuration.md for what it may be"
}
