package performance

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// records returns inferences of a language model that also classifies, with
// log-normal durations around a tenth of a second.
func records(n int) []ai.Inference {
	rng := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	out := make([]ai.Inference, n)
	for i := range out {
		p := rng.Float64()
		class := "no"
		if p > 0.5 {
			class = "yes"
		}
		d := 0.1 * math.Exp(rng.NormFloat64()/2)
		out[i] = ai.Inference{
			Service: "shop", Model: "ranker", ModelVersion: "v1", Endpoint: "/predict",
			Timestamp: at.Add(time.Duration(i) * time.Millisecond), DurationSeconds: d, StatusCode: 200,
			Prediction:              ai.String(class),
			Probabilities:           []ai.ClassProbability{{Class: "no", P: 1 - p}, {Class: "yes", P: p}},
			Tokens:                  ai.Tokens{Input: 300, Output: 50},
			TimeToFirstTokenSeconds: d / 4,
		}
		if rng.Float64() < 0.02 {
			out[i].StatusCode, out[i].Error = 503, "upstream: no backend 10.0.0.1"
		}
	}
	return out
}

func BenchmarkSketchAdd(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 4096)
	var s Sketch
	for i := range values {
		values[i] = 0.1 * math.Exp(rng.NormFloat64())
		s.Add(values[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Add(values[i&4095])
		i++
	}
}

func BenchmarkServiceObserve(b *testing.B) {
	in := records(4096)
	var s Service
	for i := range in {
		s.Observe(&in[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		s.Observe(&in[i&4095])
		i++
	}
}

func BenchmarkWindowObserve(b *testing.B) {
	in := records(4096)
	w := NewWindow(Options{})
	for i := range in {
		w.Observe(&in[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Observe(&in[i&4095])
		i++
	}
}

func BenchmarkWindowObserveLabel(b *testing.B) {
	in := records(4096)
	w := NewWindow(Options{})
	for i := range in {
		w.ObserveLabel(&in[i], ai.String("yes"))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.ObserveLabel(&in[i&4095], ai.String("yes"))
		i++
	}
}

func BenchmarkWindowMerge(b *testing.B) {
	in := records(4096)
	w, total := NewWindow(Options{}), NewWindow(Options{})
	for i := range in {
		w.Observe(&in[i])
		w.ObserveLabel(&in[i], ai.String("yes"))
	}
	b.ReportAllocs()
	for b.Loop() {
		total.Merge(w)
	}
}

func benchmarkWindows(n int) (current *Window, reference *Reference) {
	in := records(n)
	w, base := NewWindow(Options{}), NewWindow(Options{})
	for i := range in {
		label := ai.String("no")
		if in[i].Probabilities[1].P > float64(i%97)/97 {
			label = ai.String("yes")
		}
		w.Observe(&in[i])
		w.ObserveLabel(&in[i], label)
		base.Observe(&in[i])
		base.ObserveLabel(&in[i], label)
	}
	return w, NewReference(base, time.Hour)
}

func BenchmarkJudge(b *testing.B) {
	w, ref := benchmarkWindows(20_000)
	b.ReportAllocs()
	for b.Loop() {
		Judge(ai.Key{Model: "m"}, ai.Window{}, w, ref, Settings{})
	}
}

func BenchmarkNewReference(b *testing.B) {
	w, _ := benchmarkWindows(20_000)
	b.ReportAllocs()
	for b.Loop() {
		NewReference(w, time.Hour)
	}
}

func BenchmarkCompare(b *testing.B) {
	w, ref := benchmarkWindows(20_000)
	b.ReportAllocs()
	for b.Loop() {
		Compare(Side{Window: ref.Window, Length: time.Hour}, Side{Window: w, Length: time.Hour}, DefaultMargins(), Settings{})
	}
}
