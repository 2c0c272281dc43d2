// Package parquet writes log entries into a Parquet file that any tool reads: time, labels as JSON, level, line, and
// metadata as JSON, in the order of time. It does not read such files.
package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// ErrNothing is returned when there is no entry to write; then there is no file.
var ErrNothing = errors.New("there is no line to write")

// arenaSize is the memory for the strings of one chunk of rows.
const arenaSize = 8 << 20

// Row is one entry.
type Row struct {
	Labels labels.Labels
	Entry  logs.Entry
}

// columns are rows on their way into the engine.
type columns struct {
	ts                        []int64
	labels, level, line, meta []string
	encoded                   map[uint64]string
}

// Write writes rows until next returns io.EOF. The strings of a row are not kept after the next call. Entries are put in
// order on disk beside the file, which appears under its name when it is complete. Write returns their number.
func Write(ctx context.Context, path string, next func() (Row, error)) (n int64, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := duck.Open(filepath.Join(dir, "rows.duckdb"), map[string]string{
		"memory_limit": "512MiB", "temp_directory": filepath.Join(dir, "tmp"), "preserve_insertion_order": "false",
		"autoinstall_known_extensions": "false", "autoload_known_extensions": "false",
	})
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer db.Close()
	c, err := db.Conn()
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer c.Close()
	if n, err = stage(ctx, c, next); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, ErrNothing
	}
	temp := filepath.Join(dir, "rows.parquet")
	if err := c.Exec(ctx, "COPY (SELECT make_timestamp_ns(ts) AS time, labels, level, line, metadata FROM rows ORDER BY ts) TO "+duck.Quote(temp)+" (FORMAT parquet, COMPRESSION zstd)"); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	return n, nil
}

// stage puts the rows into a table.
func stage(ctx context.Context, c *duck.Conn, next func() (Row, error)) (n int64, err error) {
	if err := c.Exec(ctx, "CREATE TABLE rows (ts BIGINT, labels VARCHAR, level VARCHAR, line VARCHAR, metadata VARCHAR)"); err != nil {
		return 0, fmt.Errorf("make table of lines: %w", err)
	}
	arena, err := duck.NewArena(arenaSize)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, arena.Close()) }()
	app, err := c.Appender("rows", "rows", []duck.Type{duck.BigInt, duck.Varchar, duck.Varchar, duck.Varchar, duck.Varchar}, arena)
	if err != nil {
		return 0, err
	}
	cols := &columns{encoded: map[uint64]string{}}
	flush := func() error {
		err := app.Append([]duck.Column{{Int64s: cols.ts}, {Strings: cols.labels}, {Strings: cols.level}, {Strings: cols.line}, {Strings: cols.meta, NullIfEmpty: true}}, len(cols.ts))
		cols.ts, cols.labels, cols.level, cols.line, cols.meta = cols.ts[:0], cols.labels[:0], cols.level[:0], cols.line[:0], cols.meta[:0]
		if err != nil {
			return fmt.Errorf("put lines aside: %w", err)
		}
		return ctx.Err()
	}
	for {
		row, err := next()
		if errors.Is(err, io.EOF) {
			return n, errors.Join(flush(), app.Close())
		}
		if err == nil {
			err = cols.add(row)
		}
		if n++; err == nil && len(cols.ts) == 2048 {
			err = flush()
		}
		if err != nil {
			return 0, errors.Join(err, app.Close())
		}
	}
}

func (c *columns) add(r Row) error {
	h := r.Labels.Hash()
	text, ok := c.encoded[h]
	if !ok {
		b, err := json.Marshal(r.Labels.Map())
		if err != nil {
			return fmt.Errorf("labels of a line: %w", err)
		}
		if len(c.encoded) > 100_000 {
			clear(c.encoded)
		}
		text = string(b)
		c.encoded[h] = text
	}
	meta := ""
	if !r.Entry.Metadata.IsEmpty() {
		b, err := json.Marshal(r.Entry.Metadata.Map())
		if err != nil {
			return fmt.Errorf("metadata of a line: %w", err)
		}
		meta = string(b)
	}
	c.ts, c.labels, c.meta = append(c.ts, r.Entry.Timestamp), append(c.labels, text), append(c.meta, meta)
	c.level = append(c.level, string(logs.DetectLevel(r.Labels, r.Entry)))
	c.line = append(c.line, strings.ToValidUTF8(strings.Clone(r.Entry.Line), "\uFFFD"))
	return nil
}
