package notify

import (
	"context"
	"time"

	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
)

// liveConfig is a configuration in force.
type liveConfig struct {
	prepared   *Prepared
	intervener *timeinterval.Intervener
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
	generation *generation
}

// stop ends what runs for the configuration.
func (l *liveConfig) stop(patience time.Duration) {
	// The dispatcher first: while its runs end, the inhibitor still has to be up to
	// date. It lets go of everything at once, but returns no earlier than its start
	// delay is over, which nobody has to wait for.
	stopped := make(chan struct{})
	go func() {
		l.dispatcher.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(time.Second):
	}
	l.generation.stop(patience)
	l.inhibitor.Stop()
}

// groupLimit implements the dispatcher's limits.
type groupLimit int

func (l groupLimit) MaxNumberOfAggregationGroups() int { return int(l) }

// Prepare does everything about a configuration that can fail, and touches
// nothing that is in force. What it returns can be given to Apply, or dropped.
func (m *Manager) Prepare(src Source) (*Prepared, error) {
	p, err := prepare(src, m.opts, m.features)
	if err != nil {
		m.metrics.configSuccess.Set(0)
		return nil, err
	}
	return p, nil
}

// Apply puts a prepared configuration in force. Notifications that are under way
// get the drain timeout to end first; alerts that come meanwhile are kept and
// routed by the new configuration. After Stop it does nothing.
func (m *Manager) Apply(p *Prepared) {
	m.applying.Lock()
	defer m.applying.Unlock()
	if m.stopped {
		return
	}
	for _, w := range p.Warnings {
		m.logger.Warn("Configuration of alerting", "source", p.Source.String(), "warning", w)
	}
	m.events.ApplyConfig(p.cfg.EventRecorder)

	receivers := make(map[string][]amnotify.Integration, len(p.used))
	integrations := 0
	for name := range p.used {
		receivers[name] = m.record(name, p.receivers[name], p.redact)
		integrations += len(p.receivers[name])
	}

	old := m.live.Load()
	if old != nil {
		old.stop(m.opts.DrainTimeout)
	}

	next := &liveConfig{prepared: p, intervener: timeinterval.NewIntervener(p.intervals)}
	feed := m.alerts.newFeed()
	next.inhibitor = inhibit.NewInhibitor(feed, p.cfg.InhibitRules, m.logger, m.events)
	// An interface that holds a nil pointer is not nil.
	var peer amnotify.Peer
	wait := func() time.Duration { return 0 }
	if m.peer != nil {
		peer = m.peer
		wait = func() time.Duration { return time.Duration(m.peer.Position()) * m.opts.Cluster.PeerTimeout }
	}
	stages := m.pipelines.New(
		receivers, wait, next.inhibitor, m.silencer, next.intervener, m.groups,
		notificationLog{m.log, m.logFile.Soon}, peer,
	)
	next.generation = newGeneration(stages, m.alerts.settle, m.alertFile.Soon)
	next.dispatcher = dispatch.NewDispatcher(
		m.alerts, p.routes, next.generation, m.groups,
		func(interval time.Duration) time.Duration { return max(interval, amnotify.MinTimeout) + wait() },
		m.opts.DispatchMaintenanceInterval, groupLimit(m.opts.Limits.MaxAggregationGroups),
		m.logger, m.events, m.dispatcherMetrics, p.tmpl,
	)

	// The inhibitor has to know every alert before the first group is notified
	// about, or inhibited alerts would be told to people at each reload.
	go next.inhibitor.Run()
	next.inhibitor.WaitForLoading()
	m.alerts.use(feed)
	// The API sees the dispatcher once it knows its groups.
	go next.dispatcher.Run(m.started.Add(m.opts.DispatchStartDelay))
	next.dispatcher.WaitForLoading()
	m.live.Store(next)

	m.api.Update(p.cfg, func(ctx context.Context, labels model.LabelSet) {
		next.inhibitor.Mutes(ctx, labels)
		m.silencer.Mutes(ctx, labels)
	})

	m.metrics.receivers.Set(float64(len(p.used)))
	m.metrics.integrations.Set(float64(integrations))
	m.metrics.inhibitionRules.Set(float64(len(p.cfg.InhibitRules)))
	m.metrics.configHash.Set(p.hash)
	m.metrics.configSuccess.Set(1)
	m.metrics.configSuccessTime.SetToCurrentTime()
}
