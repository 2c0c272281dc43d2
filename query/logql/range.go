package logql

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// tally is the cells of a series, by pane.
type tally struct {
	labels labels.Labels
	panes  []int32 // sorted
	cells  []cell
	last   int // index of the cell that was used last
}

// cell finds or makes the cell of a pane.
func (t *tally) cell(pane int32) (c *cell, made bool) {
	if t.last < len(t.panes) && t.panes[t.last] == pane {
		return &t.cells[t.last], false
	}
	i, ok := len(t.panes), false
	if i > 0 && pane <= t.panes[i-1] {
		i, ok = slices.BinarySearch(t.panes, pane)
	}
	if !ok {
		t.panes = slices.Insert(t.panes, i, pane)
		t.cells = slices.Insert(t.cells, i, cell{})
	}
	t.last = i
	return &t.cells[i], !ok
}

// What series, cells and kept values cost in bytes, roughly.
const (
	seriesCost = 200
	cellCost   = 64
	valueCost  = 24 // with the spare room of a growing slice
)

// tallies are the series of one worker.
type tallies struct {
	run   *run
	plan  *rangePlan
	panes *panes
	fold  fold

	byKey map[string]*tally
	// plain holds the series of entries that have just the labels of their stream.
	plain   []*tally
	one     *tally // the only series of a grouping by nothing
	key     []byte
	pairs   []pipeline.Pair
	pending int64 // bytes not yet accounted for
	kept    int64
}

func newTallies(r *run, p *rangePlan, pn *panes, f fold) *tallies {
	return &tallies{run: r, plan: p, panes: pn, fold: f, byKey: map[string]*tally{}}
}

// of finds or makes the series of the entry that the pipeline has just handled.
func (t *tallies) of(p *pipeline.Runner, stream uint32) (*tally, error) {
	g := &t.plan.group
	if !g.whole && len(g.by) == 0 {
		if t.one == nil {
			t.one = t.make("", nil)
		}
		return t.one, nil
	}
	plain := p.Plain()
	if plain && int(stream) < len(t.plain) && t.plain[stream] != nil {
		return t.plain[stream], nil
	}
	t.key = t.key[:0]
	if g.whole {
		t.pairs = t.pairs[:0]
		for _, pr := range p.Pairs() {
			if !slices.Contains(g.drop, pr.Name) {
				t.pairs = append(t.pairs, pr)
				t.key = append(append(append(append(t.key, pr.Name...), 0xff), pr.Value...), 0xff)
			}
		}
	} else {
		for _, name := range g.by {
			v, ok := p.Label(name)
			if !ok {
				t.key = append(t.key, 0xfe)
			} else {
				t.key = append(append(t.key, v...), 0xff)
			}
		}
	}
	s := t.byKey[string(t.key)]
	if s == nil {
		if !g.whole {
			t.pairs = t.pairs[:0]
			for _, name := range g.by {
				if v, ok := p.Label(name); ok {
					t.pairs = append(t.pairs, pipeline.Pair{Name: name, Value: v})
				}
			}
		}
		if len(t.byKey) >= t.run.opts.MaxWorkSeries {
			return nil, tooManySeries(t.run.opts.MaxWorkSeries)
		}
		s = t.make(string(t.key), t.pairs)
	}
	if plain {
		for len(t.plain) <= int(stream) {
			t.plain = append(t.plain, nil)
		}
		t.plain[stream] = s
	}
	return s, nil
}

func tooManySeries(limit int) error {
	return &LimitError{Msg: fmt.Sprintf("the query makes more than %d series", limit), Hint: "group by labels with fewer values, drop labels, or select fewer streams"}
}

func (t *tallies) make(key string, pairs []pipeline.Pair) *tally {
	s := &tally{labels: pipeline.NewLabels(pairs)}
	t.byKey[key] = s
	t.pending += int64(2*len(key)) + seriesCost
	return s
}

// add adds the entry that the pipeline has just handled.
func (t *tallies) add(p *pipeline.Runner, stream uint32, ts int64, size int) error {
	if kind, details := p.Error(); kind != "" && (!t.plan.errors || !ofParser(kind)) {
		return &PipelineError{Kind: kind, Details: strings.Clone(details), Labels: p.Labels()}
	}
	pane := t.panes.index(ts)
	if pane < 0 {
		return nil
	}
	s, err := t.of(p, stream)
	if err != nil {
		return err
	}
	c, made := s.cell(pane)
	if made {
		t.pending += cellCost
	}
	if t.fold.keeps {
		t.pending += valueCost
	}
	t.fold.add(c, ts, p.Value(), size)
	t.kept++
	return nil
}

