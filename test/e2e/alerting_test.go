package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The files have the shape that teams write: the rules use round(2), the
// inhibition the old source_match form.
const prometheusFile = `global:
  scrape_interval: 1s
  evaluation_interval: 1s

rule_files:
  - %[1]s/alert_rules.yml

scrape_configs:
  - job_name: 'prometheus'
    static_configs:
      - targets: ['localhost:1']

  - job_name: 'model_exporter'
    static_configs:
      - targets: ['%[2]s']
`

const rulesFile = `groups:
  - name: ai_service_alerts
    rules:
      - alert: HighInferenceLatency
        expr: model_inference_latency_seconds{endpoint="/predict"} > 1.5
        for: 3s
        labels:
          severity: critical
          service: ai_service
        annotations:
          summary: "High inference latency for {{ $labels.model_version }}"
          description: "Model {{ $labels.model_version }} on {{ $labels.endpoint }} has latency > 1.5s (current: {{ $value | round(2) }}s)."

      - alert: DataDriftDetected
        expr: |
          (input_data_mean{feature_name="age"} - input_data_mean_offset{feature_name="age"}) / input_data_mean_offset{feature_name="age"} > 0.2
        for: 2s
        labels:
          severity: warning
          service: ai_service
        annotations:
          summary: "Data drift detected for feature {{ $labels.feature_name }}"
          description: "Mean value of {{ $labels.feature_name }} has changed by > 20% (current: {{ $value | round(2) }})."
`

const alertmanagerFile = `global:
  resolve_timeout: 5m

route:
  receiver: 'email-notifications'
  group_by: ['alertname', 'service']
  group_wait: 1s
  group_interval: 2s
  repeat_interval: %[2]s

receivers:
  - name: 'email-notifications'
    email_configs:
      - to: 'admin@example.com'
        from: 'alertmanager@example.com'
        smarthost: 'localhost:%[1]s'
        auth_username: 'alertmanager'
        auth_password: 's3cret-of-the-mailbox'
        send_resolved: true

inhibit_rules:
  - source_match:
      severity: 'critical'
    target_match:
      severity: 'warning'
    equal: ['service', 'instance']
`

// platform is modelwatch with an exporter and a mailbox.
type platform struct {
	*server
	dir      string
	exporter *exporter
	mail     *mailbox
	options  options
}

func startPlatform(t *testing.T, repeat string) *platform {
	t.Helper()
	p := &platform{dir: t.TempDir(), exporter: startExporter(t), mail: startMailbox(t)}
	write(t, p.dir, "prometheus.yml", fmt.Sprintf(prometheusFile, p.dir, p.exporter.address))
	write(t, p.dir, "alert_rules.yml", rulesFile)
	write(t, p.dir, "alertmanager.yml", fmt.Sprintf(alertmanagerFile, p.mail.port, repeat))
	mw := write(t, p.dir, "modelwatch.yml", "collect: {interval: 1s}\n")
	p.options = options{
		args: []string{
			"--config.file=" + mw,
			"--storage.path=" + filepath.Join(p.dir, "data"),
			"--prometheus.config=" + filepath.Join(p.dir, "prometheus.yml"),
			"--alertmanager.config=" + filepath.Join(p.dir, "alertmanager.yml"),
		},
		// The mailbox's certificate is trusted as an operator would: by the system's store.
		env: []string{"SSL_CERT_FILE=" + p.mail.certFile},
	}
	p.server = start(t, p.options)
	return p
}

