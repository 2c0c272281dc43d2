package app

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSetBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		wall, monotonic, want time.Duration
	}{
		{"as usual", time.Second, time.Second, 0},
		{"slewed", 999 * time.Millisecond, time.Second, 0},
		{"a loaded machine", 30 * time.Second, 30 * time.Second, 0},
		{"suspended", time.Hour, time.Second, 0},
		{"set forward", time.Hour + time.Second, time.Second, 0},
		{"set back a little", time.Second, 3 * time.Second, 2 * time.Second},
		{"set back by hours", time.Second - 2*time.Hour, time.Second, 2 * time.Hour},
	} {
		require.Equal(t, c.want, setBack(c.wall, c.monotonic), c.name)
	}
}
