package syntax

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"
)

// expr reads a whole query: a log query, or a sample expression.
func (p *parser) expr() Expr {
	// A log query may stand in parentheses; so may a sample expression, which only what is inside can tell.
	n := 0
	for p.peekAt(n).is("(") {
		n++
	}
	if !p.peekAt(n).is("{") {
		return p.sample(0)
	}
	for range n {
		p.enter()
		p.next()
	}
	var e Expr = p.log()
	for range n {
		l := e.(*LogExpr)
		p.expect(")", "")
		l.Stages = append(l.Stages, p.stages()...)
	}
	if t := p.peek(); binaryOp(t) != "" {
		p.fail(t, "unexpected "+t.describe()+" after a log query", "operators go between numbers: count_over_time({…}[5m]) > 10")
	}
	return e
}

// binaryOp is the operator of a token, or "".
func binaryOp(t token) BinaryOp {
	op := BinaryOp(t.word())
	switch {
	case t.kind == tOp && op.precedence() != 3, t.kind == tOp && op.Comparison(), t.kind == tIdent && op.Set():
		return op
	}
	return ""
}

// sample reads a sample expression whose operators bind at least so tight.
func (p *parser) sample(tight int) SampleExpr {
	p.enter()
	defer p.leave()
	left := p.operand()
	for {
		at := p.peek()
		op := binaryOp(at)
		if op == "" || op.precedence() < tight {
			return left
		}
		p.next()
		b := &Binary{Op: op, Left: left}
		p.modifiers(b)
		next := op.precedence() + 1
		if op == OpPow { // right-associative
			next = op.precedence()
		}
		b.Right = p.sample(next)
		if op.Set() && (b.Left.Scalar() || b.Right.Scalar()) {
			p.fail(at, fmt.Sprintf("%q is not between two vectors", op), "make a vector of a number by vector(1)")
		}
		if b.Matching != nil && (b.Left.Scalar() || b.Right.Scalar()) {
			p.fail(at, "on, ignoring and group_left are only for operations between two vectors", "")
		}
		left = b
	}
}

// modifiers reads bool, on or ignoring, group_left or group_right.
func (p *parser) modifiers(b *Binary) {
	if t := p.peek(); t.ident("bool") {
		if !b.Op.Comparison() {
			p.fail(t, fmt.Sprintf("bool cannot follow %q", b.Op), "bool follows a comparison: > bool 1")
		}
		p.next()
		b.Bool = true
	}
	if t := p.peek(); t.ident("on") || t.ident("ignoring") {
		p.next()
		b.Matching = &Matching{On: t.ident("on"), Labels: p.labelList()}
	}
	t := p.peek()
	if !t.ident("group_left") && !t.ident("group_right") {
		return
	}
	if b.Matching == nil {
		p.fail(t, t.text+" needs on(…) or ignoring(…) before it", "")
	}
	if b.Op.Set() {
		p.fail(t, fmt.Sprintf("%s cannot be used with %q", t.text, b.Op), "it is for arithmetic and comparison")
	}
	p.next()
	b.Matching.Many = ManyLeft
	if t.ident("group_right") {
		b.Matching.Many = ManyRight
	}
	if p.peek().is("(") && p.isLabelList() {
		at := p.peek()
		b.Matching.Include = p.labelList()
		if b.Matching.On {
			for _, l := range b.Matching.Include {
				if slices.Contains(b.Matching.Labels, l) {
					p.fail(at, fmt.Sprintf("label %q is in on(…) and in %s(…)", l, t.text), "")
				}
			}
		}
	}
}

// isLabelList tells group_left(a, b) from group_left (expression).
func (p *parser) isLabelList() bool {
	for n := 1; ; n++ {
		switch t := p.peekAt(n); {
		case t.is(")"):
			return true
		case t.is(","):
		case t.kind == tIdent && !p.peekAt(n+1).is("("):
		default:
			return false
		}
	}
}

// labelList reads (a, b, …), which may be empty.
func (p *parser) labelList() []string {
	p.expect("(", "labels are listed in parentheses")
	list := []string{}
	for !p.peek().is(")") {
		list = append(list, p.expectKind(tIdent, "a label name", "").text)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "labels are separated by commas")
	return list
}

