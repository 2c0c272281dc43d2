package models_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

// Two features that no longer go together, each of which looks as before, are found by
// the classifier alone: as a verdict, a finding, a series and a state.
func TestFeaturesThatNoLongerGoTogether(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	o := models.Options{
		Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 600},
		Private: func(feature string) bool { return feature == "secret" },
	}
	e, err := models.New(o)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(5, 6))
	key := ai.Key{Service: "shop", Model: "ranker", Version: "v1"}
	play := func(minutes int, sign float64) {
		for range minutes * 60 {
			for range 5 {
				a := rng.NormFloat64()
				e.Consume([]ai.Inference{{
					Service: key.Service, Model: key.Model, ModelVersion: key.Version, Timestamp: c.now, Features: []ai.Feature{
						{Name: "a", Value: ai.Number(a)},
						{Name: "b", Value: ai.Number(sign*a + rng.NormFloat64()/4)},
						{Name: "city", Value: ai.String([]string{"Graz", "Wien"}[rng.IntN(2)])},
						{Name: "secret", Value: ai.String("4711-8888")},
					},
				}})
			}
			c.now = c.now.Add(time.Second)
			e.Tick(c.now)
		}
	}
	all := func(e *models.Engine) (r drift.Result, single int) {
		view, err := e.Features(t.Context(), key)
		require.NoError(t, err)
		for _, f := range view.Features {
			switch {
			case f.Feature == ai.AllFeatures:
				r = f.Result
			case f.Verdict == ai.VerdictDrift:
				single++
			}
		}
		return r, single
	}
	play(8, 1)
	r, single := all(e)
	require.Equal(t, ai.VerdictNone, r.Verdict, "%+v", r)
	require.Equal(t, drift.MethodClassifier, r.Method)
	require.Zero(t, single)

	play(3, -1)
	r, single = all(e)
	require.Equal(t, ai.VerdictDrift, r.Verdict, "%+v", r)
	require.Equal(t, uint64(150), r.WindowRows)
	require.Greater(t, r.Score, 0.7)
	require.Zero(t, single)
	found := false
	for _, s := range e.Report().Services {
		for _, l := range s.Layers {
			for _, f := range l.Findings {
				found = found || f.Kind == drift.CheckID && f.Feature == ai.AllFeatures && l.Health == ai.Degraded
			}
		}
	}
	require.True(t, found)
	families, err := e.Gather()
	require.NoError(t, err)
	verdict := -1.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "modelwatch_drift_verdict" && l.GetValue() == ai.AllFeatures {
					verdict = m.GetGauge().GetValue()
				}
			}
		}
	}
	require.Equal(t, 2.0, verdict)
	n, err := testutil.GatherAndCount(e, "modelwatch_drift_score")
	require.NoError(t, err)
	require.Positive(t, n)
	view, err := e.Drift(t.Context(), models.DriftQuery{})
	require.NoError(t, err)
	text, err := json.Marshal(view)
	require.NoError(t, err)
	require.Contains(t, string(text), ai.AllFeatures)

	// A restart knows it too. Exports hold no records, and what is private is nowhere.
	state, err := e.Checkpoint()
	require.NoError(t, err)
	again, err := models.New(o)
	require.NoError(t, err)
	require.NoError(t, again.Restore(state))
	was, _ := all(e)
	is, _ := all(again)
	require.Equal(t, was, is)
	id := e.Baselines(key)[0].ID
	exported, err := e.ExportBaseline(t.Context(), id)
	require.NoError(t, err)
	require.NotContains(t, string(exported), `"sample"`)
	kept, ok, err := store.Baseline(t.Context(), id)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, string(kept.Data), `"sample":{"features":["a","b","city"]`)
}

// A file brings records to compare with, an imported document does not, and says so.
func TestTogetherNeedsRecords(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 300}})
	require.NoError(t, err)
	traffic := &traffic{key: ai.Key{Service: "shop", Model: "ranker"}, features: 3, latency: 0.1}
	rng := rand.New(rand.NewPCG(1, 2))
	play := func(minutes int) {
		for range minutes * 60 {
			for range 3 {
				e.Consume([]ai.Inference{traffic.inference(rng, c.now, 0)})
			}
			c.now = c.now.Add(time.Second)
			e.Tick(c.now)
		}
	}
	play(3)
	document, err := e.ExportBaseline(t.Context(), e.Baselines(traffic.key)[0].ID)
	require.NoError(t, err)
	_, err = e.ImportBaseline(t.Context(), document, ai.Key{}, true)
	require.NoError(t, err)
	play(3)
	view, err := e.Features(t.Context(), traffic.key)
	require.NoError(t, err)
	reason := ""
	for _, f := range view.Features {
		if f.Feature == ai.AllFeatures {
			reason = f.Reason
		}
	}
	require.Contains(t, reason, "the baseline has no single records to compare with")
}
