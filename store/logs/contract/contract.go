// Package contract is the suite of tests that every store of logs passes.
//
// It is test code for other packages' tests, with the documentation of logstore.Store and package logs as its text.
package contract

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
)

// Subject is a store under test.
type Subject struct {
	// Open returns an empty store.
	Open func(t *testing.T) logstore.Store
	// Settle, if set, is called after writing and before reading: to seal, close and open again, or wait.
	Settle func(t *testing.T, s logstore.Store)
}

func (s Subject) settle(t *testing.T, store logstore.Store) {
	if s.Settle != nil {
		s.Settle(t, store)
	}
}

const (
	ms  = int64(time.Millisecond)
	sec = int64(time.Second)
)

// base is a time in the past that leaves room for an hour of entries, close to no end of a day.
func base() int64 {
	now := time.Now().UTC()
	day := now.Truncate(24 * time.Hour)
	if now.Sub(day) < 3*time.Hour {
		return day.Add(-4 * time.Hour).UnixNano()
	}
	return now.Add(-2 * time.Hour).Truncate(time.Second).UnixNano()
}

func stream(ls labels.Labels, entries ...logs.Entry) logs.Stream {
	return logs.Stream{Labels: ls, Entries: entries}
}

// Read returns what a selection delivers, one line of text an entry: labels, time relative to from, line, metadata.
func Read(t *testing.T, s logstore.Store, sel logs.Selection, from int64) []string {
	t.Helper()
	c, err := s.Select(t.Context(), sel)
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	var out []string
	for {
		b, err := c.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		require.NotZero(t, b.Len(), "a batch is never empty")
		for i := range b.Len() {
			var parts []string
			parts = append(parts, b.Streams[b.Stream[i]].String(), fmt.Sprint(b.Timestamps[i]-from))
			if b.Lines != nil {
				parts = append(parts, fmt.Sprintf("%q", b.Lines[i]))
			}
			if b.Sizes != nil {
				parts = append(parts, fmt.Sprint(b.Sizes[i]))
			}
			if b.Metadata != nil && !b.Metadata[i].IsEmpty() {
				parts = append(parts, b.Metadata[i].String())
			}
			out = append(out, strings.Join(parts, " "))
		}
		b.Release()
	}
}

func equal(name, value string) *labels.Matcher {
	return labels.MustNewMatcher(labels.MatchEqual, name, value)
}

func match(t labels.MatchType, name, value string) *labels.Matcher {
	return labels.MustNewMatcher(t, name, value)
}

// Run runs the suite.
func Run(t *testing.T, subject Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"Order":      testOrder,
		"Range":      testRange,
		"Matchers":   testMatchers,
		"Filters":    testFilters,
		"Metadata":   testMetadata,
		"Duplicates": testDuplicates,
		"OutOfOrder": testOutOfOrder,
		"Text":       testText,
		"Refused":    testRefused,
		"Series":     testSeries,
		"Volume":     testVolume,
		"Delete":     testDelete,
		"Many":       testMany,
		"Columns":    testColumns,
		"Cancelled":  testCancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, subject) })
	}
}

func testOrder(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a, z := labels.FromStrings("app", "a"), labels.FromStrings("app", "z")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{
		stream(a, logs.Entry{Timestamp: b + 2, Line: "two"}, logs.Entry{Timestamp: b + 4, Line: "four"}),
		stream(z, logs.Entry{Timestamp: b + 1, Line: "one"}, logs.Entry{Timestamp: b + 3, Line: "three"}),
	}))
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a,
		logs.Entry{Timestamp: b + 5, Line: "x"}, logs.Entry{Timestamp: b + 5, Line: "y"}, logs.Entry{Timestamp: b + 5, Line: "b"})}))
	subject.settle(t, s)
	sel := logs.Selection{Matchers: []*labels.Matcher{match(labels.MatchRegexp, "app", ".+")}, Start: b, End: b + sec, Columns: logs.AllColumns}
	want := []string{`{app="z"} 1 "one"`, `{app="a"} 2 "two"`, `{app="z"} 3 "three"`, `{app="a"} 4 "four"`, `{app="a"} 5 "x"`, `{app="a"} 5 "y"`, `{app="a"} 5 "b"`}
	require.ElementsMatch(t, want, Read(t, s, sel, b))
	sel.Order = logs.Forward
	require.Equal(t, want, Read(t, s, sel, b), "equal times keep the order of arrival")
	back := slices.Clone(want)
	slices.Reverse(back)
	sel.Order = logs.Backward
	require.Equal(t, back, Read(t, s, sel, b))
	sel.Limit = 3
	require.Equal(t, back[:3], Read(t, s, sel, b))
	sel.Order = logs.Forward
	require.Equal(t, want[:3], Read(t, s, sel, b))
	sel.Order = logs.Unordered
	require.Len(t, Read(t, s, sel, b), 3)
}

