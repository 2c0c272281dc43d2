package syntax

import (
	"errors"
	"fmt"
	"strings"
)

// PatternPart is a literal or a capture of a pattern.
type PatternPart struct {
	// Text is the literal, or the name of the capture; "_" captures nothing.
	Text    string
	Capture bool
}

// ParsePatternParts reads an expression such as `<ip> - <_> "<method> <_>"`. Angle brackets that do not hold a name are
// literal.
func ParsePatternParts(expr string) []PatternPart {
	var parts []PatternPart
	lit := 0
	for i := 0; i < len(expr); {
		if expr[i] == '<' {
			if end := strings.IndexByte(expr[i:], '>'); end > 0 && IsLabelName(expr[i+1:i+end]) {
				if i > lit {
					parts = append(parts, PatternPart{Text: expr[lit:i]})
				}
				parts = append(parts, PatternPart{Text: expr[i+1 : i+end], Capture: true})
				i += end + 1
				lit = i
				continue
			}
		}
		i++
	}
	if lit < len(expr) {
		parts = append(parts, PatternPart{Text: expr[lit:]})
	}
	return parts
}

// checkPattern checks the expression of a pattern parser.
func checkPattern(expr string) error {
	seen := map[string]bool{}
	if err := checkParts(ParsePatternParts(expr), func(name string) error {
		if seen[name] {
			return fmt.Errorf("capture <%s> is there twice", name)
		}
		seen[name] = true
		return nil
	}); err != nil {
		return err
	}
	if len(seen) == 0 {
		return errors.New("it needs at least one named capture, such as <ip>")
	}
	return nil
}

// checkLinePattern checks the expression of a pattern line filter.
func checkLinePattern(expr string) error {
	return checkParts(ParsePatternParts(expr), func(name string) error {
		return fmt.Errorf("<%s> is named, a line filter only knows <_>", name)
	})
}

func checkParts(parts []PatternPart, named func(string) error) error {
	for i, part := range parts {
		if !part.Capture {
			continue
		}
		if i > 0 && parts[i-1].Capture {
			return errors.New("two captures need text between them")
		}
		if part.Text != "_" {
			if err := named(part.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
