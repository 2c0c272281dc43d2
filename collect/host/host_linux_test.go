package host

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/collect/host/gpu"
	"github.com/modelwatch/modelwatch/collect/host/node"
	"github.com/modelwatch/modelwatch/collect/host/process"
)

var update = flag.Bool("update", false, "write the tables of docs/host-metrics.md anew")

func TestMain(m *testing.M) {
	if dir := os.Getenv(collectStuck); dir != "" {
		if err := collectFromStuck(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeGPU is a stand-in for nvidia-smi, so that tests see GPU series on any machine and the real one is never run.
func fakeGPU(t testing.TB) gpu.Options {
	t.Helper()
	dir := t.TempDir()
	script, err := filepath.Abs("gpu/testdata/nvidia-smi")
	require.NoError(t, err)
	require.NoError(t, os.Symlink(script, filepath.Join(dir, "nvidia-smi")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out"), []byte(
		"0, GPU-a, 00000000:07:00.0, 550.54.15, 87, 61440, 81920, 54, 312.55, 400.00, 0, 0, NVIDIA A100-SXM4-80GB\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kmsg"), nil, 0o600))
	return gpu.Options{Command: filepath.Join(dir, "nvidia-smi"), KernelLog: filepath.Join(dir, "kmsg")}
}

func start(t testing.TB, opts Options) (*Collectors, *prometheus.Registry) {
	t.Helper()
	c, err := New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	reg := prometheus.NewRegistry()
	require.NoError(t, c.Register(reg))
	return c, reg
}

func families(t testing.TB, reg prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	gathered, err := reg.Gather()
	require.NoError(t, err)
	byName := make(map[string]*dto.MetricFamily, len(gathered))
	for _, f := range gathered {
		byName[f.GetName()] = f
	}
	return byName
}

// TestThisMachine collects everything from the machine that the test runs on and checks it against the catalogue, both
// ways.
func TestThisMachine(t *testing.T) {
	self := process.Watch{Service: "self", PIDFile: filepath.Join(t.TempDir(), "pid")}
	require.NoError(t, os.WriteFile(self.PIDFile, fmt.Append(nil, os.Getpid()), 0o600))
	_, reg := start(t, Options{Processes: []process.Watch{self}, GPU: fakeGPU(t)})
	require.Eventually(t, func() bool { return families(t, reg)["modelwatch_gpu_count"] != nil }, 10*time.Second, 10*time.Millisecond)
	got := families(t, reg)

	for name, f := range got {
		i := slices.IndexFunc(Catalog, func(m Metric) bool { return m.Matches(name) })
		require.GreaterOrEqual(t, i, 0, "%s is not in the catalogue", name)
		m := Catalog[i]
		require.Equal(t, string(m.Kind), strings.ToLower(f.GetType().String()), name)
		if slices.Contains(m.Labels, "…") {
			continue
		}
		for _, series := range f.GetMetric() {
			var labels []string
			for _, l := range series.GetLabel() {
				labels = append(labels, l.GetName())
			}
			require.ElementsMatch(t, m.Labels, labels, name)
		}
	}
	optional := []string{ // Depends on the hardware, the kernel, or what happened.
		"node_cpu_core_throttles_total", "node_cpu_package_throttles_total", "node_cpu_online", "node_cpu_isolated",
		"node_disk_ata_<property>", "node_nf_conntrack_<field>", "node_network_speed_bytes", "modelwatch_process_errors_total",
		"modelwatch_gpu_scrape_errors_total", "node_pressure_<cpu, io, irq, memory>_<waiting, stalled>_seconds_total",
	}
	for _, m := range Catalog {
		if slices.Contains(optional, m.Name) || strings.HasPrefix(m.Name, "node_disk_") || strings.HasPrefix(m.Name, "node_timex_") {
			continue
		}
		found := false
		for name := range got {
			found = found || m.Matches(name)
		}
		require.True(t, found, "%s is in the catalogue, but nothing of it is collected", m.Name)
	}

	value := func(name string) float64 {
		m := got[name].GetMetric()[0]
		return m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	require.InDelta(t, float64(time.Now().UnixNano())/1e9, value("node_time_seconds"), 60)
	require.Len(t, got["node_cpu_seconds_total"].GetMetric(), 8*runtime.NumCPU())
	require.InEpsilon(t, value("node_memory_MemTotal_bytes")-value("node_memory_MemAvailable_bytes"), value("node_memory_usage_bytes"), 0.2,
		"measured at nearly the same time")
	require.EqualValues(t, 1, value("modelwatch_process_up"))
	require.EqualValues(t, 1, value("modelwatch_gpu_count"))
	for _, s := range got["node_scrape_collector_success"].GetMetric() {
		name := s.GetLabel()[0].GetValue()
		if !slices.Contains([]string{"conntrack", "pressure", "timex", "netclass"}, name) {
			require.EqualValues(t, 1, s.GetGauge().GetValue(), name)
		}
	}
}

// TestLikeNodeExporter compares with Debian's prometheus-node-exporter, if it is installed: whatever both collect has
// the same name, type and labels.
func TestLikeNodeExporter(t *testing.T) {
	binary, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		t.Skip("prometheus-node-exporter is not installed")
	}
	_, reg := start(t, Options{WithoutGPU: true})
	ours := families(t, reg)
	theirs := scrapeNodeExporter(t, binary)

	compared := 0
	for name, f := range ours {
		peer, ok := theirs[name]
		if !ok || strings.HasPrefix(name, "node_scrape_collector_") { // We run fewer.
			continue
		}
		compared++
		require.Equal(t, peer.GetType(), f.GetType(), name)
		if !strings.HasSuffix(name, "_info") { // Those gain labels from version to version.
			require.Equal(t, series(peer), series(f), name)
		}
	}
	require.Greater(t, compared, 150)
	t.Logf("%d metrics are alike", compared)

	// What they have and we do not, of the collectors that we run.
	var missing []string
	for name := range theirs {
		for _, prefix := range []string{"node_cpu_", "node_memory_", "node_load", "node_disk_", "node_filesystem_", "node_network_", "node_netstat_", "node_sockstat_", "node_vmstat_", "node_pressure_", "node_filefd_", "node_timex_"} {
			if strings.HasPrefix(name, prefix) && ours[name] == nil {
				missing = append(missing, name)
			}
		}
	}
	// Lines of meminfo that newer versions do not know.
	require.Subset(t, []string{
		"node_memory_Balloon_bytes", "node_memory_FileHugePages_bytes", "node_memory_FilePmdMapped_bytes",
		"node_memory_Hugetlb_bytes", "node_memory_KReclaimable_bytes", "node_memory_SecPageTables_bytes",
	}, missing)
}

// series returns the label sets of a family as Prometheus stores them, which is without empty labels.
func series(f *dto.MetricFamily) []string {
	var all []string
	for _, m := range f.GetMetric() {
		var labels []string
		if slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return strings.HasPrefix(l.GetValue(), "zram") }) {
			continue // Newer versions leave compressed swap out.
		}
		for _, l := range m.GetLabel() {
			if l.GetValue() != "" {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
		}
		slices.Sort(labels)
		all = append(all, strings.Join(labels, ","))
	}
	slices.Sort(all)
	return all
}

func scrapeNodeExporter(t *testing.T, binary string) map[string]*dto.MetricFamily {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	cmd := exec.CommandContext(t.Context(), binary, "--web.listen-address="+address, "--log.level=error",
		"--collector.netdev.device-exclude=^veth.*$",
		// Debian leaves out more mounts than the project does.
		`--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`)
	var log bytes.Buffer
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	defer func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // Killed.
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var parsed map[string]*dto.MetricFamily
	require.Eventually(t, func() bool {
		resp, err := client.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		parsed, err = parser.TextToMetricFamilies(resp.Body)
		return err == nil
	}, 15*time.Second, 50*time.Millisecond, "%s", &log)
	return parsed
}

// TestCatalogHelp keeps the catalogue and the descriptions of our own metrics the same.
func TestCatalogHelp(t *testing.T) {
	processes, err := process.New(process.Options{})
	require.NoError(t, err)
	gpus, err := gpu.New(fakeGPU(t))
	require.NoError(t, err)
	defer gpus.Close()
	described := map[string]bool{}
	for _, c := range []interface{ Describe(chan<- *prometheus.Desc) }{processes, gpus} {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			described[d.String()] = true
		}
	}
	for _, m := range Catalog {
		if m.Group == HostGroup {
			continue
		}
		want := prometheus.NewDesc(m.Name, m.Help, m.Labels, nil).String()
		require.Contains(t, described, want)
		delete(described, want)
	}
	require.Empty(t, described, "not in the catalogue")
}

