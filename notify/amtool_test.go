package notify

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// amtool runs Alertmanager's own client against a running manager. Its absence is
// a failure, because what is not run is not known to work; whoever cannot install
// it (Debian: prometheus-alertmanager) sets MODELWATCH_TEST_NO_AMTOOL.
func amtool(t *testing.T) func(args ...string) string {
	t.Helper()
	path, err := exec.LookPath("amtool")
	if err != nil {
		if os.Getenv("MODELWATCH_TEST_NO_AMTOOL") != "" {
			t.Skip("left out by MODELWATCH_TEST_NO_AMTOOL")
		}
		require.FailNow(t, "amtool is not on the PATH: install it (Debian: prometheus-alertmanager) or set MODELWATCH_TEST_NO_AMTOOL=1")
	}
	home := t.TempDir() // No configuration of the user's.
	return func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), path, append(args, "--no-version-check")...)
		cmd.Env = append(os.Environ(), "HOME="+home)
		out, err := cmd.CombinedOutput()
		require.NoErrorf(t, err, "amtool %s: %s", strings.Join(args, " "), out)
		return string(out)
	}
}

func TestAmtool(t *testing.T) {
	t.Parallel()
	run := amtool(t)
	h := newHook(t, nil)
	m := start(t, testOptions(t, h.quick("  routes: [{receiver: pager, matchers: [severity=\"critical\"]}]")+"  - name: pager\n"))
	server := httptest.NewServer(m.CompatHandler(Compat{}))
	defer server.Close()
	url := "--alertmanager.url=" + server.URL

	run("alert", "add", "HighLatency", "service=ranker", "--annotation=summary=slow", url)
	require.Equal(t, "HighLatency", h.next(t).names())
	require.Contains(t, run("alert", "query", url), "HighLatency")

	id := strings.TrimSpace(run("silence", "add", "service=ranker", "--comment=maintenance", "--author=me", "--duration=1h", url))
	require.Contains(t, run("silence", "query", url), id)
	require.NotContains(t, run("alert", "query", url), "HighLatency")
	require.Contains(t, run("alert", "query", "--silenced", url), "HighLatency")
	run("silence", "update", "--duration=2h", id, url)
	run("silence", "expire", id, url)
	require.NotContains(t, run("silence", "query", url), id)
	require.Contains(t, run("alert", "query", url), "HighLatency")

	require.Equal(t, "pager\n", run("config", "routes", "test", "severity=critical", url))
	require.Equal(t, "hook\n", run("config", "routes", "test", "severity=warning", url))
	require.Contains(t, run("config", "routes", "show", url), `severity="critical"`)
	shown := run("config", "show", url)
	require.Contains(t, shown, "receiver: pager")
	require.NotContains(t, shown, "secret-token")
	require.Contains(t, run("cluster", "show", url), "disabled")
}

// amtool shows and tests the routes of the seed's configuration, secrets and all.
func TestAmtoolOnSeed(t *testing.T) {
	t.Parallel()
	run := amtool(t)
	opts := testOptions(t, "")
	opts.Config = Source{File: "testdata/alertmanager.yml"}
	server := httptest.NewServer(start(t, opts).CompatHandler(Compat{}))
	defer server.Close()
	require.Equal(t, "email-notifications\n", run("config", "routes", "test", "severity=critical", "--alertmanager.url="+server.URL))
	shown := run("config", "show", "--alertmanager.url="+server.URL)
	require.Contains(t, shown, "auth_password: <secret>")
	require.Contains(t, shown, "source_match")
}
