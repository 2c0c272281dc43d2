package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// What a model says wins over what is said for all, setting by setting.
func TestJudgingOfAModel(t *testing.T) {
	t.Parallel()
	c, ps := Parse("modelwatch.yml", []byte(`
inferences:
  drift: {alpha: 0.01, method: ks, features: {a: psi, b: psi}, thresholds: {psi: 0.3}}
  quality: {checks: {missing_ratio: {threshold: 0.2}}}
  schema: {a: {kind: number}}
  models:
    ranker:
      drift: {method: psi, features: {b: wasserstein}, possible_alpha: 0.05}
      quality: {min_records: 7, checks: {constant_input: {off: true}}}
      performance: {min_labels: 99, checks: {latency_limit: {threshold: 0.5, critical: 2}}}
      schema: {b: {kind: string, categories: [x, y], nullable: true}}
`))
	require.NoError(t, ps.Err())
	all, ranker := c.Inferences.Judging, c.Inferences.Models["ranker"].Over(c.Inferences.Judging)

	d := ranker.DriftOptions()
	require.Equal(t, 0.01, d.Alpha)
	require.Equal(t, 0.05, d.PossibleAlpha)
	require.Equal(t, "psi", d.Method)
	require.Equal(t, map[string]string{"a": "psi", "b": "wasserstein"}, d.Methods)
	require.Equal(t, map[string]float64{"psi": 0.3}, d.Thresholds)
	require.Equal(t, "ks", all.DriftOptions().Method)
	require.Equal(t, map[string]string{"a": "psi", "b": "psi"}, all.DriftOptions().Methods)

	q := ranker.QualityOptions()
	require.Equal(t, uint64(7), q.MinRecords)
	require.True(t, q.Limits["constant_input"].Off)
	require.Equal(t, 0.2, *q.Limits["missing_ratio"].Threshold)
	require.Equal(t, ai.Schema{Kind: ai.KindString, Categories: []string{"x", "y"}, Nullable: true}, q.Schemas["b"])
	require.Equal(t, ai.KindNumber, q.Schemas["a"].Kind)
	require.Equal(t, uint64(30), all.QualityOptions().MinRecords)

	s := ranker.PerformanceSettings()
	require.Equal(t, uint64(99), s.MinLabels)
	require.Equal(t, 0.5, *s.Limits["latency_limit"].Threshold)
	require.Equal(t, uint64(20), s.MinRequests)
	require.NoError(t, s.Validate())
}
