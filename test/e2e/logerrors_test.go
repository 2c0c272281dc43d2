package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/store/state"
)

// The built-in rules tell of a service that begins to log errors, and of an
// error that is new; not of one that works and happens to write such words.
func TestErrorLinesAlert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// Both services have been known for long, with one kind of error.
	db, err := state.Open(state.Options{Path: filepath.Join(dir, "state.db")})
	require.NoError(t, err)
	require.NoError(t, db.SetDocument(t.Context(), "log_error_templates", []byte(`{
		"ai_service": {"first": "2026-01-01T00:00:00Z", "templates": ["level=error cache <_> is cold"]},
		"quiet": {"first": "2026-01-01T00:00:00Z", "templates": ["level=error cache <_> is cold"]}}`)))
	require.NoError(t, db.Close())
	conf := write(t, dir, "modelwatch.yml", "collect: {interval: 1s}\n")
	s := start(t, options{args: []string{"--config.file=" + conf, "--storage.path=" + dir}})
	alert := func(name string) string {
		state, err := s.alertState(name)
		if err != nil {
			return err.Error()
		}
		return state
	}
	deadline := time.Now().Add(150 * time.Second)
	fired := map[string]bool{}
	for i := 0; len(fired) < 2; i++ {
		require.True(t, time.Now().Before(deadline), "fired: %v", fired)
		s.pushLines(`{"job":"ai_service"}`, fmt.Sprintf("level=error OutOfMemory: batch %d", i), `{"level":"info","msg":"served"}`)
		s.pushLines(`{"service_name":"quiet"}`, fmt.Sprintf("level=info retried after error %d", i), `{"level":"info","error":null}`, `WARN an error that was handled`)
		if i%30 == 0 {
			s.pushLines(`{"service_name":"quiet"}`, fmt.Sprintf("level=error cache %d is cold", i))
		}
		for _, name := range []string{"AILogErrors", "AILogNewErrors"} {
			if alert(name) == "firing" {
				fired[name] = true
			}
		}
		time.Sleep(time.Second)
	}
	_, body := s.get("/api/v1/alerts")
	require.Contains(t, body, `"service":"ai_service"`)
	require.Contains(t, body, "level=error OutOfMemory: batch <_>")
	require.NotContains(t, body, `"service":"quiet"`)
	s.waitAlert("AILogErrors", "inactive", 150*time.Second)
	s.stop()
}
