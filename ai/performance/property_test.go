package performance

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// wild returns a random record of any sort.
func wild(rng *rand.Rand) (ai.Inference, ai.Value) {
	inf := ai.Inference{
		Service: "shop", Model: "m", ModelVersion: "v1",
		Timestamp:       time.Unix(1_700_000_000+int64(rng.IntN(3600)), 0).UTC(),
		DurationSeconds: math.Exp(rng.NormFloat64() * 3),
		StatusCode:      []int{200, 200, 200, 0, 429, 499, 404, 500, 504}[rng.IntN(9)],
	}
	if rng.IntN(6) == 0 {
		inf.Error = []string{"oom: 7", "timeout after 3 s", "refused", "context canceled"}[rng.IntN(4)]
	}
	if rng.IntN(3) == 0 {
		inf.Tokens = ai.Tokens{Input: rng.Uint64N(500), Output: rng.Uint64N(500)}
		inf.TimeToFirstTokenSeconds = inf.DurationSeconds * rng.Float64()
	}
	var label ai.Value
	switch rng.IntN(4) {
	case 0:
		y := rng.NormFloat64() * 100
		inf.Prediction, label = ai.Number(y+rng.NormFloat64()), ai.Number(y)
	case 1:
		p := rng.Float64()
		inf.Probabilities = []ai.ClassProbability{{Class: "no", P: 1 - p}, {Class: "yes", P: p}}
		inf.Prediction, label = ai.String([]string{"no", "yes"}[rng.IntN(2)]), ai.String([]string{"no", "yes"}[rng.IntN(2)])
	case 2:
		inf.Prediction, label = ai.String(string(rune('a'+rng.IntN(5)))), ai.String(string(rune('a'+rng.IntN(5))))
	}
	return inf, label
}

// tree decodes v's JSON, for comparing with a tolerance.
func tree(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

func requireClose(t *testing.T, a, b any, path string) {
	t.Helper()
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		require.True(t, ok, path)
		require.Len(t, b, len(a), path)
		for k := range a {
			requireClose(t, a[k], b[k], path+"."+k)
		}
	case []any:
		b, ok := b.([]any)
		require.True(t, ok, path)
		require.Len(t, b, len(a), path)
		for i := range a {
			requireClose(t, a[i], b[i], path)
		}
	case float64:
		b, ok := b.(float64)
		require.True(t, ok, path)
		require.InDelta(t, a, b, 1e-8*max(1, math.Abs(a)), path)
	default:
		require.Equal(t, a, b, path)
	}
}

// Merging windows in any order and grouping gives the window of all records.
func TestMergeIsConcatenation(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		whole := NewWindow(Options{})
		parts := make([]*Window, 1+rng.IntN(6))
		for i := range parts {
			parts[i] = NewWindow(Options{})
		}
		for range 400 {
			inf, label := wild(rng)
			part := parts[rng.IntN(len(parts))]
			whole.Observe(&inf)
			part.Observe(&inf)
			if !label.IsMissing() {
				require.Equal(t, whole.ObserveLabel(&inf, label), part.ObserveLabel(&inf, label))
			}
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		merged := NewWindow(Options{})
		for _, p := range parts {
			before := tree(t, p)
			merged.Merge(p)
			requireClose(t, before, tree(t, p), "the merged part changed")
		}
		requireClose(t, tree(t, whole.Service.Summary(time.Minute)), tree(t, merged.Service.Summary(time.Minute)), "summary")
		requireClose(t, tree(t, &whole.Service), tree(t, &merged.Service), "service")
		requireClose(t, tree(t, &whole.Predictions), tree(t, &merged.Predictions), "predictions")
		requireClose(t, tree(t, whole.Classification.Report()), tree(t, merged.Classification.Report()), "classification")
		requireClose(t, tree(t, whole.Regression.Report()), tree(t, merged.Regression.Report()), "regression")
		a, b := NewReference(whole, time.Hour), NewReference(merged, time.Hour)
		requireClose(t, tree(t, a.Estimate(&whole.Predictions)), tree(t, b.Estimate(&merged.Predictions)), "estimate")
	}
}

func TestResetIsEmpty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	w := NewWindow(Options{})
	for range 100 {
		inf, label := wild(rng)
		w.Observe(&inf)
		w.ObserveLabel(&inf, label)
	}
	w.Reset()
	requireClose(t, tree(t, NewWindow(Options{})), tree(t, w), "window")
	require.Zero(t, w.Labelled())
}

func TestReferenceSurvivesJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	w := NewWindow(Options{PositiveClass: "yes"})
	for range 2000 {
		inf, label := wild(rng)
		w.Observe(&inf)
		w.ObserveLabel(&inf, label)
	}
	r := NewReference(w, 90*time.Minute)
	data, err := json.Marshal(r)
	require.NoError(t, err)
	var back Reference
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, r.Length, back.Length)
	requireClose(t, tree(t, r), tree(t, &back), "reference")
	require.Less(t, len(data), 80<<10)
}

