package remote

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// selector writes matchers as LogQL.
func selector(matchers []*labels.Matcher) string {
	parts := make([]string, len(matchers))
	for i, m := range matchers {
		parts[i] = m.Name + m.Type.String() + strconv.Quote(m.Value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// filters writes line filters as LogQL, in which a dot matches a newline unless told otherwise.
func filters(fs []logs.LineFilter) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(" " + f.Op.String() + " ")
		for i, p := range f.Patterns {
			if i > 0 {
				b.WriteString(" or ")
			}
			if f.Op == logs.Match || f.Op == logs.NotMatch {
				p = "(?-s)" + p
			}
			b.WriteString(strconv.Quote(p))
		}
	}
	return b.String()
}

// cursor reads page by page.
type cursor struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      *Store
	sel    logs.Selection
	query  string
	// start and end bound what is left; edge are the entries at the last timestamp that were delivered.
	start, end int64
	edge       map[string]int
	edgeAt     int64
	limit      int
	done       bool
	streams    []labels.Labels
	index      map[string]uint32
	stats      logs.Stats
}

// Select implements logstore.Store. Conditions on entry labels are applied here; the rest is asked for.
func (s *Store) Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error) {
	c := &cursor{s: s, sel: sel, start: sel.Start, end: sel.End, limit: sel.Limit, index: map[string]uint32{}}
	c.ctx, c.cancel = context.WithCancel(ctx)
	c.query = selector(sel.Matchers) + filters(sel.Filters)
	c.done = sel.End <= sel.Start
	return c, nil
}

// row is an entry of a page.
type row struct {
	stream uint32
	entry  logs.Entry
	order  int
}

// Next implements logs.Cursor.
func (c *cursor) Next() (*logs.Batch, error) {
	for {
		if c.done || c.sel.Limit > 0 && c.limit <= 0 {
			return nil, io.EOF
		}
		rows, err := c.page()
		if err != nil {
			c.done = true
			return nil, err
		}
		if c.sel.Limit > 0 && len(rows) > c.limit {
			rows = rows[:c.limit]
		}
		if len(rows) == 0 {
			continue
		}
		c.limit -= len(rows)
		c.stats.Delivered += int64(len(rows))
		c.stats.Streams = len(c.streams)
		return c.batch(rows), nil
	}
}

// page asks for the next entries and leaves out those that were delivered before.
func (c *cursor) page() ([]row, error) {
	size := c.s.o.PageSize
	if c.limit > 0 && len(c.sel.LabelFilters) == 0 {
		size = min(size, c.limit+len(c.edge))
	}
	direction := "backward"
	if c.sel.Order == logs.Forward {
		direction = "forward"
	}
	params := url.Values{
		"query": {c.query}, "start": {fmt.Sprint(c.start)}, "end": {fmt.Sprint(c.end)},
		"limit": {fmt.Sprint(size)}, "direction": {direction},
	}
	var out struct {
		Data struct {
			Result []struct {
				Stream map[string]string
				Values [][]any
			}
			Stats struct {
				Summary struct {
					TotalBytesProcessed, TotalLinesProcessed int64
				}
			}
		}
	}
	header := http.Header{"X-Loki-Response-Encoding-Flags": {"categorize-labels"}}
	if err := c.s.form(c.ctx, "/loki/api/v1/query_range", params, header, &out); err != nil {
		return nil, err
	}
	c.stats.Bytes += out.Data.Stats.Summary.TotalBytesProcessed
	c.stats.Lines += out.Data.Stats.Summary.TotalLinesProcessed
	var rows []row
	for _, r := range out.Data.Result {
		id := c.number(labels.FromMap(r.Stream))
		for _, v := range r.Values {
			e, err := entry(c.streams[id], v)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row{id, e, len(rows)})
		}
	}
	got := len(rows)
	slices.SortStableFunc(rows, func(a, b row) int {
		if direction == "forward" {
			return cmp.Compare(a.entry.Timestamp, b.entry.Timestamp)
		}
		return cmp.Compare(b.entry.Timestamp, a.entry.Timestamp)
	})
	fresh, err := c.advance(rows, got, size)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(fresh, func(r row) bool { return !c.passes(&r) }), nil
}

