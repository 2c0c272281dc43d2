package models

import (
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// noteClock judges anew what is known of the present if the clock was set back.
func (e *Engine) noteClock(now time.Time) {
	if !e.setBack(now) {
		return
	}
	e.ticking.Lock()
	defer e.ticking.Unlock()
	e.mu.Lock()
	all := e.sorted()
	e.forgetAfter(now)
	e.mu.Unlock()
	for _, v := range all {
		if err := e.rejudge(v, now); err != nil {
			e.log.Error("The newest window cannot be judged again; its version is unknown until the next one", "model", v.key.String(), "err", err)
		}
	}
	e.renewStatus(now)
	e.publish(now)
}

// setBack reports whether the clock went back by more than a window since it was last asked.
func (e *Engine) setBack(now time.Time) bool {
	e.mu.Lock()
	back := e.ticked.Sub(now)
	e.ticked = now
	e.mu.Unlock()
	if back <= e.opt.Windows.Length {
		return false
	}
	e.log.Warn("The clock was set back; what is dated after now no longer counts as the present", "by", back.Round(time.Second).String())
	return true
}

// forgetAfter forgets what is dated after a time. Left alone it would stand for the present until then, and windows that
// were closed ahead of their time would refuse the records that belong to them. The caller holds ticking and mu.
func (e *Engine) forgetAfter(limit time.Time) {
	for _, v := range e.versions {
		e.forgetAfterOf(v, limit)
	}
	for service, list := range e.readings {
		e.readings[service] = slices.DeleteFunc(list, func(r reading) bool { return r.At.After(limit) })
	}
}

// forgetAfterOf is forgetAfter of one version. Windows that are open are closed, to be stored under the time that their
// records carry.
func (e *Engine) forgetAfterOf(v *version, limit time.Time) {
	later := func(w ai.Window) bool { return w.Start.After(limit) }
	for i := len(v.open) - 1; i >= 0 && later(v.open[i].Window); i-- {
		e.closeWindow(v, i)
	}
	v.closed.forgetAfter(limit)
	v.justClosed = slices.DeleteFunc(v.justClosed, func(s sliced) bool { return later(s.Window) })
	v.recent = slices.DeleteFunc(v.recent, func(w *closedWindow) bool { return later(w.Window) })
	v.history = slices.DeleteFunc(v.history, func(p Point) bool { return p.Start.After(limit) })
	v.labels.buckets = slices.DeleteFunc(v.labels.buckets, func(b *labelBucket) bool { return later(b.Window) })
	if v.pool != nil && v.pool.End().After(limit) {
		v.pool, v.pooled = nil, 0
	}
	if v.result != nil && later(v.result.window) {
		v.result = nil
		delete(e.static, v.key)
	}
	times := []*time.Time{&v.first, &v.seen, &v.arrived, &v.known, &v.labels.newest}
	if v.auto != nil {
		times = append(times, &v.auto.began)
	}
	for _, t := range times {
		if t.After(limit) {
			*t = limit
		}
	}
	for id, since := range v.since {
		if since.After(limit) {
			v.since[id] = limit
		}
	}
}

// early reports whether a window is from further ahead than records may be dated: of before the clock was set back. It is
// stored, and says nothing of the present.
func (e *Engine) early(w *closedWindow, now time.Time) bool {
	return w.Start.After(now.Add(e.opt.Windows.Future))
}

// forgetAfter takes back that windows that start after limit were closed.
func (s *starts) forgetAfter(limit time.Time) {
	at := limit.UnixNano()
	s.Times = slices.DeleteFunc(s.Times, func(t int64) bool { return t > at })
	s.Floor = min(s.Floor, at)
}
