package models

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// span is a longer window of a version.
type span struct {
	key ai.Key
	at  ai.Window
}

// rollUp makes the longer windows that are over from the stored shorter ones. A
// window that is stored late makes its longer ones anew.
func (e *Engine) rollUp(now time.Time) bool {
	e.mu.Lock()
	var due []span
	for s := range e.dirty {
		if !now.Before(s.at.End().Add(e.opt.Windows.Length+2*e.opt.Windows.Lateness)) && !e.filling(s) {
			due = append(due, s)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(due, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.at.Length, b.at.Length), a.at.Start.Compare(b.at.Start), a.key.Compare(b.key))
	})
	for _, s := range due {
		if err := e.rollUpOne(s); err != nil {
			e.metrics.failures.Inc()
			e.log.Error("A longer window cannot be made; it will be tried again", "model", s.key.String(), "window", s.at.String(), "err", err)
			return false
		}
	}
	return len(due) > 0
}

// filling reports whether a window of the version is still to be stored in a span.
// The caller holds mu.
func (e *Engine) filling(s span) bool {
	v := e.versions[s.key]
	if v == nil {
		return false
	}
	for _, w := range v.open {
		if s.at.Contains(w.Start) {
			return true
		}
	}
	for _, w := range v.closing {
		if s.at.Contains(w.Start) {
			return true
		}
	}
	return false
}

func (e *Engine) rollUpOne(s span) error {
	levels := e.opt.levels()
	i := slices.Index(levels, s.at.Length)
	if i < 0 {
		e.undirty(s, nil)
		return nil
	}
	shorter := e.opt.Windows.Length
	if i > 0 {
		shorter = levels[i-1]
	}
	rows, err := e.opt.Profiles.Profiles(context.Background(), ProfileQuery{Key: s.key, Length: shorter, From: s.at.Start, To: s.at.End()})
	if err != nil {
		return fmt.Errorf("read windows of %s: %w", shorter, err)
	}
	windows, err := e.coder.decodeWindows(rows)
	if err != nil {
		return err
	}
	if len(windows) > 0 {
		r := e.sumUp(s, windows)
		out, err := e.coder.encodeWindow(r, r.point())
		if err != nil {
			return err
		}
		if err := e.opt.Profiles.SaveProfiles(context.Background(), out); err != nil {
			return fmt.Errorf("save window: %w", err)
		}
	}
	var next *span
	if i+1 < len(levels) {
		next = &span{s.key, ai.WindowAt(s.at.Start, levels[i+1])}
	}
	e.undirty(s, next)
	return nil
}

// undirty notes that a span is made, and the one that it is part of is not.
func (e *Engine) undirty(s span, next *span) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.dirty, s)
	if next != nil {
		e.dirty[*next] = true
	}
}

// sumUp merges windows and judges the data of the sum. Values counted in the bins
// of another baseline than the last window's cannot be added; their records are.
func (e *Engine) sumUp(s span, windows []storedWindow) *result {
	last := windows[len(windows)-1].profile.BaselineID
	r := &result{
		window: s.at, judgedWindow: s.at, performance: performance.NewWindow(e.opt.task(s.key)),
		profile: &ai.ModelProfile{Key: s.key, Window: s.at, BaselineID: last, Features: map[string]*ai.Profile{}},
	}
	for _, w := range windows {
		if w.row.Performance != nil {
			r.performance.Merge(w.row.Performance)
		}
		if w.profile.BaselineID != last || r.profile.Merge(w.profile) != nil {
			r.profile.Records += w.profile.Records
			r.profile.Dropped.Add(w.profile.Dropped)
		}
	}
	r.judgedProfile = r.profile
	e.mu.Lock()
	if v := e.versions[s.key]; v != nil && last != "" && v.baseline.id() == last {
		r.baseline, r.judgedBaseline = v.baseline, v.baseline
		r.reference = v.baseline.reference
	}
	e.mu.Unlock()
	if r.baseline != nil {
		r.drift = e.judges.Load().of(s.key.Model).drift.Evaluate(r.baseline.content(), r.profile.Features)
		r.read()
		for i := range r.drift {
			if d := &r.drift[i]; d.Verdict == ai.VerdictDrift {
				r.findings = append(r.findings, d.Finding(s.key))
			}
		}
	}
	return r
}
