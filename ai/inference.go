package ai

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits on what one inference may carry. They bound memory, not meaning: a
// record past one of them is refused with the field's name.
const (
	// MaxNameLength is the longest service, model, version, endpoint, feature,
	// class or tag name, in bytes.
	MaxNameLength = 256
	// MaxRequestIDLength is the longest request id, in bytes.
	MaxRequestIDLength = 256
	// MaxTextLength is the longest string value, error text or tag value, in bytes.
	MaxTextLength = 64 << 10
	// MaxFeatures is the largest number of features of one inference.
	MaxFeatures = 10_000
	// MaxVectorDim is the largest number of elements of one vector.
	MaxVectorDim = 16_384
	// MaxProbabilities is the largest number of classes of one inference.
	MaxProbabilities = 10_000
	// MaxTags is the largest number of tags of one inference.
	MaxTags = 64
	// MaxDuration is the longest duration, in seconds.
	MaxDuration = 7 * 24 * 3600
)

// Names of the features that profiles derive from an inference's answer. They
// share the path of the inputs, and cannot collide with one: names of features
// may not start with '@'.
const (
	// PredictionFeature is the prediction.
	PredictionFeature = "@prediction"
	// ConfidenceFeature is the largest class probability.
	ConfidenceFeature = "@confidence"
	// ProbabilityPrefix starts the name of a class's probability.
	ProbabilityPrefix = "@probability:"
)

// AllFeatures stands for all inputs of a model together, in results that are about them.
const AllFeatures = "@features"

// Derived reports whether a feature is one that profiles derive from the answer.
func Derived(feature string) bool { return strings.HasPrefix(feature, "@") }

// Feature is one named input of an inference.
type Feature struct {
	Name  string `json:"name"`
	Value Value  `json:"value"`
}

// ClassProbability is the probability that a model gave to one class.
type ClassProbability struct {
	Class string  `json:"class"`
	P     float64 `json:"p"` // Between 0 and 1.
}

// Tokens counts what a language model read and wrote.
type Tokens struct {
	Input  uint64 `json:"input"`
	Output uint64 `json:"output"`
}

// Inference is one answer of a model, as its service, gateway or log reported it.
// Only Model is required.
type Inference struct {
	Service      string
	Model        string
	ModelVersion string
	Endpoint     string
	// Timestamp is when the inference was made; the receiver fills in arrival.
	Timestamp time.Time
	RequestID string
	// DurationSeconds is the inference's duration; 0 means not reported.
	DurationSeconds float64
	// StatusCode is the HTTP status of the answer; 0 means not reported.
	StatusCode int
	// Error is free text or a class; empty means success.
	Error string
	// Features in the order sent. Keeping one order per model makes profiling
	// fastest; it has no other meaning. Names must not repeat.
	Features   []Feature
	Prediction Value
	// Probabilities by class, in any order.
	Probabilities []ClassProbability
	Tokens        Tokens
	// TimeToFirstTokenSeconds is 0 where it was not reported.
	TimeToFirstTokenSeconds float64
	Tags                    map[string]string
}

// Key returns the model version that the inference belongs to.
func (inf *Inference) Key() Key {
	return Key{Service: inf.Service, Model: inf.Model, Version: inf.ModelVersion}
}

// Feature returns the value of the feature of that name, and whether it was sent.
func (inf *Inference) Feature(name string) (Value, bool) {
	for i := range inf.Features {
		if inf.Features[i].Name == name {
			return inf.Features[i].Value, true
		}
	}
	return Value{}, false
}

// HasDuration reports whether a duration was reported.
func (inf *Inference) HasDuration() bool { return inf.DurationSeconds > 0 }

// Failed reports whether the inference failed: an error was reported, or the
// status code is 400 or above.
func (inf *Inference) Failed() bool { return inf.Error != "" || inf.StatusCode >= 400 }

