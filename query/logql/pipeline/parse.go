package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/logs/scan"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// wanted says which labels a parser extracts.
type wanted struct {
	all   bool
	names []string
	// stop is true if the parser may stop once it has all names.
	stop bool
	// strict is true if values that are not wanted must be valid too.
	strict bool
}

func (w *wanted) has(name string) bool { return w.all || slices.Contains(w.names, name) }

// add adds a parsed label if it is wanted.
func (w *wanted) add(e *entry, name, value string) {
	if w.all {
		e.add(name, value)
	} else if name = e.parsedName(name); slices.Contains(w.names, name) && find(e.parsed, name) < 0 {
		e.parsed = append(e.parsed, Pair{name, value})
	}
}

// compileParser makes a parser stage, or nil if none of its labels nor its errors can be seen.
func compileParser(s *syntax.Parser, need *Need) (maker, error) {
	w := wanted{all: need.All, names: slices.Clone(need.Names), strict: !need.Partial}
	w.names = slices.DeleteFunc(w.names, func(n string) bool { return n == syntax.ErrorLabel || n == syntax.ErrorDetailsLabel })
	w.stop = need.Partial && !need.All && !need.errors() && len(w.names) > 0
	if need.Partial && !need.All && !need.errors() && len(w.names) == 0 && s.Kind != syntax.ParseUnpack {
		return nil, nil
	}
	need.Line = true
	switch s.Kind {
	case syntax.ParseJSON:
		if len(s.Fields) > 0 {
			return newJSONFields(s.Fields, w, need.Partial)
		}
		return func() stage { return &jsonParser{want: w} }, nil
	case syntax.ParseLogfmt:
		return func() stage { return &logfmtParser{want: w, strict: s.Strict, empty: s.KeepEmpty, fields: s.Fields} }, nil
	case syntax.ParseRegexp:
		re, err := regexp.Compile(s.Param)
		if err != nil {
			return nil, err
		}
		return shared(&regexpParser{re: re, names: re.SubexpNames(), want: w}), nil
	case syntax.ParsePattern:
		return shared(&patternParser{parts: syntax.ParsePatternParts(s.Param), want: w}), nil
	case syntax.ParseUnpack:
		return shared(&unpackParser{want: w}), nil
	}
	return nil, fmt.Errorf("unknown parser %q", s.Kind)
}

// jsonParser flattens the object in the line into labels.
type jsonParser struct {
	want  wanted
	found int
	// names are those that the last stream does not have, which is when a parsed one can have them.
	names  []string
	stream *Stream
	visit  func(key string, v scan.Value) error // top, made once
	e      *entry
}

func (p *jsonParser) process(e *entry) bool {
	var err error
	if p.want.all {
		err = p.members(e, e.line, "")
	} else {
		if p.stream != e.stream {
			p.prepare(e.stream)
		}
		p.e, p.found = e, 0
		err = scan.Members(e.line, p.visit)
	}
	if err != nil {
		e.fail(errJSON, err.Error())
	}
	return true
}

// members adds all members of an object.
func (p *jsonParser) members(e *entry, object, parent string) error {
	return scan.Members(object, func(key string, v scan.Value) error {
		switch v.Kind {
		case scan.Array, scan.Null:
			return nil
		case scan.Object:
			return p.members(e, v.Raw, scan.Nested(parent, key))
		}
		name := scan.Nested(parent, key)
		if name == "" {
			return nil
		}
		text, err := v.Text()
		if err != nil {
			return err
		}
		e.add(name, text)
		return nil
	})
}

// prepare works out which keys can give a wanted label on entries of a stream.
func (p *jsonParser) prepare(s *Stream) {
	p.stream = s
	p.names = p.names[:0]
	for _, n := range p.want.names {
		if find(s.pairs, n) < 0 {
			p.names = append(p.names, n)
		}
		// What the stream or the metadata has already is extracted under another name.
		if base, ok := strings.CutSuffix(n, extracted); ok {
			p.names = append(p.names, base)
		}
	}
	if p.visit == nil {
		p.visit = func(key string, v scan.Value) error { return p.member("", key, v) }
	}
}

