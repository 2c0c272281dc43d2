package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/nflog"
	"github.com/prometheus/alertmanager/nflog/nflogpb"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
)

// Manager is a running Alertmanager. Make one with New and end it with Stop.
type Manager struct {
	opts     Options
	logger   *slog.Logger
	registry *registry
	features featurecontrol.Flagger
	metrics  *metrics
	events   eventrecorder.Recorder

	peer     *cluster.Peer // Nil without a cluster.
	silences *silence.Silences
	silencer *silence.Silencer
	log      *nflog.Log
	alerts   *alertBook
	groups   marker.GroupMarker
	journal  *journal
	api      *api.API

	// The files that must not fall behind.
	silenceFile, logFile, alertFile *snapshot

	pipelines         *amnotify.PipelineBuilder
	dispatcherMetrics *dispatch.DispatcherMetrics
	received          *prometheus.CounterVec
	invalid           prometheus.Counter
	started           time.Time
	version           string // Of Alertmanager's libraries.
	v2                http.Handler

	// applying serialises Apply and Stop; live is what is in force.
	applying sync.Mutex
	live     atomic.Pointer[liveConfig]
	stopped  bool

	cleanups []cleanup
}

// cleanup undoes one step of the set-up.
type cleanup struct {
	name string
	undo func() error
}

func (m *Manager) onStop(name string, undo func() error) {
	m.cleanups = append(m.cleanups, cleanup{name, undo})
}

// New starts a Manager with the configuration in opts. On an error nothing is
// left behind.
func New(opts Options) (*Manager, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	m := &Manager{
		opts:     opts,
		logger:   opts.Logger.With("component", "notify"),
		registry: &registry{Registerer: opts.Registerer},
		started:  time.Now(),
		version:  alertmanagerVersion(),
	}
	if err := m.setUp(); err != nil {
		return nil, errors.Join(err, m.cleanUp())
	}
	return m, nil
}

// setUp builds everything in the order in which the parts need each other, and
// registers at once how each is undone.
func (m *Manager) setUp() error {
	opts, logger, reg := m.opts, m.logger, m.registry

	features, err := featurecontrol.NewFlags(logger, opts.EnableFeatures)
	if err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	m.features = features
	setMatcherMode(features)

	m.onStop("metrics", func() error { reg.unregister(); return nil })
	m.metrics = newMetrics(reg)

	initial, err := prepare(opts.Config, opts, features)
	if err != nil {
		return err
	}

	if err := os.MkdirAll(opts.DataDir, 0o750); err != nil {
		return fmt.Errorf("create directory of notifications: %w", err)
	}
	history, err := openHistory(m.path("notifications.jsonl"), opts.Limits.MaxHistory, logger, m.metrics.historyFailures)
	if err != nil {
		return err
	}
	m.journal = newJournal(history)
	m.onStop("history", history.close)

	if err := m.joinable(); err != nil {
		return err
	}

	if features.EnableEventRecorder() {
		host, _ := os.Hostname() // An empty instance name is what remains without one.
		m.events = eventrecorder.NewRecorderFromConfig(initial.cfg.EventRecorder, host, logger.With("part", "events"), reg)
	}
	m.onStop("event recorder", m.events.Close)

	if err := m.openState(); err != nil {
		return err
	}
	m.groups = marker.NewGroupMarker()

	if m.peer != nil {
		m.join()
	}

	if err := m.openAlerts(time.Duration(initial.cfg.Global.ResolveTimeout)); err != nil {
		return err
	}

	// An interface that holds a nil pointer is not nil.
	var peer cluster.ClusterPeer
	if m.peer != nil {
		peer = m.peer
	}
	m.api, err = api.New(api.Options{
		Alerts:          m.alerts,
		Silences:        m.silences,
		GroupMutedFunc:  m.groups.Muted,
		Peer:            peer,
		Timeout:         opts.Limits.HTTPTimeout,
		Concurrency:     opts.Limits.GetConcurrency,
		Logger:          logger.With("part", "api"),
		Registry:        reg,
		RequestDuration: m.metrics.requestDuration,
		GroupFunc: func(ctx context.Context, routes func(*dispatch.Route) bool, alerts func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
			return m.live.Load().dispatcher.Groups(ctx, routes, alerts)
		},
	})
	if err != nil {
		return fmt.Errorf("set up API: %w", err)
	}
	m.v2 = m.api.Register(route.New(), "/")

	m.pipelines = amnotify.NewPipelineBuilder(reg, features, m.events)
	m.dispatcherMetrics = dispatch.NewDispatcherMetrics(opts.Limits.MaxAggregationGroups > 0, reg, features)
	if err := reg.failed(); err != nil {
		return err
	}
	var ok bool
	if m.received, ok = find[*prometheus.CounterVec](reg, "alertmanager_alerts_received_total"); !ok {
		return errors.New("set up API: no metric of received alerts")
	}
	if m.invalid, ok = find[prometheus.Counter](reg, "alertmanager_alerts_invalid_total"); !ok {
		return errors.New("set up API: no metric of invalid alerts")
	}

	m.onStop("dispatcher and inhibitor", func() error {
		if l := m.live.Load(); l != nil {
			l.stop(opts.DrainTimeout)
		}
		return nil
	})
	m.Apply(initial)
	return nil
}

