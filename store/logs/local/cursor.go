package local

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Ordered selections are read in windows of time, so that neither the engine has to sort, nor a reader who wants the
// newest hundred lines has to wait for, more than a window.
const (
	// maxWindow is how many rows a window should deliver at most, by estimate.
	maxWindow = 256 << 10
	// minWindow is how many rows the first window should hold at least if the reader wants few.
	minWindow = 32 << 10
	// growth is the factor from one window to the next.
	growth = 4
)

// cursor reads a plan's sources.
type cursor struct {
	ctx    context.Context
	cancel context.CancelFunc
	s      *Store
	sel    logs.Selection
	plan   *plan
	conn   *duck.Conn
	rows   *duck.Rows

	// left is the number of sources, or for ordered selections groups of sources of one day, not begun.
	groups [][]*source
	group  []*source
	// from and to are what is left of the group's range; window is the number of rows that the next window should hold.
	from, to int64
	window   int64
	// asked is how many rows the window now read should hold, by estimate, and before what was delivered before it.
	asked, before int64
	limit         int
	metas         map[string]labels.Labels

	delivered atomic.Int64
	stats     logs.Stats
	pool      sync.Pool
	close     sync.Once
	err       error
}

// Select implements logstore.Store.
func (s *Store) Select(ctx context.Context, sel logs.Selection) (logs.Cursor, error) {
	if sel.End <= sel.Start {
		return emptyCursor{}, nil
	}
	p := s.plan(sel.Matchers, sel.LabelFilters, sel.Start, sel.End)
	if len(p.sources) == 0 {
		return emptyCursor{}, nil
	}
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.reading, stop)
	cancel := func() { unhook(); stop() }
	c, err := s.conn(ctx)
	if err != nil {
		cancel()
		p.release()
		return nil, err
	}
	cur := &cursor{ctx: ctx, cancel: cancel, s: s, sel: sel, plan: p, conn: c, limit: sel.Limit, metas: map[string]labels.Labels{}}
	cur.stats.Streams = len(p.streams)
	for _, src := range p.sources {
		cur.stats.Lines += src.rows
		cur.stats.Bytes += src.bytes
		n := len(cur.groups)
		if sel.Order != logs.Unordered && n > 0 && cur.groups[n-1][0].seg.day == src.seg.day {
			cur.groups[n-1] = append(cur.groups[n-1], src)
		} else {
			cur.groups = append(cur.groups, []*source{src})
		}
	}
	if sel.Order == logs.Backward {
		for i, j := 0, len(cur.groups)-1; i < j; i, j = i+1, j-1 {
			cur.groups[i], cur.groups[j] = cur.groups[j], cur.groups[i]
		}
	}
	cur.window = maxWindow
	if want := wanted(sel); want > 0 {
		cur.window = min(maxWindow, max(minWindow, int64(want)*16))
	}
	return cur, nil
}

// wanted is how many entries the reader will take, 0 if all.
func wanted(sel logs.Selection) int {
	if sel.Limit > 0 && (sel.Expect == 0 || sel.Limit < sel.Expect) {
		return sel.Limit
	}
	return sel.Expect
}

// Next implements logs.Cursor.
func (c *cursor) Next() (*logs.Batch, error) {
	for {
		if c.err != nil {
			return nil, c.err
		}
		if c.rows == nil {
			if c.sel.Limit > 0 && c.limit <= 0 {
				c.err = io.EOF
				return nil, c.err
			}
			sql, ok := c.next()
			if !ok {
				c.err = io.EOF
				return nil, c.err
			}
			rows, err := c.conn.Query(c.ctx, sql)
			if err != nil {
				c.err = c.s.queryError(err, c.group)
				return nil, c.err
			}
			c.rows = rows
		}
		k, err := c.rows.Next()
		if err != nil {
			c.err = c.s.queryError(err, c.group)
			return nil, c.err
		}
		if k == nil {
			c.rows.Close()
			c.rows = nil
			continue
		}
		b, err := c.batch(k)
		if err != nil {
			c.err = err
			return nil, err
		}
		if b != nil {
			c.delivered.Add(int64(b.Len()))
			c.limit -= b.Len()
			return b, nil
		}
	}
}

