package codec

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

func values(rng *rand.Rand) ai.Value {
	switch rng.IntN(12) {
	case 0:
		return ai.Value{}
	case 1:
		return ai.Number(float64(rng.IntN(1000) - 500))
	case 2:
		return ai.Number(float64(rng.Float32()))
	case 3:
		return ai.String(strings.Repeat("ä", rng.IntN(4)))
	case 4:
		return ai.Bool(rng.IntN(2) == 0)
	case 5:
		return ai.Vector([]float64{rng.NormFloat64(), 0, math.Inf(1)}[:rng.IntN(4)])
	case 6:
		return ai.Vector32([]float32{rng.Float32(), 1}[:rng.IntN(3)])
	case 7:
		return ai.Number([]float64{0, math.Copysign(0, -1), math.Inf(-1), math.MaxFloat64, 1 << 53, -1 << 40, 5e-324}[rng.IntN(7)])
	default:
		return ai.Number(rng.NormFloat64())
	}
}

func random(rng *rand.Rand) ai.Inference {
	name := func(n int) string { return fmt.Sprint("n", rng.IntN(n)) }
	inf := ai.Inference{Service: name(2), Model: name(2), ModelVersion: name(2), Timestamp: time.Unix(0, rng.Int64()).UTC()}
	for i := range rng.IntN(3) * 2 {
		inf.Features = append(inf.Features, ai.Feature{Name: fmt.Sprint("f", i*(1+rng.IntN(2))), Value: values(rng)})
	}
	if rng.IntN(2) == 0 {
		inf.Endpoint, inf.RequestID, inf.DurationSeconds, inf.StatusCode = name(2), name(1e6), rng.Float64(), 100+rng.IntN(500)
		inf.Prediction = values(rng)
	}
	if rng.IntN(3) == 0 {
		inf.Error, inf.Tokens, inf.TimeToFirstTokenSeconds = "timeout", ai.Tokens{Input: rng.Uint64(), Output: 3}, rng.Float64()
		inf.Tags = map[string]string{"a": name(3), "b": ""}
	}
	for i := range rng.IntN(3) {
		inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: fmt.Sprint("c", i*(1+rng.IntN(2))), P: rng.Float64()})
	}
	return inf
}

// exact writes records so that two are equal if and only if their texts are.
func exact(records []ai.Inference) string {
	var b strings.Builder
	bits := func(v ai.Value) {
		x, _ := v.Number()
		_, f32 := v.Float32s()
		fmt.Fprintf(&b, "%s %s %x %v|", v.Kind(), v, math.Float64bits(x), f32)
	}
	for i := range records {
		r := records[i]
		for _, f := range r.Features {
			fmt.Fprintf(&b, "%q ", f.Name)
			bits(f.Value)
		}
		bits(r.Prediction)
		r.Features, r.Prediction = nil, ai.Value{}
		text, err := json.Marshal(r)
		fmt.Fprintf(&b, "%s %v\n", text, err)
	}
	return b.String()
}

func TestRecordsComeBackAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var e Encoder
	var d Decoder
	for range 300 {
		var in []ai.Inference
		for range rng.IntN(30) {
			in = append(in, random(rng))
		}
		payload := e.AppendRecords([]byte{}, in)
		out, indexes, err := d.Records(string(payload), nil)
		require.NoError(t, err)
		require.Len(t, indexes, len(in))
		require.Equal(t, exact(in), exact(out))

		// A part of them is the same part.
		var want []ai.Inference
		for i := range in {
			if i%3 == 0 || in[i].Failed() {
				want = append(want, in[i])
			}
		}
		out, indexes, err = d.Records(string(payload), func(i int, failed bool) bool {
			require.Equal(t, in[i].Failed(), failed)
			return i%3 == 0 || failed
		})
		require.NoError(t, err)
		require.Equal(t, exact(want), exact(out))
		for i, at := range indexes {
			require.Equal(t, exact(in[at:at+1]), exact(out[i:i+1]))
		}
	}
}

