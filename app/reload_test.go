package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/config"
)

// How strict a model is judged is taken over by a reload; how its answers are
// read waits for a start, and that is told.
func TestWhatAReloadTakesOver(t *testing.T) {
	t.Parallel()
	sections := func(model string) any {
		c, problems := config.Parse("modelwatch.yml", []byte("inferences: {models: {churn: "+model+"}}"))
		require.NoError(t, problems.Err())
		return fixed(*c).Interface()
	}
	before := sections("{drift: {alpha: 0.001}}")
	require.Equal(t, before, sections("{drift: {alpha: 0.01}}"))
	require.NotEqual(t, before, sections("{drift: {alpha: 0.001}, task: classification}"))
	require.NotEqual(t, before, sections("{positive_class: churned}"))
}
