package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// promtool drives modelwatch as it drives Prometheus.
func TestPromtool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "rules.yml", "groups:\n- name: g\n  interval: 1s\n  rules:\n  - record: job:up:sum\n    expr: sum by (job) (up)\n")
	config := write(t, dir, "prometheus.yml", "global: {scrape_interval: 1s, external_labels: {region: eu}}\nrule_files: [rules.yml]\n")
	mw := write(t, dir, "modelwatch.yml", "collect: {interval: 1s}\nmetrics: {admin_api: true, config_file: prometheus.yml}\n")
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--config.file=" + mw}})
	s.waitQuery("job:up:sum", 20*time.Second)
	s.waitQuery("node_load1", 20*time.Second)

	tool(t, "promtool", "check", "config", config)
	require.Contains(t, tool(t, "promtool", "query", "instant", s.url, `up{job="modelwatch"}`), `job="modelwatch"`)
	require.Contains(t, tool(t, "promtool", "query", "range", "--step=1s", s.url, `job:up:sum`), "1 @[")
	require.Contains(t, tool(t, "promtool", "query", "series", "--match=up", s.url), `__name__="up"`)
	require.Contains(t, tool(t, "promtool", "query", "labels", s.url, "job"), "modelwatch")

	status, body := s.get("/federate?match%5B%5D=up")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `region="eu"`)
	status, body = s.post("/api/v1/admin/tsdb/snapshot", "", "")
	require.Equal(t, http.StatusOK, status, body)
	for _, path := range []string{
		"/api/v1/labels", "/api/v1/label/job/values", "/api/v1/metadata", "/api/v1/targets", "/api/v1/rules", "/api/v1/alerts",
		"/api/v1/alertmanagers", "/api/v1/status/config", "/api/v1/status/runtimeinfo", "/api/v1/status/buildinfo", "/api/v1/status/flags",
		"/api/v1/status/tsdb", "/api/v1/status/walreplay", "/api/v1/format_query?query=sum(up)", "/api/v1/parse_query?query=up",
		"/api/v1/query_exemplars?query=up&start=0&end=1", "/api/v1/series?match%5B%5D=up", "/api/v1/targets/metadata", "/api/v1/scrape_pools",
	} {
		status, body := s.get(path)
		require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
		require.Contains(t, body, `"status":"success"`, path)
	}
}

// A real Prometheus scrapes, federates from, remote-writes to and remote-reads
// from modelwatch.
func TestPrometheusBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data")}})
	address := strings.TrimPrefix(s.url, "http://")
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, external_labels: {from: peer}}
scrape_configs:
  - job_name: whole
    static_configs: [{targets: [%[1]q]}]
  - job_name: federate
    metrics_path: /federate
    honor_labels: true
    params: {'match[]': ['{job="modelwatch"}']}
    static_configs: [{targets: [%[1]q]}]
remote_write: [{url: 'http://%[1]s/api/v1/write'}]
remote_read: [{url: 'http://%[1]s/api/v1/read', read_recent: true}]
`, address))
	path, err := exec.LookPath("prometheus")
	require.NoError(t, err, "Prometheus is needed for this test: install it (Debian: prometheus)")
	peerAddress := freeAddress(t)
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "peer"), "--web.listen-address="+peerAddress)
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("output of prometheus:\n%s", out)
		}
	})
	// Written by the peer, found here.
	s.waitQuery(`up{from="peer",job="whole"} == 1`, 60*time.Second)
	s.waitQuery(`up{from="peer",job="federate"} == 1`, 60*time.Second)
	// Everything that modelwatch measures is seen by the peer.
	peer := &server{t: t, url: "http://" + peerAddress, out: out}
	peer.waitQuery(`node_load1{job="whole"}`, 30*time.Second)
	peer.waitQuery(`node_load1{job="modelwatch"}`, 40*time.Second)
}

// Alerts reach another Alertmanager that prometheus.yml names, by modelwatch's
// own Alertmanager API.
func TestOtherAlertmanager(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "other")}})
	write(t, dir, "rules.yml", "groups:\n- name: g\n  rules:\n  - alert: Always\n    expr: vector(1)\n    labels: {secret: x}\n")
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {region: eu}}
rule_files: [rules.yml]
alerting:
  alert_relabel_configs: [{action: labeldrop, regex: secret}]
  alertmanagers: [{static_configs: [{targets: [%q]}]}]
`, strings.TrimPrefix(other.url, "http://")))
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--prometheus.config=" + config}})
	for _, am := range []*server{s, other} {
		eventually(t, 30*time.Second, func() error {
			_, body := am.get("/api/v2/alerts")
			if !strings.Contains(body, "Always") {
				return fmt.Errorf("no alert: %s", body)
			}
			require.Contains(t, body, `"region":"eu"`)
			require.NotContains(t, body, "secret")
			return nil
		})
	}
}

