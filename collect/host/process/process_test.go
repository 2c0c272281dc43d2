package process

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// TestScripts plays testdata: a made-up procfs is changed line by line and measured. Run with -rewrite to accept.
//
//	proc pid=N [ppid=N] [start=TICKS] [cpu=TICKS] [rss=PAGES] [threads=N] [state=S] [fds=N] [limit=N] [sockets=(INODE,...)] [cmd=(word,...)]
//	end pid=N
//	listen port=N inode=N [six]
//	unlisten
//	pidfile [minute=N]     the input is its content; minute is its modification time after the machine's start
//	watch [service=S] [pidfile] [port=N] [command=RE] [alone]    adds a watch
//	measure
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		m := newMachine(t)
		c, err := New(Options{ProcPath: m.dir})
		require.NoError(t, err)
		var watches []Watch
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "proc":
				m.proc(d)
			case "end":
				m.end(number(t, d, "pid", 0))
			case "listen":
				m.listen(number(t, d, "port", 0), number(t, d, "inode", 0), d.HasArg("six"))
			case "unlisten":
				m.unlisten()
			case "pidfile":
				m.pidfile(d.Input, number(t, d, "minute", 60))
			case "watch":
				w := Watch{Service: "svc", Port: number(t, d, "port", 0), WithoutChildren: d.HasArg("alone")}
				d.MaybeScanArgs(t, "service", &w.Service)
				d.MaybeScanArgs(t, "command", &w.Command)
				if d.HasArg("pidfile") {
					w.PIDFile = m.file
				}
				watches = append(watches, w)
				if err := c.Set(watches); err != nil {
					watches = watches[:len(watches)-1]
					return err.Error()
				}
			case "measure":
				return measure(t, c)
			default:
				d.Fatalf(t, "unknown command")
			}
			return ""
		})
	})
}

func number(t *testing.T, d *datadriven.TestData, key string, otherwise int) int {
	t.Helper()
	d.MaybeScanArgs(t, key, &otherwise)
	return otherwise
}