func testRange(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	// Three days, with a midnight between.
	midnight := b - b%(24*3600*sec)
	a := labels.FromStrings("app", "a")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a,
		logs.Entry{Timestamp: midnight - 24*3600*sec, Line: "d1"},
		logs.Entry{Timestamp: midnight - 1, Line: "d1 end"},
		logs.Entry{Timestamp: midnight, Line: "d2"},
	)}))
	subject.settle(t, s)
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: midnight - 24*3600*sec, End: midnight + 1, Order: logs.Forward, Columns: logs.ColumnLine}
	one, two, three := fmt.Sprintf(`{app="a"} %d "d1"`, -24*3600*sec), `{app="a"} -1 "d1 end"`, `{app="a"} 0 "d2"`
	require.Equal(t, []string{one, two, three}, Read(t, s, sel, midnight))
	sel.Order = logs.Backward
	require.Equal(t, []string{three, two, one}, Read(t, s, sel, midnight))
	sel.End = midnight
	require.Equal(t, []string{two, one}, Read(t, s, sel, midnight), "the end is not in the range")
	sel.Start++
	require.Equal(t, []string{two}, Read(t, s, sel, midnight), "the start is")
	sel.Start = sel.End
	require.Empty(t, Read(t, s, sel, midnight))
}

func testMatchers(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	var streams []logs.Stream
	for i, ls := range []labels.Labels{
		labels.FromStrings("app", "a", "env", "prod"), labels.FromStrings("app", "b", "env", "dev"),
		labels.FromStrings("app", "c"), labels.FromStrings("app", `q"\`, "env", "é"),
	} {
		streams = append(streams, stream(ls, logs.Entry{Timestamp: b + int64(i), Line: fmt.Sprint(i)}))
	}
	require.NoError(t, s.Append(t.Context(), streams))
	subject.settle(t, s)
	for _, c := range []struct {
		matchers []*labels.Matcher
		want     string
	}{
		{[]*labels.Matcher{equal("app", "a")}, "0"},
		{[]*labels.Matcher{match(labels.MatchNotEqual, "app", "a"), match(labels.MatchRegexp, "app", ".+")}, "123"},
		{[]*labels.Matcher{match(labels.MatchRegexp, "app", "a|b")}, "01"},
		{[]*labels.Matcher{match(labels.MatchRegexp, "app", "[a-z]"), match(labels.MatchNotRegexp, "env", "pr.*")}, "12"},
		{[]*labels.Matcher{match(labels.MatchRegexp, "app", ".+"), equal("env", "")}, "2"},
		{[]*labels.Matcher{match(labels.MatchRegexp, "app", ".+"), match(labels.MatchNotEqual, "env", "")}, "013"},
		{[]*labels.Matcher{equal("env", "é")}, "3"},
		{[]*labels.Matcher{equal("app", `q"\`)}, "3"},
		{[]*labels.Matcher{equal("app", "nosuch")}, ""},
	} {
		var got strings.Builder
		for _, line := range Read(t, s, logs.Selection{Matchers: c.matchers, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.ColumnLine}, b) {
			got.WriteString(strings.Trim(line[len(line)-2:], `"`))
		}
		require.Equal(t, c.want, got.String(), "%v", c.matchers)
	}
}

func testFilters(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	lines := []string{"an error here", "Error: quote ' and \"", "é accent", "tab\tand 100%", "", "multi\nline error", `back\slash`, "under_score"}
	var entries []logs.Entry
	for i, l := range lines {
		entries = append(entries, logs.Entry{Timestamp: b + int64(i), Line: l})
	}
	a := labels.FromStrings("app", "a")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a, entries...)}))
	subject.settle(t, s)
	for _, c := range []struct {
		filters []logs.LineFilter
		want    []int
	}{
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{"error"}}}, []int{0, 5}},
		{[]logs.LineFilter{{Op: logs.NotContains, Patterns: []string{"error"}}}, []int{1, 2, 3, 4, 6, 7}},
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{"é", "%"}}}, []int{2, 3}},
		{[]logs.LineFilter{{Op: logs.NotContains, Patterns: []string{"é", "%"}}}, []int{0, 1, 4, 5, 6, 7}},
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{"'"}}}, []int{1}},
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{`\`}}}, []int{6}},
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{"_"}}}, []int{7}},
		{[]logs.LineFilter{{Op: logs.Contains, Patterns: []string{""}}}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		{[]logs.LineFilter{{Op: logs.NotContains, Patterns: []string{""}}}, nil},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"(?i)error"}}}, []int{0, 1, 5}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"err(or)?s?"}}}, []int{0, 5}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"^an|accent$"}}}, []int{0, 2}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"multi.line"}}}, nil},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"(?s)multi.line"}}}, []int{5}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{`^$`}}}, []int{4}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{`\bquote\b`, `\d+%`}}}, []int{1, 3}},
		{[]logs.LineFilter{{Op: logs.NotMatch, Patterns: []string{"[eE]rror"}}}, []int{2, 3, 4, 6, 7}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{`\p{Latin}é|é`}}}, []int{2}},
		{[]logs.LineFilter{{Op: logs.Match, Patterns: []string{"rror"}}, {Op: logs.NotContains, Patterns: []string{"multi"}}}, []int{0, 1}},
	} {
		var want []string
		for _, i := range c.want {
			want = append(want, fmt.Sprintf(`{app="a"} %d %q`, i, lines[i]))
		}
		require.Equal(t, want, Read(t, s, logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec, Filters: c.filters, Order: logs.Forward, Columns: logs.ColumnLine}, b), "%v", c.filters)
	}
}

func testMetadata(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	x, y := labels.FromStrings("app", "x", "env", "prod"), labels.FromStrings("app", "y")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{
		stream(x,
			logs.Entry{Timestamp: b, Line: "0", Metadata: labels.FromStrings("trace_id", "t1", "weird.name \"\\", "v\"\\é\n")},
			logs.Entry{Timestamp: b + 1, Line: "1"},
			logs.Entry{Timestamp: b + 2, Line: "2", Metadata: labels.FromStrings("trace_id", "t2", "env", "override")}),
		stream(y, logs.Entry{Timestamp: b + 3, Line: "3"}),
	}))
	subject.settle(t, s)
	sel := logs.Selection{Matchers: []*labels.Matcher{match(labels.MatchRegexp, "app", ".+")}, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.AllColumns}
	require.Equal(t, []string{
		`{app="x", env="prod"} 0 "0" {trace_id="t1", "weird.name \"\\"="v\"\\é\n"}`,
		`{app="x", env="prod"} 1 "1"`,
		`{app="x", env="prod"} 2 "2" {env="override", trace_id="t2"}`,
		`{app="y"} 3 "3"`,
	}, Read(t, s, sel, b))
	for _, c := range []struct {
		m    *labels.Matcher
		want string
	}{
		{equal("trace_id", "t1"), "0"},
		{match(labels.MatchNotEqual, "trace_id", "t1"), "123"},
		{match(labels.MatchRegexp, "trace_id", "t."), "02"},
		{match(labels.MatchNotRegexp, "trace_id", "t."), "13"},
		{equal("trace_id", ""), "13"},
		{match(labels.MatchRegexp, "trace_id", "t1|"), "013"},
		{equal("env", "prod"), "012"},
		{equal("env", "override"), ""},
		{match(labels.MatchNotEqual, "env", "prod"), "3"},
		{equal("app", "x"), "012"},
		{equal("weird.name \"\\", "v\"\\é\n"), "0"},
		{match(labels.MatchRegexp, "weird.name \"\\", "v.*"), "0"},
	} {
		sel.LabelFilters = []*labels.Matcher{c.m}
		sel.Columns = logs.ColumnLine
		var got strings.Builder
		for _, line := range Read(t, s, sel, b) {
			got.WriteString(strings.Trim(line[len(line)-2:], `"`))
		}
		require.Equal(t, c.want, got.String(), "%v", c.m)
	}
}

