package syntax

import (
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// printer writes a tree over several lines.
type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) line(s string) {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	p.b.WriteString(strings.Repeat("  ", p.indent))
	p.b.WriteString(s)
}

// maxLine is how long a part of a query may be to stay on one line.
const maxLine = 80

// Pretty is the query over several lines, indented; a short query stays on one.
func Pretty(e Expr) string {
	p := &printer{}
	p.expr(e)
	return p.b.String()
}

func (p *printer) expr(e Expr) {
	if s := e.String(); len(s)+2*p.indent <= maxLine {
		p.line(s)
		return
	}
	e.pretty(p)
}

// inside writes head, the body indented, and tail.
func (p *printer) inside(head string, body func(), tail string) {
	p.line(head)
	p.indent++
	body()
	p.indent--
	p.line(tail)
}

func (e *LogExpr) pretty(p *printer) {
	p.line(e.selector())
	p.indent++
	for _, s := range e.Stages {
		p.line(s.String())
	}
	p.indent--
}

func (e *RangeAgg) pretty(p *printer) {
	p.inside(string(e.Op)+"(", func() {
		if e.Op == QuantileOverTime {
			p.line(formatFloat(e.Param) + ",")
		}
		e.Range.Log.pretty(p)
		p.indent++
		if e.Range.Unwrap != nil {
			p.line(e.Range.Unwrap.String())
		}
		p.line(e.Range.Window())
		p.indent--
	}, ")"+e.Grouping.suffix())
}

func (e *VectorAgg) pretty(p *printer) {
	p.inside(e.head(), func() {
		if e.Op.ranks() {
			p.line(strconv.Itoa(e.K) + ",")
		}
		p.expr(e.Expr)
	}, ")")
}

func (e *Binary) pretty(p *printer) {
	p.operand(e.Left, e.leftParens())
	p.line(e.operator())
	p.operand(e.Right, e.rightParens())
}

func (p *printer) operand(e Expr, parens bool) {
	if !parens {
		p.expr(e)
		return
	}
	p.inside("(", func() { p.expr(e) }, ")")
}

func (e *LabelReplace) pretty(p *printer) {
	p.inside("label_replace(", func() {
		p.expr(e.Expr)
		p.b.WriteString(",")
		p.line(e.args())
	}, ")")
}

func (e *Vector) pretty(p *printer)  { p.line(e.String()) }
func (e *Literal) pretty(p *printer) { p.line(e.String()) }

