package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Profile is one feature of one model version in one window, or, where Feature
// is empty, the window as a whole.
type Profile struct {
	Key     ai.Key
	Feature string
	Start   time.Time
	Length  time.Duration
	Data    []byte
}

// ProfileQuery selects profiles of one model version.
type ProfileQuery struct {
	Key ai.Key
	// Features are those wanted, "" among them for windows as a whole; nil means all.
	Features []string
	Length   time.Duration
	// From and To bound the start of windows: From is in the range, To is not. A
	// zero To means no end.
	From, To time.Time
}

// SaveProfiles stores rows, all or none, durably. A row of the same key, feature,
// start and length is replaced.
func (d *DB) SaveProfiles(ctx context.Context, rows []Profile) error {
	if len(rows) == 0 {
		return nil
	}
	// Numbers given in a transaction count only once it is committed.
	keys, features := map[[3]string]int64{}, map[string]int64{}
	err := d.change(ctx, func(tx *sql.Tx) error {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO profiles (key, length, start, feature, data) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (key, length, start, feature) DO UPDATE SET data = excluded.data`)
		if err != nil {
			return err
		}
		defer func() { _ = insert.Close() }()
		for i := range rows {
			r := &rows[i]
			k := [3]string{r.Key.Service, r.Key.Model, r.Key.Version}
			key, err := number(ctx, d, d.keys, keys, k, tx,
				"INSERT INTO keys (service, model, version) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET service = service RETURNING id", k[0], k[1], k[2])
			if err != nil {
				return err
			}
			feature, err := number(ctx, d, d.features, features, r.Feature, tx,
				"INSERT INTO features (name) VALUES (?) ON CONFLICT DO UPDATE SET name = name RETURNING id", r.Feature)
			if err != nil {
				return err
			}
			data := r.Data
			if data == nil {
				data = []byte{}
			}
			if _, err := insert.ExecContext(ctx, key, int64(r.Length), r.Start.UnixNano(), feature, data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store profiles: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.features) > maxNames || len(d.keys) > maxNames {
		clear(d.features)
		clear(d.keys)
	}
	maps.Copy(d.keys, keys)
	maps.Copy(d.features, features)
	return nil
}

// maxNames bounds the memory of known numbers.
const maxNames = 1 << 17

// number returns the number of a name, from known or fresh or by the query.
func number[K comparable](ctx context.Context, d *DB, known, fresh map[K]int64, name K, tx *sql.Tx, query string, args ...any) (int64, error) {
	if id, ok := fresh[name]; ok {
		return id, nil
	}
	d.mu.Lock()
	id, ok := known[name]
	d.mu.Unlock()
	if ok {
		return id, nil
	}
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&id); err != nil {
		return 0, err
	}
	fresh[name] = id
	return id, nil
}

// Profiles returns rows by start and then feature.
func (d *DB) Profiles(ctx context.Context, q ProfileQuery) ([]Profile, error) {
	query := `SELECT f.name, p.start, p.data FROM profiles p JOIN features f ON f.id = p.feature
		WHERE p.key = (SELECT id FROM keys WHERE service = ? AND model = ? AND version = ?) AND p.length = ? AND p.start >= ?`
	args := []any{q.Key.Service, q.Key.Model, q.Key.Version, int64(q.Length)}
	args = append(args, nanoseconds(q.From))
	if !q.To.IsZero() {
		query += " AND p.start < ?"
		args = append(args, nanoseconds(q.To))
	}
	if q.Features != nil {
		query += " AND f.name IN (" + strings.TrimSuffix(strings.Repeat("?,", len(q.Features)), ",") + ")"
		for _, f := range q.Features {
			args = append(args, f)
		}
	}
	rows, err := d.read.QueryContext(ctx, query+" ORDER BY p.start, f.name", args...)
	if err != nil {
		return nil, fmt.Errorf("read profiles of %s: %w", q.Key, err)
	}
	defer func() { _ = rows.Close() }()
	var out []Profile
	for rows.Next() {
		p := Profile{Key: q.Key, Length: q.Length}
		var start int64
		if err := rows.Scan(&p.Feature, &start, &p.Data); err != nil {
			return nil, fmt.Errorf("read profiles of %s: %w", q.Key, err)
		}
		p.Start = time.Unix(0, start).UTC()
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read profiles of %s: %w", q.Key, err)
	}
	return out, nil
}

// nanoseconds is a time since 1970; the zero time is before all others.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return -1 << 63
	}
	return t.UnixNano()
}

// tidy deletes old profiles now and then.
func (d *DB) tidy(ctx context.Context) {
	tick := time.NewTicker(d.o.TidyInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n, err := d.DeleteOldProfiles(ctx); err != nil && ctx.Err() == nil {
			d.o.Logger.Error("Delete old profiles", "err", err)
		} else if n > 0 {
			d.o.Logger.Debug("Deleted old profiles", "rows", n)
		}
	}
}

// deleteAtOnce bounds how long deleting keeps others from writing.
const deleteAtOnce = 5000

// DeleteOldProfiles deletes what is past the retention, and returns how many
// rows that were. It is done by itself every TidyInterval.
func (d *DB) DeleteOldProfiles(ctx context.Context) (int64, error) {
	type group struct{ key, length int64 }
	var groups []group
	rows, err := d.read.QueryContext(ctx, "SELECT DISTINCT key, length FROM profiles")
	if err != nil {
		return 0, fmt.Errorf("delete old profiles: %w", err)
	}
	for rows.Next() {
		var g group
		if err := rows.Scan(&g.key, &g.length); err != nil {
			return 0, errors.Join(fmt.Errorf("delete old profiles: %w", err), rows.Close())
		}
		groups = append(groups, g)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, fmt.Errorf("delete old profiles: %w", err)
	}
	var total int64
	for _, g := range groups {
		keep, ok := d.retention(time.Duration(g.length))
		if !ok {
			continue
		}
		for {
			res, err := d.write.ExecContext(ctx, `DELETE FROM profiles WHERE rowid IN
				(SELECT rowid FROM profiles WHERE key = ? AND length = ? AND start < ? LIMIT ?)`,
				g.key, g.length, d.o.Now().Add(-keep).UnixNano(), deleteAtOnce)
			if err != nil {
				return total, fmt.Errorf("delete old profiles: %w", err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return total, fmt.Errorf("delete old profiles: %w", err)
			}
			total += n
			if n < deleteAtOnce {
				break
			}
		}
	}
	return total, nil
}

// retention is how long windows of a length are kept; ok is false for ever.
func (d *DB) retention(length time.Duration) (keep time.Duration, ok bool) {
	for _, l := range slices.Sorted(maps.Keys(d.o.Retention)) {
		if l <= length || !ok {
			keep, ok = d.o.Retention[l], true
		}
	}
	return keep, ok
}