func testDuplicates(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a := labels.FromStrings("app", "a")
	batch := []logs.Stream{stream(a, logs.Entry{Timestamp: b, Line: "x"}, logs.Entry{Timestamp: b, Line: "x"}, logs.Entry{Timestamp: b, Line: "y"}, logs.Entry{Timestamp: b + 1, Line: "x"})}
	require.NoError(t, s.Append(t.Context(), batch))
	require.NoError(t, s.Append(t.Context(), batch))
	subject.settle(t, s)
	require.NoError(t, s.Append(t.Context(), batch), "also after the store was sealed or opened again")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(labels.FromStrings("app", "b"), batch[0].Entries...)}))
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.ColumnLine}
	require.Equal(t, []string{`{app="a"} 0 "x"`, `{app="a"} 0 "y"`, `{app="a"} 1 "x"`}, Read(t, s, sel, b))
	sel.Matchers[0] = equal("app", "b")
	require.Len(t, Read(t, s, sel, b), 3, "another stream's entries are others")
}

func testOutOfOrder(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a := labels.FromStrings("app", "a")
	for _, ts := range []int64{50, 10, 30, 20, 40} {
		require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a, logs.Entry{Timestamp: b + ts, Line: fmt.Sprint(ts)})}))
	}
	subject.settle(t, s)
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a, logs.Entry{Timestamp: b + 15, Line: "15"}, logs.Entry{Timestamp: b + 60, Line: "60"})}))
	var want []string
	for _, ts := range []int64{10, 15, 20, 30, 40, 50, 60} {
		want = append(want, fmt.Sprintf(`{app="a"} %d "%d"`, ts, ts))
	}
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.ColumnLine}
	require.Equal(t, want, Read(t, s, sel, b))
}