// measure returns the series of one measurement, sorted.
func measure(t testing.TB, c *Collector) string {
	t.Helper()
	ch := make(chan prometheus.Metric, 1000)
	require.NoError(t, c.Update(ch))
	close(ch)
	var lines []string
	for m := range ch {
		lines = append(lines, line(t, m))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func line(t testing.TB, m prometheus.Metric) string {
	t.Helper()
	var out dto.Metric
	require.NoError(t, m.Write(&out))
	name := strings.Split(m.Desc().String(), `"`)[1]
	var labels []string
	for _, l := range out.GetLabel() {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	value := out.GetGauge().GetValue()
	if out.Counter != nil {
		value = out.GetCounter().GetValue()
	}
	return fmt.Sprintf("%s{%s} %s", strings.TrimPrefix(name, "modelwatch_"), strings.Join(labels, ","), strconv.FormatFloat(value, 'f', -1, 64))
}

// values is a measurement by series name, for one service.
func values(t testing.TB, c *Collector) map[string]float64 {
	t.Helper()
	vs := map[string]float64{}
	for l := range strings.SplitSeq(measure(t, c), "\n") {
		name, value, _ := strings.Cut(l, "} ")
		name, _, _ = strings.Cut(name, "{")
		v, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err)
		vs[name] = v
	}
	return vs
}

// machine is a made-up procfs of a machine that started at bootTime.
type machine struct {
	t         testing.TB
	dir, file string
	sockets   map[string][]string // by file under net/
}

const bootTime = 1_700_000_000

func newMachine(t testing.TB) *machine {
	m := &machine{t: t, dir: t.TempDir(), sockets: map[string][]string{}}
	m.file = filepath.Join(t.TempDir(), "service.pid")
	m.write("stat", fmt.Sprintf("cpu  1 0 1 1 0 0 0 0 0 0\nbtime %d\n", bootTime))
	m.unlisten()
	return m
}

func (m *machine) write(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(m.t, os.WriteFile(path, []byte(content), 0o644))
}

func (m *machine) proc(d *datadriven.TestData) {
	t := m.t.(*testing.T)
	t.Helper()
	arg := func(key string, otherwise int) int { return number(t, d, key, otherwise) }
	pid, state := strconv.Itoa(arg("pid", 0)), "S"
	d.MaybeScanArgs(t, "state", &state)
	m.write(pid+"/stat", fmt.Sprintf("%s (a ) name) %s %d 1 1 0 -1 0 0 0 0 0 %d 0 0 0 20 0 %d 0 %d 1000000 %d 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n",
		pid, state, arg("ppid", 1), arg("cpu", 0), arg("threads", 1), arg("start", 1000), arg("rss", 1)))
	m.write(pid+"/limits", fmt.Sprintf("Limit                     Soft Limit           Hard Limit           Units     \nMax open files            %-20d 1048576              files     \n", arg("limit", 1024)))
	var cmd []string
	for _, a := range d.CmdArgs {
		if a.Key == "cmd" {
			cmd = a.Vals
		}
	}
	line := strings.Join(cmd, "\x00")
	if line != "" {
		line += "\x00"
	}
	m.write(pid+"/cmdline", line)
	fd := filepath.Join(m.dir, pid, "fd")
	require.NoError(t, os.RemoveAll(fd))
	require.NoError(t, os.MkdirAll(fd, 0o755))
	for i := range arg("fds", 3) {
		require.NoError(t, os.Symlink("/dev/null", filepath.Join(fd, strconv.Itoa(i))))
	}
	for _, a := range d.CmdArgs {
		if a.Key == "sockets" {
			for i, inode := range a.Vals {
				require.NoError(t, os.Symlink("socket:["+inode+"]", filepath.Join(fd, strconv.Itoa(100+i))))
			}
		}
	}
}

func (m *machine) end(pid int) {
	require.NoError(m.t, os.RemoveAll(filepath.Join(m.dir, strconv.Itoa(pid))))
}

func (m *machine) listen(port, inode int, six bool) {
	name, local, remote := "tcp", "0100007F", "00000000"
	if six {
		name, local, remote = "tcp6", strings.Repeat("0", 32), strings.Repeat("0", 32)
	}
	m.sockets[name] = append(m.sockets[name], fmt.Sprintf("   0: %s:%04X %s:0000 0A 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n", local, port, remote, inode))
	// A connection to the same port is not a listener.
	m.sockets[name] = append(m.sockets[name], fmt.Sprintf("   1: %s:%04X %s:C350 01 00000000:00000000 00:00000000 00000000     0        0 %d 1 0000000000000000 100 0 0 10 0\n", local, port, remote, inode+90000))
	m.writeSockets()
}

func (m *machine) unlisten() {
	m.sockets = map[string][]string{"tcp": nil, "tcp6": nil}
	m.writeSockets()
}

func (m *machine) writeSockets() {
	for name := range maps.Keys(m.sockets) {
		m.write("net/"+name, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"+strings.Join(m.sockets[name], ""))
	}
}

func (m *machine) pidfile(content string, minute int) {
	if content == "remove" {
		require.NoError(m.t, os.Remove(m.file))
		return
	}
	require.NoError(m.t, os.WriteFile(m.file, []byte(content), 0o644))
	at := time.Unix(bootTime, 0).Add(time.Duration(minute) * time.Minute)
	require.NoError(m.t, os.Chtimes(m.file, at, at))
}

// A process whose command line cannot be read for now (its memory map is locked) blocks the measurement, as it blocks
// ps. What is known meanwhile is that nothing is known, and it is said without waiting.
func TestBlockedProcfs(t *testing.T) {
	m := newMachine(t)
	m.write("1/stat", "1 (init) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 1000 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n")
	pipe := filepath.Join(m.dir, "1/cmdline")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	c, err := New(Options{ProcPath: m.dir, Watches: []Watch{{Service: "svc", Command: "init"}}})
	require.NoError(t, err)

	updated := make(chan string)
	go func() { updated <- measure(t, c) }()
	ch := make(chan prometheus.Metric, 10)
	for range 2 {
		c.Unknown(ch, ReasonTimeout)
	}
	close(ch)
	var lines []string
	for metric := range ch {
		lines = append(lines, line(t, metric))
	}
	require.Equal(t, []string{
		`process_errors_total{reason="timeout",service="svc"} 1`,
		`process_cpu_seconds_total{service="svc"} 0`,
		`process_lookup_success{service="svc"} 0`,
		`process_errors_total{reason="timeout",service="svc"} 2`,
		`process_cpu_seconds_total{service="svc"} 0`,
		`process_lookup_success{service="svc"} 0`,
	}, lines)

	require.NoError(t, os.WriteFile(pipe, []byte("init\x00"), 0))
	require.Contains(t, <-updated, `process_up{service="svc"} 1`)
}

func TestSetKeepsCounters(t *testing.T) {
	c, err := New(Options{Watches: []Watch{{Service: "kept", Command: "."}, {Service: "dropped", Command: "."}}})
	require.NoError(t, err)
	before := c.services[0]
	require.Error(t, c.Set([]Watch{{Service: "kept", Command: "."}, {Service: ""}}), "a bad watch changes nothing")
	require.Same(t, before, c.services[0])
	require.NoError(t, c.Set([]Watch{{Service: "new", Port: 1}, {Service: "kept", Command: "."}}))
	require.Same(t, before, c.services[1])
	require.Len(t, c.services, 2)
	require.NoError(t, c.Set(nil))
	require.True(t, c.Empty())
	require.Empty(t, measure(t, c))
}

// modelwatch's own command line names the services that it watches, so it is not one of them.
func TestNotItself(t *testing.T) {
	c, err := New(Options{Watches: []Watch{{Service: "s", Command: regexp.QuoteMeta(filepath.Base(os.Args[0]))}}})
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), c.self)
	all, err := c.snapshot()
	require.NoError(t, err)
	require.Contains(t, all.byPID, os.Getpid())
	pids, err := c.roots(c.services[0], all)
	require.NoError(t, err)
	require.NotContains(t, pids, os.Getpid())
}

func TestPIDFileKinds(t *testing.T) {
	c, err := New(Options{})
	require.NoError(t, err)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	for path, want := range map[string]string{
		pipe:                                    "is not a regular file",
		t.TempDir():                             "is not a regular file",
		filepath.Join(pipe, "below"):            "read pid file: open " + pipe + "/below: not a directory",
		"testdata/" + strings.Repeat("x", 1000): "file name too long",
	} {
		_, err := c.byPIDFile(path, table{})
		require.ErrorContains(t, err, want)
	}
}

// FuzzPIDFile: whatever a pid file holds, the answer is a process that runs or an error, and nothing panics.
func FuzzPIDFile(f *testing.F) {
	for _, seed := range []string{"", "1", "1\n", " 42 x\n", "-1", "99999999999999999999", "1\x00", "٣"} {
		f.Add([]byte(seed))
	}
	c, err := New(Options{})
	require.NoError(f, err)
	all, err := c.snapshot()
	require.NoError(f, err)
	path := filepath.Join(f.TempDir(), "pid")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		pids, err := c.byPIDFile(path, all)
		for _, pid := range pids {
			require.Contains(t, all.byPID, pid)
			require.NoError(t, err)
		}
	})
}

