package models_test

import (
	"context"
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

	// A restart knows it too. What is private is nowhere, and exports can be had without
	// records.
	state, err := e.Checkpoint()
	require.NoError(t, err)
	again, err := models.New(o)
	require.NoError(t, err)
	require.NoError(t, again.Restore(state))
	was, _ := all(e)
	is, _ := all(again)
	require.Equal(t, was, is)
	id := e.Baselines(key)[0].ID
	bare, err := e.ExportBaseline(t.Context(), id, false)
	require.NoError(t, err)
	require.NotContains(t, string(bare), `"sample"`)
	exported, err := e.ExportBaseline(t.Context(), id, true)
	require.NoError(t, err)
	require.Contains(t, string(exported), `"sample":{"features":["a","b","city"]`)
	require.Less(t, len(exported)-len(bare), 512<<10)
	kept, ok, err := store.Baseline(t.Context(), id)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, string(kept.Data), `"sample":{"features":["a","b","city"]`)
}

// quiet is a version whose records are consumed until a window is judged.
type quiet struct {
	*traffic
	c   *clock
	e   *models.Engine
	rng *rand.Rand
}

func newQuiet(t *testing.T, change func(*models.Options)) *quiet {
	t.Helper()
	q := &quiet{
		traffic: &traffic{key: ai.Key{Service: "shop", Model: "ranker"}, features: 3, latency: 0.1}, c: &clock{midnight}, rng: rand.New(rand.NewPCG(1, 2)),
	}
	store := new(memory.Store)
	o := models.Options{Profiles: store, Baselines: store, Clock: q.c.time, Auto: models.Auto{Records: 300}}
	if change != nil {
		change(&o)
	}
	var err error
	q.e, err = models.New(o)
	require.NoError(t, err)
	return q
}

func (q *quiet) play(minutes int) {
	for range minutes * 60 {
		for range 3 {
			q.e.Consume([]ai.Inference{q.inference(q.rng, q.c.now, 0)})
		}
		q.c.now = q.c.now.Add(time.Second)
		q.e.Tick(q.c.now)
	}
}

// together is the newest verdict on all features.
func (q *quiet) together(t *testing.T) drift.Result {
	t.Helper()
	view, err := q.e.Features(t.Context(), q.key)
	require.NoError(t, err)
	for _, f := range view.Features {
		if f.Feature == ai.AllFeatures {
			return f.Result
		}
	}
	return drift.Result{}
}

// An imported document brings its records, unless it has none, which is said, or they
// are private here.
func TestTogetherNeedsRecords(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, nil)
	q.play(3)
	id := q.e.Baselines(q.key)[0].ID
	document, err := q.e.ExportBaseline(t.Context(), id, false)
	require.NoError(t, err)
	_, err = q.e.ImportBaseline(t.Context(), document, ai.Key{}, true)
	require.NoError(t, err)
	q.play(3)
	require.Equal(t, ai.VerdictUnknown, q.together(t).Verdict)
	require.Contains(t, q.together(t).Reason, "the baseline has no single records to compare with: it was imported from an export without them")

	document, err = q.e.ExportBaseline(t.Context(), id, true)
	require.NoError(t, err)
	_, err = q.e.ImportBaseline(t.Context(), document, ai.Key{}, true)
	require.NoError(t, err)
	q.play(3)
	require.Equal(t, ai.VerdictNone, q.together(t).Verdict, q.together(t).Reason)

	private := newQuiet(t, func(o *models.Options) { o.Private = func(feature string) bool { return feature == "x001" } })
	info, err := private.e.ImportBaseline(t.Context(), document, ai.Key{}, true)
	require.NoError(t, err)
	again, err := private.e.ExportBaseline(t.Context(), info.ID, true)
	require.NoError(t, err)
	require.Contains(t, string(document), `"sample":{"features":["x000","x001","x002"]`)
	require.Contains(t, string(again), `"sample":{"features":["x000","x002"]`)

	var doc map[string]any
	require.NoError(t, json.Unmarshal(document, &doc))
	for want, change := range map[string]func(s map[string]any){
		"sample: 1 of ":              func(s map[string]any) { s["rows"].([]any)[0] = "AQ==" },
		"the limits are 150 and 200": func(s map[string]any) { s["rows"] = append(s["rows"].([]any), s["rows"].([]any)...) },
		`sample: "height" is no`:     func(s map[string]any) { s["features"].([]any)[0] = "height" },
	} {
		require.NoError(t, json.Unmarshal(document, &doc))
		change(doc["sample"].(map[string]any))
		text, err := json.Marshal(doc)
		require.NoError(t, err)
		_, err = q.e.ImportBaseline(t.Context(), text, ai.Key{}, false)
		require.ErrorContains(t, err, want)
	}
}

// A baseline of a past span has records where those of the span are kept, and says so
// where they are not.
func TestTogetherOfASpan(t *testing.T) {
	t.Parallel()
	var kept []ai.Inference
	q := newQuiet(t, func(o *models.Options) {
		o.Records = func(_ context.Context, key ai.Key, since, until time.Time, about int, f func(*ai.Inference)) error {
			for i := range kept {
				if at := kept[i].Timestamp; kept[i].Key() == key && !at.Before(since) && at.Before(until) {
					f(&kept[i])
				}
			}
			return nil
		}
	})
	q.play(5)
	n := models.NewBaseline{Key: q.key, Activate: true}
	_, err := q.e.CreateBaselineFromRange(t.Context(), n, midnight.Add(time.Minute), midnight.Add(4*time.Minute))
	require.NoError(t, err)
	q.play(3)
	require.Equal(t, ai.VerdictUnknown, q.together(t).Verdict)
	require.Contains(t, q.together(t).Reason, "none of its span were kept when it was made (inferences.raw)")

	for i := range 600 {
		kept = append(kept, q.inference(q.rng, midnight.Add(time.Duration(i)*time.Second), 0))
	}
	_, err = q.e.CreateBaselineFromRange(t.Context(), n, midnight.Add(time.Minute), midnight.Add(4*time.Minute))
	require.NoError(t, err)
	q.play(3)
	r := q.together(t)
	require.Equal(t, ai.VerdictNone, r.Verdict, r.Reason)
	require.Greater(t, r.BaselineRows, uint64(100))
}
