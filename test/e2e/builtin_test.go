package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A built-in rule on a metric that does not exist would never fire. Every name
// that the rules on modelwatch itself use is exposed by a running modelwatch.
func TestSelfRulesNameRealMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	status, exposed := s.get("/metrics")
	require.Equal(t, http.StatusOK, status)
	text, err := os.ReadFile(filepath.Join("..", "..", "evaluate", "rules", "builtin", "self.yml"))
	require.NoError(t, err)
	var doc struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &doc))
	name := regexp.MustCompile(`[a-z][a-z0-9_]*(?:_[a-z0-9]+)+\{`)
	checked := 0
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			for _, m := range name.FindAllString(r.Expr, -1) {
				m = strings.TrimSuffix(m, "{")
				require.Contains(t, exposed, "# HELP "+m+" ", "alert %s uses %s", r.Alert, m)
				checked++
			}
		}
	}
	require.Greater(t, checked, 10)
	s.stop()
}

// The demonstration tells its whole story on the real binary.
func TestDemo(t *testing.T) {
	t.Parallel()
	out := demo(t)
	for _, want := range []string{"[FIRING:1] HighInferenceLatency", "current: ", "[RESOLVED] HighInferenceLatency"} {
		require.Contains(t, out, want)
	}
}
