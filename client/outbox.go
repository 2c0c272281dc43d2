package client

import (
	"slices"
	"sync"
	"time"
)

// batch is a run of records of one kind, in the order they were recorded:
// open while it fills, then waiting, then in flight, then done.
type batch struct {
	seq        uint64 // order of opening, among batches of both kinds
	inferences []Inference
	labels     []Label
	after      uint64    // of labels: the newest inference batch that must go first
	opened     time.Time // when the first record came
}

func (b *batch) size() int { return len(b.inferences) + len(b.labels) }

// outbox is the bounded queue between the callers, who only append under a
// short lock, and the dispatcher. Batches that wait may still fill, so that a
// slow server gets fewer and fuller requests.
type outbox struct {
	limit     int           // most records held, in flight included
	batchSize int           // most records in a batch
	interval  time.Duration // age at which a batch goes though it is not full

	mu      sync.Mutex
	held    int      // records held, in flight included
	lastSeq uint64   // of the newest batch opened
	live    []*batch // all that are not done, by seq
	full    []*batch // those that are full and wait, by time of filling
	openInf *batch
	openLab *batch
	flushTo uint64 // open batches up to this one go at once
	waiters []waiter
	closed  bool
	spare   [][]Inference
	stats   Stats
}

type waiter struct {
	seq  uint64
	done chan struct{}
}

// addInference queues one record and reports whether the dispatcher has to be
// woken.
func (o *outbox) addInference(inf *Inference) (wake bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Recorded++
	if !o.admit() {
		return false
	}
	b := o.openInf
	if b == nil {
		b = o.open()
		if n := len(o.spare); n > 0 {
			b.inferences, o.spare = o.spare[n-1], o.spare[:n-1]
		}
		o.openInf, wake = b, true
	}
	b.inferences = append(b.inferences, *inf)
	if len(b.inferences) >= o.batchSize {
		o.openInf, wake = nil, true
		o.full = append(o.full, b)
	}
	return wake
}

func (o *outbox) addLabel(l *Label) (wake bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Recorded++
	if !o.admit() {
		return false
	}
	b := o.openLab
	if b == nil {
		b = o.open()
		o.openLab, wake = b, true
	}
	b.labels = append(b.labels, *l)
	for _, other := range slices.Backward(o.live) {
		if other.inferences != nil {
			b.after = other.seq
			break
		}
	}
	if len(b.labels) >= o.batchSize {
		o.openLab, wake = nil, true
		o.full = append(o.full, b)
	}
	return wake
}

// admit counts one more record in, or counts it as dropped.
func (o *outbox) admit() bool {
	switch {
	case o.closed:
		o.stats.Drops.Closed++
	case o.held >= o.limit:
		o.stats.Drops.QueueFull++
	default:
		o.held++
		return true
	}
	o.stats.Dropped++
	return false
}

func (o *outbox) open() *batch {
	o.lastSeq++
	b := &batch{seq: o.lastSeq, opened: time.Now()}
	o.live = append(o.live, b)
	return b
}

// take gives the next batch to send, or nil and how long to wait for one if
// nothing else happens.
func (o *outbox) take(now time.Time) (*batch, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, b := range o.full {
		if o.ready(b) {
			o.full = slices.Delete(o.full, i, i+1)
			return b, 0
		}
	}
	wait := time.Hour
	for _, open := range []**batch{&o.openInf, &o.openLab} {
		b := *open
		if b == nil {
			continue
		}
		left := o.interval - now.Sub(b.opened)
		if b.seq <= o.flushTo {
			left = 0
		}
		switch {
		case left > 0:
			wait = min(wait, left)
		case o.ready(b):
			*open = nil
			return b, 0
		}
		// Otherwise labels wait for inferences in flight, whose end wakes us.
	}
	return nil, wait
}

// ready holds labels back until the inferences recorded before them are done:
// the server is never told the truth about a request that it has not heard of.
func (o *outbox) ready(b *batch) bool {
	if b.after == 0 {
		return true
	}
	for _, other := range o.live {
		if other.seq > b.after {
			return true
		}
		if other.inferences != nil {
			return false
		}
	}
	return true
}

// done forgets a batch whose records have all been counted.
func (o *outbox) done(b *batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held -= b.size()
	if i := slices.Index(o.live, b); i >= 0 {
		o.live = slices.Delete(o.live, i, i+1)
	}
	if b.inferences != nil && len(o.spare) < 4 {
		clear(b.inferences) // let go of the callers' maps
		o.spare = append(o.spare, b.inferences[:0])
	}
	o.waiters = slices.DeleteFunc(o.waiters, func(w waiter) bool {
		if len(o.live) > 0 && o.live[0].seq <= w.seq {
			return false
		}
		close(w.done)
		return true
	})
}

// flush asks for all that is held to go now. The channel is closed when all
// of it is done.
func (o *outbox) flush() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	done := make(chan struct{})
	if len(o.live) == 0 {
		close(done)
		return done
	}
	o.flushTo = o.lastSeq
	o.waiters = append(o.waiters, waiter{seq: o.lastSeq, done: done})
	return done
}

func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// abandon drops what is left, when nobody will send it any more, and reports
// how many records those were.
func (o *outbox) abandon() int {
	o.mu.Lock()
	rest := slices.Clone(o.live)
	o.full, o.openInf, o.openLab = nil, nil, nil
	n := 0
	for _, b := range rest {
		n += b.size()
	}
	o.stats.Dropped += uint64(n)
	o.stats.Drops.Closed += uint64(n)
	o.mu.Unlock()
	for _, b := range rest {
		o.done(b)
	}
	return n
}

// count changes the statistics under the lock.
func (o *outbox) count(change func(*Stats)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.stats)
}

func (o *outbox) snapshot() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	s.Queued = o.held
	return s
}
