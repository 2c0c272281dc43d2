package logql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// scanPlan is how the entries of a log query are had: a selection that the store does and a pipeline for the rest.
type scanPlan struct {
	sel     logs.Selection // without times
	program *pipeline.Program
	left    []syntax.Stage // stages of the program, as written
	unwrap  *syntax.Unwrap
	need    pipeline.Need
	drops   bool // the pipeline may drop entries
}

// planScan splits a pipeline. A filter goes to the store if no stage before it changes what it looks at: line filters can
// pass parsers, which leave the line as it is, and conditions on labels can pass filters.
func planScan(matchers []*labels.Matcher, stages []syntax.Stage, u *syntax.Unwrap, need pipeline.Need) (*scanPlan, error) {
	s := &scanPlan{unwrap: u, need: need}
	s.sel.Matchers = matchers
	lineChanged, labelsChanged := false, false
	for _, st := range stages {
		switch st := st.(type) {
		case *syntax.LineFilter:
			if !lineChanged {
				if f, ok := st.LogFilter(); ok {
					if !trivial(f) {
						s.sel.Filters = append(s.sel.Filters, f)
					}
					continue
				}
				s.sel.Filters = append(s.sel.Filters, hints(st)...)
			}
			s.drops = true
		case *syntax.LabelFilter:
			if ms := plainMatchers(st.Cond); ms != nil && !labelsChanged {
				s.sel.LabelFilters = append(s.sel.LabelFilters, ms...)
				continue
			}
			s.drops = true
		case *syntax.Parser:
			labelsChanged = true
			lineChanged = lineChanged || st.Kind == syntax.ParseUnpack
		case *syntax.LineFormat, *syntax.Decolorize:
			lineChanged = true
		default:
			labelsChanged = true
		}
		s.left = append(s.left, st)
	}
	var err error
	if s.program, err = pipeline.Compile(s.left, u, need); err != nil {
		return nil, fmt.Errorf("compile pipeline: %w", err)
	}
	before := s.program.Before()
	if before.Line {
		s.sel.Columns |= logs.ColumnLine
	}
	// Metadata may have any label that is looked at, and gives a parsed label of its name another one.
	if before.All || len(before.Names) > 0 {
		s.sel.Columns |= logs.ColumnMetadata
	}
	return s, nil
}

// trivial is true for filters that keep every line.
func trivial(f logs.LineFilter) bool {
	return (f.Op == logs.Contains || f.Op == logs.Match) && slices.Contains(f.Patterns, "")
}

// hints are filters that every line which passes a pattern filter passes too.
func hints(f *syntax.LineFilter) []logs.LineFilter {
	if f.Op != syntax.LinePattern || len(f.Operands) != 1 {
		return nil
	}
	var out []logs.LineFilter
	for _, p := range syntax.ParsePatternParts(f.Operands[0].Text) {
		if !p.Capture && len(p.Text) > 1 {
			out = append(out, logs.LineFilter{Op: logs.Contains, Patterns: []string{p.Text}})
		}
	}
	return out
}

// plainMatchers are the conditions of a filter if all of them hold at once and compare text of labels that entries have
// before any parser; otherwise nil.
func plainMatchers(c syntax.Cond) []*labels.Matcher {
	switch c := c.(type) {
	case *syntax.StringCond:
		// A name that ends like this may be that of metadata in conflict with its stream.
		if name := c.Matcher.Name; strings.HasPrefix(name, "__error") || strings.HasSuffix(name, "_extracted") {
			return nil
		}
		return []*labels.Matcher{c.Matcher}
	case *syntax.BoolCond:
		if c.Or {
			return nil
		}
		left, right := plainMatchers(c.Left), plainMatchers(c.Right)
		if left == nil || right == nil {
			return nil
		}
		return append(slices.Clip(left), right...)
	}
	return nil
}

// rangePlan is how a range aggregation is computed.
type rangePlan struct {
	expr  *syntax.RangeAgg
	scan  *scanPlan
	group grouping
	// errors says that lines on which a parser failed are asked for.
	errors bool
	// counts says that the store may count, by these fields.
	counts bool
	fields []logs.Field
	// whole says that it counts lines of whole JSON only.
	whole bool
}