// absorb adds the series of another worker.
func (t *tallies) absorb(o *tallies) {
	t.kept += o.kept
	for key, s := range o.byKey {
		mine := t.byKey[key]
		if mine == nil {
			t.byKey[key] = s
			continue
		}
		for i, pane := range s.panes {
			c, _ := mine.cell(pane)
			t.fold.merge(c, &s.cells[i])
		}
	}
}

// batch takes the entries of a batch through the pipeline.
func (t *tallies) batch(b *logs.Batch, p *pipeline.Runner, table *streamTable) error {
	for i, ts := range b.Timestamps {
		if i%checkEvery == 0 {
			if err := t.run.ctx.Err(); err != nil {
				return err
			}
			if err := t.run.hold(t.pending); err != nil {
				return err
			}
			t.pending = 0
		}
		e := b.Entry(i)
		if !p.Process(table.at(b, b.Stream[i]), ts, e.Line, e.Metadata) {
			continue
		}
		size := len(p.Line())
		if b.Sizes != nil {
			size = int(b.Sizes[i])
		}
		if err := t.add(p, b.Stream[i], ts, size); err != nil {
			return err
		}
	}
	return nil
}

// rangeAgg evaluates a range aggregation, inside of a vector aggregation or nil, at every point of the grid.
func (r *run) rangeAgg(e *syntax.RangeAgg, outer *syntax.VectorAgg) ([]*series, error) {
	plan, err := planRange(e, outer)
	if err != nil {
		return nil, err
	}
	f := foldOf(e)
	pn := newPanes(r.grid, int64(e.Range.Range), int64(e.Range.Offset))
	sel := plan.scan.sel
	sel.Start, sel.End = pn.first(), pn.last()
	sel.Order = logs.Unordered
	t := newTallies(r, plan, pn, f)
	counted, err := r.count(plan, sel, t)
	if err != nil {
		return nil, err
	}
	if !counted {
		if err := r.scanAll(plan, sel, t); err != nil {
			return nil, err
		}
	}
	r.stats.Kept += t.kept
	if e.Op == syntax.AbsentOverTime {
		return r.absent(e, t), nil
	}
	if len(t.byKey) > r.opts.MaxWorkSeries {
		return nil, tooManySeries(r.opts.MaxWorkSeries)
	}
	return r.points(e, t)
}

