package models

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/status"
)

const (
	// chunk is the number of records counted under one lock.
	chunk = 256
	// maxClosing is the number of closed windows that may wait to be judged before
	// Consume judges them itself: a backlog moves on no faster than that.
	maxClosing = 64
)

// Engine watches models. Make one with New.
type Engine struct {
	opt     Options
	log     *slog.Logger
	judges  atomic.Pointer[Judges]
	metrics *metrics
	coder   *coder

	// mu guards what follows. Locks are taken in the order ticking, baselining, mu.
	mu       sync.Mutex
	versions map[ai.Key]*version
	services map[string]int // Versions of a service.
	perModel map[modelKey]int
	lastSeen *version // Of the last record.
	closing  int      // Closed windows of all versions that wait.
	ready    bool     // A collector may be ready.
	infos    map[string]BaselineInfo
	numbers  map[ai.Key]int // Of the newest baseline, deleted ones among them.
	dirty    map[span]bool  // Longer windows to be made or made again.
	report   *status.Report
	readings map[string][]reading // By service; "" for those that all share.
	refused  map[limit]refusal    // Records left out whole.
	samples  int                  // Bytes of samples of windows.
	ticked   time.Time            // By the clock: the last tick.

	// ticking serialises judging, and guards allowance.
	ticking   sync.Mutex
	allowance tokens
	// baselining serialises changes of baselines.
	baselining sync.Mutex

	published atomic.Pointer[exposition]
	due       atomic.Bool        // A window was stored since the last checkpoint.
	static    map[ai.Key]*family // Made series of versions; ticking guards it.
}

type modelKey struct{ service, model string }

// refusal counts records that were left out for one reason.
type refusal struct {
	n    uint64
	last time.Time
}

// New returns an engine that knows the stored baselines and no records yet; Restore
// tells it the rest. Errors name every bad option.
func New(opt Options) (*Engine, error) {
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("watch models: %w", err)
	}
	opt = opt.withDefaults()
	judges, err := NewJudges(Judging{opt.Drift, opt.Quality, opt.Performance, opt.NoClassifier}, opt.Models)
	if err != nil {
		return nil, fmt.Errorf("watch models: %w", err)
	}
	code, err := newCoder()
	if err != nil {
		return nil, fmt.Errorf("watch models: %w", err)
	}
	e := &Engine{
		opt: opt, coder: code, log: opt.Logger, metrics: newMetrics(opt.Registerer),
		versions: make(map[ai.Key]*version), services: make(map[string]int), perModel: make(map[modelKey]int),
		infos: make(map[string]BaselineInfo), numbers: make(map[ai.Key]int), dirty: make(map[span]bool),
		readings: make(map[string][]reading), refused: make(map[limit]refusal), static: make(map[ai.Key]*family),
	}
	e.judges.Store(judges)
	if err := e.loadBaselines(context.Background()); err != nil {
		return nil, fmt.Errorf("watch models: %w", err)
	}
	return e, nil
}

// Consume counts records, which must be valid. It keeps no reference to them. Call it
// from one goroutine, in the order of the log.
func (e *Engine) Consume(records []ai.Inference) {
	for part := range slices.Chunk(records, chunk) {
		now := e.opt.Clock()
		e.mu.Lock()
		for i := range part {
			e.consume(&part[i], now)
		}
		full := e.closing >= maxClosing || e.ready
		e.ready = false
		e.mu.Unlock()
		e.metrics.records.Add(float64(len(part)))
		if full {
			e.settle(now)
		}
	}
}

func (e *Engine) consume(inf *ai.Inference, now time.Time) {
	v := e.lastSeen
	if v == nil || v.key.Model != inf.Model || v.key.Version != inf.ModelVersion || v.key.Service != inf.Service {
		if v = e.version(inf.Key(), now); v == nil {
			return
		}
		e.lastSeen = v
	}
	if v.add(inf, now, &e.samples) {
		e.closing++
	}
	if c := v.auto; c != nil && !c.sealed && len(c.rows) >= c.limit && c.ready(now) {
		e.ready = true
	}
}

// version returns what is known of a version, and begins to know it where there is
// room; otherwise the record is counted as left out.
func (e *Engine) version(key ai.Key, now time.Time) *version {
	if v := e.versions[key]; v != nil {
		return v
	}
	var reached limit
	switch m := (modelKey{key.Service, key.Model}); {
	case e.services[key.Service] == 0 && len(e.services) >= e.opt.Limits.Services &&
		!e.evict(now, func(k ai.Key) bool { return e.services[k.Service] == 1 }):
		reached = limit{of: "services", setting: "services"}
	case e.perModel[m] >= e.opt.Limits.PerModel &&
		!e.evict(now, func(k ai.Key) bool { return k.Service == key.Service && k.Model == key.Model }):
		reached = limit{"versions of " + key.Model, "versions_per_model", key.Service}
	case len(e.versions) >= e.opt.Limits.Versions && !e.evict(now, func(ai.Key) bool { return true }):
		reached = limit{of: "versions", setting: "versions"}
	}
	if reached.of != "" {
		label := "versions"
		if reached.of == "services" {
			label = reached.of
		}
		e.metrics.leftOut.WithLabelValues(label).Inc()
		if _, known := e.refused[reached]; known || len(e.refused) < 100 {
			n := e.refused[reached].n + 1
			reached.service = strings.Clone(reached.service) // What it refers to may be large.
			e.refused[reached] = refusal{n, now}
		}
		return nil
	}
	v := newVersion(key, &e.opt)
	v.arrived = now
	e.insert(v)
	v.baseline = e.activeBaseline(context.Background(), v.key)
	v.baseline.refresh()
	if v.baseline == nil && !e.opt.Auto.Off {
		v.auto = newCollector(e.opt.Auto, e.opt.Windows.Length, v.task, now)
	}
	return v
}

