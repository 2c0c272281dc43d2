package rules

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// fakeLogs takes what has a pipe or a range for LogQL.
type fakeLogs struct{ asked []string }

func (*fakeLogs) Check(expr string) error {
	if strings.Contains(expr, "bad") || !strings.Contains(expr, "[") {
		return errors.New("line 1, column 3: not a metric query")
	}
	return nil
}

func (f *fakeLogs) Eval(_ context.Context, expr string, t time.Time) (promql.Vector, error) {
	f.asked = append(f.asked, expr)
	return promql.Vector{{T: t.UnixMilli(), F: 7, Metric: labels.FromStrings("job", "ai")}}, nil
}

func TestParserTellsTheLanguagesApart(t *testing.T) {
	t.Parallel()
	p := bothParser{parser.NewParser(parser.Options{}), &fakeLogs{}}
	for expr, isLog := range map[string]bool{
		`sum(rate(http_requests_total[5m]))`:                            false,
		`count_over_time({job="ai"}[5m])`:                               false,
		`count_over_time({job="ai"}[5m]) # LogQL`:                       true,
		`sum by (level) (count_over_time({job="ai"} |= "error" [5m]))`:  true,
		"count_over_time({job=\"ai\"} | json | level=`error` [1m]) > 3": true,
	} {
		e, err := p.ParseExpr(expr)
		require.NoError(t, err, expr)
		_, got := e.(logExpr)
		require.Equal(t, isLog, got, expr)
		// What is shown can be parsed again, to the same.
		again, err := p.ParseExpr(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e.String(), again.String())
	}
	_, err := p.ParseExpr(`count_over_time({job="ai"} |= "bad" [5m])`)
	require.ErrorContains(t, err, "line 1, column 3", "the error is that of LogQL")
	_, err = p.ParseExpr(`sum(rate(x[5m])`)
	require.ErrorContains(t, err, "unclosed left parenthesis", "the error is that of PromQL")
}

func TestQueryFuncAsksTheRightEngine(t *testing.T) {
	t.Parallel()
	logs := &fakeLogs{}
	prom := 0
	q := queryFunc(func(context.Context, string, time.Time) (promql.Vector, error) { prom++; return nil, nil }, logs)
	_, err := q(t.Context(), "up", time.Now())
	require.NoError(t, err)
	v, err := q(t.Context(), logExpr{`count_over_time({a="b"}|="x"[1m])`}.String(), time.Now())
	require.NoError(t, err)
	require.Len(t, v, 1)
	require.Equal(t, 1, prom)
	require.Equal(t, []string{`count_over_time({a="b"}|="x"[1m])`}, logs.asked)
}

// Both languages in one file of Loki's ruler format.
func TestCheckTakesLogQL(t *testing.T) {
	t.Parallel()
	text := `groups:
  - name: errors
    rules:
      - alert: ErrorLines
        expr: sum by (job) (count_over_time({job="ai"} |= "error" [5m])) > 10
      - record: job:errors
        expr: sum(rate({job="ai"} |= "bad" [5m]))
`
	ps := Check("r.yml", []byte(text), parser.NewParser(parser.Options{}), &fakeLogs{})
	require.Len(t, ps, 1)
	require.Equal(t, 7, ps[0].Line)
	require.Contains(t, ps[0].Reason, "line 1, column 3")
}
