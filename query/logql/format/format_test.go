package format_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/query/logql/format"
)

type labelMap map[string]string

func (m labelMap) Label(name string) string { return m[name] }

func (m labelMap) Each(f func(name, value string)) {
	for k, v := range m {
		f(k, v)
	}
}

var (
	sampleLabels = labelMap{
		"path": "/api path/v1", "foo": "1h30m", "size": "2 KiB", "status": "500", "err": "ErrTimeout: x", "empty": "", "url": "a b/c?d=é", "b64": "aGk=",
		"queries": `[{"query": "a"}, {"query": "b"}]`, "from": "1679577215", "date": "2021-11-02", "multi": "one\ntwo", "level": "error",
	}
	sampleTime = time.Date(2026, 11, 22, 10, 30, 0, 5_000_000, time.UTC).UnixNano()
)

// TestTemplates runs one template a line: its output goes below, quoted by >, or the error.
func TestTemplates(t *testing.T) {
	datadriven.RunTest(t, "testdata/templates", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			line = strings.TrimSuffix(line, "\n")
			tm, err := format.Parse("line", line)
			if err != nil {
				out.WriteString("error: " + err.Error() + "\n")
				continue
			}
			run := tm.NewRun()
			for range 2 { // a run must not remember
				b, err := run.Execute(sampleLabels, `{"msg": "line"}`, sampleTime)
				text := ">" + strings.ReplaceAll(string(b), "\n", `\n`) + "<"
				if err != nil {
					text = "fails: " + err.Error()
				}
				line = text
			}
			out.WriteString(line + "\n")
		}
		return out.String()
	})
}

func TestReads(t *testing.T) {
	for text, want := range map[string]struct {
		fields    []string
		all, line bool
	}{
		"text":                        {},
		"{{.a}} {{.b}}{{.a}}":         {fields: []string{"a", "b"}},
		"{{ if eq .a $.b }}{{end}}":   {fields: []string{"a", "b"}},
		"{{ __line__ | len }}":        {line: true},
		"{{ . }}":                     {all: true},
		"{{ index . \"a\" }}":         {all: true},
		"{{ with .a }}{{ . }}{{end}}": {fields: []string{"a"}, all: true},
		"{{ range $q := fromJson .a }}{{ $q.b }}{{ end }}": {fields: []string{"a"}},
		"{{ $x := .a }}{{ $x }}":                           {fields: []string{"a"}},
	} {
		tm, err := format.Parse("line", text)
		require.NoError(t, err)
		fields, all := tm.Fields()
		require.Equal(t, want.fields, fields, text)
		require.Equal(t, want.all, all, text)
		require.Equal(t, want.line, tm.ReadsLine(), text)
	}
}

func TestNow(t *testing.T) {
	tm, err := format.Parse("line", `{{ now | date "2006" }}`)
	require.NoError(t, err)
	b, err := tm.NewRun().Execute(sampleLabels, "", 0)
	require.NoError(t, err)
	require.GreaterOrEqual(t, string(b), "2020")
}

// Every function of the documentation is there.
func TestFunctions(t *testing.T) {
	have := format.Functions()
	for name := range strings.FieldsSeq(`__line__ __timestamp__ ToLower ToUpper Replace Trim TrimLeft TrimRight TrimPrefix TrimSuffix TrimSpace
		regexReplaceAll regexReplaceAllLiteral lower upper title trunc substr replace trim trimAll trimSuffix trimPrefix indent nindent repeat
		contains hasPrefix hasSuffix add sub mul div mod addf subf mulf divf max min maxf minf ceil floor round int float64 fromJson
		date toDate toDateInZone now unixEpoch unixEpochMillis unixEpochNanos unixToTime default count urlencode urldecode b64enc b64dec
		bytes duration duration_seconds alignLeft alignRight printf`) {
		require.Contains(t, have, name)
	}
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{{.a}}", `{{ range $i, $v := fromJson __line__ }}{{ $i }}{{ end }}`, `{{ if and .a (gt (len .b) 3) }}{{ .c | repeat 9 }}{{ else }}{{ printf "%5.3s" .a }}{{ end }}`,
		`{{ .a | int | add 1 | mul 3 }}`, `{{ with $x := .a }}{{ $x | trunc -3 }}{{ end }}`, `{{ date "2006" __timestamp__ }}`, `{{ alignLeft 5 .a }}{{ indent 3 .b }}`,
	} {
		f.Add(s, "value", `{"a": [1, 2]}`)
	}
	f.Fuzz(func(t *testing.T, text, value, line string) {
		tm, err := format.Parse("line", text)
		if err != nil {
			return
		}
		b, err := tm.NewRun().Execute(labelMap{"a": value, "b": value, "c": "x"}, line, 1)
		if err == nil {
			require.LessOrEqual(t, len(b), 2<<20)
		}
	})
}

func TestMain(m *testing.M) {
	time.Local = time.UTC // toDate and unixToTime are in the zone of the machine
	m.Run()
}
