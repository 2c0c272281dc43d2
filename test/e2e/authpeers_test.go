package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/client"
)

// The programs of the neighbourhood log in by a token, each in its own way.
func TestAuthPeers(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn)
	tokens := map[string]string{}
	for _, role := range []string{"viewer", "editor", "ingest"} {
		tokens[role] = admin.token(role, "1h")
	}
	dir := t.TempDir()
	httpConfig := func(role string) string {
		return write(t, dir, role+".yml", "authorization: {credentials: "+tokens[role]+"}\n")
	}
	eventually(t, 30*time.Second, func() error {
		if _, text := admin.ask("GET", "/api/v1/query?query=up", ""); !strings.Contains(text, `"1"]`) {
			return fmt.Errorf("nothing is scraped: %s", text)
		}
		return nil
	})
	// Older ones know no file for this, but user and password in the URL.
	admin.user("vera", "viewer")
	withUser := strings.Replace(s.url, "http://", "http://vera:the%20password%20of%20vera%201@", 1)
	require.Contains(t, tool(t, "promtool", "query", "instant", withUser, "up"), `job="modelwatch"`)
	amtool := func(role string, args ...string) string {
		return tool(t, "amtool", append([]string{"--alertmanager.url=" + s.url, "--http.config.file=" + httpConfig(role)}, args...)...)
	}
	id := strings.TrimSpace(amtool("editor", "silence", "add", "--author=me", "--comment=test", "--duration=1h", "alertname=X"))
	require.Contains(t, amtool("viewer", "silence", "query", "-q"), id)
	amtool("editor", "silence", "expire", id)

	// An AI service hands over its inferences, in Go and in Python.
	c, err := client.New(client.Options{URL: s.url, Token: tokens["ingest"], Service: "go"})
	require.NoError(t, err)
	c.Record(client.Inference{Model: "ranker", ModelVersion: "v1"})
	require.NoError(t, c.Flush(t.Context()))
	require.NoError(t, c.Close(t.Context()))
	require.EqualValues(t, 1, c.Stats().Sent)
	module, err := filepath.Abs(filepath.Join("..", "..", "client", "python"))
	require.NoError(t, err)
	script := write(t, dir, "send.py", `
import sys
sys.path.insert(0, sys.argv[1])
import modelwatch
for token in sys.argv[3:]:
    c = modelwatch.Client(sys.argv[2], service="python", token=token)
    c.record("ranker", "v1")
    c.close()
    print(c.stats().sent if callable(c.stats) else c.stats.sent)
`)
	require.Equal(t, "1\n0\n", tool(t, "python3", script, module, s.url, tokens["ingest"], tokens["viewer"]))

	// Another modelwatch scrapes this one, writes to it, and sends it its logs and its alerts.
	credentials := func(role string) string { return write(t, dir, role+".token", tokens[role]+"\n") }
	address := strings.TrimPrefix(s.url, "http://")
	prometheus := write(t, dir, "prometheus.yml", `
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {from: other}}
scrape_configs:
  - job_name: watched
    authorization: {credentials_file: `+credentials("viewer")+`}
    static_configs: [{targets: ['`+address+`']}]
  - job_name: refused
    static_configs: [{targets: ['`+address+`']}]
remote_write:
  - url: `+s.url+`/api/v1/write
    authorization: {credentials_file: `+credentials("ingest")+`}
alerting:
  alertmanagers:
    - authorization: {credentials_file: `+credentials("editor")+`}
      static_configs: [{targets: ['`+address+`']}]
rule_files: [rules.yml]
`)
	write(t, dir, "rules.yml", "groups:\n- name: g\n  rules:\n  - {alert: FromOther, expr: vector(1)}\n")
	other := start(t, options{args: []string{"--prometheus.config=" + prometheus, "--storage.path=" + filepath.Join(dir, "other")}})
	other.waitQuery(`up{job="watched"} == 1`, 30*time.Second)
	other.waitQuery(`up{job="refused"} == 0`, 30*time.Second)
	for path, want := range map[string]string{
		"/api/v1/query?query=up%7Bfrom%3D%22other%22%7D": `"from":"other"`,
		"/api/v2/alerts": "FromOther",
	} {
		eventually(t, 40*time.Second, func() error {
			if _, text := s.bearer(tokens["viewer"]).ask("GET", path, ""); !strings.Contains(text, want) {
				return fmt.Errorf("%s has no %s: %.300s", path, want, text)
			}
			return nil
		})
	}
}

