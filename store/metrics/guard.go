package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sys/unix"
)

// ErrDiskFull is the answer to a write while the disk has no room. Reading
// and notifying go on; writing resumes by itself when there is space.
var ErrDiskFull = errors.New("disk full: writes are refused until there is space")

// Levels of the guard, in falling order of free space.
const (
	levelFree int32 = iota
	// levelReserved leaves room only for what modelwatch says of itself, so
	// that the alert on the full disk has data to stand on.
	levelReserved
	levelFull
)

// SelfJob is the job whose samples may use the reserve of the disk.
const SelfJob = "modelwatch"

// GuardOptions sets up a Guard.
type GuardOptions struct {
	// Dir is any directory of the file system to watch.
	Dir string
	// Reserve is the free space in bytes below which writes are refused; zero
	// means the smaller of 64 MiB and 5 % of the file system.
	Reserve uint64
	// Interval is the time between two looks at the file system.
	Interval time.Duration

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Guard watches the free space of one file system. The TSDB must never meet
// a full disk in the middle of a log record: what it would write after that is
// cut off at the next replay, and that would be acknowledged data lost.
type Guard struct {
	opts    GuardOptions
	level   atomic.Int32
	free    atomic.Uint64
	size    atomic.Uint64
	reserve atomic.Uint64
	refused prometheus.Counter
}

// NewGuard looks at the file system once and returns the guard. Run keeps
// looking.
func NewGuard(opts GuardOptions) (*Guard, error) {
	if opts.Interval == 0 {
		opts.Interval = time.Second
	}
	g := &Guard{opts: opts, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "modelwatch_storage_refused_writes_total",
		Help: "Batches of samples refused because the disk is full.",
	})}
	if err := g.look(); err != nil {
		return nil, fmt.Errorf("read free space of %s: %w", opts.Dir, err)
	}
	if opts.Registerer != nil {
		opts.Registerer.MustRegister(
			g.refused,
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "modelwatch_storage_free_bytes",
				Help: "Free space of the file system that holds the data directory.",
			}, func() float64 { return float64(g.free.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "modelwatch_storage_size_bytes",
				Help: "Size of the file system that holds the data directory.",
			}, func() float64 { return float64(g.size.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "modelwatch_storage_reserve_bytes",
				Help: "Free space below which writes are refused.",
			}, func() float64 { return float64(g.reserve.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "modelwatch_storage_refusing_writes",
				Help: "1 while writes are refused because the disk is full, else 0.",
			}, func() float64 {
				if g.level.Load() == levelFree {
					return 0
				}
				return 1
			}),
		)
	}
	return g, nil
}

// Run looks at the file system until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	tick := time.NewTicker(g.opts.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := g.look(); err != nil {
				g.opts.Logger.Error("Cannot read free space", "dir", g.opts.Dir, "err", err)
			}
		}
	}
}

func (g *Guard) look() error {
	var st unix.Statfs_t
	if err := unix.Statfs(g.opts.Dir, &st); err != nil {
		return err
	}
	size := st.Blocks * uint64(st.Bsize)
	free := st.Bavail * uint64(st.Bsize)
	reserve := g.opts.Reserve
	if reserve == 0 {
		reserve = min(64<<20, size/20)
	}
	g.free.Store(free)
	g.size.Store(size)
	g.reserve.Store(reserve)
	level := levelFree
	switch {
	case free < reserve/4:
		level = levelFull
	case free < reserve:
		level = levelReserved
	}
	if old := g.level.Swap(level); old != level && g.opts.Logger != nil {
		if level == levelFree {
			g.opts.Logger.Info("There is space again, writing goes on", "free_bytes", free)
		} else {
			g.opts.Logger.Error("Disk full: writes are refused, reading and notifying go on", "dir", g.opts.Dir, "free_bytes", free, "reserve_bytes", reserve, "hint", "free some space or lower the retention; writing resumes by itself")
		}
	}
	return nil
}

// Refusing reports whether ordinary writes are refused at present.
func (g *Guard) Refusing() bool { return g != nil && g.level.Load() != levelFree }

// Free is the free space in bytes, as last looked at.
func (g *Guard) Free() uint64 { return g.free.Load() }

// now looks at the file system at once and returns the level. A disk can fill
// up within a moment, so every batch asks before it is written: looking costs
// about a microsecond.
func (g *Guard) now() int32 {
	if g == nil {
		return levelFree
	}
	if err := g.look(); err != nil {
		return g.level.Load()
	}
	return g.level.Load()
}

// admit says whether a sample with these labels may be written at this level.
func (g *Guard) admit(level int32, ls labels.Labels) error {
	if level == levelReserved {
		name := ls.Get(model.MetricNameLabel)
		if ls.Get("job") == SelfJob || name == "ALERTS" || name == "ALERTS_FOR_STATE" {
			return nil
		}
	}
	return ErrDiskFull
}

