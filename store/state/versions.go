package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// versionTables hold the texts that configuration files have had. Numbers are
// never given twice.
const versionTables = `
CREATE TABLE file_versions (
	id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, at INTEGER NOT NULL,
	kind TEXT NOT NULL, who TEXT NOT NULL, comment TEXT NOT NULL, text BLOB NOT NULL);
CREATE INDEX file_versions_path ON file_versions (path, id);
`

// FileVersion is one text that a file has had.
type FileVersion struct {
	ID   int64
	Path string
	At   time.Time
	// Kind says how the text came about; its owner gives it its meaning.
	Kind    string
	Who     string
	Comment string
	// Text is left out of lists.
	Text []byte
	Size int
}

// FileVersions is the part of the database that holds texts of files.
type FileVersions struct{ d *DB }

// FileVersions returns that part. It ends with the database.
func (d *DB) FileVersions() FileVersions { return FileVersions{d} }

// List returns the versions of a file without their texts, newest first.
func (f FileVersions) List(ctx context.Context, path string) ([]FileVersion, error) {
	rows, err := f.d.read.QueryContext(ctx, "SELECT id, path, at, kind, who, comment, length(text) FROM file_versions WHERE path = ? ORDER BY id DESC", path)
	if err != nil {
		return nil, fmt.Errorf("list versions of %s: %w", path, err)
	}
	defer func() { _ = rows.Close() }()
	var out []FileVersion
	for rows.Next() {
		var v FileVersion
		var at int64
		if err := rows.Scan(&v.ID, &v.Path, &at, &v.Kind, &v.Who, &v.Comment, &v.Size); err != nil {
			return nil, fmt.Errorf("list versions of %s: %w", path, err)
		}
		v.At = time.Unix(0, at)
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list versions of %s: %w", path, err)
	}
	return out, nil
}

// Ending returns the paths whose newest version is of one of the kinds, at most
// 100, those that came last first.
func (f FileVersions) Ending(ctx context.Context, kinds ...string) ([]string, error) {
	rows, err := f.d.read.QueryContext(ctx, `SELECT path, kind FROM file_versions
		WHERE id IN (SELECT max(id) FROM file_versions GROUP BY path) ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("list files by their newest version: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []string
	for rows.Next() {
		var path, kind string
		if err := rows.Scan(&path, &kind); err != nil {
			return nil, fmt.Errorf("list files by their newest version: %w", err)
		}
		if slices.Contains(kinds, kind) && len(out) < 100 {
			out = append(out, path)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list files by their newest version: %w", err)
	}
	return out, nil
}

// Get returns one version of a file; ok is false where there is none. An id of
// 0 is the newest.
func (f FileVersions) Get(ctx context.Context, path string, id int64) (v FileVersion, ok bool, err error) {
	var at int64
	err = f.d.read.QueryRowContext(ctx, `SELECT id, path, at, kind, who, comment, text FROM file_versions
		WHERE path = ?1 AND (?2 = 0 OR id = ?2) ORDER BY id DESC LIMIT 1`, path, id).
		Scan(&v.ID, &v.Path, &at, &v.Kind, &v.Who, &v.Comment, &v.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return FileVersion{}, false, nil
	}
	if err != nil {
		return FileVersion{}, false, fmt.Errorf("read version %d of %s: %w", id, path, err)
	}
	v.At, v.Size = time.Unix(0, at), len(v.Text)
	return v, true, nil
}

// Add stores a version durably and returns its id. Of its file, all but the
// newest keep are deleted; of all files, the oldest until no more than total
// bytes are left, but never the newest of a file.
func (f FileVersions) Add(ctx context.Context, v FileVersion, keep int, total int64) (id int64, err error) {
	if v.Text == nil {
		v.Text = []byte{}
	}
	err = f.d.change(ctx, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "INSERT INTO file_versions (path, at, kind, who, comment, text) VALUES (?, ?, ?, ?, ?, ?)",
			v.Path, v.At.UnixNano(), v.Kind, v.Who, v.Comment, v.Text)
		if err != nil {
			return err
		}
		if id, err = done.LastInsertId(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM file_versions WHERE path = ?1
			AND id <= (SELECT id FROM file_versions WHERE path = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`, v.Path, keep); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM file_versions WHERE id IN (
			SELECT id FROM (SELECT id, sum(length(text)) OVER (ORDER BY id DESC) AS held FROM file_versions) WHERE held > ?)
			AND id NOT IN (SELECT max(id) FROM file_versions GROUP BY path)`, total)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store version of %s: %w", v.Path, err)
	}
	return id, nil
}

// SetKind changes the kind of a version; one that is gone is no error.
func (f FileVersions) SetKind(ctx context.Context, id int64, kind string) error {
	if _, err := f.d.write.ExecContext(ctx, "UPDATE file_versions SET kind = ? WHERE id = ?", kind, id); err != nil {
		return fmt.Errorf("update version %d: %w", id, err)
	}
	return nil
}

// Delete forgets a version; one that is not there is no error.
func (f FileVersions) Delete(ctx context.Context, id int64) error {
	if _, err := f.d.write.ExecContext(ctx, "DELETE FROM file_versions WHERE id = ?", id); err != nil {
		return fmt.Errorf("delete version %d: %w", id, err)
	}
	return nil
}
