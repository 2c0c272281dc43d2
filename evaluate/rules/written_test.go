package rules

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

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
