package decode

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/modelwatch/modelwatch/ai"
)

var arrival = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var limits = Limits{Arrival: arrival, Future: 10 * time.Minute, Age: 24 * time.Hour}

// member is a member of an object, in the order of the text.
type member struct {
	key   string
	value any // json.Number, string, bool, nil, []any or []member.
}

// tree reads JSON by encoding/json, keeping the order and repeated names.
func tree(dec *json.Decoder) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		out := []member{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := tree(dec)
			if err != nil {
				return nil, err
			}
			out = append(out, member{k.(string), v})
		}
		_, err := dec.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for dec.More() {
			v, err := tree(dec)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err := dec.Token()
		return out, err
	}
	return t, nil
}

// reference reads a record in the plainest way. ok is false if it is bad.
func reference(line []byte) (inf *ai.Inference, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	v, err := tree(dec)
	if err != nil {
		return nil, false
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, false
	}
	object, isObject := v.([]member)
	if !isObject {
		return nil, false
	}
	inf = &ai.Inference{}
	ok = true
	seen := map[string]bool{}
	number := func(v any) float64 {
		n, isNumber := v.(json.Number)
		x, err := strconv.ParseFloat(string(n), 64)
		ok = ok && isNumber && err == nil
		return x
	}
	text := func(v any) string {
		s, isText := v.(string)
		ok = ok && isText
		return s
	}
	value := func(v any, answer bool) ai.Value {
		switch v := v.(type) {
		case nil:
			return ai.Value{}
		case json.Number:
			return ai.Number(number(v))
		case string:
			return ai.String(v)
		case bool:
			return ai.Bool(v)
		case []any:
			x := []float64{}
			for _, e := range v {
				n, isNumber := e.(json.Number)
				f, err := strconv.ParseFloat(string(n), 64)
				if !isNumber || err != nil {
					ok = ok && answer
					return ai.String("any")
				}
				x = append(x, f)
			}
			if answer && len(x) > ai.MaxVectorDim {
				return ai.String("any")
			}
			return ai.Vector(x)
		}
		ok = false
		return ai.Value{}
	}
	members := func(v any) []member {
		m, isObject := v.([]member)
		ok = ok && isObject
		return m
	}
	count := func(v any) uint64 {
		if v == nil {
			return 0
		}
		x := number(v)
		ok = ok && x >= 0 && x <= 1<<53 && x == math.Trunc(x)
		return uint64(x)
	}
	var stamp time.Time
	for _, m := range object {
		if inferenceField([]byte(m.key)) == 0 {
			continue
		}
		if seen[m.key] {
			return nil, false
		}
		seen[m.key] = true
		if m.value == nil {
			continue
		}
		switch m.key {
		case "service":
			inf.Service = text(m.value)
		case "model":
			inf.Model = text(m.value)
		case "model_version":
			inf.ModelVersion = text(m.value)
		case "endpoint":
			inf.Endpoint = text(m.value)
		case "request_id":
			inf.RequestID = text(m.value)
		case "error":
			inf.Error = text(m.value)
		case "duration_seconds":
			inf.DurationSeconds = number(m.value) + 0
		case "time_to_first_token_seconds":
			inf.TimeToFirstTokenSeconds = number(m.value) + 0
		case "status_code":
			x := number(m.value)
			ok = ok && x == math.Trunc(x) && (x == 0 || x >= 100 && x <= 999)
			if ok {
				inf.StatusCode = int(x)
			}
		case "timestamp":
			if s, isText := m.value.(string); isText {
				if s == "" {
					break
				}
				t, err := time.Parse(time.RFC3339, s)
				ok = ok && err == nil
				stamp = t.UTC()
				break
			}
			x := number(m.value)
			if !ok || math.Abs(x) >= 1e15 {
				return nil, false
			}
			stamp, _ = unixTime([]byte(m.value.(json.Number)), x)
			if d := stamp.Sub(time.Unix(0, 0)).Seconds() - x; math.Abs(x) < 9e9 && math.Abs(d) > 1e-6*math.Max(1, math.Abs(x)/1e9) {
				return nil, false
			}
		case "features":
			names := map[string]bool{}
			for _, f := range members(m.value) {
				if names[f.key] {
					return nil, false
				}
				names[f.key] = true
				inf.Features = append(inf.Features, ai.Feature{Name: f.key, Value: value(f.value, false)})
			}
		case "probabilities":
			names := map[string]bool{}
			for _, c := range members(m.value) {
				if names[c.key] {
					return nil, false
				}
				names[c.key] = true
				inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: c.key, P: number(c.value)})
			}
		case "tokens":
			for _, c := range members(m.value) {
				switch c.key {
				case "input":
					if x := count(c.value); c.value != nil {
						inf.Tokens.Input = x
					}
				case "output":
					if x := count(c.value); c.value != nil {
						inf.Tokens.Output = x
					}
				}
			}
		case "tags":
			for _, c := range members(m.value) {
				if inf.Tags == nil {
					inf.Tags = map[string]string{}
				}
				inf.Tags[c.key] = text(c.value)
			}
		case "prediction":
			inf.Prediction = value(m.value, true)
		}
	}
	if !ok || inf.Validate() != nil {
		return nil, false
	}
	inf.Timestamp = arrival
	if !stamp.IsZero() {
		inf.Timestamp = stamp
		if stamp.After(arrival.Add(limits.Future)) || stamp.Before(arrival.Add(-limits.Age)) {
			return nil, false
		}
	}
	if inf.Service == "" {
		inf.Service = DefaultService
	}
	return inf, true
}

func same(t *testing.T, got, want *ai.Inference, line []byte) {
	t.Helper()
	g, w := *got, *want
	// A list of anything is kept as its text, which the reference does not have.
	if s, _ := w.Prediction.Str(); s == "any" {
		w.Prediction, g.Prediction = ai.Value{}, ai.Value{}
	}
	a, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Fatalf("%q gives\n%s, want\n%s", line, a, b)
	}
}

