// Package scan takes fields out of log lines in JSON and logfmt, in one pass and without copying.
//
// It is lenient where the usual producers and readers of logs are: it looks no further into a value than it must, and what
// comes after the closing brace does not matter. It is not a validating parser. It knows nothing of LogQL but the way in
// which LogQL makes label names of keys, so that a store can compute at ingestion what a query would.
package scan

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds of JSON values.
const (
	String Kind = iota
	Number
	Bool
	Null
	Object
	Array
)

// What can be wrong with a JSON line.
var (
	ErrJSON       = errors.New("Malformed JSON error")                                //nolint:staticcheck // users see this text in __error_details__
	ErrJSONString = errors.New("Value is string, but can't find closing '\"' symbol") //nolint:staticcheck // as above
	ErrJSONArray  = errors.New("Value is array, but can't find closing ']' symbol")
	ErrJSONObject = errors.New("Value looks like object, but can't find closing '}' symbol")
	ErrJSONValue  = errors.New("Unknown value type")                                 //nolint:staticcheck // as above
	ErrJSONEscape = errors.New("Encountered an invalid escape sequence in a string") //nolint:staticcheck // as above
)

// ErrStop is returned by a callback that needs no more.
var ErrStop = errors.New("stop")

// Value is a JSON value in its line.
type Value struct {
	// Raw is the text of the value, for strings what stands between the quotes.
	Raw  string
	Kind Kind
	// Escaped is true for strings that contain escapes.
	Escaped bool
}

// Text is the value as a label has it: strings without escapes, everything else as it stands in the line, null as "".
func (v Value) Text() (string, error) {
	switch {
	case v.Kind == Null:
		return "", nil
	case v.Kind == String && v.Escaped:
		s, ok := Unescape(v.Raw)
		if !ok {
			return "", ErrJSONEscape
		}
		return Valid(s), nil
	}
	return Valid(v.Raw), nil
}

// Valid is the text with a space for everything in it that is not valid UTF-8.
func Valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// skipSpace is the index of the next character that is not white, or len(s).
func skipSpace(s string, i int) int {
	for i < len(s) && space(s[i]) {
		i++
	}
	return i
}

// stringEnd is the index of the quote that closes the string which begins at i (behind its opening quote), or -1.
func stringEnd(s string, i int) (end int, escaped bool) {
	start := i
	// Most strings are short and plain.
	for n := min(len(s), i+16); i < n; i++ {
		if s[i] == '"' {
			return i, false
		}
		if s[i] == '\\' {
			break
		}
	}
	for {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return -1, escaped
		}
		end = i + n
		if !escaped && strings.IndexByte(s[i:end], '\\') >= 0 {
			escaped = true
		}
		if !escaped {
			return end, false
		}
		slashes := 0
		for j := end - 1; j >= start && s[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return end, true
		}
		i = end + 1
	}
}