func testText(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a := labels.FromStrings("app", "a")
	lines := []string{"", "a", strings.Repeat("x", 12), strings.Repeat("y", 13), strings.Repeat("long ", 40_000), "日本語 🙂", "nul\x00byte", "\x1b[31mred\x1b[0m"}
	var entries []logs.Entry
	for i, l := range lines {
		entries = append(entries, logs.Entry{Timestamp: b + int64(i), Line: l})
	}
	entries = append(entries, logs.Entry{Timestamp: b + int64(len(lines)), Line: "bad \xff\xfe utf8"})
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a, entries...)}))
	subject.settle(t, s)
	var want []string
	for i, l := range append(lines, "bad \uFFFD utf8") {
		want = append(want, fmt.Sprintf(`{app="a"} %d %q`, i, l))
	}
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.ColumnLine}
	require.Equal(t, want, Read(t, s, sel, b))
	sel.Filters = []logs.LineFilter{{Op: logs.Contains, Patterns: []string{"l\x00b"}}}
	require.Equal(t, []string{`{app="a"} 6 "nul\x00byte"`}, Read(t, s, sel, b))
}

func testRefused(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a := labels.FromStrings("app", "a")
	err := s.Append(t.Context(), []logs.Stream{stream(a,
		logs.Entry{Timestamp: b, Line: "good"},
		logs.Entry{Timestamp: b - 30*24*3600*sec, Line: "old"},
		logs.Entry{Timestamp: b + 30*24*3600*sec, Line: "new"},
	)})
	require.Error(t, err)
	var coded interface{ StatusCode() int }
	require.ErrorAs(t, err, &coded)
	require.Equal(t, 400, coded.StatusCode())
	require.ErrorContains(t, err, "too old")
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b - 40*24*3600*sec, End: b + 40*24*3600*sec, Columns: logs.ColumnLine}
	require.Equal(t, []string{`{app="a"} 0 "good"`}, Read(t, s, sel, b))
	require.Error(t, s.Append(t.Context(), []logs.Stream{stream(labels.EmptyLabels(), logs.Entry{Timestamp: b, Line: "x"})}))
}

