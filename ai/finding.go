package ai

import "time"

// Layer is one of the four that must hold for an AI service to be available.
type Layer string

// The four layers, from the outside in.
const (
	LayerService  Layer = "service"  // Up, rate, errors, latency.
	LayerModel    Layer = "model"    // Inference time, accuracy, version against version.
	LayerData     Layer = "data"     // Drift, missing values, schema.
	LayerResource Layer = "resource" // CPU, memory, GPU.
)

// Layers lists the four layers in the order they are shown.
func Layers() []Layer { return []Layer{LayerService, LayerModel, LayerData, LayerResource} }

// Severity says how much a finding matters.
type Severity string

// The severities, from least to most.
const (
	SeverityInfo     Severity = "info"
	SeverityWarning  Severity = "warning"
	SeverityCritical Severity = "critical"
)

// Rank orders severities: info is 1, critical 3, and an unknown text 0.
func (s Severity) Rank() int {
	switch s {
	case SeverityInfo:
		return 1
	case SeverityWarning:
		return 2
	case SeverityCritical:
		return 3
	default:
		return 0
	}
}

// Direction says on which side of its threshold a score is bad. A reader never
// has to guess whether 0.03 is a distance or a p-value.
type Direction string

// The directions.
const (
	Above Direction = "above" // Bad where Score > Threshold.
	Below Direction = "below" // Bad where Score < Threshold.
)

// Verdict is the judgement on one question, such as whether a feature drifted.
type Verdict string

// The verdicts. Unknown means that it could not be judged (too few records, no
// baseline); it is never read as none.
const (
	VerdictNone     Verdict = "none"
	VerdictPossible Verdict = "possible"
	VerdictDrift    Verdict = "drift"
	VerdictUnknown  Verdict = "unknown"
)

// Value returns the verdict as series have it: none 0, possible 1, drift 2. ok
// is false for unknown, which has no sample.
func (v Verdict) Value() (x float64, ok bool) {
	switch v {
	case VerdictNone:
		return 0, true
	case VerdictPossible:
		return 1, true
	case VerdictDrift:
		return 2, true
	default:
		return 0, false
	}
}

// Finding is one judgement with everything that led to it. All its numbers are
// finite.
type Finding struct {
	Layer    Layer    `json:"layer"`
	Kind     string   `json:"kind"` // The id of the check's catalogue line, such as "missing_ratio".
	Severity Severity `json:"severity"`
	Key      Key      `json:"key"`
	Feature  string   `json:"feature,omitempty"` // Empty where it is about the whole model.

	Score     float64   `json:"score"`
	Threshold float64   `json:"threshold"`
	Direction Direction `json:"direction"`
	Unit      string    `json:"unit,omitempty"`
	// PValue is nil where the check is not a test.
	PValue *float64 `json:"p_value,omitempty"`
	// PValueThreshold is what PValue had to be at most, after correction for the
	// number of features; nil where the check is not a test.
	PValueThreshold *float64 `json:"p_value_threshold,omitempty"`
	Method          string   `json:"method"` // "psi", "ks", "binomial", ...
	// Verdict is empty where the check has no such question.
	Verdict Verdict `json:"verdict,omitempty"`
	// SampleSize is the number of records that were judged.
	SampleSize uint64 `json:"sample_size"`
	// Message is one sentence for people, with the figures.
	Message string `json:"message"`
	// Since is the start of the first window in an unbroken row that found it;
	// the zero time where only this window is known.
	Since time.Time `json:"since,omitzero"`
}

// Check is the catalogue line of one kind of finding. Configuration, pages,
// alerts and documentation all read it.
type Check struct {
	ID        string    `json:"id"`    // Finding.Kind.
	Title     string    `json:"title"` // A few words, for a table.
	Layer     Layer     `json:"layer"`
	Unit      string    `json:"unit"` // Of Score and Threshold: "ratio", "seconds", "1".
	Threshold float64   `json:"threshold"`
	Direction Direction `json:"direction"`
	Severity  Severity  `json:"severity"`
	// Critical is the threshold from which the severity is critical; nil means
	// that it never is.
	Critical *float64 `json:"critical,omitempty"`
	Message  string   `json:"message"` // One sentence that says what it means and what to look at.
}

// Health is the state of a layer.
type Health string

// The states of a layer. Unknown is unknown, never healthy.
const (
	Healthy  Health = "healthy"
	Degraded Health = "degraded"
	Down     Health = "down"
	Unknown  Health = "unknown"
)

// Rank orders states by what a person should look at first: healthy 0, unknown
// 1, degraded 2, down 3.
func (h Health) Rank() int {
	switch h {
	case Healthy:
		return 0
	case Degraded:
		return 2
	case Down:
		return 3
	default:
		return 1
	}
}

// Worst returns the state with the highest rank; Unknown of none.
func Worst(states ...Health) Health {
	if len(states) == 0 {
		return Unknown
	}
	worst := states[0]
	for _, h := range states[1:] {
		if h.Rank() > worst.Rank() {
			worst = h
		}
	}
	return worst
}

// Status is the state of one layer of one service, with what says so.
type Status struct {
	Service string `json:"service"`
	Layer   Layer  `json:"layer"`
	Health  Health `json:"health"`
	// Reasons are sentences: why it is not healthy, or what is not yet certain
	// (an unconfirmed baseline, features dropped by a guard).
	Reasons  []string  `json:"reasons,omitempty"`
	Findings []Finding `json:"findings,omitempty"`
	Since    time.Time `json:"since,omitzero"`
}