// An alert goes through its four states, and both of its mails arrive over
// STARTTLS with a log-in.
func TestAlertFromBreachToMail(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	p.waitQuery(`model_inference_latency_seconds{model_version="v1.0"}`, 10*time.Second)
	p.waitAlert("HighInferenceLatency", "inactive", 5*time.Second)

	p.exporter.set(1.8765, 40)
	p.waitAlert("HighInferenceLatency", "pending", 5*time.Second)
	p.waitAlert("HighInferenceLatency", "firing", 10*time.Second)
	firing := p.mail.wait(t, 0, 10*time.Second, "[FIRING:1]", "HighInferenceLatency")
	require.Equal(t, "alertmanager@example.com", firing.from)
	require.Equal(t, "admin@example.com", firing.to)
	require.Contains(t, firing.text, "Model v1.0 on /predict has latency > 1.5s (current: 1.88s)")
	require.Contains(t, firing.text, "critical")

	before := len(p.mail.all())
	p.exporter.set(0.5, 40)
	p.mail.wait(t, before, 15*time.Second, "[RESOLVED]", "HighInferenceLatency")
	p.waitAlert("HighInferenceLatency", "inactive", 5*time.Second)

	// What was notified can be looked up.
	status, body := p.get("/ai/v1/notifications")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "email-notifications")
	require.NotContains(t, body, mailPassword)
	p.stop()
}

// A warning is kept back while a critical alert of the same service fires, and
// told when that is over.
func TestCriticalInhibitsWarning(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	p.exporter.set(2, 40)
	p.mail.wait(t, 0, 20*time.Second, "[FIRING:1]", "HighInferenceLatency")
	p.exporter.set(2, 60)
	p.waitAlert("DataDriftDetected", "firing", 15*time.Second)
	eventually(t, 10*time.Second, func() error {
		_, body := p.get("/api/v2/alerts?filter=alertname%3D%22DataDriftDetected%22")
		if !strings.Contains(body, `"state":"suppressed"`) {
			return fmt.Errorf("not suppressed: %s", body)
		}
		return nil
	})
	time.Sleep(3 * time.Second) // More than group_wait and group_interval: a mail would have come.
	for _, l := range p.mail.all() {
		require.NotContains(t, l.text, "DataDriftDetected")
	}
	p.exporter.set(0.5, 60)
	p.mail.wait(t, 0, 20*time.Second, "[FIRING:1]", "DataDriftDetected", "current: 0.5)")
}

// Alerts of one group come in one mail, and come again after repeat_interval.
func TestGroupingAndRepeat(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "4s")
	second := startExporter(t)
	write(t, p.dir, "prometheus.yml", fmt.Sprintf(prometheusFile, p.dir, p.exporter.address+"', '"+second.address))
	status, body := p.post("/-/reload", "", "")
	require.Equal(t, http.StatusOK, status, body)
	p.waitQuery(`count(model_inference_latency_seconds) == 2`, 15*time.Second)
	p.exporter.set(2, 40)
	second.set(3, 40)
	first := p.mail.wait(t, 0, 20*time.Second, "[FIRING:2]", "current: 2s", "current: 3s")
	again := p.mail.wait(t, len(p.mail.all()), 20*time.Second, "[FIRING:2]")
	require.Greater(t, again.at.Sub(first.at), 3*time.Second)
}

// A silence keeps an alert from being told, survives kill -9 the moment it is
// acknowledged, and its end lets the alert through.
func TestSilenceSurvivesKill(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	now := time.Now()
	silence := fmt.Sprintf(`{"matchers":[{"name":"alertname","value":"HighInferenceLatency","isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"maintenance"}`,
		now.Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339))
	status, body := p.post("/api/v2/silences", "application/json", silence)
	require.Equal(t, http.StatusOK, status, body)
	p.kill()
	p.server = start(t, p.options)
	var answer struct{ SilenceID string }
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	status, body = p.get("/api/v2/silence/" + answer.SilenceID)
	require.Equal(t, http.StatusOK, status, body)

	p.exporter.set(2, 40)
	p.waitAlert("HighInferenceLatency", "firing", 15*time.Second)
	time.Sleep(4 * time.Second) // More than group_wait and group_interval.
	require.Empty(t, p.mail.all())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, p.url+"/api/v2/silence/"+answer.SilenceID, nil)
	require.NoError(t, err)
	resp, err := web.Do(req)
	require.NoError(t, err)
	status, body = read(t, resp)
	require.Equal(t, http.StatusOK, status, body)
	p.mail.wait(t, 0, 15*time.Second, "[FIRING:1]", "HighInferenceLatency")
}