func TestDocs(t *testing.T) {
	const path = "../../docs/host-metrics.md"
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	want := string(content)
	for _, group := range []Group{HostGroup, ProcessGroup, GPUGroup} {
		begin, end := fmt.Sprintf("<!-- table: %s -->\n", group), "<!-- end -->"
		before, rest, ok := strings.Cut(want, begin)
		require.True(t, ok, begin)
		_, after, ok := strings.Cut(rest, end)
		require.True(t, ok, end)
		want = before + begin + Table(group) + end + after
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(content), "run: go test ./collect/host -run TestDocs -update")
}

func TestRefused(t *testing.T) {
	start(t, Options{WithoutGPU: true}) // The first one's paths are the process's.
	for want, opts := range map[string]Options{
		"watch processes: open procfs":                                        {ProcPath: "/nowhere"},
		`watch processes: watched process 1 (service "x"): set exactly one o`: {Processes: []process.Watch{{Service: "x"}}},
		`collect host metrics: unknown host collector "wifi" to leave out`:    {Without: []string{"wifi"}},
		"collect GPU metrics: GPU readings would be dropped":                  {GPU: gpu.Options{MaxAge: 1}},
		"must not be negative":                                                {Timeout: -1},
		"host paths cannot change while the program runs":                     {SysPath: "/other/sys"},
	} {
		_, err := New(opts)
		require.ErrorContains(t, err, want)
	}
}

