package series_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/internal/script"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
	"github.com/modelwatch/modelwatch/ai/quality"
	"github.com/modelwatch/modelwatch/ai/series"
)

var rewrite = flag.Bool("rewrite", false, "write docs/metrics.md and testdata instead of comparing")

// requireFile compares a file with what it should be, or writes it.
func requireFile(t *testing.T, path, want string) {
	t.Helper()
	if *rewrite {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "%s is not up to date: run go generate ./ai/series", path)
}

func TestDocsPage(t *testing.T) {
	requireFile(t, "../../docs/metrics.md", series.Page())
}

// TestCatalogue checks names, labels and types against the rules that Prometheus
// and its readers go by.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, m := range series.Catalogue() {
		require.Regexp(t, name, m.Name)
		require.False(t, seen[m.Name], m.Name)
		seen[m.Name] = true
		require.Equal(t, m, series.Lookup(m.Name))
		require.NotEmpty(t, m.Unit, m.Name)
		require.True(t, strings.HasSuffix(m.Help, "."), m.Name)
		require.Equal(t, m.Type == series.Counter, strings.HasSuffix(m.Name, "_total"), m.Name)
		for _, l := range m.Labels {
			require.Regexp(t, name, l)
		}
		require.Contains(t, m.Labels, "service")
		if m.Name != "modelwatch_status" {
			require.Equal(t, []string{"service", "model", "model_version"}, m.Labels[:3], m.Name)
		}
	}
	require.Nil(t, series.Lookup("up"))
	// The rule (mean - offset) / offset needs equal labels on both sides.
	require.Equal(t, series.Lookup("input_data_mean").Labels, series.Lookup("input_data_mean_offset").Labels)
	for _, want := range []string{
		"model_inference_latency_seconds", "model_qps", "http_requests_total", "http_requests_error_rate",
		"input_data_mean", "input_data_std_dev", "input_data_mean_offset",
	} {
		require.True(t, seen[want], want)
	}
	for _, l := range []string{"model_version", "endpoint"} {
		require.Contains(t, series.Lookup("model_inference_latency_seconds").Labels, l)
	}
}

// snapshot is one minute of a model whose ages moved and whose cities are new,
// with everything that the other packages say about it.
func snapshot(t testing.TB) *series.Snapshot {
	t.Helper()
	base := builder(t, "age: normal 40 10\ncity: choice oslo 0.7 bergen 0.3\nquiet: normal 0 1\ntext: vector 4 1 1\n@prediction: bool 0.5", 1001)
	records, err := script.Generate("age: normal 60 10 missing 0.1\ncity: choice oslo 0.5 tromsø 0.5\nquiet: normal 0 1\ntext: vector 4 -1 1\nextra: const 1\n@prediction: bool 0.5", 500, 2, script.Day)
	require.NoError(t, err)
	acc := profile.NewAccumulator(base.Key, base, profile.Options{})
	predict, refuse := new(performance.Service), new(performance.Service)
	measured := performance.NewClassification(performance.Options{})
	for i := range records {
		r := &records[i]
		r.DurationSeconds = 0.1 + float64(i%100)/100
		r.StatusCode = 200
		r.Tokens = ai.Tokens{Input: 10, Output: 5}
		r.TimeToFirstTokenSeconds = 0.05
		if i%50 == 0 {
			r.StatusCode = 503
		}
		acc.Add(r, r.Timestamp)
		predict.Observe(r)
		measured.Observe(r, ai.Bool(i%4 != 0))
	}
	refuse.Observe(&ai.Inference{StatusCode: 429, DurationSeconds: 0.001})
	window := acc.Flush()[0]
	moved := []drift.Result{
		{
			Feature: "age", Verdict: ai.VerdictDrift, Method: "ks", AdjustedPValue: 1e-9,
			Tests: []drift.Test{{Method: "ks", Score: 0.6, Threshold: 0.1}, {Method: "missing", Score: 0.2, Threshold: 0.03}},
		},
		{Feature: "city", Verdict: ai.VerdictDrift, Method: "psi", AdjustedPValue: 1e-7, Tests: []drift.Test{{Method: "psi", Score: 2, Threshold: 0.2}}},
		{Feature: "quiet", Verdict: ai.VerdictPossible, Method: "ks", AdjustedPValue: 0.004, Tests: []drift.Test{{Method: "ks", Score: 0.11, Threshold: 0.1}}},
		{Feature: "extra", Verdict: ai.VerdictUnknown, Reason: "the baseline does not have it"},
	}
	report := measured.Report()
	return &series.Snapshot{
		Key: base.Key, WindowLength: time.Minute, Profile: window, Baseline: base, Drift: moved,
		Findings:       quality.Evaluate(base, window, quality.Options{}),
		Endpoints:      []series.Endpoint{{Name: "/predict", Total: predict, Last: predict}, {Name: "/batch", Total: refuse, Last: refuse}},
		Classification: &report,
		Dropped:        ai.Dropped{Late: 3},
	}
}

