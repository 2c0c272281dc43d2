// Package inferences stores what AI services inferred: first in a segment log,
// synced before anything counts as accepted, and from there, in the background,
// in files of one day each that can be queried.
//
// It hands every accepted batch, in the order of the log, to whoever analyses
// it, and joins ground truth to the inferences that it is about. It does not
// decode requests, and it does not analyse.
//
// # Order and repetition
//
// Options.Deliver gets each batch exactly once in the life of a process. After a
// restart it gets what lies behind the last Checkpoint again: an analysis that
// stores its state together with the position, and checkpoints that position,
// has counted every accepted record exactly once, whatever happened.
//
// # Ownership
//
// The slices that Deliver gets (records, labels, features, probabilities) are
// lent until it returns, and used again afterwards. Strings, vectors and tags in
// them are never changed and may be kept, but they may be part of a whole
// batch's text: who keeps one for long clones it.
package inferences

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/store/inferences/codec"
	"github.com/modelwatch/modelwatch/store/inferences/join"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
	"github.com/modelwatch/modelwatch/store/inferences/seglog"
)

// Position is a place in the log: behind the batch that it was given with.
// Positions only grow, over restarts too. The zero Position is the beginning.
type Position = seglog.Position

// Joined is an inference with the truth about it.
type Joined = join.Joined

// Batch is what arrived together, and is accepted or refused together.
type Batch struct {
	// ID makes a repetition count once; empty means that there is none to know.
	ID string
	// Arrival is when it came; the zero time means now.
	Arrival time.Time
	// Records are valid by ai.Inference.Validate and have timestamps in UTC
	// between the years 1678 and 2262. A batch has records or labels, not both.
	Records []ai.Inference
	Labels  []ai.Label
	// Release is called once when the batch's slices are no longer used, also
	// if the batch was refused; may be nil.
	Release func()
}

// Options configures a Store.
type Options struct {
	// Dir holds everything.
	Dir string
	// Deliver gets every batch in order, from one goroutine; see the package
	// comment. A nil Deliver means that nobody analyses, and nothing waits for
	// checkpoints.
	Deliver func(pos Position, records []ai.Inference, labels []ai.Label)
	// Joined gets what became complete by the batch of that position, before
	// Deliver gets the batch; may be nil. The slice is lent.
	Joined func(pos Position, joined []Joined)
	// Space says why the disk has no room for more, or nil; may be nil.
	Space func() error
	// MaxPendingBytes bounds the memory of batches that are on their way to disk
	// or to Deliver; default 24 MiB. Beyond it, a batch waits for MaxWait (default
	// one second), and then it is refused for a while.
	MaxPendingBytes int64
	MaxWait         time.Duration
	// MaxLogBytes bounds the log where it cannot be shortened because nobody
	// checkpoints; default 4 GiB.
	MaxLogBytes int64
	// SegmentBytes, IDHorizon and MaxIDs are as in seglog.Options.
	SegmentBytes int64
	IDHorizon    time.Duration
	MaxIDs       int
	// Join says how long inferences wait for labels; Join.Disabled for not at all.
	Join join.Options
	// Raw says which inferences can be queried; Raw.Disabled for none.
	Raw raw.Options
	// ExportInterval is how often Raw is brought up to date; default one second.
	ExportInterval time.Duration
	Logger         *slog.Logger
	Registerer     prometheus.Registerer
}

// Kinds of frames.
const (
	kindRecords = 1
	kindLabels  = 2
)

// Store keeps inferences. It is safe for concurrent use.
type Store struct {
	o       Options
	log     *seglog.Log
	joiner  *join.Joiner
	raw     *raw.Store
	metrics *storeMetrics
	places  *places
	begin   Position // The log's end when it was opened: what is before it is replayed.

	mu      sync.Mutex
	wake    sync.Cond
	queue   []*item
	pending int64         // Bytes of batches between Append and the end of Deliver.
	batches int           // Their number.
	room    chan struct{} // Closed and made anew when pending shrinks.
	closing bool

	started  bool
	replayed chan struct{}
	ctx      context.Context // Ends exporting.
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	once     sync.Once
	closeErr error
	exportMu sync.Mutex // One export at a time.
	failures int        // Of export in a row.
}

// item is a batch in memory.
type item struct {
	end     Position
	batch   Batch
	size    int64
	payload *payload
}

// payload is an encoder with its buffer.
type payload struct {
	enc codec.Encoder
	b   []byte
}

var payloads = sync.Pool{New: func() any { return new(payload) }}

