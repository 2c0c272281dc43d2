package ai_test

import (
	"encoding/json"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

func TestValue(t *testing.T) {
	require.Equal(t, uintptr(24), unsafe.Sizeof(ai.Value{}))
	for _, c := range []struct {
		v        ai.Value
		kind     ai.Kind
		text     string
		category string
		json     string
	}{
		{ai.Value{}, ai.KindMissing, "null", "", "null"},
		{ai.Number(math.NaN()), ai.KindMissing, "null", "", "null"},
		{ai.Number(1.5), ai.KindNumber, "1.5", "1.5", "1.5"},
		{ai.Number(math.Inf(-1)), ai.KindNumber, "-Inf", "-Inf", "null"},
		{ai.String(""), ai.KindString, `""`, "", `""`},
		{ai.String("né\"e"), ai.KindString, `"né\"e"`, "né\"e", `"né\"e"`},
		{ai.Bool(true), ai.KindBool, "true", "true", "true"},
		{ai.Bool(false), ai.KindBool, "false", "false", "false"},
		{ai.Vector([]float64{1, 2.5}), ai.KindVector, "[1 2.5]", "", "[1,2.5]"},
		{ai.Vector32([]float32{0.5, -1}), ai.KindVector, "[0.5 -1]", "", "[0.5,-1]"},
		{ai.Vector(nil), ai.KindVector, "[]", "", "[]"},
	} {
		require.Equal(t, c.kind, c.v.Kind(), c.text)
		require.Equal(t, c.kind == ai.KindMissing, c.v.IsMissing())
		require.Equal(t, c.text, c.v.String())
		require.Equal(t, c.category, c.v.Category())
		data, err := json.Marshal(c.v)
		require.NoError(t, err)
		require.Equal(t, c.json, string(data))
		var back ai.Value
		require.NoError(t, json.Unmarshal(data, &back))
		if c.json != "null" {
			require.True(t, c.v.Equal(back), "%v came back as %v", c.v, back)
		}
	}
	require.False(t, ai.Number(1).Equal(ai.String("1")))
	require.False(t, ai.Vector([]float64{1}).Equal(ai.Vector([]float64{1, 2})))
	require.True(t, ai.Vector([]float64{1, 2}).Equal(ai.Vector32([]float32{1, 2})))

	_, err := json.Marshal(ai.Vector([]float64{1, math.NaN()}))
	require.ErrorContains(t, err, "element 1 is not finite")
	for doc, want := range map[string]string{
		`{"a":1}`: "want a number, a string",
		`[1,"a"]`: "element 1 of the list is string",
		`[[1]]`:   "element 0 of the list is",
	} {
		var v ai.Value
		require.ErrorContains(t, json.Unmarshal([]byte(doc), &v), want)
	}
}

func TestKindText(t *testing.T) {
	for k := ai.KindMissing; k <= ai.KindVector; k++ {
		text, err := k.MarshalText()
		require.NoError(t, err)
		require.Equal(t, k.String(), string(text))
		var back ai.Kind
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, k, back)
	}
	var k ai.Kind
	require.ErrorContains(t, k.UnmarshalText([]byte("float")), `kind "float" is not known`)
	_, err := ai.Kind(99).MarshalText()
	require.Error(t, err)
}

func FuzzValue(f *testing.F) {
	for _, doc := range []string{"null", "1e300", `"a\u0000"`, "true", "[1,2]", "[]", `{"a":1}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var v, back ai.Value
		if json.Unmarshal(doc, &v) != nil {
			return
		}
		again, err := json.Marshal(v)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(again, &back))
		require.True(t, v.Equal(back), "%s came back as %s", doc, again)
	})
}
