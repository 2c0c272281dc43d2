package models_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

// fast leaves drift out: each start of an engine would simulate its null distributions
// anew.
var fast = drift.Options{MinRows: 1e9}

// entry is one batch of the log that an engine reads.
type entry struct {
	at      time.Time
	records []ai.Inference
	labels  []models.Labelled
}

// makeLog returns some minutes of two versions with labels, in batches.
func makeLog(seed uint64, minutes int) []entry {
	rng := rand.New(rand.NewPCG(seed, 1))
	tr := []*traffic{
		{key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, features: 5, latency: 0.1, errors: 0.02},
		{key: ai.Key{Service: "shop", Model: "ranker", Version: "v2"}, features: 4, latency: 0.2, missing: 0.1},
	}
	var log []entry
	for s := range minutes * 60 {
		e := entry{at: midnight.Add(time.Duration(s) * time.Second)}
		for _, t := range tr {
			for range 1 + rng.IntN(3) {
				// Up to three seconds late, and not in order.
				inf := t.inference(rng, e.at.Add(-time.Duration(rng.IntN(3000))*time.Millisecond), 0)
				e.records = append(e.records, inf)
				if !inf.Failed() {
					e.labels = append(e.labels, t.label(rng, &inf))
				}
			}
		}
		log = append(log, e)
	}
	return log
}

// outcome is what an engine has counted, as far as it must not depend on crashes.
type outcome struct {
	Counts   map[string]uint64
	Means    map[string]float64
	Totals   map[string]uint64
	Labelled map[string]uint64
	Baseline map[string]uint64
}

func observe(t *testing.T, e *models.Engine, store *memory.Store) outcome {
	out := outcome{map[string]uint64{}, map[string]float64{}, map[string]uint64{}, map[string]uint64{}, map[string]uint64{}}
	all, err := e.Models(t.Context(), models.AnyService)
	require.NoError(t, err)
	for _, m := range all.Models {
		for _, v := range m.Versions {
			key := ai.Key{Service: v.Service, Model: v.Model, Version: v.Version}
			for _, length := range []time.Duration{time.Minute, 10 * time.Minute} {
				rows, err := store.Profiles(t.Context(), models.ProfileQuery{Key: key, Length: length, From: midnight.Add(-time.Hour), To: midnight.Add(time.Hour)})
				require.NoError(t, err)
				for _, r := range rows {
					if r.Feature == "" || length > time.Minute && r.Start.Before(midnight.Add(10*time.Minute)) {
						// The first long window begins before the baseline. Where a crash made
						// the log be read again, its windows have the baseline all along.
						continue
					}
					var p ai.ModelProfile
					require.NoError(t, p.UnmarshalBinary(r.Data))
					id := key.String() + r.Feature + r.Start.Format("15:04") + length.String()
					f := p.Features[r.Feature]
					if f.Rows() == 0 {
						continue // Of the baseline, and without a record.
					}
					out.Counts[id] = 1_000_000*p.Records + 1000*f.Count + f.Missing + f.Absent
					out.Means[id] = f.Mean
				}
			}
			view, err := e.Version(t.Context(), key)
			require.NoError(t, err)
			for _, p := range view.Endpoints {
				out.Totals[key.String()+p.Endpoint] = p.Total
			}
			for _, h := range view.Accuracy.History {
				out.Labelled[key.String()] += h.Labelled
			}
			require.NotNil(t, view.Baseline)
			out.Baseline[key.String()] = 1_000_000*view.Baseline.Rows + view.Baseline.Labelled
		}
	}
	return out
}

// play feeds a log to an engine that is killed now and then; crash says when. What is
// durable is the store, and the newest checkpoint with its position.
func play(t *testing.T, log []entry, crash, checkpoint func() bool) outcome {
	c := &clock{midnight}
	store := new(memory.Store)
	start := func() *models.Engine {
		e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 150}, Drift: fast})
		require.NoError(t, err)
		return e
	}
	e := start()
	var state []byte
	saved := 0
	step := func(i int) {
		e.ConsumeLabels(log[i].labels)
		e.Consume(log[i].records)
	}
	for i := range log {
		c.now = log[i].at
		step(i)
		e.Tick(c.now)
		if checkpoint() && (e.CheckpointDue() || i%2 == 0) {
			var err error
			state, err = e.Checkpoint()
			require.NoError(t, err)
			saved = i + 1
		}
		if crash() {
			e = start()
			require.NoError(t, e.Restore(state))
			for j := saved; j <= i; j++ {
				step(j)
			}
			e.Tick(c.now)
		}
	}
	for range 20 {
		c.now = c.now.Add(30 * time.Second)
		e.Tick(c.now)
	}
	return observe(t, e, store)
}

func never() bool { return false }