// A mail that cannot be delivered is tried again until it can, and the failures
// are counted and shown.
func TestFailedMailIsRetriedAndShown(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	p.mail.setRefuse(true)
	p.exporter.set(2, 40)
	p.waitQuery(`sum(alertmanager_notifications_failed_total{job="modelwatch",integration="email"}) > 0 or sum(alertmanager_notification_requests_failed_total{job="modelwatch",integration="email"}) > 0`, 40*time.Second)
	eventually(t, 30*time.Second, func() error {
		_, body := p.get("/ai/v1/notifications")
		if !strings.Contains(body, "come back later") {
			return fmt.Errorf("the error is not shown: %s", body)
		}
		return nil
	})
	p.mail.setRefuse(false)
	p.mail.wait(t, 0, 60*time.Second, "[FIRING:1]", "HighInferenceLatency")
}

// A bad file is refused whole, with its reason; what ran before goes on.
func TestReloadIsAllOrNothing(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	p.waitQuery("model_inference_latency_seconds", 10*time.Second)
	good := map[string]string{}
	for _, name := range []string{"prometheus.yml", "alert_rules.yml", "alertmanager.yml"} {
		text, err := os.ReadFile(filepath.Join(p.dir, name))
		require.NoError(t, err)
		good[name] = string(text)
	}
	for _, c := range []struct{ name, text, want string }{
		{"prometheus.yml", strings.Replace(good["prometheus.yml"], "static_configs", "static_config", 1), "static_config"},
		{"alert_rules.yml", strings.Replace(good["alert_rules.yml"], "> 1.5", "> > 1.5", 1), "HighInferenceLatency"},
		{"alertmanager.yml", strings.Replace(good["alertmanager.yml"], "receiver: 'email-notifications'", "receiver: 'nobody'", 1), "nobody"},
	} {
		// A second change that is right must not be taken over either.
		write(t, p.dir, "prometheus.yml", strings.Replace(good["prometheus.yml"], "job_name: 'model_exporter'", "job_name: 'renamed'", 1))
		if c.name == "prometheus.yml" {
			c.text = strings.Replace(c.text, "job_name: 'model_exporter'", "job_name: 'renamed'", 1)
		}
		write(t, p.dir, c.name, c.text)
		status, body := p.post("/-/reload", "", "")
		require.Equal(t, http.StatusInternalServerError, status)
		require.Contains(t, body, c.want)
		require.Contains(t, body, c.name)
		_, shown := p.get("/api/v1/status/config")
		require.NotContains(t, shown, "renamed")
		_, err := p.alertState("HighInferenceLatency")
		require.NoError(t, err)
		write(t, p.dir, c.name, good[c.name])
		write(t, p.dir, "prometheus.yml", good["prometheus.yml"])
	}
	p.waitQuery(`modelwatch_config_last_reload_successful == 0`, 10*time.Second)
	status, body := p.post("/-/reload", "", "")
	require.Equal(t, http.StatusOK, status, body)
	p.waitQuery(`modelwatch_config_last_reload_successful == 1`, 10*time.Second)
	p.exporter.set(2, 40)
	p.mail.wait(t, 0, 20*time.Second, "[FIRING:1]", "HighInferenceLatency")
}

// The state of "for" goes on where it was when the process died.
func TestForStateSurvivesKill(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, "12h")
	write(t, p.dir, "alert_rules.yml", strings.Replace(rulesFile, "for: 3s", "for: 12s", 1))
	write(t, p.dir, "modelwatch.yml", "collect: {interval: 1s}\nalerting: {for_grace_period: 1s}\n")
	p.stop()
	p.server = start(t, p.options)
	p.exporter.set(2, 40)
	p.waitAlert("HighInferenceLatency", "pending", 10*time.Second)
	pendingSince := time.Now()
	time.Sleep(6 * time.Second) // ALERTS_FOR_STATE must be in the store before the crash.
	p.kill()
	p.server = start(t, p.options)
	p.waitAlert("HighInferenceLatency", "firing", 20*time.Second)
	// Starting anew, it would take the 12 s again after the restart.
	require.Less(t, time.Since(pendingSince), 17*time.Second)
}
