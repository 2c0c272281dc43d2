package node

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/node_exporter/collector"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixtures reads testdata, whose numbers are made up. All tests of this package use these paths, because the library's
// paths belong to the process; tests on the real machine are in the parent package.
func fixtures(t *testing.T, disable ...string) map[string]Source {
	t.Helper()
	sources, err := New(Options{ProcPath: "testdata/proc", SysPath: "testdata/sys", RootPath: "/", Disable: disable})
	require.NoError(t, err)
	byName := make(map[string]Source, len(sources))
	for _, s := range sources {
		byName[s.Name] = s
	}
	return byName
}

// once is a source as a collector, for the comparisons of testutil.
type once struct {
	t      *testing.T
	source Source
}

func (o once) Describe(chan<- *prometheus.Desc) {}
func (o once) Collect(ch chan<- prometheus.Metric) {
	if err := o.source.Update(ch); err != nil {
		o.t.Errorf("%s: %v", o.source.Name, err)
	}
}

func TestFixtureFigures(t *testing.T) {
	sources := fixtures(t)
	// For each source: the lines that must be there, in the text format.
	for name, want := range map[string]string{
		"cpu": `
node_cpu_seconds_total{cpu="0",mode="user"} 10
node_cpu_seconds_total{cpu="1",mode="idle"} 450
node_cpu_seconds_total{cpu="1",mode="iowait"} 2.5
node_cpu_seconds_total{cpu="0",mode="steal"} 0.03`,
		"loadavg": `
node_load1 0.5
node_load5 1.25
node_load15 2.75`,
		"meminfo": `
node_memory_MemTotal_bytes 1.6777216e+10
node_memory_MemAvailable_bytes 1.048576e+10
node_memory_SwapFree_bytes 1.048576e+09`,
		"memory_usage": `
node_memory_usage_bytes 6.291456e+09`,
		"vmstat": `
node_vmstat_oom_kill 7
node_vmstat_pgmajfault 60
node_vmstat_pswpin 3
node_vmstat_pswpout 4`,
		"pressure": `
node_pressure_cpu_waiting_seconds_total 1.5
node_pressure_memory_stalled_seconds_total 0.5
node_pressure_io_waiting_seconds_total 1.5`,
		"stat": `
node_boot_time_seconds 1.7e+09
node_context_switches_total 987654
node_forks_total 4321
node_procs_running 2
node_procs_blocked 1`,
		"diskstats": `
node_disk_read_bytes_total{device="nvme0n1"} 4.096e+06
node_disk_written_bytes_total{device="nvme0n1"} 8.192e+06
node_disk_io_time_seconds_total{device="nvme0n1"} 0.9
node_disk_io_now{device="nvme0n1"} 1`,
		"filefd": `
node_filefd_allocated 1024
node_filefd_maximum 65536`,
		"netclass": `
node_network_up{device="eth0"} 1
node_network_mtu_bytes{device="eth0"} 1500
node_network_speed_bytes{device="eth0"} 1.25e+09`,
		"netstat": `
node_netstat_TcpExt_ListenOverflows 11
node_netstat_Tcp_CurrEstab 23
node_netstat_Tcp_RetransSegs 24`,
		"sockstat": `
node_sockstat_TCP_inuse 5
node_sockstat_TCP_tw 6`,
		"conntrack": `
node_nf_conntrack_entries 17
node_nf_conntrack_entries_limit 262144`,
	} {
		t.Run(name, func(t *testing.T) {
			lines := text(t, once{t, sources[name]})
			for w := range strings.SplitSeq(strings.TrimSpace(want), "\n") {
				require.Contains(t, lines, w)
			}
		})
	}
	t.Run("partitions and container interfaces are left out", func(t *testing.T) {
		for _, line := range append(text(t, once{t, sources["diskstats"]}), text(t, once{t, sources["netclass"]})...) {
			require.NotContains(t, line, "nvme0n1p1")
			require.NotContains(t, line, "loop0")
			require.NotContains(t, line, "veth")
		}
	})
}

// text gathers a collector in a fresh registry, which also checks that no series comes twice, and returns its sample
// lines.
func text(t *testing.T, c prometheus.Collector) []string {
	t.Helper()
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	var out strings.Builder
	for _, f := range families {
		_, err := expfmt.MetricFamilyToText(&out, f)
		require.NoError(t, err)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestEverySourceUpdates(t *testing.T) {
	for name, s := range fixtures(t) {
		ch := make(chan prometheus.Metric, 10_000)
		err := s.Update(ch)
		if errors.Is(err, ErrNoData) {
			t.Logf("%s: %v", name, err)
			continue
		}
		require.NoError(t, err, name)
		require.NotEmpty(t, ch, name)
	}
}

func TestNewRefuses(t *testing.T) {
	fixtures(t)
	for name, test := range map[string]struct {
		opts Options
		want string
	}{
		"no procfs":         {Options{ProcPath: "testdata/nowhere"}, "find procfs: stat testdata/nowhere/stat: no such file or directory (the procfs path must name a mounted proc file system)"},
		"unknown collector": {Options{Disable: []string{"wifi"}}, `unknown host collector "wifi" to leave out; known are: cpu, `},
		"other paths":       {Options{}, "host paths cannot change while the program runs: they are procfs testdata/proc"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(test.opts)
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestDisable(t *testing.T) {
	left := fixtures(t, "cpu", "filesystem")
	require.NotContains(t, left, "cpu")
	require.NotContains(t, left, "filesystem")
	require.Len(t, left, len(Names())-2)
}

func TestLateSetUp(t *testing.T) {
	tried := 0
	update := fromLibrary(func(*slog.Logger) (collector.Collector, error) {
		tried++
		if tried == 1 {
			return nil, errors.New("no sysfs")
		}
		return fake{}, nil
	}, nil)
	require.EqualError(t, update(nil), "set up: no sysfs")
	require.ErrorIs(t, update(nil), ErrNoData)
	require.ErrorIs(t, update(nil), ErrNoData)
	require.Equal(t, 2, tried, "set up once only")
}

type fake struct{}

func (fake) Update(chan<- prometheus.Metric) error { return collector.ErrNoData }
