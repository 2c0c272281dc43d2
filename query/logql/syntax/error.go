package syntax

import (
	"fmt"
	"strings"
)

// Error is a query that is not LogQL, with the place.
type Error struct {
	// Line and Col start at 1; Col counts characters.
	Line, Col int
	// Msg says what is wrong, Hint, if there is one, what would be right.
	Msg, Hint string
}

// Error is "parse error at line L, col C: message (hint)".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "parse error at line %d, col %d: %s", e.Line, e.Col, e.Msg)
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}