func TestSketchRelativeError(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for _, draw := range []func() float64{
		func() float64 { return math.Exp(rng.NormFloat64() * 4) },
		func() float64 { return rng.Float64() },
		func() float64 { return 1 / (1e-6 + rng.Float64()) },
		func() float64 { return math.Exp2(float64(rng.IntN(40)-20) / 32) }, // On bounds.
	} {
		var s Sketch
		values := make([]float64, 5000)
		for i := range values {
			values[i] = draw()
			s.Add(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
			got, ok := s.Quantile(q)
			require.True(t, ok)
			require.InEpsilon(t, values[int(q*float64(len(values)-1))], got, SketchError*(1+1e-6), "q=%v", q)
		}
	}
}

// Every value is in the bucket whose bounds hold it, bounds themselves among them.
func TestSketchBuckets(t *testing.T) {
	for i := sketchMinIndex; i <= sketchMaxIndex; i++ {
		upper := bucketUpper(i)
		require.Equal(t, i, bucketIndex(upper))
		require.Equal(t, min(i+1, sketchMaxIndex), bucketIndex(math.Nextafter(upper, math.Inf(1))))
		require.InEpsilon(t, math.Exp2(float64(i)/32), upper, 1e-14)
	}
	var s Sketch
	for _, v := range []float64{0, SketchZero, 1e-300, 5e-324} {
		require.True(t, s.Add(v))
	}
	require.EqualValues(t, 4, s.zero)
	require.True(t, s.Add(1e300))
	require.EqualValues(t, 1, s.CountAbove(1000))
	for _, v := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		require.False(t, s.Add(v))
	}
	require.EqualValues(t, 5, s.Count())
	require.InEpsilon(t, 1e300, s.Max(), 1e-12)
}

func TestSketchAsHistograms(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 5))
	var s Sketch
	values := make([]float64, 3000)
	for i := range values {
		values[i] = 0.1 * math.Exp(rng.NormFloat64())
		if i%100 == 0 {
			values[i] = 0
		}
		s.Add(values[i])
	}
	for schema := -4; schema <= SketchSchema; schema++ {
		n := s.Native(schema)
		require.EqualValues(t, schema, n.Schema)
		require.EqualValues(t, 30, n.ZeroCount)
		// Count every value again by the definition of the schema.
		want := map[int]uint64{}
		for _, v := range values {
			if v > 0 {
				want[int(math.Ceil(math.Log2(v)*math.Exp2(float64(schema))))]++
			}
		}
		got := map[int]uint64{}
		index, k := 0, 0
		total := n.ZeroCount
		for i, span := range n.Spans {
			require.True(t, i == 0 || span.Offset > 0, "spans must not touch")
			index += int(span.Offset)
			for range span.Length {
				got[index] = n.Counts[k]
				total += n.Counts[k]
				index++
				k++
			}
		}
		require.Len(t, n.Counts, k)
		require.Equal(t, n.Count, total)
		require.Equal(t, want, got, "schema %d", schema)
	}
	bounds := []float64{-1, 0, 0.005, 0.05, 0.125, 0.25, 0.5, 1, 100}
	got := s.Classic(bounds)
	for i, b := range bounds {
		least, most := uint64(0), uint64(0)
		for _, v := range values {
			if v <= b {
				most++
			}
			if v <= b/1.0219 {
				least++
			}
		}
		if b == 0 {
			continue // Values up to a nanosecond count as 0, and 0 as above 0.
		}
		require.True(t, got[i] >= least && got[i] <= most, "bound %v: %d, must be %d to %d", b, got[i], least, most)
	}
	require.Equal(t, s.Count(), got[len(got)-1])
	require.True(t, slices.IsSorted(got))
}

// A histogram that is scraped must never go back.
func TestHistogramsOnlyGrow(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 5))
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}
	var s Sketch
	before := s.Classic(bounds)
	for range 5000 {
		require.True(t, s.Add(0.1*math.Exp(rng.NormFloat64())))
		after := s.Classic(bounds)
		for i := range after {
			require.GreaterOrEqual(t, after[i], before[i], "bound %v", bounds[i])
		}
		before = after
	}
}

