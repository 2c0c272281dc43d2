// Package format runs the templates of LogQL's line_format and label_format: Go's text/template with a fixed set of
// functions.
//
// A template is run once a log line on text that anybody may have written, so it is bounded: in the length of what it
// writes, in the number of rounds of its loops, and it cannot call other templates. It is not a general template engine
// and reaches neither files nor the environment.
package format

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// The bounds of one run of a template.
const (
	maxOutput = 1 << 20 // bytes
	maxRounds = 100_000
)

// Template is a parsed template. It is not changed by running it.
type Template struct {
	name   string
	tmpl   *template.Template
	fields []string
	all    bool
	line   bool
	simple []piece // if not nil, the template is text and labels only
}

// piece is text or, if label is set, the value of a label.
type piece struct {
	text, label string
}

// Parse reads a template. The name, "line" or "label", is part of the errors.
func Parse(name, text string) (*Template, error) {
	t := &Template{name: name}
	var err error
	if t.tmpl, err = template.New(name).Option("missingkey=zero").Funcs(functions(&Run{})).Parse(text); err != nil {
		return nil, err
	}
	if len(t.tmpl.Templates()) > 1 || t.tmpl.Tree == nil && text != "" {
		return nil, fmt.Errorf("template: %s: a template cannot define templates", name)
	}
	if t.tmpl.Tree == nil { // only a comment or nothing
		t.simple = []piece{}
		return t, nil
	}
	if err := t.look(t.tmpl.Root); err != nil {
		return nil, err
	}
	slices.Sort(t.fields)
	t.fields = slices.Compact(t.fields)
	t.simple = simplify(t.tmpl.Root)
	return t, nil
}

// simplify gives the pieces of a template that is only text and labels, or nil.
func simplify(root *parse.ListNode) []piece {
	pieces := []piece{}
	for _, n := range root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			pieces = append(pieces, piece{text: string(n.Text)})
		case *parse.CommentNode:
		case *parse.ActionNode:
			if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
				return nil
			}
			f, ok := n.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
			if !ok || len(f.Ident) != 1 {
				return nil
			}
			pieces = append(pieces, piece{label: f.Ident[0]})
		default:
			return nil
		}
	}
	return pieces
}

// look finds out what a template reads and puts a guard on its loops.
func (t *Template) look(n parse.Node) error {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return nil
	}
	var children []parse.Node
	branch := func(b *parse.BranchNode) {
		children = append(children, b.Pipe, b.List, b.ElseList)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		children = n.Nodes
	case *parse.ActionNode:
		children = append(children, n.Pipe)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			children = append(children, c)
		}
	case *parse.CommandNode:
		children = n.Args
	case *parse.ChainNode:
		children = append(children, n.Node)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
		guard := parse.NewIdentifier(guardName).SetTree(t.tmpl.Tree).SetPos(n.Pos)
		n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{guard}})
	case *parse.FieldNode:
		t.fields = append(t.fields, n.Ident[0])
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			if len(n.Ident) > 1 {
				t.fields = append(t.fields, n.Ident[1])
			} else {
				t.all = true
			}
		}
	case *parse.DotNode:
		t.all = true
	case *parse.IdentifierNode:
		t.line = t.line || n.Ident == "__line__"
	case *parse.TemplateNode:
		return fmt.Errorf("template: %s: a template cannot call templates", t.name)
	}
	for _, c := range children {
		if err := t.look(c); err != nil {
			return err
		}
	}
	return nil
}

// Fields are the labels that the template may read; all is true if it may read any of them.
func (t *Template) Fields() (names []string, all bool) { return t.fields, t.all }

// ReadsLine says whether the template reads the log line.
func (t *Template) ReadsLine() bool { return t.line }

// Labels is where a run finds the labels of an entry.
type Labels interface {
	// Label is the value of a label, "" if it is not there.
	Label(name string) string
	// Each calls f for every label.
	Each(f func(name, value string))
}

// Run executes one template again and again. It is for one goroutine.
type Run struct {
	t      *Template
	tmpl   *template.Template
	line   string
	time   int64
	rounds int
	out    limitedWriter
	data   map[string]string

	regexps map[string]*regexp.Regexp
}

// NewRun makes a runner of a template.
func (t *Template) NewRun() *Run {
	r := &Run{t: t}
	if t.simple == nil {
		r.data = map[string]string{}
		// A parsed template that was never executed can always be cloned.
		r.tmpl = template.Must(t.tmpl.Clone()).Funcs(functions(r))
	}
	return r
}

// Execute runs the template for an entry with its line and its timestamp in Unix nanoseconds. The result is valid until
// the next call.
func (r *Run) Execute(l Labels, line string, ts int64) ([]byte, error) {
	r.out.b = r.out.b[:0]
	if r.t.simple != nil {
		for _, p := range r.t.simple {
			if p.label != "" {
				r.out.b = append(r.out.b, l.Label(p.label)...)
			} else {
				r.out.b = append(r.out.b, p.text...)
			}
		}
		return r.out.b, nil
	}
	clear(r.data)
	if r.t.all {
		l.Each(func(name, value string) { r.data[name] = value })
	} else {
		for _, f := range r.t.fields {
			r.data[f] = l.Label(f)
		}
	}
	r.line, r.time, r.rounds = line, ts, 0
	if err := r.tmpl.Execute(&r.out, r.data); err != nil {
		return nil, err
	}
	return r.out.b, nil
}

func (r *Run) timestamp() time.Time { return time.Unix(0, r.time).UTC() }

// guardName is a function that is put behind what a loop goes over.
const guardName = "__guard__"

func (r *Run) guard(v any) (any, error) {
	rounds := 0
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.String:
		rounds = rv.Len()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		rounds = int(min(rv.Int(), maxRounds+1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		rounds = int(min(rv.Uint(), maxRounds+1))
	}
	if r.rounds += max(rounds, 0); r.rounds > maxRounds {
		return nil, fmt.Errorf("more than %d rounds of loops", maxRounds)
	}
	return v, nil
}

type limitedWriter struct {
	b []byte
}

var errTooLong = errors.New("the template writes more than 1 MiB")

// Write implements io.Writer.
func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > maxOutput {
		return 0, errTooLong
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// Functions are the names of the functions that templates may call, without Go's own.
func Functions() []string {
	var names []string
	for n := range functions(&Run{}) {
		if !strings.HasPrefix(n, "__guard") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}
