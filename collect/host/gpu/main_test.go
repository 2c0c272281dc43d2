package gpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestParse reads outputs of nvidia-smi. Run with -rewrite to accept.
func TestParse(t *testing.T) {
	datadriven.Walk(t, "testdata/parse", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "parse", d.Cmd)
			r := parse(d.Input)
			var b strings.Builder
			for _, g := range r.gpus {
				fmt.Fprintf(&b, "gpu %d uuid=%s bus=%s name=%q driver=%s figures=%v\n", g.Index, g.UUID, g.Bus, g.Name, g.driver, g.figures)
			}
			for _, id := range r.lost {
				fmt.Fprintf(&b, "lost index=%d uuid=%s bus=%s name=%q\n", id.Index, id.UUID, id.Bus, id.Name)
			}
			if r.none {
				b.WriteString("none\n")
			}
			for _, n := range r.notes {
				fmt.Fprintf(&b, "note %q\n", n)
			}
			fmt.Fprintf(&b, "total %d", r.total())
			return b.String()
		})
	})
}

// TestRuns plays what happens to the GPUs of a machine. Run with -rewrite to accept.
//
//	start [expected=N]    modelwatch starts, or starts again with the state it left
//	smi [code=N] [id=BUS] [stderr] [missing]    what nvidia-smi prints from now on
//	driver                the GPUs that the driver lists, one bus a line
//	kernel                records that the kernel logs
//	reboot                another start of the machine, with an empty log
//	later seconds=N       time passes without a reading
//	read [match=WORD]     a reading; prints the series, or those that hold the word
//	asked                 the arguments of nvidia-smi since the last reading
func TestRuns(t *testing.T) {
	datadriven.Walk(t, "testdata/run", func(t *testing.T, path string) {
		m := newMachine(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "start":
				opts := m.options()
				d.MaybeScanArgs(t, "expected", &opts.Expected)
				m.start(opts)
			case "smi":
				m.smi(d)
			case "driver":
				require.NoError(t, os.RemoveAll(filepath.Join(m.dir, "driver")))
				for bus := range strings.FieldsSeq(d.Input) {
					require.NoError(t, os.MkdirAll(filepath.Join(m.dir, "driver/nvidia/gpus", bus), 0o755))
				}
			case "kernel":
				m.kernel(d.Input + "\n")
			case "reboot":
				m.reboot()
			case "later":
				var seconds int
				d.ScanArgs(t, "seconds", &seconds)
				m.clock = m.clock.Add(time.Duration(seconds) * time.Second)
				return m.series(d)
			case "read":
				require.NoError(t, os.RemoveAll(filepath.Join(m.dir, "arguments")))
				m.read()
				return m.series(d)
			case "asked":
				return m.get("arguments")
			default:
				d.Fatalf(t, "unknown command")
			}
			return ""
		})
	})
}

// machine is a made-up host: a directory that holds a stand-in for nvidia-smi, a kernel log and a piece of procfs.
type machine struct {
	t     testing.TB
	dir   string
	boots int
	clock time.Time
	c     *Collector
}

func newMachine(t testing.TB) *machine {
	m := &machine{t: t, dir: t.TempDir(), clock: time.Unix(1_700_000_000, 0)}
	m.install()
	m.reboot()
	return m
}

func (m *machine) install() {
	script, err := filepath.Abs("testdata/nvidia-smi")
	require.NoError(m.t, err)
	require.NoError(m.t, os.Symlink(script, filepath.Join(m.dir, "nvidia-smi")))
}

func (m *machine) put(name, content string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	require.NoError(m.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(m.t, os.WriteFile(path, []byte(content), 0o644))
}

func (m *machine) get(name string) string {
	content, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		return errors.Unwrap(err).Error()
	}
	return string(content)
}

func (m *machine) options() Options {
	return Options{
		Command: filepath.Join(m.dir, "nvidia-smi"), StateFile: filepath.Join(m.dir, "gpu.json"),
		KernelLog: filepath.Join(m.dir, "kmsg"), ProcPath: m.dir, Timeout: 5 * time.Second,
	}
}

func (m *machine) start(opts Options) {
	m.t.Helper()
	var err error
	if m.c != nil {
		m.c.log.close()
	}
	m.c, err = newCollector(opts)
	require.NoError(m.t, err)
	m.t.Cleanup(m.c.log.close)
	m.c.now = func() time.Time { return m.clock }
}

func (m *machine) smi(d *datadriven.TestData) {
	t := m.t.(*testing.T)
	suffix := ""
	if d.HasArg("id") {
		var bus string
		d.ScanArgs(t, "id", &bus)
		suffix = ".0000:" + bus + ".0"
	}
	for _, name := range []string{"out", "err", "code"} {
		require.NoError(t, os.RemoveAll(filepath.Join(m.dir, name+suffix)))
	}
	require.NoError(t, os.RemoveAll(filepath.Join(m.dir, "nvidia-smi")))
	if d.HasArg("missing") {
		return
	}
	m.install()
	where := "out"
	if d.HasArg("stderr") {
		where = "err"
	}
	m.put(where+suffix, d.Input+"\n")
	code := 0
	d.MaybeScanArgs(t, "code", &code)
	m.put("code"+suffix, strconv.Itoa(code))
}

func (m *machine) kernel(records string) {
	f, err := os.OpenFile(filepath.Join(m.dir, "kmsg"), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	require.NoError(m.t, err)
	_, err = f.WriteString(records)
	require.NoError(m.t, err)
	require.NoError(m.t, f.Close())
}

func (m *machine) reboot() {
	m.boots++
	m.put("sys/kernel/random/boot_id", fmt.Sprintf("boot-%d\n", m.boots))
	require.NoError(m.t, os.RemoveAll(filepath.Join(m.dir, "kmsg")))
	m.put("kmsg", "6,1,0,-;Linux version 6.18\n")
}

// read does what the loop does at a tick.
func (m *machine) read() {
	path, err := m.c.look()
	if path == "" && err == nil {
		return
	}
	m.c.readKernelLog()
	if err != nil {
		m.c.fail(fault{ReasonMissing, err})
		return
	}
	m.c.apply(m.c.take(m.t.Context(), path, m.c.knownBuses()))
}

// series gathers through a registry, which checks that no series comes twice and all descriptions fit.
func (m *machine) series(d *datadriven.TestData) string {
	m.t.Helper()
	var match string
	d.MaybeScanArgs(m.t.(*testing.T), "match", &match)
	var kept []string
	for line := range strings.Lines(gather(m.t, m.c)) {
		if match == "" && strings.Contains(line, `xid="`) && strings.HasSuffix(line, " 0\n") {
			continue
		}
		if strings.Contains(line, match) {
			kept = append(kept, strings.TrimPrefix(line, "modelwatch_"))
		}
	}
	if len(kept) == 0 {
		return "nothing"
	}
	return strings.Join(kept, "")
}

func gather(t testing.TB, c prometheus.Collector) string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	var b strings.Builder
	for _, f := range families {
		_, err := expfmt.MetricFamilyToText(&b, f)
		require.NoError(t, err)
	}
	var lines strings.Builder
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}
