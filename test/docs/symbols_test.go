package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// pathLike is a folder or file of the repository, such as store/metrics or app/self.go.
	pathLike = regexp.MustCompile(`^[a-z][\w-]*/(?:[\w.*-]+(?:/[\w.*-]+)*/?)?$`)
	// symbolLike is a Go symbol with its package, such as store/metrics.Store.Close or config.Default.
	symbolLike = regexp.MustCompile(`^([a-z][\w/]*)\.([A-Z]\w*)(?:\.([A-Za-z]\w*))?(?:\(\))?$`)
	// lineNumber is a place that moves with the next change.
	lineNumber = regexp.MustCompile(`\.go:\d+|#L\d+`)
)

// mediaTypes look like paths.
var mediaTypes = []string{"application/", "text/", "image/"}

// symbols are the names that one package declares: functions, types, variables,
// constants, and Type.Member for methods, fields and methods of interfaces.
func symbols(t *testing.T, dir string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			declare(decl, out)
		}
	}
	return out
}

func declare(decl ast.Decl, out map[string]bool) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			name = receiver(d.Recv.List[0].Type) + "." + name
		}
		out[name] = true
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					out[n.Name] = true
				}
			case *ast.TypeSpec:
				out[s.Name.Name] = true
				for _, f := range members(s.Type) {
					for _, n := range f.Names {
						out[s.Name.Name+"."+n.Name] = true
					}
				}
			}
		}
	}
}

func members(of ast.Expr) []*ast.Field {
	switch x := of.(type) {
	case *ast.StructType:
		return x.Fields.List
	case *ast.InterfaceType:
		return x.Methods.List
	}
	return nil
}

func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// folders lists the folders with Go files by the last part of their path, which
// is how the name of a package without its path is understood.
func folders(t *testing.T) map[string][]string {
	t.Helper()
	byLast := map[string]map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(elsewhere, d.Name()):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		last := filepath.Base(dir)
		if byLast[last] == nil {
			byLast[last] = map[string]bool{}
		}
		byLast[last][dir] = true
		return err
	}))
	out := map[string][]string{}
	for last, dirs := range byLast {
		out[last] = slices.Sorted(maps.Keys(dirs))
	}
	return out
}

func TestNamedPackagesAndSymbolsExist(t *testing.T) {
	t.Parallel()
	names := []string{"docs/ARCHITECTURE.md", "CONTRIBUTING.md"}
	decisions, err := filepath.Glob(filepath.Join(root, "docs/decisions/*.md"))
	require.NoError(t, err)
	for _, d := range decisions {
		names = append(names, "docs/decisions/"+filepath.Base(d))
	}
	byLast := folders(t)
	known := map[string]map[string]bool{}
	declared := func(dir string) map[string]bool {
		if known[dir] == nil {
			known[dir] = symbols(t, dir)
		}
		return known[dir]
	}
	checked := 0
	for _, name := range names {
		p := readPage(t, name)
		if at := lineNumber.FindString(p.text); at != "" {
			t.Errorf("%s: %s: name packages and symbols, not lines, which move", name, at)
		}
		for _, s := range p.spans() {
			switch {
			case symbolLike.MatchString(s):
				checked++
				if reason := resolve(s, byLast, declared); reason != "" {
					t.Errorf("%s: `%s`: %s", name, s, reason)
				}
			case pathLike.MatchString(s) && !slices.ContainsFunc(mediaTypes, func(m string) bool { return strings.HasPrefix(s, m) }):
				checked++
				if found, err := filepath.Glob(filepath.Join(root, s)); err != nil || len(found) == 0 {
					t.Errorf("%s: `%s`: no such folder or file", name, s)
				}
			}
		}
	}
	require.Greater(t, checked, 50, "are packages and symbols still written in backticks?")
}

// resolve says why a symbol does not exist; empty if it does.
func resolve(s string, byLast map[string][]string, declared func(dir string) map[string]bool) string {
	m := symbolLike.FindStringSubmatch(s)
	symbol := m[2]
	if m[3] != "" {
		symbol += "." + m[3]
	}
	dirs := []string{m[1]}
	if !strings.Contains(m[1], "/") {
		dirs = byLast[m[1]]
	} else if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
		return "no package " + m[1]
	}
	if len(dirs) == 0 {
		return "no package " + m[1]
	}
	for _, dir := range dirs {
		if declared(dir)[symbol] {
			return ""
		}
	}
	return "no " + symbol + " in " + strings.Join(dirs, ", ")
}

func TestResolve(t *testing.T) {
	t.Parallel()
	byLast := folders(t)
	declared := func(dir string) map[string]bool { return symbols(t, dir) }
	for s, exists := range map[string]bool{
		"config.Default":                true,
		"config.Default()":              true,
		"store/metrics.Guard.Refusing":  true,
		"metrics.GuardOptions.Reserve":  true,
		"store/metrics.Guard.Invented":  false,
		"store/nothing.Guard":           false,
		"nothing.Guard":                 false,
		"store/metrics.ErrDiskFullness": false,
	} {
		require.Equal(t, exists, resolve(s, byLast, declared) == "", s)
	}
}
