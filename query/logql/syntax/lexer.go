package syntax

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// kind says what a token is.
type kind uint8

const (
	tEOF      kind = iota
	tIdent         // also every keyword; the parser knows by place which it is
	tString        // text is the value without quotes and escapes
	tNumber        // num
	tDuration      // dur
	tBytes         // num is the number of bytes
	tFlag          // text is "--strict" and the like
	tOp            // text is the operator or bracket
)

// token is a word of a query with its place.
type token struct {
	kind kind
	text string // for numbers, durations and bytes as written
	num  float64
	dur  time.Duration
	pos  int // byte offset
	end  int
}

func (t token) is(op string) bool { return t.kind == tOp && t.text == op }

// word is a keyword as the language has it: upper and lower case are the same.
func (t token) word() string { return strings.ToLower(t.text) }

func (t token) ident(name string) bool { return t.kind == tIdent && t.word() == name }

// describe names the token for a message.
func (t token) describe() string {
	switch t.kind {
	case tEOF:
		return "end of query"
	case tString:
		return "string " + strconv.Quote(t.text)
	case tNumber:
		return "number " + t.text
	case tDuration:
		return "duration " + t.text
	case tBytes:
		return "size " + t.text
	}
	return strconv.Quote(t.text)
}

// operators, the longer ones first.
var operators = []string{
	"|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=",
	"|", "=", ">", "<", "+", "-", "*", "/", "%", "^", "{", "}", "(", ")", "[", "]", ",",
}

// lex splits a query into tokens; the last one is tEOF.
func lex(input string) ([]token, error) {
	if !utf8.ValidString(input) {
		for i, r := range input {
			if r == utf8.RuneError {
				if _, n := utf8.DecodeRuneInString(input[i:]); n == 1 {
					return nil, errorAt(input, i, "query is not valid UTF-8", "")
				}
			}
		}
	}
	var tokens []token
	for i := 0; i < len(input); {
		c := input[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '#':
			end := strings.IndexByte(input[i:], '\n')
			if end < 0 {
				i = len(input)
			} else {
				i += end + 1
			}
			continue
		case c == '"' || c == '`':
			t, err := lexString(input, i)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, t)
			i = t.end
			continue
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(input) && isDigit(input[i+1]):
			t, err := lexNumber(input, i)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, t)
			i = t.end
			continue
		case c == '-' && i+2 < len(input) && input[i+1] == '-' && isLetter(input[i+2]):
			end := i + 2
			for end < len(input) && (isLetter(input[end]) || input[end] == '-') {
				end++
			}
			tokens = append(tokens, token{kind: tFlag, text: input[i:end], pos: i, end: end})
			i = end
			continue
		}
		if r, n := utf8.DecodeRuneInString(input[i:]); r == '_' || unicode.IsLetter(r) {
			end := i + n
			for end < len(input) {
				r, n := utf8.DecodeRuneInString(input[end:])
				if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
					break
				}
				end += n
			}
			tokens = append(tokens, token{kind: tIdent, text: input[i:end], pos: i, end: end})
			i = end
			continue
		}
		op := ""
		for _, o := range operators {
			if strings.HasPrefix(input[i:], o) {
				op = o
				break
			}
		}
		if op == "" {
			r, _ := utf8.DecodeRuneInString(input[i:])
			return nil, errorAt(input, i, "unexpected character "+strconv.QuoteRune(r), hintForRune(r))
		}
		tokens = append(tokens, token{kind: tOp, text: op, pos: i, end: i + len(op)})
		i += len(op)
	}
	return append(tokens, token{kind: tEOF, pos: len(input), end: len(input)}), nil
}

func hintForRune(r rune) string {
	switch r {
	case '\'', '“', '”', '‘', '’':
		return "text is quoted with \" or `"
	case '$':
		return "a variable of a dashboard was not replaced"
	case '!':
		return "the operators are != !~ !>"
	}
	return ""
}

func lexString(input string, start int) (token, error) {
	quote := input[start]
	for i := start + 1; i < len(input); i++ {
		switch c := input[i]; {
		case c == '\\' && quote == '"':
			i++
		case c == '\n' && quote == '"':
			return token{}, errorAt(input, start, "string is not closed on its line", "use ` for text of several lines")
		case c == quote:
			text := input[start+1 : i]
			if quote == '"' {
				var err error
				if text, err = strconv.Unquote(input[start : i+1]); err != nil {
					return token{}, errorAt(input, start, "string has an escape that is not valid", "write \\\\ for a backslash, or quote with `")
				}
				if !utf8.ValidString(text) {
					return token{}, errorAt(input, start, "string is not valid UTF-8", "")
				}
			}
			return token{kind: tString, text: text, pos: start, end: i + 1}, nil
		}
	}
	return token{}, errorAt(input, start, "string is not closed", "add "+string(quote))
}

// lexNumber reads a number, a duration such as 1h30m, or a size such as 1.5KiB.
func lexNumber(input string, start int) (token, error) {
	end := start
	for end < len(input) {
		c := input[end]
		if isDigit(c) || isLetter(c) || c == '.' || c == '_' {
			end++
			continue
		}
		if strings.HasPrefix(input[end:], "µ") || strings.HasPrefix(input[end:], "μ") {
			end += 2
			continue
		}
		if (c == '+' || c == '-') && (input[end-1] == 'e' || input[end-1] == 'E') && end+1 < len(input) && isDigit(input[end+1]) &&
			isDecimal(input[start:end-1]) {
			end++
			continue
		}
		break
	}
	text := input[start:end]
	t := token{text: text, pos: start, end: end}
	if v, ok := parseNumber(text); ok {
		t.kind, t.num = tNumber, v
		return t, nil
	}
	if d, err := unit.ParseDuration(text); err == nil {
		t.kind, t.dur = tDuration, d
		return t, nil
	}
	if v, err := unit.ParseBytes(text); err == nil {
		t.kind, t.num = tBytes, float64(v)
		return t, nil
	}
	return t, errorAt(input, start, strconv.Quote(text)+" is neither a number, nor a duration, nor a size", "such as 1.5, 5m, 1h30m or 20KB")
}

func parseNumber(s string) (float64, bool) {
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v, true
	}
	if v, err := strconv.ParseInt(s, 0, 64); err == nil {
		return float64(v), true
	}
	return 0, false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDecimal(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) && s[i] != '.' {
			return false
		}
	}
	return s != ""
}

// errorAt is an Error at a byte offset of the input.
func errorAt(input string, offset int, msg, hint string) *Error {
	offset = min(offset, len(input))
	line, col := 1, 1
	for _, r := range input[:offset] {
		if r == '\n' {
			line, col = line+1, 1
		} else {
			col++
		}
	}
	return &Error{Line: line, Col: col, Msg: msg, Hint: hint}
}
