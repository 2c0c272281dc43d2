package logql

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// point is a value at a point of the grid.
type point struct {
	step int32
	v    float64
}

// pointCost is what a point costs in bytes.
const pointCost = 16

// series is the values of a part of a query with the same labels, in the order of steps.
type series struct {
	labels labels.Labels
	points []point
}

func sortSeries(ss []*series) {
	slices.SortStableFunc(ss, func(a, b *series) int { return labels.Compare(a.labels, b.labels) })
}

// matrix evaluates a metric query over the grid.
func (r *run) matrix(e syntax.SampleExpr) (*Result, error) {
	var ss []*series
	if e.Scalar() {
		v := scalar(e)
		ss = []*series{r.constant(v)}
	} else {
		var err error
		if ss, err = r.eval(e); err != nil {
			return nil, err
		}
	}
	if len(ss) > r.opts.MaxSeries {
		return nil, r.tooManyResults(len(ss))
	}
	res := &Result{Type: Matrix, Matrix: []Series{}}
	// Labels that became equal by label_replace are one series.
	sortSeries(ss)
	for i, s := range ss {
		if i == 0 || !labels.Equal(ss[i-1].labels, s.labels) {
			res.Matrix = append(res.Matrix, Series{Labels: s.labels})
		}
		out := &res.Matrix[len(res.Matrix)-1]
		before := len(out.Points)
		for _, p := range s.points {
			out.Points = append(out.Points, Point{T: r.grid.millis(int(p.step)), V: p.v})
		}
		if before > 0 {
			slices.SortStableFunc(out.Points, func(a, b Point) int { return cmp.Compare(a.T, b.T) })
		}
	}
	r.stats.Series = len(res.Matrix)
	return res, nil
}

// vector evaluates a metric query at one point.
func (r *run) vector(e syntax.SampleExpr) (*Result, error) {
	if e.Scalar() {
		return &Result{Type: Scalar, Scalar: Sample{Point: Point{T: r.grid.millis(0), V: scalar(e)}}}, nil
	}
	ss, err := r.eval(e)
	if err != nil {
		return nil, err
	}
	if len(ss) > r.opts.MaxSeries {
		return nil, r.tooManyResults(len(ss))
	}
	res := &Result{Type: Vector, Vector: []Sample{}}
	for _, s := range ss {
		for _, p := range s.points {
			res.Vector = append(res.Vector, Sample{Labels: s.labels, Point: Point{T: r.grid.millis(int(p.step)), V: p.v}})
		}
	}
	r.stats.Series = len(res.Vector)
	return res, nil
}

func (r *run) tooManyResults(n int) error {
	return &LimitError{
		Msg:  fmt.Sprintf("the answer has %d series, more than %d", n, r.opts.MaxSeries),
		Hint: "aggregate, such as by sum by (…) (…) or topk(10, …), or drop labels",
	}
}

// eval evaluates an expression that is not a scalar. Series are sorted by labels, but for the ranking functions at one
// point of time, whose order is their answer.
func (r *run) eval(e syntax.SampleExpr) ([]*series, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case *syntax.RangeAgg:
		return r.rangeAgg(e, nil)
	case *syntax.VectorAgg:
		return r.vectorAgg(e)
	case *syntax.Binary:
		return r.binary(e)
	case *syntax.LabelReplace:
		return r.labelReplace(e)
	case *syntax.Vector:
		return []*series{r.constant(e.Value)}, nil
	}
	return nil, fmt.Errorf("cannot evaluate %T", e)
}

// constant is a series without labels that always has the value.
func (r *run) constant(v float64) *series {
	s := &series{labels: labels.EmptyLabels(), points: make([]point, r.grid.n)}
	for i := range s.points {
		s.points[i] = point{int32(i), v}
	}
	return s
}

