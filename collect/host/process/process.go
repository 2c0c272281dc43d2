// Package process watches the processes of named services: how many there are, and what they use. A service is found
// by its pid file, by the TCP port it listens on, or by its command line, and counts with all its descendants, because
// the workers of an AI server hold the model.
//
// It is not a process exporter: series carry the service's name only, so their number does not grow with the number of
// processes.
//
// What cannot be known is left out and counted in modelwatch_process_errors_total: a pid file that cannot be read is
// neither a stopped service nor a running one.
package process

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// Watch names a service and says how to find its processes: exactly one of PIDFile, Port and Command is set.
type Watch struct {
	// Service is the value of the label "service"; each watch has its own.
	Service string
	// PIDFile is the path of a file that holds the number of the main process.
	PIDFile string
	// Port is the TCP port that the service listens on, on any address, in modelwatch's own network namespace.
	Port int
	// Command is a regular expression (RE2) looked for in the command line, whose arguments are joined by spaces.
	Command string
	// WithoutChildren leaves out the descendants of the processes found.
	WithoutChildren bool
}

// Options says what to watch.
type Options struct {
	Logger   *slog.Logger // nil: discarded
	ProcPath string       // mount point of procfs; "" means /proc
	Watches  []Watch
}

// Reasons are the values of the label "reason" of modelwatch_process_errors_total.
const (
	ReasonPermission = "permission"     // another user's process; open files are absent, or the lookup is unknown
	ReasonPIDFile    = "bad_pid_file"   // the file holds no process number
	ReasonStale      = "stale_pid_file" // the process is younger than the file, so its number was given out again
	ReasonHidden     = "hidden"         // procfs is mounted with hidepid: nothing found means nothing
	ReasonNoHolder   = "no_holder"      // the port is open, but no visible process holds it
	ReasonTimeout    = "timeout"        // procfs did not answer in time
	ReasonRead       = "read"           // any other failure
)

// Collector measures the watched services. It keeps, per service, the CPU time of processes that are gone, so that the
// counter goes on over a restart.
type Collector struct {
	logger *slog.Logger
	fs     procfs.FS
	path   string
	self   int // modelwatch's own process, 0 if unknown
	desc   descs

	run sync.Mutex // held while measuring, which may block in the kernel

	mu       sync.Mutex // guards what follows; never held while reading procfs
	services []*service
	before   map[identity]bool // the processes of the last measurement
}

// service is one watch and what is remembered of it.
type service struct {
	watch   Watch
	command *regexp.Regexp

	cpu      float64              // seconds, over all processes ever seen
	known    map[identity]float64 // CPU seconds of each process of the service when last seen
	measured bool
	errors   map[string]float64 // by reason
	failing  string             // reason of the last failed lookup, "" if it succeeded
	holders  portHolders
}

// identity tells a process from a later one with the same number. Start is in clock ticks since the machine started.
type identity struct {
	pid   int
	start uint64
}

// New returns a collector. It is an error if a watch is not well formed, or procfs is not there.
func New(opts Options) (*Collector, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.ProcPath == "" {
		opts.ProcPath = procfs.DefaultMountPoint
	}
	fs, err := procfs.NewFS(opts.ProcPath)
	if err != nil {
		return nil, fmt.Errorf("open procfs: %w", err)
	}
	c := &Collector{logger: opts.Logger, fs: fs, path: filepath.Clean(opts.ProcPath), desc: newDescs()}
	// Our number in the namespace of that procfs, which in a container may be its host's. A procfs without us is a
	// made-up one.
	if self, err := os.Readlink(filepath.Join(c.path, "self")); err == nil {
		c.self, _ = strconv.Atoi(self)
	}
	if err := c.Set(opts.Watches); err != nil {
		return nil, err
	}
	return c, nil
}

// Set replaces what is watched. Services whose watch is unchanged keep their counters. If any watch is not well formed
// nothing changes and the error names every problem.
func (c *Collector) Set(watches []Watch) error {
	services := make([]*service, 0, len(watches))
	var problems []error
	seen := map[string]bool{}
	for i, w := range watches {
		command, err := w.compile()
		if err == nil && seen[w.Service] {
			err = errors.New("the name is used twice; each service needs its own")
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("watched process %d (service %q): %w", i+1, w.Service, err))
			continue
		}
		seen[w.Service] = true
		services = append(services, &service{
			watch: w, command: command, known: map[identity]float64{}, errors: map[string]float64{},
		})
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range services {
		for _, old := range c.services {
			if old.watch == s.watch {
				services[i] = old
			}
		}
	}
	c.services = services
	return nil
}

// Validate says what is wrong with the watch, or nil.
func (w Watch) Validate() error {
	_, err := w.compile()
	return err
}

func (w Watch) compile() (*regexp.Regexp, error) {
	ways := 0
	for _, set := range []bool{w.PIDFile != "", w.Port != 0, w.Command != ""} {
		if set {
			ways++
		}
	}
	switch {
	case w.Service == "":
		return nil, errors.New("the service has no name")
	case !utf8.ValidString(w.Service):
		return nil, errors.New("the service's name is not valid UTF-8")
	case ways != 1:
		return nil, errors.New("set exactly one of pid_file, port and command")
	case w.Port < 0 || w.Port > 65535:
		return nil, fmt.Errorf("port %d is not between 1 and 65535", w.Port)
	case w.Command == "":
		return nil, nil
	}
	command, err := regexp.Compile(w.Command)
	if err != nil {
		return nil, fmt.Errorf("command: %w", err)
	}
	if command.MatchString("") {
		return nil, fmt.Errorf("command %q matches every process; name a part of the command line", w.Command)
	}
	return command, nil
}