func (e *Engine) insert(v *version) {
	e.versions[v.key] = v
	e.services[v.key.Service]++
	e.perModel[modelKey{v.key.Service, v.key.Model}]++
	e.metrics.versions.Set(float64(len(e.versions)))
}

// remove forgets a version; its baselines and stored profiles stay.
func (e *Engine) remove(v *version) {
	delete(e.versions, v.key)
	if e.services[v.key.Service]--; e.services[v.key.Service] == 0 {
		delete(e.services, v.key.Service)
	}
	m := modelKey{v.key.Service, v.key.Model}
	if e.perModel[m]--; e.perModel[m] == 0 {
		delete(e.perModel, m)
	}
	if e.lastSeen == v {
		e.lastSeen = nil
	}
	e.metrics.versions.Set(float64(len(e.versions)))
}

// evict makes room by forgetting the version that has been silent longest of those that
// match, if that is long enough for it to be gone.
func (e *Engine) evict(now time.Time, match func(ai.Key) bool) bool {
	var oldest *version
	for _, v := range e.versions {
		if match(v.key) && len(v.open)+len(v.closing) == 0 && (oldest == nil || v.arrived.Before(oldest.arrived)) {
			oldest = v
		}
	}
	if oldest == nil || now.Sub(oldest.arrived) < 10*e.opt.Windows.Length {
		return false
	}
	e.remove(oldest)
	return true
}

// ConsumeLabels counts truths joined with what the models had said. Call it from the
// goroutine that calls Consume, in the order of the log.
func (e *Engine) ConsumeLabels(joined []Labelled) {
	now := e.opt.Clock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.metrics.labels.Add(float64(len(joined)))
	for i := range joined {
		in := &joined[i]
		v := e.version(in.Key, now)
		if v == nil {
			continue
		}
		if in.PredictedAt.After(now.Add(e.opt.Windows.Future)) {
			v.labels.odd++ // A clock is wrong: believing it would make all others old.
			continue
		}
		inf := ai.Inference{Prediction: in.Prediction, Probabilities: in.Probabilities}
		v.labels.add(in, &inf, &e.opt)
		if v.auto != nil {
			v.auto.label(&inf, in.Label, in.PredictedAt)
		}
		if b := v.baseline; b.covers(in.PredictedAt) {
			b.label(&inf, in.Label)
		}
	}
}

// Run closes windows and judges them until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	every := max(min(time.Second, e.opt.Windows.Length/10), 10*time.Millisecond)
	tick := time.NewTicker(every)
	defer tick.Stop()
	var published time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := e.opt.Clock()
		if !e.Tick(now) && now.Sub(published).Abs() >= e.opt.Windows.Publish {
			e.Publish(now)
			published = now
		}
	}
}

// Tick closes the windows that are over at now, judges and stores them, and makes
// baselines that are ready. It reports whether there was anything to do; series and
// statuses are then new.
func (e *Engine) Tick(now time.Time) bool {
	e.noteClock(now)
	e.mu.Lock()
	for _, v := range e.versions {
		for i := 0; i < len(v.open); {
			if !v.open[i].over(now, e.opt.Windows.Lateness) {
				i++
				continue
			}
			e.closeWindow(v, i)
		}
	}
	e.mu.Unlock()
	return e.settle(now)
}

// closeWindow closes the i-th open window of a version. The caller holds mu.
func (e *Engine) closeWindow(v *version, i int) {
	if err := v.close(i); err != nil {
		e.log.Warn("Part of a window lost its baseline; its records are counted, its values are not", "model", v.key.String(), "err", err)
	}
	e.closing++
}

// settle judges and stores closed windows, makes baselines and longer windows that
// are ready, and renews statuses and series.
func (e *Engine) settle(now time.Time) bool {
	e.ticking.Lock()
	defer e.ticking.Unlock()
	began := time.Now()
	judged := e.judgeClosed(now)
	made := e.makeBaselines(now)
	rolled := e.rollUp(now)
	quiet := e.age(now)
	if !judged && !made && !rolled && !quiet {
		return false
	}
	e.renewStatus(now)
	e.publish(now)
	e.metrics.judging.Observe(time.Since(began).Seconds())
	return true
}

// Publish renews statuses and series from windows still open.
func (e *Engine) Publish(now time.Time) {
	e.ticking.Lock()
	defer e.ticking.Unlock()
	e.renewStatus(now)
	e.publish(now)
}

// age forgets versions that have been silent for long.
func (e *Engine) age(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	removed := false
	for _, v := range e.versions {
		if len(v.open)+len(v.closing) == 0 && !v.arrived.IsZero() && now.Sub(v.arrived) > e.opt.Windows.Forget {
			e.remove(v)
			delete(e.static, v.key)
			removed = true
		}
	}
	return removed
}
