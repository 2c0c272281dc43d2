package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// accessTables hold users, sessions and tokens as records by key, and the audit
// log. Numbers of events are never given twice.
const accessTables = `
CREATE TABLE access_records (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE access_events (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX access_events_at ON access_events (at);
`

// Access is the part of the database that is about users, sessions, tokens and
// the audit log.
type Access struct{ d *DB }

// Access returns that part. It ends with the database.
func (d *DB) Access() Access { return Access{d} }

// Records returns every record by key.
func (a Access) Records(ctx context.Context) (map[string][]byte, error) {
	rows, err := a.d.read.QueryContext(ctx, "SELECT key, data FROM access_records")
	if err != nil {
		return nil, fmt.Errorf("read access records: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string][]byte{}
	for rows.Next() {
		var key string
		var data []byte
		if err := rows.Scan(&key, &data); err != nil {
			return nil, fmt.Errorf("read access records: %w", err)
		}
		out[key] = data
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read access records: %w", err)
	}
	return out, nil
}

// SaveRecords stores records, all or none, durably; nil data deletes.
func (a Access) SaveRecords(ctx context.Context, records map[string][]byte) error {
	if len(records) == 0 {
		return nil
	}
	err := a.d.change(ctx, func(tx *sql.Tx) error {
		for key, data := range records {
			var err error
			if data == nil {
				_, err = tx.ExecContext(ctx, "DELETE FROM access_records WHERE key = ?", key)
			} else {
				_, err = tx.ExecContext(ctx, "INSERT INTO access_records VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data", key, data)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store access records: %w", err)
	}
	return nil
}

// AppendEvent adds an event durably and returns its number.
func (a Access) AppendEvent(ctx context.Context, at time.Time, data []byte) (seq int64, err error) {
	done, err := a.d.write.ExecContext(ctx, "INSERT INTO access_events (at, data) VALUES (?, ?)", at.UnixNano(), data)
	if err != nil {
		return 0, fmt.Errorf("append to audit log: %w", err)
	}
	if seq, err = done.LastInsertId(); err != nil {
		return 0, fmt.Errorf("append to audit log: %w", err)
	}
	return seq, nil
}

// UpdateEvent replaces the data of an event; one that is gone is no error.
func (a Access) UpdateEvent(ctx context.Context, seq int64, data []byte) error {
	if _, err := a.d.write.ExecContext(ctx, "UPDATE access_events SET data = ? WHERE seq = ?", data, seq); err != nil {
		return fmt.Errorf("update audit log: %w", err)
	}
	return nil
}

// Events returns up to limit events with numbers below before, newest first; 0
// begins with the newest.
func (a Access) Events(ctx context.Context, before int64, limit int) (seqs []int64, data [][]byte, err error) {
	rows, err := a.d.read.QueryContext(ctx, "SELECT seq, data FROM access_events WHERE ?1 = 0 OR seq < ?1 ORDER BY seq DESC LIMIT ?2", before, limit)
	if err != nil {
		return nil, nil, fmt.Errorf("read audit log: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq int64
		var one []byte
		if err := rows.Scan(&seq, &one); err != nil {
			return nil, nil, fmt.Errorf("read audit log: %w", err)
		}
		seqs, data = append(seqs, seq), append(data, one)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("read audit log: %w", err)
	}
	return seqs, data, nil
}

// TrimEvents deletes all but the newest keep events, and those before a time.
func (a Access) TrimEvents(ctx context.Context, keep int, before time.Time) error {
	err := a.d.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM access_events WHERE at < ?", before.UnixNano()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM access_events
			WHERE seq <= (SELECT seq FROM access_events ORDER BY seq DESC LIMIT 1 OFFSET ?)`, keep)
		return err
	})
	if err != nil {
		return fmt.Errorf("trim audit log: %w", err)
	}
	return nil
}