var seeds = []string{
	`{"service":"shop","model":"ranker","model_version":"v1","endpoint":"/rank","timestamp":"2026-03-01T11:59:00.25Z","request_id":"r1","duration_seconds":0.25,"status_code":200,"error":"slow","features":{"age":41,"country":"DE","ok":true,"none":null,"emb":[1,2.5,-3e2]},"prediction":"click","probabilities":{"click":0.75,"skip":0.25},"tokens":{"input":3,"output":4},"time_to_first_token_seconds":0.01,"tags":{"a":"b"},"unknown":{"x":[1,{}]}}`,
	`{"model":"m","features":{"age":41,"country":"DE"}}`,
	`{"model":"m","features":{"age":-0.0,"country":"\u00e9\ud83d\ude00\ud800x\\\"/"}}`,
	`{"model":"m","features":{"a\u0062":1,"ab":2}}`, `{"model":"m","model":"n"}`, `{"mod\u0065l":"m"}`,
	`{"model":"m","timestamp":1772366300.123456789}`, `{"model":"m","timestamp":1.7723663e9}`, `{"model":"m","timestamp":"2026-03-01T12:00:00+01:00"}`,
	`{"model":"m","features":{"a":123456789012345678901234567890,"b":1e-320,"c":0.1,"d":9007199254740993,"e":1e22,"f":1e23,"g":1E+05,"h":1e400}}`,
	`{"model":"m","features":{"a":[],"b":[1,"x"]},"prediction":[1,"x",{}]}`, `{"model":"m","features":{"a":01}}`, `{"model":"m","features":{"a":1.}}`, `{"model":"m",}`,
	`{"model":"m"} x`, ` {"model" : "m" , "tags" : { "a" : "b", "a" : "c" } } `, `[]`, `null`, `{"model":null}`, `{"model":"m","tokens":{"input":null,"x":[]}}`,
	`{"model":"m","probabilities":{"a":1,"b":0,"c":0.5,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"a":1}}`, `{"model":"m","status_code":1e2}`, `{"model":"m","duration_seconds":-0}`,
	"{\"model\":\"\xff\"}", `{"model":"m\u0000"}`, `{"model":"m","features":{"@x":1}}`, `{"model":"m","prediction":null}`, `{"model":"m","tags":{}}`,
}

// FuzzLine compares the decoder with encoding/json: what is accepted, and what
// it is. The decoder has seen the other line before, so that what it remembers
// of a line cannot leak into the next.
func FuzzLine(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), []byte(seeds[(i+1)%len(seeds)]))
		f.Add([]byte(seeds[0]), []byte(s))
	}
	f.Fuzz(func(t *testing.T, before, line []byte) {
		d := New()
		d.Reset(limits)
		d.Line(Inferences, before, 0)
		n, bad := len(d.Records), len(d.Rejected)
		d.Line(Inferences, line, 1)
		if len(d.Records)-n+len(d.Rejected)-bad != 1 {
			t.Fatalf("%q is %d records and %d rejections", line, len(d.Records)-n, len(d.Rejected)-bad)
		}
		accepted := len(d.Records) > n
		if accepted {
			if err := d.Records[n].Validate(); err != nil {
				t.Fatalf("%q got through: %v", line, err)
			}
		}
		syntax := !accepted && d.Rejected[bad].Reason == ReasonSyntax
		if syntax == json.Valid(line) {
			t.Fatalf("%q: JSON %v, but %+v", line, json.Valid(line), d.Rejected)
		}
		if !utf8.Valid(line) {
			return // encoding/json puts it right, the decoder refuses the field.
		}
		want, ok := reference(line)
		if ok != accepted {
			t.Fatalf("%q: accepted %v, want %v: %+v", line, accepted, ok, d.Rejected)
		}
		if ok {
			same(t, &d.Records[n], want, line)
		}
	})
}

// FuzzDocument compares lists of records with encoding/json.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("[" + seeds[0] + "," + seeds[1] + ", 7]"))
	f.Add([]byte(seeds[0]))
	f.Add([]byte(" [ ] "))
	f.Add([]byte("[{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := NewDocument(data)
		var list []json.RawMessage
		trimmed := bytes.TrimLeft(data, " \t\r\n")
		valid := json.Valid(data) && (trimmed[0] == '[' || trimmed[0] == '{')
		if (err == nil) != valid {
			t.Fatalf("%q: %v, want valid %v", data, err, valid)
		}
		if err != nil {
			return
		}
		want := 1
		if trimmed[0] == '[' {
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			want = len(list)
		}
		n := 0
		for more := true; more; {
			d := New()
			d.Reset(limits)
			more = d.Next(Inferences, doc, 2)
			n += len(d.Records) + len(d.Rejected)
		}
		if n != want || doc.Count() != want {
			t.Fatalf("%q has %d records, want %d", data, n, want)
		}
	})
}

// FuzzLabel checks that labels that come out are valid.
func FuzzLabel(f *testing.F) {
	f.Add([]byte(`{"request_id":"a","label":"cat","timestamp":1772366300}`))
	f.Add([]byte(`{"request_id":"a","label":[1,2],"x":{}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		d := New()
		d.Reset(limits)
		d.Line(Labels, line, 0)
		if len(d.Labels)+len(d.Rejected) != 1 {
			t.Fatalf("%q is %d labels and %d rejections", line, len(d.Labels), len(d.Rejected))
		}
		for i := range d.Labels {
			if err := d.Labels[i].Validate(); err != nil {
				t.Fatalf("%q got through: %v", line, err)
			}
		}
	})
}
