package rules

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/prometheus/prometheus/rules"
)

// LogQuerier evaluates LogQL for rules.
type LogQuerier interface {
	// Check refuses what is not a LogQL metric query.
	Check(expr string) error
	// Eval gives the vector of a LogQL metric query at a time. Samples have no
	// timestamp of their own: t is meant.
	Eval(ctx context.Context, expr string, t time.Time) (promql.Vector, error)
}

// logQLMark ends the text of LogQL expressions, so that it can be told from
// PromQL wherever it is handed over or shown as text. It is a comment of both
// languages.
const logQLMark = " # LogQL"

// logExpr is a LogQL expression in the place of a PromQL one.
type logExpr struct{ text string }

// String implements parser.Node.
func (e logExpr) String() string { return e.text + logQLMark }

// Pretty implements parser.Node.
func (e logExpr) Pretty(int) string { return e.String() }

// PositionRange implements parser.Node.
func (e logExpr) PositionRange() posrange.PositionRange {
	return posrange.PositionRange{End: posrange.Pos(len(e.text))}
}

// Type implements parser.Expr: a LogQL metric query gives a vector.
func (logExpr) Type() parser.ValueType { return parser.ValueTypeVector }

// PromQLExpr implements parser.Expr.
func (logExpr) PromQLExpr() {}

// bothParser parses rules: PromQL first, and as LogQL what is not PromQL but is
// LogQL. The few texts that are both, such as a bare selector in
// count_over_time, are LogQL only where the comment "# LogQL" ends them.
type bothParser struct {
	parser.Parser
	logs LogQuerier
}

// ParseExpr implements parser.Parser.
func (p bothParser) ParseExpr(input string) (parser.Expr, error) {
	text := strings.TrimSpace(input)
	if bare, ok := strings.CutSuffix(text, strings.TrimSpace(logQLMark)); ok && p.logs != nil {
		bare = strings.TrimSpace(bare)
		if err := p.logs.Check(bare); err != nil {
			return nil, err
		}
		return logExpr{bare}, nil
	}
	expr, err := p.Parser.ParseExpr(input)
	if err == nil || p.logs == nil || !strings.Contains(input, "{") {
		return expr, err
	}
	if logErr := p.logs.Check(text); logErr != nil {
		// Whoever writes a line filter or a parser means LogQL.
		if strings.ContainsAny(input, "|`") && strings.Contains(input, "|") {
			return nil, logErr
		}
		return nil, err
	}
	return logExpr{text}, nil
}

// queryFunc evaluates both languages.
func queryFunc(promQL rules.QueryFunc, logs LogQuerier) rules.QueryFunc {
	if logs == nil {
		return promQL
	}
	return func(ctx context.Context, q string, t time.Time) (promql.Vector, error) {
		if text, ok := strings.CutSuffix(q, logQLMark); ok {
			return logs.Eval(ctx, text, t)
		}
		return promQL(ctx, q, t)
	}
}

// inOrder is a RuleDependencyController that finds out nothing: rules of a
// group are evaluated one after the other, as written. Prometheus's own looks
// into expressions, and knows PromQL only.
type inOrder struct{}

// AnalyseRules implements rules.RuleDependencyController.
func (inOrder) AnalyseRules([]rules.Rule) {}
