package pipeline_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

func matcher(t testing.TB, op syntax.LineOp, text string) func(string) bool {
	t.Helper()
	m, err := pipeline.LineMatcher(&syntax.LineFilter{Op: op, Operands: []syntax.LineOperand{{Text: text}}})
	require.NoError(t, err)
	return m
}

func checkMatch(t *testing.T, expr, line string) {
	t.Helper()
	re, err := regexp.Compile("(?s)" + expr)
	if err != nil {
		return
	}
	require.Equal(t, re.MatchString(line), matcher(t, syntax.LineMatch, expr)(line), "%q on %q", expr, line)
}

// What is searched without an engine gives what the engine gives.
func TestMatch(t *testing.T) {
	exprs := []string{
		"error", "error|warn", "(error|warn)", "(?i)error", "(?i)(ERROR|Warn)", ".*error.*", "^error", "error$", "err(or)?", "e.r", "a.*b", "(?i)skip", "(?i)é",
		"", "()", "(|a)", "x*", "ab+c", "(ab){2,}", "[a-c]", "\\d+ ms", "error: .*refused", "(?-s)a.b", "a\nb", ".*", "(?i)K", ".+x", "(a|b)(c|d)", "foo|", "\\.", "(?:a|b|cd)",
	}
	lines := []string{
		"", "error", "an ERROR here", "warn", "Warning: eRRor", "e\nr", "a\nb", "axxb", "S\u212aIP", "\u017fkip", "skip", "SKIP", "é", "É", "abbc", "ababab", "12 ms", "error: x refused", "ac", "cd", ".", "x", "\xff",
		"err", "k", "\u212a",
	}
	for _, e := range exprs {
		for _, l := range lines {
			checkMatch(t, e, l)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("(?i)err(or)?|w.*n", "Some ERROR")
	f.Add(".*(a|bc).*", "xbc")
	f.Fuzz(checkMatch)
}

// patternRegexp is a pattern as a regular expression.
func patternRegexp(expr string) *regexp.Regexp {
	s := "(?s)^"
	for _, p := range syntax.ParsePatternParts(expr) {
		if p.Capture {
			s += ".+"
		} else {
			s += regexp.QuoteMeta(p.Text)
		}
	}
	return regexp.MustCompile(s + "$")
}

func TestLinePattern(t *testing.T) {
	for _, e := range []string{"", "a", "<_>", "a<_>", "<_>a", "<_>a<_>", "a<_>b", "a<_>b<_>c", "<_>ab<_>ab<_>", "aa<_>aa", "<a", "a>"} {
		for _, l := range []string{"", "a", "aa", "ba", "ab", "bab", "axb", "axbb", "abb", "axbxc", "axbxcc", "xabxabx", "xababx", "aaaa", "aaaaa", "<a", "a>", "b", "axbc"} {
			require.Equal(t, patternRegexp(e).MatchString(l), matcher(t, syntax.LinePattern, e)(l), "%q on %q", e, l)
		}
	}
}

func FuzzLinePattern(f *testing.F) {
	f.Add("a<_>b<_>", "axbxby")
	f.Fuzz(func(t *testing.T, expr, line string) {
		if _, err := syntax.Parse("{a=\"b\"} |> `" + expr + "`"); err != nil {
			return
		}
		// The engine of regular expressions takes broken UTF-8 for one character a byte, as a pattern does.
		require.Equal(t, patternRegexp(expr).MatchString(line), matcher(t, syntax.LinePattern, expr)(line), "%q on %q", expr, line)
	})
}
