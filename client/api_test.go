package client

import (
	"bytes"
	"flag"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite api.golden")

// The exported names and their documentation are a promise to those who use
// the package: a change of them shows in api.golden, where it can be judged.
func TestPublicAPI(t *testing.T) {
	got := publicAPI(t)
	if *rewrite {
		if err := os.WriteFile("api.golden", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("api.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the public interface has changed: look at the difference after `go test -run TestPublicAPI -rewrite`; it is now\n%s", got)
	}
}

func publicAPI(t *testing.T) []byte {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, "github.com/modelwatch/modelwatch/client")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	show := func(documentation string, decl ast.Decl) {
		if documentation == "" {
			t.Errorf("no documentation for an exported declaration")
		}
		if f, ok := decl.(*ast.FuncDecl); ok {
			f.Body, f.Doc = nil, nil
		}
		if g, ok := decl.(*ast.GenDecl); ok {
			g.Doc = nil
		}
		out.WriteByte('\n')
		if err := (&printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}).Fprint(&out, set, decl); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
		for line := range strings.Lines(documentation) {
			out.WriteString("    " + line)
		}
	}
	out.WriteString("package " + pkg.Name + " // import " + pkg.ImportPath + "\n")
	for _, v := range append(pkg.Consts, pkg.Vars...) {
		show(v.Doc, v.Decl)
	}
	for _, f := range pkg.Funcs {
		show(f.Doc, f.Decl)
	}
	for _, typ := range pkg.Types {
		show(typ.Doc, typ.Decl)
		for _, f := range append(typ.Funcs, typ.Methods...) {
			show(f.Doc, f.Decl)
		}
	}
	return out.Bytes()
}