func (m *Manager) path(name string) string { return filepath.Join(m.opts.DataDir, name) }

// joinable makes the peer of the cluster, if there is one. It joins later, when
// it has something to share.
func (m *Manager) joinable() error {
	c := m.opts.Cluster
	if c.ListenAddress == "" {
		return nil
	}
	tlsConfig, err := cluster.GetTLSTransportConfig(c.TLSConfigFile)
	if err != nil {
		return fmt.Errorf("load TLS configuration of the cluster: %w", err)
	}
	peer, err := cluster.Create(
		m.logger.With("part", "cluster"), m.registry,
		c.ListenAddress, c.AdvertiseAddress, c.Peers, true,
		c.PushPullInterval, c.GossipInterval, c.TCPTimeout, c.PeersResolveTimeout, c.ProbeTimeout, c.ProbeInterval,
		tlsConfig, c.AllowInsecureAdvertise, c.Label, c.PeerName,
	)
	if err != nil {
		return fmt.Errorf("set up cluster: %w", err)
	}
	m.peer = peer
	m.metrics.clusterEnabled.Set(1)
	m.onStop("cluster", func() error {
		if err := peer.Leave(2 * time.Second); err != nil {
			return fmt.Errorf("leave cluster: %w", err)
		}
		return nil
	})
	return nil
}

// join joins the cluster and lets it settle in the background.
func (m *Manager) join() {
	c := m.opts.Cluster
	if err := m.peer.Join(c.ReconnectInterval, c.ReconnectTimeout); err != nil {
		m.logger.Warn("Cannot join the cluster yet", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.SettleTimeout)
	var settling sync.WaitGroup
	settling.Go(func() { m.peer.Settle(ctx, 10*c.GossipInterval) })
	m.onStop("cluster settling", func() error {
		cancel()
		settling.Wait()
		return nil
	})
	m.events.SetClusterPeer(m.peer)
}

// openState opens silences and the notification log, and keeps their files up to
// date.
func (m *Manager) openState() (err error) {
	opts, reg := m.opts, m.registry
	logger := m.logger.With("part", "nflog")
	m.log, err = nflog.New(nflog.Options{
		SnapshotFile: m.path("nflog"), Retention: opts.Retention, Logger: logger, Metrics: reg,
	})
	if err != nil {
		return fmt.Errorf("open notification log %s: %w", m.path("nflog"), err)
	}
	silenceLogger := m.logger.With("part", "silences")
	m.silences, err = silence.New(silence.Options{
		SnapshotFile: m.path("silences"), Retention: opts.Retention,
		Limits: silence.Limits{
			MaxSilences:         func() int { return opts.Limits.MaxSilences },
			MaxSilenceSizeBytes: func() int { return opts.Limits.MaxSilenceSizeBytes },
		},
		Logger: silenceLogger, Metrics: reg, Logging: opts.SilenceLogging, EventRecorder: m.events,
	})
	if err != nil {
		return fmt.Errorf("open silences %s: %w", m.path("silences"), err)
	}
	if m.peer != nil {
		m.log.SetBroadcast(m.peer.AddState("nfl", m.log, reg).Broadcast)
		m.silences.SetBroadcast(m.peer.AddState("sil", m.silences, reg).Broadcast)
	}
	m.silencer = silence.NewSilencer(m.silences, silenceLogger, m.events)

	m.logFile = m.snapshot("nflog", m.log.Snapshot)
	m.silenceFile = m.snapshot("silences", m.silences.Snapshot)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		m.log.Maintenance(opts.MaintenanceInterval, m.logFile.path, stop, func() (int64, error) {
			if _, err := m.log.GC(); err != nil {
				return 0, err
			}
			return m.logFile.save()
		})
	})
	running.Go(func() {
		m.silences.Maintenance(opts.MaintenanceInterval, m.silenceFile.path, stop, func() (int64, error) {
			if _, err := m.silences.GC(); err != nil {
				return 0, err
			}
			return m.silenceFile.save()
		})
	})
	m.onStop("maintenance", func() error {
		close(stop)
		running.Wait()
		return nil
	})
	return nil
}