func (p *jsonParser) nested(name string, v scan.Value) error {
	err := scan.Members(v.Raw, func(key string, v scan.Value) error { return p.member(name, key, v) })
	if err == nil && p.want.stop && p.found == len(p.names) {
		return scan.ErrStop
	}
	return err
}

// member looks at one member for the wanted labels.
func (p *jsonParser) member(parent, key string, v scan.Value) error {
	switch v.Kind {
	case scan.Array, scan.Null:
		return nil
	case scan.Object:
		name := scan.Nested(parent, key)
		for _, n := range p.names {
			if name == "" || len(n) >= len(name)+1 && n[len(name)] == '_' && n[:len(name)] == name {
				return p.nested(name, v)
			}
		}
		if p.want.strict {
			return p.nested(name, v) // it may be broken inside
		}
		return nil
	}
	name := ""
	for _, n := range p.names {
		if parent == "" {
			if key == n {
				name = n
				break
			}
			// A name is at most one longer than its key.
			if len(key)+1 < len(n) {
				continue
			}
		}
		if scan.Nested(parent, key) == n {
			name = n
			break
		}
	}
	if name == "" {
		if p.want.strict && v.Escaped {
			_, err := v.Text()
			return err
		}
		return nil
	}
	text, err := v.Text()
	if err != nil {
		return err
	}
	before := len(p.e.parsed)
	p.want.add(p.e, name, text)
	if len(p.e.parsed) > before && p.want.stop {
		if p.found++; p.found == len(p.names) {
			return scan.ErrStop
		}
	}
	return nil
}

// jsonFields extracts values by their paths.
type jsonFields struct {
	fields []jsonField
}

type jsonField struct {
	label string
	path  []syntax.PathStep
}

func newJSONFields(fields []syntax.Field, w wanted, partial bool) (maker, error) {
	p := &jsonFields{}
	for _, f := range fields {
		if partial && !w.has(f.Label) && !w.has(f.Label+extracted) {
			continue
		}
		path, err := syntax.ParseJSONPath(f.Path)
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, jsonField{f.Label, path})
	}
	return shared(p), nil
}

func (p *jsonFields) process(e *entry) bool {
	if e.line == "" {
		return true
	}
	if c := e.line[0]; c != '{' && c != '[' && c != '"' {
		e.fail(errJSON, "")
		return true
	}
	for _, f := range p.fields {
		v, found, err := lookup(e.line, f.path)
		text := ""
		if err == nil && found {
			text, err = v.Text()
		}
		if err != nil {
			e.fail(errJSON, err.Error())
			continue
		}
		if found {
			e.add(f.label, text)
		} else if _, ok := e.get(f.label); !ok {
			e.set(f.label, "")
		}
	}
	return true
}

// lookup follows a path into a JSON value.
func lookup(s string, path []syntax.PathStep) (v scan.Value, found bool, err error) {
	for _, step := range path {
		found = false
		if step.Index >= 0 {
			if s == "" || s[0] != '[' {
				return v, false, nil
			}
			v, found, err = scan.Element(s, step.Index)
		} else {
			if strings.TrimLeft(s, " \t\r\n") == "" || strings.TrimLeft(s, " \t\r\n")[0] != '{' {
				return v, false, nil
			}
			err = scan.Members(s, func(key string, w scan.Value) error {
				if key == step.Key {
					v, found = w, true
					return scan.ErrStop
				}
				return nil
			})
		}
		if err != nil || !found {
			return v, false, err
		}
		s = v.Raw
		if v.Kind == scan.String {
			s = ""
		}
	}
	return v, true, nil
}

// logfmtParser extracts pairs of key and value.
type logfmtParser struct {
	want          wanted
	strict, empty bool
	fields        []syntax.Field
	l             scan.Logfmt
}