// grouping says which labels a series has.
type grouping struct {
	by    []string // sorted, if not without
	drop  []string // labels that go, if without
	whole bool     // without: all labels but drop
}

// additive are the aggregations of which a sum can be computed at once for its groups.
var additive = []syntax.RangeOp{syntax.CountOverTime, syntax.Rate, syntax.BytesOverTime, syntax.BytesRate, syntax.SumOverTime}

// planRange plans a range aggregation inside of a vector aggregation, or of none.
func planRange(e *syntax.RangeAgg, outer *syntax.VectorAgg) (*rangePlan, error) {
	p := &rangePlan{expr: e}
	g := e.Grouping
	if g == nil && outer != nil && outer.Op == syntax.Sum && slices.Contains(additive, e.Op) {
		if g = outer.Grouping; g == nil {
			g = &syntax.Grouping{}
		}
	}
	need := pipeline.Need{Line: e.Op == syntax.BytesOverTime || e.Op == syntax.BytesRate}
	u := e.Range.Unwrap
	switch {
	case e.Op == syntax.AbsentOverTime:
	case g == nil || g.Without:
		p.group.whole, need.All = true, true
		if g != nil {
			p.group.drop = slices.Clone(g.Labels)
		}
		if u != nil {
			p.group.drop = append(p.group.drop, u.Label)
		}
	default:
		p.group.by = slices.Compact(slices.Sorted(slices.Values(g.Labels)))
		need.Names, need.Partial = p.group.by, true
	}
	// The length of a line is all that is looked at, which the store knows, unless a stage changes the line.
	sizes := need.Line && !slices.ContainsFunc(e.Range.Log.Stages, changesLine)
	if sizes {
		need.Line = false
	}
	var err error
	if p.scan, err = planScan(e.Range.Log.Matchers, e.Range.Log.Stages, u, need); err != nil {
		return nil, err
	}
	if sizes && p.scan.sel.Columns&logs.ColumnLine == 0 {
		p.scan.sel.Columns |= logs.ColumnSize
	}
	p.errors = asksForErrors(e, p.group)
	p.counts, p.whole, p.fields = countFields(p)
	return p, nil
}

func changesLine(s syntax.Stage) bool {
	switch s := s.(type) {
	case *syntax.LineFormat, *syntax.Decolorize:
		return true
	case *syntax.Parser:
		return s.Kind == syntax.ParseUnpack
	}
	return false
}

// countFields says whether, by what, and whether only lines of whole JSON, a store may count for a range aggregation.
func countFields(p *rangePlan) (counts, whole bool, by []logs.Field) {
	if p.group.whole || p.scan.unwrap != nil || p.expr.Op == syntax.AbsentOverTime || slices.Contains(p.group.by, syntax.ErrorLabel) || slices.Contains(p.group.by, syntax.ErrorDetailsLabel) {
		return false, false, nil
	}
	kind := logs.EntryLabel
	if !p.scan.program.Empty() {
		switch {
		case len(p.scan.left) == 2 && noError(p.scan.left[1]):
			whole = true
		case len(p.scan.left) != 1:
			return false, false, nil
		}
		js, ok := p.scan.left[0].(*syntax.Parser)
		if !ok || js.Kind != syntax.ParseJSON || len(js.Fields) > 0 {
			return false, false, nil
		}
		kind = logs.JSONField
	}
	fields := make([]logs.Field, len(p.group.by))
	for i, name := range p.group.by {
		if strings.HasSuffix(name, "_extracted") {
			return false, false, nil
		}
		fields[i] = logs.Field{Kind: kind, Name: name}
	}
	return true, whole, fields
}

// noError says whether a stage drops the entries with an error and no others.
func noError(s syntax.Stage) bool {
	f, ok := s.(*syntax.LabelFilter)
	if !ok {
		return false
	}
	c, ok := f.Cond.(*syntax.StringCond)
	return ok && c.Matcher.Name == syntax.ErrorLabel && c.Matcher.Type == labels.MatchEqual && c.Matcher.Value == ""
}
