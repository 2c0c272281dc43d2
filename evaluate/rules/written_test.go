package rules

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/prometheus/config"
	"github.com/stretchr/testify/require"
)

func TestRulesAreShownAsWritten(t *testing.T) {
	t.Parallel()
	text := "{{ $value | round(2) }}s & {{ round 0 .Value }} of {{ $labels.a }}"
	runs, _ := Portable([]byte(text))
	answer := func(m *Manager) map[string]string {
		h := m.AsWritten(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			require.True(t, m.written.empty() || r.Header.Get("Accept-Encoding") == "")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusAccepted)
			_ = json.NewEncoder(w).Encode(map[string]string{"summary": string(runs)})
		}))
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/api/v1/rules", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusAccepted, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var got map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		return got
	}
	m := &Manager{}
	require.Equal(t, string(runs), answer(m)["summary"], "without extensions nothing is touched")
	m.written.add([]byte("summary: '" + text + "'"))
	require.Equal(t, text, answer(m)["summary"])
}

// Reloading drops the templates of files that are no longer loaded, and keeps
// all of them where it is refused.
func TestTemplatesOfFormerFilesAreDropped(t *testing.T) {
	t.Parallel()
	m := previewer(t)
	m.Start()
	t.Cleanup(m.Stop)
	file := filepath.Join(t.TempDir(), "a.yml")
	load := func(summary string) error {
		text := "groups: [{name: a, rules: [{alert: A, expr: up == 0, annotations: {summary: '" + summary + "'}}]}]\n"
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		return m.Apply(&config.Config{GlobalConfig: config.DefaultGlobalConfig, RuleFiles: []string{file}})
	}
	shown := func(text string) string {
		runs, _ := Portable([]byte(text))
		require.NotEqual(t, text, string(runs))
		return string(m.written.restore([]byte(inJSON(runs))))
	}
	first, second := "{{ round 1 .Value }}", "{{ round 3 .Value }}"
	require.NoError(t, load(first))
	require.Equal(t, inJSON([]byte(first)), shown(first))
	require.Error(t, load(second+"{{ nothing"))
	require.Equal(t, inJSON([]byte(first)), shown(first), "what was refused changes nothing")
	require.NoError(t, load(second))
	require.Equal(t, inJSON([]byte(second)), shown(second))
	require.NotEqual(t, inJSON([]byte(first)), shown(first))
	require.Len(t, m.written.pairs, 1)
	require.NoError(t, load("plain"))
	require.True(t, m.written.empty())
}
