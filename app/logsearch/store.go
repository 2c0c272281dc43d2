package logsearch

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	api "github.com/modelwatch/modelwatch/api/loki"
	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

// Store is the log store on this machine, opened when it is first needed: a
// process that collects no logs does not pay for a database, also if rules ask
// for lines. It is what the engine, the receivers, the Loki API and the tailer
// each want of a store.
type Store struct {
	opts local.Options

	mu     sync.Mutex
	store  *local.Store
	closed bool
}

// New returns the store. One that has data already is opened at once, so that
// its housekeeping goes on.
func New(ctx context.Context, o local.Options) (*Store, error) {
	s := &Store{opts: o}
	entries, err := os.ReadDir(o.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(entries) == 0 {
		return s, nil
	}
	_, err = s.Open(ctx)
	return s, err
}

var errClosed = errors.New("the log store is closed: modelwatch is stopping")

// Open returns the store, opened if it was not yet.
func (s *Store) Open(ctx context.Context) (*local.Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.store == nil {
		// Whoever comes first may leave; the store stays.
		store, err := local.Open(context.WithoutCancel(ctx), s.opts)
		if err != nil {
			return nil, err
		}
		s.store = store
	}
	return s.store, nil
}

// Close closes the store if it was opened.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// Opened returns the store if it is in use, else nil: then there are no lines.
func (s *Store) Opened() *local.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store
}

// Append implements the Appender of receivers and tailer.
func (s *Store) Append(ctx context.Context, streams []logs.Stream) error {
	store, err := s.Open(ctx)
	if err != nil {
		return err
	}
	return store.Append(ctx, streams)
}

// Select implements logql.Store.
func (s *Store) Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error) {
	store := s.Opened()
	if store == nil {
		return nothing{}, nil
	}
	return store.Select(ctx, sel)
}

// Count implements logql.Counter.
func (s *Store) Count(ctx context.Context, req logs.CountRequest) (logs.Counts, error) {
	store := s.Opened()
	if store == nil {
		return logs.Counts{}, nil
	}
	return store.Count(ctx, req)
}

// Series implements api.Store.
func (s *Store) Series(ctx context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error) {
	store := s.Opened()
	if store == nil {
		return nil, nil
	}
	return store.Series(ctx, groups, start, end)
}

// Volume implements api.Store.
func (s *Store) Volume(ctx context.Context, req logs.VolumeRequest) ([]logs.Volume, error) {
	store := s.Opened()
	if store == nil {
		return nil, nil
	}
	return store.Volume(ctx, req)
}

// Size implements api.Sizer.
func (s *Store) Size(ctx context.Context, matchers []*labels.Matcher, start, end int64) (streams, chunks int, entries, bytes int64, err error) {
	store := s.Opened()
	if store == nil {
		return 0, 0, 0, 0, nil
	}
	return store.Size(ctx, matchers, start, end)
}

// Follow implements api.Follower.
func (s *Store) Follow(buffer int) (commits <-chan []logs.Stream, stop func()) {
	store, err := s.Open(context.Background())
	if err != nil {
		ended := make(chan []logs.Stream)
		close(ended)
		return ended, func() {}
	}
	return store.Follow(buffer)
}

// Patterns implements api.Patterns. The level of a template is what its own text
// says, or unknown.
func (s *Store) Patterns(ctx context.Context, matchers []*labels.Matcher, start, end, step int64) ([]api.Pattern, error) {
	store := s.Opened()
	if store == nil {
		return nil, nil
	}
	found, err := store.Patterns(ctx, matchers, start, end, step)
	if err != nil {
		return nil, err
	}
	out := make([]api.Pattern, len(found))
	for i, p := range found {
		level := logs.DetectLevel(labels.EmptyLabels(), logs.Entry{Line: p.Text})
		out[i] = api.Pattern{Text: p.Text, Level: string(level), Samples: p.Samples}
	}
	return out, nil
}

// RequestDelete implements api.Deleter.
func (s *Store) RequestDelete(query string, matchers []*labels.Matcher, filters []logs.LineFilter, start, end int64) (string, error) {
	store, err := s.Open(context.Background())
	if err != nil {
		return "", err
	}
	return store.RequestDelete(logstore.DeleteRequest{Query: query, Matchers: matchers, Filters: filters, Start: start, End: end})
}

// Deletes implements api.Deleter.
func (s *Store) Deletes() []api.Deletion {
	var out []api.Deletion
	store := s.Opened()
	if store == nil {
		return out
	}
	for _, d := range store.Deletes() {
		out = append(out, api.Deletion{ID: d.ID, Query: d.Query, Status: d.Status, Start: d.Start, End: d.End, Created: d.Created})
	}
	return out
}

// CancelDelete implements api.Deleter.
func (s *Store) CancelDelete(id string) (bool, error) {
	store := s.Opened()
	if store == nil {
		return false, nil
	}
	err := store.CancelDelete(id)
	if errors.Is(err, local.ErrNoDelete) {
		return false, nil
	}
	return err == nil, err
}

// nothing is the cursor of a store without lines.
type nothing struct{}

func (nothing) Next() (*logs.Batch, error) { return nil, io.EOF }
func (nothing) Stats() logs.Stats          { return logs.Stats{} }
func (nothing) Close() error               { return nil }
