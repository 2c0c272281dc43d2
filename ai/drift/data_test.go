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
	b := profile.NewBuilder(profile.BuilderOptions{})
	for _, x := range v {
		if err := b.Add(&ai.Inference{Features: []ai.Feature{{Name: "x", Value: x}}}); err != nil {
			tb.Fatal(err)
		}
	}
	base, err := b.Build(profile.Meta{})
	if err != nil {
		tb.Fatal(err)
	}
	return base.Features["x"]
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
