package models

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// checkpointVersion is the first byte of a checkpoint.
const checkpointVersion = 1

// The saved types are the form of a checkpoint. Gob leaves zero fields out, and new
// fields do not break old checkpoints.
type (
	savedEngine struct {
		Ticked   time.Time // By the clock: the last tick.
		Versions []savedVersion
		Dirty    []savedSpan
	}
	savedSpan struct {
		Key    ai.Key
		Start  int64
		Length time.Duration
	}
	savedVersion struct {
		Key                  ai.Key
		Open                 []savedWindow
		Closing              []savedWindow
		Closed               starts
		Endpoints            []string
		Total                [][]byte
		Dropped              ai.Dropped
		First, Seen, Arrived time.Time
		Auto                 *savedCollector
		Labels               savedLabels
		// Baseline is the one in use, and BaselineLabels what came for its inferences.
		Baseline       string
		BaselineLabels []byte
		Pool           *savedWindow
		Pooled         int
		Since          []savedSince
	}
	savedWindow struct {
		Start       time.Time
		Length      time.Duration
		Baseline    string
		Profile     []byte
		Performance []byte     // Predictions of an open window, everything of a closed one.
		Slices      [][][]byte // Of an open window: by part and endpoint.
	}
	savedCollector struct {
		Rows     [][]byte
		Limit    int
		Seen     uint64
		From, To time.Time
		Began    time.Time
		Counts   []byte
		Truths   []byte
		Waiting  []waitingLabel
	}
	savedLabels struct {
		Buckets   []savedBucket
		Newest    time.Time
		Late, Odd uint64
	}
	savedBucket struct {
		Start  time.Time
		Length time.Duration
		Counts []byte
	}
	savedSince struct {
		Kind, Feature string
		Since         time.Time
	}
)

// CheckpointDue reports whether a checkpoint would shorten what has to be replayed: a
// window was stored since the last one.
func (e *Engine) CheckpointDue() bool { return e.due.Load() }

// Checkpoint returns everything that is not in the stores yet: windows still open,
// counts since the start, labels, and records gathered for baselines. Call it from the
// goroutine that calls Consume. Kept together with the position in the log up to which
// Consume and ConsumeLabels were called, and given to Restore with that, it makes sure
// that after a crash nothing is missing or counted twice.
func (e *Engine) Checkpoint() ([]byte, error) {
	e.due.Store(false)
	e.mu.Lock()
	saved, err := e.save()
	e.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("checkpoint of models: %w", err)
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(saved); err != nil {
		return nil, fmt.Errorf("checkpoint of models: %w", err)
	}
	return append([]byte{checkpointVersion}, e.coder.compress(buf.Bytes())...), nil
}

// Restore takes up where a checkpoint left off. Call it before the first Consume; then
// replay the log from the checkpoint's position.
func (e *Engine) Restore(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	if state[0] != checkpointVersion {
		return fmt.Errorf("restore models: version %d is not known to this release: want %d", state[0], checkpointVersion)
	}
	data, err := e.coder.decompress(state[1:])
	if err != nil {
		return fmt.Errorf("restore models: %w", err)
	}
	var saved savedEngine
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&saved); err != nil {
		return fmt.Errorf("restore models: %w", err)
	}
	now := e.opt.Clock()
	e.ticking.Lock()
	defer e.ticking.Unlock()
	if err := e.loadAll(&saved, now); err != nil {
		return fmt.Errorf("restore models: %w", err)
	}
	e.ticked = saved.Ticked
	if e.setBack(now) {
		e.mu.Lock()
		e.forgetAfter(now)
		e.mu.Unlock()
	}
	for _, recall := range []func(*version, time.Time) error{e.recall, e.rejudge} {
		for _, s := range saved.Versions {
			if err := recall(e.versions[s.Key], now); err != nil {
				return fmt.Errorf("restore models: %s: %w", s.Key, err)
			}
		}
	}
	e.renewStatus(now)
	e.publish(now)
	return nil
}

