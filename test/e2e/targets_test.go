package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A service is down while none of its targets answers, says how they fail, and
// recovers with them. Targets of other jobs say nothing of it.
func TestServiceDownByItsTargets(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	config := write(t, dir, "prometheus.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
scrape_configs:
- job_name: replicas
  static_configs: [{targets: [%q], labels: {service: shop}}]
- job_name: stranger
  static_configs: [{targets: ['127.0.0.1:1']}]
`, address))
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--prometheus.config=" + config}})
	status, body := s.post("/ai/v1/inferences", "application/x-ndjson", strings.Repeat(`{"service":"shop","model":"ranker","duration_seconds":0.1}`+"\n", 10))
	require.Equal(t, http.StatusAccepted, status, body)
	service := func() (health, reasons string) {
		_, body := s.get("/ai/v1/services")
		var doc struct {
			Services []struct {
				Service string
				Layers  []struct {
					Layer, Health string
					Reasons       []string
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(body), &doc))
		require.LessOrEqual(t, len(doc.Services), 1, "a target alone is no AI service: %s", body)
		if len(doc.Services) == 0 {
			return "no service yet", ""
		}
		for _, l := range doc.Services[0].Layers {
			if l.Layer == "service" {
				return l.Health, strings.Join(l.Reasons, " ")
			}
		}
		return "", ""
	}
	until := func(want func(health string) bool) {
		eventually(t, 60*time.Second, func() error {
			if health, reasons := service(); !want(health) {
				return fmt.Errorf("%s: %s", health, reasons)
			}
			return nil
		})
	}
	until(func(health string) bool { return health == "down" })
	_, reasons := service()
	require.Contains(t, reasons, address+" does not answer")
	require.Contains(t, reasons, "connection refused")
	s.waitAlert("AIServiceDown", "firing", 60*time.Second)

	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	target := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second}
	go func() { _ = target.Serve(l) }()
	t.Cleanup(func() { _ = target.Close() })
	until(func(health string) bool { return health != "down" })
}
