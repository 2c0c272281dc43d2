package rules

import (
	"bytes"
	"fmt"
	"regexp"
)

// Alert templates in the wild say {{ $value | round(2) }} or round 2, which
// Prometheus refuses: it has no such function. modelwatch accepts both. They
// are rewritten into functions that Prometheus's templates do have, in the
// text of the file, so that line numbers stay and nothing else changes. The
// replacement holds no quote and no backslash: it is right in every style of
// YAML scalar.
var (
	action    = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	roundPipe = regexp.MustCompile(`\|\s*round\s*(?:\(\s*(\d{1,2})\s*\)|\s(\d{1,2}))`)
	roundCall = regexp.MustCompile(`\bround\s+(\d{1,2})\s+(\$[A-Za-z_][\w.]*|\.[A-Za-z_][\w.]*)`)
	roundWord = regexp.MustCompile(`\bround\b`)
)

// rounding is a pipeline that formats a number with at most digits decimals.
func rounding(digits string) string {
	if digits == "0" {
		return "printf `%.0f`"
	}
	return fmt.Sprintf("printf `%%.%sf` | reReplaceAll `0+$` `` | reReplaceAll `[.]$` ``", digits)
}

// Extension is one use of a template function that Prometheus itself does not
// have.
type Extension struct {
	// Line counts from 1.
	Line int
	// Text is the template action as written.
	Text string
}

// Portable rewrites the extensions of rule templates into plain Prometheus
// templates. It returns the text unchanged where there are none, and says
// where they stand.
func Portable(text []byte) ([]byte, []Extension) {
	var found []Extension
	out := action.ReplaceAllFunc(text, func(a []byte) []byte {
		if !roundWord.Match(a) {
			return a
		}
		b := roundPipe.ReplaceAllFunc(a, func(m []byte) []byte {
			groups := roundPipe.FindSubmatch(m)
			return []byte("| " + rounding(string(groups[1])+string(groups[2])))
		})
		b = roundCall.ReplaceAllFunc(b, func(m []byte) []byte {
			groups := roundCall.FindSubmatch(m)
			return []byte("(" + string(groups[2]) + " | " + rounding(string(groups[1])) + ")")
		})
		return b
	})
	if bytes.Equal(out, text) {
		return text, nil
	}
	for _, at := range action.FindAllIndex(text, -1) {
		a := text[at[0]:at[1]]
		if roundPipe.Match(a) || roundCall.Match(a) {
			found = append(found, Extension{Line: 1 + bytes.Count(text[:at[0]], []byte("\n")), Text: string(a)})
		}
	}
	return out, found
}
