package host

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/host/node"
	"github.com/modelwatch/modelwatch/collect/host/process"
)

// guard runs a source in a goroutine of its own and waits for it a limited time. Callers that come while it runs share
// its result. A run that never ends keeps that one goroutine and nothing else; no second one is started.
type guard struct {
	name    string
	update  func(chan<- prometheus.Metric) error
	timeout time.Duration
	logger  *slog.Logger

	mu      sync.Mutex
	current *run // nil if none is on its way
	failing bool
}

// run is one update and, once done is closed, what came of it.
type run struct {
	began   time.Time
	done    chan struct{}
	took    time.Duration
	metrics []prometheus.Metric
	err     error
}

// timeoutError says that a source did not answer in time.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string {
	return fmt.Sprintf("no answer for %s", e.after.Round(time.Millisecond))
}

func newGuard(name string, update func(chan<- prometheus.Metric) error, timeout time.Duration, logger *slog.Logger) *guard {
	return &guard{name: name, update: update, timeout: timeout, logger: logger}
}

// collect returns what the source gave, how long it took, and the source's error or a timeoutError. With an error of
// the source there may be metrics too.
func (g *guard) collect() ([]prometheus.Metric, time.Duration, error) {
	g.mu.Lock()
	r := g.current
	if r == nil {
		r = &run{began: time.Now(), done: make(chan struct{})}
		g.current = r
		go g.perform(r)
	}
	g.mu.Unlock()

	var err error
	timer := time.NewTimer(time.Until(r.began.Add(g.timeout)))
	defer timer.Stop()
	select {
	case <-r.done:
		err = r.err
	case <-timer.C:
		err = &timeoutError{time.Since(r.began)}
	}
	g.note(err)
	if _, late := errors.AsType[*timeoutError](err); late {
		return nil, time.Since(r.began), err
	}
	return r.metrics, r.took, err
}

func (g *guard) perform(r *run) {
	ch := make(chan prometheus.Metric, 64)
	go func() {
		defer close(ch)
		defer func() {
			// The libraries that read the kernel's files panic on some contents, such as a network interface's alias
			// that is not UTF-8. That must cost one group of series, not the program.
			if p := recover(); p != nil {
				r.err = fmt.Errorf("panic: %v", p)
			}
		}()
		r.err = g.update(ch)
	}()
	for m := range ch {
		r.metrics = append(r.metrics, m)
	}
	r.took = time.Since(r.began)
	g.mu.Lock()
	g.current = nil
	g.mu.Unlock()
	close(r.done)
}

// note tells when a source starts to fail and when it recovers, not every time. What the kernel does not offer is no
// failure.
func (g *guard) note(err error) {
	if errors.Is(err, node.ErrNoData) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if failing := err != nil; failing != g.failing {
		g.failing = failing
		if failing {
			g.logger.Warn("Host collector fails", "collector", g.name, "err", err)
		} else {
			g.logger.Info("Host collector works again", "collector", g.name)
		}
	}
}

// guardedHost collects the node_* series: all sources at the same time, each with its own time limit, and
// node_exporter's own two series on how that went.
type guardedHost struct {
	guards            []*guard
	duration, success *prometheus.Desc
}

func newGuardedHost(sources []node.Source, timeout time.Duration, logger *slog.Logger) *guardedHost {
	h := &guardedHost{
		duration: prometheus.NewDesc("node_scrape_collector_duration_seconds", "Time that the collector took.", []string{"collector"}, nil),
		success:  prometheus.NewDesc("node_scrape_collector_success", "Whether the collector succeeded.", []string{"collector"}, nil),
	}
	for _, s := range sources {
		h.guards = append(h.guards, newGuard(s.Name, s.Update, timeout, logger))
	}
	return h
}

// Describe implements prometheus.Collector. The series of the sources depend on the machine and are not described.
func (h *guardedHost) Describe(ch chan<- *prometheus.Desc) {
	ch <- h.duration
	ch <- h.success
}

// Collect implements prometheus.Collector.
func (h *guardedHost) Collect(ch chan<- prometheus.Metric) {
	var wg sync.WaitGroup
	for _, g := range h.guards {
		wg.Go(func() {
			metrics, took, err := g.collect()
			for _, m := range metrics {
				ch <- m
			}
			success := 1.0
			if err != nil {
				success = 0
			}
			ch <- prometheus.MustNewConstMetric(h.duration, prometheus.GaugeValue, took.Seconds(), g.name)
			ch <- prometheus.MustNewConstMetric(h.success, prometheus.GaugeValue, success, g.name)
		})
	}
	wg.Wait()
}

// guardedProcesses collects the watched services within the time limit. Past it every service is unknown.
type guardedProcesses struct {
	processes *process.Collector
	guard     *guard
}

// Describe implements prometheus.Collector.
func (p *guardedProcesses) Describe(ch chan<- *prometheus.Desc) { p.processes.Describe(ch) }

// Collect implements prometheus.Collector.
func (p *guardedProcesses) Collect(ch chan<- prometheus.Metric) {
	if p.processes.Empty() {
		return
	}
	metrics, _, err := p.guard.collect()
	if _, late := errors.AsType[*timeoutError](err); late {
		p.processes.Unknown(ch, process.ReasonTimeout)
		return
	}
	for _, m := range metrics {
		ch <- m
	}
}
