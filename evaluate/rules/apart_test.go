package rules

import (
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// One value of the wrong kind must hide neither its own place nor the mistakes
// of other rules.
func TestEveryBrokenRuleIsTold(t *testing.T) {
	t.Parallel()
	text := `groups:
- name: g
  interval: 5 minutes
  rules:
  - alert: X
    expr: up == 0
    for: 3 minutes
  - alert: Y
    exprr: up == 0
  - alert: Fine
    expr: up == 0
- name: h
  labels: [a]
  rules:
  - record: a:b
    expr: vector(1)
    for: 5m
`
	var got []string
	for _, p := range Check("r.yml", []byte(text), parser.NewParser(parser.Options{}), &fakeLogs{}) {
		got = append(got, p.String())
	}
	require.Equal(t, []string{
		`r.yml:3: unknown unit " minutes" in duration "5 minutes" (hint: write durations such as 15s, 5m or 1h30m)`,
		`r.yml:7: rule "X" of group "g": unknown unit " minutes" in duration "3 minutes" (hint: write durations such as 15s, 5m or 1h30m)`,
		`r.yml:9: rule "Y" of group "g": field exprr not found (hint: no such setting here: check its spelling and indentation)`,
		"r.yml:12: cannot unmarshal !!seq into map[string]string (hint: the value is of another kind than this setting takes)",
		`r.yml:15: rule "a:b" of group "h": invalid field 'for' in recording rule`,
	}, got)
}
