package syntax_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// queries are those that a Loki was asked.
func queries(t testing.TB) []string {
	t.Helper()
	b, err := os.ReadFile("../../../test/logql/queries.txt")
	require.NoError(t, err)
	var out []string
	for line := range strings.Lines(string(b)) {
		if _, q, ok := strings.Cut(strings.TrimSpace(line), " "); ok && line[0] != '#' {
			out = append(out, q)
		}
	}
	return out
}

// roundTrip checks that both ways to write a query read back as the same.
func roundTrip(t *testing.T, q string) {
	t.Helper()
	e, err := syntax.Parse(q)
	if err != nil {
		var syn *syntax.Error
		require.ErrorAs(t, err, &syn, "%T", err)
		require.Positive(t, syn.Line)
		require.Positive(t, syn.Col)
		require.NotEmpty(t, syn.Msg)
		return
	}
	s := e.String()
	again, err := syntax.Parse(s)
	require.NoError(t, err, "%s\n%s", q, s)
	require.Equal(t, s, again.String(), q)
	again, err = syntax.Parse(syntax.Pretty(e))
	require.NoError(t, err, "%s\n%s", q, syntax.Pretty(e))
	require.Equal(t, s, again.String(), q)
}

func TestRoundTrip(t *testing.T) {
	qs := queries(t)
	require.NotEmpty(t, qs)
	for _, q := range append(qs,
		`(2 ^ 3) ^ 2 - (1 - (4 - 5)) * -3 % .5`, `1 < bool 2 == 3 > 4`, `vector(1) unless vector(2) and vector(3) or vector(4)`,
		`{a="b", c!~"d|e"} | a > -5 | a < -1KB | a = +3 | a != -1m`,
		`rate({a="b"} | json x="a.b[3][\"c d\"]", y [1ms] offset -1w)`,
		`topk by (a) (3, sum without () (rate({a="b"}[1y])))`,
		"{a=\"b\"} |= `a\\b` or \"c`\\\"\\n\" or ip(\"::1\")",
		`sum(rate({a="b"}[1m])) + ignoring () group_right (x, y) (sum(rate({a="b"}[1m])))`,
		`sum(rate({a="b"}[1m])) + on () group_left (sum(rate({a="b"}[1m])))`,
		`(({a="b"}) |= "x") | json`, `rate((({a="b"})) [1m] | json | unwrap x | (y="z"))`,
		`{a="b"} | label_format a=b, c="d{{.e}}" | keep a, b="c", d!~"e" | drop __error__`,
	) {
		roundTrip(t, q)
	}
}

func TestDepth(t *testing.T) {
	for _, q := range []string{
		strings.Repeat("(", 100_000) + "1", strings.Repeat("sum(", 5000) + "1", "{a=\"b\"} | " + strings.Repeat("(", 100_000) + "a=\"b\"",
		"rate(" + strings.Repeat("(", 1000) + "{a=\"b\"}", "1" + strings.Repeat(" ^ 1", 5000),
		"{a=\"b\"} | a=\"b\"" + strings.Repeat(", a=\"b\"", 5000), strings.Repeat("(", 1000) + "{a=\"b\"}",
	} {
		_, err := syntax.Parse(q)
		require.Error(t, err)
	}
	_, err := syntax.Parse(strings.Repeat(" ", 1<<20))
	require.ErrorContains(t, err, "longer than")
}

func TestErrorPlace(t *testing.T) {
	_, err := syntax.Parse("{job=\"é\"}\n  | json\n  | ü ~ 5")
	var e *syntax.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 3, e.Line)
	require.Equal(t, 7, e.Col, "characters, not bytes")
	_, err = syntax.Parse("{a=\"b\"} |= \"\xff\"")
	require.ErrorContains(t, err, "line 1, col 13: query is not valid UTF-8")
}

func TestParseMatchers(t *testing.T) {
	ms, err := syntax.ParseMatchers(`{a="b", c=~"d"}`, false)
	require.NoError(t, err)
	require.Len(t, ms, 2)
	_, err = syntax.ParseMatchers(`{}`, false)
	require.Error(t, err)
	ms, err = syntax.ParseMatchers(`{}`, true)
	require.NoError(t, err)
	require.Empty(t, ms)
	_, err = syntax.ParseMatchers(`{a="b"} |= "x"`, false)
	require.Error(t, err)
	_, err = syntax.ParseLog(`rate({a="b"}[1m])`)
	require.ErrorContains(t, err, "metric query")
	_, err = syntax.ParseSample(`{a="b"}`)
	require.ErrorContains(t, err, "log query")
}

func TestSimple(t *testing.T) {
	simple := func(q string) ([]logs.LineFilter, bool) {
		e, err := syntax.ParseLog(q)
		require.NoError(t, err)
		return e.Simple()
	}
	fs, ok := simple(`{a="b"} |= "x" or "y" !~ "a.b"`)
	require.True(t, ok)
	require.Equal(t, []logs.LineFilter{{Op: logs.Contains, Patterns: []string{"x", "y"}}, {Op: logs.NotMatch, Patterns: []string{"(?s)a.b"}}}, fs)
	for _, q := range []string{`{a="b"} | json`, `{a="b"} |> "x"`, `{a="b"} |= ip("::1")`} {
		_, ok = simple(q)
		require.False(t, ok, q)
	}
}

func TestIPRange(t *testing.T) {
	for _, c := range []struct {
		r, in, out string
	}{
		{"192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{"192.0.2.1-192.0.2.9", "192.0.2.9", "192.0.2.10"},
		{"192.0.2.77/26", "192.0.2.127", "192.0.2.128"},
		{"10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
		{"0.0.0.0/0", "255.255.255.255", "::1"},
		{"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
		{"2001:db8::1-2001:db8::8", "2001:db8::5", "2001:db8::9"},
		{"::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"},
	} {
		r, err := syntax.ParseIPRange(c.r)
		require.NoError(t, err, c.r)
		require.True(t, r.Contains(netip.MustParseAddr(c.in)), "%s in %s", c.in, c.r)
		require.False(t, r.Contains(netip.MustParseAddr(c.out)), "%s in %s", c.out, c.r)
	}
	for _, bad := range []string{"", "x", "1.2.3", "1.2.3.4/33", "1.2.3.9-1.2.3.4", "1.2.3.4-::1", "1.2.3.4-", "/8"} {
		_, err := syntax.ParseIPRange(bad)
		require.Error(t, err, bad)
	}
}

func TestJSONPath(t *testing.T) {
	steps, err := syntax.ParseJSONPath(`a.b_1["c \"d"][12].e`)
	require.NoError(t, err)
	require.Equal(t, []syntax.PathStep{{Key: "a", Index: -1}, {Key: "b_1", Index: -1}, {Key: `c "d`, Index: -1}, {Index: 12}, {Key: "e", Index: -1}}, steps)
	for _, bad := range []string{"", ".", "a.", "a[", "a[x]", `a["b]`, "a b", "1a", "a[-1]", "a[99999999999999999999]", "a..b", `["a"`} {
		_, err := syntax.ParseJSONPath(bad)
		require.Error(t, err, bad)
	}
}

func FuzzParse(f *testing.F) {
	for _, q := range queries(f) {
		f.Add(q)
	}
	f.Add("rate(({a=`b`}[1h30m] offset -5s | unwrap bytes(x))) # c\n > bool on(a) group_left(b) vector(1e3)")
	f.Fuzz(roundTrip)
}
