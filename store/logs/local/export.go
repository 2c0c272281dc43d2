package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// ErrNoDay is returned for a day of which there are no logs.
var ErrNoDay = errors.New("there are no logs of that day")

// Days lists the dates of the days in the store, the oldest first.
func (s *Store) Days() []string {
	var out []string
	for _, d := range s.Status().Days {
		out = append(out, d.Day)
	}
	return out
}

// Export writes a day (2006-01-02, UTC) into a Parquet file that any tool reads: time, labels as JSON, level, line, and
// metadata as JSON, in the order of time. The file appears under its name when it is complete.
func (s *Store) Export(ctx context.Context, date, path string) error {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return fmt.Errorf("export: %q is not a date like 2026-11-22: %w", date, err)
	}
	start := t.UnixNano()
	p := s.plan(nil, nil, start, start+dayLength)
	defer p.release()
	if len(p.sources) == 0 {
		return fmt.Errorf("export %s: %w", date, ErrNoDay)
	}
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer s.putConn(c)
	var parts []string
	for _, src := range p.sources {
		parts = append(parts, fmt.Sprintf("SELECT ts, labels, level, line, metadata FROM %[1]s.lines JOIN %[1]s.streams USING (stream)", src.seg.catalog))
	}
	temp := path + ".tmp"
	err = c.Exec(ctx, fmt.Sprintf("COPY (SELECT make_timestamp_ns(ts) AS time, labels, level, line, metadata FROM (%s) ORDER BY ts) TO %s (FORMAT parquet, COMPRESSION zstd)",
		strings.Join(parts, " UNION ALL "), duck.Quote(temp)))
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", date, s.queryError(err, p.sources)), removeIfThere(temp))
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
