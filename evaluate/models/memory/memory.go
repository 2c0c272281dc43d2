// Package memory keeps profiles and baselines in memory: for tests, and for a run
// that is not meant to leave anything behind. It is no cache of another store.
package memory

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
)

// Store implements models.ProfileStore and models.BaselineStore. The zero Store
// is empty and ready; it is safe for concurrent use.
type Store struct {
	mu        sync.Mutex
	profiles  map[row][]byte
	baselines map[string]models.StoredBaseline
	fail      error
}

type row struct {
	key     ai.Key
	feature string
	start   int64
	length  time.Duration
}

// Fail makes every call that writes return err, until it is called with nil.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// SaveProfiles implements models.ProfileStore.
func (s *Store) SaveProfiles(_ context.Context, rows []models.StoredProfile) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.profiles == nil {
		s.profiles = make(map[row][]byte)
	}
	for _, r := range rows {
		s.profiles[row{r.Key, r.Feature, r.Start.UnixNano(), r.Length}] = slices.Clone(r.Data)
	}
	return nil
}

// Profiles implements models.ProfileStore.
func (s *Store) Profiles(_ context.Context, q models.ProfileQuery) ([]models.StoredProfile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []models.StoredProfile
	for at, data := range s.profiles {
		if at.key != q.Key || at.length != q.Length || at.start < q.From.UnixNano() || at.start >= q.To.UnixNano() ||
			q.Features != nil && !slices.Contains(q.Features, at.feature) {
			continue
		}
		out = append(out, models.StoredProfile{
			Key: at.key, Feature: at.feature, Start: time.Unix(0, at.start).UTC(), Length: at.length, Data: slices.Clone(data),
		})
	}
	slices.SortFunc(out, func(a, b models.StoredProfile) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Feature, b.Feature))
	})
	return out, nil
}

// Baselines implements models.BaselineStore.
func (s *Store) Baselines(context.Context) ([]models.StoredBaseline, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]models.StoredBaseline, 0, len(s.baselines))
	for _, b := range s.baselines {
		b.Data = nil
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b models.StoredBaseline) int {
		return cmp.Or(a.Key.Compare(b.Key), cmp.Compare(a.Number, b.Number))
	})
	return out, nil
}

// Baseline implements models.BaselineStore.
func (s *Store) Baseline(_ context.Context, id string) (models.StoredBaseline, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.baselines[id]
	return b, ok, nil
}

// SaveBaseline implements models.BaselineStore.
func (s *Store) SaveBaseline(_ context.Context, b models.StoredBaseline) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.baselines == nil {
		s.baselines = make(map[string]models.StoredBaseline)
	}
	if b.Data == nil {
		b.Data = s.baselines[b.ID].Data
	}
	if b.Active {
		for id, other := range s.baselines {
			if other.Key == b.Key {
				other.Active = false
				s.baselines[id] = other
			}
		}
	}
	s.baselines[b.ID] = b
	return nil
}

// DeleteBaseline implements models.BaselineStore.
func (s *Store) DeleteBaseline(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	delete(s.baselines, id)
	return nil
}