func testSeries(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	var streams []logs.Stream
	for i, ls := range []labels.Labels{labels.FromStrings("app", "a", "env", "prod"), labels.FromStrings("app", "b", "env", "prod"), labels.FromStrings("app", "c")} {
		streams = append(streams, stream(ls, logs.Entry{Timestamp: b + int64(i)*60*sec, Line: "x"}))
	}
	require.NoError(t, s.Append(t.Context(), streams))
	subject.settle(t, s)
	names := func(groups [][]*labels.Matcher, start, end int64) string {
		got, err := s.Series(t.Context(), groups, start, end)
		require.NoError(t, err)
		var out []string
		for _, ls := range got {
			out = append(out, ls.Get("app"))
		}
		slices.Sort(out)
		return strings.Join(out, "")
	}
	all := b + 3600*sec
	require.Equal(t, "abc", names(nil, b, all))
	require.Equal(t, "ab", names([][]*labels.Matcher{{equal("env", "prod")}}, b, all))
	require.Equal(t, "bc", names([][]*labels.Matcher{{equal("app", "b")}, {equal("app", "c")}}, b, all))
	require.Empty(t, names(nil, b+3000*sec, all))
}

func testVolume(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	x, y, z := labels.FromStrings("app", "x", "env", "p"), labels.FromStrings("app", "y", "env", "p"), labels.FromStrings("app", "z")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{
		stream(x, logs.Entry{Timestamp: b, Line: "12345"}, logs.Entry{Timestamp: b + 60*sec, Line: "123"}),
		stream(y, logs.Entry{Timestamp: b + 1, Line: "1234567"}),
		stream(z, logs.Entry{Timestamp: b + 1, Line: "1"}),
	}))
	subject.settle(t, s)
	volume := func(names []string, limit int) string {
		got, err := s.Volume(t.Context(), logs.VolumeRequest{Matchers: []*labels.Matcher{match(labels.MatchRegexp, "app", ".+")}, Start: b, End: b + 120*sec, Labels: names, Limit: limit})
		require.NoError(t, err)
		var out []string
		for _, v := range got {
			out = append(out, fmt.Sprintf("%s %d", v.Labels, v.Bytes))
		}
		return strings.Join(out, ", ")
	}
	require.Equal(t, `{env="p"} 15`, volume([]string{"env"}, 0))
	require.Equal(t, `{app="x"} 8, {app="y"} 7, {app="z"} 1`, volume([]string{"app"}, 0))
	require.Equal(t, `{app="x"} 8, {app="y"} 7`, volume([]string{"app"}, 2))
}

