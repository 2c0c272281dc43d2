// Package parquet reads tables of others, such as reference data of a model, from
// Parquet files: it turns them into JSON lines, one row a line, as they are read.
//
// DuckDB does the reading, in an instance of its own with little memory that lasts as
// long as the reading. What the rows mean, the caller knows.
package parquet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// memoryLimit bounds what DuckDB takes for one file.
const memoryLimit = "192MB"

// Reader gives the rows of a file as JSON lines. Close it after use.
type Reader struct {
	pipe   *os.File
	cancel context.CancelFunc
	done   chan struct{}
	err    error // Of writing; read it once done is closed.
}

// column is a column of a file.
type column struct{ name, kind string }

// Open begins to read a file, which must stay open until Close and may have lost its
// name. Columns named in exclude are left out; numbers that are not finite, and lists
// with such numbers, are null. Where "features" is a text, the file is one of exported
// inferences: its JSON columns are written as what they are. Errors are for whoever
// made the file, and name the column.
func Open(ctx context.Context, file *os.File, exclude []string) (*Reader, error) {
	db, err := sql.Open("duckdb", "?threads=1&memory_limit="+memoryLimit+"&autoinstall_known_extensions=false&autoload_known_extensions=false")
	if err != nil {
		return nil, fmt.Errorf("open DuckDB: %w", err)
	}
	// The path of the descriptor holds nothing that would need quoting.
	from := fmt.Sprintf("read_parquet('/dev/fd/%d', binary_as_string = true)", file.Fd())
	columns, err := describe(ctx, db, from)
	if err == nil {
		columns, err = choose(columns, exclude)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read Parquet: %w", err), db.Close())
	}
	r := &Reader{pipe: out, done: make(chan struct{})}
	ctx, r.cancel = context.WithCancel(ctx)
	go func() {
		defer close(r.done)
		_, err := db.ExecContext(ctx, fmt.Sprintf("COPY (SELECT %s FROM %s) TO '/dev/fd/%d' (FORMAT json, USE_TMP_FILE false)",
			selection(columns), from, in.Fd()))
		// The error is there before the end of the pipe can be seen.
		r.err = explain(err)
		_ = errors.Join(db.Close(), in.Close()) // Nothing of it is to be kept.
	}()
	return r, nil
}

// Read implements io.Reader. A file that turns out to be damaged is an error at the
// end of the rows that could be read.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.pipe.Read(p)
	if err == io.EOF {
		<-r.done
		if r.err != nil {
			err = r.err
		}
	}
	return n, err
}

// Close ends the reading and waits until DuckDB is gone.
func (r *Reader) Close() error {
	r.cancel()
	_, _ = io.Copy(io.Discard, r.pipe) // So that who writes to it sees that it is over.
	<-r.done
	return r.pipe.Close()
}

func explain(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*duckdb.Error](err); ok {
		switch e.Type {
		case duckdb.ErrorTypeOutOfMemory:
			return fmt.Errorf("reading the Parquet file takes more than %s of memory: write it with smaller row groups, or leave columns out", memoryLimit)
		case duckdb.ErrorTypeInvalidInput, duckdb.ErrorTypeIO, duckdb.ErrorTypeSerialization, duckdb.ErrorTypeInvalid:
			first, _, _ := strings.Cut(e.Msg, "\n")
			_, said, found := strings.Cut(first, ": ")
			if !found {
				said = first
			}
			return fmt.Errorf("the file cannot be read as Parquet: %s", hideDescriptor(said))
		}
	}
	return fmt.Errorf("the file cannot be read as Parquet: %w", err)
}

// hideDescriptor takes the path by which DuckDB knows the file out of a message.
func hideDescriptor(s string) string {
	words := strings.Fields(s)
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return strings.Contains(w, "/dev/fd/") }), " ")
}