// operand reads a number, a function or an expression in parentheses.
func (p *parser) operand() SampleExpr {
	t := p.peek()
	switch {
	case t.is("("):
		p.enter()
		defer p.leave()
		p.next()
		e := p.sample(0)
		p.expect(")", "")
		return e
	case t.is("-"), t.is("+"):
		p.next()
		v := p.expectKind(tNumber, "a number", "a sign only goes before a number; write 0 - … or -1 * …")
		if t.text == "-" {
			v.num = -v.num
		}
		return &Literal{Value: v.num}
	case t.kind == tNumber:
		p.next()
		return &Literal{Value: t.num}
	case t.is("{"):
		p.fail(t, "a log query cannot stand here", "put it into a function such as rate({…}[5m])")
	case t.kind != tIdent:
		p.fail(t, "unexpected "+t.describe(), "a selector such as {job=\"x\"}, a function or a number is wanted here")
	}
	switch {
	case rangeOpKnown(t.word()):
		return p.rangeAgg()
	case slices.Contains(vectorOps, VectorOp(t.word())):
		return p.vectorAgg()
	case t.ident("label_replace"):
		return p.labelReplace()
	case t.ident("vector"):
		p.next()
		p.expect("(", "")
		v := &Vector{Value: p.number("vector")}
		p.expect(")", "vector takes one number")
		return v
	}
	hint := "log queries start with a selector such as {job=\"x\"}"
	if p.peekAt(1).is("(") {
		hint = "the functions are rate, count_over_time, sum_over_time, … and sum, avg, topk, …"
	}
	p.fail(t, "unexpected "+t.describe(), hint)
	return nil
}

func rangeOpKnown(s string) bool {
	_, ok := rangeOps[RangeOp(s)]
	return ok
}

// number reads a number with its sign.
func (p *parser) number(of string) float64 {
	sign := 1.0
	if p.accept("-") {
		sign = -1
	} else {
		p.accept("+")
	}
	return sign * p.expectKind(tNumber, "a number", of+" takes a number").num
}

func (p *parser) rangeAgg() *RangeAgg {
	p.enter()
	defer p.leave()
	name := p.next()
	e := &RangeAgg{Op: RangeOp(name.word())}
	if t := p.peek(); t.ident("by") || t.ident("without") {
		p.fail(t, fmt.Sprintf("%s follows the parentheses of %s", t.text, e.Op), fmt.Sprintf("%s(…[5m]) %s (…)", e.Op, t.text))
	}
	p.expect("(", "")
	if e.Op == QuantileOverTime {
		at := p.peek()
		if at.is("{") || at.is("(") {
			p.fail(at, "quantile_over_time needs the quantile first", "such as quantile_over_time(0.99, … | unwrap x [5m])")
		}
		e.Param = p.number("quantile_over_time")
		p.expect(",", "")
	} else if t := p.peek(); t.kind == tNumber {
		p.fail(t, fmt.Sprintf("%s takes no parameter", e.Op), "")
	}
	e.Range = p.logRange(true)
	p.expect(")", "")
	if t := p.peek(); t.ident("by") || t.ident("without") {
		if !rangeOps[e.Op].grouping {
			p.fail(t, fmt.Sprintf("grouping is not allowed for %s", e.Op), fmt.Sprintf("use sum %s (…) (%s(…))", t.text, e.Op))
		}
		e.Grouping = p.grouping()
	}
	switch rules := rangeOps[e.Op]; {
	case e.Range.Unwrap != nil && !rules.unwrapped:
		p.fail(name, fmt.Sprintf("%s does not go with unwrap", e.Op), "")
	case e.Range.Unwrap == nil && !rules.lines:
		p.fail(name, fmt.Sprintf("%s needs an unwrap", e.Op), fmt.Sprintf("such as %s({…} | json | unwrap latency_ms [5m])", e.Op))
	}
	if t := p.peek(); t.ident("offset") {
		p.fail(t, "offset stands outside of the function", fmt.Sprintf("%s({…}[5m] offset 1h)", e.Op))
	}
	return e
}

// logRange reads a log query with its range. The range stands behind the selector or at the end, and parentheses may
// stand around everything before the range or around all; inside of them the range may still be to come.
func (p *parser) logRange(complete bool) *LogRange {
	p.enter()
	defer p.leave()
	r := &LogRange{Log: &LogExpr{}}
	if p.accept("(") {
		r = p.logRange(false)
		p.expect(")", "")
	} else {
		if t := p.peek(); !t.is("{") {
			p.fail(t, "unexpected "+t.describe()+", expecting a selector", "a function over a range takes a log query such as {job=\"x\"}[5m]")
		}
		r.Log.Matchers = p.selector()
	}
	p.rangeAndOffset(r)
	p.pipelineOf(r)
	p.rangeAndOffset(r)
	if complete && r.Range == 0 {
		p.fail(p.peek(), "unexpected "+p.peek().describe()+", expecting a range", "such as {job=\"x\"}[5m]")
	}
	return r
}

