package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Status is what became of a notification.
type Status string

// What can become of a notification.
const (
	// Sending means that the first attempt is under way.
	Sending Status = "sending"
	// Retrying means that attempts failed and another one follows.
	Retrying Status = "retrying"
	// Sent means that the receiver accepted it.
	Sent Status = "sent"
	// Failed means that it was given up: the receiver refused it for good, or no
	// attempt succeeded in the time there was. The group's next interval starts anew.
	Failed Status = "failed"
	// Recorded means that the receiver has no integration, so that nobody was told.
	Recorded Status = "recorded"
)

// Notification is one message of one integration about one group of alerts,
// with all attempts at delivering it.
type Notification struct {
	// ID sorts by time.
	ID string `json:"id"`
	// Time is the start of the first attempt.
	Time time.Time `json:"time"`
	// Receiver is the receiver's name in the configuration; Integration ("email")
	// and Index tell which of its integrations it was.
	Receiver    string `json:"receiver"`
	Integration string `json:"integration"`
	Index       int    `json:"index"`
	// GroupKey identifies the group, GroupLabels are what its alerts share.
	GroupKey    string            `json:"groupKey"`
	GroupLabels map[string]string `json:"groupLabels"`
	// Alerts are the distinct names of the alerts, at most maxAlertNames of them;
	// Firing and Resolved count all of them.
	Alerts   []string `json:"alerts"`
	Firing   int      `json:"firing"`
	Resolved int      `json:"resolved"`
	// Reason is why the group was notified about, as Alertmanager words it.
	Reason string `json:"reason,omitempty"`
	Status Status `json:"status"`
	// Attempts counts the attempts, Duration in seconds runs from the first to the
	// end of the last.
	Attempts int     `json:"attempts"`
	Duration float64 `json:"durationSeconds"`
	// Error is that of the last failed attempt, without secrets. A notification
	// that was sent at last keeps it.
	Error string `json:"error,omitempty"`
	// Test marks a notification that somebody asked for to test a receiver.
	Test bool `json:"test,omitempty"`
}

// Query selects notifications. The zero Query selects the newest 100.
type Query struct {
	// Receiver, if set, is the receiver's name.
	Receiver string
	// Since and Until, if set, bound Time, both inclusive.
	Since, Until time.Time
	// Failed selects those that failed or are being retried.
	Failed bool
	// Limit is the greatest number returned; 0 means 100.
	Limit int
}

func (q Query) matches(n Notification) bool {
	return (q.Receiver == "" || n.Receiver == q.Receiver) &&
		(q.Since.IsZero() || !n.Time.Before(q.Since)) &&
		(q.Until.IsZero() || !n.Time.After(q.Until)) &&
		(!q.Failed || n.Status == Failed || n.Status == Retrying)
}

// needles returns what the line of each record that q selects holds, so that most
// others need not be decoded.
func (q Query) needles() (needles [][]byte) {
	if q.Receiver != "" {
		if name, err := json.Marshal(q.Receiver); err == nil {
			needles = append(needles, append([]byte(`"receiver":`), name...))
		}
	}
	if q.Failed {
		needles = append(needles, []byte(`"status":"`+string(Failed)+`"`))
	}
	return needles
}

const (
	defaultHistoryLimit = 100
	maxAlertNames       = 50
	// maxPending bounds records that wait for a disk that refuses them.
	maxPending = 1000
	// maxErrorLength bounds the text of an error, in bytes.
	maxErrorLength = 2048
)

// history keeps finished notifications in two files of JSON lines. When the
// current file holds half of the limit it takes the place of the older one, which
// bounds both the disk and the time of a query. Lines are appended without
// synchronising: they survive the death of the process, and nobody was promised
// more. It is a plain file rather than a table because records are only ever
// appended and read newest first, and because it can still be read with a text
// editor when nothing else works.
type history struct {
	path     string
	limit    int
	logger   *slog.Logger
	failures prometheus.Counter

	mu      sync.Mutex
	file    *os.File
	size    int64    // Of file, in bytes, up to the end of its last whole line.
	records int      // In file.
	pending [][]byte // Lines that could not be written yet.
	failing bool
	closed  bool
}

// openHistory opens the history at path, whose older half is at path + ".1".
func openHistory(path string, limit int, logger *slog.Logger, failures prometheus.Counter) (*history, error) {
	h := &history{path: path, limit: limit, logger: logger, failures: failures}
	if err := h.open(); err != nil {
		return nil, err
	}
	return h, nil
}

