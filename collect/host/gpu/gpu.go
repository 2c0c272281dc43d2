// Package gpu reads what the NVIDIA GPUs of this machine do, by running nvidia-smi, and counts their XID errors, by
// reading the kernel's log. It notices a GPU that is gone: the number seen stands beside the number expected, which is
// configured or the highest ever seen, kept over restarts.
//
// It does not link NVML, so that the same binary runs with any driver and without one. Where there is no nvidia-smi
// and no GPU is expected it gives no series and says nothing.
//
// nvidia-smi can hang in the kernel together with its GPU. It is therefore run in the background, one at a time and
// with a time limit; a scrape only copies the last reading. A reading that is too old is dropped rather than repeated.
package gpu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"time"
)

// Options says what to read and how often. The zero value is right for a host with its driver installed.
type Options struct {
	Logger *slog.Logger // nil: discarded

	Command  string        // nvidia-smi, or its path; "" means nvidia-smi
	Interval time.Duration // between readings, best the scrape interval; 0 means 15 s
	Timeout  time.Duration // for one reading, which may be longer than Interval; 0 means 10 s
	MaxAge   time.Duration // after which a reading is dropped; 0 means three intervals and a timeout

	// Expected is the number of GPUs that should be there. 0 means the highest number ever seen; negative means that
	// nothing is expected.
	Expected int
	// StateFile keeps, over restarts, the GPUs seen and the XID errors counted. "" keeps them in memory only.
	StateFile string

	KernelLog string // "" means /dev/kmsg
	ProcPath  string // mount point of procfs; "" means /proc
}

const (
	defaultInterval = 15 * time.Second
	defaultTimeout  = 10 * time.Second
	// closeGrace is how long Close waits for an nvidia-smi that was killed. One that hangs in the kernel cannot be.
	closeGrace = 5 * time.Second
)

// Collector is a prometheus.Collector. Make it with New and stop it with Close.
type Collector struct {
	opts   Options
	logger *slog.Logger
	desc   descs
	now    func() time.Time

	cancel  context.CancelFunc
	stopped chan struct{}
	left    chan struct{} // closed when no nvidia-smi runs any more

	// Used by the loop only.
	log       kernelLog
	missing   bool // nvidia-smi was not there at the last try
	saveFails bool

	mu    sync.Mutex
	view  view
	state state
}

// view is what a scrape shows.
type view struct {
	attempted bool // at least one reading was tried, so that silence would hide something
	ok        bool // the last try succeeded
	fault     string
	reading   *reading
	at        time.Time // of reading
	failures  map[string]float64
	logTried  bool
	logOpen   bool
}

// New starts reading in the background. It is an error if the durations make no sense; a state file that cannot be
// read is reported in the log and begun anew, because a broken memory must not keep the present from being seen.
func New(opts Options) (*Collector, error) {
	c, err := newCollector(opts)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.loop(ctx)
	return c, nil
}

// newCollector is New without the loop.
func newCollector(opts Options) (*Collector, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	or(&opts.Command, "nvidia-smi")
	or(&opts.Interval, defaultInterval)
	or(&opts.Timeout, defaultTimeout)
	or(&opts.MaxAge, 3*opts.Interval+opts.Timeout)
	or(&opts.KernelLog, "/dev/kmsg")
	or(&opts.ProcPath, "/proc")
	if opts.Interval < 0 || opts.Timeout < 0 || opts.MaxAge < 0 {
		return nil, fmt.Errorf("GPU interval %s, timeout %s and age %s must not be negative", opts.Interval, opts.Timeout, opts.MaxAge)
	}
	if opts.MaxAge < opts.Interval+opts.Timeout {
		return nil, fmt.Errorf("GPU readings would be dropped after %s, before the next one is there (interval %s + timeout %s)", opts.MaxAge, opts.Interval, opts.Timeout)
	}
	c := &Collector{
		opts: opts, logger: opts.Logger, desc: newDescs(), now: time.Now,
		stopped: make(chan struct{}), left: make(chan struct{}),
		log:  kernelLog{path: opts.KernelLog},
		view: view{failures: map[string]float64{}},
	}
	var err error
	if c.state, err = loadState(opts.StateFile); err != nil {
		c.logger.Warn("GPUs seen before are forgotten: their state file cannot be read", "err", err)
	}
	c.state.boot(bootID(opts.ProcPath))
	return c, nil
}

