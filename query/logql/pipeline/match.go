package pipeline

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// compileMatch compiles a regular expression of a line filter. A dot matches newlines too. What is only text, or a choice
// of texts, is searched without an engine; any other expression first looks for text that each match must contain.
func compileMatch(expr string) (func(string) bool, error) {
	re, err := regexp.Compile("(?s)" + expr)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse("(?s)"+expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = trimStars(tree.Simplify())
	if m := literalMatch(tree, re); m != nil {
		return m, nil
	}
	if lit := required(tree); len(lit) >= 2 {
		return func(s string) bool { return strings.Contains(s, lit) && re.MatchString(s) }, nil
	}
	return re.MatchString, nil
}

// trimStars takes .* and captures off, which do not change whether there is a match somewhere.
func trimStars(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return trimStars(re.Sub[0])
	case syntax.OpConcat:
		subs := re.Sub
		for len(subs) > 0 && anyStar(subs[0]) {
			subs = subs[1:]
		}
		for len(subs) > 0 && anyStar(subs[len(subs)-1]) {
			subs = subs[:len(subs)-1]
		}
		switch len(subs) {
		case 0:
			return &syntax.Regexp{Op: syntax.OpEmptyMatch}
		case 1:
			return trimStars(subs[0])
		}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: subs, Flags: re.Flags}
	}
	return re
}

func anyStar(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && re.Sub[0].Op == syntax.OpAnyChar
}

// literalMatch is a search for the texts of which re, which is part of whole, is a choice; or nil.
func literalMatch(re *syntax.Regexp, whole *regexp.Regexp) func(string) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return func(string) bool { return true }
	case syntax.OpLiteral:
		lit := string(re.Rune)
		if re.Flags&syntax.FoldCase == 0 {
			return func(s string) bool { return strings.Contains(s, lit) }
		}
		lower := strings.ToLower(lit)
		if strings.ContainsFunc(lower, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return nil
		}
		if !strings.ContainsAny(lower, "ks") {
			return func(s string) bool { return containsFold(s, lower) }
		}
		// These two fold to letters outside of ASCII, U+212A and U+017F.
		return func(s string) bool {
			return containsFold(s, lower) || (strings.Contains(s, "\u212a") || strings.Contains(s, "\u017f")) && whole.MatchString(s)
		}
	case syntax.OpCapture:
		return literalMatch(re.Sub[0], whole)
	case syntax.OpAlternate:
		var alts []func(string) bool
		for _, sub := range re.Sub {
			m := literalMatch(trimStars(sub), whole)
			if m == nil {
				return nil
			}
			alts = append(alts, m)
		}
		return func(s string) bool {
			for _, m := range alts {
				if m(s) {
					return true
				}
			}
			return false
		}
	}
	return nil
}

// containsFold looks for lower, which is ASCII in lower case, in any case.
func containsFold(s, lower string) bool {
	if lower == "" {
		return true
	}
	first := lower[0]
	for i := 0; i+len(lower) <= len(s); i++ {
		if c := s[i]; (c == first || c >= 'A' && c <= 'Z' && c+32 == first) && equalFold(s[i:i+len(lower)], lower) {
			return true
		}
	}
	return false
}

func equalFold(s, lower string) bool {
	for i := range len(lower) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 32
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// required is the longest text that every match contains, as far as that is easy to see.
func required(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		longest := ""
		for _, sub := range re.Sub {
			if r := required(sub); len(r) > len(longest) {
				longest = r
			}
		}
		return longest
	}
	return ""
}
