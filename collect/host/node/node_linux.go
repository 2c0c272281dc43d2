package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/node_exporter/collector"
)

// ignoredInterfaces are the host's ends of container interfaces: they come and go with every container, and the
// traffic is counted on the real interface as well.
const ignoredInterfaces = "^veth.*$"

type constructor func(*slog.Logger) (collector.Collector, error)

// library lists the collectors taken from node_exporter, in the order of the documentation.
var library = []struct {
	name  string
	build constructor
}{
	{"cpu", collector.NewCPUCollector},
	{"loadavg", collector.NewLoadavgCollector},
	{"meminfo", collector.NewMeminfoCollector},
	{"vmstat", collector.NewvmStatCollector},
	{"pressure", collector.NewPressureStatsCollector},
	{"stat", collector.NewStatCollector},
	{"diskstats", collector.NewDiskstatsCollector},
	{"filefd", collector.NewFileFDStatCollector},
	{"netdev", collector.NewNetDevCollector},
	{"netclass", collector.NewNetClassCollector},
	{"netstat", collector.NewNetStatCollector},
	{"sockstat", collector.NewSockStatCollector},
	{"conntrack", collector.NewConntrackCollector},
	{"time", collector.NewTimeCollector},
	{"timex", collector.NewTimexCollector},
	{"uname", collector.NewUnameCollector},
}

const (
	filesystemSource  = "filesystem"
	memoryUsageSource = "memory_usage"
)

// Names returns the names of all sources, in a fixed order.
func Names() []string {
	names := make([]string, 0, len(library)+2)
	for _, l := range library {
		names = append(names, l.name)
	}
	return append(names, filesystemSource, memoryUsageSource)
}

// New returns the sources that opts leaves on. A source whose files are missing is returned as well: its Update fails
// until they appear. It is an error if procfs is not where opts says, if a name in Disable is unknown, or if an
// earlier call in this process asked for other paths.
func New(opts Options) ([]Source, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	paths := paths{proc: or(opts.ProcPath, "/proc"), sys: or(opts.SysPath, "/sys"), root: or(opts.RootPath, "/")}
	if _, err := os.Stat(filepath.Join(paths.proc, "stat")); err != nil {
		return nil, fmt.Errorf("find procfs: %w (the procfs path must name a mounted proc file system)", err)
	}
	for _, name := range opts.Disable {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("unknown host collector %q to leave out; known are: %s", name, strings.Join(Names(), ", "))
		}
	}
	if err := settings.set(paths); err != nil {
		return nil, err
	}

	logger := slog.New(asDebug{opts.Logger.Handler()})
	var sources []Source
	add := func(name string, update func(chan<- prometheus.Metric) error) {
		if !slices.Contains(opts.Disable, name) {
			sources = append(sources, Source{Name: name, Update: update})
		}
	}
	for _, l := range library {
		add(l.name, fromLibrary(l.build, logger.With("collector", l.name)))
	}
	files, err := newFilesystems(paths.proc, paths.root)
	if err != nil {
		return nil, err
	}
	add(filesystemSource, files.update)
	add(memoryUsageSource, memoryUsage(paths.proc))
	return sources, nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return filepath.Clean(s)
}

// fromLibrary builds the collector at the first update that can, so that a host without, say, sysfs still has the
// other sources.
func fromLibrary(build constructor, logger *slog.Logger) func(chan<- prometheus.Metric) error {
	var (
		mu    sync.Mutex
		built collector.Collector
	)
	return func(ch chan<- prometheus.Metric) error {
		mu.Lock()
		defer mu.Unlock()
		if built == nil {
			c, err := build(logger)
			if err != nil {
				return fmt.Errorf("set up: %w", err)
			}
			built = c
		}
		err := built.Update(ch)
		if errors.Is(err, collector.ErrNoData) {
			return ErrNoData
		}
		return err
	}
}

type paths struct{ proc, sys, root string }

// processSettings guards the library's flags, which exist once in a process.
type processSettings struct {
	mu     sync.Mutex
	parsed bool
	paths  paths
}

var settings processSettings

func (s *processSettings) set(want paths) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parsed {
		if s.paths != want {
			return fmt.Errorf("host paths cannot change while the program runs: they are procfs %s, sysfs %s, rootfs %s; restart to use procfs %s, sysfs %s, rootfs %s",
				s.paths.proc, s.paths.sys, s.paths.root, want.proc, want.sys, want.root)
		}
		return nil
	}
	_, err := kingpin.CommandLine.Parse([]string{
		"--path.procfs=" + want.proc,
		"--path.sysfs=" + want.sys,
		"--path.rootfs=" + want.root,
		"--path.udev.data=" + filepath.Join(want.root, "run/udev/data"),
		"--collector.netdev.device-exclude=" + ignoredInterfaces,
		"--collector.netclass.ignored-devices=" + ignoredInterfaces,
	})
	if err != nil {
		return fmt.Errorf("set node_exporter's flags: %w", err)
	}
	s.parsed, s.paths = true, want
	return nil
}

// asDebug makes every record one for debugging: the library reports its settings, and files that many machines do not
// have, at higher levels. Failures come back from Update, and what they mean is for the caller to say, who knows whether
// they are new.
type asDebug struct{ slog.Handler }

func (h asDebug) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h asDebug) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h asDebug) WithAttrs(as []slog.Attr) slog.Handler { return asDebug{h.Handler.WithAttrs(as)} }
func (h asDebug) WithGroup(name string) slog.Handler    { return asDebug{h.Handler.WithGroup(name)} }
