package rules

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/config"
)

// A value of the wrong kind, such as a bad duration, ends Prometheus's reading
// of a rule file at once: it tells neither where that is nor what else is wrong.
// So each group and each rule is then read by itself.

// checkApart reports what is wrong with each group and each rule of a rule file
// that cannot be read as a whole.
func checkApart(file string, root *yaml.Node, p parser.Parser) config.Problems {
	doc := mapping(root)
	groups := value(doc, "groups")
	if groups == nil || groups.Kind != yaml.SequenceNode {
		return nil
	}
	ps := checkPart(file, "", without(doc, "groups", groups), p)
	for _, g := range groups.Content {
		name := "?"
		if n := value(g, "name"); n != nil {
			name = n.Value
		}
		all := value(g, "rules")
		if all == nil || all.Kind != yaml.SequenceNode {
			ps = append(ps, checkPart(file, "", g, p)...)
			continue
		}
		ps = append(ps, checkPart(file, "", without(g, "rules", all), p)...)
		for _, r := range all.Content {
			title := "?"
			for _, key := range []string{"alert", "record"} {
				if n := value(r, key); n != nil {
					title = n.Value
				}
			}
			ps = append(ps, checkPart(file, fmt.Sprintf("rule %q of group %q: ", title, name), r, p)...)
		}
	}
	return ps
}

// checkPart reads the settings of a file, a group or a rule (whichever part is)
// in a file that is right otherwise.
func checkPart(file, prefix string, part *yaml.Node, p parser.Parser) config.Problems {
	var whole any = part // The settings of the file.
	switch {
	case prefix != "":
		whole = map[string]any{"groups": []any{map[string]any{"name": "check", "rules": []any{part}}}}
	case value(part, "groups") == nil:
		whole = map[string]any{"groups": []any{part}}
	}
	text, err := yaml.Marshal(whole)
	if err != nil {
		return config.FromYAML(file, err)
	}
	_, errs := rulefmt.Parse(text, false, model.UTF8Validation, p, slog.New(slog.DiscardHandler))
	var ps config.Problems
	for _, err := range errs {
		reason := err.Error()
		if re, ok := errors.AsType[*rulefmt.Error](err); ok {
			reason = repeated.ReplaceAllString(re.Error(), "")
		}
		for _, one := range config.FromYAML(file, errors.New(place.ReplaceAllString(reason, ""))) {
			if len(ps) > 0 && ps[len(ps)-1].Reason == prefix+one.Reason {
				continue // The parser reads twice.
			}
			one.Line = locate(part, one.Reason)
			one.Hint = config.HintFor(one.Reason)
			one.Reason = prefix + one.Reason
			ps = append(ps, one)
		}
	}
	return ps
}

// mentioned is what a message quotes, or the field that it names.
var mentioned = regexp.MustCompile("\"((?:[^\"\\\\]|\\\\.)+)\"|`([^`]+)`|^field (\\w+)")

// locate is the line of what a message mentions, or of the part.
func locate(part *yaml.Node, reason string) int {
	for _, m := range mentioned.FindAllStringSubmatch(reason, -1) {
		if n := find(part, m[1]+m[2]+m[3]); n != nil {
			return n.Line
		}
	}
	return part.Line
}

func find(n *yaml.Node, text string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && strings.TrimSpace(n.Value) == strings.TrimSpace(text) {
		return n
	}
	for _, c := range n.Content {
		if f := find(c, text); f != nil {
			return f
		}
	}
	return nil
}

// mapping is the node of the document itself.
func mapping(root *yaml.Node) *yaml.Node {
	if root.Kind == yaml.DocumentNode && len(root.Content) > 0 {
		return root.Content[0]
	}
	return root
}

// value is that of a key of a mapping, or nil.
func value(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// without is a mapping whose list of that key, which is list, is empty.
func without(n *yaml.Node, key string, list *yaml.Node) *yaml.Node {
	out := *n
	out.Content = append([]*yaml.Node(nil), n.Content...)
	for i, c := range out.Content {
		if c == list && i > 0 && out.Content[i-1].Value == key {
			out.Content[i] = &yaml.Node{Kind: yaml.SequenceNode, Line: list.Line}
		}
	}
	return &out
}
