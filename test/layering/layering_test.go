// Package layering holds no code: its test keeps imports pointing one way,
// cmd → app → stages → words, and every embedded engine behind one adapter.
package layering

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/modelwatch/modelwatch/"

// stages may not import each other: app joins them through the small
// interfaces that each consumer states.
var stages = []string{"collect", "store", "query", "evaluate", "notify", "explain", "api"}

// words may be imported by everybody and import nobody.
var words = []string{"ai", "logs", "telemetry"}

// engines says which packages may import an engine, and what to use elsewhere.
var engines = []struct {
	prefix string
	only   []string
	use    string
}{
	{"github.com/prometheus/alertmanager", []string{"notify", "config"}, "notify.Manager"},
	{"github.com/prometheus/prometheus/tsdb", []string{"store/metrics", "api/prom"}, "store/metrics.Store"},
	{"github.com/prometheus/prometheus/scrape", []string{"collect/scrape", "store/metrics", "api/prom"}, "collect/scrape.Scraper"},
	{"github.com/prometheus/prometheus/rules", []string{"evaluate/rules", "api/prom"}, "evaluate/rules.Manager"},
	{"github.com/prometheus/prometheus/web/api", []string{"api/prom"}, "api/prom.API"},
	{"github.com/prometheus/node_exporter", []string{"collect/host"}, "collect/host.Collectors"},
	{"github.com/duckdb/duckdb-go", []string{"store/logs", "store/inferences"}, "the interface of a store"},
	{"github.com/mattn/go-sqlite3", []string{"store/state", "notify"}, "store/state"},
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

// top is the first folder of an import path of this module; empty for others.
func top(path string) string {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func under(path, folder string) bool {
	return path == module+folder || strings.HasPrefix(path, module+folder+"/")
}

// allowed answers whether from may import to; if not, it says what to use.
func allowed(from, to string) (ok bool, use string) {
	for _, e := range engines {
		if to != e.prefix && !strings.HasPrefix(to, e.prefix+"/") {
			continue
		}
		if !slices.ContainsFunc(e.only, func(folder string) bool { return under(from, folder) }) {
			return false, e.use
		}
	}
	f, g := top(from), top(to)
	switch {
	case g == "" && f == "ai":
		if strings.Contains(to, ".") && !strings.HasPrefix(to, "gonum.org/") {
			return false, "the standard library or gonum: ai is pure"
		}
	case g == "" || f == g:
	case slices.Contains(words, f):
		return false, "nothing of modelwatch: " + f + " are words that others use"
	case g == "app" && f != "cmd":
		return false, "an interface of your own that app fills"
	case slices.Contains(stages, f) && slices.Contains(stages, g):
		return false, "a small interface in " + f + " that app fills from " + g
	case f == "config" && slices.Contains(stages, g):
		return false, "plain values: config knows no stage"
	}
	return true, ""
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	pkgs := listPackages(t)
	if len(pkgs) < 10 {
		t.Fatalf("only %d packages found: is the test looking at the module?", len(pkgs))
	}
	for _, p := range pkgs {
		if under(p.ImportPath, "bench") || under(p.ImportPath, "test") {
			continue // They measure and test whole parts together.
		}
		for _, to := range p.Imports {
			if ok, use := allowed(p.ImportPath, to); !ok {
				t.Errorf("%s imports %s: use %s", p.ImportPath, to, use)
			}
		}
	}
}

func TestRulesRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"ai/drift", "github.com/prometheus/prometheus/model/labels", false},
		{"ai/drift", "gonum.org/v1/gonum/stat", true},
		{"ai/drift", module + "ai", true},
		{"ai", module + "config", false},
		{"collect/scrape", module + "store/metrics", false},
		{"collect/tail", module + "logs", true},
		{"api/prom", module + "app", false},
		{"cmd/modelwatch", module + "app", true},
		{"evaluate/rules", module + "config", true},
		{"config", module + "notify", false},
		{"query/logql", "github.com/duckdb/duckdb-go/v2", false},
		{"store/logs", "github.com/duckdb/duckdb-go/v2", true},
		{"collect/host", "github.com/prometheus/alertmanager/types", false},
	} {
		if ok, _ := allowed(module+c.from, c.to); ok != c.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", c.from, c.to, ok, c.want)
		}
	}
}
