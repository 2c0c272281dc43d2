package e2e

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func readGzip(t *testing.T, name string, into any) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "logql", name))
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(into))
}

// lokiAnswer is an answer of Loki's API, with what differs between runs taken
// out: times are relative to the base, streams and entries are sorted.
type lokiAnswer struct {
	Status int
	Type   string
	Result any
}

// normal brings an answer into the form of the recorded ones.
func normal(t *testing.T, status int, body string, base int64) lokiAnswer {
	t.Helper()
	if status != http.StatusOK {
		return lokiAnswer{Status: status}
	}
	var answer struct {
		Data struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(body), &answer))
	out := lokiAnswer{Status: status, Type: answer.Data.ResultType}
	var series []struct {
		Stream, Metric map[string]string
		Values         [][2]any
		Value          *[2]any
	}
	if out.Type == "scalar" {
		var scalar [2]any
		require.NoError(t, json.Unmarshal(answer.Data.Result, &scalar))
		out.Result = []any{scalar[1]}
		return out
	}
	require.NoError(t, json.Unmarshal(answer.Data.Result, &series))
	rows := []any{}
	for _, s := range series {
		name := s.Metric
		if out.Type == "streams" {
			name = s.Stream
		}
		if s.Value != nil {
			s.Values = append(s.Values, *s.Value)
		}
		points := []any{}
		for _, v := range s.Values {
			switch at := v[0].(type) {
			case string: // Nanoseconds of a log line.
				ns, err := strconv.ParseInt(at, 10, 64)
				require.NoError(t, err)
				points = append(points, []any{float64(ns - base*1e9), v[1]})
			case float64: // Seconds of a number.
				points = append(points, []any{math.Round((at-float64(base))*1000) / 1000, v[1]})
			}
		}
		if out.Type == "streams" {
			slices.SortFunc(points, comparePoints)
		}
		rows = append(rows, []any{name, points})
	}
	out.Result = rows
	return out
}

func comparePoints(a, b any) int {
	x, _ := a.([]any)
	y, _ := b.([]any)
	xt, _ := x[0].(float64)
	yt, _ := y[0].(float64)
	if xt != yt {
		if xt < yt {
			return -1
		}
		return 1
	}
	xs, _ := x[1].(string)
	ys, _ := y[1].(string)
	return strings.Compare(xs, ys)
}

// recorded brings a recorded answer into the same form.
func recorded(t *testing.T, raw map[string]any) lokiAnswer {
	t.Helper()
	status, _ := raw["status"].(float64)
	out := lokiAnswer{Status: int(status)}
	if out.Status != http.StatusOK {
		return out
	}
	out.Type, _ = raw["type"].(string)
	rows, ok := raw["result"].([]any)
	require.True(t, ok)
	if out.Type == "scalar" {
		out.Result = rows
		return out
	}
	result := []any{}
	for _, r := range rows {
		row, _ := r.([]any)
		text, _ := row[0].(string)
		var name map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &name))
		points, _ := row[1].([]any)
		result = append(result, []any{name, points})
	}
	out.Result = result
	return out
}

// same compares two answers: numbers to 1e-6, the order of streams not at all.
func same(want, got lokiAnswer) error {
	if (want.Status == http.StatusOK) != (got.Status == http.StatusOK) {
		return fmt.Errorf("status %d, want %d", got.Status, want.Status)
	}
	if want.Status != http.StatusOK {
		return nil
	}
	if want.Type != got.Type {
		return fmt.Errorf("type %s, want %s", got.Type, want.Type)
	}
	w, _ := want.Result.([]any)
	g, _ := got.Result.([]any)
	if len(w) != len(g) {
		return fmt.Errorf("%d series, want %d", len(g), len(w))
	}
	if want.Type == "scalar" {
		return sameValue(w[0], g[0])
	}
	// Several series may have one name, if a query made it so.
	byName := func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(w, byName)
	slices.SortFunc(g, byName)
	for k := range w {
		row, _ := w[k].([]any)
		other, _ := g[k].([]any)
		if fmt.Sprint(row[0]) != fmt.Sprint(other[0]) {
			return fmt.Errorf("series %v, want %v", other[0], row[0])
		}
		points := other[1]
		wp, _ := row[1].([]any)
		gp, _ := points.([]any)
		if len(wp) != len(gp) {
			return fmt.Errorf("%v: %d points, want %d", row[0], len(gp), len(wp))
		}
		for i := range wp {
			a, _ := wp[i].([]any)
			b, _ := gp[i].([]any)
			if a[0] != b[0] {
				return fmt.Errorf("%v: point %d at %v, want %v", row[0], i, b[0], a[0])
			}
			if err := sameValue(a[1], b[1]); err != nil {
				return fmt.Errorf("%v: %w", row[0], err)
			}
		}
	}
	return nil
}

func sameValue(want, got any) error {
	if want == got {
		return nil
	}
	w, err1 := strconv.ParseFloat(fmt.Sprint(want), 64)
	g, err2 := strconv.ParseFloat(fmt.Sprint(got), 64)
	if err1 == nil && err2 == nil && (math.IsNaN(w) && math.IsNaN(g) || math.Abs(w-g) <= math.Max(1e-9, 1e-6*math.Abs(w))) {
		return nil
	}
	return fmt.Errorf("%v, want %v", got, want)
}