// snapshot makes a file follow a state, until the manager stops.
func (m *Manager) snapshot(name string, encode func(io.Writer) (int64, error)) *snapshot {
	s := newSnapshot(m.path(name), encode, m.logger, m.metrics.snapshotFailures.WithLabelValues(name))
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { s.run(stop) })
	m.onStop("snapshots of "+name, func() error {
		close(stop)
		running.Wait()
		return nil
	})
	return s
}

// openAlerts makes the book of alerts and puts those of the former process in it;
// grace is the time that their senders get to confirm them.
func (m *Manager) openAlerts(grace time.Duration) error {
	held, written, err := readAlertFile(m.path("alerts.jsonl"))
	if err != nil {
		// Senders repeat their alerts, so that losing some is no reason not to start.
		m.logger.Error("Some alerts from before the start are lost", "err", err)
	}
	revive(held, written, time.Now(), grace)

	m.alerts = &alertBook{}
	callback := newStoreCallback(m.silencer, func() {
		if m.alertFile != nil {
			m.alertFile.Soon()
		}
	})
	m.alerts.Alerts, err = mem.NewAlerts(
		context.Background(), m.opts.AlertGCInterval, m.opts.Limits.PerAlertNameLimit,
		callback, m.logger, m.events, m.registry, m.features,
	)
	if err != nil {
		return fmt.Errorf("set up alerts: %w", err)
	}
	m.onStop("alerts", func() error { m.alerts.Close(); return nil })
	if err := m.alerts.Put(context.Background(), held...); err != nil {
		return fmt.Errorf("restore alerts: %w", err)
	}
	m.metrics.restoredAlerts.Set(float64(len(held)))
	m.alertFile = m.snapshot("alerts.jsonl", func(w io.Writer) (int64, error) {
		return encodeAlerts(w, m.worthKeeping(time.Now()))
	})
	return nil
}

// worthKeeping returns the alerts that a restart must not forget: those that fire,
// and those whose end is still to be told.
func (m *Manager) worthKeeping(now time.Time) []*alert.Alert {
	all := m.alerts.list()
	untold := map[model.Fingerprint]bool{}
	if l := m.live.Load(); l != nil && slices.ContainsFunc(all, func(a *alert.Alert) bool { return a.ResolvedAt(now) }) {
		groups, _, err := l.dispatcher.Groups(context.Background(),
			func(*dispatch.Route) bool { return true },
			func(a *alert.Alert, _ time.Time) bool { return a.ResolvedAt(now) })
		if err != nil {
			return all
		}
		for _, g := range groups {
			for _, a := range g.Alerts {
				untold[a.Fingerprint()] = true
			}
		}
	}
	return slices.DeleteFunc(all, func(a *alert.Alert) bool {
		return a.ResolvedAt(now) && !untold[a.Fingerprint()] && now.Sub(a.UpdatedAt) > unseenFor
	})
}

// Stop ends the manager: notifications that are under way get the drain timeout
// to end, then everything is written to disk. It returns when all is done or ctx
// is; in the latter case the rest goes on in the background. A second call does
// nothing.
func (m *Manager) Stop(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- m.cleanUp() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("stop notifications: %w", ctx.Err())
	}
}

// cleanUp undoes the set-up, last step first.
func (m *Manager) cleanUp() error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.stopped = true
	var errs []error
	for _, c := range slices.Backward(m.cleanups) {
		if err := c.undo(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", c.name, err))
		}
	}
	m.cleanups = nil
	return errors.Join(errs...)
}

// ClusterAddress returns the address that other peers can join at, or nothing
// without a cluster. It tells the port if a free one was asked for.
func (m *Manager) ClusterAddress() string {
	if m.peer == nil {
		return ""
	}
	return m.peer.Self().Address()
}

// History returns the notifications that q selects, newest first: those that are
// finished and those that are under way.
func (m *Manager) History(ctx context.Context, q Query) ([]Notification, error) {
	return m.journal.query(ctx, q)
}

// notificationLog is Alertmanager's log of notifications, whose file follows soon.
type notificationLog struct {
	log     *nflog.Log
	changed func()
}

// Query implements Alertmanager's NotificationLog.
func (l notificationLog) Query(params ...nflog.QueryParam) ([]*nflogpb.Entry, error) {
	return l.log.Query(params...)
}

// Log implements Alertmanager's NotificationLog.
func (l notificationLog) Log(r *nflogpb.Receiver, key string, firing, resolved []uint64, store *nflog.Store, expiry time.Duration) error {
	if err := l.log.Log(r, key, firing, resolved, store, expiry); err != nil {
		return fmt.Errorf("log notification: %w", err)
	}
	l.changed()
	return nil
}
