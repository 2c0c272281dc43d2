package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// A workload draws the values of one feature. NaN is a missing value; categories
// are numbers from 0 up.
type workload struct {
	Name       string
	Categories int // 0 for numbers.
	draw       func(rng *rand.Rand) float64
}

// workloads are the features without drift.
func workloads() []workload {
	categories := func(k int) workload {
		name := fmt.Sprintf("%d categories", k)
		return workload{name, k, func(rng *rand.Rand) float64 { return float64(rng.IntN(k)) }}
	}
	return []workload{
		{"normal", 0, func(rng *rand.Rand) float64 { return rng.NormFloat64() }},
		{"log-normal", 0, func(rng *rand.Rand) float64 { return math.Exp(rng.NormFloat64()) }},
		{"tied integers", 0, func(rng *rand.Rand) float64 { return poisson(rng, 3) }},
		categories(2),
		categories(10),
		categories(200),
	}
}

// extraWorkloads are awkward features beside those: skewed shares, many zeros,
// more categories than there are cells.
func extraWorkloads() []workload {
	zipf := func(k int, s float64) func(rng *rand.Rand) float64 {
		cum := make([]float64, k)
		var total float64
		for i := range cum {
			total += math.Pow(float64(i+1), -s)
			cum[i] = total
		}
		return func(rng *rand.Rand) float64 {
			u := rng.Float64() * total
			lo, hi := 0, k-1
			for lo < hi {
				if mid := (lo + hi) / 2; cum[mid] < u {
					lo = mid + 1
				} else {
					hi = mid
				}
			}
			return float64(lo)
		}
	}
	return []workload{
		{"95 % zeros, else log-normal", 0, func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.95 {
				return 0
			}
			return math.Exp(rng.NormFloat64())
		}},
		{"flag, 1 % set (number)", 0, func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.01 {
				return 1
			}
			return 0
		}},
		{"ratings 1 to 5, skewed", 0, func(rng *rand.Rand) float64 {
			return 5 - math.Min(4, math.Floor(rng.ExpFloat64()*0.8))
		}},
		{"Cauchy", 0, func(rng *rand.Rand) float64 { return rng.NormFloat64() / rng.NormFloat64() }},
		{"geometric integers", 0, func(rng *rand.Rand) float64 { return math.Floor(rng.ExpFloat64() * 10) }},
		{"5 % missing, normal", 0, func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.05 {
				return math.NaN()
			}
			return rng.NormFloat64()
		}},
		{"2 categories, 1 % and 99 %", 2, func(rng *rand.Rand) float64 {
			if rng.Float64() < 0.01 {
				return 1
			}
			return 0
		}},
		{"20 categories, Zipf", 20, zipf(20, 1.5)},
		{"1,000 categories, Zipf", 1000, zipf(1000, 1)},
		{"3,000 equal categories", 3000, func(rng *rand.Rand) float64 { return float64(rng.IntN(3000)) }},
	}
}

// poisson draws from the Poisson distribution by multiplication.
func poisson(rng *rand.Rand, mean float64) float64 {
	limit, k, p := math.Exp(-mean), 0, rng.Float64()
	for p > limit {
		p *= rng.Float64()
		k++
	}
	return float64(k)
}

// A shift changes normal values: what a window with drift holds.
type shift struct {
	Name string
	// apply returns the value that is drawn instead of standard normal z; size
	// is the strength of the shift.
	apply func(rng *rand.Rand, z, size float64) float64
	// size is the strength for which the Kolmogorov-Smirnov test finds about half
	// of the windows, for an effective sample size n·m/(n+m).
	size func(effective float64) float64
	// practical is a strength that one would want to know of at any sample size.
	practical float64
	unit      string
}

// missingBefore is the missing share of the baseline in the missing shift.
const missingBefore = 0.05

func shifts() []shift {
	return []shift{
		{
			"mean", func(_ *rand.Rand, z, size float64) float64 { return z + size },
			func(n float64) float64 { return 3.3 / math.Sqrt(n) }, 0.25, "deviations",
		},
		{
			"scale", func(_ *rand.Rand, z, size float64) float64 { return z * (1 + size) },
			func(n float64) float64 { return 6 / math.Sqrt(n) }, 0.25, "times wider",
		},
		{
			"mixture", func(rng *rand.Rand, z, size float64) float64 {
				if rng.Float64() < size {
					return z + 3
				}
				return z
			},
			func(n float64) float64 { return math.Min(0.9, 2/math.Sqrt(n)) }, 0.1, "of the rows 3 deviations up",
		},
		{
			"missing", func(rng *rand.Rand, z, size float64) float64 {
				if rng.Float64() < missingBefore+size {
					return math.NaN()
				}
				return z
			},
			func(n float64) float64 { return math.Min(0.9, 1/math.Sqrt(n)) }, 0.05, "more rows missing than 5 %",
		},
	}
}

// feature is the baseline of one feature and what counts its windows, made as
// the ingest makes them.
type feature struct {
	kind ai.Kind
	base *ai.FeatureBaseline
}

// newFeature freezes a baseline from values.
func newFeature(w workload, values []float64) (*feature, error) {
	f := &feature{kind: ai.KindNumber}
	if w.Categories > 0 {
		f.kind = ai.KindString
	}
	b := profile.NewBuilder(profile.BuilderOptions{})
	inf := ai.Inference{Features: []ai.Feature{{Name: "x"}}}
	for _, v := range values {
		inf.Features[0].Value = f.value(v)
		if err := b.Add(&inf); err != nil {
			return nil, fmt.Errorf("baseline of %s: %w", w.Name, err)
		}
	}
	base, err := b.Build(profile.Meta{})
	if err != nil {
		return nil, fmt.Errorf("baseline of %s: %w", w.Name, err)
	}
	f.base = base.Features["x"]
	return f, nil
}

// profile counts a window.
func (f *feature) profile(values []float64) *ai.Profile {
	c := profile.NewCounter(f.kind, f.base.Bins)
	for _, v := range values {
		c.Update(f.value(v))
	}
	return c.Profile()
}

func (f *feature) value(v float64) ai.Value {
	if f.kind == ai.KindString && v == v {
		return ai.String(strconv.Itoa(int(v)))
	}
	return ai.Number(v) // NaN is missing.
}
