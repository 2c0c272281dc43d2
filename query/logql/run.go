package logql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// grid is the points of time at which a metric query is evaluated: n of them from start, step apart, in nanoseconds.
type grid struct {
	start, step int64
	n           int
}

func (g grid) at(i int) int64 { return g.start + int64(i)*g.step }

// millis is the i-th point in Unix milliseconds.
func (g grid) millis(i int) int64 { return g.at(i) / int64(time.Millisecond) }

// run is one query at work.
type run struct {
	*Engine
	ctx     context.Context //nolint:containedctx // a run lives as long as its query
	grid    grid
	instant bool
	begin   time.Time
	stats   Stats
	used    atomic.Int64 // bytes held, roughly
}

func (e *Engine) newRun(ctx context.Context) *run {
	return &run{Engine: e, ctx: ctx, begin: e.opts.Now()}
}

func (r *run) finish(res *Result, err error) (*Result, error) {
	if err != nil {
		// A store that ends with the context may say so in its own words.
		if cause := context.Cause(r.ctx); cause != nil {
			return nil, cause
		}
		return nil, err
	}
	r.stats.Duration = r.opts.Now().Sub(r.begin)
	res.Stats = r.stats
	return res, nil
}

// hold accounts for memory and fails when the query has too much of it.
func (r *run) hold(n int64) error {
	if r.used.Add(n) > r.opts.MaxBytes {
		return &LimitError{
			Msg:  fmt.Sprintf("the query needs more than %d MiB of memory", r.opts.MaxBytes>>20),
			Hint: "select fewer streams, a shorter time or a longer step, or group by fewer labels",
		}
	}
	return nil
}

// sliceOverhead is what a kept entry or series costs beside its text.
const sliceOverhead = 64

// log runs a log query.
func (r *run) log(e *syntax.LogExpr, q Query) (*Result, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = min(DefaultLimit, r.opts.MaxEntries)
	}
	if limit > r.opts.MaxEntries {
		return nil, &LimitError{Msg: fmt.Sprintf("a limit of %d entries is more than %d", limit, r.opts.MaxEntries), Hint: "ask for fewer, or for several shorter times"}
	}
	s, err := planScan(e.Matchers, e.Stages, nil, pipeline.Need{All: true, Line: true})
	if err != nil {
		return nil, err
	}
	sel := s.sel
	sel.Start, sel.End = q.Start.UnixNano(), q.End.UnixNano()
	sel.Order, sel.Expect = logs.Backward, limit
	sel.Columns = logs.AllColumns
	if q.Forward {
		sel.Order = logs.Forward
	}
	if !s.drops && q.Interval <= 0 {
		sel.Limit = limit
	}
	c := &collector{run: r, q: q, limit: limit, streams: map[string]int{}}
	if err := r.each(s, sel, c.add); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	r.stats.Returned = int64(c.n)
	r.stats.Series = len(c.out)
	return &Result{Type: Streams, Streams: c.out}, nil
}

// each takes all entries of a selection through the pipeline, in the selection's order. An error of f ends it.
func (r *run) each(s *scanPlan, sel logs.Selection, f func(p *pipeline.Runner, ts int64) error) (err error) {
	if sel.Start >= sel.End {
		return nil
	}
	r.stats.Scans++
	cur, err := r.store.Select(r.ctx, sel)
	if err != nil {
		return fmt.Errorf("select entries: %w", err)
	}
	defer func() {
		r.stats.Store.Add(cur.Stats())
		if cerr := cur.Close(); cerr != nil && err == nil {
			err = fmt.Errorf("close selection: %w", cerr)
		}
	}()
	p := s.program.NewRunner()
	var table streamTable
	for {
		b, err := cur.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		err = r.batch(b, p, &table, f)
		b.Release()
		if err != nil {
			return err
		}
	}
}

// checkEvery is after how many entries a batch looks whether the query was cancelled.
const checkEvery = 1024

func (r *run) batch(b *logs.Batch, p *pipeline.Runner, table *streamTable, f func(p *pipeline.Runner, ts int64) error) error {
	for i, ts := range b.Timestamps {
		if i%checkEvery == 0 && r.ctx.Err() != nil {
			return r.ctx.Err()
		}
		e := b.Entry(i)
		if !p.Process(table.at(b, b.Stream[i]), ts, e.Line, e.Metadata) {
			continue
		}
		r.stats.Kept++
		if err := f(p, ts); err != nil {
			return err
		}
	}
	return nil
}

// streamTable holds the streams of a cursor, prepared for a pipeline.
type streamTable []*pipeline.Stream

func (t *streamTable) at(b *logs.Batch, i uint32) *pipeline.Stream {
	for len(*t) <= int(i) {
		*t = append(*t, pipeline.NewStream(b.Streams[len(*t)]))
	}
	return (*t)[i]
}

// collector gathers the entries of a log query into streams.
type collector struct {
	run     *run
	q       Query
	limit   int
	n       int
	last    int64
	streams map[string]int
	key     []byte
	out     []Stream
}

// add takes an entry; io.EOF says that there are enough.
func (c *collector) add(p *pipeline.Runner, ts int64) error {
	if c.q.Interval > 0 && c.n > 0 {
		if d := ts - c.last; d < int64(c.q.Interval) && -d < int64(c.q.Interval) {
			return nil
		}
	}
	c.last = ts
	e := Entry{Timestamp: ts, Line: strings.Clone(p.Line())}
	var ls labels.Labels
	if c.q.Categorize {
		ls, e.Metadata, e.Parsed = p.Categories()
	} else {
		ls = p.Labels()
	}
	c.key = ls.Bytes(c.key)
	i, ok := c.streams[string(c.key)]
	if !ok {
		i = len(c.out)
		c.streams[string(c.key)] = i
		c.out = append(c.out, Stream{Labels: ls})
	}
	c.out[i].Entries = append(c.out[i].Entries, e)
	if err := c.run.hold(int64(len(e.Line)) + sliceOverhead); err != nil {
		return err
	}
	if c.n++; c.n == c.limit {
		return io.EOF
	}
	return nil
}
