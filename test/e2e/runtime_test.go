package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The section runtime of prometheus.yml counts, and a reload changes it.
func TestRuntimeOfPrometheusFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := write(t, dir, "prometheus.yml", "runtime: {gogc: 42, log_level: error}\n")
	s := start(t, options{
		args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--prometheus.config=" + config},
		env:  []string{"GOGC=90"},
	})
	gogc := func(want string) {
		_, info := s.get("/api/v1/status/runtimeinfo")
		require.Contains(t, info, `"GOGC":"`+want+`"`)
	}
	reload := func() {
		status, body := s.post("/-/reload", "", "")
		require.Equal(t, http.StatusOK, status, body)
	}
	gogc("42")
	reload()
	require.NotContains(t, s.out.String(), "msg=Reloaded")
	write(t, dir, "prometheus.yml", "global: {}\n")
	reload()
	gogc("90")
	require.Equal(t, 1, strings.Count(s.out.String(), "msg=Reloaded"), "the level of the flag is back")
	write(t, dir, "prometheus.yml", "runtime: {log_level: loud}\n")
	status, body := s.post("/-/reload", "", "")
	require.Equal(t, http.StatusInternalServerError, status)
	require.Contains(t, body, "loud")
	gogc("90")
}