func (e *LogExpr) selector() string {
	parts := make([]string, len(e.Matchers))
	for i, m := range e.Matchers {
		parts[i] = quoteMatcher(m)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// String implements Expr.
func (e *LogExpr) String() string {
	var b strings.Builder
	b.WriteString(e.selector())
	for _, s := range e.Stages {
		b.WriteString(" " + s.String())
	}
	return b.String()
}

// String implements Stage.
func (s *LineFilter) String() string {
	parts := make([]string, len(s.Operands))
	for i, o := range s.Operands {
		parts[i] = quote(o.Text)
		if o.IP {
			parts[i] = "ip(" + parts[i] + ")"
		}
	}
	return s.Op.String() + " " + strings.Join(parts, " or ")
}

// String implements Stage.
func (s *Parser) String() string {
	var b strings.Builder
	b.WriteString("| " + string(s.Kind))
	if s.Kind == ParseRegexp || s.Kind == ParsePattern {
		b.WriteString(" " + quote(s.Param))
	}
	if s.Strict {
		b.WriteString(" --strict")
	}
	if s.KeepEmpty {
		b.WriteString(" --keep-empty")
	}
	for i, f := range s.Fields {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(" " + f.Label)
		if f.Path != f.Label {
			b.WriteString("=" + quote(f.Path))
		}
	}
	return b.String()
}

// String implements Stage.
func (s *LabelFilter) String() string { return "| " + s.Cond.String() }

// String implements Cond.
func (c *StringCond) String() string { return quoteMatcher(c.Matcher) }

// String implements Cond.
func (c *NumberCond) String() string { return c.Name + " " + c.Op.String() + " " + c.text }

// String implements Cond.
func (c *IPCond) String() string {
	op := "="
	if c.Negative {
		op = "!="
	}
	return c.Name + " " + op + " ip(" + quote(c.Pattern) + ")"
}

// String implements Cond. Parentheses leave no doubt about the order.
func (c *BoolCond) String() string {
	op := " and "
	if c.Or {
		op = " or "
	}
	side := func(c Cond) string {
		if _, ok := c.(*BoolCond); ok {
			return "(" + c.String() + ")"
		}
		return c.String()
	}
	return side(c.Left) + op + side(c.Right)
}

// String implements Stage.
func (s *LineFormat) String() string { return "| line_format " + quote(s.Template) }

// String implements Stage.
func (s *LabelFormat) String() string {
	parts := make([]string, len(s.Formats))
	for i, f := range s.Formats {
		parts[i] = f.Name + "=" + f.Source
		if !f.Rename {
			parts[i] = f.Name + "=" + quote(f.Source)
		}
	}
	return "| label_format " + strings.Join(parts, ", ")
}

// String implements Stage.
func (*Decolorize) String() string { return "| decolorize" }

// String implements Stage.
func (s *DropLabels) String() string { return "| drop " + joinRefs(s.Labels) }

// String implements Stage.
func (s *KeepLabels) String() string { return "| keep " + joinRefs(s.Labels) }

func joinRefs(refs []LabelRef) string {
	parts := make([]string, len(refs))
	for i, r := range refs {
		parts[i] = r.Name
		if r.Matcher != nil {
			parts[i] = quoteMatcher(r.Matcher)
		}
	}
	return strings.Join(parts, ", ")
}

// String implements Stage.
func (u *Unwrap) String() string {
	var b strings.Builder
	b.WriteString("| unwrap ")
	if u.Convert == ConvertNumber {
		b.WriteString(u.Label)
	} else {
		b.WriteString(string(u.Convert) + "(" + u.Label + ")")
	}
	for _, f := range u.After {
		b.WriteString(" " + f.String())
	}
	return b.String()
}

// Window is the range with its offset: "[5m] offset 1h".
func (r *LogRange) Window() string {
	s := "[" + unit.FormatDuration(r.Range) + "]"
	if r.Offset != 0 {
		s += " offset " + unit.FormatDuration(r.Offset)
	}
	return s
}

// String is the range as it stands in a function.
func (r *LogRange) String() string {
	s := r.Log.String()
	if r.Unwrap != nil {
		s += " " + r.Unwrap.String()
	}
	if len(r.Log.Stages) > 0 || r.Unwrap != nil {
		s += " "
	}
	return s + r.Window()
}

// String is "by (a, b)" or "without (a, b)".
func (g *Grouping) String() string {
	if g == nil {
		return ""
	}
	word := "by ("
	if g.Without {
		word = "without ("
	}
	return word + strings.Join(g.Labels, ", ") + ")"
}

func (g *Grouping) suffix() string {
	if g == nil {
		return ""
	}
	return " " + g.String()
}

// String implements Expr.
func (e *RangeAgg) String() string {
	param := ""
	if e.Op == QuantileOverTime {
		param = formatFloat(e.Param) + ", "
	}
	return string(e.Op) + "(" + param + e.Range.String() + ")" + e.Grouping.suffix()
}

func (e *VectorAgg) head() string {
	if e.Grouping == nil {
		return string(e.Op) + "("
	}
	return string(e.Op) + " " + e.Grouping.String() + " ("
}

// String implements Expr.
func (e *VectorAgg) String() string {
	s := e.head()
	if e.Op.ranks() {
		s += strconv.Itoa(e.K) + ", "
	}
	return s + e.Expr.String() + ")"
}

func (e *Binary) operator() string {
	s := string(e.Op)
	if e.Bool {
		s += " bool"
	}
	if m := e.Matching; m != nil {
		word := " ignoring ("
		if m.On {
			word = " on ("
		}
		s += word + strings.Join(m.Labels, ", ") + ")"
		switch m.Many {
		case ManyLeft:
			s += " group_left"
		case ManyRight:
			s += " group_right"
		}
		if len(m.Include) > 0 {
			s += " (" + strings.Join(m.Include, ", ") + ")"
		}
	}
	return s
}

func (e *Binary) leftParens() bool {
	l, ok := e.Left.(*Binary)
	return ok && (l.Op.precedence() < e.Op.precedence() || l.Op == OpPow && e.Op == OpPow)
}

func (e *Binary) rightParens() bool {
	r, ok := e.Right.(*Binary)
	if !ok {
		return false
	}
	return r.Op.precedence() < e.Op.precedence() || r.Op.precedence() == e.Op.precedence() && e.Op != OpPow
}

// String implements Expr.
func (e *Binary) String() string {
	side := func(x SampleExpr, parens bool) string {
		if parens {
			return "(" + x.String() + ")"
		}
		return x.String()
	}
	return side(e.Left, e.leftParens()) + " " + e.operator() + " " + side(e.Right, e.rightParens())
}

func (e *LabelReplace) args() string {
	parts := []string{e.Dst, e.Replacement, e.Src, e.Pattern}
	for i, s := range parts {
		parts[i] = quote(s)
	}
	return strings.Join(parts, ", ")
}

// String implements Expr.
func (e *LabelReplace) String() string {
	return "label_replace(" + e.Expr.String() + ", " + e.args() + ")"
}

// String implements Expr.
func (e *Vector) String() string { return "vector(" + formatFloat(e.Value) + ")" }

// String implements Expr.
func (e *Literal) String() string { return formatFloat(e.Value) }

// quote writes text so that the lexer reads it back, with backquotes where that saves escapes.
func quote(s string) string {
	if strings.ContainsAny(s, "\"\\") && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
