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
		if ok, bad = d.field(inf, field, &stamp); !ok {
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
func (d *Decoder) field(inf *ai.Inference, field int, stamp *time.Time) (bool, error) {
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
func (d *Decoder) name(field string, out *string, before string) (bool, error) {
	if d.s.peek() != '"' {
		return d.s.skip(1), wrong(field, "a string")
	}
	b, ok := d.readText()
	if !ok {
		return false, nil
	}
	if string(b) == before {
		*out = before
		return true, nil
	}
	s, problem := d.names.get(b)
	if problem != "" {
		return true, &ai.FieldError{Field: field, Problem: problem}
	}
	*out = s
	return true, nil
}

func (d *Decoder) freeText(field string, out *string, limit int) (bool, error) {
	if d.s.peek() != '"' {
		return d.s.skip(1), wrong(field, "a string")
	}
	b, ok := d.readText()
	if !ok {
		return false, nil
	}
	if p := checkText(b, limit); p != "" {
		return true, &ai.FieldError{Field: field, Problem: p}
	}
	*out = d.text(b)
	return true, nil
}

func (d *Decoder) seconds(field string, out *float64) (bool, error) {
	if !isNumber(d.s.peek()) {
		return d.s.skip(1), wrong(field, "a number")
	}
	x, inRange, ok := d.s.number()
	if !ok {
		return false, nil
	}
	switch {
	case !inRange:
		return true, &ai.FieldError{Field: field, Problem: "is out of range"}
	case x < 0:
		return true, &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v is negative", x)}
	case x > ai.MaxDuration:
		return true, &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v seconds is over a week: give seconds, not milliseconds", x)}
	}
	*out = x + 0 // Not -0.
	return true, nil
}

func (d *Decoder) status(out *int) (bool, error) {
	if !isNumber(d.s.peek()) {
		return d.s.skip(1), wrong("status_code", "a number")
	}
	x, _, ok := d.s.number()
	if !ok {
		return false, nil
	}
	if x != 0 && !(x >= 100 && x <= 999 && x == math.Trunc(x)) {
		return true, &ai.FieldError{Field: "status_code", Problem: fmt.Sprintf("%v is not an HTTP status (100 to 999)", x)}
	}
	*out = int(x)
	return true, nil
}

func isNumber(c byte) bool { return c-'0' <= 9 || c == '-' }

// timestamp reads an RFC 3339 text or Unix seconds.
func (d *Decoder) timestamp(out *time.Time) (bool, error) {
	c := d.s.peek()
	if isNumber(c) {
		start := d.s.i
		x, inRange, ok := d.s.number()
		if !ok {
			return false, nil
		}
		t, good := unixTime(d.s.b[start:d.s.i], x)
		if !inRange || !good {
			return true, &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf("%v is not a time in Unix seconds", x)}
		}
		*out = t
		return true, nil
	}
	if c != '"' {
		return d.s.skip(1), wrong("timestamp", "an RFC 3339 text or a number of Unix seconds")
	}
	b, ok := d.readText()
	if !ok {
		return false, nil
	}
	if len(b) == 0 {
		return true, nil
	}
	t, err := time.Parse(time.RFC3339, unsafe.String(&b[0], len(b)))
	if err != nil {
		return true, &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf("%q is not RFC 3339, such as 2006-01-02T15:04:05.999Z", clip(b))}
	}
	*out = t.UTC()
	return true, nil
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

func (d *Decoder) tokens(out *ai.Tokens) (bool, error) {
	s := &d.s
	if s.peek() != '{' {
		return s.skip(1), wrong("tokens", `an object {"input": …, "output": …}`)
	}
	s.i++
	var bad error
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok || !more {
			return ok, bad
		}
		key, ok := d.readText()
		if !ok {
			return false, nil
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
			return false, nil
		}
		if c := s.peek(); into == nil || bad != nil || !isNumber(c) {
			if into != nil && bad == nil && c != 'n' {
				bad = wrong(field, "a number")
			}
			if !s.skip(2) {
				return false, nil
			}
			continue
		}
		x, _, ok := s.number()
		if !ok {
			return false, nil
		}
		if !(x >= 0 && x <= 1<<53 && x == math.Trunc(x)) {
			bad = &ai.FieldError{Field: field, Problem: fmt.Sprintf("%v is not a count", x)}
			continue
		}
		*into = uint64(x)
	}
}

func (d *Decoder) probabilities(inf *ai.Inference) (bool, error) {
	s := &d.s
	if s.peek() != '{' {
		return s.skip(1), wrong("probabilities", "an object of numbers by class")
	}
	s.i++
	begin := len(d.classes)
	var bad error
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return false, nil
		}
		if !more {
			break
		}
		key, ok := d.readText()
		if !ok {
			return false, nil
		}
		name, problem := d.names.get(key)
		if problem != "" && bad == nil {
			bad = &ai.FieldError{Field: "probabilities." + clip(key), Problem: problem}
		}
		if !s.colon() {
			return false, nil
		}
		if bad == nil && !isNumber(s.peek()) {
			bad = wrong("probabilities."+name, "a number")
		}
		if bad != nil {
			if !s.skip(2) {
				return false, nil
			}
			continue
		}
		x, inRange, ok := s.number()
		if !ok {
			return false, nil
		}
		if !inRange || !(x >= 0 && x <= 1) {
			bad = &ai.FieldError{Field: "probabilities." + name, Problem: fmt.Sprintf("%v is not a probability (0 to 1)", x)}
			continue
		}
		d.classes = append(d.classes, ai.ClassProbability{Class: name, P: x})
	}
	if bad != nil {
		return true, bad
	}
	list := d.classes[begin:len(d.classes):len(d.classes)]
	if len(list) > ai.MaxProbabilities {
		return true, &ai.FieldError{Field: "probabilities", Problem: fmt.Sprintf("%d classes, the limit is %d", len(list), ai.MaxProbabilities)}
	}
	if name, twice := d.classTwice(list); twice {
		return true, &ai.FieldError{Field: "probabilities." + name, Problem: "is given twice"}
	}
	if len(list) > 0 {
		inf.Probabilities = list
	}
	return true, nil
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
func (d *Decoder) readTags(inf *ai.Inference) (bool, error) {
	s := &d.s
	if s.peek() != '{' {
		return s.skip(1), wrong("tags", "an object of strings")
	}
	start := s.i
	if !s.skip(1) {
		return false, nil
	}
	raw := s.b[start:s.i]
	if d.tags != nil && string(raw) == string(d.tagRaw) {
		inf.Tags = d.tags
		return true, nil
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
			return true, &ai.FieldError{Field: "tags." + clip(key), Problem: problem}
		}
		s.colon()
		if s.peek() != '"' {
			s.i = end
			return true, wrong("tags."+name, "a string")
		}
		b, _ := d.readText()
		if p := checkText(b, ai.MaxTextLength); p != "" {
			s.i = end
			return true, &ai.FieldError{Field: "tags." + name, Problem: p}
		}
		tags[name] = d.text(b)
	}
	if len(tags) > ai.MaxTags {
		return true, &ai.FieldError{Field: "tags", Problem: fmt.Sprintf("%d tags, the limit is %d", len(tags), ai.MaxTags)}
	}
	if len(tags) == 0 {
		return true, nil
	}
	d.tags, d.tagRaw = tags, append(d.tagRaw[:0], raw...)
	inf.Tags = tags
	return true, nil
}
