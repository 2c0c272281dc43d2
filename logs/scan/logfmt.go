package scan

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Logfmt reads the pairs of a line such as level=info msg="hello there" flag.
type Logfmt struct {
	line string
	pos  int
	bad  string // what is wrong at pos

	// Key and Value are those of the pair that Next read.
	Key, Value string
}

// Reset begins with a line.
func (l *Logfmt) Reset(line string) { *l = Logfmt{line: line} }

// Err is what was wrong with the pair at which Next stopped; nil at the end of the line. Skip goes on behind it.
func (l *Logfmt) Err() error {
	switch l.bad {
	case "":
		return nil
	case unexpected:
		return &SyntaxError{Msg: fmt.Sprintf("unexpected %q", l.line[l.pos]), Pos: l.pos + 1}
	}
	return &SyntaxError{Msg: l.bad, Pos: l.pos + 1}
}

// Bad says whether Err is not nil, at no cost.
func (l *Logfmt) Bad() bool { return l.bad != "" }

// Skip goes on behind what was wrong.
func (l *Logfmt) Skip() {
	for l.pos < len(l.line) && l.line[l.pos] > ' ' {
		l.pos++
	}
	l.bad = ""
}

// SyntaxError is a place in a line that is not logfmt.
type SyntaxError struct {
	Msg string
	Pos int // bytes, from 1
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("logfmt syntax error at pos %d : %s", e.Pos, e.Msg)
}

func (l *Logfmt) fail(msg string) bool {
	l.bad = msg
	return false
}

// unexpected stands for a byte that cannot be where it is.
const unexpected = "unexpected byte"

// Next reads the next pair. It gives false at the end of the line and where the line is not logfmt.
func (l *Logfmt) Next() bool {
	if l.bad != "" {
		return false
	}
	s := l.line
	for l.pos < len(s) && s[l.pos] <= ' ' {
		l.pos++
	}
	if l.pos == len(s) {
		return false
	}
	l.Key, l.Value = "", ""
	start, ascii := l.pos, true
	for ; l.pos < len(s) && s[l.pos] > ' ' && s[l.pos] != '=' && s[l.pos] != '"'; l.pos++ {
		ascii = ascii && s[l.pos] < utf8.RuneSelf
	}
	l.Key = s[start:l.pos]
	if l.pos < len(s) && (s[l.pos] == '"' || s[l.pos] == '=' && l.Key == "") {
		return l.fail(unexpected)
	}
	if !ascii && strings.ContainsRune(l.Key, utf8.RuneError) {
		return l.fail("invalid key")
	}
	if l.pos == len(s) || s[l.pos] != '=' {
		return true
	}
	l.pos++
	if l.pos == len(s) || s[l.pos] <= ' ' {
		return true
	}
	if s[l.pos] == '"' {
		return l.quoted()
	}
	start = l.pos
	for ; l.pos < len(s) && s[l.pos] > ' '; l.pos++ {
		if s[l.pos] == '=' || s[l.pos] == '"' {
			return l.fail(unexpected)
		}
	}
	l.Value = s[start:l.pos]
	return true
}

func (l *Logfmt) quoted() bool {
	start := l.pos + 1
	end, escaped := stringEnd(l.line, start)
	if end < 0 {
		l.pos = len(l.line)
		return l.fail("unterminated quoted value")
	}
	l.pos = end + 1
	l.Value = l.line[start:end]
	if escaped {
		var ok bool
		if l.Value, ok = unquote(l.Value); !ok {
			return l.fail("invalid quoted value")
		}
	}
	return true
}

// unquote is Unescape which also knows \' and takes half of a surrogate pair for an unknown character.
func unquote(s string) (string, bool) {
	for i := range len(s) {
		if s[i] < ' ' {
			return "", false
		}
	}
	if t, ok := Unescape(s); ok {
		return t, true
	}
	b := make([]byte, 0, len(s))
	for s != "" {
		n := strings.IndexByte(s, '\\')
		if n < 0 {
			return string(append(b, s...)), true
		}
		b, s = append(b, s[:n]...), s[n:]
		switch {
		case len(s) >= 2 && s[1] == '\'':
			b, s = append(b, '\''), s[2:]
		case len(s) >= 6 && s[1] == 'u':
			if t, ok := Unescape(s[:min(12, len(s))]); ok && len(s) >= 12 {
				if r, _ := hex4(s); r >= 0xD800 && r <= 0xDFFF {
					b, s = append(b, t...), s[12:]
					continue
				}
			}
			r, ok := hex4(s)
			if !ok {
				return "", false
			}
			b, s = utf8.AppendRune(b, r), s[6:]
		default:
			if len(s) < 2 {
				return "", false
			}
			t, ok := Unescape(s[:2])
			if !ok {
				return "", false
			}
			b, s = append(b, t...), s[2:]
		}
	}
	return string(b), true
}