// What a browser may be led to do by a page of another origin, and what odd requests get.
func TestAuthOddRequests(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn)
	viewer := s.bearer(admin.token("viewer", "1h"))

	// The live tail is for viewers, and a page of another origin cannot open it with the cookie of a session.
	tail := strings.Replace(s.url, "http", "ws", 1) + "/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D"
	dial := func(client *http.Client, header http.Header) int {
		t.Helper()
		conn, resp, err := websocket.Dial(t.Context(), tail, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
		if err == nil {
			_ = conn.CloseNow()
		}
		if resp == nil {
			require.NoError(t, err)
		}
		return resp.StatusCode
	}
	jar := &http.Client{Jar: admin.client.Jar}
	require.Equal(t, 401, dial(&http.Client{}, nil))
	require.Equal(t, 101, dial(&http.Client{}, viewer.header))
	require.Equal(t, 403, dial(&http.Client{}, s.bearer(admin.token("ingest", "1h")).header))
	require.Equal(t, 101, dial(jar, http.Header{"Origin": {s.url}}))
	require.Equal(t, 403, dial(jar, http.Header{"Origin": {"https://evil.test"}}))

	// No answer may be read by a page of another origin with the cookie of a session.
	for _, path := range []string{"/ai/v1/auth/me", "/api/v1/query?query=up", "/api/v2/alerts", "/loki/api/v1/labels", "/metrics", "/federate?match[]=up"} {
		admin.header.Set("Origin", "https://evil.test")
		resp := admin.do("GET", path, "")
		_ = resp.Body.Close()
		require.Empty(t, resp.Header.Get("Access-Control-Allow-Credentials"), path)
		require.NotEqual(t, "https://evil.test", resp.Header.Get("Access-Control-Allow-Origin"), path)
		admin.header.Del("Origin")
	}

	nobody := s.nobody()
	for _, c := range []struct {
		method, path string
		header       [2]string
	}{
		{"HEAD", "/metrics", [2]string{}},
		{"HEAD", "/api/v1/query?query=up", [2]string{}},
		{"OPTIONS", "/api/v1/query", [2]string{"Origin", "https://evil.test"}},
		{"TRACE", "/metrics", [2]string{}},
		{"GET", "/metrics/", [2]string{}},
		{"GET", "/assets/%2e%2e/metrics", [2]string{}},
		{"GET", "/assets/..%2fmetrics", [2]string{}},
		{"GET", "/login/../metrics", [2]string{}},
		{"GET", "/login%2f..%2fmetrics", [2]string{}},
		{"GET", "/-/healthy/../../metrics", [2]string{}},
		{"GET", "/metrics;/login", [2]string{}},
		{"GET", "/debug/pprof", [2]string{}},
		{"GET", "/-/healthy", [2]string{"X-Original-URL", "/metrics"}}, // Public; the header must change nothing.
		{"GET", "/metrics", [2]string{"X-Rewrite-URL", "/-/healthy"}},
		{"GET", "/metrics", [2]string{"X-Forwarded-For", "127.0.0.1"}},
		{"GET", "/metrics", [2]string{"X-HTTP-Method-Override", "OPTIONS"}},
		{"GET", "/metrics", [2]string{"User-Agent", "modelwatch/dev"}},
		{"GET", "/metrics", [2]string{"Host", "modelwatch.internal:80"}},
	} {
		nobody.header = http.Header{}
		if c.header[0] != "" {
			nobody.header.Set(c.header[0], c.header[1])
		}
		resp := nobody.do(c.method, c.path, "")
		status, text := read(t, resp)
		require.NotContains(t, text, "go_goroutines", "%s %s", c.method, c.path)
		if !strings.HasPrefix(c.path, "/-/healthy") || strings.Contains(c.path, "..") {
			require.NotEqual(t, 200, status, "%s %s: %s", c.method, c.path, text)
		}
	}
	// A viewer becomes nothing more by an odd method or header.
	viewer.header.Set("X-HTTP-Method-Override", "POST")
	require.Equal(t, "role", viewer.want(403, "POST", "/-/reload", "")["code"])
	status, _ := viewer.ask("GET", "/-/reload", "")
	require.Equal(t, 403, status)
}