// points makes series of tallies, several at a time.
func (r *run) points(e *syntax.RangeAgg, t *tallies) ([]*series, error) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		all  = slices.Collect(maps.Values(t.byKey))
		out  = make([]*series, len(all))
		errs = make([]error, r.opts.Workers)
	)
	for worker := range min(r.opts.Workers, len(all)) {
		wg.Go(func() {
			var w slider
			for i := next.Add(1) - 1; i < int64(len(all)) && errs[worker] == nil; i = next.Add(1) - 1 {
				s := all[i]
				var points []point
				if e.Op == syntax.QuantileOverTime {
					points = quantiles(e.Param, s, t.panes)
				} else {
					points = w.slide(s, t.panes, t.fold)
				}
				if len(points) > 0 {
					out[i] = &series{labels: s.labels, points: points}
				}
				errs[worker] = cmp.Or(r.ctx.Err(), r.hold(int64(len(points))*pointCost))
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	out = slices.DeleteFunc(out, func(s *series) bool { return s == nil })
	sortSeries(out)
	return out, nil
}

// scanAll reads the selection with several workers.
func (r *run) scanAll(plan *rangePlan, sel logs.Selection, t *tallies) (err error) {
	r.stats.Scans++
	cur, err := r.store.Select(r.ctx, sel)
	if err != nil {
		return fmt.Errorf("select entries: %w", err)
	}
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex // over cur.Next, done and the errors
		done  bool
		errs  error
		parts = make([]*tallies, r.opts.Workers)
	)
	next := func() *logs.Batch {
		mu.Lock()
		defer mu.Unlock()
		if done {
			return nil
		}
		b, err := cur.Next()
		if err != nil {
			done = true
			if !errors.Is(err, io.EOF) {
				errs = errors.Join(errs, fmt.Errorf("read entries: %w", err))
			}
			return nil
		}
		return b
	}
	for i := range parts {
		parts[i] = newTallies(r, plan, t.panes, t.fold)
		wg.Go(func() {
			p := plan.scan.program.NewRunner()
			var table streamTable
			for b := next(); b != nil; b = next() {
				err := parts[i].batch(b, p, &table)
				b.Release()
				if err != nil {
					mu.Lock()
					if errs == nil { // the first is enough; others are of the same kind, or of its end
						errs = err
					}
					done = true
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	r.stats.Store.Add(cur.Stats())
	if err := cur.Close(); err != nil {
		errs = errors.Join(errs, fmt.Errorf("close selection: %w", err))
	}
	if errs != nil {
		return errs
	}
	for _, p := range parts {
		t.absorb(p)
	}
	return nil
}

// maxBuckets is the greatest number of buckets that a store is asked to count into.
const maxBuckets = 100_000

// count lets the store count, if it can.
func (r *run) count(plan *rangePlan, sel logs.Selection, t *tallies) (bool, error) {
	counter, ok := r.store.(Counter)
	width := t.panes.width()
	if !ok || !plan.counts || (sel.End-sel.Start)/width >= maxBuckets {
		return false, nil
	}
	counts, err := counter.Count(r.ctx, logs.CountRequest{Selection: sel, By: plan.fields, Whole: plan.whole, Width: width})
	if errors.Is(err, logs.ErrNotPushed) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("count entries: %w", err)
	}
	r.stats.Scans++
	r.stats.Counted++
	r.stats.Store.Add(counts.Stats)
	bytes := plan.expr.Op == syntax.BytesOverTime || plan.expr.Op == syntax.BytesRate
	for _, g := range counts.Groups {
		var pairs []pipeline.Pair
		key := strings.Join(g.Values, "\xff")
		for i, v := range g.Values {
			if v != "" {
				pairs = append(pairs, pipeline.Pair{Name: plan.group.by[i], Value: v})
			}
		}
		if g.Failed {
			return false, &PipelineError{Kind: "JSONParserErr", Details: "a line is not a JSON object", Labels: pipeline.NewLabels(pairs)}
		}
		s := t.byKey[key]
		if s == nil {
			s = t.make(key, pairs)
		}
		for _, b := range g.Buckets {
			pane := t.panes.index(sel.Start + b.Index*width)
			if pane < 0 {
				continue
			}
			c, _ := s.cell(pane)
			t.kept += b.Entries
			if bytes {
				c.n += b.Bytes
			} else {
				c.n += b.Entries
			}
		}
	}
	return true, nil
}

// absent is 1 wherever a window has no entry.
func (r *run) absent(e *syntax.RangeAgg, t *tallies) []*series {
	some := make([]bool, r.grid.n)
	var w slider
	for _, s := range t.byKey {
		for _, p := range w.slide(s, t.panes, t.fold) {
			some[p.step] = true
		}
	}
	out := &series{labels: absentLabels(e.Range.Log.Matchers)}
	for i, s := range some {
		if !s {
			out.points = append(out.points, point{step: int32(i), v: 1})
		}
	}
	if len(out.points) == 0 {
		return nil
	}
	return []*series{out}
}

// absentLabels are those that a selector says exactly.
func absentLabels(ms []*labels.Matcher) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	seen := map[string]bool{}
	for _, m := range ms {
		if m.Type == labels.MatchEqual && !seen[m.Name] {
			b.Set(m.Name, m.Value)
		} else {
			b.Del(m.Name)
		}
		seen[m.Name] = true
	}
	return b.Labels()
}

// slider makes windows of panes. For each window it must put together a run of cells that moves forward; it does so with
// two stacks, so that each cell is merged a bounded number of times however long the windows are.
type slider struct {
	front []cell // front[i] is all of the stack from i on, up to where the back begins
	back  cell
	vals  []timed // room for the values of a window
}

// slide gives the values of a series at the points of the grid whose windows have entries.
func (w *slider) slide(s *tally, pn *panes, f fold) []point {
	var points []point
	w.front = w.front[:0]
	w.back = cell{}
	lo, mid, hi := 0, 0, 0 // cells lo..mid-1 are in front, mid..hi-1 in back
	for i := range pn.n {
		first, last := pn.window(i)
		for hi < len(s.panes) && s.panes[hi] <= last {
			if !f.keeps {
				f.merge(&w.back, &s.cells[hi])
			}
			hi++
		}
		for lo < hi && s.panes[lo] < first {
			if lo == mid && !f.keeps {
				w.turn(s, lo, hi, f)
				mid = hi
			}
			if lo++; !f.keeps && lo <= mid {
				w.front = w.front[:len(w.front)-1]
			}
			mid = max(mid, lo)
		}
		if lo == hi {
			continue
		}
		var c cell
		if f.keeps {
			c.vals = w.vals[:0]
			for j := lo; j < hi; j++ {
				f.merge(&c, &s.cells[j])
			}
			w.vals = c.vals
		} else {
			if len(w.front) > 0 {
				c = w.front[len(w.front)-1]
			}
			f.merge(&c, &w.back)
		}
		points = append(points, point{step: int32(i), v: f.value(&c, pn.origin+int64(i)*pn.step)})
	}
	return points
}

// turn makes the front of the cells from lo to hi and empties the back.
func (w *slider) turn(s *tally, lo, hi int, f fold) {
	w.front = w.front[:0]
	var c cell
	for j := hi - 1; j >= lo; j-- {
		next := s.cells[j]
		f.merge(&next, &c)
		c = next
		w.front = append(w.front, c)
	}
	w.back = cell{}
}
