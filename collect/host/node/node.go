// Package node reads the figures that the kernel keeps about this machine, as series with node_exporter's own names,
// labels and meaning, plus node_memory_usage_bytes.
//
// It is the one adapter around github.com/prometheus/node_exporter/collector, and it is not a full node_exporter: it
// runs the collectors that matter to an AI service's host and leaves out those for special hardware. The filesystem
// collector is our own, because the library's waits without end for the first answer of a dead network mount.
//
// # State that belongs to the process
//
// The library keeps its settings in flags of kingpin.CommandLine, read when it collects. [New] parses our fixed set
// of arguments once; os.Args is never looked at. Therefore the paths are those of the first [New] of the process, and
// a later [New] that asks for others is refused. Nothing else in the program may parse kingpin.CommandLine: programs
// that need kingpin make their own kingpin.Application.
package node

import (
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// ErrNoData says that the kernel does not offer a source's figures (for example pressure stall information that was
// not compiled in). It is a reason for absent series, not a fault.
var ErrNoData = errors.New("the kernel does not offer these figures")

// Options says where to read.
type Options struct {
	Logger   *slog.Logger // nil: discarded
	ProcPath string       // mount point of procfs; "" means /proc
	SysPath  string       // mount point of sysfs; "" means /sys
	RootPath string       // what is prefixed to mount points and taken off their labels; "" means /
	Disable  []string     // names of sources to leave out, see Names
}

// Source is one group of series that succeeds or fails as a whole.
type Source struct {
	// Name is node_exporter's name of the collector, for example "meminfo".
	Name string
	// Update sends the present figures. It may be called from one goroutine at a time, may block as long as the
	// kernel does, and wraps ErrNoData when there is nothing to read.
	Update func(ch chan<- prometheus.Metric) error
}