func TestBinnedAreaWithinItsBound(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 3))
		n := 20 + rng.IntN(500)
		var h scores
		score, positive := make([]float64, n), make([]bool, n)
		for i := range n {
			positive[i] = rng.IntN(3) == 0
			shift := 0.0
			if positive[i] {
				shift = 1
			}
			score[i] = logistic(rng.NormFloat64()*(0.2+rng.Float64()*2) + shift)
			side := 0
			if positive[i] {
				side = 1
			}
			require.True(t, h.add(score[i], side))
		}
		exact, ok := AreaUnderROC(score, positive)
		if !ok {
			continue
		}
		area, _, bound, ok := areaUnder(h.groups())
		require.True(t, ok)
		require.InDelta(t, exact, area, bound+1e-12)
	}
}

func TestScoreBins(t *testing.T) {
	for b := range numScoreBins {
		low, high := scoreBounds(b)
		require.Less(t, low, high)
		require.Equal(t, b, scoreBin((low+high)/2), "bin %d: %v to %v", b, low, high)
	}
	require.Equal(t, 0, scoreBin(0))
	require.Equal(t, numScoreBins-1, scoreBin(1))
}

// The distribution-free interval holds its level on a skewed distribution.
func TestQuantileIntervalCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 4))
	const rounds = 1000
	for _, c := range []struct {
		n int
		q float64
	}{{40, 0.5}, {100, 0.95}, {300, 0.95}} {
		truth := math.Exp(z(c.q))
		hits := 0
		for range rounds {
			var s Sketch
			for range c.n {
				s.Add(math.Exp(rng.NormFloat64()))
			}
			if s.QuantileInterval(c.q).Contains(truth) {
				hits++
			}
		}
		require.GreaterOrEqual(t, float64(hits)/rounds, 0.94, "n=%d q=%v", c.n, c.q)
	}
}

// z inverts the normal distribution, by halving.
func z(q float64) float64 {
	low, high := -10.0, 10.0
	for range 80 {
		m := (low + high) / 2
		if 1-normalAbove(m) < q {
			low = m
		} else {
			high = m
		}
	}
	return low
}

// TestFalseFindings draws windows from the distribution of their baseline: a
// check must not find anything in more than one of a hundred, at any size.
func TestFalseFindings(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 4))
	fill := func(w *Window, n int) {
		for range n {
			// A heavy tail, a few errors, a model that is right as often as it says.
			p := rng.Float64()
			inf := ai.Inference{Model: "m", DurationSeconds: 0.05 * math.Exp(rng.NormFloat64()), StatusCode: 200}
			if rng.Float64() < 0.02 {
				inf.StatusCode = 500
			}
			inf.Prediction = ai.Number(math.Round(p))
			inf.Probabilities = []ai.ClassProbability{{Class: "0", P: 1 - p}, {Class: "1", P: p}}
			label := ai.Number(0)
			if rng.Float64() < p {
				label = ai.Number(1)
			}
			w.Observe(&inf)
			w.ObserveLabel(&inf, label)
		}
	}
	const rounds = 100
	for _, rows := range []int{1001, 20_000} {
		base := NewWindow(Options{})
		fill(base, rows)
		reference := NewReference(base, time.Hour)
		for _, n := range []int{30, 100, 500} {
			found := map[string]int{}
			for range rounds {
				w := NewWindow(Options{})
				fill(w, n)
				j := Judge(ai.Key{Model: "m"}, ai.Window{}, w, reference, Settings{Limits: map[string]Limit{"error_limit": {Off: true}}})
				for _, f := range j.Findings() {
					found[f.Kind]++
				}
			}
			for kind, k := range found {
				require.LessOrEqual(t, k, rounds/100, "%s, baseline of %d, window of %d", kind, rows, n)
			}
		}
	}
}

// TestPower draws windows from a changed distribution: the check that is about
// the change must find it.
func TestPower(t *testing.T) {
	rng := rand.New(rand.NewPCG(22, 4))
	fill := func(w *Window, n int, slow, errors float64) {
		for range n {
			inf := ai.Inference{Model: "m", DurationSeconds: 0.1 * slow * math.Exp(rng.NormFloat64()/2), StatusCode: 200}
			if rng.Float64() < errors {
				inf.StatusCode = 500
			}
			w.Observe(&inf)
		}
	}
	base := NewWindow(Options{})
	fill(base, 5000, 1, 0.005)
	reference := NewReference(base, time.Hour)
	const rounds = 100
	found := map[string]int{}
	for range rounds {
		w := NewWindow(Options{})
		fill(w, 100, 2, 0.15)
		j := Judge(ai.Key{Model: "m"}, ai.Window{}, w, reference, Settings{})
		for _, f := range j.Findings() {
			found[f.Kind]++
		}
	}
	for _, kind := range []string{"latency_p50", "latency_p95", "error_ratio", "error_limit"} {
		require.GreaterOrEqual(t, found[kind], rounds*9/10, kind)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		status int
		err    string
		want   Class
	}{
		{0, "", ClassOK},
		{200, "", ClassOK},
		{302, "", ClassOK},
		{200, "bad output", ClassOther},
		{0, "bad output", ClassOther},
		{0, "Read TIMEOUT", ClassTimeout},
		{0, "context deadline exceeded", ClassTimeout},
		{0, "request cancelled", ClassCancelled},
		{400, "timeout must be positive", ClassClient},
		{404, "", ClassClient},
		{408, "", ClassTimeout},
		{429, "", ClassOverload},
		{499, "", ClassCancelled},
		{500, "", ClassServer},
		{503, "timed out", ClassTimeout},
		{504, "", ClassTimeout},
		{999, "", ClassServer},
	} {
		require.Equal(t, c.want, Classify(c.status, c.err), "%d %q", c.status, c.err)
	}
	require.Equal(t, "server", ClassServer.String())
	require.Equal(t, "unknown", Class(99).String())
	require.False(t, Class(99).Failure())
}

