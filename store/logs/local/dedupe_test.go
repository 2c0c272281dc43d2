package local

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/store/logs/contract"
)

func TestKeySet(t *testing.T) {
	var s keySet
	s.grow(64)
	r := rand.New(rand.NewPCG(3, 4))
	want := map[key]bool{}
	for range 48 {
		k := key{Hi: r.Uint64N(20), Lo: r.Uint64N(3)}
		s.add(k)
		want[nonzero(k)] = true
		for hi := range uint64(20) {
			for lo := range uint64(3) {
				k := key{Hi: hi, Lo: lo}
				if want[nonzero(k)] != s.has(k) {
					t.Fatalf("%v: has is %v", k, s.has(k))
				}
			}
		}
	}
}

// TestDedupeAtRandom pushes entries over and over, out of order, with a memory so small that it forgets most, and with
// seals and restarts between, and expects each exactly once.
func TestDedupeAtRandom(t *testing.T) {
	dir := t.TempDir()
	base := time.Now().Add(-40 * time.Hour).UnixNano() // Over two days.
	r := rand.New(rand.NewPCG(5, 6))
	want := map[string]bool{}
	for round := range 4 {
		s, err := Open(t.Context(), Options{Dir: dir})
		require.NoError(t, err)
		s.recent = newRecent(50)
		for range 25 {
			var streams []logs.Stream
			for i := range 3 {
				st := logs.Stream{Labels: labels.FromStrings("n", fmt.Sprint(i))}
				at := r.IntN(800)
				for range 30 {
					at += r.IntN(4) - 1
					e := logs.Entry{Timestamp: base + int64(at)*int64(2*time.Minute), Line: fmt.Sprint(r.IntN(2))}
					st.Entries = append(st.Entries, e)
					want[fmt.Sprintf("{n=\"%d\"} %d %q", i, e.Timestamp-base, e.Line)] = true
				}
				streams = append(streams, st)
			}
			require.NoError(t, s.Append(t.Context(), streams))
		}
		if round%2 == 1 {
			for _, d := range s.Status().Days {
				require.NoError(t, s.Seal(t.Context(), d.Day))
			}
		}
		got := contract.Read(t, s, logs.Selection{Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "n", ".+")}, Start: 0, End: base * 2, Columns: logs.ColumnLine}, base)
		require.Len(t, got, len(want))
		for _, line := range got {
			require.True(t, want[line], line)
		}
		require.NoError(t, s.Close())
	}
}
