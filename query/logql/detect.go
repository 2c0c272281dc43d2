package logql

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs/scan"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// FieldType is what the values of a field look like.
type FieldType string

// The types of fields.
const (
	FieldString   FieldType = "string"
	FieldInt      FieldType = "int"
	FieldFloat    FieldType = "float"
	FieldBool     FieldType = "boolean"
	FieldDuration FieldType = "duration"
	FieldBytes    FieldType = "bytes"
)

// DetectedField is a field that a sample of entries has.
type DetectedField struct {
	// Label is the name under which a query finds it.
	Label string
	Type  FieldType
	// Cardinality is the number of values in the sample.
	Cardinality int
	// Parsers are those that give it; none for metadata.
	Parsers []string
	// JSONPath is where it stands in a JSON line.
	JSONPath []string
}

// field gathers a DetectedField.
type field struct {
	values  map[string]bool
	parsers []string
	path    []string
}

// maxFieldValues bounds the values that are counted of a field.
const maxFieldValues = 10_000

func (f *field) add(value, parser string) {
	if len(f.values) < maxFieldValues {
		f.values[value] = true
	}
	if parser != "" && !slices.Contains(f.parsers, parser) {
		f.parsers = append(f.parsers, parser)
	}
}

// DetectedFields finds the fields of the newest entries that a log query selects: their metadata and what its parsers
// extract or, if it has none, what json or logfmt would. q.Limit is the number of entries to look at, limit the greatest
// number of fields to return, the most frequent first; 0 is 1000 for both.
func (e *Engine) DetectedFields(ctx context.Context, q Query, limit int) ([]DetectedField, error) {
	fields, order, err := e.fields(ctx, q, "")
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 1000
	}
	out := make([]DetectedField, 0, min(limit, len(order)))
	for _, name := range order[:min(limit, len(order))] {
		f := fields[name]
		out = append(out, DetectedField{Label: name, Type: typeOf(f.values), Cardinality: len(f.values), Parsers: f.parsers, JSONPath: f.path})
	}
	return out, nil
}

// DetectedFieldValues are the values of a field among the newest entries that a log query selects, sorted.
func (e *Engine) DetectedFieldValues(ctx context.Context, q Query, name string, limit int) ([]string, error) {
	fields, _, err := e.fields(ctx, q, name)
	if err != nil || fields[name] == nil {
		return []string{}, err
	}
	if limit <= 0 {
		limit = 1000
	}
	values := make([]string, 0, len(fields[name].values))
	for v := range fields[name].values {
		values = append(values, v)
	}
	slices.Sort(values)
	return values[:min(limit, len(values))], nil
}

func (e *Engine) fields(ctx context.Context, q Query, only string) (map[string]*field, []string, error) {
	expr, err := syntax.ParseLog(q.Text)
	if err != nil {
		return nil, nil, err
	}
	var parsers []string
	for _, st := range expr.Stages {
		if p, ok := st.(*syntax.Parser); ok {
			parsers = append(parsers, string(p.Kind))
		}
	}
	if q.Limit <= 0 {
		q.Limit = min(1000, e.opts.MaxEntries)
	}
	q.Categorize = true
	res, err := e.Range(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	fields := map[string]*field{}
	seen := map[string]int{}
	get := func(name string) *field {
		f := fields[name]
		if f == nil {
			f = &field{values: map[string]bool{}}
			fields[name] = f
		}
		seen[name]++
		return f
	}
	wanted := func(name string) bool {
		return (only == "" || only == name) && !strings.HasPrefix(name, "__error")
	}
	for _, s := range res.Streams {
		for _, en := range s.Entries {
			en.Metadata.Range(func(l labels.Label) {
				if wanted(l.Name) {
					get(l.Name).add(l.Value, "")
				}
			})
			en.Parsed.Range(func(l labels.Label) {
				if !wanted(l.Name) {
					return
				}
				f := get(l.Name)
				f.add(l.Value, "")
				f.parsers = parsers
			})
			if len(parsers) > 0 {
				continue
			}
			lineFields(en.Line, func(name, value, parser string, path []string) {
				if s.Labels.Has(name) || en.Metadata.Has(name) {
					name += "_extracted"
				}
				if !wanted(name) {
					return
				}
				f := get(name)
				f.add(value, parser)
				if f.path == nil && path != nil {
					f.path = slices.Clone(path)
				}
			})
		}
	}
	order := make([]string, 0, len(fields))
	for name := range fields {
		order = append(order, name)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Or(cmp.Compare(seen[b], seen[a]), strings.Compare(a, b)) })
	return fields, order, nil
}

