package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// childDir tells the test binary to be a server that is going to be killed.
const childDir = "MODELWATCH_TEST_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child serves and collects until it is killed.
func child(dir string) error {
	s, err := New(context.Background(), local.Options{Dir: filepath.Join(dir, "store")})
	if err != nil {
		return err
	}
	m, err := tail.New(tail.Options{Appender: s.Store, Dir: dir})
	if err != nil {
		return err
	}
	p, err := m.Prepare([]byte(`
target_config: {sync_period: 50ms}
scrape_configs:
  - job_name: tailed
    pipeline_stages:
      - regex: {expression: '^(?P<t>\d+) '}
      - timestamp: {source: t, format: UnixNs}
    static_configs: [{targets: [localhost], labels: {job: tailed, __path__: "` + dir + `/*.log"}}]
`))
	if err != nil {
		return err
	}
	if err := m.Apply(p); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, s) //nolint:gosec // A test.
}

type running struct {
	cmd  *exec.Cmd
	base string
}

func startChild(t *testing.T, dir string) *running {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server opens again after a kill")
	return &running{cmd, "http://" + strings.TrimSpace(line)}
}

// TestKill kills the server with SIGKILL, over and over, while lines are pushed and a file is written and rotated. Every
// push that was answered, and every line of the file, is there afterwards exactly once; pushes without an answer were
// sent again, as clients do, and are there once, too.
func TestKill(t *testing.T) {
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	base := time.Now().Add(-time.Hour).UnixNano()
	log, err := os.Create(filepath.Join(dir, "a.log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }()
	const pushers, size = 3, 100
	next := make([]int, pushers) // the number of the batch that each pusher sends
	written, rotations := 0, 0
	for round := range rounds {
		s := startChild(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{}, pushers+1)
		for p := range pushers {
			go func() {
				defer func() { done <- struct{}{} }()
				for ctx.Err() == nil {
					if !pushBatch(ctx, s.base, p, next[p], size, base) {
						return // The same batch is sent again in the next round.
					}
					next[p]++
				}
			}()
		}
		go func() {
			defer func() { done <- struct{}{} }()
			for ctx.Err() == nil {
				for range 20 {
					fmt.Fprintf(log, "%d line %d\n", base+int64(written), written)
					written++
				}
				// A file that nobody saw at its path cannot be known, so each stays until it was noticed.
				if r.IntN(20) == 0 && noticed(dir, log) {
					rotations++
					_ = log.Close()
					_ = os.Rename(filepath.Join(dir, "a.log"), filepath.Join(dir, fmt.Sprintf("a.log.%d", written)))
					log, _ = os.Create(filepath.Join(dir, "a.log"))
				}
				time.Sleep(2 * time.Millisecond)
			}
		}()
		time.Sleep(time.Duration(50+(round*37)%250) * time.Millisecond)
		require.NoError(t, s.cmd.Process.Kill())
		_ = s.cmd.Wait()
		cancel()
		for range pushers + 1 {
			<-done
		}
	}
	s := startChild(t, dir)
	defer func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}()
	for p := range pushers {
		require.True(t, pushBatch(t.Context(), s.base, p, next[p], size, base))
		next[p]++
		found := ask(t, s.base, fmt.Sprintf(`{job="pushed", pusher="%d"}`, p), base)
		for i := range next[p] * size {
			require.Equal(t, 1, found[fmt.Sprintf("pushed %d", i)], "line %d of pusher %d", i, p)
		}
		require.Len(t, found, next[p]*size)
	}
	var found map[string]int
	complete := func() bool {
		found = ask(t, s.base, `{job="tailed"}`, base)
		return len(found) >= written
	}
	for end := time.Now().Add(60 * time.Second); !complete() && time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
	}
	require.Equal(t, written, len(found), "all of the file is collected") //nolint:testifylint // The lines would be printed.
	for i := range written {
		require.Equal(t, 1, found[fmt.Sprintf("%d line %d", base+int64(i), i)], "line %d of the file", i)
	}
	if !testing.Short() {
		require.Positive(t, rotations)
	}
	t.Logf("%d kills, %d lines pushed, %d lines of %d files", rounds, (next[0]+next[1]+next[2])*size, written, rotations+1)
}

// noticed tells whether the collector has taken note of a file.
func noticed(dir string, f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, "positions.yaml.files"))
	st, ok := info.Sys().(*syscall.Stat_t)
	return err == nil && ok && strings.Contains(string(text), fmt.Sprintf(`"inode":%d,`, st.Ino))
}

// pushBatch pushes lines number*size and following and tells whether that was acknowledged.
func pushBatch(ctx context.Context, server string, pusher, number, size int, base int64) bool {
	var values [][2]string
	for i := number * size; i < (number+1)*size; i++ {
		values = append(values, [2]string{fmt.Sprint(base + int64(i)*1000), fmt.Sprintf("pushed %d", i)})
	}
	body, err := json.Marshal(map[string]any{"streams": []any{map[string]any{"stream": map[string]string{"job": "pushed", "pusher": fmt.Sprint(pusher)}, "values": values}}})
	if err != nil {
		return false
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/loki/api/v1/push", strings.NewReader(string(body)))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusNoContent
}

// ask counts the lines of a query, page by page.
func ask(t *testing.T, server, query string, base int64) map[string]int {
	t.Helper()
	found := map[string]int{}
	for start := base; ; {
		resp, err := http.Get(server + "/loki/api/v1/query_range?" + url.Values{
			"query": {query}, "start": {fmt.Sprint(start)}, "end": {fmt.Sprint(base + int64(2*time.Hour))}, "limit": {"5000"}, "direction": {"forward"},
		}.Encode())
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", text)
		var body struct {
			Data struct {
				Result []struct{ Values [][2]string }
			}
		}
		require.NoError(t, json.Unmarshal(text, &body))
		n := 0
		last := start
		for _, s := range body.Data.Result {
			for _, v := range s.Values {
				n++
				found[v[1]]++
				var at int64
				_, err := fmt.Sscan(v[0], &at)
				require.NoError(t, err)
				last = max(last, at)
			}
		}
		if n < 5000 {
			return found
		}
		// Every line of a stream here has a time of its own.
		start = last + 1
	}
}
