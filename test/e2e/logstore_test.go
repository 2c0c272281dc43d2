package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pushLines pushes lines with the time of now, one millisecond apart.
func (s *server) pushLines(stream string, lines ...string) {
	s.t.Helper()
	var values []string
	for i, line := range lines {
		values = append(values, fmt.Sprintf(`["%d",%q]`, time.Now().Add(time.Duration(i-len(lines))*time.Millisecond).UnixNano(), line))
	}
	status, answer := s.post("/loki/api/v1/push", "application/json", fmt.Sprintf(`{"streams":[{"stream":%s,"values":[%s]}]}`, stream, strings.Join(values, ",")))
	require.Equal(s.t, http.StatusNoContent, status, answer)
}

// Templates are mined while lines come in, and asked for as Logs Drilldown does.
func TestPatterns(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	for range 3 {
		s.pushLines(`{"job":"ai_service"}`, "level=info served request 17 in 12ms", "level=info served request 18 in 9ms", "level=error out of memory on gpu 3")
		s.pushLines(`{"job":"other"}`, "nothing to see")
	}
	eventually(t, 10*time.Second, func() error {
		status, body := s.get("/loki/api/v1/patterns?query=" + url.QueryEscape(`{job="ai_service"}`))
		if status != http.StatusOK {
			return fmt.Errorf("%d: %s", status, body)
		}
		for _, want := range []string{`"pattern":"level=info served request <_> in <_>","level":"info","samples":[[`, `"pattern":"level=error out of memory on gpu <_>","level":"error"`} {
			if !strings.Contains(body, want) {
				return fmt.Errorf("%s lacks %s", body, want)
			}
		}
		if strings.Contains(body, "nothing") {
			return fmt.Errorf("pattern of another stream: %s", body)
		}
		return nil
	})
	// A template is itself something to search for.
	_, body := s.get("/loki/api/v1/query_range?query=" + url.QueryEscape(`{job="ai_service"} |> "level=error out of memory on gpu <_>"`))
	require.Equal(t, 3, strings.Count(body, "out of memory on gpu 3"), body)
	status, body := s.get("/loki/api/v1/patterns?query=" + url.QueryEscape(`{job=`))
	require.Equal(t, http.StatusBadRequest, status, body)
	s.stop()
}
