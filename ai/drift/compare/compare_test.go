package compare_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift/compare"
	"github.com/modelwatch/modelwatch/ai/drift/peer"
)

func table(t *testing.T, n int, row func(i int) map[string]ai.Value) *compare.Table {
	t.Helper()
	out := new(compare.Table)
	for i := range n {
		inf := ai.Inference{Service: "s", Model: "m"}
		for _, name := range []string{"a", "b", "c"} {
			if v, ok := row(i)[name]; ok {
				inf.Features = append(inf.Features, ai.Feature{Name: name, Value: v})
			}
		}
		require.NoError(t, out.Add(inf))
	}
	return out
}

func number(i int) ai.Value { return ai.Number(float64(i * 7919 % 1000)) }

func TestPresets(t *testing.T) {
	t.Parallel()
	ref := table(t, 1200, func(i int) map[string]ai.Value { return map[string]ai.Value{"a": number(i), "b": number(i)} })
	cur := table(t, 600, func(i int) map[string]ai.Value {
		x, _ := number(i).Number()
		return map[string]ai.Value{"a": number(i), "b": ai.Number(x + 400)}
	})
	r, err := compare.Compare(ref, cur, compare.Presets())
	require.NoError(t, err)
	require.True(t, r.Drift)
	require.Len(t, r.Results, 8)
	for _, x := range r.Results {
		want := ai.VerdictNone
		if x.Feature == "b" {
			want = ai.VerdictDrift
			require.NotNil(t, x.Change, x.Preset)
			require.Greater(t, x.Change.To, x.Change.From, x.Preset)
		}
		require.Equal(t, want, x.Verdict, "%s by %s", x.Feature, x.Preset)
	}
	// Figures are those of the tool's own rule.
	var x, y peer.Sample
	for i := range 1200 {
		v, _ := number(i).Number()
		x.Numbers = append(x.Numbers, v)
		if i < 600 {
			y.Numbers = append(y.Numbers, v+400)
		}
	}
	d, err := peer.Judge(peer.Evidently, x, y)
	require.NoError(t, err)
	require.Equal(t, "evidently", r.Results[5].Preset)
	require.InDelta(t, d.Score, *r.Results[5].Score, 1e-12)
	require.Nil(t, r.Results[5].PValue) // A distance beyond 1,000 rows.
}

func TestColumns(t *testing.T) {
	t.Parallel()
	ref := table(t, 300, func(i int) map[string]ai.Value { return map[string]ai.Value{"a": number(i), "b": number(i)} })
	cur := table(t, 300, func(i int) map[string]ai.Value { return map[string]ai.Value{"a": ai.String("x"), "c": number(i)} })
	r, err := compare.Compare(ref, cur, []string{"evidently"})
	require.NoError(t, err)
	require.Equal(t, []string{"c"}, r.New)
	require.Equal(t, []string{"b"}, r.Vanished)
	require.Equal(t, []compare.Retyping{{Feature: "a", From: ai.KindNumber, To: ai.KindString}}, r.Retyped)
	require.True(t, r.Drift)
	require.Equal(t, ai.VerdictUnknown, r.Results[0].Verdict)
	require.Equal(t, "the values were number and are string now", r.Results[0].Reason)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	full := table(t, 3, func(i int) map[string]ai.Value { return map[string]ai.Value{"a": number(i)} })
	_, err := compare.Compare(full, full, []string{"alibi"})
	require.ErrorContains(t, err, `preset "alibi" is not known`)
	_, err = compare.Compare(full, new(compare.Table), compare.Presets())
	require.ErrorContains(t, err, "3 rows in the baseline and 0 in the current data")
	small := &compare.Table{Limit: 3}
	inf := ai.Inference{Features: []ai.Feature{{Name: "a", Value: ai.Number(1)}}}
	require.NoError(t, small.Add(inf))
	require.ErrorContains(t, small.Add(inf), "row 2 is beyond 3 values")
}