// lineFields calls f for what json finds in a line or, if it is not JSON, what logfmt finds.
func lineFields(line string, f func(name, value, parser string, path []string)) {
	var path []string
	var object func(s, parent string) error
	object = func(s, parent string) error {
		return scan.Members(s, func(key string, v scan.Value) error {
			path = append(path, key)
			defer func() { path = path[:len(path)-1] }()
			name := scan.Nested(parent, key)
			switch v.Kind {
			case scan.Object:
				return object(v.Raw, name)
			case scan.Array, scan.Null:
				return nil
			}
			text, err := v.Text()
			if err == nil && name != "" {
				f(name, text, "json", path)
			}
			return err
		})
	}
	if strings.HasPrefix(strings.TrimLeft(line, " \t"), "{") {
		// A line that breaks in the middle still has what came before.
		_ = object(line, "")
		return
	}
	var l scan.Logfmt
	l.Reset(line)
	for {
		if l.Next() {
			if name := scan.LabelName(l.Key); name != "" && l.Value != "" {
				f(name, scan.Valid(l.Value), "logfmt", nil)
			}
			continue
		}
		if !l.Bad() {
			return
		}
		l.Skip()
	}
}

// typeOf is the type that all values have.
func typeOf(values map[string]bool) FieldType {
	tests := []struct {
		t  FieldType
		is func(string) bool
	}{
		{FieldInt, func(s string) bool { _, err := strconv.ParseInt(s, 10, 64); return err == nil }},
		{FieldFloat, func(s string) bool { _, err := strconv.ParseFloat(s, 64); return err == nil }},
		{FieldBool, func(s string) bool { _, err := strconv.ParseBool(s); return err == nil }},
		{FieldDuration, func(s string) bool { _, err := time.ParseDuration(s); return err == nil }},
		{FieldBytes, func(s string) bool { _, err := unit.ParseBytes(s); return err == nil }},
	}
	for _, t := range tests {
		all := len(values) > 0
		for v := range values {
			if all = t.is(v); !all {
				break
			}
		}
		if all {
			return t.t
		}
	}
	return FieldString
}

// DetectedLabel is a label of streams that is worth to choose by.
type DetectedLabel struct {
	Label       string
	Cardinality int
}

// identifier are values that name one thing each, such as numbers and UUIDs.
var identifier = regexp.MustCompile(`^(\d+(\.\d+)?|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$`)

// DetectLabels are the labels of a set of streams with the number of their values, without those whose values are all
// identifiers; sorted by name.
func DetectLabels(streams []labels.Labels) []DetectedLabel {
	values := map[string]map[string]bool{}
	for _, s := range streams {
		s.Range(func(l labels.Label) {
			if values[l.Name] == nil {
				values[l.Name] = map[string]bool{}
			}
			values[l.Name][l.Value] = true
		})
	}
	out := []DetectedLabel{}
	for name, vs := range values {
		all := true
		for v := range vs {
			if all = identifier.MatchString(v); !all {
				break
			}
		}
		if !all || slices.Contains([]string{"cluster", "namespace", "instance", "pod"}, name) {
			out = append(out, DetectedLabel{name, len(vs)})
		}
	}
	slices.SortFunc(out, func(a, b DetectedLabel) int { return strings.Compare(a.Label, b.Label) })
	return out
}
