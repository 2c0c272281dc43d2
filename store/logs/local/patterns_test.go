package local

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
)

func TestPatterns(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	at := time.Now().Add(-time.Hour).Truncate(time.Minute)
	if at.UTC().Hour() == 23 {
		at = at.Add(-2 * time.Hour)
	}
	add := func(app string, from time.Time, n int) {
		st := logs.Stream{Labels: labels.FromStrings("app", app)}
		for i := range n {
			st.Entries = append(st.Entries, logs.Entry{Timestamp: from.UnixNano() + int64(i), Line: fmt.Sprintf("request %d served in %dms", i, i*3)})
		}
		require.NoError(t, s.Append(t.Context(), []logs.Stream{st}))
	}
	ask := func(value string) []Pattern {
		got, err := s.Patterns(t.Context(), []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", value)}, at.UnixNano(), at.Add(time.Hour).UnixNano(), int64(time.Minute))
		require.NoError(t, err)
		return got
	}
	wait := func(app string, want []Pattern) {
		t.Helper()
		require.Eventually(t, func() bool { g := ask(app); return len(g) == len(want) && (len(g) == 0 || g[0].Lines == want[0].Lines) }, 5*time.Second, 5*time.Millisecond)
		require.Equal(t, want, ask(app))
	}
	add("a", at, 10)
	add("a", at.Add(2*time.Minute), 103)
	add("b", at, 5)
	want := []Pattern{{Text: "request <_> served in <_>", Lines: 113, Samples: [][2]int64{{at.Unix(), 10}, {at.Unix() + 120, 103}}}}
	wait("a", want)
	s.flushPatterns(t.Context())
	wait("a", want)
	require.NoError(t, s.Close())
	s, err = Open(t.Context(), Options{Dir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	wait("a", want)
	require.NoError(t, s.Seal(t.Context(), at.UTC().Format(time.DateOnly)))
	wait("a", want)
	// Patterns of streams from which something was deleted go, too.
	require.NoError(t, s.remove(t.Context(), &removal{matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "app", "a")}, start: at.UnixNano(), end: at.UnixNano() + 5}))
	wait("a", []Pattern{})
	require.Len(t, ask("b"), 1)
}
