package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
)

// DeleteStatus is a delete request and how far it is.
type DeleteStatus struct {
	ID      string    `json:"id"`
	Query   string    `json:"query"`
	Start   int64     `json:"start"`
	End     int64     `json:"end"`
	Created time.Time `json:"created"`
	// Status is received, processed, or failed with the reason in Error; a failed one is tried again.
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`

	Matchers []storedMatcher   `json:"matchers"`
	Filters  []logs.LineFilter `json:"filters"`
}

// storedMatcher is a matcher as it is kept in a file.
type storedMatcher struct {
	Type  labels.MatchType `json:"type"`
	Name  string           `json:"name"`
	Value string           `json:"value"`
}

// deleteLog is the list of delete requests, kept in a file so that one that was accepted is carried out.
type deleteLog struct {
	mu   sync.Mutex
	path string
	all  []DeleteStatus
	wake chan struct{}
}

// keepDeletes is how many requests are remembered after they were carried out.
const keepDeletes = 1000

func (l *deleteLog) load(path string) error {
	l.path, l.wake = path, make(chan struct{}, 1)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read delete requests: %w", err)
	}
	if err := json.Unmarshal(text, &l.all); err != nil {
		return fmt.Errorf("read delete requests in %s: %w", path, err)
	}
	return nil
}

func (l *deleteLog) woken() <-chan struct{} { return l.wake }

// save writes the list. The caller holds mu.
func (l *deleteLog) save() error {
	if n := len(l.all) - keepDeletes; n > 0 {
		l.all = slices.Delete(l.all, 0, n)
	}
	text, err := json.MarshalIndent(l.all, "", " ")
	if err != nil {
		return fmt.Errorf("encode delete requests: %w", err)
	}
	temp := l.path + ".new"
	if err := os.WriteFile(temp, text, 0o644); err != nil {
		return fmt.Errorf("write delete requests: %w", err)
	}
	if err := errors.Join(syncFile(temp), os.Rename(temp, l.path), syncFile(filepath.Dir(l.path))); err != nil {
		return fmt.Errorf("write delete requests: %w", err)
	}
	return nil
}

// Delete implements logstore.Store: it returns when the entries are gone.
func (s *Store) Delete(ctx context.Context, req logstore.DeleteRequest) error {
	return s.remove(ctx, &removal{matchers: req.Matchers, filters: req.Filters, start: req.Start, end: req.End})
}

// RequestDelete writes a delete request down, to be carried out soon, also after a restart, and returns its number.
func (s *Store) RequestDelete(req logstore.DeleteRequest) (string, error) {
	d := DeleteStatus{
		ID: strings.ToLower(rand.Text()[:8]), Query: req.Query, Start: req.Start, End: req.End,
		Created: s.o.Now().UTC(), Status: "received", Filters: req.Filters,
	}
	for _, m := range req.Matchers {
		d.Matchers = append(d.Matchers, storedMatcher{m.Type, m.Name, m.Value})
	}
	l := &s.deletes
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, d)
	if err := l.save(); err != nil {
		l.all = l.all[:len(l.all)-1]
		return "", err
	}
	signal(l.wake)
	return d.ID, nil
}

// Deletes lists the delete requests, the oldest first.
func (s *Store) Deletes() []DeleteStatus {
	s.deletes.mu.Lock()
	defer s.deletes.mu.Unlock()
	return slices.Clone(s.deletes.all)
}

// ErrNoDelete is returned for a delete request that there is not, or that was carried out already.
var ErrNoDelete = errors.New("no such delete request waiting")

// CancelDelete takes back a delete request that was not yet carried out.
func (s *Store) CancelDelete(id string) error {
	l := &s.deletes
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.all, func(d DeleteStatus) bool { return d.ID == id && d.Status != "processed" })
	if i < 0 {
		return ErrNoDelete
	}
	l.all = slices.Delete(l.all, i, i+1)
	return l.save()
}

// runDeletes carries out what was requested.
func (s *Store) runDeletes(ctx context.Context) error {
	l := &s.deletes
	var errs []error
	for _, d := range s.Deletes() {
		if d.Status == "processed" {
			continue
		}
		r := &removal{filters: d.Filters, start: d.Start, end: d.End}
		err := func() error {
			for _, m := range d.Matchers {
				matcher, err := labels.NewMatcher(m.Type, m.Name, m.Value)
				if err != nil {
					return fmt.Errorf("matcher of delete request: %w", err)
				}
				r.matchers = append(r.matchers, matcher)
			}
			return s.remove(ctx, r)
		}()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.mu.Lock()
		for i := range l.all {
			if l.all[i].ID != d.ID {
				continue
			}
			if err != nil {
				l.all[i].Status, l.all[i].Error = "failed", err.Error()
				errs = append(errs, fmt.Errorf("delete request %s: %w", d.ID, err))
			} else {
				l.all[i].Status, l.all[i].Error = "processed", ""
			}
		}
		errs = append(errs, l.save())
		l.mu.Unlock()
	}
	return errors.Join(errs...)
}

// removal says what a delete removes.
type removal struct {
	matchers   []*labels.Matcher
	filters    []logs.LineFilter
	start, end int64
}

// condition is the removal in SQL for one segment; "" if it concerns nothing there. The line's table is called l.
func (r *removal) condition(s *Store, g *segment) string {
	if r == nil {
		return ""
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	src := (&plan{store: s, numbers: map[uint64][]uint32{}}).look(g, r.matchers, nil, r.start, r.end)
	if src == nil {
		return ""
	}
	src.all = false
	return strings.NewReplacer("stream IN", "l.stream IN", "stream =", "l.stream =").Replace(src.where(r.start, r.end, nil)) + andFilters(r.filters)
}

func andFilters(filters []logs.LineFilter) string {
	var out strings.Builder
	for _, f := range filters {
		if sql := filterCondition(f); sql != "" {
			out.WriteString(" AND " + sql)
		}
	}
	return out.String()
}

// remove rewrites every day in which something is to be removed. What is deleted is then in no file any more.
func (s *Store) remove(ctx context.Context, r *removal) error {
	var days []int64
	s.mu.RLock()
	for n, d := range s.days {
		p := &plan{store: s, numbers: map[uint64][]uint32{}}
		for _, g := range d.segments {
			if p.look(g, r.matchers, nil, r.start, r.end) != nil {
				days = append(days, n)
				break
			}
		}
	}
	s.mu.RUnlock()
	slices.Sort(days)
	for _, n := range days {
		if err := s.sealDay(ctx, n, r); err != nil {
			return fmt.Errorf("delete from %s: %w", dayName(n), err)
		}
	}
	if len(days) > 0 {
		s.writing.Lock()
		s.recent.forget()
		s.writing.Unlock()
		s.patterns.drop(r.matchers)
	}
	return nil
}
