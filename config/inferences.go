package config

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Inferences is what concerns the inferences of AI models.
type Inferences struct {
	// Window is the length of time that is judged at once; it divides an hour.
	Window model.Duration `yaml:"window,omitempty"`
	// Lateness is how long a window waits after its end for records on their way.
	Lateness model.Duration `yaml:"lateness,omitempty"`
	// LabelHorizon is how long an inference waits for the truth about it.
	LabelHorizon model.Duration  `yaml:"label_horizon,omitempty"`
	Baseline     AutoBaseline    `yaml:"baseline,omitempty"`
	Limits       InferenceLimits `yaml:"limits,omitempty"`
	Raw          RawInferences   `yaml:"raw,omitempty"`
	Files        []InferenceFile `yaml:"files,omitempty"`
	// Judging is for all models, and Models for those of that name.
	Judging `yaml:",inline"`
	Models  map[string]Model `yaml:"models,omitempty"`
}

// AutoBaseline says how a version of a model gets its first baseline.
type AutoBaseline struct {
	// Auto makes a baseline of the first inferences of a version.
	Auto *bool `yaml:"auto,omitempty"`
	// Records is the number of inferences that make one.
	Records int `yaml:"records,omitempty"`
	// After makes it of fewer once that much time has passed, if there are at
	// least Minimum.
	After   model.Duration `yaml:"after,omitempty"`
	Minimum int            `yaml:"minimum,omitempty"`
}

// InferenceLimits guard memory; what they leave out is counted and said.
type InferenceLimits struct {
	Services         int `yaml:"services,omitempty"`
	Versions         int `yaml:"versions,omitempty"`
	VersionsPerModel int `yaml:"versions_per_model,omitempty"`
	// Features is for each version.
	Features int `yaml:"features,omitempty"`
}

// RawInferences says which single inferences are kept for people to look at.
type RawInferences struct {
	Enabled *bool `yaml:"enabled,omitempty"`
	// DaySize is up to which size all inferences of a day are kept; beyond it all
	// failed ones and a share of SampleRate of the others.
	DaySize    Size     `yaml:"day_size,omitempty"`
	SampleRate *float64 `yaml:"sample_rate,omitempty"`
	// Retention and RetentionSize bound what is kept.
	Retention     model.Duration `yaml:"retention,omitempty"`
	RetentionSize Size           `yaml:"retention_size,omitempty"`
	// Exclude and Hash are patterns of feature names whose values are left out, or
	// replaced by a keyed hash.
	Exclude []string `yaml:"exclude,omitempty"`
	Hash    []string `yaml:"hash,omitempty"`
}

// InferenceFile is a set of files to which a service writes one JSON object a
// line.
type InferenceFile struct {
	// Name tells several from each other.
	Name string `yaml:"name"`
	// Paths are patterns; ** stands for any folders.
	Paths []string `yaml:"paths"`
	// Fields says where the fields of a record are in a line, such as
	// model: $.request.model; without it, lines are as POST /ai/v1/inferences
	// takes them.
	Fields map[string]string `yaml:"fields,omitempty"`
	// Labels reads labels instead of inferences.
	Labels bool `yaml:"labels,omitempty"`
	// FromEnd begins files that are there already at their end.
	FromEnd bool `yaml:"from_end,omitempty"`
}

// Default values of what concerns inferences.
const (
	DefaultWindow           = time.Minute
	DefaultLateness         = 10 * time.Second
	DefaultLabelHorizon     = 7 * 24 * time.Hour
	DefaultBaselineRecords  = 2_000
	DefaultBaselineAfter    = 10 * time.Minute
	DefaultBaselineMinimum  = 200
	DefaultServices         = 100
	DefaultVersions         = 500
	DefaultVersionsPerModel = 20
	DefaultFeatures         = 1_000
	DefaultRawDaySize       = 1 << 30
	DefaultRawSampleRate    = 0.01
	DefaultRawRetention     = 15 * 24 * time.Hour
	DefaultRawRetentionSize = 10 << 30
)

func (c *Inferences) setDefaults() {
	set(&c.Window, model.Duration(DefaultWindow))
	// A short window does not wait longer than it lasts.
	set(&c.Lateness, min(model.Duration(DefaultLateness), c.Window))
	set(&c.LabelHorizon, model.Duration(DefaultLabelHorizon))
	setPointer(&c.Baseline.Auto, true)
	set(&c.Baseline.Records, DefaultBaselineRecords)
	set(&c.Baseline.After, model.Duration(DefaultBaselineAfter))
	set(&c.Baseline.Minimum, DefaultBaselineMinimum)
	set(&c.Limits.Services, DefaultServices)
	set(&c.Limits.Versions, DefaultVersions)
	set(&c.Limits.VersionsPerModel, DefaultVersionsPerModel)
	set(&c.Limits.Features, DefaultFeatures)
	c.Judging.setDefaults()
	setPointer(&c.Raw.Enabled, true)
	set(&c.Raw.DaySize, DefaultRawDaySize)
	setPointer(&c.Raw.SampleRate, DefaultRawSampleRate)
	set(&c.Raw.Retention, model.Duration(DefaultRawRetention))
	set(&c.Raw.RetentionSize, DefaultRawRetentionSize)
}

// validate reports problems by add(reason, hint, path...).
func (c *Inferences) validate(add func(reason, hint string, path ...string)) {
	if w := time.Duration(c.Window); w != 0 && (w < time.Second || time.Hour%w != 0) {
		add(fmt.Sprintf("%s does not divide an hour", c.Window), "use 1m, 10s or the like", "inferences", "window")
	}
	if r := c.Raw.SampleRate; r != nil && (*r < 0 || *r > 1) {
		add(fmt.Sprintf("%g is no share", *r), "use a number from 0 to 1", "inferences", "raw", "sample_rate")
	}
	for name, patterns := range map[string][]string{"exclude": c.Raw.Exclude, "hash": c.Raw.Hash} {
		for i, p := range patterns {
			if _, err := path.Match(p, ""); err != nil {
				add(fmt.Sprintf("%q is no pattern", p), "* stands for any letters, ? for one, [a-z] for some", "inferences", "raw", name, strconv.Itoa(i))
			}
		}
	}
	c.Judging.validate(add, "inferences")
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		m := c.Models[name]
		m.Judging.validate(add, "inferences", "models", name)
		m.Answers.validate(add, "inferences", "models", name)
	}
	names := map[string]bool{}
	for i, f := range c.Files {
		at := []string{"inferences", "files", strconv.Itoa(i)}
		if f.Name == "" || names[f.Name] {
			add("name is missing or taken", "give each source a name of its own", at...)
		}
		names[f.Name] = true
		if len(f.Paths) == 0 {
			add("paths are missing", "name the files to read, as in paths: [/var/log/ai/*.jsonl]", at...)
		}
	}
}
