package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// journal is the history together with the notifications that are under way.
type journal struct {
	history *history

	mu      sync.Mutex
	entropy io.Reader
	live    map[*note]struct{}
}

func newJournal(h *history) *journal {
	return &journal{history: h, entropy: ulid.Monotonic(rand.Reader, 0), live: map[*note]struct{}{}}
}

// note is a notification that is under way.
type note struct {
	journal *journal

	// Guarded by journal.mu.
	n    Notification
	busy bool // An attempt is under way.
}

// begin opens a note; n says what is known before the first attempt.
func (j *journal) begin(n Notification) *note {
	j.mu.Lock()
	defer j.mu.Unlock()
	n.Status = Sending
	if id, err := ulid.New(ulid.Timestamp(n.Time), j.entropy); err == nil {
		n.ID = id.String()
	}
	open := &note{journal: j, n: n}
	j.live[open] = struct{}{}
	return open
}

// startAttempt marks that an attempt is under way.
func (o *note) startAttempt() {
	o.journal.mu.Lock()
	o.busy = true
	o.journal.mu.Unlock()
}

// attempting reports whether an attempt is under way.
func (o *note) attempting() bool {
	o.journal.mu.Lock()
	defer o.journal.mu.Unlock()
	return o.busy
}

// failedAttempt counts an attempt that failed.
func (o *note) failedAttempt(err error, now time.Time) {
	o.journal.mu.Lock()
	defer o.journal.mu.Unlock()
	o.busy = false
	o.n.Attempts++
	o.n.Status = Retrying
	o.n.Error = truncate(err.Error(), maxErrorLength)
	o.n.Duration = now.Sub(o.n.Time).Seconds()
}

// succeeded counts the attempt that succeeded and closes the note.
func (o *note) succeeded(status Status, now time.Time) {
	o.journal.mu.Lock()
	o.n.Attempts++
	o.journal.mu.Unlock()
	o.close(status, now)
}

// close moves the notification to the history. A second close does nothing.
func (o *note) close(status Status, now time.Time) {
	o.journal.mu.Lock()
	_, open := o.journal.live[o]
	delete(o.journal.live, o)
	o.n.Status = status
	o.n.Duration = now.Sub(o.n.Time).Seconds()
	n := o.n
	o.journal.mu.Unlock()
	if open {
		o.journal.history.add(n)
	}
}

// query returns what q selects of both, newest first.
func (j *journal) query(ctx context.Context, q Query) ([]Notification, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultHistoryLimit
	}
	// What is closed between the two looks is then in both, and not in none.
	var found []Notification
	j.mu.Lock()
	for open := range j.live {
		if n := open.n; q.matches(n) {
			n.Duration = time.Since(n.Time).Seconds()
			found = append(found, n)
		}
	}
	j.mu.Unlock()
	closed, err := j.history.query(ctx, q, limit)
	if err != nil {
		return nil, err
	}
	for _, n := range closed {
		found = slices.DeleteFunc(found, func(o Notification) bool { return o.ID == n.ID })
	}
	found = append(found, closed...)
	slices.SortStableFunc(found, func(a, b Notification) int { return cmp.Compare(b.ID, a.ID) })
	return found[:min(len(found), limit)], nil
}

// truncate shortens s to at most limit bytes, and shows that it did.
func truncate(s string, limit int) string {
	const more = " …"
	if len(s) <= limit {
		return s
	}
	cut := limit - len(more)
	for cut > 0 && s[cut]&0xC0 == 0x80 { // Not inside a character.
		cut--
	}
	return s[:cut] + more
}
