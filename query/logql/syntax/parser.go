package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// maxDepth bounds how deep expressions nest, maxQuery how many bytes a query has.
const (
	maxDepth = 200
	maxQuery = 128 << 10
)

// parser reads tokens by recursive descent. Errors are *Error and travel by panic inside the package only.
type parser struct {
	input  string
	tokens []token
	at     int
	depth  int
}

// Parse reads a query. The error is an *Error that names the place.
func Parse(input string) (expr Expr, err error) {
	p, err := newParser(input)
	if err != nil {
		return nil, err
	}
	defer p.recover(&err)
	expr = p.expr()
	p.expectEOF()
	return expr, nil
}

// ParseLog reads a query that gives log lines.
func ParseLog(input string) (*LogExpr, error) {
	e, err := Parse(input)
	if err != nil {
		return nil, err
	}
	l, ok := e.(*LogExpr)
	if !ok {
		return nil, &Error{Line: 1, Col: 1, Msg: "this is a metric query", Hint: "a log query such as {job=\"x\"} |= \"error\" is wanted here"}
	}
	return l, nil
}

// ParseSample reads a query that gives numbers.
func ParseSample(input string) (SampleExpr, error) {
	e, err := Parse(input)
	if err != nil {
		return nil, err
	}
	s, ok := e.(SampleExpr)
	if !ok {
		return nil, &Error{Line: 1, Col: 1, Msg: "this is a log query", Hint: "a metric query such as rate({job=\"x\"}[5m]) is wanted here"}
	}
	return s, nil
}

// ParseMatchers reads a selector alone: {job="x", env!="dev"}. An empty one, {}, is allowed if all is true.
func ParseMatchers(input string, all bool) (ms []*labels.Matcher, err error) {
	p, err := newParser(input)
	if err != nil {
		return nil, err
	}
	defer p.recover(&err)
	start := p.peek()
	ms = p.matchers()
	p.expectEOF()
	if !all || len(ms) > 0 {
		p.checkMatchers(start, ms)
	}
	return ms, nil
}

func newParser(input string) (*parser, error) {
	if len(input) > maxQuery {
		return nil, &Error{Line: 1, Col: 1, Msg: fmt.Sprintf("query is longer than %d bytes", maxQuery)}
	}
	tokens, err := lex(input)
	if err != nil {
		return nil, err
	}
	return &parser{input: input, tokens: tokens}, nil
}

// recover turns the panic of fail into an error; anything else goes on.
func (p *parser) recover(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

// fail ends the parsing with an error at a token.
func (p *parser) fail(t token, msg, hint string) {
	panic(errorAt(p.input, t.pos, msg, hint))
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) peekAt(n int) token {
	return p.tokens[min(p.at+n, len(p.tokens)-1)]
}

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) accept(op string) bool {
	if p.peek().is(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expect(op, hint string) token {
	if t := p.peek(); !t.is(op) {
		p.fail(t, fmt.Sprintf("unexpected %s, expecting %q", t.describe(), op), hint)
	}
	return p.next()
}

func (p *parser) expectKind(k kind, what, hint string) token {
	t := p.peek()
	if t.kind != k {
		p.fail(t, fmt.Sprintf("unexpected %s, expecting %s", t.describe(), what), hint)
	}
	return p.next()
}

func (p *parser) expectEOF() {
	t := p.peek()
	if t.kind == tEOF {
		return
	}
	hint := ""
	switch {
	case t.is("["):
		hint = "a range goes into a function such as rate(…[5m])"
	case t.ident("offset"):
		hint = "offset follows the range: [5m] offset 1h"
	case t.is(")"), t.is("}"), t.is("]"):
		hint = "a bracket too many"
	}
	p.fail(t, "unexpected "+t.describe(), hint)
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.peek(), fmt.Sprintf("expression nests deeper than %d", maxDepth), "")
	}
}

func (p *parser) leave() { p.depth-- }

// selector reads {…}.
func (p *parser) selector() []*labels.Matcher {
	start := p.peek()
	ms := p.matchers()
	p.checkMatchers(start, ms)
	return ms
}

func (p *parser) matchers() []*labels.Matcher {
	p.expect("{", "a query starts with a selector such as {job=\"x\"}")
	var ms []*labels.Matcher
	for !p.peek().is("}") {
		name := p.expectKind(tIdent, "a label name", "")
		ms = append(ms, p.matcher(name))
		if !p.accept(",") {
			break
		}
		if p.peek().is("}") {
			p.fail(p.peek(), `unexpected "}" after ","`, "")
		}
	}
	p.expect("}", "conditions are separated by commas")
	return ms
}

