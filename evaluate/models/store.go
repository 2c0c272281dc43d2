package models

import (
	"context"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// StoredProfile is one row of profiles: one feature of one model version in one
// window. The row with an empty Feature is about the window as a whole. Data is
// for this package alone to read.
type StoredProfile struct {
	Key     ai.Key
	Feature string
	Start   time.Time
	Length  time.Duration
	Data    []byte
}

// ProfileQuery selects rows of one model version.
type ProfileQuery struct {
	Key ai.Key
	// Features are the rows wanted, "" among them for the windows themselves; nil
	// means all.
	Features []string
	Length   time.Duration
	// From and To bound the start of windows: From is in the range, To is not.
	From, To time.Time
}

// ProfileStore keeps the profiles of closed windows for as long as configured.
type ProfileStore interface {
	// SaveProfiles stores rows, all or none, and returns when they are durable. A row
	// of the same key, feature, start and length is replaced. The rows stay the
	// caller's.
	SaveProfiles(ctx context.Context, rows []StoredProfile) error
	// Profiles returns rows by start and then feature. They belong to the caller.
	Profiles(ctx context.Context, q ProfileQuery) ([]StoredProfile, error)
}

// StoredBaseline is one baseline. Info and Data are for this package alone to
// read: Info is small and always there, Data is the whole baseline.
type StoredBaseline struct {
	ID     string
	Key    ai.Key
	Number int
	Active bool
	Info   []byte
	Data   []byte
}

// BaselineStore keeps baselines until they are deleted.
type BaselineStore interface {
	// Baselines returns all baselines; Data may be left out.
	Baselines(ctx context.Context) ([]StoredBaseline, error)
	// Baseline returns one with its Data; ok is false where there is none.
	Baseline(ctx context.Context, id string) (b StoredBaseline, ok bool, err error)
	// SaveBaseline stores a baseline in place of the one with the same id, if any,
	// and returns when it is durable. If it is active, the others of its key are not
	// from then on. Nil Data leaves what is stored.
	SaveBaseline(ctx context.Context, b StoredBaseline) error
	// DeleteBaseline forgets a baseline; one that is not there is no error.
	DeleteBaseline(ctx context.Context, id string) error
}
