package gpu

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const healthyRow = "0, GPU-a, 00000000:07:00.0, 550.54.15, 87, 61440, 81920, 54, 312.55, 400.00, 0, 0, NVIDIA A100-SXM4-80GB\n"

// TestBackground runs the real loop: readings appear by themselves and a hanging nvidia-smi neither holds up a scrape
// nor Close, nor is a second one started beside it.
func TestBackground(t *testing.T) {
	m := newMachine(t)
	m.put("out", healthyRow)
	opts := m.options()
	opts.Interval, opts.Timeout, opts.MaxAge = 20*time.Millisecond, time.Second, 2*time.Second
	c, err := New(opts)
	require.NoError(t, err)
	has := func(line string) func() bool {
		return func() bool { return strings.Contains(gather(t, c), "modelwatch_"+line+"\n") }
	}
	require.Eventually(t, has("gpu_scrape_success 1"), 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, has("gpu_count 1"), 10*time.Second, 5*time.Millisecond)

	m.put("hang", "")
	require.Eventually(t, func() bool {
		return strings.Contains(gather(t, c), `gpu_scrape_errors_total{reason="timeout"}`)
	}, 10*time.Second, 5*time.Millisecond)
	began := time.Now()
	text := gather(t, c)
	require.Less(t, time.Since(began), time.Second)
	require.Contains(t, text, "modelwatch_gpu_scrape_success 0\n")
	require.Eventually(t, func() bool { return !strings.Contains(gather(t, c), "gpu_utilization_ratio") }, 10*time.Second, 5*time.Millisecond,
		"a reading that is too old is dropped")

	require.NoError(t, os.Remove(filepath.Join(m.dir, "hang")))
	require.Eventually(t, has("gpu_scrape_success 1"), 10*time.Second, 5*time.Millisecond)

	m.put("hang", "")
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(m.dir, "arguments"))
		return err == nil
	}, 10*time.Second, time.Millisecond)
	began = time.Now()
	require.NoError(t, c.Close())
	require.Less(t, time.Since(began), closeGrace)
	require.NoError(t, c.Close(), "twice is once")
}

// TestSilent: without nvidia-smi there is no series, one line for those who look for it, and no error.
func TestSilent(t *testing.T) {
	var log bytes.Buffer
	m := newMachine(t)
	require.NoError(t, os.Remove(filepath.Join(m.dir, "nvidia-smi")))
	opts := m.options()
	opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m.start(opts)
	for range 5 {
		m.read()
	}
	require.Empty(t, gather(t, m.c))
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), `level=DEBUG msg="No GPU metrics: nvidia-smi is not installed"`)
	require.NoFileExists(t, opts.StateFile)
}

// TestLogSaysItOnce: a failure that lasts is told when it begins and when it ends.
func TestLogSaysItOnce(t *testing.T) {
	var log bytes.Buffer
	m := newMachine(t)
	opts := m.options()
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	opts.KernelLog = filepath.Join(m.dir, "nowhere")
	opts.StateFile = filepath.Join(m.dir, "no-such-directory", "gpu.json")
	m.start(opts)
	m.put("code", "9")
	for range 3 {
		m.read()
	}
	m.put("code", "0")
	m.put("out", healthyRow)
	for range 3 {
		m.read()
	}
	var messages []string
	for line := range strings.Lines(log.String()) {
		_, rest, _ := strings.Cut(line, "msg=")
		message, _, _ := strings.Cut(strings.Trim(rest, `"`), `"`)
		messages = append(messages, message)
	}
	require.Equal(t, []string{
		"GPU XID errors cannot be counted: the kernel's log cannot be read; run as root, with CAP_SYSLOG, or with kernel.dmesg_restrict=0",
		"Cannot read the GPUs",
		"GPUs can be read again",
		"GPUs seen will be forgotten at the next start: their state file cannot be written",
	}, messages)
	text := gather(t, m.c)
	require.Contains(t, text, "modelwatch_gpu_kernel_log_readable 0\n")
	require.NotContains(t, text, "xid", "what cannot be counted is not 0")
}

func TestStartFailures(t *testing.T) {
	m := newMachine(t)
	m.start(m.options())
	require.NoError(t, os.Remove(filepath.Join(m.dir, "nvidia-smi")))
	require.NoError(t, os.WriteFile(filepath.Join(m.dir, "nvidia-smi"), []byte("not a program"), 0o755))
	m.read()
	require.Contains(t, gather(t, m.c), `modelwatch_gpu_scrape_errors_total{reason="start"} 1`)
}

func TestOptionsRefused(t *testing.T) {
	for want, opts := range map[string]Options{
		"must not be negative":                                 {Interval: -1},
		"GPU readings would be dropped after 1s, before the n": {MaxAge: time.Second},
	} {
		_, err := New(opts)
		require.ErrorContains(t, err, want)
	}
}

func TestStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gpu.json")
	for name, content := range map[string]string{
		"not JSON":     "{",
		"another kind": `{"highest_gpu_count": "eight"}`,
		"nonsense":     `{"highest_gpu_count": -3}`,
		"empty":        "",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		s, err := loadState(path)
		require.ErrorContains(t, err, path, name)
		require.Zero(t, s, name)
	}

	// A broken file is told and replaced; the collector works.
	var log bytes.Buffer
	m := newMachine(t)
	opts := m.options()
	opts.StateFile, opts.Logger = path, slog.New(slog.NewTextHandler(&log, nil))
	m.start(opts)
	require.Contains(t, log.String(), "GPUs seen before are forgotten")
	m.put("out", healthyRow)
	m.read()
	s, err := loadState(path)
	require.NoError(t, err)
	require.Equal(t, 1, s.Highest)
	require.Equal(t, []identity{{0, "GPU-a", "0000:07:00", "NVIDIA A100-SXM4-80GB"}}, s.GPUs)
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Equal(t, []string{path}, left, "no temporary file stays")

	// Nothing new, nothing written.
	before, err := os.Stat(path)
	require.NoError(t, err)
	m.read()
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

