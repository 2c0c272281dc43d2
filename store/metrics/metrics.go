// Package metrics is the store of samples: the Prometheus TSDB on this
// machine, and remote write and read to any other store that speaks
// Prometheus's protocols. It is the only package that opens a TSDB. It does
// not scrape, query or judge.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// Options is what a Store needs to open.
type Options struct {
	// Dir is the directory of the TSDB; it is made if it does not exist.
	Dir string
	// Config is the first configuration: retention, out-of-order window,
	// exemplars, remote write and read are taken from it.
	Config *config.Config
	// MinBlockDuration is the length of the head before it is persisted;
	// zero means two hours.
	MinBlockDuration time.Duration
	// FlushDeadline bounds how long stopping waits for remote write.
	FlushDeadline time.Duration
	// Targets gives remote write the metadata of scraped targets.
	Targets remote.ReadyScrapeManager
	// Guard refuses writes while the disk is full; nil means no guard.
	Guard *Guard

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Store keeps samples. Its methods are safe for concurrent use.
type Store struct {
	db       *tsdb.DB
	remote   *remote.Storage
	fanout   storage.Storage
	guard    *Guard
	count    *batches
	minBlock time.Duration

	applying sync.Mutex
	config   *config.Config // That was applied last.
	ahead    atomic.Int64   // Unix milliseconds until which samples are out of order; zero if they are not.
}

// Open opens the store and replays its log, so that every sample that was
// acknowledged before a crash is there again.
func Open(opts Options) (*Store, error) {
	if err := os.MkdirAll(opts.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make metrics directory: %w", err)
	}
	tsdbOptions := tsdb.DefaultOptions()
	tsdbOptions.WALCompression = compression.Snappy
	tsdbOptions.EnableExemplarStorage = true
	tsdbOptions.MaxExemplars = config.DefaultExemplarsConfig.MaxExemplars
	tsdbOptions.EnableOverlappingCompaction = true
	// The process holds one lock for the whole data directory.
	tsdbOptions.NoLockfile = true
	minBlock := opts.MinBlockDuration
	if minBlock == 0 {
		minBlock = 2 * time.Hour
	}
	tsdbOptions.MinBlockDuration = minBlock.Milliseconds()
	if cfg := opts.Config; cfg != nil {
		if exemplars := cfg.StorageConfig.ExemplarsConfig; exemplars != nil {
			tsdbOptions.MaxExemplars = exemplars.MaxExemplars
		}
		if t := cfg.StorageConfig.TSDBConfig; t != nil {
			tsdbOptions.OutOfOrderTimeWindow = t.OutOfOrderTimeWindow
			tsdbOptions.StaleSeriesCompactionThreshold = t.StaleSeriesCompactionThreshold
			if t.Retention != nil {
				tsdbOptions.RetentionDuration = time.Duration(t.Retention.Time).Milliseconds()
				tsdbOptions.MaxBytes = int64(t.Retention.Size)
				tsdbOptions.MaxPercentage = t.Retention.Percentage
			}
		}
	}
	// A block must not outlive a tenth of the retention, or deleting by age
	// would be too coarse.
	maxBlock := 31 * 24 * time.Hour
	if tsdbOptions.RetentionDuration > 0 {
		maxBlock = min(maxBlock, time.Duration(tsdbOptions.RetentionDuration)*time.Millisecond/10)
	}
	tsdbOptions.MaxBlockDuration = max(maxBlock, minBlock).Milliseconds()

	db, err := tsdb.Open(opts.Dir, opts.Logger.With("component", "tsdb"), opts.Registerer, tsdbOptions, tsdb.NewDBStats())
	if err != nil {
		return nil, fmt.Errorf("open metrics in %s: %w", opts.Dir, err)
	}
	flush := opts.FlushDeadline
	if flush == 0 {
		flush = 5 * time.Second
	}
	s := &Store{db: db, guard: opts.Guard, count: newBatches(opts.Registerer), minBlock: minBlock}
	s.remote = remote.NewStorage(opts.Logger.With("component", "remote"), opts.Registerer, s.startTime, opts.Dir, flush, opts.Targets, false)
	s.fanout = storage.NewFanout(opts.Logger, db, s.remote)
	db.SetWriteNotified(s.remote)
	if opts.Config != nil {
		if err := s.Apply(opts.Config); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// startTime is the oldest time of which this store can be asked, in
// milliseconds; remote read answers what is older.
func (s *Store) startTime() (int64, error) {
	start := time.Now().UnixMilli()
	if blocks := s.db.Blocks(); len(blocks) > 0 {
		start = blocks[0].Meta().MinTime
	}
	// A head that has just begun does not hold its whole range yet.
	return start + 2*s.minBlock.Milliseconds(), nil
}

// Apply takes over retention, out-of-order window, exemplar size and remote
// write and read of cfg.
func (s *Store) Apply(cfg *config.Config) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	s.config = cfg
	if err := s.reach(time.Now(), senderSkew); err != nil {
		return fmt.Errorf("apply storage configuration: %w", err)
	}
	if err := s.remote.ApplyConfig(cfg); err != nil {
		return fmt.Errorf("apply remote write and read: %w", err)
	}
	return nil
}

// Ahead returns how far the newest sample is dated ahead of now; negative if it
// is older, as it should be, or if there is none.
func (s *Store) Ahead(now time.Time) time.Duration {
	return time.UnixMilli(s.db.Head().MaxTime()).Sub(now)
}

// Reach sees to it that samples of now are taken although newer ones are there:
// those of a clock that was ahead. Without it they would be refused, as too old,
// until the clock has caught up. What was applied stays in force beside it.
func (s *Store) Reach(now time.Time) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.config == nil {
		return nil
	}
	if err := s.reach(now, 0); err != nil {
		return fmt.Errorf("accept samples out of order: %w", err)
	}
	return nil
}

// senderSkew is how far ahead clocks of senders are without this one having been
// wrong.
const senderSkew = time.Minute

// reach applies the configuration, and more where the newest sample is ahead of now
// by more than tolerance. The caller holds applying.
func (s *Store) reach(now time.Time, tolerance time.Duration) error {
	cfg, until := s.config, int64(0)
	if ahead := s.Ahead(now); ahead > tolerance {
		cfg, until = reaching(cfg, ahead), now.Add(ahead).UnixMilli()
	}
	if err := s.db.ApplyConfig(cfg); err != nil {
		return err
	}
	s.ahead.Store(until)
	return nil
}

// catchingUp reports whether the clock has yet to catch up with the newest sample.
func (s *Store) catchingUp() bool { return time.Now().UnixMilli() <= s.ahead.Load() }

// reachMargin is how much older than now samples may be while the newest is ahead
// of it.
const reachMargin = time.Hour

// reaching returns cfg with an out-of-order window that reaches from a sample so
// far ahead to now.
func reaching(cfg *config.Config, ahead time.Duration) *config.Config {
	out := *cfg
	var t config.TSDBConfig
	if cfg.StorageConfig.TSDBConfig != nil {
		t = *cfg.StorageConfig.TSDBConfig
	}
	t.OutOfOrderTimeWindow = max(t.OutOfOrderTimeWindow, (ahead + reachMargin).Milliseconds())
	out.StorageConfig.TSDBConfig = &t
	return &out
}

// Close flushes remote write within its deadline and closes the TSDB.
func (s *Store) Close() error {
	if err := s.fanout.Close(); err != nil {
		return fmt.Errorf("close metrics store: %w", err)
	}
	return nil
}

// Dir is the directory of the TSDB.
func (s *Store) Dir() string { return s.db.Dir() }

// Local answers from this machine alone.
func (s *Store) Local() storage.Queryable { return s.db }

// LocalChunks answers from this machine alone, in samples or chunks.
func (s *Store) LocalChunks() storage.SampleAndChunkQueryable { return s.db }

// Exemplars answers queries for exemplars.
func (s *Store) Exemplars() storage.ExemplarQueryable { return s.db }

// Queryable answers from this machine and from remote read.
func (s *Store) Queryable() storage.SampleAndChunkQueryable { return s.fanout }

// Appendable takes samples in, guarded against a full disk, and hands them to
// remote write too.
func (s *Store) Appendable() storage.Appendable {
	return guardedAppendable{next: s.fanout, guard: s.guard, count: s.count, catchingUp: s.catchingUp}
}

// AppendableV2 is Appendable in the second form of Prometheus's interface.
func (s *Store) AppendableV2() storage.AppendableV2 {
	return guardedAppendableV2{next: s.fanout, guard: s.guard, count: s.count}
}

// Usage is what the store takes on disk and in memory.
type Usage struct {
	// Series is the number of series in memory.
	Series uint64
	// Blocks is the number of persisted blocks.
	Blocks int
	// BlockBytes is the size of these blocks.
	BlockBytes int64
	// WALBytes is the size of the write-ahead log.
	WALBytes int64
	// OldestMillis and NewestMillis bound the samples, as Unix milliseconds.
	OldestMillis, NewestMillis int64
}

// Usage measures the store.
func (s *Store) Usage() Usage {
	u := Usage{
		Series:       s.db.Head().NumSeries(),
		OldestMillis: s.db.Head().MinTime(),
		NewestMillis: s.db.Head().MaxTime(),
	}
	for _, b := range s.db.Blocks() {
		u.Blocks++
		u.BlockBytes += b.Size()
		u.OldestMillis = min(u.OldestMillis, b.Meta().MinTime)
	}
	entries, err := os.ReadDir(filepath.Join(s.db.Dir(), "wal"))
	if err != nil {
		return u
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			u.WALBytes += info.Size()
		}
	}
	return u
}

// The methods below are what Prometheus's HTTP API asks of a TSDB.

// CleanTombstones removes deleted samples from disk.
func (s *Store) CleanTombstones() error { return s.db.CleanTombstones() }

// BlockMetas describes the persisted blocks.
func (s *Store) BlockMetas() ([]tsdb.BlockMeta, error) { return s.db.BlockMetas(), nil }

// Delete marks samples in [mint, maxt] of matching series as deleted.
func (s *Store) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	return s.db.Delete(ctx, mint, maxt, ms...)
}

// Snapshot copies the store to dir by hard links.
func (s *Store) Snapshot(dir string, withHead bool) error { return s.db.Snapshot(dir, withHead) }

// Stats says which labels and metrics made the series in memory.
func (s *Store) Stats(statsByLabelName string, limit int) (*tsdb.Stats, error) {
	return s.db.Head().Stats(statsByLabelName, limit), nil
}

// WALReplayStatus is always that of a finished replay: the store is not
// handed out before.
func (s *Store) WALReplayStatus() (tsdb.WALReplayStatus, error) { return tsdb.WALReplayStatus{}, nil }
