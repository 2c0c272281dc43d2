package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
)

// settleTimeout bounds the wait for the inhibitor; after it, telling somebody too
// much is better than telling nobody.
const settleTimeout = 5 * time.Second

// errInterrupted is the cause of contexts that end because the configuration is
// swapped or the manager stops.
var errInterrupted = errors.New("interrupted because the configuration changed or the process stops; the group is notified about again afterwards")

// flush is one run of the pipeline for one group of alerts.
type flush struct {
	test   bool
	cancel context.CancelCauseFunc

	mu       sync.Mutex
	notes    map[*recorder]*note
	draining bool
}

type flushKey struct{}

// flushFrom returns the flush that ctx belongs to, or one of its own.
func flushFrom(ctx context.Context) *flush {
	if f, ok := ctx.Value(flushKey{}).(*flush); ok {
		return f
	}
	return &flush{cancel: func(error) {}}
}

// open returns the note of an integration; begin makes it at the first attempt.
func (f *flush) open(r *recorder, begin func() *note) *note {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.notes == nil {
		f.notes = map[*recorder]*note{}
	}
	if f.notes[r] == nil {
		f.notes[r] = begin()
	}
	return f.notes[r]
}

// done forgets the note of an integration that is closed.
func (f *flush) done(r *recorder) {
	f.mu.Lock()
	delete(f.notes, r)
	f.mu.Unlock()
}

// attemptFailed ends the flush if it is only there to let attempts end.
func (f *flush) attemptFailed() {
	f.mu.Lock()
	draining := f.draining
	f.mu.Unlock()
	if draining {
		f.cancel(errInterrupted)
	}
}

// drain lets attempts that are under way end, and makes no others.
func (f *flush) drain() {
	f.mu.Lock()
	f.draining = true
	idle := len(f.notes) > 0 // Each integration waits for its next attempt.
	for _, o := range f.notes {
		idle = idle && !o.attempting()
	}
	f.mu.Unlock()
	if idle {
		f.cancel(errInterrupted)
	}
}

// end closes what no attempt of the flush brought to an end.
func (f *flush) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, o := range f.notes {
		o.close(Failed, now)
	}
	f.notes = nil
}

// generation runs the pipeline of one configuration. It stands between the
// dispatcher and Alertmanager's stages, lets no group through before the inhibitor
// is up to date, and knows which runs are under way, so that stopping it neither
// cuts a delivery short nor leaves one behind.
type generation struct {
	next     amnotify.Stage
	settle   func(context.Context)
	resolved func() // A group was told of resolved alerts.

	mu       sync.Mutex
	draining bool
	running  map[*flush]struct{}
	idle     chan struct{} // Closed when draining and nothing runs.
}

func newGeneration(next amnotify.Stage, settle func(context.Context), resolved func()) *generation {
	return &generation{
		next: next, settle: settle, resolved: resolved,
		running: map[*flush]struct{}{}, idle: make(chan struct{}),
	}
}

// Exec implements Alertmanager's Stage.
func (g *generation) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	// The dispatcher cancels its runs at once when it stops. Here they are given
	// the time of stop to end, so its cancellation is not passed on.
	run := context.WithoutCancel(ctx)
	cancelDeadline := func() {}
	if deadline, ok := ctx.Deadline(); ok {
		run, cancelDeadline = context.WithDeadline(run, deadline)
	}
	defer cancelDeadline()
	run, cancel := context.WithCancelCause(run)
	defer cancel(nil)
	f := &flush{cancel: cancel}
	if !g.enter(f) {
		return ctx, nil, errInterrupted
	}
	defer g.leave(f)
	defer f.end()

	settling, settled := context.WithTimeout(run, settleTimeout)
	g.settle(settling)
	settled()

	_, rest, err := g.next.Exec(context.WithValue(run, flushKey{}, f), l, alerts...)
	if err == nil {
		for _, a := range alerts {
			if a.Resolved() {
				g.resolved()
				break
			}
		}
	}
	return ctx, rest, err
}

func (g *generation) enter(f *flush) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return false
	}
	g.running[f] = struct{}{}
	return true
}

func (g *generation) leave(f *flush) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.running, f)
	if g.draining && len(g.running) == 0 {
		close(g.idle)
	}
}

// stop lets runs end for up to patience, then interrupts them, and returns when
// they are over. It must be called once.
func (g *generation) stop(patience time.Duration) {
	g.mu.Lock()
	g.draining = true
	running := make([]*flush, 0, len(g.running))
	for f := range g.running {
		running = append(running, f)
	}
	g.mu.Unlock()
	if len(running) == 0 {
		return
	}
	for _, f := range running {
		f.drain()
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.idle:
		return
	case <-timer.C:
	}
	for _, f := range running {
		f.cancel(errInterrupted)
	}
	<-g.idle // An attempt that heeds no context is given up after hangGrace.
}