// scalar is the value of an expression of numbers.
func scalar(e syntax.SampleExpr) float64 {
	switch e := e.(type) {
	case *syntax.Literal:
		return e.Value
	case *syntax.Binary:
		v, keep := operate(e.Op, scalar(e.Left), scalar(e.Right))
		if e.Op.Comparison() {
			return number(keep)
		}
		return v
	}
	return math.NaN()
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// groupLabels are the labels of a series after a grouping.
func groupLabels(b *labels.Builder, ls labels.Labels, g *syntax.Grouping) labels.Labels {
	switch {
	case g == nil:
		return labels.EmptyLabels()
	case g.Without:
		b.Reset(ls)
		return b.Del(g.Labels...).Labels()
	case len(g.Labels) == 0:
		return labels.EmptyLabels()
	}
	b.Reset(ls)
	return b.Keep(g.Labels...).Labels()
}

// group is the series of a group of a vector aggregation.
type group struct {
	labels labels.Labels
	series []*series
}

func groups(ss []*series, g *syntax.Grouping) []*group {
	var out []*group
	index := map[string]*group{}
	b := labels.NewBuilder(labels.EmptyLabels())
	var key []byte
	for _, s := range ss {
		ls := groupLabels(b, s.labels, g)
		key = ls.Bytes(key)
		gr := index[string(key)]
		if gr == nil {
			gr = &group{labels: ls}
			index[string(key)] = gr
			out = append(out, gr)
		}
		gr.series = append(gr.series, s)
	}
	return out
}

func (r *run) vectorAgg(e *syntax.VectorAgg) ([]*series, error) {
	var ss []*series
	var err error
	if inner, ok := e.Expr.(*syntax.RangeAgg); ok {
		ss, err = r.rangeAgg(inner, e)
	} else {
		ss, err = r.eval(e.Expr)
	}
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case syntax.Sort, syntax.SortDesc:
		// Over a range of time every point would have an order of its own; series are sorted by labels there.
		if r.instant {
			byValue(ss, e.Op == syntax.SortDesc)
		}
		return ss, nil
	case syntax.TopK, syntax.BottomK, syntax.ApproxTopK:
		var out []*series
		for _, g := range groups(ss, e.Grouping) {
			out = append(out, r.rank(g.series, e.K, e.Op != syntax.BottomK)...)
		}
		if r.instant {
			byValue(out, e.Op != syntax.BottomK)
		} else {
			sortSeries(out)
		}
		return out, nil
	}
	var out []*series
	cells := make([]cell, r.grid.n)
	for _, g := range groups(ss, e.Grouping) {
		clear(cells)
		for _, s := range g.series {
			for _, p := range s.points {
				addTo(e.Op, &cells[p.step], p.v)
			}
		}
		s := &series{labels: g.labels}
		for i := range cells {
			if cells[i].n > 0 {
				s.points = append(s.points, point{int32(i), valueOf(e.Op, &cells[i])})
			}
		}
		out = append(out, s)
	}
	sortSeries(out)
	return out, nil
}

// byValue sorts series of one point.
func byValue(ss []*series, descending bool) {
	slices.SortStableFunc(ss, func(a, b *series) int {
		x, y := a.points[0].v, b.points[0].v
		switch nx, ny := math.IsNaN(x), math.IsNaN(y); { // NaN comes last
		case nx && ny:
			return 0
		case nx:
			return 1
		case ny:
			return -1
		}
		if descending {
			return cmp.Compare(y, x)
		}
		return cmp.Compare(x, y)
	})
}

func addTo(op syntax.VectorOp, c *cell, v float64) {
	switch op {
	case syntax.Min:
		if c.n == 0 || v < c.a || math.IsNaN(c.a) {
			c.a = v
		}
		c.n++
	case syntax.Max:
		if c.n == 0 || v > c.a || math.IsNaN(c.a) {
			c.a = v
		}
		c.n++
	case syntax.Stddev, syntax.Stdvar:
		c.vary(1, v, 0)
	default:
		c.n++
		c.sum(v)
	}
}

func valueOf(op syntax.VectorOp, c *cell) float64 {
	switch op {
	case syntax.Min, syntax.Max:
		return c.a
	case syntax.Count:
		return float64(c.n)
	case syntax.Avg:
		return (c.a + c.b) / float64(c.n)
	case syntax.Stdvar:
		return c.b / float64(c.n)
	case syntax.Stddev:
		return math.Sqrt(c.b / float64(c.n))
	}
	return c.a + c.b
}

// rank keeps the k greatest (or least) values at every point. Among equal ones the labels decide.
func (r *run) rank(ss []*series, k int, greatest bool) []*series {
	type ranked struct {
		series int
		v      float64
	}
	at := make([][]ranked, r.grid.n)
	for i, s := range ss {
		for _, p := range s.points {
			at[p.step] = append(at[p.step], ranked{i, p.v})
		}
	}
	out := make([]*series, len(ss))
	for step, rs := range at {
		slices.SortStableFunc(rs, func(a, b ranked) int {
			switch na, nb := math.IsNaN(a.v), math.IsNaN(b.v); {
			case na && nb:
				return 0
			case na:
				return 1
			case nb:
				return -1
			}
			if greatest {
				return cmp.Compare(b.v, a.v)
			}
			return cmp.Compare(a.v, b.v)
		})
		for _, x := range rs[:min(k, len(rs))] {
			if out[x.series] == nil {
				out[x.series] = &series{labels: ss[x.series].labels}
			}
			out[x.series].points = append(out[x.series].points, point{int32(step), x.v})
		}
	}
	return slices.DeleteFunc(out, func(s *series) bool { return s == nil })
}

func (r *run) labelReplace(e *syntax.LabelReplace) ([]*series, error) {
	ss, err := r.eval(e.Expr)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile("^(?s:" + e.Pattern + ")$")
	if err != nil {
		return nil, &RequestError{Msg: "label_replace: " + err.Error()}
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	out := make([]*series, len(ss))
	for i, s := range ss {
		out[i] = s
		src := s.labels.Get(e.Src)
		m := re.FindStringSubmatchIndex(src)
		if m == nil {
			continue
		}
		b.Reset(s.labels)
		b.Set(e.Dst, string(re.ExpandString(nil, e.Replacement, src, m))) // an empty value takes the label away
		out[i] = &series{labels: b.Labels(), points: s.points}
	}
	sortSeries(out)
	return out, nil
}
