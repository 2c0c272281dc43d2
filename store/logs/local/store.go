// Package local is the store of logs inside modelwatch: DuckDB files, one or two a day.
//
// It knows streams, times and lines and how to look into lines for text. It does not know LogQL: what a query wants
// beyond a logs.Selection is the query engine's work.
//
// Entries go into the hot file of their day, in the order of arrival, and an Append returns when DuckDB has committed
// them to its write-ahead log. Appends that wait at the same time share one commit. When a day is over it is sealed:
// rewritten, sorted by hour, stream and time, compressed by Zstandard, and from then on only read. A day is a file that
// any DuckDB opens; its view "entries" has times, labels and lines side by side.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/logs/drain"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Store is a store of logs in a directory. Its methods may be called from many goroutines.
type Store struct {
	o       Options
	lock    *dirLock
	metrics *metrics
	limits  *limiter
	queue   *queue
	tails   tails
	deletes deleteLog

	patterns patternLog

	// writing is held by whoever changes files: a commit, a seal's beginning and end, a delete.
	writing sync.Mutex
	writer  *duck.Conn
	arena   *duck.Arena
	recent  *recent
	// stale are replaced segments that could not be let go yet.
	stale []*segment

	// mu guards days and everything in segments that says so, db and the pool.
	mu      sync.RWMutex
	db      *duck.DB
	idle    []*duck.Conn
	days    map[int64]*day
	asideMu sync.Mutex
	aside   []SetAside
	closed  bool
	slots   chan struct{}
	cancel  context.CancelFunc
	// reading ends with the store.
	reading context.Context
	running sync.WaitGroup
	// sealing makes seals, deletes and retention take turns.
	sealing sync.Mutex
}

// day is what the store has of one day.
type day struct {
	// segments are ordered by generation, a sealed one before the hot one of the same generation. The last one is the
	// hot one that takes new entries, if there is one.
	segments []*segment
	// streams is what deduplication knows, by hash of the label set; values counts label values. Both belong to the writer.
	streams map[uint64]*dayStream
	values  map[string]map[string]struct{}
}

// hot is the segment that takes new entries.
func (d *day) hot() *segment {
	if n := len(d.segments); n > 0 && !d.segments[n-1].sealed {
		return d.segments[n-1]
	}
	return nil
}

// SetAside is a file that could not be read and was renamed.
type SetAside struct {
	Day    string    `json:"day"`
	File   string    `json:"file"`
	Reason string    `json:"reason"`
	Time   time.Time `json:"time"`
}

// Open opens the store in o.Dir and starts its writer and its housekeeping. A file that turns out to be corrupt is set
// aside and reported by Status; every other failure to open is returned.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if o.Dir == "" {
		return nil, errors.New("open log store: no directory given")
	}
	if o.TempDir == "" {
		o.TempDir = filepath.Join(o.Dir, "tmp")
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make log store directory: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		o: o, lock: lock, metrics: newMetrics(o.Registerer), limits: newLimiter(o),
		queue: newQueue(), recent: newRecent(recentEntries),
		days: map[int64]*day{}, slots: make(chan struct{}, o.Queries),
	}
	if err := errors.Join(s.oldSetAside(), s.open(ctx)); err != nil {
		s.shut()
		return nil, errors.Join(err, lock.release())
	}
	if err := s.deletes.load(filepath.Join(o.Dir, "deletes.json")); err != nil {
		s.shut()
		return nil, errors.Join(err, lock.release())
	}
	s.patterns = patternLog{samples: make(chan []sample, 64), miners: map[string]*drain.Miner{}, counts: map[patternKey]int64{}, fresh: s.metrics.patterns.Inc}
	s.metrics.observe(s)
	background, cancel := context.WithCancel(context.Background())
	s.cancel, s.reading = cancel, background
	s.running.Go(func() { s.write(background) })
	s.running.Go(func() { s.housekeep(background) })
	s.running.Go(func() { s.minePatterns(background) })
	return s, nil
}

// open starts DuckDB and attaches all files.
func (s *Store) open(ctx context.Context) error {
	temp := filepath.Join(s.o.TempDir, "modelwatch-logs")
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("clear temp directory: %w", err)
	}
	if err := os.MkdirAll(temp, 0o755); err != nil {
		return fmt.Errorf("make temp directory: %w", err)
	}
	db, err := duck.Open("", map[string]string{
		"memory_limit":                 mebibytes(s.o.MemoryLimit),
		"threads":                      fmt.Sprint(s.o.Threads),
		"temp_directory":               temp,
		"max_temp_directory_size":      mebibytes(s.o.TempLimit),
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
		// A log of this size is read again in half a second; a smaller one is written back into the file so often that
		// commits wait for it.
		"checkpoint_threshold": "64MiB",
	})
	if err != nil {
		return fmt.Errorf("open log store: %w", err)
	}
	s.db = db
	if s.writer, err = db.Conn(); err != nil {
		return err
	}
	if s.arena, err = duck.NewArena(1 << 20); err != nil {
		return err
	}
	if err := s.writer.Exec(ctx, "CREATE TEMP TABLE candidates (stream UINTEGER, ts BIGINT)"); err != nil {
		return fmt.Errorf("prepare log store: %w", err)
	}
	return s.attachAll(ctx)
}

