package raw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrNothing is returned by Export where the filter lets nothing through.
var ErrNothing = errors.New("there are no raw inferences of that kind and time")

const (
	// exportRowGroup is the number of rows that are in memory to be written.
	exportRowGroup = 8192
	parquetFormat  = "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE %d)"
)

// Export writes what the filter lets through to a Parquet file, by timestamp, and
// returns the number of rows; Limit and Oldest do not matter. A file that was there is
// replaced. The day that is being written can be listed and appended to before and
// after, but not meanwhile; other days come in between.
func (s *Store) Export(ctx context.Context, f Filter, file string) (rows int64, err error) {
	days, err := s.Days()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".export-*")
	if err != nil {
		return 0, fmt.Errorf("export raw inferences: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var parts []string
	for _, date := range days {
		if !f.in(date) {
			continue
		}
		part := filepath.Join(dir, date+".parquet")
		n, err := s.exportDay(ctx, date, &f, part)
		if err != nil {
			return 0, fmt.Errorf("export raw inferences of %s: %w", date, err)
		}
		if n > 0 {
			rows += n
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return 0, ErrNothing
	}
	whole := parts[0]
	if len(parts) > 1 {
		whole = filepath.Join(dir, "whole.parquet")
		if err := s.joinParts(ctx, parts, whole); err != nil {
			return 0, fmt.Errorf("export raw inferences: %w", err)
		}
	}
	if err := os.Rename(whole, file); err != nil {
		return 0, fmt.Errorf("export raw inferences: %w", err)
	}
	return rows, nil
}

func (s *Store) exportDay(ctx context.Context, date string, f *Filter, file string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.attach(ctx, date, false)
	if err != nil || d == nil {
		return 0, err
	}
	where, args := f.where()
	done, err := s.conn.ExecContext(ctx, fmt.Sprintf(
		"COPY (SELECT * EXCLUDE (position) FROM %s.inferences%s ORDER BY timestamp) TO %s "+parquetFormat,
		d.catalog, where, quote(file), exportRowGroup), args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// joinParts writes the rows of several files, one after the other, to one.
func (s *Store) joinParts(ctx context.Context, parts []string, file string) error {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = quote(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(ctx); err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "SET preserve_insertion_order = true"); err != nil {
		return err
	}
	_, err := s.conn.ExecContext(ctx, fmt.Sprintf("COPY (SELECT * FROM read_parquet([%s])) TO %s "+parquetFormat,
		strings.Join(quoted, ", "), quote(file), exportRowGroup))
	_, back := s.conn.ExecContext(context.WithoutCancel(ctx), "SET preserve_insertion_order = false")
	return errors.Join(err, back)
}