func builder(t testing.TB, spec string, n int) *ai.Baseline {
	t.Helper()
	records, err := script.Generate(spec, n, 1, script.Day)
	require.NoError(t, err)
	b := profile.NewBuilder(profile.BuilderOptions{})
	for i := range records {
		require.NoError(t, b.Add(&records[i]))
	}
	base, err := b.Build(profile.Meta{
		Key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, ID: "b1", Created: script.Day, Source: ai.SourceAuto,
	})
	require.NoError(t, err)
	return base
}

// TestOf compares all series of a snapshot with testdata/series.
func TestOf(t *testing.T) {
	s := snapshot(t)
	var set series.Set
	set.Of(s, series.Options{})
	set.OfStatus([]ai.Status{
		{Service: "shop", Layer: ai.LayerData, Health: ai.Degraded},
		{Service: "shop", Layer: ai.LayerResource, Health: ai.Unknown},
	})
	requireFile(t, "testdata/series", text(t, &set))

	var again series.Set
	again.Of(s, series.Options{})
	var third series.Set
	third.Of(s, series.Options{})
	require.Equal(t, again, third, "equal snapshots give equal series in equal order")
}

// text writes series, one a line, and checks that none is there twice.
func text(t *testing.T, set *series.Set) string {
	t.Helper()
	var b strings.Builder
	seen := map[string]bool{}
	id := func(m *series.Metric, values []string) string {
		require.Len(t, values, len(m.Labels), m.Name)
		labels := make([]string, len(values))
		for i, v := range values {
			labels[i] = fmt.Sprintf("%s=%q", m.Labels[i], v)
		}
		s := m.Name + "{" + strings.Join(labels, ",") + "}"
		require.False(t, seen[s], "%s is there twice", s)
		seen[s] = true
		return s
	}
	for _, s := range set.Samples {
		fmt.Fprintf(&b, "%s %.6g\n", id(s.Metric, s.Values), s.Value)
	}
	for _, h := range set.Histograms {
		require.Equal(t, series.Histogram, h.Metric.Type)
		require.True(t, slices.IsSorted(h.Cumulative))
		require.Equal(t, h.Count, h.Native.Count)
		fmt.Fprintf(&b, "%s count %d sum %.6g buckets %d native buckets %d\n", id(h.Metric, h.Values), h.Count, h.Sum, h.Cumulative, len(h.Native.Counts))
	}
	return b.String()
}

// TestNothingIsKnown checks that what is not known is a gap and no zero.
func TestNothingIsKnown(t *testing.T) {
	var set series.Set
	set.Of(&series.Snapshot{Key: ai.Key{Model: "m"}}, series.Options{})
	for _, s := range set.Samples {
		require.Equal(t, "modelwatch_profile_dropped_total", s.Metric.Name)
	}
	require.Empty(t, set.Histograms)
}

// TestGuards checks that limits hold and that what is left out is counted, while
// the counts of drifted features cover everything.
func TestGuards(t *testing.T) {
	s := snapshot(t)
	var set series.Set
	set.Of(s, series.Options{MaxFeatures: 1, MaxEndpoints: 1, MaxFindings: 1})
	got := map[string]float64{}
	perFeature := map[string]bool{}
	for _, x := range set.Samples {
		switch x.Metric.Name {
		case "modelwatch_series_left_out":
			got[x.Values[3]] = x.Value
		case "modelwatch_drifted_features":
			got["drifted"] = x.Value
		case "modelwatch_feature_missing_ratio", "modelwatch_drift_verdict":
			perFeature[x.Values[3]] = true
		case "model_qps":
			got["qps"] = x.Value
		}
	}
	require.Len(t, perFeature, 1)
	require.InDelta(t, 5, got["features"], 0, "of @prediction, age, city, extra, quiet and text")
	require.InDelta(t, 1, got["endpoints"], 0)
	require.GreaterOrEqual(t, got["findings"], 1.0)
	require.InDelta(t, 2, got["drifted"], 0, "age and city")
	require.InDelta(t, 501.0/60, got["qps"], 1e-9, "all endpoints")
}

func BenchmarkOf(b *testing.B) {
	s := snapshot(b)
	b.ReportAllocs()
	for b.Loop() {
		var set series.Set
		set.Of(s, series.Options{})
	}
}
