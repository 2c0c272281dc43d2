package local

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Texts are looked for as such wherever a pattern says no more: the built-in rules count on it.
func TestLiteralsOf(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string][]string{
		`error`:           {"error"},
		`err|Err|ERR`:     {"err", "Err", "ERR"},
		`fail(ed|ure)`:    {"failed", "failure"},
		`a[bc]`:           {"ab", "ac"},
		`a?`:              nil,
		`\berr`:           nil,
		`(?i)error`:       nil,
		`[eE]rror`:        nil, // Parsed as (?i:e)rror.
		`time.*out`:       nil,
		`x(a|b)(c|d|e|f)`: {"xac", "xbc", "xad", "xbd", "xae", "xbe", "xaf", "xbf"},
	} {
		require.ElementsMatch(t, want, literalsOf(pattern), pattern)
	}
	words := `err|Err|ERR|fatal|Fatal|FATAL|panic|Panic|PANIC|crit|Crit|CRIT`
	require.Len(t, literalsOf(words), 12)
}
