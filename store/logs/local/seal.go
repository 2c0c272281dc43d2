package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// housekeep seals days that are over, removes days that are too old or too many, and works through delete requests.
func (s *Store) housekeep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		s.dropStale(ctx)
		for _, err := range []error{s.sealDue(ctx), s.Retain(ctx), s.runDeletes(ctx)} {
			if err != nil && ctx.Err() == nil {
				s.o.Logger.Error("log store housekeeping", "err", err)
			}
		}
		select {
		case <-tick.C:
		case <-s.deletes.woken():
		case <-ctx.Done():
			return
		}
	}
}

// sealDue seals every day that has been over for long enough and has a hot segment at rest. A sealed day that got late
// entries is rewritten only after a day without any, or when they are many.
func (s *Store) sealDue(ctx context.Context) error {
	now := s.o.Now()
	var due []int64
	s.mu.RLock()
	for n, d := range s.days {
		hot := d.hot()
		if hot == nil || now.Before(time.Unix(0, (n+1)*dayLength).Add(s.o.SealAfter)) {
			continue
		}
		rest := now.Sub(hot.last)
		if d.segments[0].sealed && rest < 24*time.Hour && hot.rows()*20 < d.segments[0].rows() {
			continue
		}
		if rest >= 10*time.Minute {
			due = append(due, n)
		}
	}
	s.mu.RUnlock()
	slices.Sort(due)
	var errs []error
	for _, n := range due {
		errs = append(errs, s.sealDay(ctx, n, nil))
	}
	return errors.Join(errs...)
}

// rows is the number of entries of a segment. The caller holds Store.mu.
func (g *segment) rows() int64 {
	var n int64
	for i := range g.streams {
		n += g.streams[i].rows
	}
	return n
}

// Seal rewrites the day of the given date (2006-01-02, UTC), sorted and compressed. Entries that come meanwhile or later
// go to a new hot file and are readable as ever.
func (s *Store) Seal(ctx context.Context, date string) error {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return fmt.Errorf("seal: %q is not a date like 2026-11-22: %w", date, err)
	}
	return s.sealDay(ctx, dayOf(t.UnixNano()), nil)
}

