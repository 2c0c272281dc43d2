package inferences

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// flight bounds the bytes of all requests that are being received.
type flight struct {
	most int64
	wait time.Duration

	mu    sync.Mutex
	bytes int64
	room  chan struct{} // Closed and made anew when bytes shrinks.
}

func newFlight(most int64, wait time.Duration) *flight {
	return &flight{most: most, wait: wait, room: make(chan struct{})}
}

// hold takes n more bytes for a request that has held already. The first ones may wait for others to give back theirs;
// a request that has some does not wait, for others may be waiting for those. A request alone gets what it needs.
func (f *flight) hold(ctx context.Context, held, n int64) error {
	var late <-chan time.Time
	for {
		f.mu.Lock()
		others, room := f.bytes-held, f.room
		if others == 0 || f.bytes+n <= f.most {
			f.bytes += n
			f.mu.Unlock()
			return nil
		}
		f.mu.Unlock()
		full := &problem{
			status: http.StatusTooManyRequests, after: time.Second,
			text: fmt.Sprintf("overloaded: %d MiB of requests are being received already", others>>20),
		}
		if held > 0 {
			return full
		}
		if late == nil {
			timer := time.NewTimer(f.wait)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-room:
		case <-late:
			return full
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// release gives n bytes back.
func (f *flight) release(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bytes -= n
	close(f.room)
	f.room = make(chan struct{})
}

// held is what all requests have.
func (f *flight) held() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bytes
}
