package auth

import (
	"sync"
	"time"
)

// buckets limit how often something may be done, for each key apart: burst at
// once, and one more every interval. It holds at most max keys; beyond that, new
// keys share one bucket, so that many keys cannot buy more attempts.
type buckets struct {
	burst    float64
	interval time.Duration
	max      int

	mu     sync.Mutex
	keys   map[string]bucket
	shared bucket
	swept  time.Time
}

type bucket struct {
	spent float64 // attempts not yet won back, at the time
	at    time.Time
}

func newBuckets(burst int, interval time.Duration, limit int) *buckets {
	return &buckets{burst: float64(burst), interval: interval, max: limit, keys: map[string]bucket{}}
}

func (b *buckets) now(k bucket, now time.Time) bucket {
	won := float64(max(now.Sub(k.at), 0)) / float64(b.interval)
	return bucket{spent: max(k.spent-won, 0), at: now}
}

// take spends an attempt. If there is none, it says how long to wait.
func (b *buckets) take(key string, now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, known := b.keys[key]
	if !known && len(b.keys) >= b.max {
		b.sweep(now)
	}
	shared := !known && len(b.keys) >= b.max
	if shared {
		k = b.shared
	}
	k = b.now(k, now)
	if k.spent+1 > b.burst {
		wait, ok = time.Duration((k.spent+1-b.burst)*float64(b.interval)), false
	} else {
		k.spent++
		ok = true
	}
	if shared {
		b.shared = k
	} else {
		b.keys[key] = k
	}
	return wait, ok
}

// wait says how long until there is an attempt; 0 if there is one. It spends none.
func (b *buckets) wait(key string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, known := b.keys[key]
	if !known && len(b.keys) >= b.max {
		k = b.shared
	}
	k = b.now(k, now)
	return time.Duration(max(k.spent+1-b.burst, 0) * float64(b.interval))
}

// refund gives an attempt back.
func (b *buckets) refund(key string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.keys[key]; ok {
		k = b.now(k, now)
		k.spent = max(k.spent-1, 0)
		b.keys[key] = k
	}
}

// sweep forgets keys that have won all back. It looks at all of them, so it does
// that at most once a second.
func (b *buckets) sweep(now time.Time) {
	if now.Sub(b.swept) < time.Second && now.After(b.swept) {
		return
	}
	b.swept = now
	for key, k := range b.keys {
		if b.now(k, now).spent == 0 {
			delete(b.keys, key)
		}
	}
}
