package raw

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Selection is the inferences of one model version in a span of time.
type Selection struct {
	Key ai.Key // An empty version selects inferences without one, and no others.
	// Since and Until bound the timestamp; Until is not in.
	Since, Until time.Time
	// Share is about how many of the rows are read, evenly: above 0 and below 1. Others
	// mean all.
	Share float64
}

// Extent says how much there is of a Selection, whatever its Share.
type Extent struct {
	Rows int64
	// Inferences is how many the rows stand for: more than Rows where days were sampled.
	Inferences float64
}

// Extent counts what is kept of a selection.
func (s *Store) Extent(ctx context.Context, of Selection) (Extent, error) {
	var sum Extent
	of.Share = 0
	where, args := of.where()
	err := s.eachDay(ctx, &of, func(d *day) error {
		var x Extent
		row := s.conn.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(weight), 0) FROM "+d.catalog+".inferences"+where, args...)
		if err := row.Scan(&x.Rows, &x.Inferences); err != nil {
			return err
		}
		sum.Rows, sum.Inferences = sum.Rows+x.Rows, sum.Inferences+x.Inferences
		return nil
	})
	return sum, err
}

// Scan calls f with the features and the prediction of every row that is selected, JSON
// as it was written, by timestamp and as they came. f must not keep them. An error of f
// ends it. The day that is being read can be appended to before and after, but not
// meanwhile.
func (s *Store) Scan(ctx context.Context, of Selection, f func(features, prediction []byte) error) error {
	where, args := of.where()
	return s.eachDay(ctx, &of, func(d *day) (err error) {
		rows, err := s.conn.QueryContext(ctx, "SELECT [CAST(encode(nullif(features, '')) AS BIT), CAST(encode(nullif(prediction, '')) AS BIT)] FROM "+
			d.catalog+".inferences"+where+" ORDER BY timestamp, position, rowid", args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			list := make(texts, 2)
			if err := rows.Scan(&list); err != nil {
				return err
			}
			if err := f(list[0], list[1]); err != nil {
				return scanEnded{err}
			}
		}
		return rows.Err()
	})
}

// scanEnded is an error of whom rows are read for, and none of the store.
type scanEnded struct{ error }

// Unwrap returns the cause.
func (e scanEnded) Unwrap() error { return e.error }

// eachDay calls f with each day that may hold something of a selection, attached, oldest
// first. A day that is found damaged is set aside.
func (s *Store) eachDay(ctx context.Context, of *Selection, f func(*day) error) error {
	days, err := s.Days()
	if err != nil {
		return err
	}
	span := Filter{Since: of.Since, Until: of.Until}
	for _, date := range days {
		if !span.in(date) {
			continue
		}
		if err := s.oneDay(ctx, date, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) oneDay(ctx context.Context, date string, f func(*day) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.attach(ctx, date, false)
	if err != nil || d == nil {
		return err
	}
	err = f(d)
	if ended, ok := err.(scanEnded); ok { //nolint:errorlint // It is returned as it is.
		return ended.error
	}
	if err != nil && (ctx.Err() != nil || !isCorrupt(err)) {
		return fmt.Errorf("read raw inferences of %s: %w", date, err)
	} else if err != nil {
		return s.dropDamaged(d, err)
	}
	return nil
}

// where returns the condition for what is selected.
func (of *Selection) where() (clause string, args []any) {
	where := []string{"service = ?", "model = ?", "coalesce(model_version, '') = ?"}
	args = []any{of.Key.Service, of.Key.Model, of.Key.Version}
	if !of.Since.IsZero() {
		where, args = append(where, "epoch_ns(timestamp) >= ?"), append(args, of.Since.UnixNano())
	}
	if !of.Until.IsZero() {
		where, args = append(where, "epoch_ns(timestamp) < ?"), append(args, of.Until.UnixNano())
	}
	if of.Share > 0 && of.Share < 1 {
		where, args = append(where, "(hash(position, rowid) >> 11) / 9007199254740992 < ?"), append(args, of.Share)
	}
	return " WHERE " + strings.Join(where, " AND "), args
}
