package drain

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []string // the template after each line
	}{
		"words that differ": {
			[]string{"user ann logged in", "user bob logged in", "user eve logged in"},
			[]string{"user ann logged in", "user ann logged in", "user ann logged in"},
		},
		"numbers": {
			[]string{"took 12ms at 10:00:01 for id-77", "took 9ms at 10:00:02 for id-78"},
			[]string{"took <_> at <_> for <_>", "took <_> at <_> for <_>"},
		},
		"json": {
			[]string{`{"level":"info","ms":12,"msg":"request served well"}`, `{"level":"info","ms":1.5,"msg":"request served badly"}`},
			[]string{`{"level":"info","ms":<_>,"msg":"request served well"}`, `{"level":"info","ms":<_>,"msg":"request served <_>"}`},
		},
		"logfmt": {
			[]string{"level=info user=ann path=/a msg=ok", "level=info user=bob path=/a msg=ok"},
			[]string{"level=info user=ann path=/a msg=ok", "level=info user=<_> path=/a msg=ok"},
		},
		"unlike": {
			[]string{"connection refused by host", "disk full on volume data", "connection refused by peer"},
			[]string{"connection refused by host", "disk full on volume data", "connection refused by <_>"},
		},
		"empty": {[]string{"", " ", ""}, []string{"", " ", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(Options{})
			if name == "words that differ" {
				m = New(Options{Words: 1})
				c.want = []string{"user ann logged in", "user <_> logged in", "user <_> logged in"}
			}
			for i, line := range c.lines {
				got, _ := m.Add(line)
				require.Equal(t, c.want[i], got)
			}
		})
	}
}

func TestFreshAndForgetting(t *testing.T) {
	m := New(Options{MaxTemplates: 3})
	kinds := []string{"alpha beta", "gamma delta epsilon", "zeta", "eta theta iota kappa"}
	for _, k := range kinds {
		_, fresh := m.Add(k)
		require.True(t, fresh)
	}
	_, fresh := m.Add(kinds[3])
	require.False(t, fresh)
	_, fresh = m.Add(kinds[0])
	require.True(t, fresh, "the oldest was forgotten")
	require.Equal(t, 3, m.size)
}

func FuzzAdd(f *testing.F) {
	f.Add("a b 1", "a c 2")
	f.Fuzz(func(t *testing.T, a, b string) {
		m := New(Options{MaxBytes: 64})
		first, _ := m.Add(a)
		again, fresh := m.Add(a)
		require.Equal(t, first, again)
		require.False(t, fresh)
		text, _ := m.Add(b)
		if utf8.ValidString(b) {
			require.True(t, utf8.ValidString(text))
		}
	})
}

func BenchmarkAdd(b *testing.B) {
	m := New(Options{})
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"level":"info","latency_ms":%d.25,"path":"/predict","status":200,"user":"u%d","request_id":"%016x","msg":"request served"}`, i, i%7, i*i), strings.Repeat("word ", i%9))
	}
	for i := 0; b.Loop(); i++ {
		m.Add(lines[i%len(lines)])
	}
}
