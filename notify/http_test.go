package notify

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestAPI(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	m := start(t, testOptions(t, h.quick("")))
	api := m.APIHandler()

	require.Equal(t, http.StatusOK, call(t, api, "POST", "/api/v2/alerts", `[{"labels":{"alertname":"Posted","service":"ranker"},"annotations":{"summary":"s"},"generatorURL":"http://x/"}]`, nil))
	require.Equal(t, "Posted", h.next(t).names())
	var groups []struct {
		Labels   map[string]string `json:"labels"`
		Receiver struct {
			Name string `json:"name"`
		} `json:"receiver"`
		Alerts []struct {
			Fingerprint string `json:"fingerprint"`
		} `json:"alerts"`
	}
	require.Equal(t, http.StatusOK, call(t, api, "GET", "/api/v2/alerts/groups", "", &groups))
	require.Len(t, groups, 1)
	require.Equal(t, "hook", groups[0].Receiver.Name)
	require.Equal(t, map[string]string{"alertname": "Posted"}, groups[0].Labels)
	require.Len(t, groups[0].Alerts, 1)
	var receivers []struct {
		Name string `json:"name"`
	}
	require.Equal(t, http.StatusOK, call(t, api, "GET", "/api/v2/receivers", "", &receivers))
	require.Equal(t, "hook", receivers[0].Name)
	var status struct {
		Config struct {
			Original string `json:"original"`
		} `json:"config"`
		Uptime      time.Time         `json:"uptime"`
		VersionInfo map[string]string `json:"versionInfo"`
	}
	require.Equal(t, http.StatusOK, call(t, api, "GET", "/api/v2/status", "", &status))
	require.Contains(t, status.Config.Original, "receiver: hook")
	require.NotContains(t, status.Config.Original, "secret-token")
	require.WithinDuration(t, time.Now(), status.Uptime, time.Minute)
	require.Contains(t, status.VersionInfo, "version")

	for _, tc := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/api/v2/alerts", `[{"labels":{}}]`, http.StatusBadRequest},
		{"POST", "/api/v2/alerts", `nonsense`, http.StatusBadRequest},
		{"POST", "/api/v2/silences", `{}`, http.StatusUnprocessableEntity},
		{"GET", "/api/v2/silence/378fe07e-5e1a-4800-b495-55c8fa284442", "", http.StatusNotFound},
		{"DELETE", "/api/v2/silence/378fe07e-5e1a-4800-b495-55c8fa284442", "", http.StatusNotFound},
		{"GET", "/api/v2/alerts?filter=%7B", "", http.StatusBadRequest},
		{"GET", "/api/v2/nothing", "", http.StatusNotFound},
		{"PATCH", "/api/v2/alerts", "", http.StatusNotFound},
	} {
		require.Equalf(t, tc.want, call(t, api, tc.method, tc.path, tc.body, nil), "%s %s", tc.method, tc.path)
	}
}

func TestCompatPort(t *testing.T) {
	t.Parallel()
	reloads := 0
	var reloadErr error
	m := start(t, testOptions(t, builtinConfig))
	c := m.CompatHandler(Compat{
		Reload:  func(context.Context) error { reloads++; return reloadErr },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	})
	require.Equal(t, http.StatusOK, call(t, c, "GET", "/-/healthy", "", nil))
	require.Equal(t, http.StatusOK, call(t, c, "HEAD", "/-/ready", "", nil))
	require.Equal(t, http.StatusOK, call(t, c, "GET", "/api/v2/status", "", nil))
	require.Equal(t, http.StatusGone, call(t, c, "GET", "/api/v1/alerts", "", nil))
	require.Equal(t, http.StatusTeapot, call(t, c, "GET", "/metrics", "", nil))
	require.Equal(t, http.StatusOK, call(t, c, "POST", "/-/reload", "", nil))
	reloadErr = errors.New("bad file")
	require.Equal(t, http.StatusInternalServerError, call(t, c, "POST", "/-/reload", "", nil))
	require.Equal(t, 2, reloads)
	require.Equal(t, http.StatusForbidden, call(t, m.CompatHandler(Compat{}), "POST", "/-/reload", "", nil))
	require.Equal(t, http.StatusFound, call(t, c, "GET", "/", "", nil))
}

