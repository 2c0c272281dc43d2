package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

// traffic makes inferences of a model that classifies users by their features.
type traffic struct {
	key      ai.Key
	features int
	shift    float64 // Added to every third feature's mean, in deviations.
	latency  float64 // Median, in seconds.
	errors   float64 // Share of 503s.
	missing  float64 // Share of records without x001.
	invert   float64 // Share of labels that contradict the probability.
	names    []string
}

func (t *traffic) inference(rng *rand.Rand, at time.Time, id int) ai.Inference {
	for len(t.names) < t.features {
		t.names = append(t.names, fmt.Sprintf("x%03d", len(t.names)))
	}
	inf := ai.Inference{
		Service: t.key.Service, Model: t.key.Model, ModelVersion: t.key.Version, Endpoint: "/predict",
		Timestamp: at, RequestID: fmt.Sprint(id), StatusCode: 200,
		DurationSeconds: t.latency * math.Exp(rng.NormFloat64()/4),
	}
	for i := range t.features {
		x := 10 + rng.NormFloat64()
		if i%3 == 0 {
			x += t.shift
		}
		if i == 1 && rng.Float64() < t.missing {
			continue
		}
		inf.Features = append(inf.Features, ai.Feature{Name: t.names[i], Value: ai.Number(x)})
	}
	if rng.Float64() < t.errors {
		inf.StatusCode, inf.Error = 503, "no backend"
		return inf
	}
	p := 1 / (1 + math.Exp(-3*rng.NormFloat64()))
	inf.Probabilities = []ai.ClassProbability{{Class: "no", P: 1 - p}, {Class: "yes", P: p}}
	inf.Prediction = ai.String("no")
	if p > 0.5 {
		inf.Prediction = ai.String("yes")
	}
	return inf
}

// label draws the truth of an inference, which its probability is right about but
// for the inverted share.
func (t *traffic) label(rng *rand.Rand, inf *ai.Inference) models.Labelled {
	truth := "no"
	if (rng.Float64() < inf.Probabilities[1].P) != (rng.Float64() < t.invert) {
		truth = "yes"
	}
	return models.Labelled{
		Key: inf.Key(), Prediction: inf.Prediction, Probabilities: inf.Probabilities,
		Label: ai.String(truth), PredictedAt: inf.Timestamp,
	}
}