// TestRealKernelLog reads this machine's log twice: it never blocks, and the second time there is next to nothing.
func TestRealKernelLog(t *testing.T) {
	if _, err := os.ReadFile("/dev/null"); err != nil || syscall.Access("/dev/kmsg", 4) != nil {
		t.Skip("/dev/kmsg cannot be read here")
	}
	l := kernelLog{path: "/dev/kmsg"}
	defer l.close()
	done := make(chan error, 2)
	go func() {
		for range 2 {
			_, err := l.poll()
			done <- err
		}
	}()
	for range 2 {
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(10 * time.Second):
			t.Fatal("reading the kernel's log blocks")
		}
	}
}

func TestKernelLogGoesAway(t *testing.T) {
	l := kernelLog{path: t.TempDir()} // A directory opens, but cannot be read.
	_, err := l.poll()
	require.ErrorContains(t, err, "read kernel log")
	require.False(t, l.open)
}

func TestXidKindsAreBounded(t *testing.T) {
	var s state
	for i := range maxXidCounts + 50 {
		s.count([]xid{{sequence: uint64(i), bus: "0000:01:00", code: i}})
	}
	require.Len(t, s.Xids, maxXidCounts)
}

// FuzzParse: whatever nvidia-smi prints, all that comes of it is a set of series that a registry takes, within the
// bounds of what a machine can have.
func FuzzParse(f *testing.F) {
	f.Add(healthyRow)
	inputs, err := filepath.Glob("testdata/parse/*")
	require.NoError(f, err)
	for _, path := range inputs {
		content, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(string(content))
	}
	f.Fuzz(func(t *testing.T, output string) {
		c, err := newCollector(Options{ProcPath: t.TempDir()})
		require.NoError(t, err)
		r := parse(output)
		r.settle()
		require.LessOrEqual(t, len(r.notes), maxNotes)
		lines := strings.Count(output, "\n") + 1
		require.LessOrEqual(t, r.total(), lines)
		c.apply(outcome{reading: &r})
		c.apply(outcome{reading: &r}) // And again, on top of what is remembered.
		require.LessOrEqual(t, c.state.Highest, lines)
		gather(t, c)
	})
}

func FuzzKernelLog(f *testing.F) {
	f.Add([]byte("4,10,1000,-;NVRM: Xid (PCI:0000:01:00): 79, pid=42\n SUBSYSTEM=pci\n"))
	f.Add([]byte("4,10;Xid"))
	f.Add([]byte(",;\n;,\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var whole, pieces kernelLog
		want := whole.lines(data)
		half := len(data) / 2
		got := append(pieces.lines(data[:half]), pieces.lines(data[half:])...)
		if len(data) < recordBytes {
			require.Len(t, got, len(want), "a record read in two pieces is one record")
		}
		for _, x := range want {
			require.NotEmpty(t, x.bus)
			require.GreaterOrEqual(t, x.code, 0)
		}
	})
}

func FuzzState(f *testing.F) {
	f.Add([]byte(`{"highest_gpu_count":2,"gpus":[{"index":0,"uuid":"GPU-a","pci_bus":"0000:01:00","name":"A"}],"xid_errors":[{"pci_bus":"0000:01:00","xid":79,"count":3}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "gpu.json")
		require.NoError(t, os.WriteFile(path, content, 0o600))
		c, err := newCollector(Options{StateFile: path, ProcPath: t.TempDir()})
		require.NoError(t, err)
		r := parse(healthyRow)
		c.apply(outcome{reading: &r})
		c.view.logTried, c.view.logOpen = true, true
		gather(t, c)
	})
}

func BenchmarkCollect(b *testing.B) {
	var rows strings.Builder
	for i := range 8 {
		n := strconv.Itoa(i)
		rows.WriteString(n + ", GPU-" + n + ", 00000000:0" + n + ":00.0, 550.54.15, 87, 61440, 81920, 54, 312.55, 400.00, 0, 0, NVIDIA A100-SXM4-80GB\n")
	}
	c, err := newCollector(Options{ProcPath: b.TempDir()})
	require.NoError(b, err)
	r := parse(rows.String())
	require.Len(b, r.gpus, 8)
	c.apply(outcome{reading: &r})
	c.view.logTried, c.view.logOpen = true, true
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r = parse(rows.String())
		}
	})
	b.Run("gather", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gather(b, c)
		}
	})
}

func TestSame(t *testing.T) {
	ids := []identity{
		{Index: 0, UUID: "a", Bus: "1"},
		{Index: -1, UUID: "a"},
		{Index: 0, Bus: "1"},
		{Index: 0},
		{Index: -1},
	}
	for i, a := range ids {
		for j, b := range ids {
			require.Equal(t, a.same(b), b.same(a), "%d %d", i, j)
		}
		require.Equal(t, i != 4, a.same(a) || a.UUID != "", "only one without any name is not even itself: %d", i)
	}
	require.False(t, identity{Index: 0, UUID: "a"}.same(identity{Index: 0, UUID: "b"}), "the UUID decides")
	require.False(t, identity{Index: 0, Bus: "1"}.same(identity{Index: 0, Bus: "2"}))
	require.True(t, slices.ContainsFunc(ids, identity{Index: 0, Bus: "9"}.same), "by index where no bus is known")
}