func TestHistoryOverHTTP(t *testing.T) {
	t.Parallel()
	bad := newHook(t, func(int) int { return http.StatusBadRequest })
	good := newHook(t, nil)
	m := start(t, testOptions(t, `
route:
  receiver: good
  group_by: [alertname]
  group_wait: 0s
  routes: [{receiver: bad, matchers: [to="bad"]}]
receivers:
  - name: good
    webhook_configs: [{url: '`+good.URL+`'}]
  - name: bad
    webhook_configs: [{url: '`+bad.URL+`'}]
`))
	m.Send(firing("alertname", "A"), firing("alertname", "B", "to", "bad"))
	good.next(t)
	get := func(query string) []Notification {
		var out struct {
			Notifications []Notification `json:"notifications"`
		}
		require.Equal(t, http.StatusOK, call(t, m.Handler(), "GET", "/ai/v1/notifications"+query, "", &out))
		require.NotNil(t, out.Notifications)
		return out.Notifications
	}
	eventually(t, "both are recorded", func() bool {
		ns := get("")
		return len(ns) == 2 && ns[0].Status != Sending && ns[1].Status != Sending
	})
	require.Len(t, get("?failed=true"), 1)
	require.Equal(t, "bad", get("?failed=true")[0].Receiver)
	require.Equal(t, []string{"A"}, get("?receiver=good")[0].Alerts)
	require.Len(t, get("?limit=1"), 1)
	require.Empty(t, get("?until=2020-01-01T00:00:00Z"))
	require.Len(t, get("?since=1577836800"), 2)
	for query, want := range map[string]string{
		"?limit=0":    "parameter limit",
		"?limit=x":    "parameter limit",
		"?failed=x":   "parameter failed",
		"?since=x":    "parameter since",
		"?until=1e99": "parameter until",
	} {
		var out struct {
			Error string `json:"error"`
		}
		require.Equal(t, http.StatusBadRequest, call(t, m.Handler(), "GET", "/ai/v1/notifications"+query, "", &out))
		require.Contains(t, out.Error, want)
	}
}

func TestRoutesOverHTTP(t *testing.T) {
	t.Parallel()
	m := start(t, testOptions(t, `
route:
  receiver: mail
  routes: [{receiver: pager, matchers: [severity="critical"], mute_time_intervals: [always], labels: {team: ml}}]
receivers: [{name: mail}, {name: pager, webhook_configs: [{url: 'http://h/token'}]}, {name: unused}]
time_intervals: [{name: always, time_intervals: [{years: ['2020:2099']}]}]
inhibit_rules: [{source_matchers: [a="b"], target_match_re: {c: d.*}, equal: [e]}]
`))
	var r Routing
	require.Equal(t, http.StatusOK, call(t, m.Handler(), "GET", "/ai/v1/alerting/routes", "", &r))
	require.Equal(t, "mail", r.Route.Receiver)
	require.Equal(t, []string{`severity="critical"`}, r.Route.Routes[0].Matchers)
	require.Equal(t, map[string]string{"team": "ml"}, r.Route.Routes[0].Labels)
	require.Equal(t, []string{"webhook[0]"}, r.Receivers[1].Integrations)
	require.False(t, r.Receivers[2].Used)
	require.True(t, r.TimeIntervals[0].Active)
	require.Contains(t, r.TimeIntervals[0].Definition, "2020:2099")
	require.Equal(t, []InhibitInfo{{SourceMatchers: []string{`a="b"`}, TargetMatchers: []string{`c=~"^(?:d.*)$"`}, Equal: []string{"e"}}}, r.InhibitRules)
	require.Equal(t, []string{`no route leads to receiver "unused"`}, r.Warnings)

	// What mutes the alert now is told, too.
	m.Send(firing("a", "b", "e", "1"))
	var created struct {
		ID string `json:"silenceID"`
	}
	call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("c", "dx"), &created)
	var test RouteTest
	eventually(t, "it is inhibited", func() bool {
		require.Equal(t, http.StatusOK, call(t, m.Handler(), "POST", "/ai/v1/alerting/routes/test", `{"labels":{"c":"dx","e":"1"}}`, &test))
		return len(test.InhibitedBy) == 1
	})
	require.Equal(t, []string{created.ID}, test.SilencedBy)
	require.Equal(t, http.StatusBadRequest, call(t, m.Handler(), "POST", "/ai/v1/alerting/routes/test", `{"lables":{}}`, nil))
}

