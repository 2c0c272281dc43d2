package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// driftCompare runs the command and returns its exit status.
func driftCompare(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, told bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"drift", "compare"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &told
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), told.String()
	}
	require.NoError(t, err)
	return 0, out.String(), told.String()
}

// Scripts tell drift, no drift and failure apart by the exit status.
func TestDriftCompareExits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	csv := func(name string, shift int) string {
		var b strings.Builder
		b.WriteString("age\n")
		for i := range 400 {
			fmt.Fprintln(&b, shift+i*7919%50)
		}
		return write(t, dir, name, b.String())
	}
	old, now := csv("old.csv", 0), csv("now.csv", 40)
	few := write(t, dir, "few.csv", "age\n1\n2\n")
	for _, c := range []struct {
		name   string
		args   []string
		status int
		stdout string
		stderr string
	}{
		{"no drift", []string{"--baseline=" + old, "--current=" + old, "--preset=evidently"}, 0, "evidently", ""},
		{"drift", []string{"--baseline=" + old, "--current=" + now}, 2, "drift", ""},
		{"drift as JSON", []string{"--baseline=" + old, "--current=" + now, "--json"}, 2, `"drift": true`, ""},
		{"no such file", []string{"--baseline=" + old, "--current=" + filepath.Join(dir, "none.csv")}, 1, "", "modelwatch drift compare: --current: "},
		{"nothing judged", []string{"--baseline=" + few, "--current=" + few}, 1, "unknown", "no feature could be judged"},
		{"unknown preset", []string{"--baseline=" + old, "--current=" + now, "--preset=alibi"}, 1, "", "use one of modelwatch, evidently, nannyml, whylogs"},
		{"unknown flag", []string{"--basline=" + old}, 1, "", "unknown long flag"},
		{"no server", []string{"--url=http://127.0.0.1:1", "--model=m", "--since=1h"}, 1, "", "connection refused"},
	} {
		status, stdout, stderr := driftCompare(t, c.args...)
		require.Equal(t, c.status, status, "%s: %s", c.name, stderr)
		require.Contains(t, stdout, c.stdout, c.name)
		require.Contains(t, stderr, c.stderr, c.name)
		require.Equal(t, c.stderr == "", stderr == "", "%s: %s", c.name, stderr)
	}
}

// What a running modelwatch keeps is compared too, also after it was killed, and the
// range of a baseline has records for all features together.
func TestDriftCompareOfAServer(t *testing.T) {
	t.Parallel()
	storage := t.TempDir()
	s := start(t, options{args: []string{"--storage.path=" + storage}})
	begin := time.Now().Add(-2 * time.Hour).Truncate(time.Minute)
	send := func(from time.Time, shift int) {
		t.Helper()
		var b strings.Builder
		for i := range 600 {
			at := from.Add(time.Duration(i) * time.Second).Format(time.RFC3339)
			fmt.Fprintf(&b, `{"service":"shop","model":"ranker","model_version":"v1","timestamp":%q,"features":{"age":%d,"city":"Graz"}}`+"\n", at, shift+i*7919%50)
		}
		status, answer := s.post("/ai/v1/inferences", "application/x-ndjson", b.String())
		require.Equal(t, http.StatusAccepted, status, answer)
	}
	send(begin, 0)
	send(begin.Add(time.Hour), 40)
	s.kill()
	s = start(t, options{args: []string{"--storage.path=" + storage}})
	stamp := func(d time.Duration) string { return begin.Add(d).UTC().Format(time.RFC3339) }
	was := []string{"--url=" + s.url, "--model=ranker", "--baseline-since=" + stamp(0), "--baseline-until=" + stamp(10*time.Minute)}
	status, stdout, stderr := driftCompare(t, append(was, "--since="+stamp(time.Hour), "--until="+stamp(70*time.Minute), "--preset=nannyml", "--preset=modelwatch")...)
	require.Equal(t, 2, status, stderr)
	require.Contains(t, stdout, "600 rows of the baseline, 600 rows now")
	require.Contains(t, stdout, "Raw inferences of shop/ranker@v1")
	status, stdout, stderr = driftCompare(t, append(was, "--since="+stamp(0), "--until="+stamp(10*time.Minute), "--preset=whylogs")...)
	require.Equal(t, 0, status, stdout+stderr)
	status, _, stderr = driftCompare(t, append(was, "--since="+stamp(-time.Hour), "--until="+stamp(-time.Minute))...)
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "no raw inferences of shop/ranker@v1")

	var made string
	eventually(t, 30*time.Second, func() error {
		code, text := s.post("/ai/v1/baselines", "application/json", fmt.Sprintf(`{"service":"shop","model":"ranker","model_version":"v1","from":%d,"to":%q}`, begin.Unix(), stamp(10*time.Minute)))
		if code != http.StatusCreated {
			return fmt.Errorf("%d %s", code, text)
		}
		made = text
		return nil
	})
	_, id, _ := strings.Cut(made, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	code, document := s.get("/ai/v1/baselines/" + id + "/export")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, document, `"sample":{"features":["age","city"]`)
	status, stdout, stderr = driftCompare(t, "--url="+s.url, "--baseline-id="+id, "--since="+stamp(time.Hour), "--until="+stamp(70*time.Minute))
	require.Equal(t, 2, status, stderr)
	require.Contains(t, stdout, "("+id+")")
	s.stop()
}
