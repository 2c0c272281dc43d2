// Package memory keeps the records and the audit log of api/auth in memory, for
// tests. Nothing of it survives the process.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Store is a Store and a Journal of api/auth.
type Store struct {
	mu      sync.Mutex
	records map[string][]byte
	events  []event
	last    int64
	err     error
}

type event struct {
	seq  int64
	at   time.Time
	data []byte
}

// New makes an empty store.
func New() *Store { return &Store{records: map[string][]byte{}} }

// Fail makes every write from now on fail with err; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Records returns every record.
func (s *Store) Records(context.Context) (map[string][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]byte{}
	for k, v := range s.records {
		out[k] = slices.Clone(v)
	}
	return out, nil
}

// SaveRecords stores records; nil data deletes.
func (s *Store) SaveRecords(_ context.Context, records map[string][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for k, v := range records {
		s.records[k] = slices.Clone(v)
	}
	maps.DeleteFunc(s.records, func(_ string, v []byte) bool { return v == nil })
	return nil
}

// AppendEvent adds an event.
func (s *Store) AppendEvent(_ context.Context, at time.Time, data []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.last++
	s.events = append(s.events, event{s.last, at, slices.Clone(data)})
	return s.last, nil
}

// UpdateEvent replaces the data of an event.
func (s *Store) UpdateEvent(_ context.Context, seq int64, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for i := range s.events {
		if s.events[i].seq == seq {
			s.events[i].data = slices.Clone(data)
		}
	}
	return nil
}

// Events returns events, newest first.
func (s *Store) Events(_ context.Context, before int64, limit int) (seqs []int64, data [][]byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.events) {
		if len(seqs) == limit {
			break
		}
		if before == 0 || e.seq < before {
			seqs, data = append(seqs, e.seq), append(data, slices.Clone(e.data))
		}
	}
	return seqs, data, nil
}

// TrimEvents forgets old events.
func (s *Store) TrimEvents(_ context.Context, keep int, before time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.DeleteFunc(s.events, func(e event) bool { return e.at.Before(before) })
	s.events = s.events[max(len(s.events)-keep, 0):]
	return nil
}
