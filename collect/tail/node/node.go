// Package node reads YAML strictly and collects every mistake with its line, instead of stopping at the first.
//
// It knows nothing of what the file means.
package node

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Problem is something wrong in a file.
type Problem struct {
	Line int
	// Reason says what is wrong, Hint what to do about it; Hint may be empty.
	Reason, Hint string
	// Warning marks what does not keep the file from being used.
	Warning bool
}

// String is the problem on one line.
func (p Problem) String() string {
	text := fmt.Sprintf("line %d: %s", p.Line, p.Reason)
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Reader collects problems while a file is read.
type Reader struct {
	Problems []Problem
}

// Parse reads a file into its root node; nil for an empty file or one that is no YAML.
func (r *Reader) Parse(file []byte) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal(file, &doc); err != nil {
		line := 1
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if rest, ok := strings.CutPrefix(text, "line "); ok {
			if n, tail, ok := strings.Cut(rest, ": "); ok {
				if v, err := strconv.Atoi(n); err == nil {
					line, text = v, tail
				}
			}
		}
		r.Problems = append(r.Problems, Problem{Line: line, Reason: "not valid YAML: " + text})
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

// Fail records an error at a node.
func (r *Reader) Fail(n *yaml.Node, hint, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{Line: n.Line, Reason: fmt.Sprintf(format, args...), Hint: hint})
}

// Warn records a warning at a node.
func (r *Reader) Warn(n *yaml.Node, hint, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{Line: n.Line, Reason: fmt.Sprintf(format, args...), Hint: hint, Warning: true})
}

// Failed tells whether there is any problem that is not a warning.
func (r *Reader) Failed() bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return !p.Warning })
}

// Sorted returns the problems in the order of their lines.
func (r *Reader) Sorted() []Problem {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return r.Problems
}

// Fields says for each key of a mapping how its value is read.
type Fields map[string]func(*yaml.Node)

// Null tells whether a node has no value.
func Null(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// Map reads a mapping whose keys are all known. Keys that are not, or are there twice, are problems.
func (r *Reader) Map(n *yaml.Node, where string, fields Fields) {
	if Null(n) {
		return
	}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Fail(n, "", "%s must have fields, found %s", where, kind(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		if key.Tag == "!!merge" {
			r.Map(value, where, fields)
			continue
		}
		if seen[key.Value] {
			r.Fail(key, "", "%s has %q twice", where, key.Value)
			continue
		}
		seen[key.Value] = true
		read, ok := fields[key.Value]
		if !ok {
			r.Fail(key, nearest(key.Value, fields), "%s has no field %q", where, key.Value)
			continue
		}
		if !Null(value) {
			read(value)
		}
	}
}

// List calls read for each element of a sequence.
func (r *Reader) List(n *yaml.Node, where string, read func(i int, n *yaml.Node)) {
	if Null(n) {
		return
	}
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.Fail(n, `start each element with "- "`, "%s must be a list, found %s", where, kind(n))
		return
	}
	for i, e := range n.Content {
		read(i, resolve(e))
	}
}

// Pairs calls read for each key and value of a mapping with free keys. value is the empty string for null.
func (r *Reader) Pairs(n *yaml.Node, where string, read func(key string, value *yaml.Node)) {
	if Null(n) {
		return
	}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Fail(n, "", "%s must have names and values, found %s", where, kind(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if seen[key.Value] {
			r.Fail(key, "", "%s has %q twice", where, key.Value)
			continue
		}
		seen[key.Value] = true
		read(key.Value, resolve(n.Content[i+1]))
	}
}

// StringMap reads a mapping of names to text.
func (r *Reader) StringMap(n *yaml.Node, where string) map[string]string {
	out := map[string]string{}
	r.Pairs(n, where, func(key string, value *yaml.Node) {
		var s string
		r.String(&s, where+"."+key)(value)
		out[key] = s
	})
	return out
}

// Strings reads a list of text; a single text counts as a list of one.
func (r *Reader) Strings(p *[]string, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			*p = []string{n.Value}
			return
		}
		r.List(n, where, func(i int, e *yaml.Node) {
			var s string
			r.String(&s, fmt.Sprintf("%s[%d]", where, i))(e)
			*p = append(*p, s)
		})
	}
}

// String reads text; numbers and booleans count as their text.
func (r *Reader) String(p *string, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if Null(n) {
			return
		}
		if n.Kind != yaml.ScalarNode {
			r.Fail(n, "", "%s must be text, found %s", where, kind(n))
			return
		}
		*p = n.Value
	}
}

// Bool reads true or false.
func (r *Reader) Bool(p *bool, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(p); err != nil {
			r.Fail(n, "", "%s must be true or false, found %s", where, show(n))
		}
	}
}

// Int reads a whole number.
func (r *Reader) Int(p *int, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(p); err != nil {
			r.Fail(n, "", "%s must be a whole number, found %s", where, show(n))
		}
	}
}

// Float reads a number.
func (r *Reader) Float(p *float64, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(p); err != nil {
			r.Fail(n, "", "%s must be a number, found %s", where, show(n))
		}
	}
}

// Duration reads a time such as 10s or 1h30m.
func (r *Reader) Duration(p *time.Duration, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		d, err := time.ParseDuration(n.Value)
		if err != nil {
			var m model.Duration
			if m, err = model.ParseDuration(n.Value); err == nil {
				d = time.Duration(m)
			}
		}
		if err != nil || n.Kind != yaml.ScalarNode {
			r.Fail(n, "", "%s must be a duration such as 10s or 1h, found %s", where, show(n))
			return
		}
		*p = d
	}
}

// Bytes reads a size such as 256KB, 1MiB or 1048576.
func (r *Reader) Bytes(p *int64, where string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		v, err := ParseBytes(n.Value)
		if err != nil || n.Kind != yaml.ScalarNode {
			r.Fail(n, "", "%s must be a size such as 256KB, found %s", where, show(n))
			return
		}
		*p = v
	}
}

// ParseBytes reads a size. As in Loki's and Promtail's files, k, kb and KB are 1024 bytes and so on.
func ParseBytes(s string) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	unit := int64(1)
	text = strings.TrimSuffix(strings.TrimSuffix(text, "b"), "i")
	if n := len(text); n > 0 {
		if i := strings.IndexByte("kmgt", text[n-1]); i >= 0 {
			unit, text = 1<<(10*(i+1)), text[:n-1]
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return int64(v * float64(unit)), nil
}

// Ignore accepts a field without looking at it.
func Ignore(*yaml.Node) {}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	return show(n)
}

func show(n *yaml.Node) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		return kind(n)
	case Null(n):
		return "nothing"
	case len(n.Value) > 60:
		return strconv.Quote(n.Value[:60] + "...")
	}
	return strconv.Quote(n.Value)
}

// nearest is a hint for a misspelt name.
func nearest(name string, fields Fields) string {
	best, distance := "", 3
	names := make([]string, 0, len(fields))
	for f := range fields {
		names = append(names, f)
		d := edits(name, f)
		if d < distance || d == distance && f < best {
			best, distance = f, d
		}
	}
	if best != "" && distance < 3 {
		return fmt.Sprintf("did you mean %q?", best)
	}
	slices.Sort(names)
	if len(names) > 12 {
		return ""
	}
	return "known are " + strings.Join(names, ", ")
}

// edits is the number of letters to change, add or remove to get from a to b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
