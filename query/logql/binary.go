package logql

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// operate applies an operator. For a comparison the value is that of the left side and keep says whether it holds.
// Division by zero has no value.
func operate(op syntax.BinaryOp, a, b float64) (v float64, keep bool) {
	switch op {
	case syntax.OpAdd:
		return a + b, true
	case syntax.OpSub:
		return a - b, true
	case syntax.OpMul:
		return a * b, true
	case syntax.OpDiv:
		if b == 0 {
			return math.NaN(), true
		}
		return a / b, true
	case syntax.OpMod:
		if b == 0 {
			return math.NaN(), true
		}
		return math.Mod(a, b), true
	case syntax.OpPow:
		return math.Pow(a, b), true
	case syntax.OpEqual:
		return a, a == b
	case syntax.OpNotEqual:
		return a, a != b
	case syntax.OpGreater:
		return a, a > b
	case syntax.OpGreaterEqual:
		return a, a >= b
	case syntax.OpLess:
		return a, a < b
	case syntax.OpLessEqual:
		return a, a <= b
	}
	return math.NaN(), false
}

func (r *run) binary(e *syntax.Binary) ([]*series, error) {
	switch {
	case e.Left.Scalar():
		right, err := r.eval(e.Right)
		if err != nil {
			return nil, err
		}
		a := scalar(e.Left)
		return mapPoints(right, e, func(v float64) (float64, bool) {
			x, keep := operate(e.Op, a, v)
			if e.Op.Comparison() {
				x = v // a filter keeps the values of the vector
			}
			return x, keep
		}), nil
	case e.Right.Scalar():
		left, err := r.eval(e.Left)
		if err != nil {
			return nil, err
		}
		b := scalar(e.Right)
		return mapPoints(left, e, func(v float64) (float64, bool) { return operate(e.Op, v, b) }), nil
	}
	left, err := r.eval(e.Left)
	if err != nil {
		return nil, err
	}
	right, err := r.eval(e.Right)
	if err != nil {
		return nil, err
	}
	m := e.Matching
	if m == nil {
		m = &syntax.Matching{}
	}
	if e.Op.Set() {
		return setOperation(e.Op, left, right, m, r.grid.n), nil
	}
	return r.join(e, m, left, right)
}

// mapPoints applies an operation between a vector and a number.
func mapPoints(ss []*series, e *syntax.Binary, f func(float64) (float64, bool)) []*series {
	var out []*series
	for _, s := range ss {
		o := &series{labels: s.labels}
		for _, p := range s.points {
			v, keep := f(p.v)
			if e.Bool {
				v, keep = number(keep), true
			}
			if keep {
				o.points = append(o.points, point{p.step, v})
			}
		}
		if len(o.points) > 0 {
			out = append(out, o)
		}
	}
	return out
}

// signature is what two series that belong together have in common.
func signature(buf []byte, b *labels.Builder, ls labels.Labels, m *syntax.Matching) []byte {
	b.Reset(ls)
	if m.On {
		b.Keep(m.Labels...)
	} else {
		b.Del(m.Labels...)
	}
	return b.Labels().Bytes(buf)
}

func bySignature(ss []*series, m *syntax.Matching) map[string][]*series {
	out := map[string][]*series{}
	b := labels.NewBuilder(labels.EmptyLabels())
	var key []byte
	for _, s := range ss {
		key = signature(key, b, s.labels, m)
		out[string(key)] = append(out[string(key)], s)
	}
	return out
}

// setOperation is and, or and unless: what is at a point depends on whether the other side has an element there.
func setOperation(op syntax.BinaryOp, left, right []*series, m *syntax.Matching, n int) []*series {
	other := right
	if op == syntax.OpOr {
		other = left
	}
	steps := map[string][]bool{}
	for sig, ss := range bySignature(other, m) {
		at := make([]bool, n)
		for _, s := range ss {
			for _, p := range s.points {
				at[p.step] = true
			}
		}
		steps[sig] = at
	}
	pick := func(ss []*series, present bool) []*series {
		var out []*series
		b := labels.NewBuilder(labels.EmptyLabels())
		var key []byte
		for _, s := range ss {
			key = signature(key, b, s.labels, m)
			at := steps[string(key)]
			o := &series{labels: s.labels}
			for _, p := range s.points {
				if (at != nil && at[p.step]) == present {
					o.points = append(o.points, p)
				}
			}
			if len(o.points) > 0 {
				out = append(out, o)
			}
		}
		return out
	}
	switch op {
	case syntax.OpAnd:
		return pick(left, true)
	case syntax.OpUnless:
		return pick(left, false)
	}
	// Elements of both sides may have the same labels at different points.
	out := &joined{index: map[string]*series{}}
	for _, s := range append(slices.Clone(left), pick(right, false)...) {
		o := out.of(s.labels)
		o.points = append(o.points, s.points...)
	}
	for _, s := range out.series {
		slices.SortStableFunc(s.points, func(a, b point) int { return cmp.Compare(a.step, b.step) })
	}
	sortSeries(out.series)
	return out.series
}

