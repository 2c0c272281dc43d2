// Package logerrors watches the error lines of services for templates that were not there before: a service that says
// something new about failing. It counts their lines for a while, as a metric on which a built-in rule alerts.
//
// It asks a log store for the error lines of the last moments, mines their templates, and remembers those of each service
// over restarts. How many error lines there are in all is not its business: a LogQL rule counts them.
package logerrors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/drain"
)

// Store has the lines.
type Store interface {
	Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error)
	Series(ctx context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error)
}

// Memory keeps what was learnt over restarts.
type Memory interface {
	// Document is what was kept under a name; ok is false if nothing was.
	Document(ctx context.Context, name string) (value []byte, ok bool, err error)
	SetDocument(ctx context.Context, name string, value []byte) error
}

// Options configures a Watcher.
type Options struct {
	Store  Store
	Memory Memory
	Logger *slog.Logger
	// Every is how often the store is asked. Default 30 s: each time it searches the lines of so long, and of the overlap.
	Every time.Duration
	// Learning is how long after the first line of a service its templates count as known. Default 10 minutes.
	Learning time.Duration
	// Shown is how long a new template is counted. Default 15 minutes.
	Shown time.Duration
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// What is looked at and kept is bounded.
const (
	// overlap is how far a look reaches back before the end of the last one, for lines that come late.
	overlap = 30 * time.Second
	// maxLines is how many error lines are looked at in one look, the newest.
	maxLines = 5000
	// maxServices is how many services are watched; lines of others are left out.
	maxServices = 500
	// maxShown is how many new templates of a service are counted at a time.
	maxShown = 10
	// maxText is the length of a template as a label.
	maxText = 200
	// document is the name under which templates are kept.
	document = "log_error_templates"
)

// ServiceLabels are the stream labels that may name the service, the best first.
var ServiceLabels = []string{"service_name", "service", "app", "job"}

// errorLine matches every line that may be an error; DetectLevel decides.
const errorLine = `(?i)error|fatal|panic|crit|emerg|alert|"err"|\berr\b`

// service is what is known of one.
type service struct {
	first time.Time
	miner *drain.Miner
	shown map[string]*count
}

type count struct {
	since time.Time
	lines float64
}

// Watcher looks for new templates of error lines. It is a prometheus.Collector.
type Watcher struct {
	o    Options
	desc *prometheus.Desc
	seed maphash.Seed

	mu       sync.Mutex
	services map[string]*service
	seen     map[uint64]struct{}
	last     time.Time
	changed  bool
}

// New returns a watcher that knows what Memory has.
func New(ctx context.Context, o Options) (*Watcher, error) {
	o.Every, o.Learning, o.Shown = cmp.Or(o.Every, 30*time.Second), cmp.Or(o.Learning, 10*time.Minute), cmp.Or(o.Shown, 15*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	w := &Watcher{o: o, seed: maphash.MakeSeed(), services: map[string]*service{}, seen: map[uint64]struct{}{}, desc: prometheus.NewDesc(
		"modelwatch_log_new_error_lines", "Lines of an error template that its service had not logged before, for 15 minutes after the first of them.", []string{"service", "template"}, nil)}
	text, ok, err := o.Memory.Document(ctx, document)
	if err != nil {
		return nil, fmt.Errorf("read known error templates: %w", err)
	}
	if ok {
		var kept map[string]learnt
		if err := json.Unmarshal(text, &kept); err != nil {
			o.Logger.Warn("What was known of error lines cannot be read and is learnt anew", "err", err)
		}
		for name, m := range kept {
			s := w.service(name, m.First)
			for _, t := range m.Templates {
				s.miner.Add(t)
			}
		}
		w.changed = false
	}
	return w, nil
}

// learnt is a service as it is kept.
type learnt struct {
	First     time.Time `json:"first"`
	Templates []string  `json:"templates"`
}

// Run looks every so often until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	tick := time.NewTicker(w.o.Every)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := w.Look(ctx)
		if err != nil && ctx.Err() == nil && !failed {
			w.o.Logger.Warn("New error templates cannot be looked for", "err", err)
		}
		failed = err != nil
	}
}

// Look takes in the error lines since the last look.
func (w *Watcher) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	now := w.o.Now()
	start := w.last.Add(-overlap)
	if oldest := now.Add(-5 * time.Minute); start.Before(oldest) {
		start = oldest
	}
	if err := w.meet(ctx, start, now); err != nil {
		return err
	}
	seen := map[uint64]struct{}{}
	for _, matchers := range selectors() {
		if err := w.read(ctx, logs.Selection{
			Matchers: matchers, Start: start.UnixNano(), End: now.UnixNano(), Order: logs.Backward, Limit: maxLines, Columns: logs.AllColumns,
			Filters: []logs.LineFilter{{Op: logs.Match, Patterns: []string{errorLine}}},
		}, now, seen); err != nil {
			return err
		}
	}
	w.mu.Lock()
	w.last, w.seen = now, seen
	w.forget(now)
	w.mu.Unlock()
	return w.save(ctx)
}