type guardedAppendable struct {
	next       storage.Appendable
	guard      *Guard
	count      *batches
	catchingUp func() bool
}

func (a guardedAppendable) Appender(ctx context.Context) storage.Appender {
	level := a.guard.now()
	app := storage.Appender(countingAppender{a.next.Appender(ctx), a.count, a.guard, level})
	if a.catchingUp() {
		app = lateAppender{app}
	}
	if level == levelFree {
		return app
	}
	a.guard.refused.Inc()
	return &pressedAppender{Appender: app, guard: a.guard, level: level}
}

// lateAppender takes samples out of order from those, too, who would rather have
// them refused: what rules record is in order only by a clock that never went back.
type lateAppender struct{ storage.Appender }

func (a lateAppender) SetOptions(opts *storage.AppendOptions) {
	if opts != nil && opts.DiscardOutOfOrder {
		changed := *opts
		changed.DiscardOutOfOrder = false
		opts = &changed
	}
	a.Appender.SetOptions(opts)
}

// pressedAppender admits only the samples that may use the reserve.
type pressedAppender struct {
	storage.Appender
	guard *Guard
	level int32
}

func (a *pressedAppender) Append(ref storage.SeriesRef, ls labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	if err := a.guard.admit(a.level, ls); err != nil {
		return 0, err
	}
	return a.Appender.Append(ref, ls, t, v)
}

func (a *pressedAppender) AppendHistogram(ref storage.SeriesRef, ls labels.Labels, t int64, h *histogram.Histogram, fh *histogram.FloatHistogram) (storage.SeriesRef, error) {
	if err := a.guard.admit(a.level, ls); err != nil {
		return 0, err
	}
	return a.Appender.AppendHistogram(ref, ls, t, h, fh)
}

func (a *pressedAppender) AppendExemplar(storage.SeriesRef, labels.Labels, exemplar.Exemplar) (storage.SeriesRef, error) {
	return 0, ErrDiskFull
}

func (a *pressedAppender) UpdateMetadata(ref storage.SeriesRef, _ labels.Labels, _ metadata.Metadata) (storage.SeriesRef, error) {
	return ref, nil
}

type guardedAppendableV2 struct {
	next  storage.AppendableV2
	guard *Guard
	count *batches
}

func (a guardedAppendableV2) AppenderV2(ctx context.Context) storage.AppenderV2 {
	level := a.guard.now()
	app := storage.AppenderV2(countingAppenderV2{a.next.AppenderV2(ctx), a.count, a.guard, level})
	if level == levelFree {
		return app
	}
	a.guard.refused.Inc()
	return &pressedAppenderV2{AppenderV2: app, guard: a.guard, level: level}
}

type pressedAppenderV2 struct {
	storage.AppenderV2
	guard *Guard
	level int32
}

func (a *pressedAppenderV2) Append(ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	if err := a.guard.admit(a.level, ls); err != nil {
		return 0, err
	}
	return a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
}

// batches counts what became of batches of samples. A batch that is rolled back
// was refused in part or whole: nothing of it is stored.
type batches struct {
	stored, failed prometheus.Counter
}

func newBatches(reg prometheus.Registerer) *batches {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "modelwatch_storage_batches_total",
		Help: "Batches of samples handed to the metrics store, by what became of them.",
	}, []string{"result"})
	if reg != nil {
		reg.MustRegister(vec)
	}
	return &batches{stored: vec.WithLabelValues("stored"), failed: vec.WithLabelValues("failed")}
}

func (b *batches) done(err error) error {
	if err != nil {
		b.failed.Inc()
	} else {
		b.stored.Inc()
	}
	return err
}

func (b *batches) undone(err error) error {
	b.failed.Inc()
	return err
}

// room refuses a batch whose disk has filled up since it was begun.
func room(g *Guard, begun int32) error {
	if g != nil && g.now() > begun {
		return ErrDiskFull
	}
	return nil
}

type countingAppender struct {
	storage.Appender
	count *batches
	guard *Guard
	begun int32
}

func (a countingAppender) Commit() error {
	if err := room(a.guard, a.begun); err != nil {
		return errors.Join(err, a.Rollback())
	}
	return a.count.done(a.Appender.Commit())
}

func (a countingAppender) Rollback() error { return a.count.undone(a.Appender.Rollback()) }

type countingAppenderV2 struct {
	storage.AppenderV2
	count *batches
	guard *Guard
	begun int32
}

func (a countingAppenderV2) Commit() error {
	if err := room(a.guard, a.begun); err != nil {
		return errors.Join(err, a.Rollback())
	}
	return a.count.done(a.AppenderV2.Commit())
}

func (a countingAppenderV2) Rollback() error { return a.count.undone(a.AppenderV2.Rollback()) }
