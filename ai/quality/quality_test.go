package quality

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/internal/script"
	"github.com/modelwatch/modelwatch/ai/profile"
)

func TestAgainstSciPy(t *testing.T) {
	data, err := os.ReadFile("../../test/golden/stats.json")
	require.NoError(t, err)
	var golden struct {
		Fisher []struct {
			K0, N0, K1, N1 uint64
			P              float64
		}
		Outside []struct {
			K, M, N uint64
			P       float64
		}
	}
	require.NoError(t, json.Unmarshal(data, &golden))
	require.NotEmpty(t, golden.Fisher)
	for _, c := range golden.Fisher {
		require.InEpsilon(t, c.P, fisherGreater(c.K0, c.N0, c.K1, c.N1), 1e-6, "%+v", c)
	}
	require.NotEmpty(t, golden.Outside)
	for _, c := range golden.Outside {
		require.InEpsilon(t, c.P, outsideRange(c.K, c.M, c.N), 1e-6, "%+v", c)
	}
}

func TestProportionsAtTheEdges(t *testing.T) {
	require.InDelta(t, 1, fisherGreater(0, 0, 1, 2), 0)
	require.InDelta(t, 1, fisherGreater(3, 4, 0, 2), 0)
	require.InDelta(t, 1, outsideRange(3, 4, 1), 0)
	require.Zero(t, outsideRange(5, 4, 10))
	for _, p := range []float64{fisherGreater(1e9, 2e9, 1e9, 1.9e9), outsideRange(1e6, 1e9, 1e6), fisherGreater(1, 1e12, 3, 1e12)} {
		require.False(t, math.IsNaN(p) || p < 0 || p > 1, "%v", p)
	}
}

// TestCatalogue checks that every line is complete, so that pages and alerts can
// rely on it.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Catalogue() {
		require.False(t, seen[c.ID], c.ID)
		seen[c.ID] = true
		for what, s := range map[string]string{"id": c.ID, "title": c.Title, "unit": c.Unit, "message": c.Message} {
			require.NotEmpty(t, s, "%s of %s", what, c.ID)
		}
		require.Equal(t, ai.LayerData, c.Layer)
		require.Contains(t, []ai.Direction{ai.Above, ai.Below}, c.Direction)
		require.Positive(t, c.Severity.Rank())
		require.True(t, strings.HasSuffix(c.Message, "."))
		file := "testdata"
		entries, err := os.ReadDir(file)
		require.NoError(t, err)
		found := false
		for _, e := range entries {
			text, err := os.ReadFile(file + "/" + e.Name())
			require.NoError(t, err)
			found = found || strings.Contains(string(text), " "+c.ID+" ")
		}
		require.True(t, found, "no script finds %s", c.ID)
	}
}

// TestDocsPage compares docs/data-quality.md with the catalogue; -rewrite writes it.
func TestDocsPage(t *testing.T) {
	const path = "../../docs/data-quality.md"
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		require.NoError(t, os.WriteFile(path, []byte(Page()), 0o644))
		return
	}
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, Page(), string(page), "run go generate ./ai/quality")
}

func TestOptionsValidate(t *testing.T) {
	require.NoError(t, Options{}.Validate())
	err := Options{Limits: map[string]Limit{"missing": {}}}.Validate()
	require.ErrorContains(t, err, `quality check "missing" is not known: use one of missing_ratio, `)
	require.ErrorContains(t, Options{Alpha: 2}.Validate(), "alpha 2 is not a probability")
}

// TestNoFalseAlarms checks the promise about small windows: with nothing wrong,
// at most Alpha of the windows have a finding, whatever their size.
func TestNoFalseAlarms(t *testing.T) {
	const spec = "a: normal 0 1 missing 0.1\nb: lognormal 0 2 missing 0.01\nc: choice x 0.5 y 0.3 z 0.19 rare 0.01\n" +
		"d: integers 0 20 absent 0.3\ne: bool 0.02\nf1..f10: normal 5 1 missing 0.05 instead 0.02 \"n/a\""
	windows, found := 0, 0
	for seed := range uint64(6) {
		base := build(t, spec, 1001, seed)
		for _, n := range []int{10, 30, 50, 100, 200, 500, 1000} {
			for repeat := range uint64(4) {
				windows++
				m := window(t, base, spec, n, 1000+seed*100+repeat)
				if f := Evaluate(base, m, Options{}); len(f) > 0 {
					found++
					t.Logf("n=%d: %s", n, f[0].Message)
				}
			}
		}
	}
	// 168 windows: 0.2 on average at 0.001 a window and check; effects have to be
	// above their thresholds as well.
	require.LessOrEqual(t, found, 1, "of %d windows", windows)
}

// TestFindsWhatIsThere checks that the price of caution is small: a third of
// values missing is found in a window of 50 records.
func TestFindsWhatIsThere(t *testing.T) {
	base := build(t, "a: normal 0 1 missing 0.01\nf1..f20: normal 0 1", 1001, 1)
	found := 0
	for seed := range uint64(50) {
		m := window(t, base, "a: normal 0 1 missing 0.33\nf1..f20: normal 0 1", 50, seed)
		for _, f := range Evaluate(base, m, Options{}) {
			require.Equal(t, "a", f.Feature, f.Message)
			require.Equal(t, "missing_ratio", f.Kind)
			found++
		}
	}
	require.GreaterOrEqual(t, found, 49)
}

func build(t testing.TB, spec string, n int, seed uint64) *ai.Baseline {
	t.Helper()
	records, err := script.Generate(spec, n, seed, script.Day)
	require.NoError(t, err)
	b := profile.NewBuilder(profile.BuilderOptions{})
	for i := range records {
		require.NoError(t, b.Add(&records[i]))
	}
	base, err := b.Build(profile.Meta{Key: ai.Key{Model: "ranker"}, ID: fmt.Sprint("b", seed)})
	require.NoError(t, err)
	return base
}

func window(t testing.TB, base *ai.Baseline, spec string, n int, seed uint64) *ai.ModelProfile {
	t.Helper()
	records, err := script.Generate(spec, n, seed, script.Day)
	require.NoError(t, err)
	a := profile.NewAccumulator(base.Key, base, profile.Options{})
	for i := range records {
		a.Add(&records[i], records[i].Timestamp)
	}
	out := a.Flush()
	require.Len(t, out, 1)
	return out[0]
}

// BenchmarkEvaluate measures a window of 1,000 features.
func BenchmarkEvaluate(b *testing.B) {
	base := build(b, "f1..f1000: normal 5 1 missing 0.05", 1001, 1)
	m := window(b, base, "f1..f1000: normal 5 1 missing 0.05", 1000, 2)
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(base, m, Options{})
	}
}