// Open opens a store and repairs what a kill left behind. Nothing is delivered
// before Start.
func Open(o Options) (*Store, error) {
	if o.Dir == "" {
		return nil, errors.New("open inference store: no directory")
	}
	if o.MaxPendingBytes <= 0 {
		o.MaxPendingBytes = 24 << 20
	}
	if o.MaxWait <= 0 {
		o.MaxWait = time.Second
	}
	if o.MaxLogBytes <= 0 {
		o.MaxLogBytes = 4 << 30
	}
	if o.ExportInterval <= 0 {
		o.ExportInterval = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, replayed: make(chan struct{}), room: make(chan struct{})}
	s.wake.L = &s.mu
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open inference store: %w", err)
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := os.MkdirAll(s.o.Dir, 0o750); err != nil {
		return err
	}
	s.metrics = newMetrics(s)
	if s.places, err = openPlaces(filepath.Join(s.o.Dir, "positions.json")); err != nil {
		return err
	}
	s.log, err = seglog.Open(seglog.Options{
		Dir: filepath.Join(s.o.Dir, "log"), SegmentBytes: s.o.SegmentBytes,
		IDHorizon: s.o.IDHorizon, MaxIDs: s.o.MaxIDs,
		Synced: s.synced, Observe: s.metrics.observeSync, Logger: s.o.Logger,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.log.Close())
		}
	}()
	s.metrics.damaged.Add(float64(s.log.Recovery().DamagedBytes))
	s.begin = s.log.Synced()
	s.places.limit(s.begin)
	if !s.o.Join.Disabled {
		o := s.o.Join
		o.Dir, o.Logger = filepath.Join(s.o.Dir, "join"), s.o.Logger
		if s.joiner, err = join.Open(o, s.begin); err != nil {
			return err
		}
	}
	if !s.o.Raw.Disabled {
		o := s.o.Raw
		o.Dir, o.Logger = filepath.Join(s.o.Dir, "raw"), s.o.Logger
		if s.raw, err = raw.Open(o); err != nil {
			return err
		}
	}
	return s.metrics.register(s.o.Registerer)
}

// Start delivers what lies behind the last checkpoint and then what arrives.
func (s *Store) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.closing {
		return
	}
	s.started = true
	s.wg.Go(s.feed)
	if s.raw != nil {
		s.wg.Go(s.export)
	}
}

// Replayed is closed when everything from before Open has been delivered.
func (s *Store) Replayed() <-chan struct{} { return s.replayed }

// Append stores a batch and returns when it is on disk. duplicate is true if a
// batch of that identifier was stored before: it is not delivered again. Errors
// that stand for an HTTP status are *Error. If ctx ends first, whether the batch
// is stored is unknown, and its repetition under the same identifier is safe.
func (s *Store) Append(ctx context.Context, b Batch) (duplicate bool, err error) {
	release := sync.OnceFunc(func() {
		if b.Release != nil {
			b.Release()
		}
	})
	it := &item{batch: b, size: estimate(&b)}
	it.batch.Release = release
	if err := s.admit(ctx, it); err != nil {
		release()
		return false, err
	}
	p := payloads.Get().(*payload)
	f := seglog.Frame{ID: b.ID, Arrival: b.Arrival, Kind: kindRecords, Count: uint32(len(b.Records))}
	if f.Arrival.IsZero() {
		f.Arrival = time.Now()
	}
	if b.Labels != nil {
		f.Kind, f.Count = kindLabels, uint32(len(b.Labels))
		p.b = codec.AppendLabels(p.b[:0], b.Labels)
	} else {
		p.b = p.enc.AppendRecords(p.b[:0], b.Records)
	}
	f.Payload, it.payload = p.b, p
	duplicate, started, err := s.log.Append(ctx, f, it, func(err error) {
		s.metrics.refused.WithLabelValues(s.reason(err)).Inc()
		s.drop(it)
	})
	if err == nil && !duplicate {
		s.metrics.accepted.WithLabelValues(kindName(f.Kind)).Add(float64(f.Count))
		return false, nil
	}
	if started && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return false, err // The batch goes its way.
	}
	s.drop(it)
	if duplicate {
		s.metrics.duplicates.Inc()
		return true, nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false, err
	}
	s.metrics.refused.WithLabelValues(s.reason(err)).Inc()
	return false, s.explain(err)
}

