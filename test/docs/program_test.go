package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/config"
)

// settingRow is one line of a table of settings: name, default, and the rest.
var settingRow = regexp.MustCompile("(?m)^\\| `([a-z][\\w.\\[\\]<>]*)` \\| ([^|]*) \\|")

// settings lists every setting of modelwatch.yml with its default, as it would
// be written there; the empty string stands for nothing.
func settings(path string, v reflect.Value, out map[string]string) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v = reflect.Zero(v.Type().Elem())
		} else {
			v = v.Elem()
		}
	}
	_, custom := reflect.TypeAssert[yaml.Unmarshaler](reflect.New(v.Type()))
	switch {
	case v.Kind() == reflect.Struct && !custom:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			tag, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case tag == "-":
			case strings.Contains(options, "inline"):
				settings(path, v.Field(i), out)
			default:
				settings(strings.TrimPrefix(path+"."+tag, "."), v.Field(i), out)
			}
		}
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && plain(v.Type().Elem()).Kind() == reflect.Struct:
		below := path + "[]"
		if v.Kind() == reflect.Map {
			below = path + ".<name>"
		}
		settings(below, reflect.Zero(plain(v.Type().Elem())), out)
	case v.IsZero():
		out[path] = ""
	default:
		out[path] = written(v.Interface())
	}
}

func plain(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// written is a value as it would stand in a YAML file.
func written(v any) string {
	if m, ok := v.(yaml.Marshaler); ok {
		if w, err := m.MarshalYAML(); err == nil {
			v = w
		}
	}
	return strings.Trim(fmt.Sprint(v), "[]")
}

// zero are the ways to write the default of a setting that has none.
func zero(cell string) bool {
	return !strings.HasPrefix(cell, "`") || slices.Contains([]string{"`false`", "`0`", "`0s`"}, cell)
}

func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	settings("", reflect.ValueOf(*config.Default()), want)
	require.Equal(t, config.DefaultListenAddress, want["web.listen_address"])
	require.Contains(t, want, "collect.processes[].service")
	for _, name := range []string{"docs/configuration.md", "docs/zh-CN/configuration.md"} {
		got := map[string]string{}
		for _, m := range settingRow.FindAllStringSubmatch(readPage(t, name).prose(), -1) {
			require.NotContains(t, got, m[1], "%s tells of %s twice", name, m[1])
			got[m[1]] = strings.TrimSpace(m[2])
		}
		for _, setting := range slices.Sorted(maps.Keys(want)) {
			cell, ok := got[setting]
			switch def := want[setting]; {
			case !ok:
				t.Errorf("%s does not tell of %s (default %q)", name, setting, def)
			case def == "" && !zero(cell), def != "" && cell != "`"+def+"`":
				t.Errorf("%s says that the default of %s is %s, but it is %q", name, setting, cell, def)
			}
			delete(got, setting)
		}
		for setting := range got {
			t.Errorf("%s tells of %s, which does not exist", name, setting)
		}
	}
}

// settingSpan is a setting, or a section of settings, as pages name it.
var settingSpan = regexp.MustCompile(`^(web|storage|metrics|alerting|logs|inferences|collect)\.[a-z_]+(\.[a-z_]+)*(: .*)?$`)

// ofPrometheus are settings of prometheus.yml that look like some of ours.
var ofPrometheus = []string{"alerting.alertmanagers", "storage.exemplars"}

// Pages name no settings that do not exist.
func TestNamedSettingsExist(t *testing.T) {
	t.Parallel()
	known := map[string]string{}
	settings("", reflect.ValueOf(*config.Default()), known)
	named := 0
	for _, p := range readPages(t) {
		for _, s := range p.spans() {
			if !settingSpan.MatchString(s) || slices.Contains(ofPrometheus, s) {
				continue
			}
			named++
			name, _, _ := strings.Cut(s, ":")
			if !slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(k string) bool {
				return k == name || strings.HasPrefix(k, name+".") || strings.HasPrefix(k, name+"[]")
			}) {
				t.Errorf("%s: there is no setting `%s`", p.name, s)
			}
		}
	}
	require.Greater(t, named, 50)
}

// flags lists the flags of the command line from the source of its package.
func flags(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "cmd/modelwatch/*.go"))
	require.NoError(t, err)
	out := map[string]bool{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || method.Sel.Name != "Flag" {
				return true
			}
			if name, ok := call.Args[0].(*ast.BasicLit); ok {
				flag, err := strconv.Unquote(name.Value)
				require.NoError(t, err)
				out["--"+flag] = true
			}
			return true
		})
	}
	require.Greater(t, len(out), 10)
	return out
}

var flagRow = regexp.MustCompile("(?m)^\\| `(--[a-z][a-z0-9.-]*)")

func TestFlagsAreDocumented(t *testing.T) {
	t.Parallel()
	want := flags(t)
	for _, name := range []string{"docs/configuration.md", "docs/zh-CN/configuration.md"} {
		got := map[string]bool{}
		for _, m := range flagRow.FindAllStringSubmatch(readPage(t, name).prose(), -1) {
			got[m[1]] = true
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)), name)
	}
}

// alertInCode finds the alerts that are no rules.
var alertInCode = regexp.MustCompile(`"alertname", "(\w+)"`)

// Every alert that ships with modelwatch has a section that says what to do.
func TestAlertsHaveARunbook(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "evaluate/rules/builtin/*.yml"))
	require.NoError(t, err)
	want := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var rules struct {
			Groups []struct {
				Rules []struct {
					Alert string `yaml:"alert"`
				} `yaml:"rules"`
			} `yaml:"groups"`
		}
		require.NoError(t, yaml.Unmarshal(text, &rules), file)
		for _, g := range rules.Groups {
			for _, r := range g.Rules {
				if r.Alert != "" {
					want[r.Alert] = true
				}
			}
		}
	}
	sources, err := filepath.Glob(filepath.Join(root, "app/*.go"))
	require.NoError(t, err)
	for _, file := range sources {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range alertInCode.FindAllStringSubmatch(string(text), -1) {
			want[m[1]] = true
		}
	}
	require.Greater(t, len(want), 5)
	prose := readPage(t, "docs/operations.md").prose()
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(prose, -1) {
		if !want[m[1]] {
			t.Errorf("docs/operations.md tells of the alert %s, which does not exist", m[1])
		}
	}
	for _, alert := range slices.Sorted(maps.Keys(want)) {
		if !regexp.MustCompile(`(?m)^### .*\b` + alert + `\b`).MatchString(prose) {
			t.Errorf("docs/operations.md has no section on the alert %s", alert)
		}
	}
}

var makeWords = regexp.MustCompile(`^make((?: [a-z][a-z-]*)+)`)

func TestMakeTargetsExist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	found := 0
	for _, name := range []string{"README.md", "README.zh-CN.md", "CONTRIBUTING.md", "docs/getting-started.md", "docs/zh-CN/getting-started.md", "docs/operations.md"} {
		p := readPage(t, name)
		commands := p.spans()
		for line := range strings.Lines(p.blocks()) {
			commands = append(commands, strings.TrimPrefix(strings.TrimSpace(line), "$ "))
		}
		for _, c := range commands {
			m := makeWords.FindStringSubmatch(c)
			if m == nil {
				continue
			}
			for target := range strings.FieldsSeq(m[1]) {
				found++
				if !targets[target] {
					t.Errorf("%s: `%s`: the Makefile has no target %s", name, c, target)
				}
			}
		}
	}
	require.Greater(t, found, 5)
}
