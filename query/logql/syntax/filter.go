package syntax

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/format"
)

// lineFilter reads a line filter with its alternatives.
func (p *parser) lineFilter() *LineFilter {
	op := p.next()
	f := &LineFilter{}
	for f.Op = range LineNotPattern + 1 {
		if f.Op.String() == op.text {
			break
		}
	}
	for {
		f.Operands = append(f.Operands, p.lineOperand(f.Op))
		if !p.peek().ident("or") {
			return f
		}
		p.next()
	}
}

func (p *parser) lineOperand(op LineOp) LineOperand {
	t := p.peek()
	if t.ident("ip") {
		if op != LineContains && op != LineNotContains {
			p.fail(t, "ip() cannot be used with "+op.String(), "use |= ip(…) or != ip(…)")
		}
		return LineOperand{Text: p.ip(), IP: true}
	}
	v := p.expectKind(tString, "a string", "a line filter takes text in quotes")
	switch op {
	case LineMatch, LineNotMatch:
		if _, err := regexp.Compile(v.text); err != nil {
			p.fail(v, "invalid regular expression: "+regexpProblem(err), "")
		}
	case LinePattern, LineNotPattern:
		if err := checkLinePattern(v.text); err != nil {
			p.fail(v, "invalid pattern: "+err.Error(), "")
		}
	}
	return LineOperand{Text: v.text}
}

// ip reads ip("…") and gives what is in it.
func (p *parser) ip() string {
	p.next() // ip
	p.expect("(", "such as ip(\"10.0.0.0/8\")")
	v := p.expectKind(tString, "a string", "")
	if _, err := ParseIPRange(v.text); err != nil {
		p.fail(v, err.Error(), `such as "192.0.2.1", "192.0.2.1-192.0.2.9" or "192.0.2.0/24"`)
	}
	p.expect(")", "")
	return v.text
}

// IPRange is a set of addresses from First to Last, both in it.
type IPRange struct {
	First, Last netip.Addr
}

// Contains says whether the address is in the set.
func (r IPRange) Contains(a netip.Addr) bool {
	a = a.Unmap()
	return a.BitLen() == r.First.BitLen() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// ParseIPRange reads an address, two of them with a dash between, or a network in CIDR notation.
func ParseIPRange(s string) (IPRange, error) {
	bad := fmt.Errorf("%q is not an IP address, a range or a network", s)
	if a, b, ok := strings.Cut(s, "-"); ok {
		first, err1 := netip.ParseAddr(strings.TrimSpace(a))
		last, err2 := netip.ParseAddr(strings.TrimSpace(b))
		first, last = first.WithZone("").Unmap(), last.WithZone("").Unmap()
		if err1 != nil || err2 != nil || first.BitLen() != last.BitLen() || last.Compare(first) < 0 {
			return IPRange{}, bad
		}
		return IPRange{first, last}, nil
	}
	if strings.Contains(s, "/") {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return IPRange{}, bad
		}
		n = n.Masked()
		bytes := n.Addr().AsSlice()
		for i := n.Bits(); i < len(bytes)*8; i++ {
			bytes[i/8] |= 1 << (7 - i%8)
		}
		last, _ := netip.AddrFromSlice(bytes)
		return IPRange{n.Addr().Unmap(), last.Unmap()}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return IPRange{}, bad
	}
	a = a.WithZone("").Unmap()
	return IPRange{a, a}, nil
}

// cond reads conditions on labels. `and` binds tighter than `or`; a comma, or nothing at all, between two conditions is
// an and whose right side is everything that follows.
func (p *parser) cond(tight int) Cond {
	p.enter()
	defer p.leave()
	left := p.condUnit()
	for {
		t := p.peek()
		switch {
		case t.ident("or") && !isComparison(p.peekAt(1)):
			if tight > 1 {
				return left
			}
			p.next()
			left = &BoolCond{Or: true, Left: left, Right: p.cond(2)}
		case t.ident("and") && !isComparison(p.peekAt(1)):
			if tight > 2 {
				return left
			}
			p.next()
			left = &BoolCond{Left: left, Right: p.cond(3)}
		case t.is(","):
			p.next()
			left = &BoolCond{Left: left, Right: p.cond(0)}
		case t.is("("), t.kind == tIdent && isComparison(p.peekAt(1)):
			left = &BoolCond{Left: left, Right: p.cond(0)}
		default:
			return left
		}
	}
}

