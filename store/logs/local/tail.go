package local

import (
	"sync"

	"github.com/modelwatch/modelwatch/logs"
)

// tails are those who follow what is committed.
type tails struct {
	mu     sync.Mutex
	all    map[*follower]struct{}
	closed bool
}

type follower struct{ ch chan []logs.Stream }

// Follow delivers all new entries in the order of commits, duplicates left out. buffer is the number of commits that may
// wait for the follower; one that is slower is cut off: the channel is closed, as it is after stop and when the store is
// closed. The streams are shared between all followers and must not be changed.
func (s *Store) Follow(buffer int) (commits <-chan []logs.Stream, stop func()) {
	t, f := &s.tails, &follower{ch: make(chan []logs.Stream, buffer)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		close(f.ch)
		return f.ch, func() {}
	}
	if t.all == nil {
		t.all = map[*follower]struct{}{}
	}
	t.all[f] = struct{}{}
	return f.ch, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.drop(f)
	}
}

func (t *tails) drop(f *follower) {
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