func TestSwitches(t *testing.T) {
	_, reg := start(t, Options{WithoutHost: true, WithoutGPU: true})
	require.Empty(t, families(t, reg))

	_, reg = start(t, Options{Without: []string{"cpu", "filesystem"}, WithoutGPU: true})
	got := families(t, reg)
	require.NotContains(t, got, "node_cpu_seconds_total")
	require.NotContains(t, got, "node_filesystem_size_bytes")
	require.Contains(t, got, "node_load1")
}

func TestRegisterAllOrNothing(t *testing.T) {
	c, err := New(Options{GPU: fakeGPU(t)})
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	taken := prometheus.NewGauge(prometheus.GaugeOpts{Name: "modelwatch_gpu_count", Help: "GPUs that answer."})
	require.NoError(t, reg.Register(taken))
	require.ErrorContains(t, c.Register(reg), "register host collectors: ")
	require.Len(t, families(t, reg), 1)
	reg.Unregister(taken)
	require.NoError(t, c.Register(reg))
	require.Greater(t, len(families(t, reg)), 100)
	require.NoError(t, c.Close())
	require.Empty(t, families(t, reg), "closing takes the series off")
	require.NoError(t, c.Close())
}

func TestWatchReload(t *testing.T) {
	c, reg := start(t, Options{WithoutHost: true, WithoutGPU: true})
	require.Empty(t, families(t, reg))
	require.NoError(t, c.Watch([]process.Watch{{Service: "a", Command: "no such command"}}))
	require.Contains(t, families(t, reg), "modelwatch_processes")
	require.Error(t, c.Watch([]process.Watch{{Service: "a"}}))
	require.Contains(t, families(t, reg), "modelwatch_processes")
	require.NoError(t, c.Watch(nil))
	require.Empty(t, families(t, reg))
}