func (p *logfmtParser) process(e *entry) bool {
	for _, f := range p.fields {
		if !e.taken(f.Label) && find(e.parsed, f.Label) < 0 && p.want.has(f.Label) {
			e.set(f.Label, "")
		}
	}
	found := 0
	p.l.Reset(e.line)
	for {
		if !p.l.Next() {
			if !p.l.Bad() {
				return true
			}
			if p.strict {
				e.fail(errLogfmt, p.l.Err().Error())
				return true
			}
			p.l.Skip()
			continue
		}
		if len(p.fields) > 0 {
			p.field(e)
			continue
		}
		if p.l.Value == "" && !p.empty {
			continue
		}
		name := p.l.Key
		if !p.want.all && !p.want.has(name) {
			if name = scan.LabelName(name); !p.want.has(name) && !p.want.has(name+extracted) {
				continue
			}
		} else {
			name = scan.LabelName(name)
		}
		if name == "" {
			continue
		}
		before := len(e.parsed)
		p.want.add(e, name, scan.Valid(p.l.Value))
		if p.want.stop && len(e.parsed) > before {
			if found++; found == len(p.want.names) {
				return true
			}
		}
	}
}

// field takes the pair for those of the wanted fields that name its key.
func (p *logfmtParser) field(e *entry) {
	for _, f := range p.fields {
		if f.Path != p.l.Key && f.Path != scan.LabelName(p.l.Key) {
			continue
		}
		name := e.parsedName(f.Label)
		if !p.want.has(name) {
			continue
		}
		if i := find(e.parsed, name); i < 0 || e.parsed[i].Value == "" {
			e.set(name, scan.Valid(p.l.Value))
		}
	}
}

// regexpParser extracts named groups.
type regexpParser struct {
	re    *regexp.Regexp
	names []string
	want  wanted
}

func (p *regexpParser) process(e *entry) bool {
	m := p.re.FindStringSubmatchIndex(e.line)
	for i := 2; i < len(m); i += 2 {
		if name := p.names[i/2]; name != "" {
			value := ""
			if m[i] >= 0 {
				value = e.line[m[i]:m[i+1]]
			}
			p.want.add(e, name, scan.Valid(value))
		}
	}
	return true
}

// patternParser extracts captures between literals. The first literal stands at the beginning of the line. A capture
// whose literal does not follow takes the rest of the line, and is the last.
type patternParser struct {
	parts []syntax.PatternPart
	want  wanted
}

func (p *patternParser) process(e *entry) bool {
	rest, parts := e.line, p.parts
	if rest == "" {
		return true
	}
	if !parts[0].Capture {
		var ok bool
		if rest, ok = strings.CutPrefix(rest, parts[0].Text); !ok {
			return true
		}
		parts = parts[1:]
	}
	for len(parts) > 0 {
		name, value, done := parts[0].Text, rest, true
		if len(parts) > 1 {
			if i := strings.Index(rest, parts[1].Text); i >= 0 {
				value, rest, done = rest[:i], rest[i+len(parts[1].Text):], false
			}
		}
		if name != "_" {
			p.want.add(e, name, scan.Valid(value))
		}
		if done || len(parts) <= 2 {
			return true
		}
		parts = parts[2:]
	}
	return true
}

// unpackParser takes apart what Promtail's pack stage put together: labels, and the line under _entry.
type unpackParser struct {
	want wanted
}

var errNotObject = errors.New("expecting json object(6), but it is not")

// packedLine is the key of the original line.
const packedLine = "_entry"

func (p *unpackParser) process(e *entry) bool {
	if e.line == "" {
		return true
	}
	if e.line[0] != '{' {
		e.fail(errJSON, errNotObject.Error())
		return true
	}
	var pairs []Pair
	line, packed := "", false
	err := scan.Members(e.line, func(key string, v scan.Value) error {
		if v.Kind != scan.String {
			return nil
		}
		text, err := v.Text()
		if err != nil {
			return err
		}
		if key == packedLine {
			line, packed = text, true
		} else {
			pairs = append(pairs, Pair{key, text})
		}
		return nil
	})
	if err != nil {
		e.fail(errJSON, err.Error())
		return true
	}
	if packed {
		for _, pr := range pairs {
			if name := scan.LabelName(pr.Name); name != "" {
				p.want.add(e, name, pr.Value)
			}
		}
		e.line = line
	}
	return true
}
