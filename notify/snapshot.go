package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// gatherDelay is how long a change that nobody waits for is held back, so that
	// the changes that come with it are written with it.
	gatherDelay = 50 * time.Millisecond
	// maxSnapshotGap bounds the time between such a change and its snapshot.
	maxSnapshotGap = time.Second
	// maxRetryGap bounds the time between attempts at a snapshot that fails.
	maxRetryGap = 10 * time.Second
)

// errStopped answers those who wait for a snapshot that will not be taken.
var errStopped = errors.New("the notification manager has stopped")

// snapshot keeps a file equal to a state in memory. The file is replaced as a
// whole and synchronised, so that after a crash it holds one state or the next.
// Writes are shared: whoever asks while one is under way is served by the next.
type snapshot struct {
	path     string
	encode   func(io.Writer) (int64, error)
	logger   *slog.Logger
	failures prometheus.Counter

	// saving is held while the file is written.
	saving sync.Mutex

	mu      sync.Mutex
	dirty   bool
	stopped bool
	waiters []chan error

	wake   chan struct{} // Something is to be written.
	urgent chan struct{} // Somebody waits for it.
}

func newSnapshot(path string, encode func(io.Writer) (int64, error), logger *slog.Logger, failures prometheus.Counter) *snapshot {
	return &snapshot{
		path: path, encode: encode, failures: failures,
		logger: logger.With("file", path),
		wake:   make(chan struct{}, 1), urgent: make(chan struct{}, 1),
	}
}

// Soon asks for a snapshot within maxSnapshotGap and does not wait.
func (s *snapshot) Soon() {
	s.mu.Lock()
	s.dirty = true
	s.mu.Unlock()
	signal(s.wake)
}

// Now returns when everything that the state held at the call is on disk, or says
// why it is not.
func (s *snapshot) Now(ctx context.Context) error {
	done := make(chan error, 1)
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return errStopped
	}
	s.waiters = append(s.waiters, done)
	s.mu.Unlock()
	signal(s.urgent)
	signal(s.wake)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for %s: %w", filepath.Base(s.path), ctx.Err())
	}
}

// run writes until stop is closed, then a last time.
func (s *snapshot) run(stop <-chan struct{}) {
	var (
		last    time.Time
		gap     = gatherDelay
		failing bool
	)
	for {
		select {
		case <-stop:
			s.finish()
			return
		case <-s.wake:
		}
		if !s.awaited() {
			pause := time.NewTimer(max(gatherDelay, gap-time.Since(last)))
			select {
			case <-pause.C:
			case <-s.urgent:
			case <-stop:
			}
			pause.Stop()
		}
		start := time.Now()
		err := s.answer()
		last = time.Now()
		// A state that is large or a disk that is slow is written less often.
		gap = min(max(10*last.Sub(start), gatherDelay), maxSnapshotGap)
		switch {
		case err != nil:
			if !failing {
				s.logger.Error("Cannot write the snapshot; it is tried again until it succeeds", "err", err)
				gap = maxSnapshotGap
			} else {
				gap = maxRetryGap
			}
			failing = true
			s.Soon()
		case failing:
			failing = false
			s.logger.Info("The snapshot is written again")
		}
	}
}

// awaited reports whether somebody waits, and forgets the urgency.
func (s *snapshot) awaited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.urgent:
	default:
	}
	return len(s.waiters) > 0
}

// answer writes, if anything asks for it, and tells those who wait.
func (s *snapshot) answer() error {
	s.mu.Lock()
	waiters, dirty := s.waiters, s.dirty
	s.waiters, s.dirty = nil, false
	s.mu.Unlock()
	if len(waiters) == 0 && !dirty {
		return nil
	}
	_, err := s.save()
	for _, w := range waiters {
		w <- err
	}
	return err
}

// finish writes a last time and turns later callers away.
func (s *snapshot) finish() {
	s.mu.Lock()
	s.stopped, s.dirty = true, true
	s.mu.Unlock()
	if err := s.answer(); err != nil {
		s.logger.Error("Cannot write the last snapshot", "err", err)
	}
}

// save writes the state now, and returns its size in bytes.
func (s *snapshot) save() (int64, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	size, err := replaceFile(s.path, s.encode)
	if err != nil {
		s.failures.Inc()
	}
	return size, err
}

// signal wakes the reader of a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// replaceFile replaces the file at path by what encode writes, and returns once
// both the content and the directory entry are on disk. After a failure the old
// file is still there. It must not run twice at once for one path.
func replaceFile(path string, encode func(io.Writer) (int64, error)) (size int64, err error) {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return 0, fmt.Errorf("create snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	w := bufio.NewWriter(f)
	size, err = encode(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return size, fmt.Errorf("write snapshot: %w", err)
	}
	if err = os.Rename(tmp, path); err != nil {
		return size, fmt.Errorf("replace snapshot: %w", err)
	}
	return size, syncDir(filepath.Dir(path))
}

// syncDir puts the entries of a directory on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory of snapshot: %w", err)
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("synchronise directory of snapshot: %w", err)
	}
	return nil
}
