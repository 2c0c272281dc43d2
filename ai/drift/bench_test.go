package drift_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// The bar: 1,000 features in at most 20 ms.
func BenchmarkEvaluate(b *testing.B) {
	const features = 1000
	for _, kind := range []string{"numbers", "integers", "10 categories", "200 categories"} {
		for _, rows := range []int{50, 1000} {
			b.Run(fmt.Sprintf("%s/%d rows", kind, rows), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 2))
				draw := func() ai.Value {
					switch kind {
					case "numbers":
						return ai.Number(rng.NormFloat64())
					case "integers":
						return ai.Number(float64(rng.IntN(12)))
					case "10 categories":
						return ai.String(fmt.Sprint(rng.IntN(10)))
					default:
						return ai.String(fmt.Sprint(rng.IntN(200)))
					}
				}
				baseline := &ai.Baseline{Features: make(map[string]*ai.FeatureBaseline)}
				window := make(map[string]*ai.Profile)
				for i := range features {
					name := fmt.Sprintf("f%04d", i)
					f := freeze(b, values(2000, draw))
					baseline.Features[name] = f
					window[name] = count(f, values(rows, draw))
				}
				e, err := drift.NewEvaluator(drift.Options{})
				if err != nil {
					b.Fatal(err)
				}
				e.Evaluate(baseline, window)
				b.ReportAllocs()
				for b.Loop() {
					e.Evaluate(baseline, window)
				}
			})
		}
	}
}

// What a new baseline costs once: 1,000 features, none of which share anything.
func BenchmarkEvaluateNewBaseline(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	baseline := &ai.Baseline{Features: make(map[string]*ai.FeatureBaseline)}
	window := make(map[string]*ai.Profile)
	for i := range 1000 {
		name := fmt.Sprintf("f%04d", i)
		f := freeze(b, values(2000, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
		baseline.Features[name] = f
		window[name] = count(f, values(200, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
	}
	for b.Loop() {
		if _, err := drift.Evaluate(baseline, window, drift.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	base, now := rows(rng, 400, 0.5, 0), rows(rng, 400, 0.5, 0)
	for b.Loop() {
		if _, err := drift.Classify(base, now, drift.ClassifierOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