func testDelete(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	a, z := labels.FromStrings("app", "a"), labels.FromStrings("app", "z")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{
		stream(a, logs.Entry{Timestamp: b, Line: "keep"}, logs.Entry{Timestamp: b + 1, Line: "secret"}, logs.Entry{Timestamp: b + 100, Line: "secret later"}),
		stream(z, logs.Entry{Timestamp: b + 1, Line: "secret of another"}),
	}))
	subject.settle(t, s)
	require.NoError(t, s.Delete(t.Context(), logstore.DeleteRequest{
		Query: `{app="a"} |= "secret"`, Matchers: []*labels.Matcher{equal("app", "a")},
		Filters: []logs.LineFilter{{Op: logs.Contains, Patterns: []string{"secret"}}}, Start: b, End: b + 100,
	}))
	sel := logs.Selection{Matchers: []*labels.Matcher{match(labels.MatchRegexp, "app", ".+")}, Start: b, End: b + sec, Order: logs.Forward, Columns: logs.ColumnLine}
	want := []string{`{app="a"} 0 "keep"`, `{app="z"} 1 "secret of another"`, `{app="a"} 100 "secret later"`}
	require.Eventually(t, func() bool { return slices.Equal(want, Read(t, s, sel, b)) }, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(a, logs.Entry{Timestamp: b + 2, Line: "after"})}))
	require.Len(t, Read(t, s, sel, b), 4, "the store goes on after a delete")
}

// testMany reads more than one batch and more than one window.
func testMany(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	const n = 6000
	streams := make([]logs.Stream, 4)
	for i := range streams {
		streams[i].Labels = labels.FromStrings("app", "many", "n", fmt.Sprint(i))
	}
	for i := range n {
		st := &streams[i%4]
		st.Entries = append(st.Entries, logs.Entry{Timestamp: b + int64(i)*ms, Line: fmt.Sprintf("line %d", i)})
	}
	require.NoError(t, s.Append(t.Context(), streams))
	subject.settle(t, s)
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "many")}, Start: b, End: b + n*ms, Columns: logs.ColumnLine, Limit: n}
	for _, order := range []logs.Order{logs.Unordered, logs.Forward, logs.Backward} {
		sel.Order, sel.Expect = order, 0
		got := Read(t, s, sel, b)
		require.Len(t, got, n, "%s", order)
		if order == logs.Unordered {
			continue
		}
		sel.Expect = 10
		require.Equal(t, got, Read(t, s, sel, b), "the hint changes nothing")
		for k, line := range got {
			i := k
			if order == logs.Backward {
				i = n - 1 - k
			}
			if want := fmt.Sprintf(`{app="many", n="%d"} %d "line %d"`, i%4, int64(i)*ms, i); line != want {
				require.Equal(t, want, line)
			}
		}
	}
	sel.Order, sel.Limit = logs.Backward, 10
	sel.Filters = []logs.LineFilter{{Op: logs.Match, Patterns: []string{"7$"}}}
	got := Read(t, s, sel, b)
	require.Len(t, got, 10)
	require.Contains(t, got[9], `"line 5907"`)
}

func testColumns(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(labels.FromStrings("app", "a"), logs.Entry{Timestamp: b, Line: "héllo", Metadata: labels.FromStrings("k", "v")})}))
	subject.settle(t, s)
	sel := logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec}
	for columns, want := range map[logs.Columns]string{
		0:                                     `{app="a"} 0`,
		logs.ColumnSize:                       `{app="a"} 0 6`,
		logs.ColumnLine:                       `{app="a"} 0 "héllo"`,
		logs.ColumnLine | logs.ColumnMetadata: `{app="a"} 0 "héllo" {k="v"}`,
		logs.ColumnSize | logs.ColumnMetadata: `{app="a"} 0 6 {k="v"}`,
	} {
		sel.Columns = columns
		require.Equal(t, []string{want}, Read(t, s, sel, b), "%d", columns)
	}
}

func testCancelled(t *testing.T, subject Subject) {
	s, b := subject.Open(t), base()
	require.NoError(t, s.Append(t.Context(), []logs.Stream{stream(labels.FromStrings("app", "a"), logs.Entry{Timestamp: b, Line: "x"})}))
	subject.settle(t, s)
	c, err := s.Select(t.Context(), logs.Selection{Matchers: []*labels.Matcher{equal("app", "a")}, Start: b, End: b + sec, Columns: logs.AllColumns})
	require.NoError(t, err)
	require.NoError(t, c.Close(), "a cursor may be closed before it is read")
	require.NoError(t, c.Close(), "and twice")
}
