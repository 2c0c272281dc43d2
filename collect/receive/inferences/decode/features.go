package decode

import (
	"fmt"

	"github.com/modelwatch/modelwatch/ai"
)

// readFeatures reads the object of features. As a rule a record has the features
// of the one before in the same order: then names are compared, not looked up.
func (d *Decoder) readFeatures(inf *ai.Inference) (bool, error) {
	s := &d.s
	if s.peek() != '{' {
		return s.skip(1), wrong("features", "an object")
	}
	s.i++
	begin := len(d.features)
	var bad error
	sh := d.shape
	known := true // So far the names are those of sh.
	n := 0
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return false, nil
		}
		if !more {
			break
		}
		name := ""
		if known && sh != nil && n < len(sh.names) && sh.plain[n] && s.peek() == '"' {
			want := sh.names[n]
			if end := s.i + 1 + len(want); end < len(s.b) && s.b[end] == '"' && string(s.b[s.i+1:end]) == want {
				name = want
				s.i = end + 1
			}
		}
		if name == "" {
			key, ok := d.readText()
			if !ok {
				return false, nil
			}
			var problem string
			name, problem = d.featureName(key)
			if problem != "" && bad == nil {
				bad = &ai.FieldError{Field: "features." + clip(key), Problem: problem}
			}
			if n == 0 && bad == nil {
				sh = d.byFirst[name]
			}
			known = known && sh != nil && n < len(sh.names) && sh.names[n] == name
		}
		if !s.colon() {
			return false, nil
		}
		if bad != nil {
			if !s.skip(2) {
				return false, nil
			}
			continue
		}
		var v ai.Value
		if v, ok, bad = d.featureValue(name); !ok {
			return false, nil
		}
		d.features = append(d.features, ai.Feature{Name: name, Value: v})
		n++
	}
	if bad != nil {
		return true, bad
	}
	list := d.features[begin:len(d.features):len(d.features)]
	if len(list) > ai.MaxFeatures {
		return true, &ai.FieldError{Field: "features", Problem: fmt.Sprintf("%d features, the limit is %d", len(list), ai.MaxFeatures)}
	}
	if len(list) == 0 {
		return true, nil
	}
	inf.Features = list
	if known {
		d.shape = sh
		return true, nil
	}
	return true, d.learn(list)
}

// featureName returns the name of a feature, or a problem with it.
func (d *Decoder) featureName(key []byte) (name, problem string) {
	if len(key) == 0 {
		return "", "a feature has an empty name"
	}
	if key[0] == '@' {
		return "", "names that start with '@' are kept for predictions"
	}
	return d.names.get(key)
}

// maxShapes bounds the memory of shapes; past it they are learnt anew.
const maxShapes = 1024

// learn keeps the names of a list of features, which may not repeat.
func (d *Decoder) learn(list []ai.Feature) error {
	sh := &shape{names: make([]string, len(list)), plain: make([]bool, len(list))}
	clear(d.seen)
	for i := range list {
		name := list[i].Name
		d.seen[name] = struct{}{}
		if len(d.seen) != i+1 {
			return &ai.FieldError{Field: "features." + name, Problem: "is given twice"}
		}
		sh.names[i], sh.plain[i] = name, true
		for j := range len(name) {
			if c := name[j]; c < ' ' || c == '"' || c == '\\' {
				sh.plain[i] = false
			}
		}
	}
	if len(d.byFirst) >= maxShapes {
		clear(d.byFirst)
	}
	d.byFirst[sh.names[0]] = sh
	d.shape = sh
	return nil
}

// featureValue reads the value of a feature.
func (d *Decoder) featureValue(name string) (v ai.Value, ok bool, bad error) {
	s := &d.s
	switch c := s.peek(); {
	case isNumber(c):
		x, inRange, ok := s.number()
		if !inRange && ok {
			bad = &ai.FieldError{Field: "features." + name, Problem: "is out of range"}
		}
		return ai.Number(x), ok, bad
	case c == '"':
		b, ok := d.readText()
		if !ok {
			return v, false, nil
		}
		if p := checkText(b, ai.MaxTextLength); p != "" {
			return v, true, &ai.FieldError{Field: "features." + name, Problem: p}
		}
		return ai.String(d.category(b)), true, nil
	case c == 't':
		return ai.Bool(true), s.literal("true"), nil
	case c == 'f':
		return ai.Bool(false), s.literal("false"), nil
	case c == 'n':
		return v, s.literal("null"), nil
	case c == '[':
		v, problem, ok := d.list()
		if problem != "" {
			bad = &ai.FieldError{Field: "features." + name, Problem: problem}
		}
		return v, ok, bad
	default:
		return v, s.skip(2), wrong("features."+name, "a number, a string, a boolean, null or a list of numbers")
	}
}

// list reads a list of numbers. A problem is a list that is something else.
func (d *Decoder) list() (v ai.Value, problem string, ok bool) {
	s := &d.s
	s.i++
	d.vec = d.vec[:0]
	for first := true; ; first = false {
		more, ok := s.next(']', first)
		if !ok {
			return v, "", false
		}
		if !more {
			break
		}
		if problem != "" || !isNumber(s.peek()) {
			if problem == "" {
				problem = fmt.Sprintf("element %d of the list is not a number: only lists of numbers are values", len(d.vec))
			}
			if !s.skip(3) {
				return v, "", false
			}
			continue
		}
		x, inRange, ok := s.number()
		if !ok {
			return v, "", false
		}
		if !inRange {
			problem = fmt.Sprintf("element %d of the list is out of range", len(d.vec))
		}
		d.vec = append(d.vec, x)
	}
	if len(d.vec) > ai.MaxVectorDim && problem == "" {
		problem = fmt.Sprintf("%d elements, the limit is %d", len(d.vec), ai.MaxVectorDim)
	}
	if problem != "" {
		return v, problem, true
	}
	return d.vector(d.vec), "", true
}

// answer reads a prediction or a label: a value, or a list of anything, of which
// the JSON text then stands for it.
func (d *Decoder) answer(field string, out *ai.Value) (bool, error) {
	s := &d.s
	switch c := s.peek(); {
	case isNumber(c):
		x, inRange, ok := s.number()
		if !inRange && ok {
			return true, &ai.FieldError{Field: field, Problem: "is out of range"}
		}
		*out = ai.Number(x)
		return ok, nil
	case c == '"':
		b, ok := d.readText()
		if !ok {
			return false, nil
		}
		if p := checkText(b, ai.MaxTextLength); p != "" {
			return true, &ai.FieldError{Field: field, Problem: p}
		}
		*out = ai.String(d.category(b))
		return true, nil
	case c == 't':
		*out = ai.Bool(true)
		return s.literal("true"), nil
	case c == 'f':
		*out = ai.Bool(false)
		return s.literal("false"), nil
	case c == '[':
		start := s.i
		v, problem, ok := d.list()
		if !ok {
			return false, nil
		}
		if problem == "" {
			*out = v
			return true, nil
		}
		raw := s.b[start:s.i]
		if p := checkText(raw, ai.MaxTextLength); p != "" {
			return true, &ai.FieldError{Field: field, Problem: p}
		}
		*out = ai.String(d.text(raw))
		return true, nil
	default:
		return s.skip(2), wrong(field, "a number, a string, a boolean or a list")
	}
}
