package process

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// serveInstead makes the test binary a small server that burns some CPU time, says its port and waits for its input
// to close.
const serveInstead = "MODELWATCH_TEST_SERVE"

// measureInstead makes the test binary measure the service on this port and print the series.
const measureInstead = "MODELWATCH_TEST_MEASURE"

func TestMain(m *testing.M) {
	if os.Getenv(serveInstead) != "" {
		serve()
		return
	}
	if port := os.Getenv(measureInstead); port != "" {
		measurePort(port)
		return
	}
	goleak.VerifyTestMain(m)
}

func serve() {
	l, err := net.Listen("tcp", os.Getenv(serveInstead))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for used := (syscall.Rusage{}); used.Utime.Nano() < int64(50*time.Millisecond); {
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // Cannot fail with these arguments.
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func measurePort(port string) {
	n, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	c, err := New(Options{Watches: []Watch{{Service: "s", Port: n}}})
	if err != nil {
		panic(err)
	}
	ch := make(chan prometheus.Metric, 100)
	if err := c.Update(ch); err != nil {
		panic(err)
	}
	close(ch)
	for m := range ch {
		fmt.Println(m.Desc())
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			panic(err)
		}
		fmt.Println(out.String())
	}
}

// TestOtherUser measures, as nobody, a service that root runs: the port is seen to be open, its process is not, and
// that is neither up nor down.
func TestOtherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	port, _, stop := start(t, "127.0.0.1:0")
	defer stop()

	dir, err := os.MkdirTemp("", "modelwatch-other-user") //nolint:usetesting // t.TempDir lies below a directory that only root may enter.
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	require.NoError(t, os.Chmod(dir, 0o755))
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/measure", binary, 0o755))

	cmd := exec.CommandContext(t.Context(), dir+"/measure")
	cmd.Dir = "/"
	cmd.Env = []string{measureInstead + "=" + strconv.Itoa(port)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), `value:"permission"`)
	require.Contains(t, string(out), "modelwatch_process_lookup_success")
	require.NotContains(t, string(out), "modelwatch_process_up")
	require.NotContains(t, string(out), "modelwatch_processes\"")
}

// start runs the server and returns its port, its process number and what stops it.
func start(t *testing.T, address string) (port, pid int, stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "--the-model-server")
	cmd.Env = append(os.Environ(), serveInstead+"="+address)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	port, err = strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	return port, cmd.Process.Pid, func() {
		_ = in.Close()
		require.NoError(t, cmd.Wait())
	}
}

// TestRealProcess finds a real process in each of the three ways and follows it over a restart.
func TestRealProcess(t *testing.T) {
	port, pid, stop := start(t, "127.0.0.1:0")
	file := t.TempDir() + "/server.pid"
	require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(pid)+"\n"), 0o600))

	for name, w := range map[string]Watch{
		"port":     {Service: "s", Port: port},
		"pid file": {Service: "s", PIDFile: file},
		"command":  {Service: "s", Command: `--the-model-server$`},
	} {
		c, err := New(Options{Watches: []Watch{w}})
		require.NoError(t, err)
		v := values(t, c)
		require.EqualValues(t, 1, v["process_up"], name)
		require.EqualValues(t, 1, v["processes"], name)
		require.EqualValues(t, 1, v["process_lookup_success"], name)
		require.Greater(t, v["process_cpu_seconds_total"], 0.0, name)
		require.Greater(t, v["process_resident_memory_bytes"], 1e6, name)
		require.Greater(t, v["process_threads"], 1.0, name)
		require.Greater(t, v["process_open_fds"], 3.0, name)
		require.GreaterOrEqual(t, v["process_max_fds"], v["process_open_fds"], name)
		require.InDelta(t, v["process_open_fds"]/v["process_max_fds"], v["process_fd_usage_ratio"], 1e-9, name)
		require.InDelta(t, float64(time.Now().Unix()), v["process_start_time_seconds"], 60, name)
		require.NotContains(t, v, "process_errors_total", name)
	}

	c, err := New(Options{Watches: []Watch{{Service: "s", Port: port}}})
	require.NoError(t, err)
	first := values(t, c)
	stop()
	down := values(t, c)
	require.Zero(t, down["process_up"])
	require.EqualValues(t, 1, down["process_lookup_success"])
	require.GreaterOrEqual(t, down["process_cpu_seconds_total"], first["process_cpu_seconds_total"])
	require.NotContains(t, down, "process_resident_memory_bytes")

	_, _, stop = start(t, "127.0.0.1:"+strconv.Itoa(port))
	defer stop()
	again := values(t, c)
	require.EqualValues(t, 1, again["process_up"])
	require.Greater(t, again["process_cpu_seconds_total"], down["process_cpu_seconds_total"])
	require.GreaterOrEqual(t, again["process_start_time_seconds"], first["process_start_time_seconds"])
}