// advance notes how far was read. The next page begins with the last timestamp of this one, since there may be more
// entries at it, and what was delivered of it is left out there.
func (c *cursor) advance(rows []row, got, size int) ([]row, error) {
	fresh := rows
	if c.edge != nil {
		left := c.edge
		c.edge = nil
		fresh = rows[:0:0]
		for _, r := range rows {
			if k := c.key(&r); r.entry.Timestamp == c.edgeAt && left[k] > 0 {
				left[k]--
				continue
			}
			fresh = append(fresh, r)
		}
	}
	if got < size {
		c.done = true
		return fresh, nil
	}
	last := rows[len(rows)-1].entry.Timestamp
	if len(fresh) == 0 {
		return nil, fmt.Errorf("log store elsewhere has more than %d entries at one instant (%d ns), which it cannot deliver", size, last)
	}
	c.edge, c.edgeAt = map[string]int{}, last
	for _, r := range rows {
		if r.entry.Timestamp == last {
			c.edge[c.key(&r)]++
		}
	}
	if c.sel.Order == logs.Forward {
		c.start = last
	} else {
		c.end = last + 1
	}
	return fresh, nil
}

func (c *cursor) key(r *row) string { return fmt.Sprint(r.stream) + "\x00" + r.entry.Line }

func (c *cursor) number(ls labels.Labels) uint32 {
	k := ls.String()
	id, ok := c.index[k]
	if !ok {
		id = uint32(len(c.streams))
		c.index[k] = id
		c.streams = append(c.streams, ls)
	}
	return id
}

// entry reads ["<nanoseconds>", "<line>", {"structuredMetadata": {...}}].
func entry(stream labels.Labels, v []any) (logs.Entry, error) {
	if len(v) < 2 {
		return logs.Entry{}, fmt.Errorf("read answer of log store elsewhere: %v is no entry", v)
	}
	at, okAt := v[0].(string)
	line, okLine := v[1].(string)
	ts, err := strconv.ParseInt(at, 10, 64)
	if !okAt || !okLine || err != nil {
		return logs.Entry{}, fmt.Errorf("read answer of log store elsewhere: %v is no entry", v)
	}
	e := logs.Entry{Timestamp: ts, Line: line}
	if len(v) > 2 {
		categories, _ := v[2].(map[string]any)
		meta, _ := categories["structuredMetadata"].(map[string]any)
		m := map[string]string{}
		for k, x := range meta {
			s, ok := x.(string)
			if !ok {
				continue
			}
			// Metadata that has the name of a label is given another one there.
			if own, renamed := strings.CutSuffix(k, "_extracted"); renamed && stream.Has(own) {
				k = own
			}
			m[k] = s
		}
		if len(m) > 0 {
			e.Metadata = labels.FromMap(m)
		}
	}
	return e, nil
}

func (c *cursor) passes(r *row) bool {
	ls := c.streams[r.stream]
	for _, m := range c.sel.LabelFilters {
		v := ls.Get(m.Name)
		if !ls.Has(m.Name) {
			v = r.entry.Metadata.Get(m.Name)
		}
		if !m.Matches(v) {
			return false
		}
	}
	return true
}

func (c *cursor) batch(rows []row) *logs.Batch {
	b := &logs.Batch{Streams: c.streams}
	for _, r := range rows {
		b.Stream = append(b.Stream, r.stream)
		b.Timestamps = append(b.Timestamps, r.entry.Timestamp)
		switch {
		case c.sel.Columns&logs.ColumnLine != 0:
			b.Lines = append(b.Lines, r.entry.Line)
		case c.sel.Columns&logs.ColumnSize != 0:
			b.Sizes = append(b.Sizes, uint32(len(r.entry.Line)))
		}
	}
	if c.sel.Columns&logs.ColumnMetadata != 0 && slices.ContainsFunc(rows, func(r row) bool { return !r.entry.Metadata.IsEmpty() }) {
		for _, r := range rows {
			b.Metadata = append(b.Metadata, r.entry.Metadata)
		}
	}
	return b
}

// Stats implements logs.Cursor.
func (c *cursor) Stats() logs.Stats { return c.stats }

// Close implements logs.Cursor.
func (c *cursor) Close() error {
	c.done = true
	c.cancel()
	return nil
}