// next is the statement that reads what comes next.
func (c *cursor) next() (string, bool) {
	if c.sel.Order == logs.Unordered {
		if len(c.groups) == 0 {
			return "", false
		}
		c.group, c.groups = c.groups[0], c.groups[1:]
		src := c.group[0]
		sql := "SELECT " + c.columns(src, 0) + " FROM " + src.seg.catalog + ".lines WHERE " + src.where(c.sel.Start, c.sel.End, c.sel.Filters)
		if c.sel.Limit > 0 {
			sql += fmt.Sprintf(" LIMIT %d", c.limit)
		}
		return sql, true
	}
	for c.from >= c.to {
		if len(c.groups) == 0 {
			return "", false
		}
		c.group, c.groups = c.groups[0], c.groups[1:]
		c.from, c.to = c.group[0].first, c.group[0].last+1
		for _, src := range c.group[1:] {
			c.from, c.to = min(c.from, src.first), max(c.to, src.last+1)
		}
	}
	c.grow()
	from, to := c.from, c.to
	var rows int64
	for _, src := range c.group {
		rows += src.rows
	}
	first, last := c.group[0].first, c.group[0].last
	for _, src := range c.group[1:] {
		first, last = min(first, src.first), max(last, src.last)
	}
	if rows > c.window {
		width := int64(float64(last-first+1) * (float64(c.window) / float64(rows)))
		width = max(width, 1)
		if c.sel.Order == logs.Backward {
			from = max(from, to-width)
		} else {
			to = min(to, from+width)
		}
	}
	if c.sel.Order == logs.Backward {
		c.to = from
	} else {
		c.from = to
	}
	c.asked, c.before = min(c.window, rows), c.delivered.Load()
	var parts []string
	for i, src := range c.group {
		if src.first >= to || src.last < from {
			continue
		}
		parts = append(parts, "SELECT "+c.columns(src, i)+", rowid AS r FROM "+src.seg.catalog+".lines WHERE "+src.where(from, to, c.sel.Filters))
	}
	if len(parts) == 0 {
		return c.next()
	}
	direction := ""
	if c.sel.Order == logs.Backward {
		direction = " DESC"
	}
	sql := fmt.Sprintf("SELECT * EXCLUDE (r) FROM (%s) ORDER BY ts%[2]s, src%[2]s, r%[2]s", strings.Join(parts, " UNION ALL "), direction)
	if c.sel.Limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", c.limit)
	}
	return sql, true
}

// grow chooses the size of the next window. One that is read to be sorted should not deliver more than maxWindow; as long
// as filters let little through it may hold the more.
func (c *cursor) grow() {
	if c.asked == 0 {
		return
	}
	delivered := c.delivered.Load() - c.before
	most := c.asked * maxWindow / max(1, delivered)
	c.window = max(minWindow, min(c.window*growth, most))
}

// columns are what is read: stream, time, source, and what the reader looks at.
func (c *cursor) columns(src *source, i int) string {
	out := fmt.Sprintf("stream, ts, CAST(%d AS UINTEGER) AS src", i)
	if c.sel.Columns&logs.ColumnLine != 0 {
		out += ", line"
	} else if c.sel.Columns&logs.ColumnSize != 0 {
		out += ", size"
	}
	if c.sel.Columns&logs.ColumnMetadata != 0 {
		if src.metadata {
			out += ", metadata"
		} else {
			out += ", CAST(NULL AS VARCHAR) AS metadata"
		}
	}
	return out
}

