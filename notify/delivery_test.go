package notify

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// newest returns the newest record.
func newest(t *testing.T, m *Manager) Notification {
	t.Helper()
	found, err := m.History(t.Context(), Query{Limit: 1})
	require.NoError(t, err)
	if len(found) == 0 {
		return Notification{}
	}
	return found[0]
}

func TestRetryThenRecover(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(n int) int {
		if n <= 2 {
			return http.StatusServiceUnavailable
		}
		return http.StatusOK
	})
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow", "service", "ranker"))
	eventually(t, "the failure is shown while it is retried", func() bool {
		n := newest(t, m)
		return n.Status == Retrying && n.Attempts >= 1
	})
	failed, err := m.History(t.Context(), Query{Failed: true})
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.Contains(t, failed[0].Error, "unexpected status code 503")

	require.Equal(t, "Slow", h.next(t).names())
	eventually(t, "the success is recorded", func() bool { return newest(t, m).Status == Sent })
	n := newest(t, m)
	require.Equal(t, 3, n.Attempts)
	require.Equal(t, "hook", n.Receiver)
	require.Equal(t, "webhook", n.Integration)
	require.Equal(t, map[string]string{"alertname": "Slow"}, n.GroupLabels)
	require.Equal(t, []string{"Slow"}, n.Alerts)
	require.Equal(t, 1, n.Firing)
	require.Equal(t, "first notification", n.Reason)
	require.Positive(t, n.Duration)
	require.NotContains(t, n.Error, "secret")

	require.InDelta(t, 2, gathered(t, opts, "alertmanager_notification_requests_failed_total"), 0)
	require.InDelta(t, 0, gathered(t, opts, "alertmanager_notifications_failed_total"), 0)
}

// gathered returns the sum of the values of a counter.
func gathered(t *testing.T, opts Options, name string) (sum float64) {
	t.Helper()
	families, err := opts.Registerer.(prometheus.Gatherer).Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func TestRefusalIsRecordedAndTriedAgainNextInterval(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(n int) int {
		if n <= 2 {
			return http.StatusNotFound // For good: there is no second attempt in the flush.
		}
		return http.StatusOK
	})
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	h.next(t)
	eventually(t, "three records", func() bool {
		found, err := m.History(t.Context(), Query{})
		require.NoError(t, err)
		return len(found) == 3 && found[0].Status == Sent
	})
	found, err := m.History(t.Context(), Query{Failed: true})
	require.NoError(t, err)
	require.Len(t, found, 2)
	for _, n := range found {
		require.Equal(t, Failed, n.Status)
		require.Equal(t, 1, n.Attempts)
		require.Contains(t, n.Error, "404")
	}
	require.InDelta(t, 2, gathered(t, opts, "alertmanager_notifications_failed_total"), 0)
}

func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	// A port that nobody listens at.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())

	opts := testOptions(t, `
route: {receiver: r, group_wait: 0s}
receivers:
  - name: r
    webhook_configs:
      - url: http://user:hunter2@`+addr+`/services/T000/B000?token=s3cr3t
    telegram_configs:
      - bot_token: 123456:AAbbCC
        chat_id: 1
        api_url: http://`+addr+`
        parse_mode: HTML
`)
	log := &testLog{t: t}
	opts.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	eventually(t, "both failures are shown", func() bool {
		found, err := m.History(t.Context(), Query{Failed: true})
		require.NoError(t, err)
		return len(found) == 2 && found[0].Error != "" && found[1].Error != ""
	})
	found, err := m.History(t.Context(), Query{Failed: true})
	require.NoError(t, err)
	result, err := m.TestReceiver(t.Context(), "r", TestAlert{})
	require.NoError(t, err)
	stop(t, m)
	log.mu.Lock()
	texts := []string{log.text.String()}
	log.mu.Unlock()
	for _, n := range found {
		texts = append(texts, n.Error)
	}
	for _, r := range result.Results {
		texts = append(texts, r.Error)
	}
	for _, s := range texts {
		for _, secret := range []string{"hunter2", "T000", "B000", "s3cr3t", "123456:AAbbCC"} {
			require.NotContains(t, s, secret)
		}
	}
	require.Contains(t, strings.Join(texts, "\n"), "connection refused", "the reason is still told")
}

// A mail server that accepts connections and then says nothing must not hold up
// its group forever.
func TestServerThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	opts := testOptions(t, `
route: {receiver: r, group_wait: 0s, group_interval: 100ms}
receivers:
  - name: r
    email_configs: [{to: a@example.org, from: b@example.org, smarthost: "`+l.Addr().String()+`", require_tls: false}]
`)
	opts.AttemptTimeout = 50 * time.Millisecond
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	eventually(t, "the attempt is given up", func() bool {
		return strings.Contains(newest(t, m).Error, "the receiver neither answers nor closes the connection")
	})
	require.Positive(t, testutil.ToFloat64(m.metrics.hangingAttempts))
	begin := time.Now()
	stop(t, m)
	require.Less(t, time.Since(begin), 8*time.Second)
	require.NoError(t, l.Close())
	<-done
	for _, c := range conns {
		_ = c.Close()
	}
}

// panicky is an integration with a defect.
type panicky struct{ nowhere }

func (panicky) Notify(context.Context, ...*alert.Alert) (bool, error) { panic("index out of range") }

func TestIntegrationThatPanics(t *testing.T) {
	t.Parallel()
	m := start(t, testOptions(t, builtinConfig))
	in := m.record("r", []amnotify.Integration{amnotify.NewIntegration(panicky{}, panicky{}, "panicky", 0, "r")}, newRedactor(nil))
	retry, err := in[0].Notify(t.Context(), &alert.Alert{})
	require.False(t, retry)
	require.ErrorContains(t, err, "panicked: index out of range")
	require.Equal(t, Failed, newest(t, m).Status)
}

// What is under way when the manager stops is brought to its end, and recorded.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	h := newHook(t, func(int) int {
		close(entered)
		<-leave
		return http.StatusOK
	})
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	<-entered
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		stop(t, m)
	}()
	select {
	case <-stopped:
		require.Fail(t, "stopped in the middle of a delivery")
	case <-time.After(200 * time.Millisecond):
	}
	close(leave)
	<-stopped
	h.next(t)
	m = start(t, opts)
	require.Equal(t, Sent, newest(t, m).Status)
	h.none(t, 250*time.Millisecond) // It was remembered.
}

// A receiver that fails does not delay the stop beyond the attempt under way.
func TestStopDoesNotRetry(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(int) int { return http.StatusServiceUnavailable })
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	eventually(t, "it is being retried", func() bool { return newest(t, m).Attempts >= 1 })
	begin := time.Now()
	stop(t, m)
	require.Less(t, time.Since(begin), 2*time.Second)
	m = start(t, opts)
	found, err := m.History(t.Context(), Query{})
	require.NoError(t, err)
	require.Equal(t, Failed, found[len(found)-1].Status)
}

func TestReceiverWithoutIntegrationIsRecorded(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, "")
	opts.Config = Source{}
	m := start(t, opts)
	require.Equal(t, "default", m.Routing().Route.Receiver)
	p, err := m.Prepare(Source{Data: []byte("route: {receiver: default, group_wait: 0s}\nreceivers: [{name: default}]")})
	require.NoError(t, err)
	m.Apply(p)
	m.Send(firing("alertname", "Slow"))
	eventually(t, "it is recorded", func() bool { return newest(t, m).Status == Recorded })
	require.Equal(t, "none", newest(t, m).Integration)
}
