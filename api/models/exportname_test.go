package models

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExportName(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{"key":{"service":"shop","model":"ranker","model_version":"v1"},"number":2}`: "ranker-v1-baseline-2.json",
		`{"key":{"model":"price/eur \"x\""},"number":1}`:                              "price_eur__x_-baseline-1.json",
		`{"key":{"model":"模型","model_version":"../v2"},"number":3}`:                   "模型-.._v2-baseline-3.json",
		`{}`: "b-1.json",
		`no`: "b-1.json",
	} {
		require.Equal(t, want, exportName([]byte(document), "b-1"), document)
	}
}
