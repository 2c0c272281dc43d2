package local

import (
	"sync"

	"github.com/modelwatch/modelwatch/logs"
)

// tails are those who follow what is committed.
type tails struct {
	mu     sync.Mutex
	all    map[*Follower]struct{}
	closed bool
}

// Follower receives what is committed, in the order of commits.
type Follower struct {
	ch chan []logs.Stream
	t  *tails
}

// Follow begins to deliver all new entries, duplicates left out. buffer is the number of commits that may wait for the
// follower; when it is slower than that, it is cut off: its channel is closed. The streams are shared between all
// followers and must not be changed.
func (s *Store) Follow(buffer int) *Follower {
	f := &Follower{ch: make(chan []logs.Stream, buffer), t: &s.tails}
	s.tails.mu.Lock()
	defer s.tails.mu.Unlock()
	if s.tails.closed {
		close(f.ch)
		return f
	}
	if s.tails.all == nil {
		s.tails.all = map[*Follower]struct{}{}
	}
	s.tails.all[f] = struct{}{}
	return f
}

// Commits is where commits arrive. It is closed when the follower is stopped, was too slow, or the store is closed.
func (f *Follower) Commits() <-chan []logs.Stream { return f.ch }

// Stop ends the delivery. It may be called more than once.
func (f *Follower) Stop() {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.t.drop(f)
}

func (t *tails) drop(f *Follower) {
	if _, ok := t.all[f]; ok {
		delete(t.all, f)
		close(f.ch)
	}
}

func (t *tails) publish(b *builder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) == 0 {
		return
	}
	streams := b.entries()
	for f := range t.all {
		select {
		case f.ch <- streams:
		default:
			t.drop(f)
		}
	}
}

func (t *tails) closeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for f := range t.all {
		t.drop(f)
	}
}
