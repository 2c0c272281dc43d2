package models

import (
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// otherEndpoint counts the endpoints past the limit.
const otherEndpoint = "(other)"

// version is everything that is known of one model version. Engine.mu guards it;
// what it points to under "judged" is immutable once there.
type version struct {
	key  ai.Key
	opt  *Options
	task performance.Options

	// Counted as records come.
	open       []*window
	last       *window         // Of the last record.
	closing    []*closedWindow // Not yet judged and stored.
	closed     starts
	endpoints  []string
	endpoint   int       // Of the last record.
	justClosed []sliced  // Windows of the last moments, for lately.
	known      time.Time // Before it, lately knows nothing: there was a restart.
	total      slice     // Of all closed windows, by endpoint, and of records that came too late for one.
	dropped    ai.Dropped
	first      time.Time // The earliest timestamp ever seen.
	seen       time.Time // The latest.
	arrived    time.Time // By the clock: when the last record came.
	auto       *collector
	labels     labels

	baseline *baseline // In use; may be nil.

	// judged.
	pool    *closedWindow // Windows too small to be judged alone.
	pooled  int
	result  *result // Of the newest window that was judged.
	history []Point
	recent  []*closedWindow // The newest, without profiles, for comparing versions.
	since   map[findingID]time.Time
}

func newVersion(key ai.Key, opt *Options) *version {
	key = ai.Key{Service: strings.Clone(key.Service), Model: strings.Clone(key.Model), Version: strings.Clone(key.Version)}
	return &version{key: key, opt: opt, task: opt.task(key), labels: labels{task: opt.task(key)}, since: make(map[findingID]time.Time)}
}

// add counts one record (memory is what the samples of all windows take) and reports whether a window that is full was closed to
// make room for it.
func (v *version) add(inf *ai.Inference, now time.Time, memory *int) (closed bool) {
	ts := inf.Timestamp
	if ts.IsZero() {
		ts = now
	}
	v.arrived = now
	w, closed := v.window(ts, now)
	i := v.endpointIndex(inf.Endpoint)
	if w == nil {
		v.total.endpoint(i).Observe(inf)
		return closed
	}
	if v.first.IsZero() || ts.Before(v.first) {
		v.first = ts
	}
	if ts.After(v.seen) {
		v.seen = ts
	}
	w.touched = now
	w.profiles.Add(inf, ts)
	w.observe(inf, memory)
	w.slice(ts).endpoint(i).Observe(inf)
	if !inf.Failed() {
		w.predictions.Observe(&v.task, inf)
	}
	if v.auto != nil {
		v.auto.add(inf, ts)
	}
	return closed
}

// window returns the window of a timestamp, opening it if need be; nil if it is too
// late or too early for one, which is then counted.
func (v *version) window(ts, now time.Time) (w *window, closed bool) {
	if v.last != nil && v.last.Contains(ts) {
		return v.last, false
	}
	at := ai.WindowAt(ts, v.opt.Windows.Length)
	for _, w := range v.open {
		if w.Start.Equal(at.Start) {
			v.last = w
			return w, false
		}
	}
	if ts.After(now.Add(v.opt.Windows.Future)) {
		v.leaveOut(ai.Dropped{Early: 1})
		return nil, false
	}
	if v.closed.has(at.Start) {
		v.leaveOut(ai.Dropped{Late: 1})
		return nil, false
	}
	if len(v.open) >= v.opt.Windows.MaxOpen {
		_ = v.close(0) // Kept in the window, and told by Tick.
		closed = true
	}
	v.last = newWindow(v.key, at, v.baseline, v.opt, now)
	i, _ := slices.BinarySearchFunc(v.open, at.Start, func(w *window, t time.Time) int { return w.Start.Compare(t) })
	v.open = slices.Insert(v.open, i, v.last)
	return v.last, closed
}

// leaveOut counts what was left out in the newest open window, so that it shows
// up in what is judged, and for good.
func (v *version) leaveOut(d ai.Dropped) {
	if n := len(v.open); n > 0 {
		v.open[n-1].dropped.Add(d)
		return
	}
	v.dropped.Add(d)
}

// close moves the i-th open window to those that wait to be judged.
func (v *version) close(i int) error {
	w := v.open[i]
	v.open = slices.Delete(v.open, i, i+1)
	if v.last == w {
		v.last = nil
	}
	c, endpoints, err := w.close(v.key, v.task)
	v.total.merge(endpoints)
	v.justClosed = append(v.justClosed, sliced{w.Window, w.slices})
	v.dropped.Add(c.profile.Dropped)
	v.closing = append(v.closing, c)
	v.closed.add(w.Start)
	return err
}

// endpointIndex returns the number under which an endpoint is counted.
func (v *version) endpointIndex(name string) int {
	if v.endpoint < len(v.endpoints) && v.endpoints[v.endpoint] == name {
		return v.endpoint
	}
	i := slices.Index(v.endpoints, name)
	if i < 0 && len(v.endpoints) >= v.opt.Limits.Endpoints {
		name = otherEndpoint
		i = slices.Index(v.endpoints, name)
	}
	if i < 0 {
		i = len(v.endpoints)
		v.endpoints = append(v.endpoints, strings.Clone(name))
	}
	v.endpoint = i
	return i
}

// totals returns the counts since the start, by endpoint.
func (v *version) totals() slice {
	var out slice
	out.merge(v.total)
	for _, w := range v.open {
		for _, s := range w.slices {
			out.merge(s)
		}
	}
	return out
}

// lately returns the counts of about one window's length up to now, by endpoint,
// and the time that they cover; endpoints without a request are there and empty.
func (v *version) lately(now time.Time) (slice, time.Duration) {
	part := v.opt.Windows.Length / slicesPerWindow
	from := ai.WindowAt(now.Add(-v.opt.Windows.Length), part).Start
	if from.Before(v.known) {
		from = v.known
	}
	if now.Sub(from) < part {
		return nil, 0
	}
	out := make(slice, 0, len(v.endpoints))
	for i := range v.endpoints {
		out.endpoint(i)
	}
	add := func(s *sliced) {
		for i := range s.slices {
			if at := s.Start.Add(time.Duration(i) * part); !at.Before(from) && at.Before(now) {
				out.merge(s.slices[i])
			}
		}
	}
	for _, w := range v.open {
		add(&sliced{w.Window, w.slices})
	}
	v.justClosed = slices.DeleteFunc(v.justClosed, func(s sliced) bool { return !s.End().After(from) })
	for i := range v.justClosed {
		add(&v.justClosed[i])
	}
	return out, now.Sub(from)
}

// sliced is the service counts of a closed window.
type sliced struct {
	ai.Window
	slices [slicesPerWindow]slice
}
