package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The default alone gives way to the bound of ingest; what somebody chose does not.
func TestHeapGrowth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		configured   int
		chosen, busy bool
		want         int
	}{
		{configured: 75, want: usualPercent},
		{configured: 75, busy: true, want: busyPercent},
		{configured: 75, busy: true, chosen: true, want: 75},
		{configured: 200, busy: true, want: 200},
		{configured: 20, busy: true, want: 20},
		{configured: -1, busy: true, chosen: true, want: -1},
	} {
		h := heapGrowth{configured: c.configured, chosen: c.chosen, busy: c.busy}
		require.Equal(t, c.want, h.percent(), "%+v", c)
	}
}
