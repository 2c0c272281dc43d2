// Package tail collects log lines from files as a promtail.yml says, unchanged: which files, which labels, which stages,
// where to. Lines go to modelwatch's own log store, and to others that the file names.
//
// A line is delivered at least once: how far a file was read is written down only after the store has accepted the lines.
// The package does not keep lines, and it understands nothing in them but what stages are told to.
package tail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/tail/forward"
	"github.com/modelwatch/modelwatch/collect/tail/stage"
	"github.com/modelwatch/modelwatch/logs"
)

// Options configures a Manager.
type Options struct {
	// Appender is modelwatch's own log store.
	Appender Appender
	// Dir is where queues to other stores are kept, and the positions if the promtail.yml does not say.
	Dir string
	// Own says which clients of a promtail.yml mean modelwatch itself.
	Own Whose
	// ForwardOnly keeps nothing in the own store if there are clients elsewhere, as for an agent. By default the own
	// store has everything that is collected, and clients elsewhere get a copy.
	ForwardOnly bool
	// Naming adds labels to streams for the own store. The tenant is what a stage says, or the client that means modelwatch
	// itself. Clients elsewhere get streams as they are.
	Naming logs.Naming
	// QueueBytes bounds the queue on disk to each client elsewhere. Default 1 GiB.
	QueueBytes int64
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time

	// quickDrain ends rotated files at their end, for tests.
	quickDrain bool
	// journalctl is another program for journalctl, for tests.
	journalctl string
}

// Manager collects by one promtail.yml at a time.
type Manager struct {
	o       Options
	metrics *metrics
	stages  *stage.Metrics

	mu  sync.Mutex
	run *run

	complaints sync.Map // when a kind of complaint was logged last
}

// New returns a Manager that collects nothing yet.
func New(o Options) (*Manager, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Appender == nil || o.Dir == "" {
		return nil, errors.New("collect log files: a store and a directory are needed")
	}
	m := &Manager{o: o, stages: stage.NewMetrics(o.Now)}
	m.metrics = newMetrics(m)
	if o.Registerer != nil {
		for _, c := range append(m.metrics.all, m.stages) {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of log collection: %w", err)
			}
		}
	}
	return m, nil
}

// complain logs a kind of problem at most once a minute.
func (m *Manager) complain(kind, what string, err error) {
	now := m.o.Now()
	if last, ok := m.complaints.Load(kind); ok {
		if t, ok := last.(time.Time); ok && now.Sub(t) < time.Minute {
			return
		}
	}
	m.complaints.Store(kind, now)
	m.o.Logger.Warn("Log collection has a problem", "problem", what, "about", kind, "err", err)
}

// Prepared is a promtail.yml that was read and can be applied.
type Prepared struct {
	config *Config
	// Problems are warnings.
	Problems []Problem
}

// Prepare reads a promtail.yml. own are further host:port pairs that mean modelwatch itself. The error names every
// mistake. Nothing changes.
func (m *Manager) Prepare(file []byte, own ...string) (*Prepared, error) {
	config, problems := Read(file)
	if config == nil {
		var errs []error
		for _, p := range problems {
			if !p.Warning {
				errs = append(errs, errors.New(p.String()))
			}
		}
		return nil, errors.Join(errs...)
	}
	if config.Positions == "" {
		config.Positions = filepath.Join(m.o.Dir, "positions.yaml")
	}
	config.own = own
	return &Prepared{config: config, Problems: problems}, nil
}

// Apply stops what was collected by the file before, if any, and begins with the new one. nil only stops. If it fails,
// what was collected before goes on.
func (m *Manager) Apply(p *Prepared) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.run
	if old != nil {
		old.stop()
		m.run = nil
	}
	if p == nil {
		return nil
	}
	r, err := m.start(p.config)
	if err == nil {
		m.run = r
		return nil
	}
	if old != nil {
		again, errAgain := m.start(old.config)
		if errAgain != nil {
			return errors.Join(err, fmt.Errorf("go on with the file before: %w", errAgain))
		}
		m.run = again
	}
	return err
}

// Stop stops collecting and writes the positions down.
func (m *Manager) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run != nil {
		m.run.stop()
		m.run = nil
	}
}

// Status is what is collected now.
type Status struct {
	Files   []FileStatus     `json:"files"`
	Clients []forward.Status `json:"clients"`
}

// FileStatus is a file that is followed.
type FileStatus struct {
	Path    string `json:"path"`
	Job     string `json:"job"`
	Offset  int64  `json:"offset"`
	Size    int64  `json:"size"`
	Rotated bool   `json:"rotated,omitempty"`
}

// Status returns what is collected now.
func (m *Manager) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == nil {
		return Status{}
	}
	return m.run.status()
}

type metrics struct {
	bytes, lines, cut, invalid, refused, retries, rotations, truncations prometheus.Counter
	all                                                                  []prometheus.Collector
}

func newMetrics(m *Manager) *metrics {
	c := &metrics{}
	counter := func(p *prometheus.Counter, name, help string) {
		*p = prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		c.all = append(c.all, *p)
	}
	counter(&c.bytes, "modelwatch_tail_read_bytes_total", "Bytes read from log files.")
	counter(&c.lines, "modelwatch_tail_read_lines_total", "Lines read from log files.")
	counter(&c.cut, "modelwatch_tail_long_lines_total", "Lines cut or dropped because they were too long.")
	counter(&c.invalid, "modelwatch_tail_invalid_utf8_lines_total", "Lines in which bytes that are not UTF-8 were replaced.")
	counter(&c.refused, "modelwatch_tail_refused_batches_total", "Batches of which the log store refused entries for good.")
	counter(&c.retries, "modelwatch_tail_retries_total", "Batches that had to be handed over again.")
	counter(&c.rotations, "modelwatch_tail_rotations_total", "Files found renamed, removed or replaced.")
	counter(&c.truncations, "modelwatch_tail_truncations_total", "Files found truncated and read again.")
	gauge := func(name, help string, f func(Status) float64) {
		c.all = append(c.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return f(m.Status()) }))
	}
	gauge("modelwatch_tail_files", "Log files followed.", func(s Status) float64 { return float64(len(s.Files)) })
	gauge("modelwatch_tail_behind_bytes", "Bytes of log files not yet collected.", func(s Status) float64 {
		n := int64(0)
		for _, f := range s.Files {
			n += max(0, f.Size-f.Offset)
		}
		return float64(n)
	})
	gauge("modelwatch_tail_forward_waiting_bytes", "Bytes waiting on disk to be forwarded.", func(s Status) float64 {
		n := int64(0)
		for _, c := range s.Clients {
			n += c.WaitingBytes
		}
		return float64(n)
	})
	return c
}

// stopped ends a context with a reason.
var errStopped = errors.New("log collection is stopped")

func stoppable() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	return ctx, func() { cancel(errStopped) }
}