// selectors select every stream that names its service, once: by the first of the labels that it has.
func selectors() [][]*labels.Matcher {
	out := make([][]*labels.Matcher, len(ServiceLabels))
	for i, name := range ServiceLabels {
		out[i] = append(out[i], labels.MustNewMatcher(labels.MatchRegexp, name, ".+"))
		for _, before := range ServiceLabels[:i] {
			out[i] = append(out[i], labels.MustNewMatcher(labels.MatchEqual, before, ""))
		}
	}
	return out
}

func serviceName(ls labels.Labels) string {
	for _, name := range ServiceLabels {
		if v := ls.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// meet notes services that log for the first time.
func (w *Watcher) meet(ctx context.Context, start, end time.Time) error {
	series, err := w.o.Store.Series(ctx, selectors(), start.UnixNano(), end.UnixNano())
	if err != nil {
		return fmt.Errorf("list streams: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ls := range series {
		w.service(serviceName(ls), end)
	}
	return nil
}

// service finds or makes what is known of a service; nil if there are too many.
func (w *Watcher) service(name string, first time.Time) *service {
	s := w.services[name]
	if s == nil && name != "" && len(w.services) < maxServices {
		s = &service{first: first, miner: drain.New(drain.Options{}), shown: map[string]*count{}}
		w.services[name] = s
		w.changed = true
	}
	return s
}

func (w *Watcher) read(ctx context.Context, sel logs.Selection, now time.Time, seen map[uint64]struct{}) (err error) {
	cursor, err := w.o.Store.Select(ctx, sel)
	if err != nil {
		return fmt.Errorf("read error lines: %w", err)
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	for {
		batch, err := cursor.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read error lines: %w", err)
		}
		w.take(batch, now, seen)
		batch.Release()
	}
}

func (w *Watcher) take(b *logs.Batch, now time.Time, seen map[uint64]struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range b.Len() {
		ls, e := b.Streams[b.Stream[i]], b.Entry(i)
		switch logs.DetectLevel(ls, e) {
		case logs.LevelError, logs.LevelCritical, logs.LevelFatal:
		default:
			continue
		}
		h := w.hash(ls, e)
		seen[h] = struct{}{}
		if _, ok := w.seen[h]; ok {
			continue
		}
		if s := w.service(serviceName(ls), now); s != nil {
			w.learn(s, e.Line, now)
		}
	}
}

func (w *Watcher) hash(ls labels.Labels, e logs.Entry) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	fmt.Fprintf(&h, "%d %d ", ls.Hash(), e.Timestamp)
	_, _ = h.WriteString(e.Line) // It never fails.
	return h.Sum64()
}

func (w *Watcher) learn(s *service, line string, now time.Time) {
	text, fresh := s.miner.Add(line)
	if text == "" {
		return
	}
	w.changed = true
	switch c := s.shown[text]; {
	case c != nil:
		c.lines++
	case fresh && now.Sub(s.first) >= w.o.Learning && len(s.shown) < maxShown:
		s.shown[text] = &count{since: now, lines: 1}
	case !fresh:
		// A template that is counted may have become more general by this line.
		for old, c := range s.shown {
			if drain.Covers(text, old) {
				delete(s.shown, old)
				c.lines++
				if kept := s.shown[text]; kept != nil {
					kept.lines += c.lines
					kept.since = minTime(kept.since, c.since)
				} else {
					s.shown[text] = c
				}
				break
			}
		}
	}
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// forget ends the counting of templates that are new no more.
func (w *Watcher) forget(now time.Time) {
	for _, s := range w.services {
		for text, c := range s.shown {
			if now.Sub(c.since) >= w.o.Shown {
				delete(s.shown, text)
			}
		}
	}
}

func (w *Watcher) save(ctx context.Context) error {
	w.mu.Lock()
	if !w.changed {
		w.mu.Unlock()
		return nil
	}
	kept := map[string]learnt{}
	for name, s := range w.services {
		kept[name] = learnt{First: s.first, Templates: s.miner.Templates()}
	}
	w.changed = false
	w.mu.Unlock()
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("write known error templates: %w", err)
	}
	if err := w.o.Memory.SetDocument(ctx, document, text); err != nil {
		w.mu.Lock()
		w.changed = true
		w.mu.Unlock()
		return fmt.Errorf("write known error templates: %w", err)
	}
	return nil
}

// Describe implements prometheus.Collector.
func (w *Watcher) Describe(ch chan<- *prometheus.Desc) { ch <- w.desc }

// Collect implements prometheus.Collector.
func (w *Watcher) Collect(ch chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, s := range w.services {
		sums := map[string]float64{}
		for text, c := range s.shown {
			sums[shorten(text)] += c.lines
		}
		for text, n := range sums {
			ch <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, n, name, text)
		}
	}
}

// shorten makes a label of a template.
func shorten(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "")
	if len(text) <= maxText {
		return text
	}
	text = text[:maxText]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}