// blockEnd is the index behind the bracket that closes the one at i, or -1. Only brackets of the same shape count.
func blockEnd(s string, i int) int {
	opening := s[i]
	closing := opening + 2 // both '{' '}' and '[' ']' are two apart
	level := 0
	for ; i < len(s); i++ {
		switch s[i] {
		case '"':
			end, _ := stringEnd(s, i+1)
			if end < 0 {
				return -1
			}
			i = end
		case opening:
			level++
		case closing:
			if level--; level == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// value reads the value that begins at or behind i and gives the index behind it.
func value(s string, i int) (Value, int, error) {
	i = skipSpace(s, i)
	if i >= len(s) {
		return Value{}, i, ErrJSON
	}
	switch c := s[i]; c {
	case '"':
		end, escaped := stringEnd(s, i+1)
		if end < 0 {
			return Value{}, i, ErrJSONString
		}
		return Value{Raw: s[i+1 : end], Kind: String, Escaped: escaped}, end + 1, nil
	case '{':
		end := blockEnd(s, i)
		if end < 0 {
			return Value{}, i, ErrJSONObject
		}
		return Value{Raw: s[i:end], Kind: Object}, end, nil
	case '[':
		end := blockEnd(s, i)
		if end < 0 {
			return Value{}, i, ErrJSONArray
		}
		return Value{Raw: s[i:end], Kind: Array}, end, nil
	}
	end := i
	for end < len(s) && !space(s[end]) && s[end] != ',' && s[end] != '}' && s[end] != ']' {
		end++
	}
	v := Value{Raw: s[i:end]}
	switch c := s[i]; {
	case v.Raw == "true", v.Raw == "false":
		v.Kind = Bool
	case v.Raw == "null":
		v.Kind = Null
	case c >= '0' && c <= '9', c == '-':
		v.Kind = Number
	default:
		return Value{}, i, ErrJSONValue
	}
	return v, end, nil
}

// Members calls f for the members of the object in s, in their order. Keys come without escapes. An error of f ends it
// and is returned, but for ErrStop, which gives nil.
func Members(s string, f func(key string, v Value) error) error {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '{' {
		return ErrJSONObject
	}
	if i = skipSpace(s, i+1); i >= len(s) {
		return ErrJSON
	}
	for {
		if s[i] == '}' {
			return nil
		}
		if s[i] != '"' {
			return ErrJSONObject
		}
		end, escaped := stringEnd(s, i+1)
		if end < 0 {
			return ErrJSON
		}
		key := s[i+1 : end]
		if escaped {
			var ok bool
			if key, ok = Unescape(key); !ok {
				return ErrJSONEscape
			}
		}
		if i = skipSpace(s, end+1); i >= len(s) || s[i] != ':' {
			return ErrJSON
		}
		v, next, err := value(s, i+1)
		if err != nil {
			return err
		}
		if err := f(key, v); err != nil {
			if err == ErrStop { //nolint:errorlint // f returns it as it is
				return nil
			}
			return err
		}
		if i = skipSpace(s, next); i >= len(s) {
			return ErrJSONArray
		}
		switch s[i] {
		case '}':
			return nil
		case ',':
		default:
			return ErrJSONObject
		}
		if i = skipSpace(s, i+1); i >= len(s) {
			return ErrJSONArray
		}
	}
}

// Element is the n-th element of the array in s.
func Element(s string, n int) (Value, bool, error) {
	i := skipSpace(s, 0)
	if i >= len(s) || s[i] != '[' {
		return Value{}, false, ErrJSONArray
	}
	i++
	for {
		if i = skipSpace(s, i); i >= len(s) {
			return Value{}, false, ErrJSONArray
		}
		if s[i] == ']' {
			return Value{}, false, nil
		}
		v, next, err := value(s, i)
		if err != nil {
			return Value{}, false, err
		}
		if n == 0 {
			return v, true, nil
		}
		n--
		if i = skipSpace(s, next); i < len(s) && s[i] == ',' {
			i++
		} else if i >= len(s) || s[i] != ']' {
			return Value{}, false, ErrJSONArray
		}
	}
}

// Unescape is the text of a JSON string without its escapes; false if one of them is not valid.
func Unescape(s string) (string, bool) {
	n := strings.IndexByte(s, '\\')
	if n < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for {
		b = append(b, s[:n]...)
		s = s[n:]
		if len(s) < 2 {
			return "", false
		}
		switch c := s[1]; c {
		case '"', '\\', '/':
			b, s = append(b, c), s[2:]
		case 'b':
			b, s = append(b, '\b'), s[2:]
		case 'f':
			b, s = append(b, '\f'), s[2:]
		case 'n':
			b, s = append(b, '\n'), s[2:]
		case 'r':
			b, s = append(b, '\r'), s[2:]
		case 't':
			b, s = append(b, '\t'), s[2:]
		case 'u':
			r, ok := hex4(s)
			if !ok {
				return "", false
			}
			s = s[6:]
			if r >= 0xD800 && r <= 0xDFFF {
				low, ok := hex4(s)
				if !ok || low < 0xDC00 {
					return "", false
				}
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				s = s[6:]
			}
			b = utf8.AppendRune(b, r)
		default:
			return "", false
		}
		if n = strings.IndexByte(s, '\\'); n < 0 {
			return string(append(b, s...)), true
		}
	}
}

// hex4 reads \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := s[i]
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
		r = r<<4 + rune(c)
	}
	return r, true
}
