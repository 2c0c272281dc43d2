package models_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/quality"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

// Judges are taken over between two windows, and by the name of the model.
func TestOtherJudges(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 300}})
	require.NoError(t, err)
	strict := &traffic{key: ai.Key{Service: "shop", Model: "strict"}, features: 3, latency: 0.1}
	other := &traffic{key: ai.Key{Service: "shop", Model: "other"}, features: 3, latency: 0.1}
	rng := rand.New(rand.NewPCG(1, 2))
	play := func(minutes int) {
		for range minutes * 60 {
			for range 5 {
				e.Consume([]ai.Inference{strict.inference(rng, c.now, 0), other.inference(rng, c.now, 0)})
			}
			c.now = c.now.Add(time.Second)
			e.Tick(c.now)
		}
	}
	methods := func(key ai.Key) map[string]int {
		view, err := e.Features(t.Context(), key)
		require.NoError(t, err)
		out := map[string]int{}
		for _, f := range view.Features {
			if !f.Derived && f.Kind == ai.KindNumber {
				out[f.Method]++
			}
		}
		return out
	}
	broken := func(key ai.Key) (n int) {
		view, err := e.Features(t.Context(), key)
		require.NoError(t, err)
		for _, f := range view.Features {
			for _, found := range f.Findings {
				if found.Kind == "out_of_range" {
					n++
				}
			}
		}
		return n
	}
	play(4)
	require.NotContains(t, methods(strict.key), "psi")
	require.Zero(t, broken(strict.key))

	_, err = models.NewJudges(models.Judging{}, map[string]models.Judging{"m": {Drift: drift.Options{Method: "x"}}})
	require.ErrorContains(t, err, `model "m": drift options: method "x" cannot be chosen`)
	name := strict.inference(rng, c.now, 0).Features[0].Name
	judges, err := models.NewJudges(models.Judging{}, map[string]models.Judging{"strict": {
		Drift:   drift.Options{Method: "psi"},
		Quality: quality.Options{Schemas: map[string]ai.Schema{name: {Kind: ai.KindNumber, Max: new(-1e9)}}},
	}})
	require.NoError(t, err)
	e.Apply(judges)
	play(2)
	require.Contains(t, methods(strict.key), "psi")
	require.NotContains(t, methods(other.key), "psi")
	require.Equal(t, 1, broken(strict.key))
	require.Zero(t, broken(other.key))
}
