// Package raw keeps single inferences in DuckDB files, one a day (by the
// inference's timestamp, in UTC), to be listed, filtered and exported.
//
// It keeps all inferences up to a number of bytes a day, and beyond that all
// failed ones and a sample of the rest; how many inferences a row stands for is
// in its column weight. It is an excerpt for people to look at, written behind
// the segment log: nothing is accepted because it is here.
//
// DuckDB is opened when it is first needed and closed when it is idle. It is the
// only package of the inference store that imports it.
package raw

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Options configures a Store.
type Options struct {
	// Disabled turns raw inferences off: there is no Store then.
	Disabled bool
	// Dir holds the files. The inference store sets it.
	Dir string
	// DayBytes is up to how many bytes of text and numbers a day all inferences
	// are kept; default 1 GiB. Negative means none.
	DayBytes int64
	// SampleRate is the share of successful inferences kept beyond; default 0.01.
	// Negative means none.
	SampleRate float64
	// Retention and MaxBytes bound what is kept, by the day and by the size of
	// all files; defaults 15 days and 10 GiB.
	Retention time.Duration
	MaxBytes  int64
	// Exclude and Hash are patterns (as of path.Match) of features whose values
	// are left out, or replaced by a keyed hash: equal values stay equal, and the
	// key does not leave this directory. "@prediction" is the prediction.
	Exclude []string
	Hash    []string
	// MemoryLimit and Threads bound DuckDB; defaults "64MB" and 1.
	MemoryLimit string
	Threads     int
	// IdleAfter is how long DuckDB stays open unused; default 5 minutes.
	IdleAfter time.Duration
	Logger    *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	if o.DayBytes == 0 {
		o.DayBytes = 1 << 30
	}
	if o.SampleRate == 0 {
		o.SampleRate = 0.01
	}
	if o.Retention <= 0 {
		o.Retention = 15 * 24 * time.Hour
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 10 << 30
	}
	if o.MemoryLimit == "" {
		o.MemoryLimit = "64MB"
	}
	if o.Threads <= 0 {
		o.Threads = 1
	}
	if o.IdleAfter <= 0 {
		o.IdleAfter = 5 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Store keeps the files. It is safe for concurrent use; one thing is done at a time.
type Store struct {
	o   Options
	key []byte // Of hashed values; nil without any.

	mu       sync.Mutex
	db       *sql.DB
	conn     *sql.Conn
	attached map[string]*day // By date.
	used     time.Time
	swept    time.Time
	features map[string]treatment
	text     []byte // Scratch.
	closed   bool

	statsMu sync.Mutex
	stats   Stats
	today   string // The latest day that was full.
}

// Stats counts since Open.
type Stats struct {
	Rows      uint64 // Kept.
	LeftOut   uint64 // Not kept because the day was full.
	TooOld    uint64 // Not kept because older than the retention.
	Corrupt   uint64 // Files set aside.
	Bytes     int64  // Size of all files, as of the last sweep.
	Exporting bool   // DuckDB is open.
}

// Status says whether inferences are sampled.
type Status struct {
	// Sampling is whether successful inferences of today are sampled.
	Sampling bool `json:"sampling"`
	// SampleRate is the share that is kept then.
	SampleRate float64 `json:"sample_rate"`
	// DayBytes is the size from which a day is sampled.
	DayBytes int64 `json:"day_bytes"`
	// Reason says it in words; empty while everything is kept.
	Reason string `json:"reason,omitempty"`
}

// day is an attached file.
type day struct {
	date     string
	catalog  string
	position uint64 // Up to where the log is in it.
	bytes    int64
	leftOut  int64
	used     time.Time
}

// treatment is what is done to a feature.
type treatment uint8

const (
	keep treatment = iota
	exclude
	hash
)

// Open checks the options and the directory. DuckDB is not opened yet.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	for _, p := range slices.Concat(o.Exclude, o.Hash) {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("pattern of features %q: %w", p, err)
		}
	}
	if o.SampleRate > 1 {
		return nil, fmt.Errorf("sample rate %v is above 1", o.SampleRate)
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make directory of raw inferences: %w", err)
	}
	s := &Store{o: o, attached: map[string]*day{}, features: map[string]treatment{}}
	if len(o.Hash) > 0 {
		if err := s.loadKey(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// loadKey reads the key of hashed values, and makes it the first time.
func (s *Store) loadKey() error {
	file := filepath.Join(s.o.Dir, "hash.key")
	key, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key) // It does not fail.
		err = os.WriteFile(file, key, 0o600)
	}
	if err != nil {
		return fmt.Errorf("key of hashed features: %w", err)
	}
	if len(key) != 32 {
		return fmt.Errorf("key of hashed features: %s has %d bytes instead of 32: delete it to hash by a new one", file, len(key))
	}
	s.key = key
	return nil
}

