// Package rules evaluates recording and alerting rules: Prometheus's rule
// manager with our template extensions and our built-in rules. It hands alerts
// to a Sender and does not notify anybody itself.
package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// Sender takes alerts that fire or have been resolved. It owns the slice and
// what it points to, and must not block.
type Sender interface {
	Send(alerts ...*notifier.Alert)
}

// Options is what a Manager needs.
type Options struct {
	Engine promql.QueryEngine
	Parser parser.Parser
	// Logs evaluates LogQL rules; nil refuses them.
	Logs       LogQuerier
	Queryable  storage.Queryable
	Local      storage.Queryable
	Appendable storage.Appendable
	// Local alerts go to Senders with external labels and alert relabelling
	// applied; alerts for Remote go as they are, since Prometheus's own
	// notifier applies both.
	Senders []Sender
	Remote  Sender
	// ExternalURL is where people reach modelwatch.
	ExternalURL *url.URL
	// Builtin says whether the rules that ship with modelwatch are evaluated.
	Builtin bool
	// OutageTolerance is for how long modelwatch may be down and still
	// restore the state of "for"; zero means one hour.
	OutageTolerance time.Duration
	// ForGracePeriod is the least time between a restart and an alert whose
	// "for" was restored; zero means ten minutes.
	ForGracePeriod time.Duration
	// ResendDelay is the least time between two hand-overs of one alert; zero
	// means one minute.
	ResendDelay time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Manager evaluates rules until it is stopped.
type Manager struct {
	opts    Options
	rules   *rules.Manager
	written written
	config  atomic.Pointer[config.Config]
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// New makes a manager; it evaluates nothing before Start.
func New(opts Options) *Manager {
	ctx, cancel := context.WithCancel(context.Background())
	opts.Parser = bothParser{opts.Parser, opts.Logs}
	m := &Manager{opts: opts, cancel: cancel}
	orDefault := func(d, def time.Duration) time.Duration {
		if d == 0 {
			return def
		}
		return d
	}
	m.rules = rules.NewManager(&rules.ManagerOptions{
		Appendable:      opts.Appendable,
		Queryable:       opts.Local,
		QueryFunc:       queryFunc(rules.EngineQueryFunc(opts.Engine, opts.Queryable), opts.Logs),
		NotifyFunc:      rules.SendAlerts(m, opts.ExternalURL.String()),
		Context:         ctx,
		ExternalURL:     opts.ExternalURL,
		Registerer:      opts.Registerer,
		Logger:          opts.Logger.With("component", "rules"),
		OutageTolerance: orDefault(opts.OutageTolerance, time.Hour),
		ForGracePeriod:  orDefault(opts.ForGracePeriod, 10*time.Minute),
		ResendDelay:     orDefault(opts.ResendDelay, time.Minute),
		GroupLoader:     loader{parser: opts.Parser, logger: opts.Logger, written: &m.written},
		DefaultRuleQueryOffset: func() time.Duration {
			if cfg := m.config.Load(); cfg != nil {
				return time.Duration(cfg.GlobalConfig.RuleQueryOffset)
			}
			return 0
		},
		RuleDependencyController: inOrder{},
		Parser:                   opts.Parser,
	})
	return m
}

// Send gives alerts to all senders. It implements rules.Sender.
func (m *Manager) Send(alerts ...*notifier.Alert) {
	if m.opts.Remote != nil {
		m.opts.Remote.Send(clone(alerts)...)
	}
	cfg := m.config.Load()
	if cfg == nil {
		return
	}
	local := prepare(clone(alerts), cfg.GlobalConfig.ExternalLabels, cfg.AlertingConfig.AlertRelabelConfigs)
	if len(local) == 0 {
		return
	}
	for _, s := range m.opts.Senders {
		s.Send(clone(local)...)
	}
}

func clone(alerts []*notifier.Alert) []*notifier.Alert {
	out := make([]*notifier.Alert, len(alerts))
	for i, a := range alerts {
		c := *a
		out[i] = &c
	}
	return out
}

// prepare adds external labels and applies alert relabelling; alerts that
// relabelling drops are left out.
func prepare(alerts []*notifier.Alert, external labels.Labels, relabelling []*relabel.Config) []*notifier.Alert {
	kept := alerts[:0]
	for _, a := range alerts {
		b := labels.NewBuilder(a.Labels)
		external.Range(func(l labels.Label) {
			if a.Labels.Get(l.Name) == "" {
				b.Set(l.Name, l.Value)
			}
		})
		if !relabel.ProcessBuilder(b, relabelling...) {
			continue
		}
		a.Labels = b.Labels()
		kept = append(kept, a)
	}
	return kept
}

// files lists the rule files of cfg, with the built-in ones first.
func (m *Manager) files(cfg *config.Config) ([]string, error) {
	var files []string
	if m.opts.Builtin {
		files = Builtin()
	}
	own, err := Files(cfg.RuleFiles)
	if err != nil {
		return nil, err
	}
	return append(files, own...), nil
}

// Prepare does all that can fail in Apply without touching what runs: it
// reads and checks every rule file of cfg.
func (m *Manager) Prepare(cfg *config.Config) error {
	return m.PrepareFrom(cfg, func(file string) string { return file })
}

// PrepareFrom is Prepare with some files read from elsewhere.
func (m *Manager) PrepareFrom(cfg *config.Config, from func(file string) string) error {
	files, err := m.files(cfg)
	if err != nil {
		return err
	}
	l := loader{parser: m.opts.Parser, logger: m.opts.Logger, written: &written{}}
	var errs []error
	for _, f := range files {
		_, es := l.Load(from(f), false, cfg.GlobalConfig.MetricNameValidationScheme)
		errs = append(errs, es...)
	}
	return errors.Join(errs...)
}

// Apply takes over the rules of cfg. State of alerts whose rule stays the same
// is kept.
func (m *Manager) Apply(cfg *config.Config) error {
	files, err := m.files(cfg)
	if err != nil {
		return err
	}
	m.config.Store(cfg)
	m.written.begin()
	err = m.rules.Update(time.Duration(cfg.GlobalConfig.EvaluationInterval), files, cfg.GlobalConfig.ExternalLabels, m.opts.ExternalURL.String(), nil)
	m.written.end(err == nil)
	if err != nil {
		return fmt.Errorf("apply rules: %w", err)
	}
	return nil
}

// Start begins to evaluate.
func (m *Manager) Start() { m.wg.Go(m.rules.Run) }

// Stop ends evaluation after the rules that are running.
func (m *Manager) Stop() {
	m.rules.Stop()
	m.wg.Wait()
	m.cancel()
}

// Rules is the rule manager, for the HTTP API.
func (m *Manager) Rules() *rules.Manager { return m.rules }
