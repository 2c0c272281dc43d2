package notify

import (
	"context"
	"sync"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/provider"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/common/model"
)

// alertBook holds the alerts. It adds to Alertmanager's provider in memory what a
// single process needs: it knows when a change is worth a snapshot, and it can
// say that the inhibitor has seen every alert that was handed over so far.
type alertBook struct {
	*mem.Alerts

	// putting is held for reading while a batch of alerts is stored.
	putting sync.RWMutex

	mu   sync.Mutex
	feed *inhibitorFeed // Of the current inhibitor.
}

// Put implements provider.Alerts.
func (b *alertBook) Put(ctx context.Context, alerts ...*alert.Alert) error {
	b.putting.RLock()
	defer b.putting.RUnlock()
	return b.Alerts.Put(ctx, alerts...)
}

// newFeed returns the provider for an inhibitor that is yet to run.
func (b *alertBook) newFeed() *inhibitorFeed {
	return &inhibitorFeed{
		Alerts:   b.Alerts,
		out:      make(chan *provider.Alert),
		barriers: make(chan chan struct{}),
		closed:   make(chan struct{}),
	}
}

// use makes feed the one that settle asks.
func (b *alertBook) use(feed *inhibitorFeed) {
	b.mu.Lock()
	b.feed = feed
	b.mu.Unlock()
}

// settle returns when each batch of alerts that was being stored at the call is
// stored, and the inhibitor has taken account of it. Without it, an alert of a
// route with a group_wait of zero could be notified about although the alert that
// inhibits it came first.
func (b *alertBook) settle(ctx context.Context) {
	b.putting.Lock()
	//nolint:staticcheck // Waiting for the readers is all that is wanted.
	b.putting.Unlock()
	b.mu.Lock()
	feed := b.feed
	b.mu.Unlock()
	if feed != nil {
		feed.settle(ctx)
	}
}

// list returns every alert held, resolved ones that are not yet collected too.
func (b *alertBook) list() []*alert.Alert {
	it := b.GetPending()
	defer it.Close()
	var all []*alert.Alert
	for a := range it.Next() {
		all = append(all, a.Data)
	}
	return all
}

// inhibitorFeed is the provider of alerts as one inhibitor sees it: it relays
// each alert over a channel without a buffer. Once the inhibitor has taken an
// alert it has processed the one before, which is how settle knows.
type inhibitorFeed struct {
	provider.Alerts

	out      chan *provider.Alert
	barriers chan chan struct{}
	closed   chan struct{}
}

// SlurpAndSubscribe implements provider.Alerts. It is called once, by the
// inhibitor, which closes the iterator when it ends.
func (f *inhibitorFeed) SlurpAndSubscribe(name string) ([]*alert.Alert, provider.AlertIterator) {
	held, it := f.Alerts.SlurpAndSubscribe(name)
	done := make(chan struct{})
	go f.relay(it, done)
	return held, provider.NewAlertIterator(f.out, done, nil)
}

func (f *inhibitorFeed) relay(it provider.AlertIterator, done <-chan struct{}) {
	defer close(f.closed)
	defer it.Close()
	var last *provider.Alert // The inhibitor may still be at work on it.
	pass := func(a *provider.Alert) bool {
		select {
		case f.out <- a:
			last = a
			return true
		case <-done:
			return false
		}
	}
	for {
		select {
		case <-done:
			return
		case a := <-it.Next():
			if !pass(a) {
				return
			}
		case settled := <-f.barriers:
			for drained := false; !drained; {
				select {
				case a := <-it.Next():
					if !pass(a) {
						return
					}
				default:
					drained = true
				}
			}
			// Processing an alert twice changes nothing, and taking it a second
			// time proves that the first time is over.
			if last != nil && !pass(last) {
				return
			}
			last = nil
			close(settled)
		}
	}
}

// settle returns when the inhibitor has processed each alert that was stored
// before the call, when the inhibitor has ended, or when ctx is done.
func (f *inhibitorFeed) settle(ctx context.Context) {
	settled := make(chan struct{})
	select {
	case f.barriers <- settled:
	case <-f.closed:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-settled:
	case <-f.closed:
	case <-ctx.Done():
	}
}

// storeCallback hears of each change in the provider. It serves the silencer and
// tells changed of those changes that a restart must not forget: a new alert, one
// that fires again, and one that is resolved. That a firing alert is confirmed is
// not such a change, for its sender will confirm it again.
type storeCallback struct {
	*silence.Silencer

	changed func()

	mu    sync.Mutex
	known map[model.Fingerprint]bool // Whether it was firing.
}

func newStoreCallback(s *silence.Silencer, changed func()) *storeCallback {
	return &storeCallback{Silencer: s, changed: changed, known: map[model.Fingerprint]bool{}}
}

// PostStore implements mem.AlertStoreCallback.
func (c *storeCallback) PostStore(a *alert.Alert, existing bool) {
	c.Silencer.PostStore(a, existing)
	firing := !a.Resolved()
	c.mu.Lock()
	was, known := c.known[a.Fingerprint()]
	c.known[a.Fingerprint()] = firing
	c.mu.Unlock()
	if !known || was != firing {
		c.changed()
	}
}

// PostDelete implements mem.AlertStoreCallback.
func (c *storeCallback) PostDelete(a *alert.Alert) {
	c.Silencer.PostDelete(a)
	c.mu.Lock()
	delete(c.known, a.Fingerprint())
	c.mu.Unlock()
}