func or[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// Close stops reading. It waits for a running nvidia-smi to be gone, but not for one that hangs in the kernel: that is
// the error.
func (c *Collector) Close() error {
	c.cancel()
	<-c.stopped
	select {
	case <-c.left:
		return nil
	case <-time.After(closeGrace):
		return errors.New("stop reading GPUs: nvidia-smi hangs in the kernel and cannot be killed")
	}
}

// loop takes a reading at once and then at every interval.
func (c *Collector) loop(ctx context.Context) {
	defer close(c.stopped)
	defer c.log.close()
	ticker := time.NewTicker(c.opts.Interval)
	defer ticker.Stop()
	var (
		results = make(chan outcome, 1)
		running bool
		since   time.Time
	)
	poll := func() {
		path, err := c.look()
		if path == "" && err == nil {
			return
		}
		c.readKernelLog()
		switch {
		case err != nil:
			c.fail(fault{ReasonMissing, err})
		case !running:
			running, since = true, time.Now()
			known := c.knownBuses()
			go func() { results <- c.take(ctx, path, known) }()
		case time.Since(since) > c.opts.Timeout+2*waitDelay:
			c.fail(fault{ReasonHung, errors.New("the nvidia-smi of the last reading cannot be killed")})
		}
	}
	poll()
	for {
		select {
		case r := <-results:
			running = false
			c.apply(r)
		case <-ticker.C:
			poll()
		case <-ctx.Done():
			go func() {
				if running {
					<-results
				}
				close(c.left)
			}()
			return
		}
	}
}

// look finds nvidia-smi. Without one it returns an error if that is worth telling, and otherwise nothing.
func (c *Collector) look() (string, error) {
	path, err := exec.LookPath(c.opts.Command)
	if err == nil {
		c.missing = false
		return path, nil
	}
	if c.expecting() {
		return "", err
	}
	if !c.missing {
		c.logger.Debug("No GPU metrics: nvidia-smi is not installed", "err", err)
	}
	c.missing = true
	return "", nil
}

// expecting reports whether a missing nvidia-smi is worth telling.
func (c *Collector) expecting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view.attempted || c.expected() > 0
}

// expected returns how many GPUs should be there; 0 means unknown. c.mu is held.
func (c *Collector) expected() int {
	switch {
	case c.opts.Expected > 0:
		return c.opts.Expected
	case c.opts.Expected < 0:
		return 0
	default:
		return c.state.Highest
	}
}

func (c *Collector) knownBuses() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var buses []string
	for _, g := range c.state.GPUs {
		buses = append(buses, g.Bus)
	}
	return buses
}

// fault is why there is no reading.
type fault struct {
	reason string
	err    error
}

// fail notes a reading that did not come about. The log tells when the reason changes, not every time.
func (c *Collector) fail(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view.attempted, c.view.ok = true, false
	c.view.failures[f.reason]++
	if c.view.fault != f.reason {
		c.view.fault = f.reason
		c.logger.Warn("Cannot read the GPUs", "reason", f.reason, "err", f.err)
	}
}

// apply shows a reading and remembers what is new in it.
func (c *Collector) apply(o outcome) {
	if o.fault != nil {
		if errors.Is(o.fault.err, context.Canceled) {
			return // We are stopping.
		}
		c.fail(*o.fault)
		return
	}
	c.mu.Lock()
	if c.view.fault != "" {
		c.logger.Info("GPUs can be read again", "gpus", len(o.reading.gpus))
	}
	c.view.attempted, c.view.ok, c.view.fault = true, true, ""
	c.view.reading, c.view.at = o.reading, c.now()
	c.state.observe(o.reading, c.opts.Expected)
	c.mu.Unlock()
	c.save()
}

// readKernelLog counts the XID errors that came since the last call.
func (c *Collector) readKernelLog() {
	events, err := c.log.poll()
	c.mu.Lock()
	opened := err == nil
	if (!c.view.logTried || c.view.logOpen) && !opened {
		c.logger.Warn("GPU XID errors cannot be counted: the kernel's log cannot be read; run as root, with CAP_SYSLOG, or with kernel.dmesg_restrict=0", "err", err)
	}
	c.view.logTried, c.view.logOpen = true, opened
	c.state.count(events)
	c.mu.Unlock()
	c.save()
}

// save writes the state if it changed. A failure is told once, and tried again with the next reading.
func (c *Collector) save() {
	c.mu.Lock()
	content, dirty := c.state.pending()
	c.mu.Unlock()
	if !dirty || c.opts.StateFile == "" {
		return
	}
	if err := writeState(c.opts.StateFile, content); err != nil {
		if !c.saveFails {
			c.logger.Warn("GPUs seen will be forgotten at the next start: their state file cannot be written", "err", err)
		}
		c.saveFails = true
		return
	}
	c.saveFails = false
	c.mu.Lock()
	c.state.saved = content
	c.mu.Unlock()
}