// FieldError says which field of a record is wrong, and how.
type FieldError struct {
	Field   string // As written in JSON: "features.age", "duration_seconds".
	Problem string
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate reports the first field that breaks a limit as a *FieldError, or
// nil. Feature values that are wrong for their feature (infinities, another
// type) are no error here: they are what profiles count.
func (inf *Inference) Validate() error {
	if inf.Model == "" {
		return &FieldError{"model", "is required"}
	}
	if err := checkName("service", inf.Service); err != nil {
		return err
	}
	if err := checkName("model", inf.Model); err != nil {
		return err
	}
	if err := checkName("model_version", inf.ModelVersion); err != nil {
		return err
	}
	if err := checkName("endpoint", inf.Endpoint); err != nil {
		return err
	}
	if err := checkText("request_id", inf.RequestID, MaxRequestIDLength); err != nil {
		return err
	}
	if err := checkText("error", inf.Error, MaxTextLength); err != nil {
		return err
	}
	if err := checkSeconds("duration_seconds", inf.DurationSeconds); err != nil {
		return err
	}
	if err := checkSeconds("time_to_first_token_seconds", inf.TimeToFirstTokenSeconds); err != nil {
		return err
	}
	if inf.StatusCode != 0 && (inf.StatusCode < 100 || inf.StatusCode > 999) {
		return &FieldError{"status_code", fmt.Sprintf("%d is not an HTTP status (100 to 999)", inf.StatusCode)}
	}
	if err := inf.validateFeatures(); err != nil {
		return err
	}
	if err := checkValue("prediction", inf.Prediction); err != nil {
		return err
	}
	if len(inf.Probabilities) > MaxProbabilities {
		return &FieldError{"probabilities", fmt.Sprintf("%d classes, the limit is %d", len(inf.Probabilities), MaxProbabilities)}
	}
	for i := range inf.Probabilities {
		c := &inf.Probabilities[i]
		if err := checkNameAt("probabilities", c.Class); err != nil {
			return err
		}
		if !(c.P >= 0 && c.P <= 1) {
			return &FieldError{"probabilities." + c.Class, fmt.Sprintf("%v is not a probability (0 to 1)", c.P)}
		}
	}
	return inf.validateTags()
}

func (inf *Inference) validateFeatures() error {
	if len(inf.Features) > MaxFeatures {
		return &FieldError{"features", fmt.Sprintf("%d features, the limit is %d", len(inf.Features), MaxFeatures)}
	}
	for i := range inf.Features {
		f := &inf.Features[i]
		if f.Name == "" {
			return &FieldError{"features", "a feature has an empty name"}
		}
		if Derived(f.Name) {
			return &FieldError{"features." + clip(f.Name), "names that start with '@' are kept for predictions"}
		}
		if err := checkNameAt("features", f.Name); err != nil {
			return err
		}
		switch f.Value.kind {
		case KindString, KindVector:
			if err := checkValue("features", f.Value); err != nil {
				fe := err.(*FieldError) //nolint:errorlint,forcetypeassert // checkValue returns nothing else.
				fe.Field = "features." + f.Name
				return fe
			}
		default:
		}
	}
	return nil
}

func (inf *Inference) validateTags() error {
	if len(inf.Tags) > MaxTags {
		return &FieldError{"tags", fmt.Sprintf("%d tags, the limit is %d", len(inf.Tags), MaxTags)}
	}
	for name, value := range inf.Tags {
		if err := checkNameAt("tags", name); err != nil {
			return err
		}
		if err := checkText("tags."+name, value, MaxTextLength); err != nil {
			return err
		}
	}
	return nil
}

func checkSeconds(field string, x float64) error {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return &FieldError{field, fmt.Sprintf("%v is not a finite number of seconds", x)}
	case x < 0:
		return &FieldError{field, fmt.Sprintf("%v is negative", x)}
	case x > MaxDuration:
		return &FieldError{field, fmt.Sprintf("%v seconds is over a week: give seconds, not milliseconds", x)}
	}
	return nil
}

func checkValue(field string, v Value) error {
	switch v.kind {
	case KindString:
		s, _ := v.Str()
		return checkText(field, s, MaxTextLength)
	case KindVector:
		if v.Dim() > MaxVectorDim {
			return &FieldError{field, fmt.Sprintf("%d elements, the limit is %d", v.Dim(), MaxVectorDim)}
		}
	default:
	}
	return nil
}

// checkName checks a text that becomes a label value.
func checkName(field, s string) error { return checkText(field, s, MaxNameLength) }

// checkNameAt checks a name inside a map, without building the field's path
// unless there is something to report.
func checkNameAt(field, name string) error {
	if err := checkName("", name); err != nil {
		fe := err.(*FieldError) //nolint:errorlint,forcetypeassert // checkName returns nothing else.
		fe.Field = field + "." + clip(name)
		return fe
	}
	return nil
}

func checkText(field, s string, limit int) error {
	if len(s) > limit {
		return &FieldError{field, fmt.Sprintf("%d bytes long, the limit is %d", len(s), limit)}
	}
	if !utf8.ValidString(s) {
		return &FieldError{field, "is not valid UTF-8"}
	}
	if strings.IndexByte(s, 0) >= 0 {
		return &FieldError{field, "holds a zero byte"}
	}
	return nil
}

// clip shortens a name for a message and makes it valid UTF-8.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= 64 {
		return s
	}
	i := 64
	for i > 0 && !utf8.RuneStart(s[i]) {
		i--
	}
	return s[:i] + "…"
}
