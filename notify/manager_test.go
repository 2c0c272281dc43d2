package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBreachToNotificationIsPrompt(t *testing.T) {
	h := newHook(t, nil)
	m := start(t, testOptions(t, h.quick("")))
	// The first one opens the connection.
	m.Send(firing("alertname", "Warmup"))
	h.next(t)

	sent := time.Now()
	m.Send(firing("alertname", "HighLatency", "service", "ranker"))
	got := h.next(t)
	took := got.at.Sub(sent)
	t.Logf("from Send to the receiver: %s", took)
	require.Equal(t, "HighLatency", got.names())
	require.Equal(t, "ranker", got.Alerts[0].Labels["service"])
	require.Less(t, took, 500*time.Millisecond)
}
