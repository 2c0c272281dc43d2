// Package remote hands alerts to Alertmanagers elsewhere, as prometheus.yml
// names them. It is not the Alertmanager inside modelwatch; that is the parent
// package.
package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/notifier"
)

// Options is what a Manager needs.
type Options struct {
	// Discovery is run and configured by the manager.
	Discovery *discovery.Manager
	// Cancel ends Discovery.
	Cancel     context.CancelFunc
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Manager sends alerts to every Alertmanager that is found, queueing while
// they do not answer.
type Manager struct {
	*notifier.Manager
	opts Options
	wg   sync.WaitGroup
	stop chan struct{}

	mtx  sync.Mutex
	sets int // how many sets of Alertmanagers the configuration names
	// held waits for the first Alertmanagers to be found; nothing is held
	// once searched is true.
	held     []*notifier.Alert
	searched bool
}

const (
	// queueCapacity is how many alerts may wait for one Alertmanager, and how
	// many are held until one is found.
	queueCapacity = 10000
	// findWithin is how long after the start alerts are held for Alertmanagers
	// that are not found yet: discovery speaks at least every five seconds.
	findWithin = 15 * time.Second
)

// New makes a manager; it sends nothing before Start.
func New(opts Options) *Manager {
	return &Manager{
		opts: opts,
		stop: make(chan struct{}),
		Manager: notifier.NewManager(&notifier.Options{
			QueueCapacity: queueCapacity,
			Registerer:    opts.Registerer,
		}, model.UTF8Validation, opts.Logger.With("component", "alertmanagers")),
	}
}

// Apply takes over the Alertmanagers, external labels and alert relabelling of
// cfg.
func (m *Manager) Apply(cfg *config.Config) error {
	if err := m.Manager.ApplyConfig(cfg); err != nil {
		return fmt.Errorf("apply alerting configuration: %w", err)
	}
	targets := map[string]discovery.Configs{}
	for name, am := range cfg.AlertingConfig.AlertmanagerConfigs.ToMap() {
		targets[name] = am.ServiceDiscoveryConfigs
	}
	if err := m.opts.Discovery.ApplyConfig(targets); err != nil {
		return fmt.Errorf("apply discovery of alertmanagers: %w", err)
	}
	m.mtx.Lock()
	m.sets = len(targets)
	m.mtx.Unlock()
	return nil
}

// Send queues alerts for every Alertmanager. The queues belong to
// Alertmanagers that were found, and a rule repeats an alert only after the
// resend delay, so what is sent just after the start is held until they are.
func (m *Manager) Send(alerts ...*notifier.Alert) {
	m.mtx.Lock()
	if !m.searched && m.sets > 0 {
		room := queueCapacity - len(m.held)
		m.held = append(m.held, alerts[:min(room, len(alerts))]...)
		m.mtx.Unlock()
		return
	}
	m.mtx.Unlock()
	m.Manager.Send(alerts...)
}

// release sends what was held, once every set of Alertmanagers has members or
// the time for finding them is over.
func (m *Manager) release() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	over := time.After(findWithin)
	for !m.found() {
		select {
		case <-m.stop:
			return
		case <-over:
			m.flush()
			return
		case <-tick.C:
		}
	}
	m.flush()
}

// found tells whether there are at least as many Alertmanagers as sets of them.
func (m *Manager) found() bool {
	m.mtx.Lock()
	sets := m.sets
	m.mtx.Unlock()
	return len(m.Alertmanagers())+len(m.DroppedAlertmanagers()) >= sets
}

func (m *Manager) flush() {
	m.mtx.Lock()
	defer m.mtx.Unlock()
	m.searched = true
	m.Manager.Send(m.held...)
	m.held = nil
}

// Start begins to find Alertmanagers and to send.
func (m *Manager) Start() {
	m.wg.Go(func() {
		if err := m.opts.Discovery.Run(); err != nil && !errors.Is(err, context.Canceled) {
			m.opts.Logger.Error("Discovery of alertmanagers ended", "err", err)
		}
	})
	m.wg.Go(func() { m.Manager.Run(m.opts.Discovery.SyncCh()) })
	m.wg.Go(m.release)
}

// Stop sends nothing more.
func (m *Manager) Stop() {
	close(m.stop)
	m.Manager.Stop()
	m.opts.Cancel()
	m.wg.Wait()
}