// A source that hangs costs each scrape no more than its time limit, is not started twice, and leaves the others alone;
// it is told once, and comes back by itself.
func TestHangingSource(t *testing.T) {
	var (
		log     bytes.Buffer
		started atomic.Int32
		release = make(chan struct{})
		desc    = prometheus.NewDesc("node_load1", "Load.", nil, nil)
	)
	quick := node.Source{Name: "quick", Update: func(ch chan<- prometheus.Metric) error {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1)
		return nil
	}}
	hanging := node.Source{Name: "hanging", Update: func(chan<- prometheus.Metric) error {
		started.Add(1)
		<-release
		return nil
	}}
	h := newGuardedHost([]node.Source{quick, hanging}, time.Second, slog.New(slog.NewTextHandler(&log, nil)))
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(struct{ prometheus.Collector }{unchecked{h}}))
	success := func() map[string]float64 {
		by := map[string]float64{}
		for _, m := range families(t, reg)["node_scrape_collector_success"].GetMetric() {
			by[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
		return by
	}
	var wg sync.WaitGroup
	for range 4 { // Scrapes at the same time share the run.
		wg.Go(func() {
			began := time.Now()
			by := success()
			if by["quick"] != 1 || by["hanging"] != 0 || time.Since(began) > 10*time.Second {
				t.Errorf("%v after %s", by, time.Since(began))
			}
		})
	}
	wg.Wait()
	began := time.Now()
	require.Equal(t, map[string]float64{"quick": 1, "hanging": 0}, success())
	require.Less(t, time.Since(began), time.Second, "the limit is over for a run that has had it")
	require.EqualValues(t, 1, started.Load())

	close(release)
	require.Eventually(t, func() bool { return success()["hanging"] == 1 }, 5*time.Second, time.Millisecond)
	require.Equal(t, 1, strings.Count(log.String(), "Host collector fails"), log.String())
	require.Equal(t, 1, strings.Count(log.String(), "Host collector works again"), log.String())
	require.Contains(t, log.String(), `collector=hanging err="no answer for 1`)
}

// unchecked hides the descriptions, which a pedantic registry would hold against series that are not described.
type unchecked struct{ prometheus.Collector }

func (unchecked) Describe(chan<- *prometheus.Desc) {}

func TestFailingSources(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	desc := prometheus.NewDesc("x", "X.", nil, nil)
	for _, test := range []struct {
		name   string
		update func(chan<- prometheus.Metric) error
		want   string
		logged bool
		left   int
	}{
		{"error after a metric", func(ch chan<- prometheus.Metric) error {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, 1)
			return errors.New("disk on fire")
		}, "disk on fire", true, 1},
		{"panic of a library", func(chan<- prometheus.Metric) error {
			prometheus.MustNewConstMetric(prometheus.NewDesc("y", "Y.", []string{"ifalias"}, nil), prometheus.GaugeValue, 1, "\xff")
			return nil
		}, "panic: ", true, 0},
		{"nothing there", func(chan<- prometheus.Metric) error { return node.ErrNoData }, node.ErrNoData.Error(), false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			log.Reset()
			g := newGuard("g", test.update, time.Minute, logger)
			for range 3 {
				metrics, _, err := g.collect()
				require.ErrorContains(t, err, test.want)
				require.Len(t, metrics, test.left)
			}
			require.Equal(t, test.logged, log.Len() > 0)
			require.LessOrEqual(t, strings.Count(log.String(), "\n"), 1)
		})
	}
}

// A process whose command line cannot be read makes every service unknown, within the limit.
func TestHangingProcfs(t *testing.T) {
	processes, err := process.New(process.Options{Watches: []process.Watch{{Service: "s", Command: "x"}}})
	require.NoError(t, err)
	release := make(chan struct{})
	defer close(release)
	p := &guardedProcesses{processes, newGuard("process", func(chan<- prometheus.Metric) error {
		<-release
		return nil
	}, 20*time.Millisecond, slog.New(slog.DiscardHandler))}
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(p))
	got := families(t, reg)
	require.Zero(t, got["modelwatch_process_lookup_success"].GetMetric()[0].GetGauge().GetValue())
	require.NotContains(t, got, "modelwatch_process_up")
	require.Equal(t, "timeout", got["modelwatch_process_errors_total"].GetMetric()[0].GetLabel()[0].GetValue())
}

// TestQuiet: on a healthy machine nothing is logged above debug, however often it is collected.
func TestQuiet(t *testing.T) {
	var log bytes.Buffer
	opts := Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), GPU: gpu.Options{Command: "no-such-nvidia-smi"}}
	_, reg := start(t, opts)
	for range 3 {
		families(t, reg)
	}
	require.Empty(t, log.String())
	for name := range families(t, reg) {
		require.NotContains(t, name, "gpu")
	}
}

func BenchmarkCollect(b *testing.B) {
	self := process.Watch{Service: "go", Command: "go test"}
	_, reg := start(b, Options{Processes: []process.Watch{self}, GPU: fakeGPU(b)})
	var n int
	b.ReportAllocs()
	for b.Loop() {
		gathered, err := reg.Gather()
		require.NoError(b, err)
		n = 0
		for _, f := range gathered {
			n += len(f.GetMetric())
		}
	}
	b.ReportMetric(float64(n), "series")
}
