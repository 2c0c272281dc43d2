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
}

// queueCapacity is how many alerts may wait for one Alertmanager.
const queueCapacity = 10000

// New makes a manager; it sends nothing before Start.
func New(opts Options) *Manager {
	return &Manager{
		opts: opts,
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
	return nil
}

// Start begins to find Alertmanagers and to send.
func (m *Manager) Start() {
	m.wg.Go(func() {
		if err := m.opts.Discovery.Run(); err != nil && !errors.Is(err, context.Canceled) {
			m.opts.Logger.Error("Discovery of alertmanagers ended", "err", err)
		}
	})
	m.wg.Go(func() { m.Manager.Run(m.opts.Discovery.SyncCh()) })
}

// Stop sends nothing more.
func (m *Manager) Stop() {
	m.Manager.Stop()
	m.opts.Cancel()
	m.wg.Wait()
}