func TestReceiverTests(t *testing.T) {
	t.Parallel()
	good := newHook(t, nil)
	bad := newHook(t, func(int) int { return http.StatusServiceUnavailable })
	m := start(t, testOptions(t, `
route: {receiver: nowhere}
receivers:
  - name: nowhere
  - name: "two of them/unused"
    webhook_configs: [{url: '`+good.URL+`/token'}, {url: '`+bad.URL+`/token'}]
  - name: broken
    webhook_configs: [{url: 'http://h/', http_config: {tls_config: {ca_file: /no/such/file}}}]
`))
	var r ReceiverTest
	require.Equal(t, http.StatusOK, call(t, m.Handler(), "POST", "/ai/v1/alerting/receivers/two%20of%20them%2Funused/test", `{"labels":{"service":"ranker"},"annotations":{"summary":"hello"},"resolve":true}`, &r))
	require.False(t, r.Success)
	require.Len(t, r.Results, 2)
	require.Equal(t, "webhook[0]", r.Results[0].Integration)
	require.True(t, r.Results[0].Success)
	require.False(t, r.Results[1].Success)
	require.True(t, r.Results[1].Retry)
	require.Contains(t, r.Results[1].Error, "unexpected status code 503")
	require.NotContains(t, r.Results[1].Error, "token")
	first, second := good.next(t), good.next(t)
	require.Equal(t, "firing", first.Status)
	require.Equal(t, "ModelwatchTest", first.names())
	require.Equal(t, "ranker", first.Alerts[0].Labels["service"])
	require.Equal(t, "hello", first.Alerts[0].Annotations["summary"])
	require.Equal(t, "resolved", second.Status)

	found, err := m.History(t.Context(), Query{})
	require.NoError(t, err)
	require.Len(t, found, 3)
	for _, n := range found {
		require.True(t, n.Test)
	}

	require.Equal(t, http.StatusOK, call(t, m.Handler(), "POST", "/ai/v1/alerting/receivers/nowhere/test", "", &r))
	require.False(t, r.Success)
	require.Contains(t, r.Note, "no integrations")
	require.Equal(t, http.StatusNotFound, call(t, m.Handler(), "POST", "/ai/v1/alerting/receivers/nobody/test", "", nil))
	require.Equal(t, http.StatusInternalServerError, call(t, m.Handler(), "POST", "/ai/v1/alerting/receivers/broken/test", "", nil))
	require.Equal(t, http.StatusBadRequest, call(t, m.Handler(), "POST", "/ai/v1/alerting/receivers/nowhere/test", `{"labels":{"":"x"}}`, nil))
}

func TestReloadWithABadFileKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	_, err := m.Prepare(Source{Data: []byte(strings.Replace(h.quick(""), "receiver: hook", "receiver: nobody", 1))})
	require.ErrorContains(t, err, "nobody")
	_, err = m.Prepare(Source{File: "testdata/no-such-file.yml"})
	require.ErrorContains(t, err, "load testdata/no-such-file.yml")
	require.NoError(t, testutil.GatherAndCompare(opts.Registerer.(prometheus.Gatherer), strings.NewReader(`
# HELP alertmanager_config_last_reload_successful Whether the last configuration reload attempt was successful.
# TYPE alertmanager_config_last_reload_successful gauge
alertmanager_config_last_reload_successful 0
`), "alertmanager_config_last_reload_successful"))
	m.Send(firing("alertname", "Slow"))
	require.Equal(t, "Slow", h.next(t).names())

	// Reloads while alerts come: nothing is lost, nothing is told twice.
	p, err := m.Prepare(opts.Config)
	require.NoError(t, err)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range 100 {
			m.Send(firing("alertname", "A"+strings.Repeat("x", i)))
		}
	}()
	for range 10 {
		m.Apply(p)
	}
	<-sent
	got := map[string]int{}
	for range 100 {
		got[h.next(t).names()]++
	}
	require.Len(t, got, 100)
	h.none(t, 200*time.Millisecond)

	// A request while the manager stops, and one afterwards, do no harm.
	server := httptest.NewServer(m.APIHandler())
	defer server.Close()
	stop(t, m)
	m.Apply(p)
	m.Send(firing("alertname", "Late"))
	require.Equal(t, http.StatusServiceUnavailable, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("a", "b"), nil))
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "GET", "/api/v2/alerts", "", nil))
	require.NoError(t, m.Stop(t.Context()))
}