// treat says what is done to a feature. It is called under mu.
func (s *Store) treat(name string) treatment {
	if len(s.o.Exclude) == 0 && len(s.o.Hash) == 0 {
		return keep
	}
	if t, ok := s.features[name]; ok {
		return t
	}
	t := keep
	match := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, name); return ok })
	}
	switch {
	case match(s.o.Exclude):
		t = exclude
	case match(s.o.Hash):
		t = hash
	}
	if len(s.features) > 1<<14 {
		clear(s.features)
	}
	s.features[strings.Clone(name)] = t
	return t
}

// open opens DuckDB if it is not. It is called under mu.
func (s *Store) open(ctx context.Context) error {
	if s.closed {
		return errors.New("raw inferences are closed")
	}
	s.used = s.o.Now()
	if s.conn != nil {
		return nil
	}
	temp := filepath.Join(s.o.Dir, "tmp")
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return fmt.Errorf("open DuckDB: %w", err)
	}
	db := sql.OpenDB(connector)
	conn, err := db.Conn(ctx)
	if err != nil {
		return errors.Join(fmt.Errorf("open DuckDB: %w", err), db.Close())
	}
	for _, set := range []string{
		"SET memory_limit = " + quote(s.o.MemoryLimit),
		fmt.Sprintf("SET threads = %d", s.o.Threads),
		"SET temp_directory = " + quote(temp),
		"SET TimeZone = 'UTC'",
		"SET autoinstall_known_extensions = false",
		"SET preserve_insertion_order = false",
		"SET wal_autocheckpoint = '16MB'",
		"SET allocator_flush_threshold = '8MB'",
		"SET allocator_bulk_deallocation_flush_threshold = '8MB'",
		"SET allocator_background_threads = true",
	} {
		if _, err := conn.ExecContext(ctx, set); err != nil {
			return errors.Join(fmt.Errorf("open DuckDB: %s: %w", set, err), conn.Close(), db.Close())
		}
	}
	s.db, s.conn = db, conn
	return nil
}

// shut closes DuckDB. It is called under mu.
func (s *Store) shut() error {
	if s.conn == nil {
		return nil
	}
	var err error
	for _, d := range s.attached {
		err = errors.Join(err, s.detach(d))
	}
	err = errors.Join(err, s.conn.Close(), s.db.Close())
	s.db, s.conn = nil, nil
	clear(s.attached)
	return err
}

func (s *Store) detach(d *day) error {
	delete(s.attached, d.date)
	if _, err := s.conn.ExecContext(context.Background(), "DETACH DATABASE IF EXISTS "+d.catalog); err != nil {
		return fmt.Errorf("close raw inferences of %s: %w", d.date, err)
	}
	return nil
}

const (
	filePrefix = "raw-"
	fileExt    = ".duckdb"
)

func (s *Store) file(date string) string { return filepath.Join(s.o.Dir, filePrefix+date+fileExt) }

// maxAttached is how many days are open at once.
const maxAttached = 4

