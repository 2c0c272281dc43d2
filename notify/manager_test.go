package notify

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
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

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := New(Options{Retention: -time.Hour, Limits: Limits{MaxHistory: 1}})
	require.ErrorContains(t, err, "Logger is required")
	require.ErrorContains(t, err, "Registerer is required")
	require.ErrorContains(t, err, "DataDir is required")
	require.ErrorContains(t, err, "Retention is -1h0m0s")
	require.ErrorContains(t, err, "Limits.MaxHistory is 1")

	opts := testOptions(t, "route: {receiver: nobody}")
	_, err = New(opts)
	require.ErrorContains(t, err, `undefined receiver "nobody" used in route`)
	require.ErrorContains(t, err, "load alertmanager configuration")

	opts = testOptions(t, builtinConfig)
	opts.EnableFeatures = "no-such-feature"
	_, err = New(opts)
	require.ErrorContains(t, err, "no-such-feature")

	// Nothing is left registered, and two at once are an error and no panic.
	opts = testOptions(t, builtinConfig)
	start(t, opts)
	second := opts
	second.DataDir = t.TempDir()
	_, err = New(second)
	require.ErrorContains(t, err, "register metric")
}

func TestMetricsCanBeRegisteredAgain(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, builtinConfig)
	reg := opts.Registerer.(*prometheus.Registry)
	for range 3 {
		m, err := New(opts)
		require.NoError(t, err)
		m.Send(firing("alertname", "A"), &notifier.Alert{})
		require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP alertmanager_alerts_received_total The total number of received alerts.
# TYPE alertmanager_alerts_received_total counter
alertmanager_alerts_received_total{status="firing",version="v2"} 2
alertmanager_alerts_received_total{status="resolved",version="v2"} 0
# HELP alertmanager_alerts_invalid_total The total number of received alerts that were invalid.
# TYPE alertmanager_alerts_invalid_total counter
alertmanager_alerts_invalid_total{version="v2"} 1
# HELP alertmanager_config_last_reload_successful Whether the last configuration reload attempt was successful.
# TYPE alertmanager_config_last_reload_successful gauge
alertmanager_config_last_reload_successful 1
`), "alertmanager_alerts_received_total", "alertmanager_alerts_invalid_total", "alertmanager_config_last_reload_successful"))
		stop(t, m)
		left, err := reg.Gather()
		require.NoError(t, err)
		require.Empty(t, left)
	}
}

func TestPutGivesTimesAndRefusesOneByOne(t *testing.T) {
	t.Parallel()
	m := start(t, testOptions(t, "global: {resolve_timeout: 7m}\n"+builtinConfig))
	now := time.Now()
	err := m.Put(t.Context(),
		&notifier.Alert{Labels: labels.FromStrings("alertname", "NoTimes", "empty", ""), Annotations: labels.FromStrings("empty", "")},
		&notifier.Alert{Labels: labels.FromStrings("alertname", "OnlyEnd"), EndsAt: now.Add(-time.Minute)},
		&notifier.Alert{Labels: labels.EmptyLabels()},
		&notifier.Alert{Labels: labels.FromStrings("alertname", "Backwards"), StartsAt: now, EndsAt: now.Add(-time.Hour)},
	)
	require.ErrorContains(t, err, "at least one label pair required")
	require.ErrorContains(t, err, `{alertname="Backwards"}: start time must be before end time`)

	got := map[string]int{}
	for _, a := range m.alerts.list() {
		got[a.Name()]++
		switch a.Name() {
		case "NoTimes":
			require.WithinDuration(t, now, a.StartsAt, time.Second)
			require.WithinDuration(t, now.Add(7*time.Minute), a.EndsAt, time.Second)
			require.True(t, a.Timeout)
			require.NotContains(t, a.Labels, model.LabelName("empty"))
			require.Contains(t, a.Annotations, model.LabelName("empty"))
		case "OnlyEnd":
			require.Equal(t, a.EndsAt, a.StartsAt)
			require.True(t, a.Resolved())
		}
	}
	require.Equal(t, map[string]int{"NoTimes": 1, "OnlyEnd": 1}, got)
}

func TestGroupingAndRouting(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	m := start(t, testOptions(t, `
route:
  receiver: rest
  group_by: [service]
  group_wait: 200ms
  group_interval: 100ms
  routes:
    - receiver: models
      matchers: [layer="model"]
      continue: true
    - receiver: pager
      matchers: [severity="critical"]
receivers:
  - name: rest
    webhook_configs: [{url: `+h.URL+`}]
  - name: models
    webhook_configs: [{url: `+h.URL+`}]
  - name: pager
    webhook_configs: [{url: `+h.URL+`}]
`))
	m.Send(
		firing("alertname", "A", "service", "ranker"),
		firing("alertname", "B", "service", "ranker"),
		firing("alertname", "C", "service", "embedder"),
		firing("alertname", "D", "service", "ranker", "layer", "model", "severity", "critical"),
	)
	got := map[string]string{}
	for range 4 {
		msg := h.next(t)
		got[msg.Receiver+"/"+msg.GroupLabels["service"]] = msg.names()
	}
	require.Equal(t, map[string]string{
		"rest/ranker": "A,B", "rest/embedder": "C", "models/ranker": "D", "pager/ranker": "D",
	}, got)
}

// The alert that inhibits and the one that is inhibited come together, in the
// worse order, to a route that does not wait.
func TestCriticalInhibitsWarning(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	m := start(t, testOptions(t, h.quick("")+`
inhibit_rules:
  - source_match: {severity: critical}
    target_match: {severity: warning}
    equal: [service, instance]
`))
	for i := range 50 {
		service := "s" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		m.Send(
			firing("alertname", "W"+service, "severity", "warning", "service", service, "instance", "1"),
			firing("alertname", "C"+service, "severity", "critical", "service", service, "instance", "1"),
		)
		require.Equal(t, "C"+service, h.next(t).names())
	}
	h.none(t, 300*time.Millisecond)

	// Only equal labels inhibit.
	m.Send(firing("alertname", "Other", "severity", "warning", "service", "saa", "instance", "2"))
	require.Equal(t, "Other", h.next(t).names())

	// A reload does not let inhibited alerts through.
	p, err := m.Prepare(m.opts.Config)
	require.NoError(t, err)
	for range 5 {
		m.Apply(p)
	}
	h.none(t, 300*time.Millisecond)

	// Nor does a restart.
	stop(t, m)
	opts := m.opts
	m = start(t, opts)
	h.none(t, 300*time.Millisecond)
	require.InDelta(t, 101, testutil.ToFloat64(m.metrics.restoredAlerts), 0)

	// What was inhibited is told once nothing inhibits it.
	c := firing("alertname", "Csaa", "severity", "critical", "service", "saa", "instance", "1")
	m.Send(resolved(c))
	got := map[string]string{}
	for range 2 {
		msg := h.next(t)
		got[msg.names()] = msg.Status
	}
	require.Equal(t, map[string]string{"Csaa": "resolved", "Wsaa": "firing"}, got)
}

func TestResolvedIsToldOnce(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	m := start(t, testOptions(t, h.quick("")))
	a := firing("alertname", "Slow")
	m.Send(a)
	require.Equal(t, "firing", h.next(t).Status)
	m.Send(a)
	h.none(t, 250*time.Millisecond)
	m.Send(resolved(a))
	got := h.next(t)
	require.Equal(t, "resolved", got.Status)
	require.False(t, got.Alerts[0].EndsAt.IsZero())
	m.Send(resolved(a))
	h.none(t, 250*time.Millisecond)
}

func TestRepeatInterval(t *testing.T) {
	h := newHook(t, nil)
	m := start(t, testOptions(t, strings.Replace(h.quick(""), "repeat_interval: 1h", "repeat_interval: 300ms", 1)))
	m.Send(firing("alertname", "Slow"))
	first := h.next(t)
	second := h.next(t)
	require.InDelta(t, 0.35, second.at.Sub(first.at).Seconds(), 0.2)
	require.Equal(t, "firing", second.Status)

	found, err := m.History(t.Context(), Query{})
	require.NoError(t, err)
	require.Equal(t, "repeat interval elapsed", found[0].Reason)
}

func TestSilence(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	var created struct {
		ID string `json:"silenceID"`
	}
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("service", "ranker"), &created))
	m.Send(firing("alertname", "Muted", "service", "ranker"), firing("alertname", "Heard", "service", "embedder"))
	require.Equal(t, "Heard", h.next(t).names())
	h.none(t, 250*time.Millisecond)

	var alerts []struct {
		Labels map[string]string `json:"labels"`
		Status struct {
			State      string   `json:"state"`
			SilencedBy []string `json:"silencedBy"`
		} `json:"status"`
	}
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "GET", "/api/v2/alerts?filter=service%3D%22ranker%22", "", &alerts))
	require.Len(t, alerts, 1)
	require.Equal(t, "suppressed", alerts[0].Status.State)
	require.Equal(t, []string{created.ID}, alerts[0].Status.SilencedBy)

	// The next process knows it.
	stop(t, m)
	m = start(t, opts)
	h.none(t, 250*time.Millisecond)
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "DELETE", "/api/v2/silence/"+created.ID, "", nil))
	require.Equal(t, "Muted", h.next(t).names())
}

func TestTimeIntervals(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	day := strings.ToLower(time.Now().UTC().Weekday().String())
	cfg := func(kind string) string {
		return h.quick("  routes:\n    - receiver: hook\n      "+kind+": [today]\n") + `
time_intervals:
  - name: today
    time_intervals: [{weekdays: ['` + day + `']}]
`
	}
	m := start(t, testOptions(t, cfg("mute_time_intervals")))
	m.Send(firing("alertname", "Slow"))
	h.none(t, 250*time.Millisecond)
	p, err := m.Prepare(Source{Data: []byte(cfg("active_time_intervals"))})
	require.NoError(t, err)
	m.Apply(p)
	require.Equal(t, "Slow", h.next(t).names())
}

func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	opts.Limits.MaxAggregationGroups = 1
	opts.Limits.MaxSilences = 1
	opts.Limits.PerAlertNameLimit = 1
	opts.Limits.MaxRequestBytes = 2000
	m := start(t, opts)
	m.Send(firing("alertname", "A", "n", "1"), firing("alertname", "A", "n", "2"))
	require.Equal(t, "A", h.next(t).names())
	m.Send(firing("alertname", "B"))
	h.none(t, 200*time.Millisecond)
	require.Len(t, m.alerts.list(), 2)

	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("a", "b"), nil))
	require.Equal(t, http.StatusBadRequest, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("c", "d"), nil))
	require.NotEqual(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("c", strings.Repeat("d", 3000)), nil))
	require.Equal(t, http.StatusBadRequest, call(t, m.Handler(), "POST", "/ai/v1/alerting/routes/test", `{"labels":{"a":"`+strings.Repeat("d", 3000)+`"}}`, nil))
}

// Intervals of a second and a group wait of zero: nothing is told late, and
// nothing twice.
func TestIntervalsOfOneSecond(t *testing.T) {
	h := newHook(t, nil)
	m := start(t, testOptions(t, strings.NewReplacer("100ms", "1s").Replace(h.quick(""))))
	one, two := firing("alertname", "Slow", "instance", "1"), firing("alertname", "Slow", "instance", "2")
	sent := time.Now()
	m.Send(one)
	require.Less(t, h.next(t).at.Sub(sent), 500*time.Millisecond)
	m.Send(one, two)
	got := h.next(t)
	require.InDelta(t, 1, got.at.Sub(sent).Seconds(), 0.4)
	require.Len(t, got.Alerts, 2)
	m.Send(resolved(one), resolved(two))
	got = h.next(t)
	require.InDelta(t, 2, got.at.Sub(sent).Seconds(), 0.4)
	require.Equal(t, "resolved", got.Status)
	h.none(t, 1200*time.Millisecond)
}

func TestSeedConfiguration(t *testing.T) {
	t.Parallel()
	opts := testOptions(t, "")
	opts.Config = Source{File: "testdata/alertmanager.yml"}
	m := start(t, opts)
	r := m.Routing()
	require.Equal(t, "email-notifications", r.Route.Receiver)
	require.Equal(t, []string{"alertname", "service"}, r.Route.GroupBy)
	require.Equal(t, "30s", r.Route.GroupWait)
	require.Equal(t, "12h", r.Route.RepeatInterval)
	require.Equal(t, []ReceiverInfo{{Name: "email-notifications", Labels: map[string]string{"name": "email-notifications"}, Integrations: []string{"email[0]"}, Used: true}}, r.Receivers)
	require.Equal(t, []InhibitInfo{{
		SourceMatchers: []string{`severity="critical"`}, TargetMatchers: []string{`severity="warning"`}, Equal: []string{"service", "instance"},
	}}, r.InhibitRules)
	require.Empty(t, r.Warnings)
}

// Nobody is told before the start delay is over, and nobody waits for it to stop.
func TestStartDelay(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	opts.DispatchStartDelay = 1500 * time.Millisecond
	begin := time.Now()
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"))
	require.GreaterOrEqual(t, h.next(t).at.Sub(begin), time.Second)
	stop(t, m)

	begin = time.Now()
	opts.DispatchStartDelay = 3 * time.Second
	m = start(t, opts)
	stop(t, m)
	require.Less(t, time.Since(begin), 2*time.Second)
}

// BenchmarkSend measures the handover of alerts that fire already: what each
// evaluation of rules costs. One operation is a batch of 100.
func BenchmarkSend(b *testing.B) {
	opts := DefaultOptions()
	opts.DataDir, opts.Registerer, opts.Logger = b.TempDir(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	m, err := New(opts)
	require.NoError(b, err)
	batch := make([]*notifier.Alert, 100)
	for i := range batch {
		batch[i] = firing("alertname", "Slow", "instance", strings.Repeat("i", i))
	}
	for b.Loop() {
		m.Send(batch...)
	}
	require.NoError(b, m.Stop(context.Background()))
}

// BenchmarkSilence measures the answer to the creation of a silence, which is on
// disk by then.
func BenchmarkSilence(b *testing.B) {
	opts := DefaultOptions()
	opts.DataDir, opts.Registerer, opts.Logger = b.TempDir(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	m, err := New(opts)
	require.NoError(b, err)
	api := m.APIHandler()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/api/v2/silences", strings.NewReader(silenceFor("a", "b")))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		require.Equal(b, http.StatusOK, w.Code)
	}
	require.NoError(b, m.Stop(context.Background()))
}
