// Package memory is a log store in memory, for tests and for small sets of entries.
//
// It does exactly what the words of package logs say, in the simplest way, so that other stores can be compared with it.
// It is not fast, not bounded and not durable.
package memory

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/scan"
)

// batchSize is the number of entries of a batch. It is small so that tests see several batches.
const batchSize = 256

// Store holds streams. Its methods may be called at the same time.
type Store struct {
	mu      sync.RWMutex
	streams []*logs.Stream
	byKey   map[string]*logs.Stream
}

// New makes an empty store.
func New() *Store { return &Store{byKey: map[string]*logs.Stream{}} }

// Append adds entries. Exact duplicates, in time, line and metadata, are dropped.
func (s *Store) Append(_ context.Context, streams []logs.Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range streams {
		key := in.Labels.String()
		st := s.byKey[key]
		if st == nil {
			st = &logs.Stream{Labels: in.Labels}
			s.byKey[key] = st
			s.streams = append(s.streams, st)
		}
		sorted := true
		for _, e := range in.Entries {
			n := len(st.Entries)
			sorted = sorted && (n == 0 || st.Entries[n-1].Timestamp <= e.Timestamp)
			dup := false
			for i := n - 1; sorted && i >= 0 && st.Entries[i].Timestamp == e.Timestamp && !dup; i-- {
				dup = st.Entries[i].Line == e.Line && labels.Equal(st.Entries[i].Metadata, e.Metadata)
			}
			if !dup {
				st.Entries = append(st.Entries, e)
			}
		}
		if !sorted {
			slices.SortStableFunc(st.Entries, func(a, b logs.Entry) int { return cmpInt(a.Timestamp, b.Timestamp) })
		}
	}
	return nil
}

func cmpInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// row is an entry of a selection.
type row struct {
	stream uint32
	entry  logs.Entry
}

// Select implements the store that package logql asks.
func (s *Store) Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error) {
	table, rows, stats, err := s.rows(sel)
	if err != nil {
		return nil, err
	}
	switch sel.Order {
	case logs.Forward:
		slices.SortStableFunc(rows, func(a, b row) int { return cmpInt(a.entry.Timestamp, b.entry.Timestamp) })
	case logs.Backward:
		slices.Reverse(rows)
		slices.SortStableFunc(rows, func(a, b row) int { return cmpInt(b.entry.Timestamp, a.entry.Timestamp) })
	}
	if sel.Limit > 0 && len(rows) > sel.Limit {
		rows = rows[:sel.Limit]
	}
	return &cursor{ctx: ctx, table: table, rows: rows, columns: sel.Columns, stats: stats}, nil
}

func matchAll(ms []*labels.Matcher, get func(string) string) bool {
	for _, m := range ms {
		if !m.Matches(get(m.Name)) {
			return false
		}
	}
	return true
}

func (s *Store) rows(sel logs.Selection) ([]labels.Labels, []row, logs.Stats, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	filters := make([]func(string) bool, len(sel.Filters))
	for i, f := range sel.Filters {
		var err error
		if filters[i], err = filter(f); err != nil {
			return nil, nil, logs.Stats{}, err
		}
	}
	var table []labels.Labels
	var rows []row
	var stats logs.Stats
	for _, st := range s.streams {
		if !matchAll(sel.Matchers, st.Labels.Get) {
			continue
		}
		stats.Streams++
		index := uint32(len(table))
		table = append(table, st.Labels)
	entries:
		for _, e := range st.Entries {
			if e.Timestamp < sel.Start || e.Timestamp >= sel.End {
				continue
			}
			stats.Lines++
			stats.Bytes += int64(e.Bytes())
			for _, f := range filters {
				if !f(e.Line) {
					continue entries
				}
			}
			if !matchAll(sel.LabelFilters, func(name string) string { return value(st.Labels, e, name) }) {
				continue
			}
			rows = append(rows, row{index, e})
		}
	}
	return table, rows, stats, nil
}

// value is a label of the stream or, if the stream does not have it, of the entry.
func value(stream labels.Labels, e logs.Entry, name string) string {
	if stream.Has(name) {
		return stream.Get(name)
	}
	return e.Metadata.Get(name)
}

