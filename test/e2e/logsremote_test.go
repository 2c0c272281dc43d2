package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
)

// With logs.loki, lines are kept and searched by a Loki elsewhere (here another
// modelwatch, by TLS and password): pushes, OTLP, tailed files, questions, live
// tails, rules and deletion.
func TestLokiElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, certFile, keyFile := certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	require.NoError(t, err)
	web := write(t, dir, "web.yml", fmt.Sprintf("tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {mw: %s}\n", certFile, keyFile, hash))
	there := options{args: []string{"--storage.path=" + dir + "/there", "--web.config.file=" + web}, tls: true, address: freeAddress(t)}
	cluster := start(t, there)

	file := write(t, dir, "ai.log", "")
	promtail := write(t, dir, "promtail.yml", fmt.Sprintf("positions: {filename: %[1]s/positions.yaml}\nscrape_configs:\n- job_name: a\n  static_configs: [{targets: [localhost], labels: {job: tailed, __path__: %[1]s/ai.log}}]\n", dir))
	prometheus := write(t, dir, "prometheus.yml", "rule_files: [rules.yml]\n")
	write(t, dir, "rules.yml", "groups:\n- name: logs\n  interval: 1s\n  rules:\n  - record: job:lines:count5m\n    expr: sum by (job) (count_over_time({job=\"tailed\"} |= \"error\" [5m]))\n")
	password := write(t, dir, "password", "correct horse")
	conf := write(t, dir, "modelwatch.yml", fmt.Sprintf(`
metrics: {config_file: %s}
logs:
  collect: {config_file: %s}
  loki:
    url: %s
    tenant: team-a
    http_config:
      basic_auth: {username: mw, password_file: password}
      tls_config: {ca_file: cert.pem}
`, prometheus, promtail, cluster.url))
	require.Contains(t, tool(t, binary, "check", conf), "ok")
	s := start(t, options{args: []string{"--config.file=" + conf, "--storage.path=" + dir + "/here"}})

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tail, _, err := websocket.Dial(ctx, strings.Replace(s.url, "http", "ws", 1)+"/loki/api/v1/tail?query="+url.QueryEscape(`{job="pushed"}`), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {s.url}}})
	require.NoError(t, err)
	_, _, err = websocket.Dial(ctx, strings.Replace(s.url, "http", "ws", 1)+"/loki/api/v1/tail?query="+url.QueryEscape(`{job="pushed"}`), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://elsewhere.example"}}}) //nolint:bodyclose // There is none.
	require.ErrorContains(t, err, "403")

	status, said := s.post("/ai/v1/alerting/preview", "application/json", `{"expr": "sum(count_over_time({job=\"tailed\"} |= \"error\" [5m])) > 1"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, said)
	require.Contains(t, said, "Loki elsewhere", "it says that it cannot")

	s.pushLines(`{"job":"pushed"}`, "hello there", "goodbye")
	_, message, err := tail.Read(ctx)
	require.NoError(t, err)
	require.Contains(t, string(message), "hello there")
	require.NoError(t, tail.Close(websocket.StatusNormalClosure, ""))
	status, answer := s.post("/v1/logs", "application/json", fmt.Sprintf(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"otlp"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"by otlp"}}]}]}]}`, time.Now().UnixNano()))
	require.Equal(t, http.StatusOK, status, answer)
	require.NoError(t, os.WriteFile(file, []byte("an error: OutOfMemory\n"), 0o600))

	find := func(selector, text string) func() error {
		return func() error {
			status, body := s.get("/loki/api/v1/query_range?query=" + url.QueryEscape(selector))
			if status != http.StatusOK || !strings.Contains(body, text) {
				return fmt.Errorf("%d %s lacks %s", status, body, text)
			}
			return nil
		}
	}
	for selector, text := range map[string]string{`{job="pushed"}`: "goodbye", `{service_name="otlp"}`: "by otlp", `{job="tailed"} |= "error"`: "OutOfMemory"} {
		eventually(t, 15*time.Second, find(selector, text))
	}
	s.waitQuery(`job:lines:count5m{job="tailed"} == 1`, 15*time.Second)
	for path, want := range map[string]string{
		"/loki/api/v1/labels":                                                    `"job"`,
		"/loki/api/v1/label/job/values":                                          `"pushed"`,
		"/loki/api/v1/series?match[]=" + `{job="pushed"}`:                        `{"job":"pushed"}`,
		"/loki/api/v1/index/volume?query=" + `{job=~".+"}`:                       `"pushed"`,
		"/loki/api/v1/query?query=" + `sum(count_over_time({job="pushed"}[5m]))`: `"2"`,
	} {
		head, query, _ := strings.Cut(path, "=")
		if query != "" {
			path = head + "=" + url.QueryEscape(query)
		}
		status, body := s.get(path)
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, want, path)
	}
	status, body := s.get("/loki/api/v1/query_range?query=" + url.QueryEscape(`{job=`))
	require.Equal(t, http.StatusBadRequest, status, body)
	require.Contains(t, body, "parse error")
	status, body = s.get("/loki/api/v1/rules")
	require.Equal(t, http.StatusNotFound, status, body)
	status, body = s.post("/loki/api/v1/delete?query="+url.QueryEscape(`{job="pushed"} |= "goodbye"`)+fmt.Sprintf("&start=%d", time.Now().Add(-time.Hour).Unix()), "text/plain", "")
	require.Equal(t, http.StatusNoContent, status, body)
	eventually(t, 15*time.Second, func() error {
		if find(`{job="pushed"}`, "goodbye")() == nil {
			return fmt.Errorf("the line is still there")
		}
		return find(`{job="pushed"}`, "hello there")()
	})
	// Nothing was kept here.
	entries, err := os.ReadDir(filepath.Join(dir, "here", "logs"))
	require.True(t, os.IsNotExist(err) || len(entries) == 0, entries)

	// While the other side is away nothing is acknowledged, and files wait.
	cluster.kill()
	status, body = s.post("/loki/api/v1/push", "application/json", `{"streams":[{"stream":{"job":"pushed"},"values":[["`+fmt.Sprint(time.Now().UnixNano())+`","lost"]]}]}`)
	require.Equal(t, http.StatusBadGateway, status, body)
	require.Contains(t, body, "cannot be reached")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString("second error\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	time.Sleep(time.Second)
	start(t, there)
	eventually(t, 20*time.Second, find(`{job="tailed"}`, "second error"))

	// A wrong password is the fault of the configuration, not of who asks.
	require.NoError(t, os.WriteFile(password, []byte("wrong"), 0o600))
	status, body = s.get("/loki/api/v1/labels")
	require.Equal(t, http.StatusBadGateway, status, body)
	require.Contains(t, body, "credentials")
	s.stop()
	require.NotContains(t, s.out.String(), "correct horse")

	broken := write(t, dir, "broken.yml", "logs:\n  loki:\n    url: "+cluster.url+"\n    http_config: {tls_config: {ca_file: no.pem}}\n")
	for _, args := range [][]string{{"check", broken}, {"serve", "--config.file=" + broken, "--storage.path=" + dir + "/x", "--web.listen-address=127.0.0.1:0"}} {
		out, err := exec.Command(binary, args...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "no.pem", "%s", args)
	}
}