// Empty reports whether nothing is watched.
func (c *Collector) Empty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.services) == 0
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) { c.desc.describe(ch) }

// Update measures every watched service and sends its series. It reads procfs and may block as long as the kernel
// does. Its error says that procfs could not be read at all; the series then say "unknown".
func (c *Collector) Update(ch chan<- prometheus.Metric) error {
	c.run.Lock()
	defer c.run.Unlock()
	c.mu.Lock()
	services := slices.Clone(c.services)
	c.mu.Unlock()
	if len(services) == 0 {
		return nil
	}

	all, err := c.snapshot()
	if err != nil {
		c.Unknown(ch, ReasonRead)
		return fmt.Errorf("list processes: %w", err)
	}
	found := make([]finding, len(services))
	for i, s := range services {
		found[i] = c.find(s, all)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range services {
		c.account(s, found[i])
		c.send(ch, s, found[i])
	}
	c.before = all.identities()
	return nil
}

// Unknown sends the series of a measurement that did not come about, for example because it took too long.
func (c *Collector) Unknown(ch chan<- prometheus.Metric, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.services {
		f := finding{unknown: reason, reasons: []string{reason}}
		c.account(s, f)
		c.send(ch, s, f)
	}
}

// account brings a service's counters up to date and tells when its lookup starts or stops failing.
func (c *Collector) account(s *service, f finding) {
	for _, reason := range f.reasons {
		s.errors[reason]++
	}
	if f.unknown != s.failing {
		if f.unknown != "" {
			c.logger.Warn("Cannot tell whether a watched service runs", "service", s.watch.Service, "reason", f.unknown, "err", f.err)
		} else {
			c.logger.Info("Watched service can be looked up again", "service", s.watch.Service)
		}
		s.failing = f.unknown
	}
	if f.unknown != "" {
		return
	}
	now := make(map[identity]float64, len(f.processes))
	for _, p := range f.processes {
		id := p.identity()
		last, member := s.known[id]
		switch {
		case member:
			s.cpu += max(p.cpu-last, 0)
		case !s.measured || !c.before[id]:
			// The first measurement of the service, or a process that started since: all of its time is the service's.
			s.cpu += p.cpu
		default:
			// It ran before without belonging to the service. Its past is not the service's, and would be a spike.
		}
		now[id] = max(p.cpu, last)
	}
	s.known, s.measured = now, true
}

// descs are the descriptions of all series of this package.
type descs struct {
	up, success, count, cpu, rss, fds, maxFDs, fdRatio, threads, start, errors *prometheus.Desc
}

func newDescs() descs {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"service"}, labels...), nil)
	}
	return descs{
		up:      d("modelwatch_process_up", "Whether at least one process of the service runs; absent when that cannot be known."),
		success: d("modelwatch_process_lookup_success", "Whether it could be found out which processes the service has."),
		count:   d("modelwatch_processes", "Processes of the service, descendants included."),
		cpu:     d("modelwatch_process_cpu_seconds_total", "User and system CPU time of the service's processes, those that are gone included."),
		rss:     d("modelwatch_process_resident_memory_bytes", "Sum of the resident memory of the service's processes; shared pages count once per process."),
		fds:     d("modelwatch_process_open_fds", "Open file descriptors of the service's processes; absent when any of them cannot be read."),
		maxFDs:  d("modelwatch_process_max_fds", "Lowest soft limit of open file descriptors of any process of the service."),
		fdRatio: d("modelwatch_process_fd_usage_ratio", "Highest ratio of open file descriptors to their soft limit of any process of the service."),
		threads: d("modelwatch_process_threads", "Threads of the service's processes."),
		start:   d("modelwatch_process_start_time_seconds", "Start of the service's oldest process, in seconds since 1970."),
		errors:  d("modelwatch_process_errors_total", "Measurements of the service that failed or are incomplete, by reason.", "reason"),
	}
}

func (d descs) describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{d.up, d.success, d.count, d.cpu, d.rss, d.fds, d.maxFDs, d.fdRatio, d.threads, d.start, d.errors} {
		ch <- desc
	}
}

func (c *Collector) send(ch chan<- prometheus.Metric, s *service, f finding) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, s.watch.Service)
	}
	for _, reason := range slices.Sorted(maps.Keys(s.errors)) {
		ch <- prometheus.MustNewConstMetric(c.desc.errors, prometheus.CounterValue, s.errors[reason], s.watch.Service, reason)
	}
	ch <- prometheus.MustNewConstMetric(c.desc.cpu, prometheus.CounterValue, s.cpu, s.watch.Service)
	if f.unknown != "" {
		gauge(c.desc.success, 0)
		return
	}
	gauge(c.desc.success, 1)
	gauge(c.desc.count, float64(len(f.processes)))
	if len(f.processes) == 0 {
		gauge(c.desc.up, 0)
		return
	}
	gauge(c.desc.up, 1)
	var rss, threads float64
	start := f.processes[0].start
	for _, p := range f.processes {
		rss += p.rss
		threads += p.threads
		start = min(start, p.start)
	}
	gauge(c.desc.rss, rss)
	gauge(c.desc.threads, threads)
	if f.boot > 0 {
		gauge(c.desc.start, f.boot+float64(start)/ticksPerSecond)
	}
	if f.filesKnown {
		gauge(c.desc.fds, f.openFiles)
	}
	if f.maxFiles > 0 {
		gauge(c.desc.maxFDs, f.maxFiles)
	}
	if f.filesKnown && f.maxFiles > 0 {
		gauge(c.desc.fdRatio, f.fileRatio)
	}
}
