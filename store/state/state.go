// Package state keeps what modelwatch must remember and what is small or looked
// up by name: baselines, profiles of windows, and named documents. It is one
// SQLite file.
//
// It gives what it holds no meaning: baselines and profiles are bytes here, which
// their owners encode. It holds no series, no log lines and no single inferences.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "github.com/mattn/go-sqlite3" // The driver.
)

// Options configures a DB.
type Options struct {
	// Path is the file; it is made if it is not there.
	Path string
	// Retention is how long profiles are kept, by the length of their window. A
	// length that is not named is kept as long as the next shorter one that is.
	// The default is DefaultRetention.
	Retention map[time.Duration]time.Duration
	// TidyInterval is how often old profiles are deleted; default 10 minutes.
	TidyInterval time.Duration
	Logger       *slog.Logger
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// DefaultRetention keeps minutes for a day, ten minutes for a week, hours for a
// month and days for a year.
var DefaultRetention = map[time.Duration]time.Duration{
	time.Minute:      24 * time.Hour,
	10 * time.Minute: 7 * 24 * time.Hour,
	time.Hour:        31 * 24 * time.Hour,
	24 * time.Hour:   366 * 24 * time.Hour,
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	o     Options
	write *sql.DB // One connection: SQLite has one writer.
	read  *sql.DB

	mu       sync.Mutex // Guards the numbers of names, as of committed transactions.
	keys     map[[3]string]int64
	features map[string]int64

	cancel context.CancelFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// Open opens the database and brings its tables up to date.
func Open(o Options) (*DB, error) {
	if o.Retention == nil {
		o.Retention = DefaultRetention
	}
	if o.TidyInterval <= 0 {
		o.TidyInterval = 10 * time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &DB{o: o, keys: map[[3]string]int64{}, features: map[string]int64{}}
	abs, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	// It holds what nobody else on the machine should read.
	if f, err := os.OpenFile(abs, os.O_RDWR|os.O_CREATE, 0o600); err == nil { // Else opening says why.
		_ = errors.Join(f.Chmod(0o600), f.Close())
	}
	source := "file:" + (&url.URL{Path: abs}).EscapedPath() + "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=10000&_foreign_keys=on"
	if d.write, err = sql.Open("sqlite3", source+"&_txlock=immediate"); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	d.write.SetMaxOpenConns(1)
	if d.read, err = sql.Open("sqlite3", source+"&_query_only=on"); err != nil {
		return nil, errors.Join(fmt.Errorf("open state: %w", err), d.write.Close())
	}
	d.read.SetMaxOpenConns(4)
	if err := d.migrate(); err != nil {
		return nil, errors.Join(fmt.Errorf("open state in %s: %w", o.Path, err), d.write.Close(), d.read.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.wg.Go(func() { d.tidy(ctx) })
	return d, nil
}

// migrations bring the tables from one version to the next. They are never
// changed, only added to.
var migrations = []string{`
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (
	id INTEGER PRIMARY KEY, service TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
	UNIQUE (service, model, version));
CREATE TABLE features (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE profiles (
	key INTEGER NOT NULL REFERENCES keys, length INTEGER NOT NULL, start INTEGER NOT NULL,
	feature INTEGER NOT NULL REFERENCES features, data BLOB NOT NULL);
CREATE UNIQUE INDEX profiles_place ON profiles (key, length, start, feature);
CREATE TABLE baselines (
	id TEXT PRIMARY KEY, service TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,
	number INTEGER NOT NULL, active INTEGER NOT NULL, info BLOB NOT NULL, data BLOB NOT NULL);
CREATE INDEX baselines_key ON baselines (service, model, version, number);
`, accessTables, versionTables}

func (d *DB) migrate() error {
	var version int
	if err := d.write.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("%w: if the file is damaged, put a copy back or move it away to begin anew", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("its version is %d, this release knows up to %d: start the release that wrote it", version, len(migrations))
	}
	for i, step := range migrations[version:] {
		err := d.change(context.Background(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(step); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", version+i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("bring tables to version %d: %w", version+i+1, err)
		}
	}
	return nil
}

// change runs a transaction that is durable when change returns.
func (d *DB) change(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Close ends all work and closes the file.
func (d *DB) Close() error {
	d.once.Do(func() {
		d.cancel()
		d.wg.Wait()
		if err := errors.Join(d.read.Close(), d.write.Close()); err != nil {
			d.err = fmt.Errorf("close state: %w", err)
		}
	})
	return d.err
}

// Document returns a named document; ok is false where there is none.
func (d *DB) Document(ctx context.Context, name string) (value []byte, ok bool, err error) {
	err = d.read.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %q: %w", name, err)
	}
	return value, true, nil
}

// SetDocument stores a document durably in place of the one of that name; nil
// deletes it.
func (d *DB) SetDocument(ctx context.Context, name string, value []byte) error {
	var err error
	if value == nil {
		_, err = d.write.ExecContext(ctx, "DELETE FROM meta WHERE name = ?", name)
	} else {
		_, err = d.write.ExecContext(ctx, "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	}
	if err != nil {
		return fmt.Errorf("store %q: %w", name, err)
	}
	return nil
}