// describe lists the columns. Texts come as bits, for the reason that package raw gives.
func describe(ctx context.Context, db *sql.DB, from string) (_ []column, err error) {
	rows, err := db.QueryContext(ctx,
		"SELECT [CAST(encode(column_name) AS BIT), CAST(encode(column_type) AS BIT)] FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, explain(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []column
	for rows.Next() {
		var pair texts
		if err := rows.Scan(&pair); err != nil {
			return nil, fmt.Errorf("read columns: %w", err)
		}
		out = append(out, column{pair[0], pair[1]})
	}
	return out, rows.Err()
}

// texts are two texts that come as bits.
type texts [2]string

// Scan implements sql.Scanner.
func (t *texts) Scan(v any) error {
	list, ok := v.([]any)
	if !ok || len(list) != len(t) {
		return fmt.Errorf("texts come as %T", v)
	}
	for i := range list {
		bits, ok := list[i].(duckdb.Bit)
		if !ok || len(bits.Data) == 0 {
			return fmt.Errorf("text comes as %T", list[i])
		}
		t[i] = string(bits.Data[1:]) // The first byte says how many bits are padding.
	}
	return nil
}

// choose leaves columns out and checks the others.
func choose(columns []column, exclude []string) ([]column, error) {
	columns = slices.DeleteFunc(columns, func(c column) bool { return slices.Contains(exclude, c.name) })
	for _, c := range columns {
		nested := c.name == "features" || c.name == "probabilities" || c.name == "tags" || c.name == "tokens"
		switch {
		case scalar(c.kind), numberList(c.kind):
		case nested && (strings.HasPrefix(c.kind, "STRUCT(") || strings.HasPrefix(c.kind, "MAP(")):
		default:
			return nil, fmt.Errorf("column %q is of type %s, which is no value of a feature: "+
				"want numbers, texts, truth values or lists of numbers, or leave the column out by exclude", c.name, clip(c.kind))
		}
	}
	if len(columns) == 0 {
		return nil, errors.New("no columns are left: exclude leaves all of them out")
	}
	return columns, nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

var scalars = []string{
	"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
	"FLOAT", "DOUBLE", "VARCHAR", "JSON", "UUID", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S",
	"TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE",
}

func scalar(kind string) bool {
	return slices.Contains(scalars, kind) || strings.HasPrefix(kind, "DECIMAL(") && !strings.HasSuffix(kind, "]") ||
		strings.HasPrefix(kind, "ENUM(") && !strings.HasSuffix(kind, "]")
}

// numberList reports whether values are lists of numbers, as DOUBLE[] or FLOAT[3].
func numberList(kind string) bool {
	of, _, ok := strings.Cut(kind, "[")
	if !ok || strings.Count(kind, "[") != 1 {
		return false
	}
	return strings.HasPrefix(of, "DECIMAL(") || slices.Contains([]string{
		"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE",
	}, of)
}

// jsonColumns are texts of JSON in exported inferences.
var jsonColumns = []string{"features", "prediction", "probabilities", "tags"}

// selection writes the columns as JSON is to have them.
func selection(columns []column) string {
	exported := slices.Contains(columns, column{"features", "VARCHAR"})
	out := make([]string, len(columns))
	for i, c := range columns {
		name := `"` + strings.ReplaceAll(c.name, `"`, `""`) + `"`
		value := name
		switch {
		case c.kind == "FLOAT" || c.kind == "DOUBLE":
			value = fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s END", name, name)
		case strings.HasPrefix(c.kind, "FLOAT[") || strings.HasPrefix(c.kind, "DOUBLE["):
			value = fmt.Sprintf("CASE WHEN len(list_filter(%s, lambda x: NOT isfinite(x))) = 0 THEN %s END", name, name)
		case exported && c.kind == "VARCHAR" && slices.Contains(jsonColumns, c.name):
			value = fmt.Sprintf("CAST(%s AS JSON)", name)
		}
		out[i] = value + " AS " + name
	}
	return strings.Join(out, ", ")
}