// BenchmarkUpdate measures one collection on a machine with 500 processes of 20 open files each.
func BenchmarkUpdate(b *testing.B) {
	for name, w := range map[string]Watch{"command": {Service: "s", Command: "worker-7$"}, "port": {Service: "s", Port: 8000}} {
		b.Run(name, func(b *testing.B) {
			m := newMachine(b)
			m.listen(8000, 12345, false)
			for pid := 1; pid <= 500; pid++ {
				dir := strconv.Itoa(pid)
				m.write(dir+"/stat", fmt.Sprintf("%d (worker) S 0 1 1 0 -1 0 0 0 0 0 5 0 0 0 20 0 1 0 1 1000 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n", pid))
				m.write(dir+"/cmdline", fmt.Sprintf("python3\x00worker-%d\x00", pid))
				m.write(dir+"/limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 1048576              files     \n")
				require.NoError(b, os.MkdirAll(filepath.Join(m.dir, dir, "fd"), 0o755))
				for i := range 20 {
					require.NoError(b, os.Symlink("socket:["+strconv.Itoa(12345+max(pid-1, i))+"]", filepath.Join(m.dir, dir, "fd", strconv.Itoa(i))))
				}
			}
			c, err := New(Options{ProcPath: m.dir, Watches: []Watch{w}})
			require.NoError(b, err)
			ch := make(chan prometheus.Metric, 100)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, c.Update(ch))
				for range len(ch) {
					<-ch
				}
			}
		})
	}
}