// same compares counts and names only those that differ.
func same(t *testing.T, want, got map[string]uint64) {
	t.Helper()
	for id, n := range want {
		require.Equal(t, n, got[id], id)
	}
	require.Len(t, got, len(want))
}

func TestNothingIsLostOrCountedTwiceByCrashes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		log := makeLog(seed, 11)
		want := play(t, log, never, never)
		require.NotEmpty(t, want.Counts)
		rng := rand.New(rand.NewPCG(seed, 2))
		got := play(t, log, func() bool { return rng.IntN(60) == 0 }, func() bool { return rng.IntN(40) == 0 })
		same(t, want.Counts, got.Counts)
		same(t, want.Totals, got.Totals)
		same(t, want.Labelled, got.Labelled)
		same(t, want.Baseline, got.Baseline)
		require.InDeltaMapValues(t, want.Means, got.Means, 1e-9)
	}
}

func TestCheckpointOfEachMomentIsTheSame(t *testing.T) {
	t.Parallel()
	log := makeLog(9, 4)
	want := play(t, log, never, never)
	n := 0
	got := play(t, log, func() bool { n++; return n%5 == 0 }, func() bool { return true })
	same(t, want.Counts, got.Counts)
	same(t, want.Labelled, got.Labelled)
	same(t, want.Totals, got.Totals)
}

func TestStoreThatRefusesLosesNothing(t *testing.T) {
	t.Parallel()
	log := makeLog(3, 6)
	want := play(t, log, never, never)
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 150}, Drift: fast})
	require.NoError(t, err)
	for i := range log {
		c.now = log[i].at
		store.Fail(nil)
		if i > 60 && i < 300 && i%7 > 0 {
			store.Fail(errors.New("no space left"))
		}
		e.ConsumeLabels(log[i].labels)
		e.Consume(log[i].records)
		e.Tick(c.now)
	}
	store.Fail(nil)
	for range 20 {
		c.now = c.now.Add(30 * time.Second)
		e.Tick(c.now)
	}
	got := observe(t, e, store)
	same(t, want.Counts, got.Counts)
	same(t, want.Totals, got.Totals)
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store})
	require.NoError(t, err)
	require.NoError(t, e.Restore(nil))
	require.ErrorContains(t, e.Restore([]byte{9}), "version 9 is not known")
	require.Error(t, e.Restore([]byte{1, 2, 3}))
	state, err := e.Checkpoint()
	require.NoError(t, err)
	require.Error(t, e.Restore(state[:len(state)-2]))
	require.NoError(t, e.Restore(state))
}

func FuzzRestore(f *testing.F) {
	store := new(memory.Store)
	c := &clock{midnight}
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 20}})
	require.NoError(f, err)
	for _, x := range makeLog(1, 1) {
		e.Consume(x.records)
		e.ConsumeLabels(x.labels)
	}
	state, err := e.Checkpoint()
	require.NoError(f, err)
	f.Add(state)
	f.Fuzz(func(t *testing.T, state []byte) {
		e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time})
		require.NoError(t, err)
		if e.Restore(state) == nil {
			e.Consume(makeLog(2, 1)[0].records)
			e.Tick(midnight.Add(time.Hour))
		}
	})
}

// TestRestartForgetsNothing compares what is said before a restart and right after it.
func TestRestartForgetsNothing(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	o := models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 150}}
	e, err := models.New(o)
	require.NoError(t, err)
	for i, x := range makeLog(5, 6) {
		c.now = x.at
		if i > 240 {
			for j := range x.records { // Every feature moves.
				for k := range x.records[j].Features {
					v, _ := x.records[j].Features[k].Value.Number()
					x.records[j].Features[k].Value = ai.Number(v + 3)
				}
			}
		}
		e.Consume(x.records)
		e.ConsumeLabels(x.labels)
		e.Tick(c.now)
	}
	c.now = c.now.Add(15 * time.Second)
	e.Tick(c.now)
	state, err := e.Checkpoint()
	require.NoError(t, err)
	f, err := models.New(o)
	require.NoError(t, err)
	require.NoError(t, f.Restore(state))

	key := ai.Key{Service: "shop", Model: "ranker", Version: "v1"}
	before, err := e.Version(t.Context(), key)
	require.NoError(t, err)
	after, err := f.Version(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, before.History, after.History)
	require.Equal(t, before.Accuracy.History, after.Accuracy.History)
	require.Equal(t, before.Health, after.Health)
	require.Equal(t, ai.Degraded, after.Health)
	for i := range before.Layers {
		require.Equal(t, before.Layers[i].Health, after.Layers[i].Health)
		require.Equal(t, before.Layers[i].Findings, after.Layers[i].Findings)
	}
	was, err := e.Features(t.Context(), key)
	require.NoError(t, err)
	is, err := f.Features(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, was, is)
}
