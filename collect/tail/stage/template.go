package stage

import (
	"crypto/sha256"
	"crypto/sha3"
	"encoding/hex"
	"maps"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/grafana/regexp"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// functions are those of templates: Promtail's own and Sprig's without those that look at the host.
func functions() template.FuncMap {
	f := sprig.HermeticTxtFuncMap()
	maps.Copy(f, map[string]any{
		"ToLower": strings.ToLower, "ToUpper": strings.ToUpper, "Replace": strings.Replace, "Trim": strings.Trim,
		"TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight, "TrimPrefix": strings.TrimPrefix,
		"TrimSuffix": strings.TrimSuffix, "TrimSpace": strings.TrimSpace,
		"Hash": func(salt, s string) string {
			sum := sha3.Sum256([]byte(salt + s))
			return hex.EncodeToString(sum[:])
		},
		"Sha2Hash": func(salt, s string) string {
			sum := sha256.Sum256([]byte(salt + s))
			return hex.EncodeToString(sum[:])
		},
		"regexReplaceAll": func(expr, s, to string) (string, error) {
			re, err := regexp.Compile(expr)
			if err != nil {
				return "", err
			}
			return re.ReplaceAllString(s, to), nil
		},
		"regexReplaceAllLiteral": func(expr, s, to string) (string, error) {
			re, err := regexp.Compile(expr)
			if err != nil {
				return "", err
			}
			return re.ReplaceAllLiteralString(s, to), nil
		},
	})
	return f
}

func parseTemplate(r *node.Reader, n *yaml.Node, text, where string) *template.Template {
	t, err := template.New("").Option("missingkey=zero").Funcs(functions()).Parse(text)
	if err != nil {
		r.Fail(n, "", "%s is no template: %s", where, strings.TrimPrefix(err.Error(), "template: "))
		return nil
	}
	return t
}

// readTemplate reads the stage template: it makes or changes an extracted value.
func readTemplate(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var source, text string
	at := key
	r.Map(n, where, node.Fields{
		"source":   r.String(&source, where+".source"),
		"template": func(v *yaml.Node) { at = v; r.String(&text, where+".template")(v) },
	})
	if source == "" {
		r.Fail(key, "", "%s needs a source", where)
		return nil
	}
	t := parseTemplate(r, at, text, where+".template")
	if t == nil {
		return nil
	}
	return always(func(e *Entry) bool {
		data := make(map[string]any, len(e.Extracted)+2)
		for k, v := range e.Extracted {
			if s, ok := textOf(v); ok {
				data[k] = s
			}
		}
		data["Value"] = ""
		if v, ok := textOf(e.Extracted[source]); ok {
			data["Value"] = v
		}
		data["Entry"] = e.Line
		var b strings.Builder
		if err := t.Execute(&b, data); err != nil {
			return true
		}
		out := strings.ReplaceAll(b.String(), "<no value>", "")
		if out == "" {
			delete(e.Extracted, source)
		} else {
			e.Extracted[source] = out
		}
		return true
	})
}

// readReplace reads the stage replace: what the groups of an expression match is replaced.
func readReplace(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var text, source, with string
	at, withAt := key, key
	r.Map(n, where, node.Fields{
		"expression": func(v *yaml.Node) { at = v; r.String(&text, where+".expression")(v) },
		"source":     r.String(&source, where+".source"),
		"replace":    func(v *yaml.Node) { withAt = v; r.String(&with, where+".replace")(v) },
	})
	re := readExpression(r, at, text, where+".expression")
	t := parseTemplate(r, withAt, with, where+".replace")
	if re == nil || t == nil {
		return nil
	}
	names := re.SubexpNames()
	return always(func(e *Entry) bool {
		subject, ok := e.sourceText(source)
		if !ok {
			return true
		}
		var out strings.Builder
		done := 0
		for _, m := range re.FindAllStringSubmatchIndex(subject, -1) {
			first := 2
			if len(m) == 2 {
				first = 0 // Without groups the whole match is replaced.
			}
			for g := first; g < len(m); g += 2 {
				from, to := m[g], m[g+1]
				if from < done || from < 0 {
					continue
				}
				captured := subject[from:to]
				data := map[string]any{"Value": captured, "Entry": e.Line}
				for k, v := range e.Extracted {
					if _, set := data[k]; !set {
						data[k] = v
					}
				}
				var b strings.Builder
				if err := t.Execute(&b, data); err != nil {
					return true
				}
				out.WriteString(subject[done:from])
				out.WriteString(b.String())
				done = to
				if name := names[g/2]; name != "" {
					e.Extracted[name] = b.String()
				}
			}
		}
		out.WriteString(subject[done:])
		if source == "" {
			e.Line = out.String()
		} else {
			e.Extracted[source] = out.String()
		}
		return true
	})
}