// attachAll finds the files that count, removes those that a sealed one has replaced, and attaches the rest.
func (s *Store) attachAll(ctx context.Context) error {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return fmt.Errorf("list log store directory: %w", err)
	}
	found := map[int64][]*segment{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") || strings.HasSuffix(e.Name(), ".tmp.wal") {
			if err := os.Remove(filepath.Join(s.o.Dir, e.Name())); err != nil {
				return fmt.Errorf("remove unfinished file: %w", err)
			}
			continue
		}
		if g, ok := parseSegment(s.o.Dir, e.Name()); ok {
			found[g.day] = append(found[g.day], g)
		}
	}
	for n, segments := range found {
		newest := -1
		for _, g := range segments {
			if g.sealed {
				newest = max(newest, g.gen)
			}
		}
		d := s.day(n)
		for _, g := range segments {
			if g.gen < newest {
				if err := g.remove(); err != nil {
					return err
				}
				continue
			}
			err := g.attach(ctx, s.writer)
			if err != nil {
				if !corrupt(err) {
					return err
				}
				if err := s.setAside(ctx, g, err); err != nil {
					return err
				}
				continue
			}
			g.last = s.o.Now()
			d.segments = append(d.segments, g)
		}
		d.sort()
		d.learn()
		if len(d.segments) == 0 {
			delete(s.days, n)
		}
	}
	return nil
}

func (d *day) sort() {
	slices.SortFunc(d.segments, func(a, b *segment) int {
		if a.gen != b.gen {
			return a.gen - b.gen
		}
		if a.sealed == b.sealed {
			return 0
		}
		if a.sealed {
			return -1
		}
		return 1
	})
}

// learn fills what the writer knows of the day from its segments.
func (d *day) learn() {
	for _, g := range d.segments {
		for i := range g.streams {
			st := &g.streams[i]
			ds := d.stream(st.labels.Hash())
			if st.rows > 0 {
				ds.max = max(ds.max, st.last)
				ds.floor = max(ds.floor, st.last)
			}
			d.count(st)
		}
	}
}

// day returns the day of that number, making it if it is not there.
func (s *Store) day(n int64) *day {
	d := s.days[n]
	if d == nil {
		d = &day{streams: map[uint64]*dayStream{}, values: map[string]map[string]struct{}{}}
		s.days[n] = d
	}
	return d
}

// Close commits what is waiting, stops housekeeping and closes all files. Cursors must have been closed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.queue.close()
	s.cancel()
	s.running.Wait()
	s.flushPatterns(context.Background())
	s.tails.closeAll()
	s.metrics.forget(s.o.Registerer)
	// Whoever still reads holds a slot.
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	s.shut()
	return s.lock.release()
}

// shut closes connections and the engine, which writes its logs back into the files.
func (s *Store) shut() {
	for _, c := range s.idle {
		c.Close()
	}
	s.idle = nil
	if s.writer != nil {
		s.writer.Close()
		s.writer = nil
	}
	if s.arena != nil {
		if err := s.arena.Close(); err != nil {
			s.o.Logger.Warn("release memory of the log writer", "err", err)
		}
		s.arena = nil
	}
	if s.db != nil {
		s.db.Close()
		s.db = nil
	}
}

// ErrClosed is returned by a store that was closed.
var ErrClosed = errors.New("log store is closed")

// conn waits for a place among the queries and returns a connection for it.
func (s *Store) conn(ctx context.Context) (*duck.Conn, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		if s.reading.Err() != nil {
			return nil, ErrClosed
		}
		return nil, fmt.Errorf("wait for one of %d places for log queries: %w", cap(s.slots), context.Cause(ctx))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.db == nil {
		<-s.slots
		return nil, ErrClosed
	}
	if n := len(s.idle); n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return c, nil
	}
	c, err := s.db.Conn()
	if err != nil {
		<-s.slots
		return nil, err
	}
	return c, nil
}

// putConn gives a connection and its place back.
func (s *Store) putConn(c *duck.Conn) {
	s.mu.Lock()
	s.idle = append(s.idle, c)
	s.mu.Unlock()
	<-s.slots
}
