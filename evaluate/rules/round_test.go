package rules

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"text/template"

	"github.com/grafana/regexp"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// expand runs a template with the functions of Prometheus's alert templates
// that rounding uses.
func expand(t *testing.T, text string, value float64) string {
	t.Helper()
	tmpl, err := template.New("").Funcs(template.FuncMap{
		"reReplaceAll": func(pattern, repl, text string) string {
			return regexp.MustCompile(pattern).ReplaceAllString(text, repl)
		},
	}).Parse("{{$value := .Value}}" + text)
	require.NoError(t, err, text)
	var out bytes.Buffer
	require.NoError(t, tmpl.Execute(&out, struct{ Value float64 }{value}))
	return out.String()
}

func TestPortableRounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    string
		value float64
		want  string
	}{
		{`{{ $value | round(2) }}s`, 1.8765, "1.88s"},
		{`{{ $value | round 2 }}s`, 1.8765, "1.88s"},
		{`{{$value|round(2)}}`, 1.5, "1.5"},
		{`{{ $value | round( 2 ) }}`, 2, "2"},
		{`{{ $value | round(0) }}`, 100, "100"},
		{`{{ $value | round(1) }}`, 100, "100"},
		{`{{ .Value | round(3) }}`, -0.12345, "-0.123"},
		{`{{ round 2 $value }}`, 0.005, "0.01"},
		{`{{ if gt $value 1.0 }}{{ $value | round 1 }}{{ end }}`, 7.25, "7.2"},
		{`{{ $value | round(2) }}`, math.Inf(1), "+Inf"},
		{`{{ $value | round(2) }}`, math.NaN(), "NaN"},
		{"{{- $value |\n round(2) -}}", 3.14159, "3.14"},
		{`{{ $value }} round(2)`, 1.25, "1.25 round(2)"},
	} {
		out, _ := Portable([]byte(c.in))
		require.Equal(t, c.want, expand(t, string(out), c.value), "%s became %s", c.in, out)
	}
}

func TestPortableLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{{ $value | printf "%.2f" }}`,
		`around(2) {{ $labels.round }}`,
		`no template at all`,
		`{{ "round" }}`,
		`{{ $value | rounded }}`,
	} {
		out, found := Portable([]byte(in))
		require.Equal(t, in, string(out))
		require.Empty(t, found)
	}
}

// The rewritten text must be right in every style of YAML scalar, and keep its
// lines.
func TestPortableInYAML(t *testing.T) {
	t.Parallel()
	text := `a: "x {{ $value | round(2) }}"
b: 'x {{ $value | round(2) }}'
c: x {{ $value | round(2) }}
d: |
  first
  x {{ $value | round 2 }}
`
	out, found := Portable([]byte(text))
	require.Equal(t, strings.Count(text, "\n"), strings.Count(string(out), "\n"))
	lines := []int{}
	for _, f := range found {
		lines = append(lines, f.Line)
	}
	require.Equal(t, []int{1, 2, 3, 6}, lines)
	var doc map[string]string
	require.NoError(t, yaml.Unmarshal(out, &doc))
	for k, v := range doc {
		require.Contains(t, expand(t, v, 1.239), "x 1.24", k)
	}
}

func FuzzPortable(f *testing.F) {
	f.Add(`{{ $value | round(2) }}`)
	f.Add("{{ round 99 .Value }} {{")
	f.Fuzz(func(t *testing.T, s string) {
		out, found := Portable([]byte(s))
		if len(found) == 0 && string(out) != s {
			t.Fatalf("changed without saying so: %q became %q", s, out)
		}
		if strings.Count(s, "\n") < strings.Count(string(out), "\n") {
			t.Fatalf("lines were added to %q", s)
		}
	})
}
