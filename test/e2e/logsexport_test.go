package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Lines are written into a Parquet file from a running modelwatch and, when it
// has stopped, from its data directory: the same ones.
func TestLogsExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, options{args: []string{"--storage.path=" + dir + "/data"}})
	for i := range 3 {
		s.pushLines(`{"job":"ai_service"}`, fmt.Sprintf("level=error batch %d", i), `{"level":"info","msg":"it's served, \"well\""}`)
	}
	status, answer := s.post("/loki/api/v1/push", "application/json", fmt.Sprintf(`{"streams":[{"stream":{"job":"ai_service"},"values":[["%d","traced",{"trace_id":"t1"}]]},{"stream":{"job":"web"},"values":[["%[1]d","GET /"]]}]}`, time.Now().UnixNano()))
	require.Equal(t, 204, status, answer)

	export := func(args ...string) (string, error) {
		out, err := exec.Command(binary, append([]string{"logs", "export"}, args...)...).CombinedOutput()
		return string(out), err
	}
	check := func(file, condition string) {
		t.Helper()
		db, err := duck.Open("", nil)
		require.NoError(t, err)
		defer db.Close()
		c, err := db.Conn()
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Exec(t.Context(), "SELECT CASE WHEN "+condition+" THEN 1 ELSE error('wrong') END FROM "+duck.Quote(file)))
	}
	whole := `count(*) = 7 AND count(*) FILTER (level = 'error') = 3 AND min(labels) = '{"job":"ai_service"}' AND max(metadata) = '{"trace_id":"t1"}' AND count(metadata) = 1 AND min(typeof(time)) = 'TIMESTAMP_NS'`
	running := filepath.Join(dir, "running.parquet")
	out, err := export("--url="+s.url, `--query={job="ai_service"}`, running)
	require.NoError(t, err, out)
	require.Contains(t, out, "7 lines written")
	check(running, whole)
	filtered := filepath.Join(dir, "filtered.parquet")
	out, err = export("--url="+s.url, "-q", `{job="ai_service"} |= "batch" | logfmt | line_format "<{{.level}}>"`, filtered)
	require.NoError(t, err, out)
	check(filtered, `count(*) = 3 AND min(line) = '<error>' AND max(line) = '<error>'`)

	// What goes wrong is said, and no file is left behind.
	for want, args := range map[string][]string{
		"is in use by process":     {"--storage.path=" + dir + "/data", `--query={job="ai_service"}`, dir + "/x.parquet"},
		"exists: choose another":   {"--url=" + s.url, `--query={job="ai_service"}`, running},
		"no line matches":          {"--url=" + s.url, `--query={job="nobody"}`, dir + "/x.parquet"},
		"parse error":              {"--url=" + s.url, `--query={job=`, dir + "/x.parquet"},
		"it gives numbers":         {"--url=" + s.url, `--query=count_over_time({job="a"}[1m])`, dir + "/x.parquet"},
		`"soon" is no time`:        {"--url=" + s.url, "--from=soon", `--query={job="a"}`, dir + "/x.parquet"},
		"there is no time between": {"--url=" + s.url, "--from=1h", "--to=2h", `--query={job="a"}`, dir + "/x.parquet"},
		"connection refused":       {"--url=http://" + freeAddress(t), `--query={job="a"}`, dir + "/x.parquet"},
		"there are no log lines":   {"--storage.path=" + dir + "/none", `--query={job="a"}`, dir + "/x.parquet"},
	} {
		out, err := export(args...)
		require.Error(t, err, want)
		require.Contains(t, out, want)
	}
	s.stop()
	stopped := filepath.Join(dir, "stopped.parquet")
	out, err = export("--storage.path="+dir+"/data", `--query={job="ai_service"}`, stopped)
	require.NoError(t, err, out)
	check(stopped, whole)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 4, "%v", files)
}
