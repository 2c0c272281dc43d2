package decode

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/modelwatch/modelwatch/ai"
)

// Bits of the fields that a record has had.
const (
	fieldService = 1 << iota
	fieldModel
	fieldVersion
	fieldEndpoint
	fieldTimestamp
	fieldRequestID
	fieldDuration
	fieldStatus
	fieldError
	fieldFeatures
	fieldPrediction
	fieldProbabilities
	fieldTokens
	fieldFirstToken
	fieldTags
	fieldLabel
)

// wrong is a value of another type than its field has.
func wrong(field, want string) error { return &ai.FieldError{Field: field, Problem: "is not " + want} }

// record reads one object at the scanner's place as an inference. It returns
// false where the text is not JSON; a bad field rejects the record, and the rest
// of it is only checked.
func (d *Decoder) record(index int) bool {
	s := &d.s
	if s.peek() != '{' {
		if !s.skip(0) {
			return false
		}
		d.reject(index, ReasonField, errNotObject)
		return true
	}
	s.i++
	nf, nc := len(d.features), len(d.classes)
	d.Records = append(d.Records, ai.Inference{})
	inf := &d.Records[len(d.Records)-1]
	var bad error
	var stamp time.Time
	seen := 0
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			break
		}
		if !more {
			break
		}
		key, ok := d.readText()
		if !ok {
			break
		}
		field := inferenceField(key)
		if !s.colon() {
			break
		}
		if bad != nil || field == 0 {
			if !s.skip(1) {
				break
			}
			continue
		}
		if seen&field != 0 {
			bad = &ai.FieldError{Field: string(key), Problem: "is given twice"}
			if !s.skip(1) {
				break
			}
			continue
		}
		seen |= field
		if s.peek() == 'n' {
			if !s.literal("null") {
				break
			}
			continue // Null is not given.
		}
		if bad, ok = d.field(inf, field, &stamp); !ok {
			break
		}
	}
	if s.err != nil {
		d.undo(nf, nc)
		return false
	}
	reason := ReasonField
	switch {
	case bad != nil:
	case inf.Model == "":
		bad = &ai.FieldError{Field: "model", Problem: "is required"}
	case stamp.IsZero():
		inf.Timestamp = d.lim.Arrival
	default:
		inf.Timestamp = stamp
		if why, err := d.checkTime(stamp); err != nil {
			reason, bad = why, err
		}
	}
	if bad != nil {
		d.undo(nf, nc)
		d.reject(index, reason, bad)
		return true
	}
	if inf.Service == "" {
		inf.Service = DefaultService
	}
	return true
}

var errNotObject = errors.New("record is not an object: want {\"model\": …}")

// undo takes the last record back.
func (d *Decoder) undo(features, classes int) {
	d.Records[len(d.Records)-1] = ai.Inference{}
	d.Records = d.Records[:len(d.Records)-1]
	clear(d.features[features:])
	d.features, d.classes = d.features[:features], d.classes[:classes]
}

func inferenceField(key []byte) int {
	switch string(key) {
	case "service":
		return fieldService
	case "model":
		return fieldModel
	case "model_version":
		return fieldVersion
	case "endpoint":
		return fieldEndpoint
	case "timestamp":
		return fieldTimestamp
	case "request_id":
		return fieldRequestID
	case "duration_seconds":
		return fieldDuration
	case "status_code":
		return fieldStatus
	case "error":
		return fieldError
	case "features":
		return fieldFeatures
	case "prediction":
		return fieldPrediction
	case "probabilities":
		return fieldProbabilities
	case "tokens":
		return fieldTokens
	case "time_to_first_token_seconds":
		return fieldFirstToken
	case "tags":
		return fieldTags
	}
	return 0
}

// field reads the value of one field. ok is false where it is not JSON.
func (d *Decoder) field(inf *ai.Inference, field int, stamp *time.Time) (bad error, ok bool) {
	before := &ai.Inference{}
	if n := len(d.Records); n > 1 {
		before = &d.Records[n-2]
	}
	switch field {
	case fieldService:
		return d.name("service", &inf.Service, before.Service)
	case fieldModel:
		return d.name("model", &inf.Model, before.Model)
	case fieldVersion:
		return d.name("model_version", &inf.ModelVersion, before.ModelVersion)
	case fieldEndpoint:
		return d.name("endpoint", &inf.Endpoint, before.Endpoint)
	case fieldTimestamp:
		return d.timestamp(stamp)
	case fieldRequestID:
		return d.freeText("request_id", &inf.RequestID, ai.MaxRequestIDLength)
	case fieldDuration:
		return d.seconds("duration_seconds", &inf.DurationSeconds)
	case fieldStatus:
		return d.status(&inf.StatusCode)
	case fieldError:
		return d.freeText("error", &inf.Error, ai.MaxTextLength)
	case fieldFeatures:
		return d.readFeatures(inf)
	case fieldPrediction:
		return d.answer("prediction", &inf.Prediction)
	case fieldProbabilities:
		return d.probabilities(inf)
	case fieldTokens:
		return d.tokens(&inf.Tokens)
	case fieldFirstToken:
		return d.seconds("time_to_first_token_seconds", &inf.TimeToFirstTokenSeconds)
	default:
		return d.readTags(inf)
	}
}

