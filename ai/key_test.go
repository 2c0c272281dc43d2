package ai_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

func TestWindowAt(t *testing.T) {
	at := time.Date(2026, 3, 1, 23, 59, 59, 999_999_999, time.FixedZone("east", 3600))
	for length, want := range map[time.Duration]string{
		time.Minute:      "2026-03-01T22:59:00Z+1m0s",
		10 * time.Minute: "2026-03-01T22:50:00Z+10m0s",
		time.Hour:        "2026-03-01T22:00:00Z+1h0m0s",
		24 * time.Hour:   "2026-03-01T00:00:00Z+24h0m0s",
	} {
		w := ai.WindowAt(at, length)
		require.Equal(t, want, w.String())
		require.True(t, w.Contains(at))
		require.True(t, w.Contains(w.Start))
		require.False(t, w.Contains(w.End()))
		require.Equal(t, ai.WindowAt(w.End(), length).Start, w.End())
	}
	before1970 := ai.WindowAt(time.Unix(-30, 0), time.Minute)
	require.Equal(t, int64(-60), before1970.Start.Unix())
	require.Equal(t, int64(-60), ai.WindowAt(time.Unix(-60, 0), time.Minute).Start.Unix())
}

func TestKeyOrder(t *testing.T) {
	a, b := ai.Key{Model: "a", Version: "2"}, ai.Key{Model: "a", Version: "10"}
	require.Positive(t, a.Compare(b))
	require.Zero(t, a.Compare(a))
	require.Equal(t, "a@2", a.String())
	require.Equal(t, "s/m", ai.Key{Service: "s", Model: "m"}.String())
}

func TestOrders(t *testing.T) {
	require.Equal(t, ai.Unknown, ai.Worst())
	require.Equal(t, ai.Unknown, ai.Worst(ai.Healthy, ai.Unknown))
	require.Equal(t, ai.Down, ai.Worst(ai.Degraded, ai.Down, ai.Unknown))
	require.Equal(t, 1, ai.Health("").Rank(), "a state that is not known is unknown, never healthy")
	require.Greater(t, ai.SeverityCritical.Rank(), ai.SeverityWarning.Rank())
	_, ok := ai.VerdictUnknown.Value()
	require.False(t, ok)
	x, ok := ai.VerdictDrift.Value()
	require.True(t, ok)
	require.InDelta(t, 2, x, 0)
	require.Len(t, ai.Layers(), 4)
}