// open opens the current file and cuts off a line that a crash left unfinished.
func (h *history) open() error {
	f, err := os.OpenFile(h.path, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return fmt.Errorf("open notification history: %w", err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return errors.Join(fmt.Errorf("read notification history: %w", err), f.Close())
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole < len(data) {
		if err := f.Truncate(int64(whole)); err != nil {
			return errors.Join(fmt.Errorf("repair notification history: %w", err), f.Close())
		}
	}
	h.file, h.size, h.records = f, int64(whole), bytes.Count(data[:whole], []byte{'\n'})
	return nil
}

// add appends a notification. If the disk refuses it, it is kept in memory, shown
// by query all the same, and written with the next one.
func (h *history) add(n Notification) {
	line, err := json.Marshal(n)
	if err != nil {
		h.logger.Error("Cannot encode a notification for the history", "err", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pending) >= maxPending {
		h.pending = slices.Delete(h.pending, 0, 1)
	}
	h.pending = append(h.pending, append(line, '\n'))
	if h.closed {
		return
	}
	switch err := h.flush(); {
	case err != nil:
		h.failures.Inc()
		if !h.failing {
			h.logger.Error("Cannot write the notification history; new records are kept in memory until it succeeds", "err", err)
		}
		h.failing = true
	case h.failing:
		h.failing = false
		h.logger.Info("The notification history is written again")
	}
}

// flush writes what is pending. The lock is held.
func (h *history) flush() error {
	for len(h.pending) > 0 {
		if h.records >= (h.limit+1)/2 {
			if err := h.rotate(); err != nil {
				return err
			}
		}
		// Writing at the end of the last whole line overwrites what a write that
		// failed half way left behind.
		n, err := h.file.WriteAt(h.pending[0], h.size)
		if err != nil {
			return fmt.Errorf("append to notification history: %w", errors.Join(err, h.file.Truncate(h.size)))
		}
		h.size += int64(n)
		h.records++
		h.pending = slices.Delete(h.pending, 0, 1)
	}
	return nil
}

// rotate makes the current file the older one. The lock is held.
func (h *history) rotate() error {
	if err := os.Rename(h.path, h.path+".1"); err != nil {
		return fmt.Errorf("rotate notification history: %w", err)
	}
	old := h.file
	if err := h.open(); err != nil {
		return errors.Join(err, os.Rename(h.path+".1", h.path))
	}
	return old.Close()
}

// query returns the notifications that q selects, newest first, at most limit.
func (h *history) query(ctx context.Context, q Query, limit int) ([]Notification, error) {
	h.mu.Lock()
	pending := slices.Clone(h.pending)
	current, err := readTo(h.path, h.size)
	var older []byte
	if err == nil {
		older, err = readTo(h.path+".1", -1)
	}
	h.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("read notification history: %w", err)
	}
	var found []Notification
	for _, lines := range [][]byte{bytes.Join(pending, nil), current, older} {
		if found, err = selectNewest(ctx, found, lines, q, limit); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readTo returns the first size bytes of a file, or all of them if size is
// negative. A file that does not exist is empty.
func readTo(path string, size int64) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if size >= 0 && int64(len(data)) > size {
		data = data[:size]
	}
	return data, err
}

// selectNewest appends the notifications in lines that q selects, last line
// first, until there are limit of them. Lines that are no records are passed over.
func selectNewest(ctx context.Context, found []Notification, lines []byte, q Query, limit int) ([]Notification, error) {
	needles := q.needles()
	for n := 0; len(lines) > 0 && len(found) < limit; n++ {
		if n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("search notification history: %w", err)
			}
		}
		end := bytes.TrimRight(lines, "\n")
		start := bytes.LastIndexByte(end, '\n') + 1
		line := end[start:]
		lines = lines[:start]
		if slices.ContainsFunc(needles, func(needle []byte) bool { return !bytes.Contains(line, needle) }) {
			continue
		}
		var rec Notification
		if len(line) == 0 || json.Unmarshal(line, &rec) != nil || rec.Time.IsZero() {
			continue
		}
		if q.matches(rec) {
			found = append(found, rec)
		}
	}
	return found, nil
}

// close puts the history on disk. Records that come later are kept in memory.
func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	err := h.flush()
	err = errors.Join(err, h.file.Sync(), h.file.Close())
	if err != nil {
		return fmt.Errorf("close notification history: %w", err)
	}
	return nil
}
