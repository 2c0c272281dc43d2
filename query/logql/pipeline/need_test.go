package pipeline_test

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

var needStream = labels.FromStrings("app", "a", "level", "stream")

var needMeta = labels.FromStrings("trace", "t", "user", "m", "level", "meta")

// checkNeed says that a pipeline which is told what is looked at gives for that what it gives when all is looked at.
func checkNeed(t *testing.T, query, line string) {
	t.Helper()
	e, err := syntax.ParseLog(query)
	if err != nil {
		return
	}
	run := func(need pipeline.Need) (*pipeline.Runner, bool) {
		p, err := pipeline.Compile(e.Stages, nil, need)
		require.NoError(t, err)
		r := p.NewRunner()
		s := pipeline.NewStream(needStream)
		// An earlier entry must leave nothing behind.
		r.Process(s, 1, `{"x": "before", "level": "before"}`, labels.EmptyLabels())
		return r, r.Process(s, 2, line, needMeta)
	}
	all, kept := run(pipeline.Need{All: true, Line: true})
	kind, details := all.Error()
	names := []string{"level", "level_extracted", "user", "user_extracted", "app", "x", "x_y", "nosuch"}
	for _, p := range all.Pairs() {
		names = append(names, p.Name)
	}
	want := map[string]string{}
	for _, n := range names {
		want[n], _ = all.Label(n)
	}
	text := all.Line()
	for _, n := range names {
		one, k := run(pipeline.Need{Names: []string{n}})
		require.Equal(t, kept, k, "%s needs %s: %q", query, n, line)
		if !kept {
			continue
		}
		got, _ := one.Label(n)
		require.Equal(t, want[n], got, "%s needs %s: %q", query, n, line)
		if kind == "" || kind != "TemplateFormatErr" { // a line that nobody looks at is not formatted
			gotKind, gotDetails := one.Error()
			require.Equal(t, [2]string{kind, details}, [2]string{gotKind, gotDetails}, "%s needs %s: %q", query, n, line)
		}
		if kind == "" {
			fast, k := run(pipeline.Need{Names: []string{n}, Partial: true})
			require.Equal(t, kept, k, "%s needs %s in part: %q", query, n, line)
			got, _ := fast.Label(n)
			require.Equal(t, want[n], got, "%s needs %s in part: %q", query, n, line)
		}
	}
	if kept {
		only, _ := run(pipeline.Need{Line: true})
		if k, _ := only.Error(); k == kind {
			require.Equal(t, text, only.Line(), query)
		}
	}
}

var needQueries = []string{
	`{a="b"} | json`, `{a="b"} | logfmt`, `{a="b"} | json | logfmt`, `{a="b"} | json x, level="user", n="x.y"`, `{a="b"} | logfmt x, level, z="user"`,
	`{a="b"} | json | level="stream" | x > 1`, `{a="b"} | json | x=~".*" or user="m" and nosuch=""`, `{a="b"} | json | drop x, level="stream" | keep x_y, user`,
	`{a="b"} | json | label_format x=level, z="{{.x}}" | label_format level="{{.z}}!"`, `{a="b"} | json | line_format "level={{.level_extracted}} x={{.x}}" | logfmt`,
	`{a="b"} | unpack | json`, `{a="b"} | pattern "<x> <level> <_>" | regexp "(?P<user>.)(?P<x_y>.)"`, `{a="b"} | logfmt --keep-empty | drop level | logfmt`,
	`{a="b"} | json | keep level, app | json | __error__=""`, `{a="b"} | json | user_extracted="p" | decolorize |= "e"`, `{a="b"} | label_format level="{{ __line__ }}" | json`,
}

var needLines = []string{
	`{"level": "error", "x": 5, "user": "p", "x_y": 1, "n": {"x": {"y": 2}}}`, `{"x": {"y": "nested", "level": 1}, "level": null, "user": ["a"]}`, `level=warn x=7 user=p x_y= flag`,
	`{"_entry": "{\"x\": 1, \"level\": \"inner\"}", "user": "packed"}`, `plain words here`, ``, `{"x": "1", "x": "2", "level"`, `{"x": 1} level=a`, "\x1b[31m{\"x\": 1}", `{"app": "p", "trace": "p", "level_extracted": "q"}`,
}

func TestNeed(t *testing.T) {
	for _, q := range needQueries {
		for _, l := range needLines {
			checkNeed(t, q, l)
		}
	}
}

func FuzzNeed(f *testing.F) {
	for i, q := range needQueries {
		f.Add(q, needLines[i%len(needLines)])
	}
	f.Fuzz(checkNeed)
}