// matcher reads the operator and the value of a label matcher.
func (p *parser) matcher(name token) *labels.Matcher {
	op := p.next()
	types := map[string]labels.MatchType{"=": labels.MatchEqual, "!=": labels.MatchNotEqual, "=~": labels.MatchRegexp, "!~": labels.MatchNotRegexp}
	mt, ok := types[op.text]
	if op.kind != tOp || !ok {
		p.fail(op, "unexpected "+op.describe(), "text is compared by =, !=, =~ or !~")
	}
	value := p.expectKind(tString, "a string", "put the value of "+name.text+" in quotes")
	m, err := labels.NewMatcher(mt, name.text, value.text)
	if err != nil {
		p.fail(value, "invalid regular expression: "+regexpProblem(err), "")
	}
	return m
}

func (p *parser) checkMatchers(at token, ms []*labels.Matcher) {
	if !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches("") }) {
		p.fail(at, "the selector would select every stream: at least one condition must not match an empty value", `such as {job="x"} or {job=~".+"}`)
	}
}

// regexpProblem shortens an error of package regexp.
func regexpProblem(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// log reads a selector with a pipeline, without unwrap.
func (p *parser) log() *LogExpr {
	e := &LogExpr{Matchers: p.selector()}
	e.Stages = p.stages()
	if p.startsUnwrap() {
		p.fail(p.peekAt(1), "unexpected unwrap", "unwrap goes into a function over a range such as sum_over_time(… | unwrap x [5m])")
	}
	return e
}

func (p *parser) startsUnwrap() bool {
	return p.peek().is("|") && p.peekAt(1).ident("unwrap") && p.peekAt(2).kind == tIdent
}

// stages reads a pipeline up to an unwrap or what is not a stage.
func (p *parser) stages() []Stage {
	var stages []Stage
	for {
		t := p.peek()
		switch {
		case t.is("|="), t.is("|~"), t.is("|>"), t.is("!="), t.is("!~"), t.is("!>"):
			stages = append(stages, p.lineFilter())
		case t.is("|"):
			if p.startsUnwrap() {
				return stages
			}
			p.next()
			stages = append(stages, p.stage())
		default:
			return stages
		}
	}
}

// isComparison is true if the token compares a label with something.
func isComparison(t token) bool {
	return t.kind == tOp && slices.Contains([]string{"=", "==", "!=", "=~", "!~", ">", ">=", "<", "<="}, t.text)
}

// stage reads what comes after |.
func (p *parser) stage() Stage {
	t := p.peek()
	if t.is("(") {
		return &LabelFilter{Cond: p.cond(0)}
	}
	if t.kind != tIdent {
		p.fail(t, "unexpected "+t.describe()+", expecting a parser, a formatter or a condition on a label", "")
	}
	// A stage that is complete by itself may be followed by a line filter: | json != "x".
	complete := slices.Contains([]string{"json", "logfmt", "unpack", "decolorize"}, t.word())
	if op := p.peekAt(1); isComparison(op) && (!complete || op.text != "!=" && op.text != "!~") {
		return &LabelFilter{Cond: p.cond(0)}
	}
	p.next()
	switch t.word() {
	case "json":
		return &Parser{Kind: ParseJSON, Fields: p.fields(checkJSONPath)}
	case "logfmt":
		s := &Parser{Kind: ParseLogfmt}
		for p.peek().kind == tFlag {
			switch f := p.next(); f.text {
			case "--strict":
				s.Strict = true
			case "--keep-empty":
				s.KeepEmpty = true
			default:
				p.fail(f, "unknown flag "+f.text, "logfmt knows --strict and --keep-empty")
			}
		}
		s.Fields = p.fields(checkLogfmtPath)
		return s
	case "unpack":
		return &Parser{Kind: ParseUnpack}
	case "regexp", "pattern":
		v := p.expectKind(tString, "a string", t.text+" takes its expression in quotes")
		check := checkRegexp
		if t.ident("pattern") {
			check = checkPattern
		}
		if err := check(v.text); err != nil {
			p.fail(v, fmt.Sprintf("invalid %s: %s", t.text, err), "")
		}
		return &Parser{Kind: ParserKind(t.word()), Param: v.text}
	case "line_format":
		v := p.expectKind(tString, "a string", "line_format takes a template in quotes")
		if err := checkTemplate("line", v.text); err != nil {
			p.fail(v, fmt.Sprintf("invalid line template: %s", err), "")
		}
		return &LineFormat{Template: v.text}
	case "label_format":
		return p.labelFormat()
	case "decolorize":
		return &Decolorize{}
	case "drop":
		return &DropLabels{Labels: p.labelRefs("drop")}
	case "keep":
		return &KeepLabels{Labels: p.labelRefs("keep")}
	case "unwrap":
		p.fail(p.peek(), "unwrap needs a label name", "such as unwrap latency_ms or unwrap duration(took)")
	}
	p.fail(t, "unexpected "+t.describe(), "a parser (json, logfmt, regexp, pattern, unpack), a formatter (line_format, label_format, decolorize, drop, keep), or a condition such as level=\"error\" is wanted here")
	return nil
}

// fields reads the optional list of a json or logfmt parser.
func (p *parser) fields(check func(string) error) []Field {
	var fields []Field
	if p.peek().kind != tIdent {
		return nil
	}
	for {
		name := p.expectKind(tIdent, "a label name", "")
		f := Field{Label: name.text, Path: name.text}
		at := name
		if p.accept("=") {
			at = p.expectKind(tString, "a string", "the path of a field is in quotes")
			f.Path = at.text
		}
		if err := check(f.Path); err != nil {
			p.fail(at, err.Error(), "")
		}
		fields = append(fields, f)
		if !p.accept(",") {
			return fields
		}
	}
}

func (p *parser) labelFormat() *LabelFormat {
	s := &LabelFormat{}
	for {
		name := p.expectKind(tIdent, "a label name", "such as label_format new=old or label_format new=\"{{.old}}\"")
		if name.text == ErrorLabel || name.text == ErrorDetailsLabel {
			p.fail(name, name.text+" cannot be formatted", "")
		}
		if slices.ContainsFunc(s.Formats, func(f Format) bool { return f.Name == name.text }) {
			p.fail(name, fmt.Sprintf("label %q is set twice in one label_format", name.text), "use two label_format stages")
		}
		p.expect("=", "")
		f := Format{Name: name.text}
		switch v := p.next(); v.kind {
		case tIdent:
			f.Source, f.Rename = v.text, true
		case tString:
			if err := checkTemplate("label", v.text); err != nil {
				p.fail(v, fmt.Sprintf("invalid template for label %q: %s", name.text, err), "")
			}
			f.Source = v.text
		default:
			p.fail(v, fmt.Sprintf("unexpected %s, expecting a label name or a template in quotes", v.describe()), "")
		}
		s.Formats = append(s.Formats, f)
		if !p.accept(",") {
			return s
		}
	}
}

func (p *parser) labelRefs(what string) []LabelRef {
	var refs []LabelRef
	for {
		name := p.expectKind(tIdent, "a label name", what+" takes label names, such as "+what+" level, method=\"GET\"")
		r := LabelRef{Name: name.text}
		if isComparison(p.peek()) {
			r.Matcher = p.matcher(name)
		}
		refs = append(refs, r)
		if !p.accept(",") {
			return refs
		}
	}
}

// unwrap reads | unwrap … and the label filters behind it.
func (p *parser) unwrap() *Unwrap {
	p.next() // |
	p.next() // unwrap
	name := p.next()
	u := &Unwrap{Label: name.text}
	if p.peek().is("(") {
		u.Convert = Conversion(name.word())
		if !slices.Contains([]Conversion{ConvertDuration, ConvertDurationSeconds, ConvertBytes}, u.Convert) {
			p.fail(name, fmt.Sprintf("unknown conversion %q", name.text), "unwrap knows duration(x), duration_seconds(x) and bytes(x)")
		}
		p.next()
		u.Label = p.expectKind(tIdent, "a label name", "").text
		p.expect(")", "")
	}
	for p.peek().is("|") {
		p.next()
		t := p.peek()
		if !t.is("(") && !isComparison(p.peekAt(1)) {
			p.fail(t, "unexpected "+t.describe()+" after unwrap", "only conditions on labels may follow, such as | __error__=\"\"")
		}
		u.After = append(u.After, &LabelFilter{Cond: p.cond(0)})
	}
	return u
}