func (p *parser) condUnit() Cond {
	if p.accept("(") {
		c := p.cond(0)
		p.expect(")", "")
		return c
	}
	name := p.expectKind(tIdent, "a label name", "")
	op := p.peek()
	if !isComparison(op) {
		p.fail(op, fmt.Sprintf("unexpected %s after label %q", op.describe(), name.text), "compare it by =, !=, =~, !~, >, >=, < or <=")
	}
	value := p.peekAt(1)
	if op.text == "=~" || op.text == "!~" || value.kind == tString {
		if op.text == "==" {
			p.fail(op, `unexpected "=="`, "text is compared by =, !=, =~ or !~")
		}
		return &StringCond{Matcher: p.matcher(name)}
	}
	p.next()
	if value.ident("ip") {
		if op.text != "=" && op.text != "!=" {
			p.fail(op, "ip() cannot be used with "+op.text, "use = or !=")
		}
		return &IPCond{Name: name.text, Pattern: p.ip(), Negative: op.text == "!="}
	}
	c := &NumberCond{Name: name.text}
	text := strings.Replace(op.text, "==", "=", 1)
	for c.Op = range CmpLessEqual + 1 {
		if c.Op.String() == text {
			break
		}
	}
	sign := 1.0
	start := p.peek()
	if start.is("-") || start.is("+") {
		if p.next(); start.is("-") {
			sign = -1
		}
	}
	v := p.next()
	c.text = strings.TrimPrefix(start.text, "+")
	if v.pos != start.pos {
		c.text = strings.Trim(start.text, "+") + v.text
	}
	switch v.kind {
	case tNumber:
		c.Kind, c.Number = NumberValue, sign*v.num
	case tDuration:
		c.Kind, c.Duration = DurationValue, v.dur*time.Duration(sign)
	case tBytes:
		c.Kind, c.Number = BytesValue, sign*v.num
	default:
		p.fail(v, fmt.Sprintf("unexpected %s, expecting a string, a number, a duration, a size or ip(…)", v.describe()), "put text in quotes")
	}
	return c
}

// checkRegexp checks the expression of a regexp parser.
func checkRegexp(expr string) error {
	re, err := regexp.Compile(expr)
	if err != nil {
		return fmt.Errorf("%s", regexpProblem(err))
	}
	seen := map[string]bool{}
	for _, n := range re.SubexpNames() {
		if n == "" {
			continue
		}
		if !IsLabelName(n) {
			return fmt.Errorf("group name %q is not a label name", n)
		}
		if seen[n] {
			return fmt.Errorf("group name %q is used twice", n)
		}
		seen[n] = true
	}
	if len(seen) == 0 {
		return fmt.Errorf("it needs at least one named group, such as (?P<name>…)")
	}
	return nil
}

// IsLabelName says whether a text is a name as LogQL writes it.
func IsLabelName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && c != '_' && (i == 0 || !isDigit(c)) {
			return false
		}
	}
	return s != ""
}

func checkLogfmtPath(path string) error {
	if path == "" || strings.ContainsAny(path, "= \"\t\n") {
		return fmt.Errorf("%q is not a logfmt key", path)
	}
	return nil
}

func checkTemplate(name, text string) error {
	_, err := format.Parse(name, text)
	return err
}

func checkJSONPath(path string) error {
	_, err := ParseJSONPath(path)
	return err
}

// PathStep is a step into a JSON value: a key of an object, or an index of an array if Key is empty and Index is not
// negative.
type PathStep struct {
	Key   string
	Index int // -1 for a key
}

// ParseJSONPath reads a path such as request.headers["User-Agent"] or servers[0].
func ParseJSONPath(path string) ([]PathStep, error) {
	bad := func(why string) error { return fmt.Errorf("%q is not a path into JSON: %s", path, why) }
	var steps []PathStep
	for i := 0; i < len(path); {
		switch c := path[i]; {
		case c == '[':
			i++
			if i < len(path) && path[i] == '"' {
				q, err := strconv.QuotedPrefix(path[i:])
				if err != nil {
					return nil, bad("a key is not closed")
				}
				key, err := strconv.Unquote(q)
				if err != nil {
					return nil, bad("a key has an escape that is not valid")
				}
				steps = append(steps, PathStep{Key: key, Index: -1})
				i += len(q)
			} else {
				n := i
				for n < len(path) && isDigit(path[n]) {
					n++
				}
				index, err := strconv.Atoi(path[i:n])
				if err != nil {
					return nil, bad("brackets hold an index or a key in quotes")
				}
				steps = append(steps, PathStep{Index: index})
				i = n
			}
			if i >= len(path) || path[i] != ']' {
				return nil, bad("a bracket is not closed")
			}
			i++
		case c == '.' && len(steps) > 0, isLetter(c) && i == 0, c == '_' && i == 0:
			if c == '.' {
				i++
			}
			n := i
			for n < len(path) && (isLetter(path[n]) || isDigit(path[n]) && n > i || path[n] == '_') {
				n++
			}
			if n == i {
				return nil, bad("a key is missing")
			}
			steps = append(steps, PathStep{Key: path[i:n], Index: -1})
			i = n
		default:
			return nil, bad("unexpected " + strconv.Quote(string(c)) + `; write other keys as ["key"]`)
		}
	}
	if len(steps) == 0 {
		return nil, bad("it is empty")
	}
	return steps, nil
}

// quoteMatcher writes a matcher so that the lexer reads it back.
func quoteMatcher(m *labels.Matcher) string {
	return m.Name + m.Type.String() + quote(m.Value)
}