func TestLabelsComeBackAsTheyWere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var in []ai.Label
	for i := range 100 {
		in = append(in, ai.Label{RequestID: fmt.Sprint(i), Label: values(rng), Timestamp: time.Unix(0, rng.Int64()).UTC()})
	}
	out, err := DecodeLabels(string(AppendLabels(nil, in)))
	require.NoError(t, err)
	require.Len(t, out, len(in))
	for i := range in {
		require.Equal(t, in[i].RequestID, out[i].RequestID)
		require.Equal(t, in[i].Timestamp, out[i].Timestamp)
		require.True(t, in[i].Label.Equal(out[i].Label))
	}
}

func TestDamageIsAnError(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var e Encoder
	in := []ai.Inference{random(rng), random(rng), random(rng)}
	payload := e.AppendRecords(nil, in)
	var d Decoder
	for n := range payload {
		_, _, err := d.Records(string(payload[:n]), nil)
		require.Error(t, err, "cut to %d bytes", n)
	}
	_, _, err := d.Records(string(payload)+"x", nil)
	require.ErrorContains(t, err, "left over")
	payload[0] = 9
	_, _, err = d.Records(string(payload), nil)
	require.ErrorContains(t, err, "version 9 is not known to this release")
}

func FuzzRecords(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	var e Encoder
	for n := range 5 {
		var in []ai.Inference
		for range n {
			in = append(in, random(rng))
		}
		f.Add(e.AppendRecords([]byte{}, in))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d Decoder
		out, _, err := d.Records(string(payload), nil)
		if err != nil {
			return
		}
		// What can be read comes back as it was.
		var e Encoder
		var d2 Decoder
		again, _, err := d2.Records(string(e.AppendRecords(nil, out)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if exact(out) != exact(again) {
			t.Fatalf("%s\nis not\n%s", exact(out), exact(again))
		}
	})
}

func FuzzLabels(f *testing.F) {
	f.Add(AppendLabels(nil, []ai.Label{{RequestID: "a", Label: ai.Number(1.5)}, {RequestID: "b", Label: ai.Vector([]float64{1})}}))
	f.Fuzz(func(t *testing.T, payload []byte) {
		out, err := DecodeLabels(string(payload))
		if err != nil {
			return
		}
		again, err := DecodeLabels(string(AppendLabels(nil, out)))
		if err != nil || len(again) != len(out) {
			t.Fatal(err)
		}
	})
}

func bench() []ai.Inference {
	rng := rand.New(rand.NewPCG(1, 2))
	in := make([]ai.Inference, 1000)
	names := make([]string, 20)
	for i := range names {
		names[i] = fmt.Sprintf("feature_%02d", i)
	}
	for i := range in {
		in[i] = ai.Inference{Service: "s", Model: "m", ModelVersion: "v", Timestamp: time.Now().UTC(), DurationSeconds: .5, StatusCode: 200, Prediction: ai.Number(.5)}
		for j := range names {
			in[i].Features = append(in[i].Features, ai.Feature{Name: names[j], Value: ai.Number(rng.NormFloat64())})
		}
	}
	return in
}

func BenchmarkEncode(b *testing.B) {
	in := bench()
	var e Encoder
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendRecords(buf[:0], in)
	}
	b.SetBytes(int64(len(buf)))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

func BenchmarkDecode(b *testing.B) {
	var e Encoder
	payload := string(e.AppendRecords(nil, bench()))
	for _, c := range []struct {
		name string
		keep func(int, bool) bool
	}{{"all", nil}, {"one in a hundred", func(i int, _ bool) bool { return i%100 == 0 }}} {
		b.Run(c.name, func(b *testing.B) {
			var d Decoder
			b.ReportAllocs()
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				if _, _, err := d.Records(payload, c.keep); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
		})
	}
}