// name reads a name, which mostly is that of the record before.
func (d *Decoder) name(field string, out *string, before string) (error, bool) {
	if d.s.peek() != '"' {
		return wrong(field, "a string"), d.s.skip(1)
	}
	b, ok := d.readText()
	if !ok {
		return nil, false
	}
	if string(b) == before {
		*out = before
		return nil, true
	}
	s, problem := d.names.get(b)
	if problem != "" {
		return &ai.FieldError{Field: field, Problem: problem}, true
	}
	*out = s
	return nil, true
}

func (d *Decoder) freeText(field string, out *string, limit int) (error, bool) {
	if d.s.peek() != '"' {
		return wrong(field, "a string"), d.s.skip(1)
	}
	b, ok := d.readText()
	if !ok {
		return nil, false
	}
	if p := checkText(b, limit); p != "" {
		return &ai.FieldError{Field: field, Problem: p}, true
	}
	*out = d.text(b)
	return nil, true
}

func (d *Decoder) seconds(field string, out *float64) (error, bool) {
	if !isNumber(d.s.peek()) {
		return wrong(field, "a number"), d.s.skip(1)
	}
	x, inRange, ok := d.s.number()
	if !ok {
		return nil, false
	}
	switch {
	case !inRange:
		return &ai.FieldError{Field: field, Problem: "is out of range"}, true
	case x < 0:
		return &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v is negative", x)}, true
	case x > ai.MaxDuration:
		return &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v seconds is over a week: give seconds, not milliseconds", x)}, true
	}
	*out = x + 0 // Not -0.
	return nil, true
}

func (d *Decoder) status(out *int) (error, bool) {
	if !isNumber(d.s.peek()) {
		return wrong("status_code", "a number"), d.s.skip(1)
	}
	x, _, ok := d.s.number()
	if !ok {
		return nil, false
	}
	if x != 0 && !(x >= 100 && x <= 999 && x == math.Trunc(x)) {
		return &ai.FieldError{Field: "status_code", Problem: fmt.Sprintf("%v is not an HTTP status (100 to 999)", x)}, true
	}
	*out = int(x)
	return nil, true
}

func isNumber(c byte) bool { return c-'0' <= 9 || c == '-' }

// timestamp reads an RFC 3339 text or Unix seconds.
func (d *Decoder) timestamp(out *time.Time) (error, bool) {
	c := d.s.peek()
	if isNumber(c) {
		start := d.s.i
		x, inRange, ok := d.s.number()
		if !ok {
			return nil, false
		}
		t, good := unixTime(d.s.b[start:d.s.i], x)
		if !inRange || !good {
			return &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf("%v is not a time in Unix seconds", x)}, true
		}
		*out = t
		return nil, true
	}
	if c != '"' {
		return wrong("timestamp", "an RFC 3339 text or a number of Unix seconds"), d.s.skip(1)
	}
	b, ok := d.readText()
	if !ok {
		return nil, false
	}
	if len(b) == 0 {
		return nil, true
	}
	t, err := time.Parse(time.RFC3339, unsafe.String(&b[0], len(b)))
	if err != nil {
		return &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf("%q is not RFC 3339, such as 2006-01-02T15:04:05.999Z", clip(b))}, true
	}
	*out = t.UTC()
	return nil, true
}

// unixTime is the time of a number of seconds since 1970, from its digits where
// it is written plainly, so that nothing is lost by rounding.
func unixTime(digits []byte, x float64) (time.Time, bool) {
	if !(math.Abs(x) < 1e15) {
		return time.Time{}, false
	}
	negative := digits[0] == '-'
	var sec, ns int64
	i := 0
	if negative {
		i++
	}
	for ; i < len(digits) && digits[i] != '.'; i++ {
		if digits[i]-'0' > 9 {
			whole := math.Floor(x) // With an exponent.
			return time.Unix(int64(whole), int64((x-whole)*1e9)).UTC(), true
		}
		sec = sec*10 + int64(digits[i]-'0')
	}
	scale := int64(1e8)
	for i++; i < len(digits); i++ {
		if digits[i]-'0' > 9 {
			whole := math.Floor(x)
			return time.Unix(int64(whole), int64((x-whole)*1e9)).UTC(), true
		}
		ns += int64(digits[i]-'0') * scale
		scale /= 10
	}
	if negative {
		sec, ns = -sec, -ns
	}
	return time.Unix(sec, ns).UTC(), true
}