// amtool drives modelwatch as it drives Alertmanager.
func TestAmtool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "rules.yml", "groups:\n- name: g\n  rules:\n  - alert: Always\n    expr: vector(1)\n    labels: {team: ml}\n")
	config := write(t, dir, "prometheus.yml", "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n")
	am := write(t, dir, "alertmanager.yml", "route: {receiver: all, routes: [{receiver: ml, matchers: ['team = ml']}]}\nreceivers: [{name: all}, {name: ml}]\n")
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--prometheus.config=" + config, "--alertmanager.config=" + am}})
	amtool := func(args ...string) string {
		return tool(t, "amtool", append([]string{"--alertmanager.url=" + s.url}, args...)...)
	}
	eventually(t, 20*time.Second, func() error {
		if out := amtool("alert", "query"); !strings.Contains(out, "Always") {
			return fmt.Errorf("no alert: %s", out)
		}
		return nil
	})
	id := strings.TrimSpace(amtool("silence", "add", "alertname=Always", "--comment=maintenance", "--duration=1h", "--author=me"))
	require.Contains(t, amtool("silence", "query"), id)
	eventually(t, 10*time.Second, func() error {
		if out := amtool("alert", "query", "--silenced"); !strings.Contains(out, "Always") {
			return fmt.Errorf("not silenced: %s", out)
		}
		return nil
	})
	amtool("silence", "expire", id)
	require.Contains(t, amtool("config", "show"), "receiver: ml")
	require.Equal(t, "ml", strings.TrimSpace(amtool("config", "routes", "test", "team=ml")))
	amtool("check-config", am)
}

// The ports of the programs that modelwatch stands in for answer too.
func TestCompatPorts(t *testing.T) {
	// Not parallel: the ports are fixed.
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir(), "--compat.ports"}})
	resp, err := web.Get("http://127.0.0.1:9093/api/v2/status")
	require.NoError(t, err)
	status, _ := read(t, resp)
	require.Equal(t, http.StatusOK, status)
	resp, err = web.Get("http://127.0.0.1:3100/ready")
	require.NoError(t, err)
	status, _ = read(t, resp)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, s.out.String(), "127.0.0.1:9093 as Alertmanager")
	s.stop()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "alert_rules.yml", rulesFile)
	good := write(t, dir, "prometheus.yml", "rule_files: [alert_rules.yml]\n")
	out, err := exec.Command(binary, "check", good).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "alert_rules.yml:12: warning:")
	require.Contains(t, string(out), "Prometheus itself would refuse")

	write(t, dir, "alert_rules.yml", strings.Replace(strings.Replace(rulesFile, "> 1.5\n", "> > 1.5\n", 1), "$labels.feature_name }}\"", "$labels.feature_name }\"", 1))
	bad := write(t, dir, "bad.yml", "rule_files: [alert_rules.yml, missing.yml]\nscrape_configs:\n  - job_name: a\n    scrape_intervall: 5s\n")
	out, err = exec.Command(binary, "check", bad).CombinedOutput()
	require.Error(t, err)
	for _, want := range []string{
		"bad.yml:4: ", "scrape_intervall", "missing.yml does not exist",
	} {
		require.Contains(t, string(out), want)
	}
	out, err = exec.Command(binary, "check", filepath.Join(dir, "alert_rules.yml")).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), `alert_rules.yml:5: rule "HighInferenceLatency"`)
	require.Contains(t, string(out), `rule "DataDriftDetected"`)
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
}
