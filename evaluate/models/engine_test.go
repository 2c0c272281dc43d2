package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/series"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
	"github.com/modelwatch/modelwatch/evaluate/rules"
)

// TestGarbageChangesNothingButCounters sends records that are valid and make no sense
// beside sound traffic of another model, whose state must not change.
func TestGarbageChangesNothingButCounters(t *testing.T) {
	t.Parallel()
	play := func(garbage bool) (string, uint64) {
		c := &clock{midnight}
		store := new(memory.Store)
		registry := prometheus.NewRegistry()
		e, err := models.New(models.Options{
			Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 300}, Registerer: registry,
			Limits: models.Limits{Services: 3, PerModel: 4, Features: 50},
		})
		require.NoError(t, err)
		sound := &traffic{key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, features: 5, latency: 0.1}
		rng, noise := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(3, 4))
		sent := uint64(0)
		for range 6 * 60 {
			for range 5 {
				inf := sound.inference(rng, c.now, 0)
				e.Consume([]ai.Inference{inf})
				if garbage {
					junk := nonsense(noise, c.now)
					if junk.Validate() == nil {
						e.Consume([]ai.Inference{junk})
						e.ConsumeLabels([]models.Labelled{{Key: junk.Key(), Prediction: junk.Prediction, Probabilities: junk.Probabilities, Label: nonsenseValue(noise), PredictedAt: junk.Timestamp}})
						sent++
					}
				}
			}
			c.now = c.now.Add(time.Second)
			e.Tick(c.now)
		}
		_, err = testutil.GatherAndCount(e, "modelwatch_status")
		require.NoError(t, err)
		state := ""
		for _, s := range e.Report().Services {
			if s.Name != "shop" {
				continue
			}
			for _, l := range s.Layers[:3] { // Nothing is known of resources.
				state += fmt.Sprintf("%s %s %v %d\n", l.Layer, l.Health, l.Since, len(l.Findings))
			}
		}
		view, err := e.Features(t.Context(), sound.key)
		require.NoError(t, err)
		for _, f := range view.Features {
			figures, err := json.Marshal(f.Window)
			require.NoError(t, err)
			state += fmt.Sprintf("%s %s %s\n", f.Feature, f.Verdict, figures)
		}
		_, err = e.Checkpoint()
		require.NoError(t, err)
		return state, sent
	}
	clean, _ := play(false)
	noisy, sent := play(true)
	require.Greater(t, sent, uint64(500))
	require.Equal(t, clean, noisy)
}

func nonsenseValue(rng *rand.Rand) ai.Value {
	switch rng.IntN(9) {
	case 0:
		return ai.Number(math.Inf(1 - 2*rng.IntN(2)))
	case 1:
		return ai.Number(math.MaxFloat64 * (rng.Float64() - 0.5))
	case 2:
		return ai.String(strings.Repeat("x", rng.IntN(5000)))
	case 3:
		return ai.Bool(rng.IntN(2) == 0)
	case 4:
		return ai.Vector(make([]float64, rng.IntN(300)))
	case 5:
		return ai.Vector32([]float32{float32(math.NaN()), float32(math.Inf(1))})
	case 6:
		return ai.Value{}
	default:
		return ai.Number(rng.NormFloat64())
	}
}

func nonsense(rng *rand.Rand, now time.Time) ai.Inference {
	name := func(n int) string { return fmt.Sprintf("\u202ejunk-%d", rng.IntN(n)) }
	inf := ai.Inference{
		Service: name(5), Model: name(3), ModelVersion: name(50), Endpoint: name(1000), StatusCode: 100 + rng.IntN(900),
		Timestamp:       now.Add(time.Duration(rng.NormFloat64() * float64(time.Hour))),
		DurationSeconds: math.Abs(rng.NormFloat64()) * math.Pow(10, float64(rng.IntN(12)-6)), Error: name(1000),
		Prediction: nonsenseValue(rng), Tokens: ai.Tokens{Input: rng.Uint64(), Output: rng.Uint64()},
	}
	if rng.IntN(50) == 0 {
		inf.Timestamp = time.Unix(rng.Int64N(4e9)-2e9, 0)
	}
	for range rng.IntN(20) {
		inf.Features = append(inf.Features, ai.Feature{Name: name(500), Value: nonsenseValue(rng)})
	}
	for range rng.IntN(6) {
		inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: name(200), P: rng.Float64()})
	}
	return inf
}