func (e *Engine) loadAll(saved *savedEngine, now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range saved.Versions {
		if err := e.load(&saved.Versions[i], now); err != nil {
			return fmt.Errorf("%s: %w", saved.Versions[i].Key, err)
		}
	}
	for _, s := range saved.Dirty {
		e.dirty[span{s.Key, ai.Window{Start: time.Unix(0, s.Start).UTC(), Length: s.Length}}] = true
	}
	return nil
}

// recall reads the past of a version from the store: the figures of its last windows.
// The caller holds ticking.
func (e *Engine) recall(v *version, now time.Time) error {
	length := e.opt.Windows.Length
	from := now.Add(-time.Duration(e.opt.Windows.History) * length)
	rows, err := e.opt.Profiles.Profiles(context.Background(), ProfileQuery{Key: v.key, Features: []string{""}, Length: length, From: from, To: now.Add(length)})
	if err != nil {
		return fmt.Errorf("read stored windows: %w", err)
	}
	past, err := e.coder.decodeWindows(rows)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range past {
		v.history = append(v.history, past[i].row.Point)
		if p := past[i].row.Performance; p != nil {
			v.remember(&closedWindow{Window: past[i].profile.Window, performance: p})
		}
	}
	return nil
}

// rejudge judges the newest stored window of a version again, so that a restart does
// not make anything unknown. The caller holds ticking.
func (e *Engine) rejudge(v *version, now time.Time) error {
	if len(v.history) == 0 {
		return nil
	}
	start := v.history[len(v.history)-1].Start
	rows, err := e.opt.Profiles.Profiles(context.Background(), ProfileQuery{Key: v.key, Length: e.opt.Windows.Length, From: start, To: start.Add(1)})
	if err != nil {
		return fmt.Errorf("read newest stored window: %w", err)
	}
	last, err := e.coder.decodeWindows(rows)
	if err != nil || len(last) == 0 || last[0].row.Performance == nil {
		return err
	}
	e.mu.Lock()
	w := &closedWindow{Window: last[0].profile.Window, profile: last[0].profile, performance: last[0].row.Performance, together: last[0].row.Together}
	if v.baseline.id() == last[0].profile.BaselineID {
		w.baseline = v.baseline
	}
	e.mu.Unlock()
	r, point := e.judge(v, w, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keep(v, w, r, point)
	return nil
}

// save gathers the checkpoint. The caller holds mu.
func (e *Engine) save() (*savedEngine, error) {
	out := &savedEngine{Ticked: e.ticked}
	for s := range e.dirty {
		out.Dirty = append(out.Dirty, savedSpan{s.key, s.at.Start.UnixNano(), s.at.Length})
	}
	for _, v := range e.sorted() {
		s, err := v.save()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.key, err)
		}
		out.Versions = append(out.Versions, *s)
	}
	return out, nil
}

func (v *version) save() (*savedVersion, error) {
	s := &savedVersion{
		Key: v.key, Closed: v.closed, Endpoints: v.endpoints, Dropped: v.dropped, First: v.first, Seen: v.seen, Arrived: v.arrived,
		Baseline: v.baseline.id(), Pooled: v.pooled,
	}
	var err error
	if s.Total, err = v.total.save(); err != nil {
		return nil, err
	}
	for _, w := range v.open {
		saved, err := w.save(v.key)
		if err != nil {
			return nil, err
		}
		s.Open = append(s.Open, *saved)
	}
	for _, w := range v.closing {
		saved, err := w.save()
		if err != nil {
			return nil, err
		}
		s.Closing = append(s.Closing, *saved)
	}
	if v.pool != nil {
		if s.Pool, err = v.pool.save(); err != nil {
			return nil, err
		}
	}
	if c := v.auto; c != nil {
		s.Auto = &savedCollector{Rows: c.rows, Limit: c.limit, Seen: c.seen, From: c.from, To: c.to, Began: c.began, Waiting: c.waiting}
		if s.Auto.Counts, err = json.Marshal(c.counts); err != nil {
			return nil, err
		}
		if s.Auto.Truths, err = json.Marshal(c.truths); err != nil {
			return nil, err
		}
	}
	s.Labels = savedLabels{Newest: v.labels.newest, Late: v.labels.late, Odd: v.labels.odd}
	for _, b := range v.labels.buckets {
		counts, err := json.Marshal(b.counts)
		if err != nil {
			return nil, err
		}
		s.Labels.Buckets = append(s.Labels.Buckets, savedBucket{b.Start, b.Length, counts})
	}
	if b := v.baseline; b != nil && b.labels != nil {
		if s.BaselineLabels, err = json.Marshal(b.labels); err != nil {
			return nil, err
		}
	}
	for id, t := range v.since {
		s.Since = append(s.Since, savedSince{id.kind, id.feature, t})
	}
	return s, nil
}

