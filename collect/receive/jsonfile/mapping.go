package jsonfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mapping makes a record of a line in another form. Its keys are fields of a
// record (package inferences), or members of those that are objects:
// "features.age", "probabilities.cat", "tokens.input", "tags.region". Its values
// are places in the line ("$.request.model", "$.choices[0].text", "$" for the
// whole line) or constants ("ranker"; a constant that begins with $ is written
// with $$). A place that is not in the line is a field that is not given.
type mapping struct {
	rules []rule
}

type rule struct {
	path     []string // In the record: a field, or a field and a member.
	constant string
	place    []step
	isPlace  bool
}

// step is a member of an object or an element of a list.
type step struct {
	name  string
	index int
	list  bool
}

// Fields that a record can have, and whether they have members.
var recordFields = map[string]bool{
	"service": false, "model": false, "model_version": false, "endpoint": false, "timestamp": false, "request_id": false,
	"duration_seconds": false, "status_code": false, "error": false, "features": true, "prediction": false,
	"probabilities": true, "tokens": true, "time_to_first_token_seconds": false, "tags": true,
}

var labelFields = map[string]bool{"request_id": false, "label": false, "timestamp": false}

func newMapping(fields map[string]string, labels bool) (*mapping, error) {
	known, required := recordFields, "model"
	if labels {
		known, required = labelFields, "request_id"
	}
	m := &mapping{}
	if len(fields) == 0 {
		return m, nil
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		field, member, deep := strings.Cut(key, ".")
		members, ok := known[field]
		switch {
		case !ok:
			return nil, fmt.Errorf("field %q is none of a record: use %q", key, slices.Sorted(maps.Keys(known)))
		case deep && !members:
			return nil, fmt.Errorf("field %q has no members", field)
		case deep && member == "":
			return nil, fmt.Errorf("field %q: the member's name is empty", key)
		}
		r := rule{path: []string{field}}
		if deep {
			r.path = append(r.path, member)
		}
		value := fields[key]
		switch {
		case strings.HasPrefix(value, "$$"):
			r.constant = value[1:]
		case strings.HasPrefix(value, "$"):
			place, err := parsePlace(value)
			if err != nil {
				return nil, fmt.Errorf("field %q: %w", key, err)
			}
			r.place, r.isPlace = place, true
		default:
			r.constant = value
		}
		m.rules = append(m.rules, r)
	}
	if _, ok := fields[required]; !ok {
		return nil, fmt.Errorf("field %q is required: say where it is, or give a constant", required)
	}
	return m, nil
}

func parsePlace(s string) ([]step, error) {
	var out []step
	for rest := s[1:]; rest != ""; {
		switch rest[0] {
		case '.':
			rest = rest[1:]
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				return nil, fmt.Errorf("place %q: a name is empty", s)
			}
			out = append(out, step{name: rest[:n]})
			rest = rest[n:]
		case '[':
			n := strings.IndexByte(rest, ']')
			if n < 0 {
				return nil, fmt.Errorf("place %q: ']' is missing", s)
			}
			inside := rest[1:n]
			rest = rest[n+1:]
			if len(inside) >= 2 && (inside[0] == '\'' || inside[0] == '"') && inside[len(inside)-1] == inside[0] {
				out = append(out, step{name: inside[1 : len(inside)-1]})
				continue
			}
			i, err := strconv.Atoi(inside)
			if err != nil {
				return nil, fmt.Errorf("place %q: %q is neither a number nor a quoted name", s, inside)
			}
			out = append(out, step{index: i, list: true})
		default:
			return nil, fmt.Errorf("place %q: want '.' or '[' before %q", s, rest)
		}
	}
	return out, nil
}

// apply makes a record of a line.
func (m *mapping) apply(line []byte) ([]byte, error) {
	if len(m.rules) == 0 {
		return line, nil
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber() // Numbers go through as they are written.
	var in any
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("line is not JSON: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("line is not JSON: something follows its value at byte %d", dec.InputOffset())
	}
	out := map[string]any{}
	for i := range m.rules {
		r := &m.rules[i]
		var value any = r.constant
		if r.isPlace {
			var ok bool
			if value, ok = find(in, r.place); !ok {
				continue
			}
		}
		if len(r.path) == 1 {
			set(out, r.path[0], value)
			continue
		}
		group, ok := out[r.path[0]].(map[string]any)
		if !ok {
			group = map[string]any{}
			out[r.path[0]] = group
		}
		group[r.path[1]] = value
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return data, nil
}

// set sets a field. Members that have a rule of their own are added to it: rules
// are sorted, so these come after.
func set(out map[string]any, field string, value any) {
	if group, ok := value.(map[string]any); ok {
		value = maps.Clone(group) // The line may be used in several places.
	}
	out[field] = value
}

func find(v any, place []step) (any, bool) {
	for _, s := range place {
		if s.list {
			list, ok := v.([]any)
			i := s.index
			if i < 0 {
				i += len(list)
			}
			if !ok || i < 0 || i >= len(list) {
				return nil, false
			}
			v = list[i]
			continue
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = object[s.name]; !ok {
			return nil, false
		}
	}
	return v, true
}