// joined gathers points by the labels of the result.
type joined struct {
	series []*series
	index  map[string]*series
	key    []byte
}

func (j *joined) of(ls labels.Labels) *series {
	j.key = ls.Bytes(j.key)
	s := j.index[string(j.key)]
	if s == nil {
		s = &series{labels: ls}
		j.index[string(j.key)] = s
		j.series = append(j.series, s)
	}
	return s
}

// oneSide is the series with the same signature on the side of one: at each point at most one of them has a value.
type oneSide struct {
	of []int32 // by step: index of the series + 1
	v  []float64
	ss []*series
}

func newOneSide(ss []*series, n int, side string) (*oneSide, error) {
	o := &oneSide{of: make([]int32, n), v: make([]float64, n), ss: ss}
	for i, s := range ss {
		for _, p := range s.points {
			if first := o.of[p.step]; first != 0 {
				return nil, &MatchError{Msg: fmt.Sprintf("%s and %s on the %s side match the same element: labels must be unique on one side of the operation", ss[first-1].labels, s.labels, side)}
			}
			o.of[p.step], o.v[p.step] = int32(i+1), p.v
		}
	}
	return o, nil
}

// join is an arithmetic operation or a comparison of two vectors.
func (r *run) join(e *syntax.Binary, m *syntax.Matching, left, right []*series) ([]*series, error) {
	many, one, oneName := left, right, "right"
	if m.Many == syntax.ManyRight {
		many, one, oneName = right, left, "left"
	}
	ones := map[string]*oneSide{}
	for sig, ss := range bySignature(one, m) {
		o, err := newOneSide(ss, r.grid.n, oneName)
		if err != nil {
			return nil, err
		}
		ones[sig] = o
	}
	res := newResultLabels(m)
	out := &joined{index: map[string]*series{}}
	matched := map[string]map[int32]bool{} // of one to one: points at which a signature has an element already
	b := labels.NewBuilder(labels.EmptyLabels())
	var key []byte
	for _, s := range many {
		key = signature(key, b, s.labels, m)
		o := ones[string(key)]
		if o == nil {
			continue
		}
		sig := string(key)
		for _, p := range s.points {
			i := o.of[p.step]
			if i == 0 {
				continue
			}
			if m.Many == syntax.OneToOne {
				if matched[sig] == nil {
					matched[sig] = map[int32]bool{}
				}
				if matched[sig][p.step] {
					return nil, &MatchError{Msg: fmt.Sprintf("several elements on the left side match %s: say so by group_left or group_right", o.ss[i-1].labels)}
				}
				matched[sig][p.step] = true
			}
			a, c := p.v, o.v[p.step]
			if m.Many == syntax.ManyRight {
				a, c = c, a
			}
			v, keep := operate(e.Op, a, c)
			if e.Bool {
				v, keep = number(keep), true
			}
			if !keep {
				continue
			}
			t := out.of(res.of(s.labels, o.ss[i-1].labels))
			t.points = append(t.points, point{p.step, v})
		}
	}
	for _, s := range out.series {
		slices.SortStableFunc(s.points, func(a, b point) int { return cmp.Compare(a.step, b.step) })
		for i := 1; i < len(s.points); i++ {
			if s.points[i].step == s.points[i-1].step {
				return nil, &MatchError{Msg: fmt.Sprintf("the operation gives %s twice: labels of the many side must tell its elements apart", s.labels)}
			}
		}
	}
	sortSeries(out.series)
	return out.series, nil
}

// resultLabels makes the labels of results, each pair once.
type resultLabels struct {
	m     *syntax.Matching
	b     *labels.Builder
	cache map[string]labels.Labels
	key   []byte
	key2  []byte
}

func newResultLabels(m *syntax.Matching) *resultLabels {
	return &resultLabels{m: m, b: labels.NewBuilder(labels.EmptyLabels()), cache: map[string]labels.Labels{}}
}

// of is what an element on the side of many (or left) and one of the other give.
func (l *resultLabels) of(many, one labels.Labels) labels.Labels {
	l.key = many.Bytes(l.key)
	l.key2 = one.Bytes(l.key2)
	l.key = append(append(l.key, 0xff, 0xff), l.key2...)
	if ls, ok := l.cache[string(l.key)]; ok {
		return ls
	}
	l.b.Reset(many)
	if l.m.Many == syntax.OneToOne {
		if l.m.On {
			l.b.Keep(l.m.Labels...)
		} else {
			l.b.Del(l.m.Labels...)
		}
	}
	for _, name := range l.m.Include {
		if v := one.Get(name); v != "" {
			l.b.Set(name, v)
		} else {
			l.b.Del(name)
		}
	}
	ls := l.b.Labels()
	l.cache[string(l.key)] = ls
	return ls
}
