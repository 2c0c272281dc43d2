package drain_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs/drain"
)

// TestTemplates mines the lines of each case twice and counts the second time, when templates have settled.
func TestTemplates(t *testing.T) {
	datadriven.RunTest(t, "testdata/templates", func(t *testing.T, d *datadriven.TestData) string {
		m := drain.New(drain.Options{MaxTokens: 60})
		created := 0
		for line := range strings.Lines(d.Input) {
			if _, fresh := m.Add(strings.TrimSuffix(line, "\n")); fresh {
				created++
			}
		}
		counts := map[string]int{}
		for line := range strings.Lines(d.Input) {
			text, fresh := m.Add(strings.TrimSuffix(line, "\n"))
			require.False(t, fresh, line)
			counts[text]++
		}
		require.Len(t, counts, created)
		texts := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
		})
		var out strings.Builder
		for _, x := range texts {
			fmt.Fprintf(&out, "%d %s\n", counts[x], x)
		}
		return out.String()
	})
}

// A miner learns what another one knows from its templates.
func TestLearning(t *testing.T) {
	a, b := drain.New(drain.Options{}), drain.New(drain.Options{})
	lines := []string{`{"user":"ann","ms":12,"msg":"failed: <oom>"}`, `{"user":"bob","ms":3,"msg":"failed: <oom>"}`, "took 7ms at 10:00:01 <x>", "connection to db refused", "connection to cache refused"}
	for _, l := range lines {
		a.Add(l)
	}
	for _, text := range a.Templates() {
		got, fresh := b.Add(text)
		require.True(t, fresh)
		require.Equal(t, text, got)
	}
	for _, l := range lines {
		want, _ := a.Add(l)
		got, fresh := b.Add(l)
		require.False(t, fresh, l)
		require.Equal(t, want, got)
		require.True(t, drain.Covers(got, l))
	}
	require.False(t, drain.Covers("connection to <_> refused", "connection to db lost"))
	require.True(t, drain.Covers("connection to <_> refused", "connection to db refused"))
}

func TestBounds(t *testing.T) {
	m := drain.New(drain.Options{MaxTemplates: 20, MaxChildren: 4})
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string { return string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) }
	for range 20_000 {
		line := word()
		for range r.IntN(8) {
			line += " " + word()
		}
		m.Add(line)
		require.LessOrEqual(t, m.Len(), 20)
	}
	m.Add("")
	m.Add(strings.Repeat("x ", 100_000))
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
			template, _ := m.Add(line)
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
		m.Add(lines[i%1000])
	}
}