func (s slice) save() ([][]byte, error) {
	out := make([][]byte, len(s))
	for i, svc := range s {
		if svc == nil {
			continue
		}
		var err error
		if out[i], err = json.Marshal(svc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *window) save(key ai.Key) (*savedWindow, error) {
	s := &savedWindow{Start: w.Start, Length: w.Length, Baseline: w.baseline.id()}
	p, _ := w.snapshot(key) // What is in it has been said when the baseline was found gone.
	var err error
	if s.Profile, err = p.MarshalBinary(); err == nil {
		s.Performance, err = json.Marshal(&w.predictions)
	}
	if err != nil {
		return nil, err
	}
	for i := range w.slices {
		part, err := w.slices[i].save()
		if err != nil {
			return nil, err
		}
		s.Slices = append(s.Slices, part)
	}
	return s, nil
}

func (w *closedWindow) save() (*savedWindow, error) {
	s := &savedWindow{Start: w.Start, Length: w.Length, Baseline: w.baseline.id()}
	var err error
	if s.Profile, err = w.profile.MarshalBinary(); err == nil && w.performance != nil {
		s.Performance, err = json.Marshal(w.performance)
	}
	return s, err
}

// load takes a version out of a checkpoint. The caller holds ticking and mu.
func (e *Engine) load(s *savedVersion, now time.Time) error {
	v := newVersion(s.Key, &e.opt)
	v.closed, v.endpoints, v.dropped, v.first, v.seen, v.arrived = s.Closed, s.Endpoints, s.Dropped, s.First, s.Seen, s.Arrived
	v.pooled = s.Pooled
	var err error
	if v.total, err = loadSlice(s.Total); err != nil {
		return err
	}
	if v.auto, err = e.loadCollector(s.Auto, v); err != nil {
		return err
	}
	if v.baseline = e.activeBaseline(context.Background(), v.key); v.baseline != nil {
		if err := v.loadTruths(s); err != nil {
			return err
		}
		v.auto = nil
	}
	v.baseline.refresh()
	// Windows that count in the bins of an older baseline go on with it.
	older := map[string]*baseline{v.baseline.id(): v.baseline, "": nil}
	find := func(id string) *baseline {
		b, ok := older[id]
		if !ok {
			if b, err = e.readBaseline(context.Background(), id); err != nil {
				e.log.Warn("The baseline of a window is gone", "model", v.key.String(), "baseline", id, "err", err)
				b = nil
			}
			b.refresh()
			older[id] = b
		}
		return b
	}
	for i := range s.Open {
		w, err := s.Open[i].open(v.key, find(s.Open[i].Baseline), &e.opt, now)
		if err != nil {
			return err
		}
		v.open = append(v.open, w)
	}
	for i := range s.Closing {
		w, err := s.Closing[i].closed(v.task, find(s.Closing[i].Baseline))
		if err != nil {
			return err
		}
		v.closing = append(v.closing, w)
		e.closing++
	}
	if s.Pool != nil {
		if v.pool, err = s.Pool.closed(v.task, find(s.Pool.Baseline)); err != nil {
			return err
		}
	}
	if v.known = now; len(v.open) > 0 {
		v.known = v.open[0].Start
	}
	v.labels.newest, v.labels.late, v.labels.odd = s.Labels.Newest, s.Labels.Late, s.Labels.Odd
	for _, b := range s.Labels.Buckets {
		counts := performance.NewWindow(v.task)
		if err := json.Unmarshal(b.Counts, counts); err != nil {
			return err
		}
		v.labels.buckets = append(v.labels.buckets, &labelBucket{ai.Window{Start: b.Start.UTC(), Length: b.Length}, counts})
	}
	for _, f := range s.Since {
		v.since[findingID{f.Kind, f.Feature}] = f.Since
	}
	if old := e.versions[v.key]; old != nil {
		e.remove(old)
	}
	e.insert(v)
	return nil
}

// loadTruths gives the baseline in use the labels of its inferences: those that came
// while it was in use, or, where it was made after the checkpoint, those that had been
// gathered for it.
func (v *version) loadTruths(s *savedVersion) error {
	b := v.baseline
	switch {
	case b.counts == nil:
	case b.id() == s.Baseline && s.BaselineLabels != nil:
		b.labels, b.stale = performance.NewWindow(v.task), true
		return json.Unmarshal(s.BaselineLabels, b.labels)
	case s.Baseline == "" && s.Auto != nil && v.auto != nil && b.Source == ai.SourceAuto:
		c := v.auto
		c.from, c.to = b.info.From, b.info.To
		b.takeTruths(c)
	}
	return nil
}

func (e *Engine) loadCollector(s *savedCollector, v *version) (*collector, error) {
	if e.opt.Auto.Off {
		return nil, nil //nolint:nilnil // None is needed.
	}
	if s == nil {
		return newCollector(e.opt.Auto, e.opt.Windows.Length, v.task, e.opt.Clock()), nil
	}
	c := newCollector(e.opt.Auto, e.opt.Windows.Length, v.task, s.Began)
	c.rows, c.limit, c.seen, c.from, c.to, c.waiting = s.Rows, min(s.Limit, e.opt.Auto.Records), s.Seen, s.From, s.To, s.Waiting
	for _, row := range c.rows {
		c.bytes += len(row)
	}
	return c, errors.Join(json.Unmarshal(s.Counts, c.counts), json.Unmarshal(s.Truths, c.truths))
}

func loadSlice(saved [][]byte) (slice, error) {
	out := make(slice, len(saved))
	for i, data := range saved {
		if len(data) == 0 {
			continue
		}
		out[i] = new(performance.Service)
		if err := json.Unmarshal(data, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *savedWindow) open(key ai.Key, b *baseline, opt *Options, now time.Time) (*window, error) {
	w := newWindow(key, ai.Window{Start: s.Start.UTC(), Length: s.Length}, b, opt, now)
	w.carried = new(ai.ModelProfile)
	if err := w.carried.UnmarshalBinary(s.Profile); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(s.Performance, &w.predictions); err != nil {
		return nil, err
	}
	for i := range min(len(s.Slices), slicesPerWindow) {
		part, err := loadSlice(s.Slices[i])
		if err != nil {
			return nil, err
		}
		w.slices[i] = slices.Clone(part)
	}
	return w, nil
}

func (s *savedWindow) closed(task performance.Options, b *baseline) (*closedWindow, error) {
	w := &closedWindow{Window: ai.Window{Start: s.Start.UTC(), Length: s.Length}, baseline: b, profile: new(ai.ModelProfile)}
	if err := w.profile.UnmarshalBinary(s.Profile); err != nil {
		return nil, err
	}
	if s.Performance == nil {
		return w, nil
	}
	w.performance = performance.NewWindow(task)
	return w, json.Unmarshal(s.Performance, w.performance)
}
