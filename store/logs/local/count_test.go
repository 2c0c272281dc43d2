package local

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
)

// TestCountLikeMemory compares counts with those of the store in memory, which does what the words say.
func TestCountLikeMemory(t *testing.T) {
	s, m := open(t, Options{}), memory.New()
	now := time.Now().Add(-time.Hour)
	r := rand.New(rand.NewPCG(1, 2))
	var streams []logs.Stream
	for i := range 4 {
		st := logs.Stream{Labels: labels.FromStrings("app", fmt.Sprint(i%2), "n", fmt.Sprint(i))}
		for j := range 400 {
			e := logs.Entry{Timestamp: now.UnixNano() + int64(j)*int64(time.Second)}
			switch r.IntN(5) {
			case 0:
				e.Line = fmt.Sprintf("level=info plain %d", j)
			case 1:
				e.Line = fmt.Sprintf(`{"a":{"b":%d},"level":"err\"or é"}`, j)
			case 2:
				e.Line = fmt.Sprintf(`{"a":%d}`, j)
			case 3:
				e.Line = []string{
					fmt.Sprintf(`{"level":"info","broken":%d`, j), `{"broken`, `{"level":"in\fo"}`, `{"level":"in\xfo"}`, `{"level":"info","level":"\x"}`,
					`{"x":{"level":"\x"},"level":"x"}`, `{"lev":{"el":1},"level":{"level":1}}`, `{"a":"\x","level":"a"}`, ` { "level" : 7 } more`,
				}[j%9]
			default:
				e.Line = fmt.Sprintf(`{"level":"info","n":%d}`, j)
			}
			if i == 3 && j%3 == 0 {
				e.Metadata = labels.FromStrings("trace", fmt.Sprint(j%2), "n", "no")
			}
			st.Entries = append(st.Entries, e)
		}
		streams = append(streams, st)
	}
	require.NoError(t, s.Append(t.Context(), streams))
	require.NoError(t, m.Append(t.Context(), streams))
	checkCounts(t, s, m, now)
	require.NoError(t, s.Seal(t.Context(), now.UTC().Format(time.DateOnly)))
	checkCounts(t, s, m, now)
}

func checkCounts(t *testing.T, s *Store, m *memory.Store, now time.Time) {
	t.Helper()
	all := []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}
	for name, c := range map[string]struct {
		by      []logs.Field
		filters []logs.LineFilter
		entry   []*labels.Matcher
		whole   bool
	}{
		"all":         {},
		"label":       {by: []logs.Field{{Kind: logs.StreamLabel, Name: "app"}}},
		"two":         {by: []logs.Field{{Kind: logs.StreamLabel, Name: "n"}, {Kind: logs.StreamLabel, Name: "none"}}},
		"metadata":    {by: []logs.Field{{Kind: logs.EntryLabel, Name: "trace"}, {Kind: logs.EntryLabel, Name: "n"}}},
		"level":       {by: []logs.Field{{Kind: logs.JSONField, Name: "level"}}},
		"level, app":  {by: []logs.Field{{Kind: logs.StreamLabel, Name: "app"}, {Kind: logs.JSONField, Name: "level"}}},
		"whole":       {by: []logs.Field{{Kind: logs.JSONField, Name: "level"}}, whole: true},
		"whole, app":  {by: []logs.Field{{Kind: logs.JSONField, Name: "level"}, {Kind: logs.StreamLabel, Name: "app"}}, whole: true},
		"filtered":    {by: []logs.Field{{Kind: logs.JSONField, Name: "level"}}, filters: []logs.LineFilter{{Op: logs.Match, Patterns: []string{"1.$"}}}},
		"entry label": {entry: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "trace", "1")}},
	} {
		req := logs.CountRequest{
			Selection: logs.Selection{Matchers: all, Start: now.UnixNano() + 5, End: now.UnixNano() + int64(390*time.Second), Filters: c.filters, LabelFilters: c.entry},
			By:        c.by, Whole: c.whole, Width: int64(time.Minute),
		}
		want, err := m.Count(t.Context(), req)
		require.NoError(t, err)
		got, err := s.Count(t.Context(), req)
		require.NoError(t, err, name)
		order := func(a, b logs.Group) int {
			return cmp.Or(slices.Compare(a.Values, b.Values), cmp.Compare(fmt.Sprint(a.Failed), fmt.Sprint(b.Failed)))
		}
		slices.SortFunc(want.Groups, order)
		slices.SortFunc(got.Groups, order)
		for i := range want.Groups {
			if len(want.Groups[i].Values) == 0 {
				want.Groups[i].Values, got.Groups[i].Values = nil, nil
			}
		}
		require.Equal(t, want.Groups, got.Groups, name)
	}
	_, err := s.Count(t.Context(), logs.CountRequest{Selection: logs.Selection{Matchers: all, Start: 0, End: now.UnixNano() * 2}, By: []logs.Field{{Kind: logs.JSONField, Name: "a"}}, Width: 1e9})
	require.ErrorIs(t, err, logs.ErrNotPushed)
}