// admit makes room for a batch, for which it may wait, or refuses it.
func (s *Store) admit(ctx context.Context, it *item) error {
	if s.o.Space != nil {
		if err := s.o.Space(); err != nil {
			s.metrics.refused.WithLabelValues("disk_full").Inc()
			return &Error{Status: http.StatusServiceUnavailable, After: 5 * time.Second, Err: err}
		}
	}
	late := time.NewTimer(s.o.MaxWait)
	defer late.Stop()
	for waited := false; ; {
		room, err := s.reserve(it, waited)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-late.C:
			waited = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reserve admits a batch or refuses it. If there may soon be room for it, it
// returns what is closed when there is more; unless it has waited already.
func (s *Store) reserve(it *item, waited bool) (room <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		s.metrics.refused.WithLabelValues("closed").Inc()
		return nil, &Error{Status: http.StatusServiceUnavailable, After: time.Second, Err: seglog.ErrClosed}
	}
	if s.log.Size() > s.o.MaxLogBytes {
		s.metrics.refused.WithLabelValues("log_full").Inc()
		return nil, &Error{Status: http.StatusServiceUnavailable, After: 5 * time.Second, Err: fmt.Errorf(
			"the inference log has reached %d MiB and cannot be shortened: analysis has not checkpointed", s.o.MaxLogBytes>>20)}
	}
	if s.batches > 0 && s.pending+it.size > s.o.MaxPendingBytes {
		if !waited {
			return s.room, nil
		}
		s.metrics.refused.WithLabelValues("overload").Inc()
		return nil, &Error{Status: http.StatusTooManyRequests, After: time.Second, Err: fmt.Errorf(
			"overloaded: %d batches (%d MiB) are on their way already", s.batches, s.pending>>20)}
	}
	s.pending += it.size
	s.batches++
	return nil, nil
}

// estimate is about how much memory a batch takes.
func estimate(b *Batch) int64 {
	n := int64(len(b.Labels)) * 100
	for i := range b.Records {
		n += 300 + 40*int64(len(b.Records[i].Features)) + 24*int64(len(b.Records[i].Probabilities))
	}
	// Vectors and texts: the first record speaks for the others.
	if len(b.Records) > 0 {
		var one int64
		for i := range b.Records[0].Features {
			v := b.Records[0].Features[i].Value
			one += 8 * int64(v.Dim())
			if s, ok := v.Str(); ok {
				one += int64(len(s))
			}
		}
		n += one * int64(len(b.Records))
	}
	return 2 * n // The form for the log, and what arenas have to spare.
}

// drop ends the life of a batch in memory.
func (s *Store) drop(it *item) {
	if it.payload != nil {
		if cap(it.payload.b) <= 8<<20 {
			payloads.Put(it.payload)
		}
		it.payload = nil
	}
	it.batch.Release()
	s.mu.Lock()
	s.pending -= it.size
	s.batches--
	close(s.room)
	s.room = make(chan struct{})
	s.mu.Unlock()
}

// synced takes over a batch that is on disk, in the order of the log.
func (s *Store) synced(end Position, value any) {
	it := value.(*item)
	it.end = end
	if cap(it.payload.b) <= 8<<20 {
		payloads.Put(it.payload)
	}
	it.payload = nil
	s.mu.Lock()
	s.queue = append(s.queue, it)
	s.wake.Signal()
	s.mu.Unlock()
}

// Synced is the place in the log up to which everything is on disk.
func (s *Store) Synced() Position { return s.log.Synced() }

// Checkpoint says that the analysis keeps everything up to pos by itself. It may
// be called at any time, from Deliver and after Close too.
func (s *Store) Checkpoint(pos Position) error {
	if err := s.places.set(func(p *placesFile) { p.Analysis = max(p.Analysis, pos) }); err != nil {
		return fmt.Errorf("checkpoint inferences: %w", err)
	}
	return s.shorten()
}

// Checkpointed is the position of the last Checkpoint.
func (s *Store) Checkpointed() Position { return s.places.get().Analysis }

// shorten deletes the part of the log that everyone is past.
func (s *Store) shorten() error {
	p := s.places.get()
	least := p.Analysis
	if s.o.Deliver == nil {
		least = s.log.Synced()
	}
	if s.joiner != nil {
		held, err := s.joiner.Commit(least)
		if err != nil {
			return fmt.Errorf("keep inferences that wait for labels: %w", err)
		}
		least = min(least, held)
	}
	if s.raw != nil {
		least = min(least, p.Export)
	}
	return s.log.Release(least)
}

// Close stops taking batches, delivers what was accepted, and closes the files.
// Senders should have been stopped before.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closing = true
		started := s.started
		s.mu.Unlock()
		err := s.log.Close()
		s.mu.Lock()
		s.wake.Signal()
		s.mu.Unlock()
		s.cancel()
		s.wg.Wait()
		if !started {
			s.discard()
		}
		if s.joiner != nil {
			err = errors.Join(err, s.joiner.Close())
		}
		if s.raw != nil {
			err = errors.Join(err, s.raw.Close())
		}
		s.metrics.unregister(s.o.Registerer)
		if err != nil {
			s.closeErr = fmt.Errorf("close inference store: %w", err)
		}
	})
	return s.closeErr
}

func kindName(kind uint8) string {
	if kind == kindLabels {
		return "label"
	}
	return "inference"
}
