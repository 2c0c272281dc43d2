package decode

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// maxDepth is how deep values may nest.
const maxDepth = 10_000

// scanner walks over JSON. Its methods return false, and keep the first error in
// err, where the text is not JSON; wrong types are not its concern.
type scanner struct {
	b   []byte
	i   int
	err *SyntaxError
}

func (s *scanner) fail(problem string) bool {
	if s.err == nil {
		s.err = &SyntaxError{s.i, problem}
	}
	return false
}

// unexpected fails at the byte that is next.
func (s *scanner) unexpected(want string) bool {
	if s.i >= len(s.b) {
		return s.fail("text ends where " + want + " should come")
	}
	found := strconv.QuoteRune(rune(s.b[s.i]))
	for _, word := range []string{"NaN", "Infinity"} { // As some libraries write them.
		if bytes.HasPrefix(s.b[s.i:], []byte(word)) {
			found = word + " (which JSON does not have: send null)"
		}
	}
	return s.fail(found + " where " + want + " should come")
}

// space steps over white space.
func (s *scanner) space() {
	for s.i < len(s.b) {
		if c := s.b[s.i]; c > ' ' || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return
		}
		s.i++
	}
}

// peek is the next byte that is no white space; 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		if c := s.b[s.i]; c > ' ' {
			return c
		}
	}
	s.space()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// colon steps over the colon behind a name.
func (s *scanner) colon() bool {
	if s.peek() != ':' {
		return s.unexpected("':'")
	}
	s.i++
	return true
}

// next steps over a comma, or over the end of an object or list. more tells
// which; first is true before the first member.
func (s *scanner) next(end byte, first bool) (more, ok bool) {
	c := s.peek()
	switch {
	case c == end:
		s.i++
		return false, true
	case first:
		return true, true
	case c == ',':
		s.i++
		return true, true
	}
	return false, s.unexpected("',' or '" + string(rune(end)) + "'")
}

// stringRaw reads a string. raw is what is between the quotes; escaped tells
// whether it must be unquoted.
func (s *scanner) stringRaw() (raw []byte, escaped, ok bool) {
	if s.peek() != '"' {
		return nil, false, s.unexpected("a string")
	}
	b := s.b
	start := s.i + 1
	i := start
	for i < len(b) {
		c := b[i]
		if c == '"' {
			s.i = i + 1
			return b[start:i], escaped, true
		}
		if c == '\\' {
			escaped = true
			n := s.escape(i)
			if n == 0 {
				return nil, false, false
			}
			i += n
			continue
		}
		if c < ' ' {
			s.i = i
			return nil, false, s.fail(fmt.Sprintf("control character %#x in a string", c))
		}
		i++
	}
	s.i = len(b)
	return nil, false, s.fail("text ends inside a string")
}

// escape checks the escape at i and returns how long it is, or 0.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.b) {
		s.i = len(s.b)
		s.fail("text ends inside a string")
		return 0
	}
	switch s.b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s.b[i+2:]); ok {
			return 6
		}
	}
	s.i = i
	s.fail("bad escape in a string")
	return 0
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unquote appends what a checked string with escapes stands for.
func unquote(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch raw[i+1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+1 < len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
					low, _ := hex4(raw[i+2:])
					pair = utf16.DecodeRune(r, low)
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default:
			dst = append(dst, raw[i+1])
		}
		i += 2
	}
	return dst
}

// text reads a string and returns what it stands for, until the next call.
func (d *Decoder) readText() ([]byte, bool) {
	raw, escaped, ok := d.s.stringRaw()
	if !ok || !escaped {
		return raw, ok
	}
	d.buf = unquote(d.buf[:0], raw)
	return d.buf, true
}

// Powers of ten that a float64 holds exactly.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads a number. inRange is false if no float64 holds it.
func (s *scanner) number() (x float64, inRange, ok bool) {
	b, start := s.b, s.i
	i := start
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	var mantissa uint64
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		mantissa = mantissa*10 + uint64(b[i]-'0')
		i++
	}
	digits := i - first
	if digits == 0 || digits > 1 && b[first] == '0' {
		s.i = first
		if digits > 0 {
			return 0, false, s.fail("number with a leading zero")
		}
		return 0, false, s.unexpected("a digit")
	}
	exponent := 0
	if i < len(b) && b[i] == '.' {
		i++
		fraction := i
		for i < len(b) && b[i]-'0' <= 9 {
			mantissa = mantissa*10 + uint64(b[i]-'0')
			i++
		}
		if i == fraction {
			s.i = i
			return 0, false, s.unexpected("a digit")
		}
		exponent = fraction - i
		digits += i - fraction
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		minus := false
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			minus = b[i] == '-'
			i++
		}
		begin, e := i, 0
		for i < len(b) && b[i]-'0' <= 9 {
			e = min(e*10+int(b[i]-'0'), 1<<20)
			i++
		}
		if i == begin {
			s.i = i
			return 0, false, s.unexpected("a digit")
		}
		if minus {
			e = -e
		}
		exponent += e
	}
	s.i = i
	// Up to 2^53 the mantissa is exact, and so is one multiplication or division.
	if digits <= 19 && mantissa <= 1<<53 && exponent >= -22 && exponent <= 22 {
		x = float64(mantissa)
		if exponent < 0 {
			x /= powers[-exponent]
		} else {
			x *= powers[exponent]
		}
		if negative {
			x = -x
		}
		return x, true, true
	}
	x, err := strconv.ParseFloat(unsafe.String(&b[start], i-start), 64)
	return x, err == nil && !math.IsInf(x, 0), true
}

// literal steps over a word.
func (s *scanner) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return s.unexpected("a value")
	}
	s.i += len(word)
	return true
}

// skip steps over any value.
func (s *scanner) skip(depth int) bool {
	if depth > maxDepth {
		return s.fail("values nest too deeply")
	}
	switch c := s.peek(); c {
	case '"':
		_, _, ok := s.stringRaw()
		return ok
	case '{', '[':
		s.i++
		end := c + 2 // '}' and ']' both follow their counterpart by two.
		for first := true; ; first = false {
			more, ok := s.next(end, first)
			if !ok || !more {
				return ok
			}
			if c == '{' {
				if _, _, ok := s.stringRaw(); !ok || !s.colon() {
					return false
				}
			}
			if !s.skip(depth + 1) {
				return false
			}
		}
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		_, _, ok := s.number()
		return ok
	}
	return s.unexpected("a value")
}
