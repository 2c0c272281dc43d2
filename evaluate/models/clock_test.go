package models_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

// TestClockSetBack runs with a clock that is two hours ahead for three hours and is then set right, while the engine runs
// or while it does not: the present is that of the clock, and windows take in what is sent in them.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"running": false, "stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{midnight}
			store := new(memory.Store)
			begin := func() *models.Engine {
				e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 300}, Drift: fast})
				require.NoError(t, err)
				return e
			}
			e := begin()
			rng := rand.New(rand.NewPCG(1, 2))
			tr := &traffic{key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, features: 3, latency: 0.1}
			before := &traffic{key: ai.Key{Service: "shop", Model: "ranker", Version: "v0"}, features: 3, latency: 0.1}
			// Ten records in each ten seconds, of each version.
			play := func(d time.Duration) {
				for end := c.now.Add(d); c.now.Before(end); c.now = c.now.Add(10 * time.Second) {
					for range 10 {
						e.Consume([]ai.Inference{before.inference(rng, c.now, 0)})
						inf := tr.inference(rng, c.now, 0)
						e.ConsumeLabels([]models.Labelled{tr.label(rng, &inf)})
						e.Consume([]ai.Inference{inf})
					}
					e.Tick(c.now)
				}
			}
			health := func(layer ai.Layer) ai.Status {
				for _, s := range e.Report().Services {
					for _, l := range s.Layers {
						if s.Name == "shop" && l.Layer == layer {
							return l
						}
					}
				}
				require.Fail(t, "nothing is known of the service")
				return ai.Status{}
			}
			records := func(start time.Time) uint64 {
				rows, err := store.Profiles(t.Context(), models.ProfileQuery{
					Key: tr.key, Features: []string{"x000"}, Length: time.Minute, From: start, To: start.Add(time.Minute),
				})
				require.NoError(t, err)
				require.Len(t, rows, 1)
				var p ai.ModelProfile
				require.NoError(t, p.UnmarshalBinary(rows[0].Data))
				return p.Records
			}

			e.Consume([]ai.Inference{before.inference(rng, c.now.Add(-time.Second), 0)}) // The older one is seen first.
			play(10 * time.Minute)
			c.now = c.now.Add(2 * time.Hour)
			play(3 * time.Hour)
			ahead := c.now
			require.Equal(t, uint64(60), records(ahead.Add(-5*time.Minute)))
			state, err := e.Checkpoint()
			require.NoError(t, err)

			c.now = c.now.Add(-2 * time.Hour)
			if restart {
				e = begin()
				require.NoError(t, e.Restore(state))
			}
			right := c.now
			e.Tick(right)
			require.Equal(t, ai.Healthy, health(ai.LayerModel).Health, "the newest window that is not of the future is still fresh")
			play(5 * time.Minute)
			view, err := e.Version(t.Context(), tr.key)
			require.NoError(t, err)
			last := view.History[len(view.History)-1]
			require.Equal(t, right.Add(3*time.Minute), last.Start, "the newest window is the one before now, whatever came before")
			require.Equal(t, uint64(60), last.Records)
			require.Equal(t, uint64(60), records(right.Add(2*time.Minute)), "what was stored of that time when the clock was wrong is replaced")
			require.WithinRange(t, view.Accuracy.NewestLabelled, c.now.Add(-time.Minute), c.now)
			for _, layer := range []ai.Layer{ai.LayerService, ai.LayerModel, ai.LayerData} {
				require.False(t, health(layer).Since.After(c.now), layer)
			}

			// Versions are compared over the ten windows before now, and none of them was lost to one of the future.
			play(10 * time.Minute)
			all, err := e.Models(t.Context(), models.AnyService)
			require.NoError(t, err)
			require.NotNil(t, all.Models[0].Compare)
			require.InDelta(t, 1, all.Models[0].Compare.NewerRate.Value, 0.01, "requests a second")
			require.InDelta(t, 1, all.Models[0].Compare.OlderRate.Value, 0.01, "requests a second")

			// Nobody sends any more: what is shown of the present must not be of the future.
			for range 60 {
				c.now = c.now.Add(10 * time.Second)
				e.Tick(c.now)
				e.Publish(c.now)
			}
			require.Equal(t, ai.Unknown, health(ai.LayerModel).Health)
		})
	}
}
