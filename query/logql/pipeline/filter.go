package pipeline

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// lineFilter keeps lines in which one of the operands is found, or none.
type lineFilter struct {
	negative bool
	alts     []func(line string) bool
}

func newLineFilter(s *syntax.LineFilter) (*lineFilter, error) {
	f := &lineFilter{negative: s.Op.Negative()}
	for _, o := range s.Operands {
		switch {
		case o.IP:
			r, err := syntax.ParseIPRange(o.Text)
			if err != nil {
				return nil, err
			}
			f.alts = append(f.alts, func(line string) bool { return containsIP(line, r) })
		case s.Op == syntax.LineContains || s.Op == syntax.LineNotContains:
			f.alts = append(f.alts, func(line string) bool { return strings.Contains(line, o.Text) })
		case s.Op == syntax.LineMatch || s.Op == syntax.LineNotMatch:
			m, err := compileMatch(o.Text)
			if err != nil {
				return nil, err
			}
			f.alts = append(f.alts, m)
		default:
			f.alts = append(f.alts, newLinePattern(o.Text).match)
		}
	}
	return f, nil
}

func (f *lineFilter) process(e *entry) bool { return f.match(e.line) }

func (f *lineFilter) match(line string) bool {
	for _, m := range f.alts {
		if m(line) {
			return !f.negative
		}
	}
	return f.negative
}

// LineMatcher compiles a line filter to a function.
func LineMatcher(s *syntax.LineFilter) (func(line string) bool, error) {
	f, err := newLineFilter(s)
	if err != nil {
		return nil, err
	}
	return f.match, nil
}

// linePattern matches a whole line; <_> stands for at least one byte.
type linePattern struct {
	literals   []string
	start, end bool // the pattern begins, ends, with a wildcard
	one        bool // it is one wildcard
}

func newLinePattern(expr string) *linePattern {
	p := &linePattern{}
	parts := syntax.ParsePatternParts(expr)
	for i, part := range parts {
		switch {
		case !part.Capture:
			p.literals = append(p.literals, part.Text)
		case i == 0:
			p.start = true
			fallthrough
		case i == len(parts)-1:
			p.end = p.end || i == len(parts)-1
		}
	}
	p.one = p.start && len(parts) == 1
	return p
}

func (p *linePattern) match(line string) bool {
	if p.one {
		return line != ""
	}
	if len(p.literals) == 0 {
		return line == ""
	}
	lits := p.literals
	if !p.start {
		var ok bool
		if line, ok = strings.CutPrefix(line, lits[0]); !ok {
			return false
		}
		if lits = lits[1:]; len(lits) == 0 {
			return p.end == (line != "")
		}
	}
	// Every literal that is left has a wildcard before it, so that at least one byte goes first.
	for i, l := range lits {
		last := i == len(lits)-1
		if last && !p.end {
			return len(line) > len(l) && strings.HasSuffix(line, l)
		}
		if line == "" {
			return false
		}
		n := strings.Index(line[1:], l)
		if n < 0 {
			return false
		}
		line = line[1+n+len(l):]
	}
	return line != ""
}

// containsIP says whether an address of the range is in the text.
func containsIP(s string, r syntax.IPRange) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if !hexDigit(c) && c != ':' {
			i++
			continue
		}
		end := i
		colons := 0
		for end < len(s) && (hexDigit(s[end]) || s[end] == ':' || s[end] == '.') {
			if s[end] == ':' {
				colons++
			}
			end++
		}
		word := s[i:end]
		if r.First.Is4() {
			if inRange4(word, r) {
				return true
			}
		} else if colons >= 2 {
			for w := word; w != ""; {
				if a, err := netip.ParseAddr(w); err == nil {
					if r.Contains(a) {
						return true
					}
					break
				}
				if last := w[len(w)-1]; last == ':' || last == '.' {
					w = w[:len(w)-1]
				} else if w[0] == ':' || w[0] == '.' {
					w = w[1:]
				} else {
					break
				}
			}
		}
		i = end
	}
	return false
}

// inRange4 looks for IPv4 addresses in a word of hexadecimal digits, colons and dots.
func inRange4(word string, r syntax.IPRange) bool {
	for part := range strings.SplitSeq(word, ":") {
		part = strings.Trim(part, ".")
		if strings.Count(part, ".") != 3 {
			continue
		}
		if a, err := netip.ParseAddr(part); err == nil && r.Contains(a) {
			return true
		}
	}
	return false
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

type labelFilter struct {
	c cond
}

func (f *labelFilter) process(e *entry) bool { return f.c.holds(e) }

// cond is a condition on an entry's labels.
type cond interface {
	holds(e *entry) bool
}

func newCond(c syntax.Cond, need *Need) (cond, error) {
	switch c := c.(type) {
	case *syntax.StringCond:
		need.want(c.Matcher.Name)
		return &stringCond{c.Matcher}, nil
	case *syntax.NumberCond:
		need.want(c.Name)
		return newNumberCond(c), nil
	case *syntax.IPCond:
		need.want(c.Name)
		r, err := syntax.ParseIPRange(c.Pattern)
		return &ipCond{c.Name, r, c.Negative}, err
	case *syntax.BoolCond:
		left, err := newCond(c.Left, need)
		if err != nil {
			return nil, err
		}
		right, err := newCond(c.Right, need)
		return &boolCond{c.Or, left, right}, err
	}
	return nil, fmt.Errorf("unknown condition %T", c)
}

type stringCond struct {
	m *labels.Matcher
}

func (c *stringCond) holds(e *entry) bool { return c.m.Matches(e.text(c.m.Name)) }

// numberCond compares a converted label. An entry with an error passes: only conditions on text can drop it. So does an
// entry whose label cannot be converted, with an error. An entry without the label does not.
type numberCond struct {
	name    string
	convert func(string) (float64, error)
	op      syntax.CmpOp
	value   float64
}

func newNumberCond(c *syntax.NumberCond) *numberCond {
	out := &numberCond{name: c.Name, op: c.Op, value: c.Number}
	switch c.Kind {
	case syntax.NumberValue:
		out.convert = func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	case syntax.DurationValue:
		out.value = float64(c.Duration)
		out.convert = func(s string) (float64, error) {
			d, err := time.ParseDuration(s)
			return float64(d), err
		}
	case syntax.BytesValue:
		out.convert = func(s string) (float64, error) {
			n, err := unit.ParseBytes(s)
			return float64(n), err
		}
	}
	return out
}

func (c *numberCond) holds(e *entry) bool {
	if e.err != "" {
		return true
	}
	s, ok := e.get(c.name)
	if !ok {
		return false
	}
	v, err := c.convert(s)
	if err != nil {
		e.fail(errFilter, err.Error())
		return true
	}
	switch c.op {
	case syntax.CmpEqual:
		return v == c.value
	case syntax.CmpNotEqual:
		return v != c.value
	case syntax.CmpGreater:
		return v > c.value
	case syntax.CmpGreaterEqual:
		return v >= c.value
	case syntax.CmpLess:
		return v < c.value
	}
	return v <= c.value
}

type ipCond struct {
	name     string
	r        syntax.IPRange
	negative bool
}

func (c *ipCond) holds(e *entry) bool {
	if e.err != "" {
		return true
	}
	s, ok := e.get(c.name)
	if !ok {
		return false
	}
	return containsIP(s, c.r) != c.negative
}

type boolCond struct {
	or          bool
	left, right cond
}

func (c *boolCond) holds(e *entry) bool {
	if c.or {
		return c.left.holds(e) || c.right.holds(e)
	}
	return c.left.holds(e) && c.right.holds(e)
}
