package drift_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// With no drift at most 1 % of windows have a p-value of at most 0.01, for every
// method, and verdicts of drift hardly ever happen. bench/drift measures the same
// at length.
func TestCalibration(t *testing.T) {
	kinds := map[string]func(rng *rand.Rand) ai.Value{
		"normal":     func(rng *rand.Rand) ai.Value { return ai.Number(rng.NormFloat64()) },
		"log-normal": func(rng *rand.Rand) ai.Value { return ai.Number(math.Exp(rng.NormFloat64())) },
		"integers":   func(rng *rand.Rand) ai.Value { return ai.Number(float64(rng.IntN(4) * rng.IntN(3))) },
		"flag":       func(rng *rand.Rand) ai.Value { return ai.Bool(rng.IntN(50) == 0) },
		"categories": func(rng *rand.Rand) ai.Value { return ai.String(strconv.Itoa(rng.IntN(200))) },
	}
	for _, method := range selectable() {
		if method == drift.MethodMMD {
			continue
		}
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			e, err := drift.NewEvaluator(drift.Options{Method: method, Thresholds: map[string]float64{method: 0}})
			if method == drift.MethodAuto {
				e, err = drift.NewEvaluator(drift.Options{})
			}
			if err != nil {
				t.Fatal(err)
			}
			var windows, low, drifted int
			for name, draw := range kinds {
				rng := rand.New(rand.NewPCG(uint64(len(name)), 77))
				for range 3 { // Baselines: what is simulated is simulated for each.
					f := freeze(t, values(1001, func() ai.Value { return draw(rng) }))
					for _, m := range []int{40, 300} {
						for range 20 {
							r := e.Evaluate(one(f), window(count(f, values(m, func() ai.Value { return draw(rng) }))))[0]
							windows++
							if r.PValue <= 0.01 {
								low++
							}
							if r.Verdict == ai.VerdictDrift {
								drifted++
							}
						}
					}
				}
			}
			// Three standard errors above 1 %, and 0.1 %.
			if limit := 0.01*float64(windows) + 3*math.Sqrt(0.01*float64(windows)); float64(low) > limit {
				t.Errorf("%d of %d p-values are at most 0.01", low, windows)
			}
			if drifted > 6 {
				t.Errorf("%d of %d windows are false verdicts", drifted, windows)
			}
		})
	}
}

// A model with many features gets few false verdicts in all its windows
// together: the correction is for the number of features.
func TestManyFeatures(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const features = 300
	b := &ai.Baseline{Features: make(map[string]*ai.FeatureBaseline)}
	for i := range features {
		b.Features["f"+strconv.Itoa(i)] = freeze(t, values(1001, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
	}
	e, err := drift.NewEvaluator(drift.Options{})
	if err != nil {
		t.Fatal(err)
	}
	falseVerdicts, found := 0, 0
	for range 10 {
		w := make(map[string]*ai.Profile)
		for name, f := range b.Features {
			shift := 0.0
			if name == "f7" || name == "f8" {
				shift = 0.6
			}
			w[name] = count(f, values(200, func() ai.Value { return ai.Number(rng.NormFloat64() + shift) }))
		}
		results := e.Evaluate(b, w)
		for i, r := range results {
			if i > 0 && results[i-1].Feature >= r.Feature {
				t.Fatalf("%s comes after %s", r.Feature, results[i-1].Feature)
			}
			switch {
			case r.Verdict != ai.VerdictDrift:
			case r.Feature == "f7" || r.Feature == "f8":
				found++
			default:
				falseVerdicts++
			}
			if (r.Verdict == ai.VerdictDrift) != (r.PValue <= r.PValueThreshold && r.Score >= r.Threshold) {
				t.Errorf("the thresholds do not say the verdict: %+v", r)
			}
		}
	}
	if falseVerdicts > 1 || found < 18 {
		t.Errorf("%d of 3,000 windows are false verdicts, %d of 20 changes were found", falseVerdicts, found)
	}
}

// Embeddings are calibrated too, in small windows and of few dimensions.
func TestEmbeddings(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, dim := range []int{3, 40} {
		vector := func(shift float64) func() ai.Value {
			return func() ai.Value {
				v := make([]float64, dim)
				for i := range v {
					v[i] = rng.NormFloat64() + shift
				}
				return ai.Vector(v)
			}
		}
		low, windows := 0, 0
		for range 3 {
			f := freeze(t, values(400, vector(0)))
			for range 40 {
				r := judge(t, drift.Options{}, f, count(f, values(40, vector(0))))
				windows++
				if r.PValue <= 0.01 {
					low++
				}
			}
			r := judge(t, drift.Options{}, f, count(f, values(40, vector(1))))
			if r.Verdict != ai.VerdictDrift {
				t.Errorf("%d dimensions moved by a deviation: %+v", dim, r)
			}
		}
		if low > 8 {
			t.Errorf("%d dimensions: %d of %d p-values are at most 0.01", dim, low, windows)
		}
	}
}

// Evaluators are for many goroutines, and the same window gets the same result.
func TestConcurrentUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	e, err := drift.NewEvaluator(drift.Options{Method: drift.MethodKS})
	if err != nil {
		t.Fatal(err)
	}
	f := freeze(t, values(500, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
	p := count(f, values(100, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
	want := judge(t, drift.Options{Method: drift.MethodKS}, f, p)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if r := e.Evaluate(one(f), window(p))[0]; r.PValue != want.PValue || r.Score != want.Score {
					t.Errorf("p-value %v, want %v", r.PValue, want.PValue)
				}
			}
		})
	}
	wg.Wait()
}
