package drain

import "strings"

// tokenize cuts a line into words and separators, which are runs of spaces and punctuation between words. It stops one
// token after max.
func tokenize(dst []string, line string, max int) []string {
	for line != "" && len(dst) <= max {
		n := 0
		sep := between(line[0])
		for n < len(line) && between(line[n]) == sep {
			n++
		}
		dst = append(dst, line[:n])
		line = line[n:]
	}
	return dst
}

// between is true for characters that stand between words.
func between(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '=', '"', '\'', ',', ';', '{', '}', '[', ']', '(', ')', '<', '>', '|':
		return true
	}
	return false
}

func separator(t string) bool { return between(t[0]) && t != Wildcard }

// value is true for words that are plainly a value and not part of what a line says: numbers with or without a unit,
// times, addresses and identifiers.
func value(t string) bool {
	if t == Wildcard {
		return true
	}
	digits, letters, hex, marks := 0, 0, 0, 0
	for i := range len(t) {
		switch c := t[i]; {
		case c >= '0' && c <= '9':
			digits++
			hex++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			letters++
			hex++
		case c >= 'g' && c <= 'z' || c >= 'G' && c <= 'Z' || c >= 0x80:
			letters++
		default:
			marks++
		}
	}
	if digits == 0 {
		return false
	}
	// Mostly digits, such as 12.5ms, 10:31:07.123, 192.0.2.7:80 or 2026-11-22T10:00:00Z; or long and hexadecimal.
	return letters <= digits && (t[0] >= '0' && t[0] <= '9' || strings.IndexByte("+-.:/#$~", t[0]) >= 0) ||
		letters > 0 && hex+marks == len(t) && hex >= 8
}