// TestRunBesideQuestions runs everything at once, for the race detector.
func TestRunBesideQuestions(t *testing.T) {
	t.Parallel()
	store := new(memory.Store)
	e, err := models.New(models.Options{
		Profiles: store, Baselines: store, Drift: drift.Options{MinRows: 1e9},
		Windows: models.Windows{Length: 200 * time.Millisecond, Lateness: 20 * time.Millisecond, Publish: 20 * time.Millisecond}, Auto: models.Auto{Records: 20},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	time.AfterFunc(time.Second, func() {
		for ctx.Err() == nil && len(e.Baselines(ai.Key{})) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	})
	key := ai.Key{Service: "shop", Model: "ranker", Version: "v1"}
	var wg sync.WaitGroup
	wg.Go(func() { e.Run(ctx) })
	wg.Go(func() {
		rng := rand.New(rand.NewPCG(1, 2))
		tr := &traffic{key: key, features: 5, latency: 0.1}
		for ctx.Err() == nil {
			inf := tr.inference(rng, time.Now(), 0)
			e.ConsumeLabels([]models.Labelled{tr.label(rng, &inf)})
			e.Consume([]ai.Inference{inf})
			if rng.IntN(50) == 0 {
				if _, err := e.Checkpoint(); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(time.Millisecond)
		}
	})
	for range 2 {
		wg.Go(func() {
			a := models.Answers{Engine: e}
			for ctx.Err() == nil {
				_, _ = a.Services(ctx)
				_, _ = a.Models(ctx, models.AnyService)
				_, _ = a.Version(ctx, key)
				_, _ = a.Features(ctx, key)
				_, _ = a.Feature(ctx, key, "x001")
				_, _ = a.Drift(ctx, models.DriftQuery{})
				_, _ = e.Gather()
				for _, b := range e.Baselines(ai.Key{}) {
					_, _ = e.ConfirmBaseline(ctx, b.ID)
					_, _ = e.ActivateBaseline(ctx, b.ID)
					text, err := e.ExportBaseline(ctx, b.ID, true)
					if err == nil && len(e.Baselines(ai.Key{})) < 4 {
						_, _ = e.ImportBaseline(ctx, text, ai.Key{}, true)
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	view, err := e.Version(t.Context(), key)
	require.NoError(t, err)
	require.NotEmpty(t, view.History)
	require.NotNil(t, view.Baseline)
}

// TestBaselineRoundTrip exports a baseline with what the version did, and takes it in
// elsewhere.
func TestBaselineRoundTrip(t *testing.T) {
	t.Parallel()
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 200}})
	require.NoError(t, err)
	for _, x := range makeLog(1, 3) {
		c.now = x.at
		e.Consume(x.records)
		e.ConsumeLabels(x.labels)
		e.Tick(c.now)
	}
	from := e.Baselines(ai.Key{Version: "v1"})[0]
	require.Positive(t, from.Labelled)
	text, err := e.ExportBaseline(t.Context(), from.ID, true)
	require.NoError(t, err)

	other := new(memory.Store)
	f, err := models.New(models.Options{Profiles: other, Baselines: other, Clock: c.time})
	require.NoError(t, err)
	to, err := f.ImportBaseline(t.Context(), text, ai.Key{Version: "v2"}, true)
	require.NoError(t, err)
	require.Equal(t, "v2", to.Version)
	require.Equal(t, from.Rows, to.Rows)
	require.Equal(t, from.Labelled, to.Labelled)
	again, err := f.ExportBaseline(t.Context(), to.ID, true)
	require.NoError(t, err)
	require.Contains(t, string(again), `"performance"`)

	// It is in use from the first record of the version on, also after a restart.
	f, err = models.New(models.Options{Profiles: other, Baselines: other, Clock: c.time})
	require.NoError(t, err)
	for _, x := range makeLog(1, 3) {
		c.now = x.at
		f.Consume(x.records)
		f.Tick(c.now)
	}
	view, err := f.Version(t.Context(), ai.Key{Service: "shop", Model: "ranker", Version: "v2"})
	require.NoError(t, err)
	require.Equal(t, to.ID, view.Baseline.ID)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := models.New(models.Options{})
	require.ErrorContains(t, err, "a store of profiles and one of baselines must be given")
	store := new(memory.Store)
	_, err = models.New(models.Options{
		Profiles: store, Baselines: store, Drift: drift.Options{Alpha: 2},
		Windows: models.Windows{Length: 7 * time.Second, Levels: []time.Duration{10 * time.Minute, 25 * time.Minute}},
	})
	require.ErrorContains(t, err, "window length 7s does not divide an hour")
	require.ErrorContains(t, err, "windows of 10m0s do not add up to windows of 25m0s")
	require.ErrorContains(t, err, "alpha is 2")
}

// TestRulePack checks the built-in alerts as a user's own file would be.
func TestRulePack(t *testing.T) {
	t.Parallel()
	text, err := rules.Read("builtin:ai.yml")
	require.NoError(t, err)
	require.Empty(t, rules.Check("ai.yml", text, parser.NewParser(parser.Options{}), nil))

	page, err := os.ReadFile("../../docs/models.md")
	require.NoError(t, err)
	names := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		require.Contains(t, string(page), name[1], "the page on models does not name the alert")
	}
	// Every kind of finding has an alert, by its name or by one for all others.
	metrics := make(map[string]bool)
	for _, m := range series.Catalogue() {
		metrics[m.Name] = true
	}
	for _, name := range regexp.MustCompile(`\b(modelwatch_(?:finding|drift|judged|features|baseline|accuracy|labelled|status)\w*|model_(?:qps|inference\w+)|input_data_\w+)`).FindAllString(string(text), -1) {
		require.True(t, metrics[name], "%s is not in the catalogue", name)
	}
}

// TestSeriesAreWellFormed holds what is exposed against what Prometheus wants.
func TestSeriesAreWellFormed(t *testing.T) {
	t.Parallel()
	e := loaded(t, 2, 20, slog.New(slog.DiscardHandler))
	problems, err := testutil.GatherAndLint(e)
	require.NoError(t, err)
	for _, p := range problems {
		// Names that hand-written exporters use are kept as they are.
		require.Contains(t, "modelwatch_finding_threshold modelwatch_drift_threshold", p.Metric, p.Text)
	}
	// Prometheus merges it with other registries, which checks for repeated series.
	families, err := prometheus.Gatherers{prometheus.NewRegistry(), e}.Gather()
	require.NoError(t, err)
	require.Greater(t, len(families), 25)
}

// loaded returns an engine with models that have a baseline and a window.
func loaded(t testing.TB, versions, features int, log *slog.Logger) *models.Engine {
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 500}, Logger: log})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range versions {
		tr := &traffic{key: ai.Key{Service: "shop", Model: fmt.Sprintf("model%d", i), Version: "v1"}, features: features, latency: 0.1}
		for n := range 900 {
			e.Consume([]ai.Inference{tr.inference(rng, midnight.Add(time.Duration(n)*200*time.Millisecond), n)})
		}
	}
	for range 20 {
		c.now = c.now.Add(15 * time.Second)
		e.Tick(c.now)
		e.Publish(c.now)
	}
	return e
}

// BenchmarkConsume measures one record of 20 features.
func BenchmarkConsume(b *testing.B) {
	for _, features := range []int{20, 200} {
		b.Run(fmt.Sprint(features), func(b *testing.B) {
			c := &clock{midnight}
			store := new(memory.Store)
			e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 2000}})
			require.NoError(b, err)
			rng := rand.New(rand.NewPCG(1, 2))
			tr := &traffic{key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, features: features, latency: 0.1}
			records := make([]ai.Inference, 4096)
			for n := range records {
				records[n] = tr.inference(rng, midnight.Add(time.Duration(n)*20*time.Millisecond), n)
			}
			e.Consume(records)
			c.now = midnight.Add(5 * time.Minute)
			e.Tick(c.now)
			for i := range records {
				records[i].Timestamp = c.now.Add(time.Duration(i) * time.Millisecond)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(records) {
				e.Consume(records[:min(len(records), b.N-n)])
			}
		})
	}
}

