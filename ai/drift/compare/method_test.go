package compare_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/drift/peer"
)

// Who names a tool as the method of live windows is told where its rule is.
func TestMethodOfAToolPointsHere(t *testing.T) {
	t.Parallel()
	for _, p := range peer.Presets() {
		err := drift.Options{Method: string(p)}.Validate()
		require.ErrorContains(t, err, "modelwatch drift compare --preset="+string(p))
	}
}
