package drain_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs/drain"
)

// TestTemplates mines the lines of each case, one a second.
func TestTemplates(t *testing.T) {
	datadriven.RunTest(t, "testdata/templates", func(t *testing.T, d *datadriven.TestData) string {
		m := drain.New(drain.Options{MaxTokens: 60})
		ts := int64(0)
		for line := range strings.Lines(d.Input) {
			m.Add(strings.TrimSuffix(line, "\n"), ts)
			ts += 1e9
		}
		var out strings.Builder
		for _, x := range m.Templates(0, ts) {
			fmt.Fprintf(&out, "%d %s\n", x.Count, x.Text)
		}
		return out.String()
	})
}

func TestSamples(t *testing.T) {
	m := drain.New(drain.Options{Bucket: 10, MaxBuckets: 3})
	for _, ts := range []int64{5, 25, 14, 12, 38, 31} {
		_, created := m.Add("hello there", ts)
		require.Equal(t, ts == 5, created)
	}
	all := m.Templates(0, 100)
	require.Len(t, all, 1)
	require.EqualValues(t, 6, all[0].Count)
	require.EqualValues(t, 5, all[0].First)
	require.EqualValues(t, 38, all[0].Last)
	require.Equal(t, []drain.Sample{{Time: 10, Count: 2}, {Time: 20, Count: 1}, {Time: 30, Count: 2}}, all[0].Samples, "the oldest bucket went")
	require.Equal(t, []drain.Sample{{Time: 20, Count: 1}}, m.Templates(20, 30)[0].Samples)
	require.Empty(t, m.Templates(40, 50))
}

func TestBounds(t *testing.T) {
	m := drain.New(drain.Options{MaxTemplates: 20, MaxChildren: 4})
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string { return string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) }
	for i := range 20_000 {
		line := word()
		for range r.IntN(8) {
			line += " " + word()
		}
		m.Add(line, int64(i))
		require.LessOrEqual(t, m.Len(), 20)
	}
	m.Add("", 1)
	m.Add(strings.Repeat("x ", 100_000), 1)
	require.LessOrEqual(t, m.Len(), 20)
}

// FuzzAdd: a template matches the line that it was given for.
func FuzzAdd(f *testing.F) {
	f.Add("took 5ms for user=bob", "took 7ms for user=ann")
	f.Add("a: <b>, c.", "a: <d>, e.")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, "")
		if strings.Contains(a+b, drain.Wildcard) {
			return // text that looks like a wildcard cannot be told from one
		}
		m := drain.New(drain.Options{MaxTemplates: 3})
		for i := range 6 {
			line := []string{a, b}[i%2]
			template, _ := m.Add(line, int64(i))
			parts := strings.Split(template, drain.Wildcard)
			for j, p := range parts {
				parts[j] = regexp.QuoteMeta(p)
			}
			require.Regexp(t, "^(?s:"+strings.Join(parts, ".+")+")$", line)
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	m := drain.New(drain.Options{})
	lines := make([]string, 1000)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"ts":"2026-11-22T10:00:%02dZ","level":"info","model":"llm-7b","latency_ms":%d.5,"user":"u%d","msg":"request done"}`, i%60, i, i%50)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Add(lines[i%1000], int64(i)*1e6)
	}
}
