package performance

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// requireFinite judges, reports, estimates and compares, and fails where any
// figure is not finite.
func requireFinite(t *testing.T, w *Window, reference *Reference) {
	t.Helper()
	if w.Classification == nil {
		w.Classification = NewClassification(w.Options)
	}
	for _, ref := range []*Reference{nil, reference} {
		j := Judge(ai.Key{Model: "m"}, ai.Window{}, w, ref, Settings{Alpha: 0.9, MinRequests: 1, MinLabels: 2})
		checkFinite(t, j.Findings())
		_, err := json.Marshal(j)
		require.NoError(t, err)
		for i := range j.Results {
			require.NotContains(t, j.Results[i].Message, "NaN")
			require.NotContains(t, j.Results[i].Message, "Inf", j.Results[i].Message)
		}
	}
	c := Compare(Side{Window: reference.Window, Length: time.Hour}, Side{Window: w, Length: time.Minute}, DefaultMargins(), Settings{MinRequests: 1})
	result := c.Result(Settings{})
	for _, v := range []any{
		w, reference, c, result, w.Service.Summary(time.Minute), w.Classification.Report(), w.Regression.Report(),
		reference.Estimate(&w.Predictions), w.Service.Duration.Native(3), w.Service.Duration.Classic([]float64{0.1, 1}),
	} {
		_, err := json.Marshal(v)
		require.NoError(t, err)
	}
}

func FuzzObserve(f *testing.F) {
	f.Add([]byte("a service that fails now and then, and a model that is unsure"), uint8(3))
	f.Add(make([]byte, 200), uint8(0))
	f.Add([]byte{0xff, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, uint8(200))
	f.Fuzz(func(t *testing.T, data []byte, options uint8) {
		o := Options{Task: []Task{TaskAuto, TaskClassification, TaskRegression}[options%3], MaxClasses: int(options % 5)}
		w, base := NewWindow(o), NewWindow(o)
		next := func() float64 {
			if len(data) < 8 {
				data = nil
				return 0
			}
			x := math.Float64frombits(binary.LittleEndian.Uint64(data))
			data = data[8:]
			return x
		}
		for i := 0; len(data) > 0 && i < 300; i++ {
			kind := data[0]
			data = data[1:]
			inf := ai.Inference{
				Model: "m", DurationSeconds: next(), StatusCode: int(kind) * 3,
				TimeToFirstTokenSeconds: next(), Tokens: ai.Tokens{Output: uint64(kind)},
			}
			label := ai.Number(next())
			inf.Prediction = ai.Number(next())
			// Not validated: what reaches here may be anything.
			switch kind % 4 {
			case 1:
				inf.Probabilities = []ai.ClassProbability{{Class: "0", P: next()}, {Class: "1", P: next()}}
			case 2:
				inf.Probabilities = []ai.ClassProbability{{Class: "1", P: next()}}
				inf.Prediction = ai.Value{}
			case 3:
				inf.Probabilities = []ai.ClassProbability{{Class: "a", P: next()}, {Class: "b", P: next()}, {Class: "c", P: next()}}
				inf.Prediction, label = ai.String("b"), ai.String("c")
			}
			to := w
			if kind&64 != 0 {
				to = base
			}
			to.Observe(&inf)
			to.ObserveLabel(&inf, label)
		}
		requireFinite(t, w, NewReference(base, time.Hour))
		w.Merge(base)
		requireFinite(t, w, NewReference(base, time.Hour))
	})
}

func FuzzDecode(f *testing.F) {
	w, ref := benchmarkWindows(3)
	for _, v := range []any{w, ref, ref.Window} {
		data, err := json.Marshal(v)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"window":{"service":{"requests":1,"outcomes":{"ok":1},"duration_seconds":null}}}`))
	f.Add([]byte(`{"window":{"classification":{"n":1,"correct":1,"classes":["a"],"matrix":[[1]]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Reference
		if json.Unmarshal(data, &r) == nil {
			requireFinite(t, r.Window, &r)
		}
		var w Window
		if json.Unmarshal(data, &w) == nil {
			requireFinite(t, &w, NewReference(&w, 0))
			again, err := json.Marshal(&w)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(again, new(Window)))
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"service":{"requests":2,"outcomes":{"ok":1}}}`, "the outcomes hold 1 requests, requests says 2"},
		{`{"service":{"outcomes":{"fine":1}}}`, `outcome "fine" is not one of`},
		{`{"service":{"duration_seconds":null}}`, "a sketch is null"},
		{`{"service":{"duration_seconds":{"count":3,"counts":[1,1]}}}`, "the buckets hold 2 values, count says 3"},
		{`{"service":{"duration_seconds":{"count":1,"low":9999,"counts":[1]}}}`, "buckets 9999 to 9999 are outside -959 to 960"},
		{`{"service":{"duration_seconds":{"count":1,"min":2,"max":1,"counts":[1]}}}`, "min at most max"},
		{`{"service":{"duration_seconds":{"count":1,"counts":[18446744073709551615,2]}}}`, "a count is too large"},
		{`{"predictions":{"top":{"bin":[1]}}}`, "the lists differ in length"},
		{`{"predictions":{"top":{"bin":[2000],"n0":[1],"n1":[0],"sum0":[0],"sum1":[0]}}}`, "bin 2000 is out of order or not between 0 and 1120"},
		{`{"predictions":{"binary":{"bin":[9],"n0":[1],"n1":[0],"sum0":[7],"sum1":[0]}}}`, "bin 9: 1 probabilities cannot sum to 7"},
		{`{"classification":{"n":1,"classes":["a","a"]}}`, `class "a" is there twice`},
		{`{"classification":{"n":1,"classes":["a"],"matrix":[[1,2]]}}`, "one column a class"},
		{`{"classification":{"n":1,"classes":["a"],"matrix":[]}}`, "one row a class"},
		{`{"classification":{"n":7,"classes":["a"],"matrix":[[1]]}}`, "contradict each other"},
		{`{"regression":{"errors":{"n":1,"mean":0,"m2":-1}}}`, "a sum is not possible"},
		{`{"regression":{"errors":{"n":1}}}`, "the counts contradict each other"},
		{`{"options":{"max_classes":-1}}`, "max_classes is -1, must be between 0 and 10000"},
		{`[]`, "decode window"},
	} {
		require.ErrorContains(t, json.Unmarshal([]byte(c.in), new(Window)), c.want, c.in)
	}
	require.ErrorContains(t, json.Unmarshal([]byte(`{}`), new(Reference)), "it has no window")
	require.ErrorContains(t, json.Unmarshal([]byte(`{"window":{},"length_seconds":-1}`), new(Reference)), "length_seconds is -1")
}
