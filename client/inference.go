package client

import (
	"maps"
	"slices"
	"time"
)

// Inference is one answer of a model, as the service that gave it saw it.
// Only Model is required; a field at its zero value is left out of what is
// sent, and modelwatch treats it as unknown.
//
// The maps and slices inside an Inference belong to the client from the call
// of [Client.Record] on: do not change them afterwards. Use
// [Inference.Clone] where the service goes on using its own.
type Inference struct {
	// Service is the name of the AI service; default is Options.Service.
	Service string
	// Model is the name of the model. Required.
	Model string
	// ModelVersion is the version that answered, for example "v1.0".
	ModelVersion string
	// Endpoint is where it was asked, for example "/predict". Keep it a
	// pattern, not a path with identifiers in it: it becomes a label.
	Endpoint string
	// Timestamp is when the inference ended; default is the time of Record.
	Timestamp time.Time
	// RequestID joins a later Label to this inference.
	RequestID string
	// Duration is how long the inference took. Sent in seconds.
	Duration time.Duration
	// StatusCode is the HTTP status answered, if there was one.
	StatusCode int
	// Error is empty for a success, otherwise the class of the error ("timeout",
	// "out_of_memory") or its text. Classes make better series.
	Error string
	// Features is what the model was given: numbers, strings, booleans, nil for
	// a missing value, and lists of numbers for embeddings. NaN and infinities,
	// which JSON cannot hold, are sent as null and counted in
	// Stats.NulledValues.
	Features map[string]any
	// Prediction is what it answered: a number, a string or a list.
	Prediction any
	// Probabilities holds the probability of each class, each in [0, 1].
	Probabilities map[string]float64
	// Tokens counts the tokens of a language model's call.
	Tokens Tokens
	// TimeToFirstToken is the time from the request to the first token of a
	// streamed answer. Sent in seconds.
	TimeToFirstToken time.Duration
	// Tags are further words about it, such as region or tenant.
	Tags map[string]string
}

// Tokens counts what a language model read and wrote. The zero value means
// that it was not counted.
type Tokens struct {
	Input  int
	Output int
}

// Label is the truth about one inference, which comes when it becomes known:
// seconds, hours or days later.
type Label struct {
	// RequestID is that of the Inference. Required.
	RequestID string
	// Label is the truth: of the same type as the Prediction it judges.
	Label any
	// Timestamp is when the truth became known; default is the time of Label.
	Timestamp time.Time
}

// Clone returns a copy of the inference that shares no map with it. Lists
// inside Features and Prediction are copied where they are of numbers,
// strings or any.
func (inf Inference) Clone() Inference {
	inf.Features = maps.Clone(inf.Features)
	for name, value := range inf.Features {
		inf.Features[name] = cloneValue(value)
	}
	inf.Prediction = cloneValue(inf.Prediction)
	inf.Probabilities = maps.Clone(inf.Probabilities)
	inf.Tags = maps.Clone(inf.Tags)
	return inf
}

func cloneValue(value any) any {
	switch v := value.(type) {
	case []float64:
		return slices.Clone(v)
	case []float32:
		return slices.Clone(v)
	case []int:
		return slices.Clone(v)
	case []int64:
		return slices.Clone(v)
	case []string:
		return slices.Clone(v)
	case []any:
		list := slices.Clone(v)
		for i := range list {
			list[i] = cloneValue(list[i])
		}
		return list
	case map[string]any:
		m := maps.Clone(v)
		for name := range m {
			m[name] = cloneValue(m[name])
		}
		return m
	}
	return value
}
