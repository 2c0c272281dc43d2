package profile

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Levels are the lengths of the longer windows that a rollup makes by default.
func Levels() []time.Duration { return []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour} }

// Rollup adds windows up to longer ones. A long window of each length and
// baseline is open at a time for each span of time that windows came for; it is
// handed out once everything in it is.
//
// It is not safe for concurrent use. After a restart, add the stored windows of
// the spans that were not handed out.
type Rollup struct {
	levels []time.Duration
	open   []*ai.ModelProfile
}

// NewRollup returns a rollup to those lengths, or to Levels if there are none.
func NewRollup(levels ...time.Duration) *Rollup {
	if len(levels) == 0 {
		levels = Levels()
	}
	return &Rollup{levels: levels}
}

// Add adds a window to every longer one that it is in. It takes no hold of m.
func (r *Rollup) Add(m *ai.ModelProfile) error {
	for _, length := range r.levels {
		if length <= m.Window.Length {
			continue
		}
		at := ai.WindowAt(m.Window.Start, length)
		if m.Window.End().After(at.End()) {
			return fmt.Errorf("roll up window %s: it does not fit in windows of %s", m.Window, length)
		}
		long := r.find(m, at)
		if long == nil {
			long = &ai.ModelProfile{Key: m.Key, Window: at, BaselineID: m.BaselineID}
			r.open = append(r.open, long)
		}
		if err := long.Merge(m); err != nil {
			return fmt.Errorf("roll up window %s: %w", m.Window, err)
		}
	}
	return nil
}

func (r *Rollup) find(m *ai.ModelProfile, at ai.Window) *ai.ModelProfile {
	for _, long := range r.open {
		if long.Window == at && long.BaselineID == m.BaselineID && long.Key == m.Key {
			return long
		}
	}
	return nil
}

// Close returns the long windows that end at or before to, oldest and shortest
// first, and forgets them. Pass the end of the last window that is complete.
func (r *Rollup) Close(to time.Time) []*ai.ModelProfile {
	var out []*ai.ModelProfile
	r.open = slices.DeleteFunc(r.open, func(m *ai.ModelProfile) bool {
		if m.Window.End().After(to) {
			return false
		}
		out = append(out, m)
		return true
	})
	slices.SortStableFunc(out, func(x, y *ai.ModelProfile) int {
		if c := x.Window.End().Compare(y.Window.End()); c != 0 {
			return c
		}
		return int(x.Window.Length/time.Millisecond - y.Window.Length/time.Millisecond)
	})
	return out
}

// Open returns the long windows as they are, sharing nothing with the rollup.
func (r *Rollup) Open() []*ai.ModelProfile {
	out := make([]*ai.ModelProfile, 0, len(r.open))
	for _, m := range r.open {
		c := *m
		c.Features = make(map[string]*ai.Profile, len(m.Features))
		for name, p := range m.Features {
			c.Features[name] = p.Clone()
		}
		out = append(out, &c)
	}
	return out
}
