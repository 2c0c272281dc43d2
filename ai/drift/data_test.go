package drift_test

import (
	"testing"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// values calls draw n times.
func values(n int, draw func() ai.Value) []ai.Value {
	v := make([]ai.Value, n)
	for i := range v {
		v[i] = draw()
	}
	return v
}

// freeze makes the baseline of one feature, as ai/profile does.
func freeze(tb testing.TB, v []ai.Value) *ai.FeatureBaseline {
	tb.Helper()
	kind := ai.KindMissing
	var numbers []float64
	categories := make(map[string]uint64)
	for _, x := range v {
		if x.IsMissing() {
			continue
		}
		kind = x.Kind()
		if n, ok := x.Number(); ok {
			numbers = append(numbers, n)
		} else {
			categories[x.Category()]++
		}
	}
	var bins *ai.Bins
	var err error
	if kind == ai.KindNumber {
		bins, err = profile.FreezeNumeric(numbers)
	} else {
		bins, _, err = profile.FreezeCategories(categories)
	}
	if err != nil {
		tb.Fatal(err)
	}
	f := &ai.FeatureBaseline{Kind: kind, Bins: bins}
	f.Profile = count(f, v)
	return f
}

// count makes the profile of a window.
func count(f *ai.FeatureBaseline, v []ai.Value) *ai.Profile {
	c := profile.NewCounter(f.Kind, f.Bins)
	for _, x := range v {
		c.Update(x)
	}
	return c.Profile()
}

// one puts a single feature where many are wanted.
func one(f *ai.FeatureBaseline) *ai.Baseline {
	return &ai.Baseline{Features: map[string]*ai.FeatureBaseline{"x": f}}
}

func window(p *ai.Profile) map[string]*ai.Profile { return map[string]*ai.Profile{"x": p} }
