package ai

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unsafe"
)

// Kind says what a Value, or a feature of a model, holds.
type Kind uint8

// The kinds of values. The zero Kind is a missing value: JSON null, or a
// feature that was not sent.
const (
	KindMissing Kind = iota
	KindNumber
	KindString
	KindBool
	KindVector
	numKinds
)

var kindNames = [numKinds]string{"missing", "number", "string", "bool", "vector"}

// String returns the kind as it is written in JSON and in messages.
func (k Kind) String() string {
	if k < numKinds {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) {
	if k >= numKinds {
		return nil, fmt.Errorf("kind %d is not known", k)
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(text []byte) error {
	i := slices.Index(kindNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("kind %q is not known: use one of %q", text, kindNames[:])
	}
	*k = Kind(i)
	return nil
}

// Categorical reports whether values of the kind are counted by category.
func (k Kind) Categorical() bool { return k == KindString || k == KindBool }

// Value is one feature value, prediction or label: a number, a string, a
// boolean, a vector of numbers, or missing. The zero Value is missing.
//
// It takes 24 bytes and keeps strings and vectors by reference, so making one
// does not allocate; the caller must not change a vector it has handed over.
// Values are compared by Equal, not by ==.
type Value struct {
	data unsafe.Pointer // First byte of a string, or first element of a vector.
	bits uint64         // A number's bits, a boolean, or a length.
	kind Kind
	f32  bool // The vector's elements are float32.
}

// Number returns a numeric value. NaN is a missing value, as data frames have
// it; infinities are kept and counted as type errors by profiles.
func Number(x float64) Value {
	if x != x {
		return Value{}
	}
	return Value{kind: KindNumber, bits: math.Float64bits(x)}
}

// String returns a string value that refers to s.
func String(s string) Value {
	return Value{kind: KindString, data: unsafe.Pointer(unsafe.StringData(s)), bits: uint64(len(s))}
}

// Bool returns a boolean value.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.bits = 1
	}
	return v
}

// Vector returns an embedding that refers to v.
func Vector(v []float64) Value {
	return Value{kind: KindVector, data: unsafe.Pointer(unsafe.SliceData(v)), bits: uint64(len(v))}
}

// Vector32 returns an embedding that refers to v.
func Vector32(v []float32) Value {
	return Value{kind: KindVector, f32: true, data: unsafe.Pointer(unsafe.SliceData(v)), bits: uint64(len(v))}
}

// Kind returns what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsMissing reports whether v holds nothing.
func (v Value) IsMissing() bool { return v.kind == KindMissing }

// Number returns the number in v; ok is false for every other kind.
func (v Value) Number() (x float64, ok bool) {
	if v.kind != KindNumber {
		return 0, false
	}
	return math.Float64frombits(v.bits), true
}

// Str returns the string in v; ok is false for every other kind.
func (v Value) Str() (s string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return unsafe.String((*byte)(v.data), int(v.bits)), true
}

// Bool returns the boolean in v; ok is false for every other kind.
func (v Value) Bool() (b, ok bool) {
	return v.kind == KindBool && v.bits == 1, v.kind == KindBool
}

// Dim returns the number of elements of a vector, and 0 for every other kind.
func (v Value) Dim() int {
	if v.kind != KindVector {
		return 0
	}
	return int(v.bits)
}

// AppendVector appends the elements of a vector to dst and returns it. Other
// kinds append nothing.
func (v Value) AppendVector(dst []float64) []float64 {
	if v.kind != KindVector {
		return dst
	}
	if !v.f32 {
		return append(dst, unsafe.Slice((*float64)(v.data), int(v.bits))...)
	}
	for _, x := range unsafe.Slice((*float32)(v.data), int(v.bits)) {
		dst = append(dst, float64(x))
	}
	return dst
}

// Float64s returns the elements of a vector of float64 without copying; ok is
// false for every other value, a vector of float32 among them.
func (v Value) Float64s() (x []float64, ok bool) {
	if v.kind != KindVector || v.f32 {
		return nil, false
	}
	return unsafe.Slice((*float64)(v.data), int(v.bits)), true
}

// Float32s returns the elements of a vector of float32 without copying; ok is
// false for every other value.
func (v Value) Float32s() (x []float32, ok bool) {
	if v.kind != KindVector || !v.f32 {
		return nil, false
	}
	return unsafe.Slice((*float32)(v.data), int(v.bits)), true
}

// Category returns the text by which v is counted as a category: the string
// itself, "true" or "false", or a number in its shortest form. It is empty for
// vectors and missing values. Only numbers allocate.
func (v Value) Category() string {
	switch v.kind {
	case KindString:
		return unsafe.String((*byte)(v.data), int(v.bits))
	case KindBool:
		if v.bits == 1 {
			return "true"
		}
		return "false"
	case KindNumber:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	default:
		return ""
	}
}

// Equal reports whether v and w hold the same kind and content.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case KindString:
		return v.Category() == w.Category()
	case KindVector:
		return slices.Equal(v.AppendVector(nil), w.AppendVector(nil))
	default:
		return v.bits == w.bits
	}
}

// String returns v for messages and test scripts; it is not a form to parse.
func (v Value) String() string {
	switch v.kind {
	case KindMissing:
		return "null"
	case KindString:
		return strconv.Quote(v.Category())
	case KindVector:
		return fmt.Sprint(v.AppendVector(nil))
	default:
		return v.Category()
	}
}

// MarshalJSON implements json.Marshaler. Numbers that JSON cannot hold (the
// infinities) are written as null.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case KindString:
		return json.Marshal(v.Category())
	case KindBool:
		return []byte(v.Category()), nil
	case KindNumber:
		if x := math.Float64frombits(v.bits); !math.IsInf(x, 0) {
			return json.Marshal(x)
		}
		return []byte("null"), nil
	case KindVector:
		x := v.AppendVector(make([]float64, 0, v.bits))
		for i := range x {
			if math.IsNaN(x[i]) || math.IsInf(x[i], 0) {
				return nil, fmt.Errorf("vector element %d is not finite", i)
			}
		}
		return json.Marshal(x)
	default:
		return []byte("null"), nil
	}
}

// UnmarshalJSON implements json.Unmarshaler. It is for small documents such as
// labels and tests; receivers decode streams of inferences themselves.
func (v *Value) UnmarshalJSON(data []byte) error {
	var x any
	if err := json.Unmarshal(data, &x); err != nil {
		return fmt.Errorf("decode value: %w", err)
	}
	switch x := x.(type) {
	case nil:
		*v = Value{}
	case float64:
		*v = Number(x)
	case string:
		*v = String(x)
	case bool:
		*v = Bool(x)
	case []any:
		vec := make([]float64, len(x))
		for i := range x {
			f, ok := x[i].(float64)
			if !ok {
				return fmt.Errorf("decode value: element %d of the list is %T: only lists of numbers are values", i, x[i])
			}
			vec[i] = f
		}
		*v = Vector(vec)
	default:
		return fmt.Errorf("decode value: %T: want a number, a string, a boolean, null or a list of numbers", x)
	}
	return nil
}
