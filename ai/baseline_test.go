package ai_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

func exampleBaseline(t testing.TB) *ai.Baseline {
	t.Helper()
	rng := rand.New(rand.NewPCG(4, 4))
	b := profile.NewBuilder(profile.BuilderOptions{})
	for range 400 {
		inf := ai.Inference{Model: "ranker", Service: "shop", ModelVersion: "v1", Prediction: ai.Number(rng.Float64())}
		for _, s := range sources() {
			if v := s.value(rng); !v.IsMissing() || rng.IntN(2) == 0 {
				inf.Features = append(inf.Features, ai.Feature{Name: s.name, Value: v})
			}
		}
		require.NoError(t, b.Add(&inf))
	}
	out, err := b.Build(profile.Meta{
		Key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, ID: "b1", Number: 1,
		Created: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Source: ai.SourceFile, Note: "train.csv", Confirmed: true,
	})
	require.NoError(t, err)
	return out
}

func TestBaselineRoundTrip(t *testing.T) {
	want := exampleBaseline(t)
	require.NoError(t, want.Validate())
	data, err := ai.EncodeBaseline(want)
	require.NoError(t, err)
	got, err := ai.DecodeBaseline(data)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for name, f := range want.Features {
		require.Equal(t, f.Bins.ID(), got.Features[name].Bins.ID())
	}
	again, err := ai.EncodeBaseline(got)
	require.NoError(t, err)
	require.JSONEq(t, string(data), string(again))
	require.Contains(t, string(data[:60]), ai.BaselineFormat)
}

func TestDecodeBaselineRefuses(t *testing.T) {
	data, err := ai.EncodeBaseline(exampleBaseline(t))
	require.NoError(t, err)
	edit := func(do func(map[string]any)) []byte {
		var doc map[string]any
		require.NoError(t, json.Unmarshal(data, &doc))
		do(doc)
		out, err := json.Marshal(doc)
		require.NoError(t, err)
		return out
	}
	feature := func(doc map[string]any, name string) map[string]any {
		return doc["features"].(map[string]any)[name].(map[string]any)
	}
	for want, doc := range map[string][]byte{
		"unexpected end of JSON":         data[:100],
		`format is "x": want`:            edit(func(d map[string]any) { d["format"] = "x" }),
		"model: is required":             edit(func(d map[string]any) { d["key"] = map[string]any{} }),
		"rows: 0 records":                edit(func(d map[string]any) { d["rows"] = 0 }),
		"features.number: needs bins":    edit(func(d map[string]any) { feature(d, "number")["bins"] = nil }),
		"features.number: is a string":   edit(func(d map[string]any) { feature(d, "number")["kind"] = "string" }),
		"after editing bins":             edit(func(d map[string]any) { feature(d, "bool")["bins"] = map[string]any{"categories": []any{"no", "yes"}} }),
		`kind "float" is not known`:      edit(func(d map[string]any) { feature(d, "number")["kind"] = "float" }),
		"cells count":                    edit(func(d map[string]any) { feature(d, "bool")["profile"].(map[string]any)["count"] = 7 }),
		"edge 1 (1) is not above edge 0": edit(func(d map[string]any) { feature(d, "number")["bins"] = map[string]any{"edges": []any{1, 1}} }),
		"features.string: unseen 2":      edit(func(d map[string]any) { feature(d, "string")["unseen"] = 2 }),
		"schema: min 3 is above max 1": edit(func(d map[string]any) {
			feature(d, "number")["schema"] = map[string]any{"kind": "number", "min": 3, "max": 1}
		}),
		"eigenvalue -1": edit(func(d map[string]any) { feature(d, "vector")["kernel"] = map[string]any{"eigenvalues": []any{-1}} }),
		"bandwidth 0 is not": edit(func(d map[string]any) {
			feature(d, "vector")["bins"].(map[string]any)["projection"] = map[string]any{"dim": 300, "seed": "1"}
		}),
		"distinct registers: 3 of them":     []byte(strings.Replace(string(data), `"distinct":"`, `"distinct":"AAAA","x":"`, 1)),
		"illegal base64 data at input byte": []byte(strings.Replace(string(data), `"distinct":"`, `"distinct":"!`, 1)),
	} {
		_, err := ai.DecodeBaseline(doc)
		require.ErrorContains(t, err, want)
	}
}

func FuzzDecodeBaseline(f *testing.F) {
	data, err := ai.EncodeBaseline(exampleBaseline(f))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"format":"modelwatch.baseline/1","key":{"model":"m"},"rows":1,"features":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ai.DecodeBaseline(data)
		if err != nil {
			return
		}
		// Whatever is accepted can be counted against, and exported again.
		a := profile.NewAccumulator(b.Key, b, profile.Options{})
		now := time.Unix(1000, 0)
		inf := ai.Inference{Model: "m"}
		for name := range b.Features {
			inf.Features = append(inf.Features, ai.Feature{Name: name, Value: ai.Number(1)})
		}
		a.Add(&inf, now)
		require.Len(t, a.Flush(), 1)
		_, err = ai.EncodeBaseline(b)
		require.NoError(t, err)
	})
}
