package logql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// Node is a step of a plan, its children first.
type Node struct {
	// Op names the step.
	Op string `json:"op"`
	// Detail is the step as LogQL writes it.
	Detail string `json:"detail,omitempty"`
	// Store is what the store is asked to do, Engine what is done with what it delivers, in this order.
	Store  []string `json:"store,omitempty"`
	Engine []string `json:"engine,omitempty"`
	// Children are the steps whose results this one takes.
	Children []*Node `json:"children,omitempty"`
}

// String is the plan as an indented tree.
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

func (n *Node) write(b *strings.Builder, depth int) {
	pad := strings.Repeat("  ", depth)
	b.WriteString(pad + n.Op)
	if n.Detail != "" {
		b.WriteString(" " + n.Detail)
	}
	b.WriteByte('\n')
	for _, s := range n.Store {
		fmt.Fprintf(b, "%s  store:  %s\n", pad, s)
	}
	for _, s := range n.Engine {
		fmt.Fprintf(b, "%s  engine: %s\n", pad, s)
	}
	for _, c := range n.Children {
		c.write(b, depth+1)
	}
}

// Explain is the plan of a query, which is not run.
func (e *Engine) Explain(text string) (*Node, error) {
	expr, err := syntax.Parse(text)
	if err != nil {
		return nil, err
	}
	return e.explain(expr, nil)
}

func (e *Engine) explain(expr syntax.Expr, outer *syntax.VectorAgg) (*Node, error) {
	switch x := expr.(type) {
	case *syntax.LogExpr:
		s, err := planScan(x.Matchers, x.Stages, nil, pipeline.Need{All: true, Line: true})
		if err != nil {
			return nil, err
		}
		s.sel.Columns = logs.AllColumns
		n := &Node{Op: "log", Store: storeSteps(s), Engine: engineSteps(s)}
		if s.drops {
			n.Store = append(n.Store, "in order of time, until the engine has enough")
		} else {
			n.Store = append(n.Store, "in order of time, up to the limit")
		}
		return n, nil
	case *syntax.RangeAgg:
		return e.explainRange(x, outer)
	case *syntax.VectorAgg:
		c, err := e.explain(x.Expr, x)
		if err != nil {
			return nil, err
		}
		detail := x.Grouping.String()
		if k := x.K; k > 0 {
			detail = strings.TrimSpace(fmt.Sprintf("%d %s", k, detail))
		}
		return &Node{Op: string(x.Op), Detail: detail, Children: []*Node{c}}, nil
	case *syntax.Binary:
		left, err := e.explain(x.Left, nil)
		if err != nil {
			return nil, err
		}
		right, err := e.explain(x.Right, nil)
		if err != nil {
			return nil, err
		}
		n := &Node{Op: string(x.Op), Children: []*Node{left, right}}
		if m := x.Matching; m != nil {
			word := "ignoring"
			if m.On {
				word = "on"
			}
			n.Detail = fmt.Sprintf("%s (%s)", word, strings.Join(m.Labels, ", "))
		}
		return n, nil
	case *syntax.LabelReplace:
		c, err := e.explain(x.Expr, nil)
		if err != nil {
			return nil, err
		}
		return &Node{Op: "label_replace", Detail: fmt.Sprintf("%q from %q", x.Dst, x.Src), Children: []*Node{c}}, nil
	}
	return &Node{Op: "constant", Detail: expr.String()}, nil
}

func (e *Engine) explainRange(x *syntax.RangeAgg, outer *syntax.VectorAgg) (*Node, error) {
	p, err := planRange(x, outer)
	if err != nil {
		return nil, err
	}
	n := &Node{Op: string(x.Op), Detail: p.group.String(), Store: storeSteps(p.scan)}
	if _, ok := e.store.(Counter); ok && p.counts {
		by := "in all"
		if len(p.fields) > 0 {
			var names []string
			for _, f := range p.fields {
				name := f.Name
				if f.Kind == logs.JSONField {
					name += " of the JSON line"
				}
				names = append(names, name)
			}
			by = "by " + strings.Join(names, ", ")
		}
		if p.whole {
			by = "lines of whole JSON " + by
		}
		n.Store = append(n.Store, "counts "+by+" and by time; if it cannot:")
	}
	n.Store = append(n.Store, "in any order: "+columns(p.scan.sel.Columns))
	n.Engine = engineSteps(p.scan)
	n.Engine = append(n.Engine, fmt.Sprintf("one pass over %s, %d workers", x.Range.Window(), e.opts.Workers))
	return n, nil
}

func columns(c logs.Columns) string {
	out := []string{"stream", "time"}
	for _, x := range []struct {
		c    logs.Columns
		name string
	}{{logs.ColumnLine, "line"}, {logs.ColumnSize, "length of the line"}, {logs.ColumnMetadata, "metadata"}} {
		if c&x.c != 0 {
			out = append(out, x.name)
		}
	}
	return strings.Join(out, ", ")
}

func (g grouping) String() string {
	switch {
	case g.whole && len(g.drop) > 0:
		return "without (" + strings.Join(g.drop, ", ") + ")"
	case g.whole:
		return "by all labels"
	}
	return "by (" + strings.Join(g.by, ", ") + ")"
}

func storeSteps(s *scanPlan) []string {
	steps := []string{"streams " + (&syntax.LogExpr{Matchers: s.sel.Matchers}).String()}
	for _, f := range s.sel.Filters {
		steps = append(steps, "lines "+f.String())
	}
	for _, m := range s.sel.LabelFilters {
		steps = append(steps, "entries "+(&syntax.StringCond{Matcher: m}).String())
	}
	return steps
}

func engineSteps(s *scanPlan) []string {
	var steps []string
	for _, st := range s.left {
		steps = append(steps, strings.TrimPrefix(st.String(), "| "))
	}
	if s.unwrap != nil {
		steps = append(steps, strings.TrimPrefix(s.unwrap.String(), "| "))
	}
	if len(steps) == 0 {
		return nil
	}
	before := s.program.Before()
	switch {
	case s.program.Empty():
		steps = append(steps, "(none of this can be seen in the result, so it is not done)")
	case before.All:
		steps = append(steps, "(all labels)")
	case len(before.Names) > 0:
		names := slices.Sorted(slices.Values(before.Names))
		steps = append(steps, "(only labels "+strings.Join(names, ", ")+")")
	}
	return steps
}
