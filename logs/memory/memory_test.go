package memory_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
)

func filled(t *testing.T) *memory.Store {
	t.Helper()
	s := memory.New()
	a, b := labels.FromStrings("app", "a"), labels.FromStrings("app", "b", "level", "x")
	require.NoError(t, s.Append(t.Context(), []logs.Stream{
		{Labels: a, Entries: []logs.Entry{{Timestamp: 3, Line: "three"}, {Timestamp: 1, Line: "one"}}},
		{Labels: b, Entries: []logs.Entry{{Timestamp: 2, Line: `{"level":"info"}`, Metadata: labels.FromStrings("level", "y", "m", "1")}}},
		{Labels: a, Entries: []logs.Entry{{Timestamp: 3, Line: "three"}, {Timestamp: 3, Line: "drei"}}},
	}))
	return s
}

func read(t *testing.T, s *memory.Store, sel logs.Selection) (out []string) {
	t.Helper()
	if sel.Matchers == nil {
		sel.Matchers = []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}
	}
	if sel.End == 0 {
		sel.End = 100
	}
	sel.Columns = logs.AllColumns
	cur, err := s.Select(t.Context(), sel)
	require.NoError(t, err)
	defer cur.Close()
	for {
		b, err := cur.Next()
		if errors.Is(err, io.EOF) {
			require.EqualValues(t, len(out), cur.Stats().Delivered)
			return out
		}
		require.NoError(t, err)
		for i := range b.Len() {
			e := b.Entry(i)
			out = append(out, fmt.Sprintf("%d %s", e.Timestamp, e.Line))
		}
		b.Release()
	}
}

func TestSelect(t *testing.T) {
	s := filled(t)
	info := `2 {"level":"info"}`
	require.Equal(t, []string{"1 one", info, "3 three", "3 drei"}, read(t, s, logs.Selection{Order: logs.Forward}), "the duplicate is gone")
	require.Equal(t, []string{"3 drei", "3 three", info, "1 one"}, read(t, s, logs.Selection{Order: logs.Backward}))
	require.Equal(t, []string{"3 drei", "3 three"}, read(t, s, logs.Selection{Order: logs.Backward, Limit: 2}))
	require.Equal(t, []string{info}, read(t, s, logs.Selection{Start: 2, End: 3}))
	filter := func(op logs.FilterOp, p ...string) logs.Selection {
		return logs.Selection{Order: logs.Forward, Filters: []logs.LineFilter{{Op: op, Patterns: p}}}
	}
	require.Equal(t, []string{"1 one", "3 three"}, read(t, s, filter(logs.Contains, "one", "thr")))
	require.Equal(t, []string{info, "3 drei"}, read(t, s, filter(logs.NotContains, "one", "thr")))
	require.Equal(t, []string{"3 three", "3 drei"}, read(t, s, filter(logs.Match, "^(three|d.+)$")))
	require.Equal(t, []string{"1 one", info}, read(t, s, filter(logs.NotMatch, "^(three|d.+)$")))
	label := func(name, value string) logs.Selection {
		return logs.Selection{LabelFilters: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, name, value)}}
	}
	require.Equal(t, []string{info}, read(t, s, label("m", "1")))
	require.Equal(t, []string{info}, read(t, s, label("level", "x")), "the stream's label goes before the metadata's")
	require.Empty(t, read(t, s, label("level", "y")))
}

func TestCount(t *testing.T) {
	s := filled(t)
	count := func(by ...logs.Field) []logs.Group {
		c, err := s.Count(t.Context(), logs.CountRequest{Selection: logs.Selection{
			Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "a")}, Start: 1, End: 100,
		}, By: by, Width: 2})
		require.NoError(t, err)
		return c.Groups
	}
	require.Equal(t, []logs.Group{{Buckets: []logs.Bucket{{Index: 0, Entries: 1, Bytes: 3}, {Index: 1, Entries: 2, Bytes: 9}}}}, count())
	groups := count(logs.Field{Kind: logs.JSONField, Name: "level"})
	require.Len(t, groups, 1)
	require.True(t, groups[0].Failed, "the lines are not JSON")
	require.Equal(t, []string{"a"}, count(logs.Field{Kind: logs.StreamLabel, Name: "app"})[0].Values)
}