// sealDay merges all segments of a day into one sealed one, leaving out what remove says.
func (s *Store) sealDay(ctx context.Context, number int64, remove *removal) error {
	s.sealing.Lock()
	defer s.sealing.Unlock()
	parts, gen, err := s.freeze(ctx, number)
	if err != nil || len(parts) == 0 {
		return err
	}
	begin := time.Now()
	target := newSegment(s.o.Dir, number, gen, true)
	if err := s.rewrite(ctx, parts, target, remove); err != nil {
		return fmt.Errorf("seal %s: %w", dayName(number), err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := target.attach(ctx, s.writer); err != nil {
		return fmt.Errorf("seal %s: %w", dayName(number), err)
	}
	s.mu.Lock()
	d := s.days[number]
	d.segments = slices.DeleteFunc(d.segments, func(g *segment) bool { return slices.Contains(parts, g) })
	d.segments = append(d.segments, target)
	d.sort()
	if hot := d.hot(); hot != nil && hot.rows() == 0 {
		d.segments = slices.DeleteFunc(d.segments, func(g *segment) bool { return g == hot })
		parts = append(parts, hot)
	}
	var unread []*segment
	for _, g := range parts {
		g.gone = true
		if g.refs == 0 {
			unread = append(unread, g)
		}
	}
	rows := target.rows()
	s.mu.Unlock()
	for _, g := range unread {
		s.drop(ctx, g)
	}
	s.o.Logger.Info("sealed a day of logs", "day", dayName(number), "entries", rows, "bytes", target.size(), "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

// freeze gives a day a new hot segment and returns the segments that were there before, which nobody writes any more,
// and the generation that replaces them. It returns none if there is nothing to do.
func (s *Store) freeze(ctx context.Context, number int64) ([]*segment, int, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer == nil {
		return nil, 0, ErrClosed
	}
	s.mu.RLock()
	d := s.days[number]
	var parts []*segment
	if d != nil {
		parts = slices.Clone(d.segments)
	}
	s.mu.RUnlock()
	if len(parts) == 0 {
		return nil, 0, nil
	}
	gen := parts[len(parts)-1].gen + 1
	// New entries must not go into files of the old generations.
	if _, err := s.newHot(ctx, d, number, gen); err != nil {
		return nil, 0, err
	}
	return parts, gen, nil
}

// rewrite writes the entries of parts, sorted, into the file of target.
func (s *Store) rewrite(ctx context.Context, parts []*segment, target *segment, remove *removal) (err error) {
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer s.putConn(c)
	temp := target.path + ".tmp"
	name := target.catalog + "_new"
	for _, p := range []string{temp, temp + ".wal"} {
		if err := os.Remove(p); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("remove unfinished file: %w", err)
		}
	}
	if err := c.Exec(ctx, fmt.Sprintf("ATTACH %s AS %s (STORAGE_VERSION 'v1.2.0')", duck.Quote(temp), name)); err != nil {
		return err
	}
	attached := true
	defer func() {
		if attached {
			err = errors.Join(err, c.Exec(context.WithoutCancel(ctx), "DETACH "+name))
		}
		if err != nil {
			_ = os.Remove(temp)
			_ = os.Remove(temp + ".wal")
		}
	}()
	if err := c.Exec(ctx, fmt.Sprintf(schema, name, " USING COMPRESSION zstd")); err != nil {
		return err
	}
	// Streams of all parts get new numbers in the order of their labels, which puts like next to like.
	var union, maps []string
	for i, g := range parts {
		maps = append(maps, "SELECT labels FROM "+g.catalog+".streams")
		where, whole := "true", "NULL"
		if g.whole {
			whole = "l.json"
		}
		if cond := remove.condition(s, g); cond != "" {
			where = "NOT (" + cond + ")"
		}
		union = append(union, fmt.Sprintf("SELECT n.stream, l.ts, l.size, l.line, l.metadata, l.level, CAST(%s AS BOOLEAN) AS json, %d AS part, l.rowid AS r FROM %s.lines l JOIN %s.streams o ON l.stream = o.stream JOIN %s.streams n ON o.labels = n.labels WHERE %s AND l.ts >= %%[1]d AND l.ts < %%[2]d",
			whole, i, g.catalog, g.catalog, name, strings.ReplaceAll(where, "%", "%%")))
	}
	if err := c.Exec(ctx, fmt.Sprintf("INSERT INTO %s.streams SELECT row_number() OVER (ORDER BY labels) - 1, labels FROM (SELECT DISTINCT labels FROM (%s))", name, strings.Join(maps, " UNION ALL "))); err != nil {
		return err
	}
	spans, err := s.spans(ctx, c, parts)
	if err != nil {
		return err
	}
	for _, sp := range spans {
		if err := c.Exec(ctx, fmt.Sprintf("INSERT INTO %s.lines SELECT stream, ts, size, line, metadata, level, json FROM (%s) ORDER BY stream, ts, part, r", name, fmt.Sprintf(strings.Join(union, " UNION ALL "), sp[0], sp[1]))); err != nil {
			return err
		}
	}
	if err := s.rewritePatterns(ctx, c, parts, name, remove); err != nil {
		return err
	}
	if err := c.Exec(ctx, fmt.Sprintf("CREATE TABLE %[1]s.stats AS SELECT stream, count(*) AS entries, CAST(sum(size) AS BIGINT) AS bytes, min(ts) AS first, max(ts) AS last, count(metadata) > 0 AS metadata FROM %[1]s.lines GROUP BY stream ORDER BY stream", name)); err != nil {
		return err
	}
	if err := c.Exec(ctx, "CHECKPOINT "+name); err != nil {
		return err
	}
	attached = false
	if err := c.Exec(context.WithoutCancel(ctx), "DETACH "+name); err != nil {
		return err
	}
	if err := syncFile(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, target.path); err != nil {
		return fmt.Errorf("give sealed file its name: %w", err)
	}
	return syncFile(filepath.Dir(target.path))
}

// rewritePatterns copies the patterns of segments, without those of streams from which something is removed: a pattern may
// say what was in the lines.
func (s *Store) rewritePatterns(ctx context.Context, c *duck.Conn, parts []*segment, name string, remove *removal) error {
	var union []string
	without := map[string]bool{}
	for _, g := range parts {
		union = append(union, "SELECT labels, ts, pattern, entries FROM "+g.catalog+".patterns")
		if remove == nil {
			continue
		}
		s.mu.RLock()
		for i := range g.streams {
			if matches(g.streams[i].labels, remove.matchers) {
				without[duck.Quote(encodeLabels(g.streams[i].labels))] = true
			}
		}
		s.mu.RUnlock()
	}
	where := "true"
	if len(without) > 0 {
		where = "labels NOT IN (" + strings.Join(slices.Sorted(maps.Keys(without)), ", ") + ")"
	}
	return c.Exec(ctx, fmt.Sprintf("INSERT INTO %s.patterns SELECT labels, ts, pattern, CAST(sum(entries) AS BIGINT) FROM (%s) WHERE %s GROUP BY ALL ORDER BY labels, ts", name, strings.Join(union, " UNION ALL "), where))
}

// sortRows is about how many rows are sorted at a time.
const sortRows = 1 << 20

// spans divides the time of segments into spans of an hour or, where there are many entries, less, so that no sort is
// larger than memory allows.
func (s *Store) spans(ctx context.Context, c *duck.Conn, parts []*segment) ([][2]int64, error) {
	const hour = int64(time.Hour)
	rows := map[int64]int64{}
	for _, g := range parts {
		err := each(ctx, c, fmt.Sprintf("SELECT ts // %d, count(*) FROM %s.lines GROUP BY 1", hour, g.catalog), func(k *duck.Chunk) error {
			counts := duck.Fixed[int64](k, 1)
			for i, h := range duck.Fixed[int64](k, 0) {
				rows[h] += counts[i]
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	var out [][2]int64
	for _, h := range slices.Sorted(maps.Keys(rows)) {
		n := rows[h]/sortRows + 1
		for i := range n {
			out = append(out, [2]int64{h*hour + hour*i/n, h*hour + hour*(i+1)/n})
		}
	}
	return out, nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open to sync: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// discard removes a replaced segment after its last reader.
func (s *Store) discard(g *segment) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.drop(context.Background(), g)
}

// dropStale tries again to let go of replaced segments that were in use.
func (s *Store) dropStale(ctx context.Context) {
	s.writing.Lock()
	defer s.writing.Unlock()
	stale := s.stale
	s.stale = nil
	for _, g := range stale {
		s.drop(ctx, g)
	}
}

// drop detaches a segment and removes its files. The caller holds writing.
func (s *Store) drop(ctx context.Context, g *segment) {
	if s.writer == nil {
		return // The store is closed; the file is removed when it is opened again.
	}
	if err := g.detach(ctx, s.writer); err != nil {
		s.o.Logger.Warn("detach replaced log file; trying again", "file", filepath.Base(g.path), "err", err)
		s.stale = append(s.stale, g)
		return
	}
	if err := g.remove(); err != nil {
		s.o.Logger.Warn("remove replaced log file", "file", filepath.Base(g.path), "err", err)
	}
}

// Retain removes the days that are older than the retention, and the oldest days as long as the store is larger than it
// may be.
func (s *Store) Retain(ctx context.Context) error {
	if s.o.Retention <= 0 && s.o.RetentionBytes <= 0 {
		return nil
	}
	s.sealing.Lock()
	defer s.sealing.Unlock()
	st := s.Status()
	now := s.o.Now()
	today := dayOf(now.UnixNano())
	total := st.DiskBytes
	var errs []error
	for _, d := range st.Days {
		t, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			return fmt.Errorf("read day of retention: %w", err)
		}
		number := dayOf(t.UnixNano())
		old := s.o.Retention > 0 && now.Sub(t.Add(24*time.Hour)) > s.o.Retention
		large := s.o.RetentionBytes > 0 && total > s.o.RetentionBytes && number < today
		if !old && !large {
			continue
		}
		errs = append(errs, s.removeDay(ctx, number))
		total -= d.DiskBytes
		s.o.Logger.Info("removed a day of logs", "day", d.Day, "bytes", d.DiskBytes, "too_old", old)
	}
	return errors.Join(errs...)
}

func (s *Store) removeDay(ctx context.Context, number int64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer == nil {
		return ErrClosed
	}
	s.mu.Lock()
	d := s.days[number]
	delete(s.days, number)
	var unread []*segment
	if d != nil {
		for _, g := range d.segments {
			g.gone = true
			if g.refs == 0 {
				unread = append(unread, g)
			}
		}
	}
	s.mu.Unlock()
	s.recent.forget()
	for _, g := range unread {
		s.drop(ctx, g)
	}
	return nil
}

// reopen starts the engine again after a failure that made it refuse all work. The caller holds writing.
func (s *Store) reopen(ctx context.Context) {
	s.o.Logger.Error("DuckDB refuses further work after a failure; opening it again")
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	defer func() {
		for range cap(s.slots) {
			<-s.slots
		}
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut()
	s.days, s.stale = map[int64]*day{}, nil
	s.recent.forget()
	if err := s.open(ctx); err != nil {
		s.shut()
		s.o.Logger.Error("open log store again; logs are neither stored nor read until modelwatch is restarted", "err", err)
	}
}