func filter(f logs.LineFilter) (func(string) bool, error) {
	var alts []func(string) bool
	for _, p := range f.Patterns {
		if f.Op == logs.Contains || f.Op == logs.NotContains {
			alts = append(alts, func(s string) bool { return strings.Contains(s, p) })
			continue
		}
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, err
		}
		alts = append(alts, re.MatchString)
	}
	negative := f.Op == logs.NotContains || f.Op == logs.NotMatch
	return func(s string) bool {
		for _, m := range alts {
			if m(s) {
				return !negative
			}
		}
		return negative
	}, nil
}

// cursor delivers rows.
type cursor struct {
	ctx     context.Context //nolint:containedctx // a cursor lives as long as its query
	table   []labels.Labels
	rows    []row
	columns logs.Columns
	stats   logs.Stats
}

// Next implements logs.Cursor.
func (c *cursor) Next() (*logs.Batch, error) {
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	if len(c.rows) == 0 {
		return nil, io.EOF
	}
	n := min(batchSize, len(c.rows))
	b := &logs.Batch{Streams: c.table}
	for _, r := range c.rows[:n] {
		b.Stream = append(b.Stream, r.stream)
		b.Timestamps = append(b.Timestamps, r.entry.Timestamp)
		switch {
		case c.columns&logs.ColumnLine != 0:
			b.Lines = append(b.Lines, r.entry.Line)
		case c.columns&logs.ColumnSize != 0:
			b.Sizes = append(b.Sizes, uint32(len(r.entry.Line)))
		}
		if c.columns&logs.ColumnMetadata != 0 {
			b.Metadata = append(b.Metadata, r.entry.Metadata)
		}
	}
	c.rows = c.rows[n:]
	c.stats.Delivered += int64(n)
	return b, nil
}

// Stats implements logs.Cursor.
func (c *cursor) Stats() logs.Stats { return c.stats }

// Close implements logs.Cursor.
func (c *cursor) Close() error {
	c.rows = nil
	return nil
}

// Count implements the counting that package logql may ask of a store.
func (s *Store) Count(ctx context.Context, req logs.CountRequest) (logs.Counts, error) {
	if err := ctx.Err(); err != nil {
		return logs.Counts{}, err
	}
	if req.Whole && !slices.ContainsFunc(req.By, func(f logs.Field) bool { return f.Kind == logs.JSONField }) {
		return logs.Counts{}, logs.ErrNotPushed
	}
	table, rows, stats, err := s.rows(req.Selection)
	if err != nil {
		return logs.Counts{}, err
	}
	type cell struct{ entries, bytes int64 }
	type group struct {
		values []string
		failed bool
		cells  map[int64]cell
	}
	groups := map[string]*group{}
rows:
	for _, r := range rows {
		var values []string
		if len(req.By) > 0 {
			values = make([]string, len(req.By))
		}
		failed := false
		for i, f := range req.By {
			switch f.Kind {
			case logs.StreamLabel:
				values[i] = table[r.stream].Get(f.Name)
			case logs.EntryLabel:
				values[i] = value(table[r.stream], r.entry, f.Name)
			case logs.JSONField:
				if table[r.stream].Has(f.Name) || r.entry.Metadata.Has(f.Name) {
					return logs.Counts{}, logs.ErrNotPushed
				}
				v, found, err := scan.JSONWhole(r.entry.Line, f.Name)
				if err != nil && req.Whole {
					continue rows
				}
				if err != nil && !found {
					failed = true
				}
				values[i] = v
			}
		}
		key := fmt.Sprintf("%t %q", failed, values)
		g := groups[key]
		if g == nil {
			g = &group{values: values, failed: failed, cells: map[int64]cell{}}
			groups[key] = g
		}
		k := (r.entry.Timestamp - req.Selection.Start) / req.Width
		c := g.cells[k]
		g.cells[k] = cell{c.entries + 1, c.bytes + int64(len(r.entry.Line))}
	}
	out := logs.Counts{Stats: stats}
	for _, counted := range groups {
		g := logs.Group{Values: counted.values, Failed: counted.failed}
		for k, c := range counted.cells {
			g.Buckets = append(g.Buckets, logs.Bucket{Index: k, Entries: c.entries, Bytes: c.bytes})
		}
		slices.SortFunc(g.Buckets, func(a, b logs.Bucket) int { return cmpInt(a.Index, b.Index) })
		out.Groups = append(out.Groups, g)
	}
	return out, nil
}
