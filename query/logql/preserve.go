package logql

import (
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// asksForErrors tells whether a range aggregation that groups by labels, or by none, asks for the errors of its parsers: by
// grouping by __error__ or by looking at it. Lines that a parser failed on are then counted like others instead of failing
// the query. Without such grouping they fail it all the same, as in Loki.
func asksForErrors(e *syntax.RangeAgg, g grouping) bool {
	if g.whole || e.Op == syntax.AbsentOverTime {
		return false
	}
	if slices.Contains(g.by, syntax.ErrorLabel) {
		return true
	}
	stages := slices.Clone(e.Range.Log.Stages)
	if u := e.Range.Unwrap; u != nil {
		for _, f := range u.After {
			stages = append(stages, f)
		}
	}
	return slices.ContainsFunc(stages, func(s syntax.Stage) bool {
		switch s := s.(type) {
		case *syntax.LabelFilter:
			return looksAtErrors(s.Cond)
		case *syntax.LineFormat:
			return strings.Contains(s.Template, "."+syntax.ErrorLabel)
		case *syntax.LabelFormat:
			return slices.ContainsFunc(s.Formats, func(f syntax.Format) bool {
				return f.Source == syntax.ErrorLabel || !f.Rename && strings.Contains(f.Source, "."+syntax.ErrorLabel)
			})
		}
		return false
	})
}

func looksAtErrors(c syntax.Cond) bool {
	switch c := c.(type) {
	case *syntax.StringCond:
		return c.Matcher.Name == syntax.ErrorLabel
	case *syntax.BoolCond:
		return looksAtErrors(c.Left) || looksAtErrors(c.Right)
	}
	return false
}

// ofParser tells whether an error is one of a parser, as opposed to one of a filter, a template or an unwrap.
func ofParser(kind string) bool { return kind == "JSONParserErr" || kind == "LogfmtParserErr" }
