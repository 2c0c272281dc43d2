package stage

import (
	"encoding/json"
	"strings"

	"github.com/grafana/regexp"
	"github.com/jmespath/go-jmespath"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// readJSON reads the stage json: JMESPath expressions over a JSON object.
func readJSON(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	paths := map[string]*jmespath.JMESPath{}
	simple := map[string]string{}
	var source string
	var drop bool
	ok := true
	r.Map(n, where, node.Fields{
		"expressions": func(n *yaml.Node) {
			r.Pairs(n, where+".expressions", func(name string, v *yaml.Node) {
				text := v.Value
				if node.Null(v) || text == "" {
					text = name
				}
				path, err := jmespath.Compile(text)
				if err != nil {
					ok = false
					r.Fail(v, "see https://jmespath.org; a name with other characters than letters, digits and _ needs double quotes inside of single ones", "%s.expressions.%s: %q is no JMESPath expression: %v", where, name, text, err)
					return
				}
				paths[name] = path
				if isIdentifier(text) {
					simple[name] = text
				}
			})
		},
		"source":         r.String(&source, where+".source"),
		"drop_malformed": r.Bool(&drop, where+".drop_malformed"),
	})
	if len(paths) == 0 && ok {
		r.Fail(key, "name what to extract: {level: level}", "%s needs expressions", where)
		return nil
	}
	return always(func(e *Entry) bool {
		text, found := e.sourceText(source)
		if !found {
			return true
		}
		var data any
		if err := json.Unmarshal([]byte(text), &data); err != nil {
			return !drop
		}
		object, _ := data.(map[string]any)
		for name, path := range paths {
			var v any
			if field, ok := simple[name]; ok {
				v = object[field]
			} else if found, err := path.Search(data); err == nil {
				v = found
			}
			switch v.(type) {
			case nil, string, float64, bool:
				e.Extracted[name] = v
			default:
				if text, err := json.Marshal(v); err == nil {
					e.Extracted[name] = string(text)
				}
			}
		}
		return true
	})
}

func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// readLogfmt reads the stage logfmt: keys of key=value pairs.
func readLogfmt(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	mapping := map[string][]string{}
	var source string
	r.Map(n, where, node.Fields{
		"mapping": func(n *yaml.Node) {
			r.Pairs(n, where+".mapping", func(name string, v *yaml.Node) {
				from := v.Value
				if node.Null(v) || from == "" {
					from = name
				}
				mapping[from] = append(mapping[from], name)
			})
		},
		"source": r.String(&source, where+".source"),
	})
	if len(mapping) == 0 {
		r.Fail(key, "name what to extract: {level: level}", "%s needs a mapping", where)
		return nil
	}
	return always(func(e *Entry) bool {
		text, ok := e.sourceText(source)
		if !ok {
			return true
		}
		logfmt(text, func(k, v string) {
			for _, name := range mapping[k] {
				e.Extracted[name] = v
			}
		})
		return true
	})
}

// logfmt calls f for every pair of a line. A key without a value has an empty one.
func logfmt(s string, f func(key, value string)) {
	for {
		s = strings.TrimLeft(s, " \t")
		if s == "" {
			return
		}
		end := strings.IndexAny(s, "= \t")
		if end < 0 {
			f(s, "")
			return
		}
		key := s[:end]
		if s[end] != '=' {
			f(key, "")
			s = s[end:]
			continue
		}
		s = s[end+1:]
		if !strings.HasPrefix(s, `"`) {
			end = strings.IndexAny(s, " \t")
			if end < 0 {
				end = len(s)
			}
			f(key, s[:end])
			s = s[end:]
			continue
		}
		end = 1
		for end < len(s) && s[end] != '"' {
			if s[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(s))
		f(key, unescape(s[1:end]))
		s = s[min(end+1, len(s)):]
	}
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var out string
	if json.Unmarshal([]byte(`"`+s+`"`), &out) == nil {
		return out
	}
	return s
}

// readRegex reads the stage regex: named groups of an expression.
func readRegex(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var text, source string
	var toLabels bool
	at := key
	r.Map(n, where, node.Fields{
		"expression":         func(v *yaml.Node) { at = v; r.String(&text, where+".expression")(v) },
		"source":             r.String(&source, where+".source"),
		"labels_from_groups": r.Bool(&toLabels, where+".labels_from_groups"),
	})
	re := readExpression(r, at, text, where+".expression")
	if re == nil {
		return nil
	}
	names := re.SubexpNames()
	named := false
	for _, name := range names {
		named = named || name != ""
	}
	if !named {
		r.Fail(at, "name what to extract: (?P<level>\\w+)", "%s.expression has no named group", where)
		return nil
	}
	return always(func(e *Entry) bool {
		text, ok := e.sourceText(source)
		if !ok {
			return true
		}
		m := re.FindStringSubmatch(text)
		if m == nil {
			return true
		}
		for i, name := range names {
			if i > 0 && name != "" {
				e.Extracted[name] = m[i]
				if toLabels && m[i] != "" {
					e.Labels[name] = m[i]
				}
			}
		}
		return true
	})
}

// readExpression compiles a regular expression, or notes what is wrong with it.
func readExpression(r *node.Reader, n *yaml.Node, text, where string) *regexp.Regexp {
	if text == "" {
		r.Fail(n, "", "%s is needed", where)
		return nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		r.Fail(n, "the syntax is RE2's: no lookaround and no backreferences", "%s is no regular expression: %s", where, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return re
}

// readDocker reads the stage docker: the JSON lines of Docker's json-file driver.
func readDocker(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	r.Map(n, where, node.Fields{})
	return always(func(e *Entry) bool {
		var line struct {
			Log    *string `json:"log"`
			Stream string  `json:"stream"`
			Time   string  `json:"time"`
		}
		if err := json.Unmarshal([]byte(e.Line), &line); err != nil || line.Log == nil {
			return true
		}
		e.Line = strings.TrimSuffix(*line.Log, "\n")
		e.Extracted["output"], e.Extracted["stream"], e.Extracted["timestamp"] = *line.Log, line.Stream, line.Time
		if line.Stream != "" {
			e.Labels["stream"] = line.Stream
		}
		setRFC3339(e, line.Time)
		return true
	})
}