const schema = `
CREATE TABLE IF NOT EXISTS %[1]s.inferences (
	position UBIGINT, timestamp TIMESTAMP_NS, service VARCHAR, model VARCHAR, model_version VARCHAR, endpoint VARCHAR,
	request_id VARCHAR, duration_seconds DOUBLE, status_code INTEGER, error VARCHAR, failed BOOLEAN,
	features VARCHAR, prediction VARCHAR, probabilities VARCHAR, input_tokens UBIGINT, output_tokens UBIGINT,
	time_to_first_token_seconds DOUBLE, tags VARCHAR, weight DOUBLE);
CREATE TABLE IF NOT EXISTS %[1]s.progress (position UBIGINT, bytes BIGINT, left_out BIGINT);`

// attach opens the file of a day, and makes it if make is set. It returns nil if
// there is none. A file that cannot be read is set aside. It is called under mu.
func (s *Store) attach(ctx context.Context, date string, create bool) (*day, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	if d := s.attached[date]; d != nil {
		d.used = s.o.Now()
		return d, nil
	}
	file := s.file(date)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	for len(s.attached) >= maxAttached {
		var oldest *day
		for _, d := range s.attached {
			if oldest == nil || d.used.Before(oldest.used) {
				oldest = d
			}
		}
		if err := s.detach(oldest); err != nil {
			return nil, err
		}
	}
	d := &day{date: date, catalog: "d" + strings.ReplaceAll(date, "-", ""), used: s.o.Now()}
	err := s.load(ctx, d, file)
	if err != nil && ctx.Err() == nil && isCorrupt(err) {
		if serr := s.setAside(file, err); serr != nil {
			return nil, serr
		}
		if !create {
			return nil, nil
		}
		err = s.load(ctx, d, file)
	}
	if err != nil {
		return nil, fmt.Errorf("open raw inferences of %s: %w", date, err)
	}
	s.attached[date] = d
	return d, nil
}

func (s *Store) load(ctx context.Context, d *day, file string) error {
	// A file that failed halfway may still be attached.
	if _, err := s.conn.ExecContext(ctx, "DETACH DATABASE IF EXISTS "+d.catalog); err != nil {
		return err
	}
	// Row groups of the default size, 122,880 rows as wide as these, would take more
	// than the memory limit each, and be written again with every checkpoint.
	if _, err := s.conn.ExecContext(ctx, fmt.Sprintf("ATTACH %s AS %s (ROW_GROUP_SIZE 16384)", quote(file), d.catalog)); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, fmt.Sprintf(schema, d.catalog)); err != nil {
		return err
	}
	row := s.conn.QueryRowContext(ctx, "SELECT position, bytes, left_out FROM "+d.catalog+".progress")
	switch err := row.Scan(&d.position, &d.bytes, &d.leftOut); {
	case errors.Is(err, sql.ErrNoRows):
		_, err := s.conn.ExecContext(ctx, "INSERT INTO "+d.catalog+".progress VALUES (0, 0, 0)")
		return err
	default:
		return err
	}
}

// isCorrupt tells a damaged file from a lack of memory, disk or rights.
func isCorrupt(err error) bool {
	e, ok := errors.AsType[*duckdb.Error](err)
	if !ok {
		return false
	}
	switch e.Type {
	case duckdb.ErrorTypeSerialization, duckdb.ErrorTypeInternal, duckdb.ErrorTypeFatal, duckdb.ErrorTypeCatalog, duckdb.ErrorTypeBinder:
		return true
	}
	for _, sign := range []string{"not a valid DuckDB database file", "orrupt", "checksum", "Failed to load metadata", "Could not read enough bytes", "Failure while replaying WAL", "version number"} {
		if strings.Contains(e.Msg, sign) {
			return true
		}
	}
	return false
}

