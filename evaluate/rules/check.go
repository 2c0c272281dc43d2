package rules

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/config"
)

// place finds line:column at the start of messages of Prometheus's rule parser.
var place = regexp.MustCompile(`^(\d+):\d+: `)

// repeated is what the rule parser puts before messages whose place and rule
// are told otherwise.
var repeated = regexp.MustCompile(`^(\d+:\d+: )?group ".*?", rule \d+, ".*?": `)

// Check reports every problem of the text of a rule file, whose expressions are
// PromQL as p parses it, or LogQL as logs does.
func Check(file string, text []byte, p parser.Parser, logs LogQuerier) config.Problems {
	p = bothParser{p, logs}
	if ps := config.CheckSyntax(file, text); len(ps) > 0 {
		return ps
	}
	portable, extensions := Portable(text)
	var ps config.Problems
	for _, e := range extensions {
		ps = append(ps, config.Problem{
			File: file, Line: e.Line, Warning: true,
			Reason: fmt.Sprintf("%s is an extension of modelwatch: Prometheus itself would refuse this file", e.Text),
			Hint:   "for both, write {{ printf \"%.2f\" $value }}",
		})
	}
	var root yaml.Node
	_ = yaml.Unmarshal(text, &root) // It has passed CheckSyntax.
	_, errs := rulefmt.Parse(portable, false, model.UTF8Validation, p, slog.New(slog.DiscardHandler))
	if !slices.ContainsFunc(errs, isOfARule) && len(errs) > 0 {
		var rewritten yaml.Node
		_ = yaml.Unmarshal(portable, &rewritten) // As right as the text.
		if apart := checkApart(file, &rewritten, p); len(apart) > 0 {
			return append(ps, apart...)
		}
	}
	for _, err := range errs {
		ps = append(ps, problem(file, &root, err)...)
	}
	return ps
}

func isOfARule(err error) bool {
	_, ok := errors.AsType[*rulefmt.Error](err)
	return ok
}

// problem turns an error of the rule parser into problems with their lines.
func problem(file string, root *yaml.Node, err error) config.Problems {
	p := config.Problem{File: file, Reason: err.Error()}
	var re *rulefmt.Error
	if errors.As(err, &re) {
		p.Line = ruleLine(root, re.Group, re.Rule)
		p.Reason = fmt.Sprintf("rule %q of group %q: %s", re.RuleName, re.Group, repeated.ReplaceAllString(err.Error(), ""))
	}
	if at := place.FindStringSubmatch(err.Error()); at != nil {
		p.Line, _ = strconv.Atoi(at[1])
		p.Reason = strings.TrimPrefix(p.Reason, at[0])
	} else if re == nil {
		return config.FromYAML(file, err)
	}
	p.Hint = config.HintFor(p.Reason)
	return config.Problems{p}
}

// ruleLine is the line of the n-th rule, counting from 1, of a group.
func ruleLine(root *yaml.Node, group string, n int) int {
	var doc struct {
		Groups []struct {
			Name  string      `yaml:"name"`
			Rules []yaml.Node `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := root.Decode(&doc); err != nil {
		return 0
	}
	for _, g := range doc.Groups {
		if g.Name == group && n >= 1 && n <= len(g.Rules) {
			return g.Rules[n-1].Line
		}
	}
	return 0
}