func (d *Decoder) tokens(out *ai.Tokens) (error, bool) {
	s := &d.s
	if s.peek() != '{' {
		return wrong("tokens", `an object {"input": …, "output": …}`), s.skip(1)
	}
	s.i++
	var bad error
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok || !more {
			return bad, ok
		}
		key, ok := d.readText()
		if !ok {
			return nil, false
		}
		var into *uint64
		field := ""
		switch string(key) {
		case "input":
			into, field = &out.Input, "tokens.input"
		case "output":
			into, field = &out.Output, "tokens.output"
		}
		if !s.colon() {
			return nil, false
		}
		if c := s.peek(); into == nil || bad != nil || !isNumber(c) {
			if into != nil && bad == nil && c != 'n' {
				bad = wrong(field, "a number")
			}
			if !s.skip(2) {
				return nil, false
			}
			continue
		}
		x, _, ok := s.number()
		if !ok {
			return nil, false
		}
		if !(x >= 0 && x <= 1<<53 && x == math.Trunc(x)) {
			bad = &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v is not a count", x)}
			continue
		}
		*into = uint64(x)
	}
}

func (d *Decoder) probabilities(inf *ai.Inference) (error, bool) {
	s := &d.s
	if s.peek() != '{' {
		return wrong("probabilities", "an object of numbers by class"), s.skip(1)
	}
	s.i++
	begin := len(d.classes)
	var bad error
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return nil, false
		}
		if !more {
			break
		}
		key, ok := d.readText()
		if !ok {
			return nil, false
		}
		name, problem := d.names.get(key)
		if problem != "" && bad == nil {
			bad = &ai.FieldError{Field: "probabilities." + clip(key), Problem: problem}
		}
		if !s.colon() {
			return nil, false
		}
		if bad == nil && !isNumber(s.peek()) {
			bad = wrong("probabilities."+name, "a number")
		}
		if bad != nil {
			if !s.skip(2) {
				return nil, false
			}
			continue
		}
		x, inRange, ok := s.number()
		if !ok {
			return nil, false
		}
		if !inRange || !(x >= 0 && x <= 1) {
			bad = &ai.FieldError{Field: "probabilities." + name, Problem: fmt.Sprintf("%v is not a probability (0 to 1)", x)}
			continue
		}
		d.classes = append(d.classes, ai.ClassProbability{Class: name, P: x})
	}
	if bad != nil {
		return bad, true
	}
	list := d.classes[begin:len(d.classes):len(d.classes)]
	if len(list) > ai.MaxProbabilities {
		return &ai.FieldError{Field: "probabilities", Problem: fmt.Sprintf("%d classes, the limit is %d", len(list), ai.MaxProbabilities)}, true
	}
	if name, twice := d.classTwice(list); twice {
		return &ai.FieldError{Field: "probabilities." + name, Problem: "is given twice"}, true
	}
	if len(list) > 0 {
		inf.Probabilities = list
	}
	return nil, true
}

func (d *Decoder) classTwice(list []ai.ClassProbability) (string, bool) {
	if len(list) <= 8 {
		for i := range list {
			for j := range i {
				if list[i].Class == list[j].Class {
					return list[i].Class, true
				}
			}
		}
		return "", false
	}
	clear(d.seen)
	for i := range list {
		d.seen[list[i].Class] = struct{}{}
		if len(d.seen) != i+1 {
			return list[i].Class, true
		}
	}
	return "", false
}

// readTags reads an object of strings. Records mostly have the tags of the one
// before, and then share its map.
func (d *Decoder) readTags(inf *ai.Inference) (error, bool) {
	s := &d.s
	if s.peek() != '{' {
		return wrong("tags", "an object of strings"), s.skip(1)
	}
	start := s.i
	if !s.skip(1) {
		return nil, false
	}
	raw := s.b[start:s.i]
	if d.tags != nil && string(raw) == string(d.tagRaw) {
		inf.Tags = d.tags
		return nil, true
	}
	end := s.i
	s.i = start + 1
	tags := map[string]string{}
	for first := true; ; first = false {
		more, _ := s.next('}', first)
		if !more {
			break
		}
		key, _ := d.readText()
		name, problem := d.names.get(key)
		if problem != "" {
			s.i = end
			return &ai.FieldError{Field: "tags." + clip(key), Problem: problem}, true
		}
		s.colon()
		if s.peek() != '"' {
			s.i = end
			return wrong("tags."+name, "a string"), true
		}
		b, _ := d.readText()
		if p := checkText(b, ai.MaxTextLength); p != "" {
			s.i = end
			return &ai.FieldError{Field: "tags." + name, Problem: p}, true
		}
		tags[name] = d.text(b)
	}
	if len(tags) > ai.MaxTags {
		return &ai.FieldError{Field: "tags", Problem: fmt.Sprintf("%d tags, the limit is %d", len(tags), ai.MaxTags)}, true
	}
	if len(tags) == 0 {
		return nil, true
	}
	d.tags, d.tagRaw = tags, append(d.tagRaw[:0], raw...)
	inf.Tags = tags
	return nil, true
}
