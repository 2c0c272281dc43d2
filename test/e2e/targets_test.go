package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
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
	until := func(want func(health string) bool) { s.untilServiceLayer(t, want) }
	until(func(health string) bool { return health == "down" })
	_, reasons := s.serviceLayer(t)
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

// TestServiceDownByItsProcesses watches a service by a process that is not there, and then is.
func TestServiceDownByItsProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	pidFile := write(t, dir, "shop.pid", strconv.Itoa(gone.Process.Pid))
	config := write(t, dir, "modelwatch.yml", fmt.Sprintf("collect: {interval: 1s, processes: [{service: shop, pid_file: %q}]}\n", pidFile))
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--config.file=" + config}})
	status, body := s.post("/ai/v1/inferences", "application/x-ndjson", strings.Repeat(`{"service":"shop","model":"ranker","duration_seconds":0.1}`+"\n", 10))
	require.Equal(t, http.StatusAccepted, status, body)
	s.untilServiceLayer(t, func(health string) bool { return health == "down" })
	_, reasons := s.serviceLayer(t)
	require.Contains(t, reasons, "No process of shop runs.")
	s.waitAlert("AIProcessDown", "firing", 60*time.Second)

	there := exec.Command("sleep", "300")
	require.NoError(t, there.Start())
	t.Cleanup(func() { _ = there.Process.Kill(); _ = there.Wait() })
	write(t, dir, "shop.pid", strconv.Itoa(there.Process.Pid))
	s.untilServiceLayer(t, func(health string) bool { return health != "down" })
	_, reasons = s.serviceLayer(t)
	require.NotContains(t, reasons, "No process")
}

// serviceLayer returns the state of the service layer of the only service, and what is said of it.
func (s *server) serviceLayer(t *testing.T) (health, reasons string) {
	t.Helper()
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

func (s *server) untilServiceLayer(t *testing.T, want func(health string) bool) {
	t.Helper()
	eventually(t, 60*time.Second, func() error {
		if health, reasons := s.serviceLayer(t); !want(health) {
			return fmt.Errorf("%s: %s", health, reasons)
		}
		return nil
	})
}