func (p *parser) pipelineOf(r *LogRange) {
	at := p.peek()
	stages := p.stages()
	if len(stages) > 0 && r.Unwrap != nil {
		p.fail(at, "only conditions on labels may follow unwrap", "")
	}
	r.Log.Stages = append(r.Log.Stages, stages...)
	if p.startsUnwrap() {
		if r.Unwrap != nil {
			p.fail(p.peekAt(1), "unwrap is there twice", "")
		}
		r.Unwrap = p.unwrap()
	}
}

// rangeAndOffset reads [5m] offset 1h, if it is there.
func (p *parser) rangeAndOffset(r *LogRange) {
	at := p.peek()
	if !p.accept("[") {
		return
	}
	if r.Range != 0 {
		p.fail(at, "the range is there twice", "")
	}
	d := p.peek()
	if d.kind != tDuration {
		hint := "such as [5m]"
		if d.is("]") {
			hint = "a range has a length, such as [5m]"
		}
		p.fail(d, fmt.Sprintf("unexpected %s, expecting a duration", d.describe()), hint)
	}
	p.next()
	if d.dur <= 0 {
		p.fail(d, "a range must be longer than 0", "")
	}
	r.Range = d.dur
	p.expect("]", "")
	if p.peek().ident("offset") {
		p.next()
		sign := time.Duration(1)
		if p.accept("-") {
			sign = -1
		}
		o := p.peek()
		if o.kind != tDuration {
			p.fail(o, fmt.Sprintf("unexpected %s, expecting a duration", o.describe()), "such as offset 1h")
		}
		p.next()
		r.Offset = sign * o.dur
	}
}

func (p *parser) grouping() *Grouping {
	t := p.next()
	return &Grouping{Without: t.ident("without"), Labels: p.labelList()}
}

func (p *parser) vectorAgg() *VectorAgg {
	p.enter()
	defer p.leave()
	name := p.next()
	e := &VectorAgg{Op: VectorOp(name.word())}
	group := func() {
		t := p.peek()
		if !t.ident("by") && !t.ident("without") {
			return
		}
		if !e.Op.groups() {
			p.fail(t, fmt.Sprintf("grouping is not allowed for %s", e.Op), "")
		}
		if e.Grouping != nil {
			p.fail(t, "grouping is there twice", "")
		}
		e.Grouping = p.grouping()
	}
	group()
	p.expect("(", "")
	if e.Op.ranks() {
		k := p.expectKind(tNumber, "a number", fmt.Sprintf("%s takes a number first: %s(10, …)", e.Op, e.Op))
		if k.num < 1 || k.num != math.Trunc(k.num) || k.num > math.MaxInt32 {
			p.fail(k, fmt.Sprintf("%s needs a whole number greater than 0", e.Op), "")
		}
		e.K = int(k.num)
		p.expect(",", "")
	}
	at := p.peek()
	e.Expr = p.sample(0)
	if e.Expr.Scalar() {
		p.fail(at, fmt.Sprintf("%s needs a vector, and this is a number", e.Op), "such as vector(1)")
	}
	if t := p.peek(); t.is(",") {
		p.fail(t, fmt.Sprintf("%s takes one parameter", e.Op), "")
	}
	p.expect(")", "")
	group()
	return e
}

func (p *parser) labelReplace() *LabelReplace {
	p.enter()
	defer p.leave()
	p.next()
	p.expect("(", "")
	e := &LabelReplace{}
	at := p.peek()
	e.Expr = p.sample(0)
	if e.Expr.Scalar() {
		p.fail(at, "label_replace needs a vector, and this is a number", "")
	}
	args := []*string{&e.Dst, &e.Replacement, &e.Src, &e.Pattern}
	for i, arg := range args {
		p.expect(",", `label_replace(vector, "dst", "replacement", "src", "regex")`)
		v := p.expectKind(tString, "a string", "")
		*arg = v.text
		switch i {
		case 0:
			if !IsLabelName(v.text) {
				p.fail(v, fmt.Sprintf("%q is not a label name", v.text), "")
			}
		case 3:
			if _, err := regexp.Compile(v.text); err != nil {
				p.fail(v, "invalid regular expression: "+regexpProblem(err), "")
			}
		}
	}
	p.expect(")", "")
	return e
}
