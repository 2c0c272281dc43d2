package raw

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go/v2"
)

// Filter says which inferences to list. Empty fields mean any.
type Filter struct {
	Service, Model, Version, Endpoint, RequestID string
	// Since and Until bound the timestamp; Until is not in.
	Since, Until time.Time
	// Errors lists failed inferences only.
	Errors bool
	// Limit is how many to list at most; default 100, at most MaxLimit.
	Limit int
	// Oldest lists the oldest first instead of the newest.
	Oldest bool
}

// MaxLimit is the largest limit of a Filter.
const MaxLimit = 10_000

// Row is one inference as it is listed.
type Row struct {
	Timestamp     time.Time       `json:"timestamp"`
	Service       string          `json:"service"`
	Model         string          `json:"model"`
	ModelVersion  string          `json:"model_version,omitempty"`
	Endpoint      string          `json:"endpoint,omitempty"`
	RequestID     string          `json:"request_id,omitempty"`
	Duration      *float64        `json:"duration_seconds,omitempty"`
	StatusCode    *int            `json:"status_code,omitempty"`
	Error         string          `json:"error,omitempty"`
	Failed        bool            `json:"failed"`
	Features      json.RawMessage `json:"features,omitempty"`
	Prediction    json.RawMessage `json:"prediction,omitempty"`
	Probabilities json.RawMessage `json:"probabilities,omitempty"`
	Tokens        *Tokens         `json:"tokens,omitempty"`
	FirstToken    *float64        `json:"time_to_first_token_seconds,omitempty"`
	Tags          json.RawMessage `json:"tags,omitempty"`
	// Weight is how many inferences the row stands for: 1, or more where the day
	// was sampled.
	Weight float64 `json:"weight"`
}

// Tokens of a row.
type Tokens struct {
	Input  uint64 `json:"input"`
	Output uint64 `json:"output"`
}

// List returns inferences by timestamp.
func (s *Store) List(ctx context.Context, f Filter) ([]Row, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	f.Limit = min(f.Limit, MaxLimit)
	s.mu.Lock()
	defer s.mu.Unlock()
	days, err := s.Days()
	if err != nil {
		return nil, err
	}
	if !f.Oldest {
		slices.Reverse(days)
	}
	out := []Row{}
	for _, date := range days {
		if !f.in(date) {
			continue
		}
		d, err := s.attach(ctx, date, false)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		found, err := s.listDay(ctx, d, &f, out)
		if err != nil {
			if ctx.Err() != nil || !isCorrupt(err) {
				return nil, fmt.Errorf("list raw inferences of %s: %w", date, err)
			}
			// Damage that shows only now. The other days are whole.
			if err := s.dropDamaged(d, err); err != nil {
				return nil, err
			}
			continue
		}
		out = found
		if len(out) >= f.Limit {
			break
		}
	}
	return out, nil
}

// dropDamaged sets the file of an attached day aside. It is called under mu.
func (s *Store) dropDamaged(d *day, why error) error {
	if err := s.detach(d); err != nil && !isFatal(err) {
		return err
	}
	return s.setAside(s.file(d.date), why)
}

func (s *Store) listDay(ctx context.Context, d *day, f *Filter, out []Row) (_ []Row, err error) {
	where, args := f.where()
	q := "SELECT epoch_ns(timestamp), failed, weight, duration_seconds, status_code, input_tokens, output_tokens, time_to_first_token_seconds"
	columns := make([]string, len(textColumns))
	for i, column := range textColumns {
		columns[i] = fmt.Sprintf("CAST(encode(nullif(%s, '')) AS BIT)", column)
	}
	order := "DESC"
	if f.Oldest {
		order = "ASC"
	}
	// What is sorted are places alone: whole rows of a long day are more than DuckDB may
	// have in memory.
	q += fmt.Sprintf(", [%[1]s] FROM %[2]s.inferences WHERE rowid IN (SELECT rowid FROM %[2]s.inferences%[3]s ORDER BY timestamp %[4]s, position %[4]s LIMIT %[5]d)"+
		" ORDER BY timestamp %[4]s, position %[4]s", strings.Join(columns, ", "), d.catalog, where, order, f.Limit-len(out))
	rows, err := s.conn.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r Row
		var ns int64
		var duration, firstToken sql.NullFloat64
		var status, input, output sql.NullInt64
		list := make(texts, len(textColumns))
		if err := rows.Scan(&ns, &r.Failed, &r.Weight, &duration, &status, &input, &output, &firstToken, &list); err != nil {
			return nil, err
		}
		r.Timestamp = time.Unix(0, ns).UTC()
		for i, s := range [...]*string{&r.Service, &r.Model, &r.ModelVersion, &r.Endpoint, &r.RequestID, &r.Error} {
			*s = string(list[i])
		}
		for i, j := range [...]*json.RawMessage{&r.Features, &r.Prediction, &r.Probabilities, &r.Tags} {
			*j = json.RawMessage(list[6+i])
		}
		if duration.Valid {
			r.Duration = &duration.Float64
		}
		if firstToken.Valid {
			r.FirstToken = &firstToken.Float64
		}
		if status.Valid {
			code := int(status.Int64)
			r.StatusCode = &code
		}
		if input.Valid {
			r.Tokens = &Tokens{uint64(input.Int64), uint64(output.Int64)}
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// where returns the condition of a query for what the filter lets through.
func (f *Filter) where() (clause string, args []any) {
	var where []string
	for _, c := range [...]struct{ column, value string }{
		{"service", f.Service},
		{"model", f.Model},
		{"model_version", f.Version},
		{"endpoint", f.Endpoint},
		{"request_id", f.RequestID},
	} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	if f.Errors {
		where = append(where, "failed")
	}
	if !f.Since.IsZero() {
		where, args = append(where, "epoch_ns(timestamp) >= ?"), append(args, f.Since.UnixNano())
	}
	if !f.Until.IsZero() {
		where, args = append(where, "epoch_ns(timestamp) < ?"), append(args, f.Until.UnixNano())
	}
	if len(where) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}

// in reports whether a day may have something that the filter lets through.
func (f *Filter) in(date string) bool {
	return (f.Since.IsZero() || date >= f.Since.UTC().Format(time.DateOnly)) &&
		(f.Until.IsZero() || date <= f.Until.UTC().Format(time.DateOnly))
}

// textColumns are the columns of texts, in the order in which they are read.
var textColumns = [...]string{
	"service", "model", "model_version", "endpoint", "request_id", "error", "features", "prediction", "probabilities", "tags",
}

// texts are text columns of a row, which come as a list of bits. The driver
// reads texts of more than twelve bytes by way of an unaligned pointer, at which
// a program that was built with the race detector stops; it reads bits another
// way, and those in a list as they are.
type texts [][]byte

// Scan implements sql.Scanner.
func (t *texts) Scan(v any) error {
	list, ok := v.([]any)
	if !ok || len(list) != len(*t) {
		return fmt.Errorf("texts come as %T", v)
	}
	for i := range list {
		switch bits := list[i].(type) {
		case nil:
			(*t)[i] = nil
		case duckdb.Bit:
			if len(bits.Data) == 0 {
				return errors.New("bits without a head")
			}
			(*t)[i] = bits.Data[1:] // The first byte says how many bits are padding.
		default:
			return fmt.Errorf("text comes as %T", bits)
		}
	}
	return nil
}
