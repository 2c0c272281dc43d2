// Package inference joins what takes AI inferences in, keeps them and judges
// them: receivers, the inference store, the database of state and the live
// analysis. It holds the small adapters between them and the order in which they
// check-point, and judges nothing itself.
package inference

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	api "github.com/modelwatch/modelwatch/api/inferences"
	receive "github.com/modelwatch/modelwatch/collect/receive/inferences"
	"github.com/modelwatch/modelwatch/evaluate/models"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/inferences/parquet"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
	"github.com/modelwatch/modelwatch/store/state"
)

// sink is the inference store as receivers want it.
type sink struct{ store *store.Store }

// Append implements receive.Sink.
func (s sink) Append(ctx context.Context, b receive.Batch) (bool, error) {
	return s.store.Append(ctx, store.Batch(b))
}

// profiles is the database as the analysis wants it.
type profiles struct{ db *state.DB }

// SaveProfiles implements models.ProfileStore.
func (p profiles) SaveProfiles(ctx context.Context, rows []models.StoredProfile) error {
	out := make([]state.Profile, len(rows))
	for i, r := range rows {
		out[i] = state.Profile(r)
	}
	return p.db.SaveProfiles(ctx, out)
}

// Profiles implements models.ProfileStore.
func (p profiles) Profiles(ctx context.Context, q models.ProfileQuery) ([]models.StoredProfile, error) {
	rows, err := p.db.Profiles(ctx, state.ProfileQuery(q))
	if err != nil {
		return nil, err
	}
	out := make([]models.StoredProfile, len(rows))
	for i, r := range rows {
		out[i] = models.StoredProfile(r)
	}
	return out, nil
}

// baselines is the database as the analysis wants it.
type baselines struct{ db *state.DB }

// Baselines implements models.BaselineStore.
func (b baselines) Baselines(ctx context.Context) ([]models.StoredBaseline, error) {
	rows, err := b.db.Baselines(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]models.StoredBaseline, len(rows))
	for i, r := range rows {
		out[i] = models.StoredBaseline(r)
	}
	return out, nil
}

// Baseline implements models.BaselineStore.
func (b baselines) Baseline(ctx context.Context, id string) (models.StoredBaseline, bool, error) {
	row, ok, err := b.db.Baseline(ctx, id)
	return models.StoredBaseline(row), ok, err
}

// SaveBaseline implements models.BaselineStore.
func (b baselines) SaveBaseline(ctx context.Context, row models.StoredBaseline) error {
	return b.db.SaveBaseline(ctx, state.Baseline(row))
}

// DeleteBaseline implements models.BaselineStore.
func (b baselines) DeleteBaseline(ctx context.Context, id string) error {
	return b.db.DeleteBaseline(ctx, id)
}

// OpenParquet reads a Parquet file as the analysis wants it.
func OpenParquet(ctx context.Context, file *os.File, exclude []string) (io.ReadCloser, error) {
	r, err := parquet.Open(ctx, file, exclude)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Lister is the inference store as the API wants it. Dir takes files that are on their
// way to a client.
type Lister struct {
	Store *store.Store
	Dir   string
}

// List implements the API's Lister.
func (l Lister) List(ctx context.Context, q api.Query) (rows any, n int, status string, err error) {
	found, err := l.Store.List(ctx, store.Filter(q))
	if err != nil {
		return nil, 0, "", err
	}
	return found, len(found), l.Store.RawStatus().Reason, nil
}

// exportPrefix is how files of exports begin, here and in package raw.
const exportPrefix = ".export-"

// Export implements the API's Exporter. The file is made in the folder of the store, and
// has lost its name before it is read.
func (l Lister) Export(ctx context.Context, q api.Query) (io.ReadCloser, int64, error) {
	name := filepath.Join(l.Dir, exportPrefix+rand.Text()+".parquet")
	_, err := l.Store.Export(ctx, store.Filter(q), name)
	switch {
	case errors.Is(err, raw.ErrNothing):
		return nil, 0, missing{err}
	case errors.Is(err, store.ErrNoRaw):
		return nil, 0, missing{err}
	case err != nil:
		return nil, 0, err
	}
	f, err := os.Open(name)
	if err := errors.Join(err, os.Remove(name)); err != nil {
		return nil, 0, fmt.Errorf("export raw inferences: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("export raw inferences: %w", err), f.Close())
	}
	return f, info.Size(), nil
}

// missing is an error about what is not there.
type missing struct{ error }

// StatusCode is what the API answers with.
func (missing) StatusCode() int { return http.StatusNotFound }

// Unwrap returns the cause.
func (e missing) Unwrap() error { return e.error }
