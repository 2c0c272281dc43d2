package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Streams get their tenant and the name of their service as labels if
// modelwatch.yml says so, whichever way they come in.
func TestLabelsOfReceivedLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "promtail.yml", `
clients:
  - {url: 'http://loki-that-was-replaced:3100/loki/api/v1/push', tenant_id: client}
scrape_configs:
  - job_name: files
    static_configs: [{targets: [localhost], labels: {job: files, __path__: '`+dir+`/*.log'}}]
    pipeline_stages:
      - match: {selector: '{job="files"} |= "staged"', stages: [{tenant: {value: stage}}]}
`)
	file := write(t, dir, "modelwatch.yml", `
logs:
  tenant_label: team
  discover_service_name: [app, job]
  collect:
    config_file: promtail.yml
    own_addresses: ['loki-that-was-replaced:3100']
`)
	s := start(t, options{args: []string{"--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data")}})
	now := time.Now().UnixNano()
	push := func(path, tenant, body string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if tenant != "" {
			req.Header.Set("X-Scope-OrgID", tenant)
		}
		resp, err := web.Do(req)
		require.NoError(t, err)
		status, answer := read(t, resp)
		require.Less(t, status, 300, answer)
	}
	push("/loki/api/v1/push", "pusher", fmt.Sprintf(`{"streams":[{"stream":{"job":"batch","app":"shop"},"values":[["%d","pushed"]]}]}`, now))
	push("/loki/api/v1/push", "", fmt.Sprintf(`{"streams":[{"stream":{"host":"h"},"values":[["%d","nameless"]]}]}`, now))
	push("/v1/logs", "otel", fmt.Sprintf(`{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"ranker"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"exported"}}]}]}]}`, now))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.log"), []byte("plain\nstaged\n"), 0o600))

	for selector, want := range map[string]string{
		`{team="pusher", service_name="shop", job="batch"}`: "pushed",
		`{team="", service_name="unknown_service"}`:         "nameless",
		`{team="otel", service_name="ranker"}`:              "exported",
		`{team="client", service_name="files"}`:             "plain",
		`{team="stage", service_name="files"}`:              "staged",
	} {
		eventually(t, 20*time.Second, func() error {
			_, body := s.get("/loki/api/v1/query_range?query=" + url.QueryEscape(selector) + fmt.Sprintf("&start=%d", now-int64(time.Minute)))
			var answer struct {
				Data struct {
					Result []struct{ Values [][2]string }
				}
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				return fmt.Errorf("%w: %s", err, body)
			}
			if r := answer.Data.Result; len(r) != 1 || len(r[0].Values) != 1 || r[0].Values[0][1] != want {
				return fmt.Errorf("%s gives %s, want the line %q", selector, body, want)
			}
			return nil
		})
	}

	_, limits := s.get("/loki/api/v1/drilldown-limits")
	require.Contains(t, limits, `"discover_service_name":["app","job"]`)

	write(t, dir, "modelwatch.yml", "logs: {tenant_label: 'the team'}\n")
	status, body := s.post("/-/reload", "", "")
	require.Equal(t, http.StatusInternalServerError, status)
	require.Contains(t, body, `modelwatch.yml:1: logs.tenant_label: "the team" is not the name of a label`)
}
