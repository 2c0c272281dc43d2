package profile

import (
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// window returns the open window of a timestamp, opening it if need be; nil if
// the record is to be left out, which is then counted.
func (a *Accumulator) window(ts, now time.Time) *window {
	if w := a.last; w != nil && w.Contains(ts) {
		return w
	}
	at := ai.WindowAt(ts, a.opt.Window)
	for _, w := range a.open {
		if w.Start.Equal(at.Start) {
			a.last = w
			return w
		}
	}
	if ts.After(now.Add(a.opt.Future)) {
		a.leaveOut(now, ai.Dropped{Early: 1})
		return nil
	}
	if ts.Unix() < 0 || a.history.has(at) {
		a.leaveOut(now, ai.Dropped{Late: 1})
		return nil
	}
	if len(a.open) >= a.opt.MaxOpen {
		a.close(a.oldest(), true)
	}
	a.last = a.openWindow(at, now)
	return a.last
}

func (a *Accumulator) openWindow(at ai.Window, now time.Time) *window {
	w := &window{Window: at, opened: now, touched: now, counters: make([]counterAt, len(a.slots))}
	a.open = append(a.open, w)
	return w
}

// leaveOut counts what was left out in the window that is on now, so that it
// shows up even where nothing else comes.
func (a *Accumulator) leaveOut(now time.Time, d ai.Dropped) {
	at := ai.WindowAt(now, a.opt.Window)
	for _, w := range a.open {
		if w.Start.Equal(at.Start) {
			w.dropped.Add(d)
			return
		}
	}
	if len(a.open) > 0 {
		a.open[len(a.open)-1].dropped.Add(d)
		return
	}
	if !a.history.has(at) {
		a.openWindow(at, now).dropped.Add(d)
		return
	}
	a.openWindow(ai.WindowAt(now.Add(a.opt.Window), a.opt.Window), now).dropped.Add(d)
}

// oldest returns the index of the open window that starts first. A backlog moves
// on from it, and live traffic never is in it.
func (a *Accumulator) oldest() int {
	first := 0
	for i, w := range a.open {
		if w.Start.Before(a.open[first].Start) {
			first = i
		}
	}
	return first
}

// Close returns the profiles of the windows that are over, oldest first, and
// forgets them. Call it every second or so, and after each batch of a backlog.
// Each profile belongs to the caller.
func (a *Accumulator) Close(now time.Time) []*ai.ModelProfile {
	for i := 0; i < len(a.open); {
		if a.over(a.open[i], now) {
			a.close(i, true)
		} else {
			i++
		}
	}
	return a.take(now)
}

// over reports whether a window is over: the clock is past its end, and what is
// still on its way had its chance, by the clock and not only by the timestamps,
// so that a backlog is not cut in pieces. A trickle of late records cannot hold
// a window open for more than its length.
func (a *Accumulator) over(w *window, now time.Time) bool {
	wait := a.opt.Lateness
	return !now.Before(w.End().Add(wait)) &&
		(!now.Before(w.touched.Add(wait)) || !now.Before(w.opened.Add(w.Length+wait)))
}

// Flush closes every open window and returns all profiles. It is for the end:
// later records of those windows are late.
func (a *Accumulator) Flush() []*ai.ModelProfile {
	for len(a.open) > 0 {
		a.close(0, true)
	}
	return a.take(time.Time{})
}

// Snapshot returns the profiles of the open windows as they are, oldest first,
// without closing them. They share nothing with the accumulator.
func (a *Accumulator) Snapshot() []*ai.ModelProfile {
	out := make([]*ai.ModelProfile, 0, len(a.open))
	for _, w := range a.open {
		mp := a.profile(w)
		for name, p := range mp.Features {
			mp.Features[name] = p.Clone()
		}
		out = append(out, mp)
	}
	sortProfiles(out)
	return out
}

// Restore tells an accumulator which windows were handed out before it was
// made, so that none is handed out twice after a restart.
func (a *Accumulator) Restore(closed []ai.Window) {
	for _, w := range closed {
		a.history.add(w, a.opt.MaxClosed)
	}
}

// result is a profile to be handed out. A part is one that a change of baseline
// cut off: it waits until its window is over, because a change back makes it go on.
type result struct {
	*ai.ModelProfile
	part bool
}

// take returns the profiles to be handed out at now, all of them if now is zero.
func (a *Accumulator) take(now time.Time) []*ai.ModelProfile {
	var out []*ai.ModelProfile
	keep := a.ready[:0]
	for _, r := range a.ready {
		if r.part && !now.IsZero() && now.Before(r.Window.End().Add(a.opt.Lateness)) {
			keep = append(keep, r)
			continue
		}
		a.history.add(r.Window, a.opt.MaxClosed)
		out = append(out, r.ModelProfile)
	}
	clear(a.ready[len(keep):])
	a.ready = keep
	sortProfiles(out)
	return out
}

func sortProfiles(out []*ai.ModelProfile) {
	slices.SortStableFunc(out, func(x, y *ai.ModelProfile) int { return x.Window.Start.Compare(y.Window.Start) })
}

// close moves the i-th open window to the ready ones. done says that no more
// records are taken for it.
func (a *Accumulator) close(i int, done bool) {
	w := a.open[i]
	a.open = slices.Delete(a.open, i, i+1)
	if a.last == w {
		a.last = nil
	}
	a.full = false
	if done {
		a.history.add(w.Window, a.opt.MaxClosed)
	}
	mp := a.profile(w)
	for s := range a.slots {
		if p := mp.Features[a.slots[s].name]; p != nil {
			a.slots[s].relearn(p)
		}
	}
	for j := range a.ready {
		r := &a.ready[j]
		if r.Window.Start.Equal(mp.Window.Start) && r.BaselineID == mp.BaselineID && r.Merge(mp) == nil {
			r.part = r.part && !done
			return
		}
	}
	a.ready = append(a.ready, result{mp, !done})
}

// relearn corrects the kind of a feature without a baseline whose first value
// was not like the others, for the windows to come.
func (sl *slot) relearn(p *ai.Profile) {
	if sl.baseline != nil {
		return
	}
	most := p.Count
	for _, k := range []ai.Kind{ai.KindNumber, ai.KindString, ai.KindBool, ai.KindVector} {
		if n := p.TypeErrors.Of(k); n > most {
			most, sl.kind = n, k
		}
	}
}

// profile returns the profile of a window. The feature profiles are the window's
// own.
func (a *Accumulator) profile(w *window) *ai.ModelProfile {
	mp := &ai.ModelProfile{
		Key: a.key, Window: w.Window, Records: w.records, Inputs: w.inputs, Duplicates: w.duplicates,
		Dropped: w.dropped, First: w.first, Last: w.last,
		Features: make(map[string]*ai.Profile, len(a.slots)),
	}
	if a.baseline != nil {
		mp.BaselineID = a.baseline.ID
	}
	for s := range a.slots {
		sl := &a.slots[s]
		var c counterAt
		if s < len(w.counters) {
			c = w.counters[s]
		}
		if c.seen == 0 && (sl.baseline == nil || w.records == 0) {
			continue
		}
		if c.Counter == nil {
			c.Counter = a.newCounter(sl)
			c.p.Missing = c.seen
		}
		p := c.Profile()
		p.Absent = 0
		if !sl.derived {
			p.Absent = w.inputs - c.seen
		}
		mp.Features[sl.name] = p
	}
	return mp
}

// closedWindows remembers the latest windows that were handed out, in order of
// their start. What is older than all of them is taken to be handed out too.
type closedWindows struct {
	starts []int64 // Unix nanoseconds, ascending.
	floor  int64   // Windows that start before it were handed out.
}

func (c *closedWindows) has(w ai.Window) bool {
	start := w.Start.UnixNano()
	if c.floor != 0 && start < c.floor {
		return true
	}
	_, found := slices.BinarySearch(c.starts, start)
	return found
}

func (c *closedWindows) add(w ai.Window, limit int) {
	start := w.Start.UnixNano()
	i, found := slices.BinarySearch(c.starts, start)
	if found {
		return
	}
	c.starts = slices.Insert(c.starts, i, start)
	if n := len(c.starts) - limit; n > 0 {
		c.floor = max(c.floor, c.starts[n-1]+1)
		c.starts = slices.Delete(c.starts, 0, n)
	}
}