// setAside renames a damaged file. It is called under mu.
func (s *Store) setAside(file string, why error) error {
	if _, err := s.conn.ExecContext(context.Background(), "SELECT 1"); err != nil {
		// A fatal error ends the whole database.
		_ = s.reset() // It fails as everything does now.
		if err := s.open(context.Background()); err != nil {
			return err
		}
	}
	name := fmt.Sprintf("%s.corrupt-%d", file, s.o.Now().Unix())
	s.o.Logger.Error("A file of raw inferences is damaged and set aside", "file", filepath.Base(file), "as", filepath.Base(name), "err", why)
	s.statsMu.Lock()
	s.stats.Corrupt++
	s.statsMu.Unlock()
	if err := os.Rename(file, name); err != nil {
		return fmt.Errorf("set aside damaged file: %w", err)
	}
	if err := os.Rename(file+".wal", name+".wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set aside damaged file: %w", err)
	}
	return nil
}

// Days lists the dates that there are files of, oldest first.
func (s *Store) Days() ([]string, error) {
	entries, err := os.ReadDir(s.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("list raw inferences: %w", err)
	}
	var out []string
	for _, e := range entries {
		date, ok := strings.CutPrefix(e.Name(), filePrefix)
		date, ok2 := strings.CutSuffix(date, fileExt)
		if _, err := time.Parse(time.DateOnly, date); ok && ok2 && err == nil {
			out = append(out, date)
		}
	}
	slices.Sort(out)
	return out, nil
}

// Tidy deletes what is past the retention, and closes DuckDB if it is idle. Call
// it every now and then.
func (s *Store) Tidy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	var err error
	if s.conn != nil && now.Sub(s.used) >= s.o.IdleAfter {
		err = s.shut()
	}
	if now.Sub(s.swept) >= time.Minute {
		s.swept = now
		err = errors.Join(err, s.sweep(now))
	}
	return err
}

// sweep deletes days, the oldest first.
func (s *Store) sweep(now time.Time) error {
	days, err := s.Days()
	if err != nil {
		return err
	}
	sizes := make([]int64, len(days))
	var total int64
	for i, date := range days {
		for _, f := range [...]string{s.file(date), s.file(date) + ".wal"} {
			if info, err := os.Stat(f); err == nil {
				sizes[i] += info.Size()
			}
		}
		total += sizes[i]
	}
	first := now.Add(-s.o.Retention).UTC().Format(time.DateOnly)
	for i, date := range days {
		// The newest day stays, whatever its size.
		if date >= first && (total <= s.o.MaxBytes || i == len(days)-1) {
			continue
		}
		if d := s.attached[date]; d != nil {
			if err := s.detach(d); err != nil {
				return err
			}
		}
		if err := os.Remove(s.file(date)); err != nil {
			return fmt.Errorf("delete raw inferences: %w", err)
		}
		if err := os.Remove(s.file(date) + ".wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("delete raw inferences: %w", err)
		}
		s.o.Logger.Info("Deleted raw inferences past the retention", "day", date, "bytes", sizes[i])
		total -= sizes[i]
	}
	s.statsMu.Lock()
	s.stats.Bytes = total
	s.statsMu.Unlock()
	return nil
}

// Stats counts.
func (s *Store) Stats() Stats {
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	return s.stats
}

// Status says whether inferences are being sampled.
func (s *Store) Status() Status {
	out := Status{SampleRate: max(s.o.SampleRate, 0), DayBytes: max(s.o.DayBytes, 0)}
	out.Sampling = s.Full(s.o.Now())
	if out.Sampling {
		out.Reason = fmt.Sprintf("today has more than %d MiB of raw inferences: all errors and %g%% of the rest are kept",
			out.DayBytes>>20, 100*out.SampleRate)
	}
	return out
}

// Full reports whether the day of t takes a sample only.
func (s *Store) Full(t time.Time) bool {
	if s.o.DayBytes < 0 {
		return true
	}
	s.statsMu.Lock()
	defer s.statsMu.Unlock()
	return s.today == t.UTC().Format(time.DateOnly)
}

// Close closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.shut()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