// columnsOf is the memory of a batch, used again after its release.
type columnsOf struct {
	stream []uint32
	ts     []int64
	lines  []string
	sizes  []uint32
	metas  []labels.Labels
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// batch turns a chunk into a batch, or into nil if nothing of it is ours.
func (c *cursor) batch(k *duck.Chunk) (*logs.Batch, error) {
	n := k.Len()
	m, _ := c.pool.Get().(*columnsOf)
	if m == nil {
		m = &columnsOf{}
	}
	m.stream, m.ts = grown(m.stream, n), grown(m.ts, n)
	copy(m.ts, duck.Fixed[int64](k, 1))
	streams, sources := duck.Fixed[uint32](k, 0), duck.Fixed[uint32](k, 2)
	for i, id := range streams {
		m.stream[i] = c.group[sources[i]].index[id]
	}
	b := &logs.Batch{Streams: c.plan.streams, Stream: m.stream, Timestamps: m.ts}
	col := 3
	if c.sel.Columns&logs.ColumnLine != 0 {
		text := k.Strings(col)
		m.lines = grown(m.lines, n)
		for i := range text {
			m.lines[i] = text.At(i)
		}
		b.Lines = m.lines
		col++
	} else if c.sel.Columns&logs.ColumnSize != 0 {
		m.sizes = grown(m.sizes, n)
		copy(m.sizes, duck.Fixed[uint32](k, col))
		b.Sizes = m.sizes
		col++
	}
	if c.sel.Columns&logs.ColumnMetadata != 0 {
		if err := c.metadata(b, m, k, col); err != nil {
			k.Close()
			return nil, err
		}
	}
	b.Free = func() {
		k.Close()
		c.pool.Put(m)
	}
	return b, nil
}

// metadata fills the batch's metadata. Runs of entries often share it, so decoded label sets are kept.
func (c *cursor) metadata(b *logs.Batch, m *columnsOf, k *duck.Chunk, col int) error {
	valid, text := k.Valid(col), k.Strings(col)
	for i := range text {
		if !valid.Valid(i) {
			if b.Metadata != nil {
				b.Metadata[i] = labels.EmptyLabels()
			}
			continue
		}
		if b.Metadata == nil {
			m.metas = grown(m.metas, len(text))
			clear(m.metas)
			b.Metadata = m.metas
		}
		ls, ok := c.metas[text.At(i)]
		if !ok {
			var err error
			if ls, err = decodeLabels(text.At(i)); err != nil {
				return fmt.Errorf("read metadata of an entry: %w", err)
			}
			if len(c.metas) >= 4096 {
				clear(c.metas)
			}
			c.metas[strings.Clone(text.At(i))] = ls
		}
		b.Metadata[i] = ls
	}
	return nil
}

// Stats implements logs.Cursor. Lines and bytes are those of the selected streams in the selected time, as far as the
// files' own statistics tell.
func (c *cursor) Stats() logs.Stats {
	st := c.stats
	st.Delivered = c.delivered.Load()
	return st
}

// Close implements logs.Cursor.
func (c *cursor) Close() error {
	c.close.Do(func() {
		c.cancel()
		if c.rows != nil {
			c.rows.Close()
			c.rows = nil
		}
		c.err = io.EOF
		c.s.putConn(c.conn)
		c.plan.release()
	})
	return nil
}

// queryError makes an engine's error one that tells the user what to do.
func (s *Store) queryError(err error, sources []*source) error {
	if corrupt(err) && len(sources) > 0 {
		return s.damaged(err, sources)
	}
	if duck.IsMemory(err) {
		return &logstore.TooBigError{Limit: mebibytes(s.o.MemoryLimit), Err: err}
	}
	return fmt.Errorf("read log store: %w", err)
}

// emptyCursor has no entries.
type emptyCursor struct{}

func (emptyCursor) Next() (*logs.Batch, error) { return nil, io.EOF }
func (emptyCursor) Stats() logs.Stats          { return logs.Stats{} }
func (emptyCursor) Close() error               { return nil }
