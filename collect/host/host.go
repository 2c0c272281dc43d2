// Package host collects what modelwatch measures itself, without an exporter beside it: the figures of this machine
// under node_exporter's names, the processes of watched services, and the GPUs.
//
// It gives series to a prometheus.Registerer and no more: scraping, storing and judging them is for others. No part of
// it can hold up a scrape: whatever does not answer within [Options.Timeout] is reported as failed.
//
// What the series are called stands in [Catalog].
package host

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/host/gpu"
	"github.com/modelwatch/modelwatch/collect/host/node"
	"github.com/modelwatch/modelwatch/collect/host/process"
)

// DefaultTimeout is how long one group of series may take. It leaves room within the usual scrape timeout of 10 s.
const DefaultTimeout = 5 * time.Second

// Options says what to collect. The zero value collects the host and the GPUs.
type Options struct {
	Logger *slog.Logger // nil: discarded

	WithoutHost bool     // no node_* series
	Without     []string // single groups of node_* series to leave out, by node_exporter's names; see NodeCollectors
	WithoutGPU  bool     // no GPU series, and nvidia-smi is not run

	// The mount points of procfs and sysfs and the root of the file systems, for running in a container that mounts
	// those of its host; "" means /proc, /sys and /. They cannot change while the program runs.
	ProcPath, SysPath, RootPath string

	Processes []process.Watch // services to watch

	GPU gpu.Options // its Logger and ProcPath are set from here if empty

	Timeout time.Duration // for each group of series; 0 means DefaultTimeout
}

// Collectors are the running collectors. Make them with New, hand them to a registry with Register, stop them with
// Close.
type Collectors struct {
	processes  *process.Collector
	gpus       *gpu.Collector
	collectors []prometheus.Collector

	mu         sync.Mutex
	registries []prometheus.Registerer
}

// NodeCollectors returns the names that Options.Without knows.
func NodeCollectors() []string { return node.Names() }

// New starts what opts asks for. It is an error if a path, a watch or a GPU option is wrong; a part of the host that
// cannot be read is not an error but a failed group of series.
func New(opts Options) (*Collectors, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("host timeout %s must not be negative", opts.Timeout)
	}
	c := &Collectors{}
	var err error
	if runtime.GOOS == "linux" || len(opts.Processes) > 0 {
		c.processes, err = process.New(process.Options{Logger: opts.Logger, ProcPath: opts.ProcPath, Watches: opts.Processes})
		if err != nil {
			return nil, fmt.Errorf("watch processes: %w", err)
		}
		c.collectors = append(c.collectors, &guardedProcesses{
			processes: c.processes,
			guard:     newGuard("process", c.processes.Update, opts.Timeout, opts.Logger),
		})
	}
	if !opts.WithoutHost {
		sources, err := node.New(node.Options{
			Logger: opts.Logger, ProcPath: opts.ProcPath, SysPath: opts.SysPath, RootPath: opts.RootPath, Disable: opts.Without,
		})
		if err != nil {
			return nil, fmt.Errorf("collect host metrics: %w", err)
		}
		c.collectors = append(c.collectors, newGuardedHost(sources, opts.Timeout, opts.Logger))
	}
	if !opts.WithoutGPU { // Last, because it starts a goroutine.
		if opts.GPU.Logger == nil {
			opts.GPU.Logger = opts.Logger
		}
		if opts.GPU.ProcPath == "" {
			opts.GPU.ProcPath = opts.ProcPath
		}
		c.gpus, err = gpu.New(opts.GPU)
		if err != nil {
			return nil, fmt.Errorf("collect GPU metrics: %w", err)
		}
		c.collectors = append(c.collectors, c.gpus)
	}
	return c, nil
}

// Register adds all series to a registry, or none: then the error names the conflict.
func (c *Collectors) Register(reg prometheus.Registerer) error {
	for i, collector := range c.collectors {
		if err := reg.Register(collector); err != nil {
			for _, done := range c.collectors[:i] {
				reg.Unregister(done)
			}
			return fmt.Errorf("register host collectors: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registries = append(c.registries, reg)
	return nil
}

// Watch replaces the watched services, for a reload. Services whose watch is unchanged keep their counters. If a watch
// is not well formed nothing changes, and the error names every problem.
func (c *Collectors) Watch(watches []process.Watch) error {
	if c.processes == nil {
		if len(watches) > 0 {
			return errors.New("watch processes: it takes procfs, which this operating system does not have")
		}
		return nil
	}
	return c.processes.Set(watches)
}

// Close takes the series off the registries and stops what runs in the background. A source that hangs in the kernel
// is left behind; if it is nvidia-smi, that is the error.
func (c *Collectors) Close() error {
	c.mu.Lock()
	registries := c.registries
	c.registries = nil
	c.mu.Unlock()
	for _, reg := range registries {
		for _, collector := range c.collectors {
			reg.Unregister(collector) // It says no more than that somebody else did it before.
		}
	}
	if c.gpus == nil {
		return nil
	}
	return c.gpus.Close()
}