// The running binary answers LogQL as a real Loki did, over HTTP.
func TestLogQLEqualsLoki(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	base := (time.Now().Unix()/1800 - 1) * 1800
	var streams []struct {
		Stream map[string]string `json:"stream"`
		Values [][]any           `json:"values"`
	}
	readGzip(t, "data.json.gz", &streams)
	for _, st := range streams {
		for i, v := range st.Values {
			at, err := strconv.ParseInt(fmt.Sprint(v[0]), 10, 64)
			require.NoError(t, err)
			st.Values[i][0] = strconv.FormatInt(at+base*1e9, 10)
		}
	}
	body, err := json.Marshal(map[string]any{"streams": streams})
	require.NoError(t, err)
	status, answer := s.post("/loki/api/v1/push", "application/json", string(body))
	require.Equal(t, http.StatusNoContent, status, answer)

	golden := map[string]map[string]any{}
	readGzip(t, "golden.json.gz", &golden)
	require.Len(t, golden, 115)
	for key, want := range golden {
		kind, expr, _ := strings.Cut(key, " ")
		path := fmt.Sprintf("/loki/api/v1/query?limit=5000&time=%d&query=%s", (base+1800)*1e9, url.QueryEscape(expr))
		if kind == "range" {
			path = fmt.Sprintf("/loki/api/v1/query_range?limit=5000&direction=forward&step=60&start=%d&end=%d&query=%s", base*1e9, (base+1800)*1e9, url.QueryEscape(expr))
		}
		status, body := s.get(path)
		if err := same(recorded(t, want), normal(t, status, body, base)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// A promtail.yml tails a file through rotation; its lines are found by LogQL,
// and a LogQL rule alerts on them.
func TestTailSearchAndAlert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := write(t, dir, "ai_service.log", "")
	promtail := write(t, dir, "promtail.yml", fmt.Sprintf(`
server:
  http_listen_port: 9080
positions:
  filename: %[1]s/positions.yaml
clients:
  - url: http://loki:3100/loki/api/v1/push
scrape_configs:
  - job_name: 'ai_service_logs'
    static_configs:
      - targets: ['localhost']
        labels:
          job: 'ai_service'
          __path__: %[1]s/ai_service.log
`, dir))
	write(t, dir, "rules.yml", "groups:\n- name: logs\n  interval: 1s\n  rules:\n  - alert: ErrorLines\n    expr: sum by (job) (count_over_time({job=\"ai_service\"} |= \"error\" [5m])) > 1\n    labels: {severity: warning, service: ai_service}\n  - record: job:log_errors:count5m\n    expr: sum by (job) (count_over_time({job=\"ai_service\"} |= \"error\" [5m]))\n")
	prometheus := write(t, dir, "prometheus.yml", "rule_files: [rules.yml]\n")
	o := options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--promtail.config=" + promtail, "--prometheus.config=" + prometheus}}
	// The Loki that the file was written for is gone.
	require.Contains(t, tool(t, binary, "check", promtail), "client http://loki:3100/loki/api/v1/push is modelwatch itself: there is no host \"loki\"")
	s := start(t, o)
	require.Contains(t, s.out.String(), "Lines for a client are kept by modelwatch itself")
	appendLine := func(line string) {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
		require.NoError(t, err)
		_, err = f.WriteString(line + "\n")
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	lines := func() int {
		_, body := s.get(`/loki/api/v1/query_range?limit=1000&query=` + url.QueryEscape(`{job="ai_service"} |~ "error"`))
		return strings.Count(body, "error: OutOfMemory")
	}
	waitLines := func(n int) {
		t.Helper()
		eventually(t, 15*time.Second, func() error {
			if got := lines(); got != n {
				return fmt.Errorf("%d lines, want %d", got, n)
			}
			return nil
		})
	}
	appendLine("error: OutOfMemory 1")
	appendLine("all is well")
	waitLines(1)
	require.NoError(t, os.Rename(file, file+".1"))
	appendLine("error: OutOfMemory 2")
	waitLines(2)
	s.waitAlert("ErrorLines", "firing", 15*time.Second)
	s.waitQuery(`job:log_errors:count5m{job="ai_service"} >= 2`, 15*time.Second)

	// After kill -9 no line is missing. The last ones may be read again: they
	// are delivered at least once.
	s.kill()
	appendLine("error: OutOfMemory 3")
	s = start(t, o)
	eventually(t, 15*time.Second, func() error {
		for n := 1; n <= 3; n++ {
			_, body := s.get(`/loki/api/v1/query_range?limit=1000&query=` + url.QueryEscape(fmt.Sprintf(`{job="ai_service"} |= "OutOfMemory %d"`, n)))
			if !strings.Contains(body, fmt.Sprintf("error: OutOfMemory %d", n)) {
				return fmt.Errorf("line %d is missing", n)
			}
		}
		return nil
	})
	s.stop()
}