// BenchmarkWindow measures closing, judging and storing one window of ten models with
// 200 features each, and renewing their series.
func BenchmarkWindow(b *testing.B) {
	c := &clock{midnight}
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: c.time, Auto: models.Auto{Records: 500}})
	require.NoError(b, err)
	rng := rand.New(rand.NewPCG(1, 2))
	var records []ai.Inference
	for i := range 10 {
		tr := &traffic{key: ai.Key{Service: "shop", Model: fmt.Sprintf("model%d", i), Version: "v1"}, features: 200, latency: 0.1}
		for n := range 600 {
			records = append(records, tr.inference(rng, midnight.Add(time.Duration(n)*100*time.Millisecond), n))
		}
	}
	window := func() {
		e.Consume(records)
		for i := range records {
			records[i].Timestamp = records[i].Timestamp.Add(time.Minute)
		}
		c.now = c.now.Add(time.Minute)
	}
	for range 3 {
		window()
		e.Tick(c.now.Add(15 * time.Second))
	}
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		window()
		b.StartTimer()
		e.Tick(c.now.Add(15 * time.Second))
	}
}

// BenchmarkPublish measures renewing the series of ten models with 200 features each,
// and BenchmarkGather a scrape of them by way of other gatherers.
func BenchmarkPublish(b *testing.B) {
	e := loaded(b, 10, 200, nil)
	b.ReportAllocs()
	for b.Loop() {
		e.Publish(midnight.Add(5 * time.Minute))
	}
}

func BenchmarkGather(b *testing.B) {
	e := loaded(b, 10, 200, nil)
	g := prometheus.Gatherers{e}
	n := 0
	for b.Loop() {
		families, err := g.Gather()
		require.NoError(b, err)
		n = 0
		for _, f := range families {
			n += len(f.Metric)
		}
	}
	b.ReportMetric(float64(n), "series")
}

func BenchmarkCheckpoint(b *testing.B) {
	e := loaded(b, 10, 200, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10 { // Windows that are open.
		tr := &traffic{key: ai.Key{Service: "shop", Model: fmt.Sprintf("model%d", i), Version: "v1"}, features: 200, latency: 0.1}
		for n := range 300 {
			e.Consume([]ai.Inference{tr.inference(rng, midnight.Add(5*time.Minute+time.Duration(n)*200*time.Millisecond), n)})
		}
	}
	size := 0
	for b.Loop() {
		state, err := e.Checkpoint()
		require.NoError(b, err)
		size = len(state)
	}
	b.ReportMetric(float64(size), "bytes")
}
