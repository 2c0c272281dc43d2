package client

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

type score float64

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

func TestValues(t *testing.T) {
	number := 3
	for _, test := range []struct {
		value any
		want  string
		nulls uint64
	}{
		{nil, `null`, 0},
		{true, `true`, 0},
		{1.5, `1.5`, 0},
		{1e300, `1e+300`, 0},
		{math.Copysign(0, -1), `-0`, 0},
		{float32(0.1), `0.1`, 0},
		{math.NaN(), `null`, 1},
		{math.Inf(-1), `null`, 1},
		{float32(math.Inf(1)), `null`, 1},
		{[]float64{1, math.NaN(), 3}, `[1,null,3]`, 1},
		{[]float32{0.5}, `[0.5]`, 0},
		{[]any{1, "a", []any{nil, math.Inf(1)}}, `[1,"a",[null,null]]`, 1},
		{map[string]any{"b": 1, "a": map[string]any{"z": 1, "y": "x"}}, `{"a":{"y":"x","z":1},"b":1}`, 0},
		{map[string]float64{"a": 0.5}, `{"a":0.5}`, 0},
		{int8(-1), `-1`, 0},
		{uint64(math.MaxUint64), `18446744073709551615`, 0},
		{[]int{1, 2}, `[1,2]`, 0},
		{[]int64{-1}, `[-1]`, 0},
		{[]string{"a", "\x00\"\\\n\t\r\x1f"}, `["a","\u0000\"\\\n\t\r\u001f"]`, 0},
		{"a\xffb", `"a\ufffdb"`, 0},
		{"日本<&>", `"日本<&>"`, 0},
		{score(2.5), `2.5`, 0},
		{score(math.NaN()), `null`, 1},
		{&number, `3`, 0},
		{json.Number("12"), `12`, 0},
		{json.RawMessage("{\n\"a\": 1}"), `{"a":1}`, 0},
		{struct{ A, b int }{1, 2}, `{"A":1}`, 0},
		{make(chan int), `null`, 1},
		{explosive{}, `null`, 1},
	} {
		e := &encoder{}
		e.value(test.value)
		if string(e.buf) != test.want || e.nulls != test.nulls {
			t.Errorf("%#v: %s with %d nulls, want %s with %d", test.value, e.buf, e.nulls, test.want, test.nulls)
		}
	}
}

func TestNonFiniteValuesKeepTheBatch(t *testing.T) {
	s := newStub(t, nil)
	c := newClient(t, fast(s.URL))
	c.Record(Inference{
		Model: "m", Features: map[string]any{"x": math.NaN(), "y": 1}, Prediction: math.Inf(1),
		Probabilities: map[string]float64{"a": math.NaN()},
	})
	c.Record(Inference{Model: "m", Timestamp: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)})
	stats := flush(t, c)
	if stats.Sent != 2 || stats.NulledValues != 3 {
		t.Fatalf("stats %+v", stats)
	}
	record := s.seen()[0].records[0]
	delete(record, "timestamp")
	equalJSON(t, record, `{"service":"shop","model":"m","features":{"x":null,"y":1},"prediction":null,"probabilities":{"a":null}}`)
}

func TestCloneSharesNothing(t *testing.T) {
	inf := Inference{
		Model:         "m",
		Features:      map[string]any{"a": 1, "v": []float64{1}, "n": map[string]any{"l": []any{[]int{1}}}},
		Prediction:    []string{"x"},
		Probabilities: map[string]float64{"x": 1},
		Tags:          map[string]string{"t": "1"},
	}
	c := inf.Clone()
	inf.Features["a"] = 2
	inf.Features["v"].([]float64)[0] = 2
	inf.Features["n"].(map[string]any)["l"].([]any)[0].([]int)[0] = 2
	inf.Prediction.([]string)[0] = "y"
	inf.Probabilities["x"] = 2
	inf.Tags["t"] = "2"
	equalJSON(t, []any{c.Features, c.Prediction, c.Probabilities, c.Tags},
		`[{"a":1,"v":[1],"n":{"l":[[1]]}},["x"],{"x":1},{"t":"1"}]`)
}

// Whatever the strings and numbers are, a record is one line of valid JSON
// that says the same.
func FuzzEncode(f *testing.F) {
	f.Add("model", "a\"b\\c\n\u2028\xff", 1.5, int64(3))
	f.Add("", "\x00\x7f", math.NaN(), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, model, text string, number float64, whole int64) {
		e := &encoder{}
		e.inference(&Inference{
			Model: model, Error: text, Duration: time.Duration(whole), StatusCode: int(whole),
			Features: map[string]any{text: number, "list": []any{whole, text}}, Tags: map[string]string{"t": text},
		})
		var got struct {
			Model    string         `json:"model"`
			Error    string         `json:"error"`
			Features map[string]any `json:"features"`
		}
		if err := json.Unmarshal(e.buf, &got); err != nil {
			t.Fatalf("%v in %q", err, e.buf)
		}
		for i, b := range e.buf {
			if b == '\n' && i != len(e.buf)-1 {
				t.Fatalf("more than one line: %q", e.buf)
			}
		}
		if utf8.ValidString(model) && got.Model != model || utf8.ValidString(text) && got.Error != text {
			t.Fatalf("got %+v from %q and %q", got, model, text)
		}
		if utf8.ValidString(text) && text != "list" && !math.IsNaN(number) && !math.IsInf(number, 0) && got.Features[text] != number {
			t.Fatalf("got %v, want %v", got.Features[text], number)
		}
	})
}
