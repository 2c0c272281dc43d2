package models

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

func TestSampledRowsComeBack(t *testing.T) {
	t.Parallel()
	want := ai.Inference{
		Features: []ai.Feature{
			{Name: "n", Value: ai.Number(math.Inf(-1))},
			{Name: "s", Value: ai.String("ü")},
			{Name: "b", Value: ai.Bool(true)},
			{Name: "v", Value: ai.Vector([]float64{1, -2.5})},
			{Name: "m", Value: ai.Value{}},
		},
		Prediction: ai.String(""), Probabilities: []ai.ClassProbability{{Class: "yes", P: 0.25}}, StatusCode: 500,
	}
	got, err := decodeRow(appendRow(nil, &want))
	require.NoError(t, err)
	require.Len(t, got.Features, len(want.Features))
	for i := range want.Features {
		require.Equal(t, want.Features[i].Name, got.Features[i].Name)
		require.True(t, want.Features[i].Value.Equal(got.Features[i].Value), "%s", want.Features[i].Name)
	}
	require.True(t, want.Prediction.Equal(got.Prediction))
	require.Equal(t, want.Probabilities, got.Probabilities)
	require.True(t, got.Failed())
}

func FuzzDecodeRow(f *testing.F) {
	f.Add(appendRow(nil, &ai.Inference{Features: []ai.Feature{{Name: "a", Value: ai.Number(1)}}, Prediction: ai.Vector([]float64{1})}))
	f.Fuzz(func(t *testing.T, data []byte) {
		inf, err := decodeRow(data)
		if err != nil {
			return
		}
		again, err := decodeRow(appendRow(nil, inf))
		require.NoError(t, err)
		require.Len(t, again.Features, len(inf.Features))
	})
}

// TestReservoirIsEven checks that a sample has early and late records alike.
func TestReservoirIsEven(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c := newCollector(Auto{Records: 1000, Bytes: 1 << 20}, time.Minute, performance.Options{}, at)
	const n = 50_000
	for i := range n {
		c.add(&ai.Inference{Features: []ai.Feature{{Name: "i", Value: ai.Number(float64(i))}}}, at.Add(time.Duration(i)*time.Millisecond))
	}
	require.Len(t, c.rows, 1000)
	var sum float64
	for _, row := range c.rows {
		inf, err := decodeRow(row)
		require.NoError(t, err)
		x, _ := inf.Features[0].Value.Number()
		sum += x
	}
	// The mean of a thousand uniform numbers is within four of its own deviations.
	require.InDelta(t, n/2, sum/1000, 4*n/math.Sqrt(12)/math.Sqrt(1000))
	require.True(t, c.ready(at))
}

// TestLabelBucketsAreBounded sends labels of a month in any order.
func TestLabelBucketsAreBounded(t *testing.T) {
	t.Parallel()
	opt := Options{}.withDefaults()
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := labels{}
		sent := uint64(0)
		for i := range 20_000 {
			at := start.Add(time.Duration(i) * 2 * time.Minute)
			at = at.Add(-time.Duration(rng.ExpFloat64() * float64(24*time.Hour)))
			inf := ai.Inference{Prediction: ai.String("a")}
			l.add(&Labelled{Prediction: inf.Prediction, Label: ai.String("b"), PredictedAt: at}, &inf, &opt)
			sent++
		}
		var counted uint64
		for i, b := range l.buckets {
			counted += b.counts.Labelled()
			if i > 0 {
				require.False(t, b.Start.Before(l.buckets[i-1].End()), "%s overlaps %s", b.Window, l.buckets[i-1].Window)
			}
		}
		require.LessOrEqual(t, len(l.buckets), 110)
		require.LessOrEqual(t, counted+l.late, sent)
		require.Greater(t, counted+l.late, sent/2)
		require.NotNil(t, l.current(l.newest, &opt))
	}
}

func TestNaturalOrder(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "v1", "v1.9", "v1.10", "v1.10-rc", "v2", "v010", "v11", "w"}
	for i := range sorted {
		for j := range sorted {
			require.Equal(t, i < j, natural(sorted[i], sorted[j]) < 0, "%q %q", sorted[i], sorted[j])
		}
	}
}