func TestErrorNamesAreBounded(t *testing.T) {
	var s Service
	for i := range 1000 {
		s.Observe(&ai.Inference{Model: "m", Error: string(rune('a'+i%26)) + string(rune('a'+i/26)) + ": detail"})
	}
	require.LessOrEqual(t, len(s.Errors), MaxErrorNames+1)
	var total uint64
	for _, n := range s.Errors {
		total += n
	}
	require.EqualValues(t, 1000, total)
	require.NotZero(t, s.Errors[OtherErrors])
}

func TestClassesAreBounded(t *testing.T) {
	c := NewClassification(Options{MaxClasses: 3})
	for i := range 100 {
		inf := ai.Inference{Model: "m", Prediction: ai.Number(float64(i % 10))}
		require.True(t, c.Observe(&inf, ai.Number(float64(i%7))))
	}
	require.LessOrEqual(t, len(c.classes), 4)
	r := c.Report()
	right := 0
	for i := range 100 {
		if i%10 == i%7 {
			right++
		}
	}
	require.InDelta(t, float64(right)/100, r.Accuracy.Value, 1e-12)
}

func TestObserveDoesNotAllocate(t *testing.T) {
	in := records(1000)
	w := NewWindow(Options{})
	for i := range in {
		w.Observe(&in[i])
	}
	i := 0
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		w.Observe(&in[i%len(in)])
		i++
	}))
}

func TestProbabilitiesThatAreNoneAreIgnored(t *testing.T) {
	w := NewWindow(Options{})
	for _, p := range []float64{math.NaN(), -0.1, 1.1, math.Inf(1)} {
		inf := binaryInference(p, 1)
		w.Observe(inf)
		require.True(t, w.ObserveLabel(inf, ai.Number(1)))
	}
	r := w.Classification.Report()
	require.EqualValues(t, 4, r.N)
	require.False(t, r.LogLoss.Known)
	require.False(t, r.AUC.Known)
	require.Zero(t, w.Predictions.N())
	_, err := json.Marshal(w)
	require.NoError(t, err)
}

func TestSettingsValidate(t *testing.T) {
	x := func(v float64) *float64 { return &v }
	require.NoError(t, Settings{}.Validate())
	require.NoError(t, Settings{Limits: map[string]Limit{"latency_limit": {Critical: x(0.5)}}}.Validate())
	for _, c := range []struct {
		settings Settings
		want     string
	}{
		{Settings{Alpha: 2}, "performance alpha 2 is not a probability"},
		{Settings{Limits: map[string]Limit{"latency": {}}}, `performance check "latency" is not known: use one of no_success, error_limit`},
		{
			Settings{Limits: map[string]Limit{"error_limit": {Threshold: x(0.5), Critical: x(0.1)}}},
			`performance check "error_limit": critical (0.1) must not be below threshold (0.5)`,
		},
		{
			Settings{Limits: map[string]Limit{"token_rate": {Threshold: x(0.1), Critical: x(0.5)}}},
			`performance check "token_rate": critical (0.5) must not be above threshold (0.1)`,
		},
		{Settings{Limits: map[string]Limit{"f1": {Threshold: x(math.NaN())}}}, `performance check "f1": a threshold is not a finite number`},
	} {
		require.ErrorContains(t, c.settings.Validate(), c.want)
	}
}

func TestCatalogueIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		require.False(t, seen[k.ID], k.ID)
		seen[k.ID] = true
		require.NotEmpty(t, k.Title)
		require.NotEmpty(t, k.Message)
		require.NotNil(t, k.Critical)
		require.Contains(t, ai.Layers(), k.Layer)
		require.Equal(t, k.judge == nil, k.ID == "version")
		if k.Direction == ai.Above {
			require.LessOrEqual(t, k.Threshold, *k.Critical)
		} else {
			require.GreaterOrEqual(t, k.Threshold, *k.Critical)
		}
	}
	require.Len(t, Catalogue(), len(seen))
}
