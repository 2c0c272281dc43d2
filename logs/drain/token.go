package drain

import "strings"

// tokenize cuts a line into words and separators, which are runs of spaces and punctuation between words. It stops soon
// after a number of tokens.
func tokenize(dst []string, line string, bound int) []string {
	for line != "" && len(dst) <= bound {
		if rest, ok := strings.CutPrefix(line, Wildcard); ok {
			// The line is a template, or looks like one.
			dst = append(dst, Wildcard)
			line = rest
			continue
		}
		n := 0
		for n < len(line) && !between(line[n]) {
			n++
		}
		for n > 0 && ending(line[n-1]) {
			n--
		}
		if n > 0 {
			dst = append(dst, line[:n])
			line = line[n:]
		}
		n = 0
		for n < len(line) && ending(line[n]) {
			n++
		}
		for n < len(line) && between(line[n]) && (line[n] != '<' || !strings.HasPrefix(line[n:], Wildcard)) {
			n++
		}
		if n > 0 {
			dst = append(dst, line[:n])
			line = line[n:]
		}
	}
	return dst
}

// ending is true for characters that stand at the end of a word without being part of it.
func ending(c byte) bool { return c == ':' || c == '.' || c == '!' || c == '?' }

// between is true for characters that stand between words.
func between(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', '=', '"', '\'', ',', ';', '{', '}', '[', ']', '(', ')', '<', '>', '|':
		return true
	}
	return false
}

func separator(t string) bool {
	if t == Wildcard {
		return false
	}
	for i := range len(t) {
		if !between(t[i]) && !ending(t[i]) {
			return false
		}
	}
	return true
}

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
	if number := strings.TrimLeft(t, "+-0123456789.,"); len(number) < len(t) && unit(number) {
		return true
	}
	// Mostly digits, such as 12.5ms, 10:31:07.123, 192.0.2.7:80 or 2026-11-22T10:00:00Z; or long and hexadecimal.
	return letters <= digits && (t[0] >= '0' && t[0] <= '9' || strings.IndexByte("+-.:/#$~", t[0]) >= 0) ||
		letters > 0 && hex+marks == len(t) && hex >= 8
}

// unit is true for what may follow a number.
func unit(s string) bool {
	switch strings.ToLower(s) {
	case "", "%", "ns", "us", "µs", "ms", "s", "sec", "m", "min", "h", "d", "b", "k", "kb", "kib", "mb", "mib", "g", "gb", "gib", "tb", "tib", "hz", "x":
		return true
	}
	return false
}
