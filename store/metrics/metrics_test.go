package metrics

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func openStore(t *testing.T, dir string, g *Guard) *Store {
	t.Helper()
	cfg, err := config.Load("global: {}\n", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	cfg.StorageConfig.ExemplarsConfig = &config.ExemplarsConfig{MaxExemplars: 10}
	cfg.StorageConfig.TSDBConfig.Retention.Time = 15 * 24 * 3600 * 1e9
	s, err := Open(Options{Dir: dir, Config: cfg, Guard: g, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	return s
}

// write appends one sample of a job in both forms of the interface in turn.
func write(s *Store, job string, at time.Time, v float64) error {
	ls := labels.FromStrings("__name__", "m", "job", job)
	app := s.Appendable().Appender(context.Background())
	if _, err := app.Append(0, ls, at.UnixMilli(), v); err != nil {
		_ = app.Rollback()
		return err
	}
	if err := app.Commit(); err != nil {
		return err
	}
	app2 := s.AppendableV2().AppenderV2(context.Background())
	if _, err := app2.Append(0, ls, 0, at.UnixMilli()+1, v, nil, nil, storage.AppendV2Options{}); err != nil {
		_ = app2.Rollback()
		return err
	}
	return app2.Commit()
}

func count(t *testing.T, s *Store) int {
	t.Helper()
	q, err := s.Queryable().Querier(0, time.Now().Add(time.Hour).UnixMilli())
	require.NoError(t, err)
	defer func() { require.NoError(t, q.Close()) }()
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "__name__", "m"))
	n := 0
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() != 0 {
			n++
		}
	}
	require.NoError(t, set.Err())
	return n
}

func TestSamplesAreThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	now := time.Now().Add(-time.Minute)
	require.NoError(t, write(s, "a", now, 1))
	require.Equal(t, uint64(1), s.Usage().Series)
	require.Positive(t, s.Usage().WALBytes)
	require.NoError(t, s.Close())
	s = openStore(t, dir, nil)
	require.Equal(t, 2, count(t, s))
	require.NoError(t, s.Close())
}

// TestClockSetBack takes samples of now although newer ones are there, whether it is told or finds them when it starts.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	now := time.Now().Add(-5 * time.Hour) // Before all that the head holds by itself.
	require.NoError(t, write(s, "a", now.Add(-time.Minute), 1))
	require.Less(t, s.Ahead(now), time.Duration(0))
	require.NoError(t, s.Reach(now))
	require.NoError(t, write(s, "a", now.Add(4*time.Hour), 1))
	require.Equal(t, 4*time.Hour, s.Ahead(now).Round(time.Second))
	require.Error(t, write(s, "a", now, 1), "a test that cannot fail")
	require.NoError(t, s.Reach(now))
	require.NoError(t, write(s, "a", now, 1))
	require.NoError(t, write(s, "b", now.Add(-50*time.Minute), 1), "a series that is new, and late")
	require.Error(t, write(s, "a", now.Add(-2*time.Hour), 1), "older than the margin")
	require.NoError(t, s.Apply(s.config), "a reload, at a time at which nothing is ahead")
	require.Error(t, write(s, "a", now.Add(2*time.Minute), 1))
	require.NoError(t, s.Close())

	s = openStore(t, dir, nil)
	require.Equal(t, 8, count(t, s))
	require.NoError(t, write(s, "c", time.Now().Add(2*time.Hour), 1))
	require.NoError(t, s.Close())
	s = openStore(t, dir, nil)
	require.NoError(t, write(s, "c", time.Now(), 1), "it was started after the clock was set")
	// Rules ask for what is out of order to be refused.
	record := func(at time.Time) error {
		app := s.Appendable().Appender(t.Context())
		app.SetOptions(&storage.AppendOptions{DiscardOutOfOrder: true})
		if _, err := app.Append(0, labels.FromStrings("__name__", "m", "job", "c"), at.UnixMilli(), 1); err != nil {
			return errors.Join(err, app.Rollback())
		}
		return app.Commit()
	}
	require.NoError(t, record(time.Now().Add(time.Second)))
	s.ahead.Store(time.Now().Add(-time.Minute).UnixMilli()) // It has caught up.
	require.ErrorIs(t, record(time.Now().Add(2*time.Second)), storage.ErrOutOfOrderSample)
	require.NoError(t, s.Close())
}

// TestSenderAhead reloads while a sender's clock is a little ahead: samples out of order are refused as before.
func TestSenderAhead(t *testing.T) {
	s := openStore(t, t.TempDir(), nil)
	require.Less(t, s.Ahead(time.Now()), time.Duration(0), "there is no sample yet")
	require.NoError(t, write(s, "a", time.Now().Add(20*time.Second), 1))
	require.NoError(t, s.Apply(s.config))
	require.ErrorIs(t, write(s, "a", time.Now(), 1), storage.ErrOutOfOrderSample)
	require.False(t, s.catchingUp())
	require.NoError(t, s.Close())
}

// guard makes a guard whose reserve is a multiple of what is free now.
func guard(t *testing.T, multiple uint64) *Guard {
	t.Helper()
	dir := t.TempDir()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	g, err := NewGuard(GuardOptions{Dir: dir, Reserve: st.Bavail * uint64(st.Bsize) * multiple, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	return g
}

func TestReserveIsForWhatModelwatchSaysOfItself(t *testing.T) {
	g := guard(t, 2)
	require.True(t, g.Refusing())
	s := openStore(t, t.TempDir(), g)
	defer func() { require.NoError(t, s.Close()) }()
	now := time.Now().Add(-time.Minute)
	require.ErrorIs(t, write(s, "a", now, 1), ErrDiskFull)
	require.NoError(t, write(s, SelfJob, now, 1))
	require.Equal(t, 2, count(t, s))
	require.Positive(t, testutil.ToFloat64(g.refused))
	require.Positive(t, testutil.ToFloat64(s.count.failed))
}

func TestNothingIsWrittenToAFullDisk(t *testing.T) {
	s := openStore(t, t.TempDir(), guard(t, 8))
	defer func() { require.NoError(t, s.Close()) }()
	require.ErrorIs(t, write(s, SelfJob, time.Now().Add(-time.Minute), 1), ErrDiskFull)
	require.Equal(t, 0, count(t, s))
}

// A batch that was begun with room is refused if the disk has filled up since.
func TestDiskFillsUpDuringABatch(t *testing.T) {
	g := guard(t, 0) // The default reserve: there is room.
	require.False(t, g.Refusing())
	s := openStore(t, t.TempDir(), g)
	defer func() { require.NoError(t, s.Close()) }()
	app := s.AppendableV2().AppenderV2(t.Context())
	_, err := app.Append(0, labels.FromStrings("__name__", "m", "job", "a"), 0, time.Now().UnixMilli(), 1, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)
	g.opts.Reserve = g.Free() * 8
	require.ErrorIs(t, app.Commit(), ErrDiskFull)
	require.Equal(t, 0, count(t, s))
	// There is room again, without anybody's doing.
	g.opts.Reserve = 1
	require.NoError(t, write(s, "a", time.Now(), 1))
}

func TestGuardRuns(t *testing.T) {
	g := guard(t, 0)
	g.opts.Interval = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	g.level.Store(levelFull)
	require.Eventually(t, func() bool { return !g.Refusing() }, 5*time.Second, time.Millisecond)
	cancel()
	<-done
}

func BenchmarkGuardNow(b *testing.B) {
	g, err := NewGuard(GuardOptions{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	for b.Loop() {
		g.now()
	}
}
