package models

import (
	"fmt"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// slicesPerWindow is the number of parts that the service counts of a window are
// kept in, so that a span of one window's length can be read at any time.
const slicesPerWindow = 6

// window is one open window of a version.
type window struct {
	ai.Window
	baseline *baseline // Whose bins are counted in; nil before there is one.
	profiles *profile.Accumulator
	// carried is what was counted before a restart; nil otherwise.
	carried     *ai.ModelProfile
	predictions performance.Predictions
	sample      *sample // Nil where there is nothing to compare it with.
	slices      [slicesPerWindow]slice
	dropped     ai.Dropped
	opened      time.Time // By the clock.
	touched     time.Time // By the clock.
}

// slice counts one part of a window, by endpoint.
type slice []*performance.Service

func (s *slice) endpoint(i int) *performance.Service {
	for len(*s) <= i {
		*s = append(*s, nil)
	}
	if (*s)[i] == nil {
		(*s)[i] = new(performance.Service)
	}
	return (*s)[i]
}

// closedWindow is a window that takes no more records. It does not change.
type closedWindow struct {
	ai.Window
	baseline    *baseline
	profile     *ai.ModelProfile
	performance *performance.Window // Without labels, which come later.
	sample      *sample
	together    *drift.Result // What was found about all features, if that is known.
}

func newWindow(key ai.Key, at ai.Window, b *baseline, opt *Options, now time.Time) *window {
	w := &window{Window: at, baseline: b, opened: now, touched: now}
	if b != nil && b.sample != nil {
		w.sample = newSample(b.sample.Features)
	}
	w.profiles = profile.NewAccumulator(key, b.content(), opt.profileOptions())
	return w
}

// over reports whether a window takes no more records: the clock is past its end,
// and what is on its way had its chance by the clock, so that a backlog is not cut
// in pieces. A trickle of late records cannot hold it open for more than its length.
func (w *window) over(now time.Time, lateness time.Duration) bool {
	return !now.Before(w.End().Add(lateness)) &&
		(!now.Before(w.touched.Add(lateness)) || !now.Before(w.opened.Add(w.Length+lateness)))
}

// slice returns the part of the window that a time within it belongs to.
func (w *window) slice(ts time.Time) *slice {
	i := int(ts.Sub(w.Start) / (w.Length / slicesPerWindow))
	return &w.slices[min(i, slicesPerWindow-1)]
}

// snapshot returns what was counted so far; it shares nothing with the window.
func (w *window) snapshot(key ai.Key) (*ai.ModelProfile, error) {
	return w.join(key, w.profiles.Snapshot())
}

// join adds up the parts of the window's profile. The parts are used up.
func (w *window) join(key ai.Key, parts []*ai.ModelProfile) (*ai.ModelProfile, error) {
	out := &ai.ModelProfile{Key: key, Window: w.Window, BaselineID: w.baseline.id(), Features: map[string]*ai.Profile{}}
	var failed error
	if w.carried != nil {
		parts = append([]*ai.ModelProfile{w.carried}, parts...)
	}
	for _, p := range parts {
		if err := out.Merge(p); err != nil {
			// The baseline of the part is gone: count its records, not its values.
			failed = fmt.Errorf("window %s of %s: %w", w.Window, key, err)
			out.Records += p.Records
			out.Dropped.Add(p.Dropped)
		}
	}
	out.Dropped.Add(w.dropped)
	return out, failed
}

// close ends the window and returns what it counted: all together, and by endpoint.
func (w *window) close(key ai.Key, task performance.Options) (c *closedWindow, endpoints slice, err error) {
	c = &closedWindow{Window: w.Window, baseline: w.baseline, performance: performance.NewWindow(task), sample: w.sample}
	c.profile, err = w.join(key, w.profiles.Flush())
	c.performance.Predictions = w.predictions
	for i := range w.slices {
		endpoints.merge(w.slices[i])
	}
	for _, s := range endpoints {
		if s != nil {
			c.performance.Service.Merge(s)
		}
	}
	return c, endpoints, err
}

// merge adds the counts of o, which is not changed.
func (s *slice) merge(o slice) {
	for i, svc := range o {
		if svc != nil {
			s.endpoint(i).Merge(svc)
		}
	}
}

// starts is a set of the starts of windows that were handed out. What is older
// than all that it remembers is taken to be in it.
type starts struct {
	Floor int64   // Unix nanoseconds; every window that starts before it is in.
	Times []int64 // Unix nanoseconds, ascending.
}

// maxStarts is a day of minutes and some more.
const maxStarts = 1500

func (s *starts) has(start time.Time) bool {
	at := start.UnixNano()
	if s.Floor != 0 && at < s.Floor {
		return true
	}
	_, found := slices.BinarySearch(s.Times, at)
	return found
}

func (s *starts) add(start time.Time) {
	at := start.UnixNano()
	i, found := slices.BinarySearch(s.Times, at)
	if found {
		return
	}
	s.Times = slices.Insert(s.Times, i, at)
	if n := len(s.Times) - maxStarts; n > 0 {
		s.Floor = max(s.Floor, s.Times[n-1]+1)
		s.Times = slices.Delete(s.Times, 0, n)
	}
}
