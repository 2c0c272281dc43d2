// Package codec is the binary form of inferences and labels in the segment log.
//
// It is made for speed and for reading part of a batch: names are written once a
// batch, and a record that nobody wants is stepped over without looking at its
// values. It is not a format for exchange; the log is read by the release that
// wrote it and by later ones.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"

	"github.com/modelwatch/modelwatch/ai"
)

// version is the first byte of a payload.
const version = 1

// Bits that say which parts of a record follow.
const (
	hasFailed  = 1 << iota // Nothing follows: the inference failed.
	hasKey                 // Another service, model, version or endpoint than before.
	hasShape               // Other names of features than before.
	hasClasses             // Other names of classes than before.
	hasRequestID
	hasDuration
	hasStatus
	hasError
	hasPrediction
	hasProbabilities
	hasTokens
	hasFirstToken
	hasTags
	knownBits = 1<<iota - 1
)

// Tags of values.
const (
	tagMissing = iota
	tagFloat   // Eight bytes.
	tagFloat32 // Four bytes: the number is one of single precision.
	tagInt     // A signed varint.
	tagString
	tagFalse
	tagTrue
	tagVector
	tagVector32
)

// Encoder writes batches. It is used by one goroutine at a time, and may be
// used again.
type Encoder struct {
	shapes [][]string
	shape  []string // Of the record before.
	class  []string // Of the record before with probabilities.
}

// AppendRecords appends the form of a batch of inferences to dst. Timestamps
// must lie between the years 1678 and 2262.
func (e *Encoder) AppendRecords(dst []byte, records []ai.Inference) []byte {
	e.shapes, e.shape, e.class = e.shapes[:0], nil, nil
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(records)))
	var before *ai.Inference
	for i := range records {
		dst = e.record(dst, &records[i], before)
		before = &records[i]
	}
	clear(e.shapes)
	e.shape, e.class = nil, nil
	return dst
}

func (e *Encoder) record(b []byte, inf, before *ai.Inference) []byte {
	begin := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0) // Length and bits, filled in below.
	var bits uint16
	if inf.Failed() {
		bits |= hasFailed
	}
	if before == nil || !same(inf.Model, before.Model) || !same(inf.ModelVersion, before.ModelVersion) ||
		!same(inf.Service, before.Service) || !same(inf.Endpoint, before.Endpoint) {
		bits |= hasKey
		b = text(text(text(text(b, inf.Service), inf.Model), inf.ModelVersion), inf.Endpoint)
	}
	if !sameFeatures(inf.Features, e.shape) {
		bits |= hasShape
		b = e.newShape(b, inf.Features)
	}
	if len(inf.Probabilities) > 0 {
		bits |= hasProbabilities
		if !sameClasses(inf.Probabilities, e.class) {
			bits |= hasClasses
			e.class = e.class[:0]
			b = binary.AppendUvarint(b, uint64(len(inf.Probabilities)))
			for i := range inf.Probabilities {
				e.class = append(e.class, inf.Probabilities[i].Class)
				b = text(b, inf.Probabilities[i].Class)
			}
		}
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(inf.Timestamp.UnixNano()))
	for i := range inf.Features {
		b = value(b, inf.Features[i].Value)
	}
	if inf.RequestID != "" {
		bits |= hasRequestID
		b = text(b, inf.RequestID)
	}
	if inf.DurationSeconds != 0 {
		bits |= hasDuration
		b = float(b, inf.DurationSeconds)
	}
	if inf.StatusCode != 0 {
		bits |= hasStatus
		b = binary.AppendVarint(b, int64(inf.StatusCode))
	}
	if inf.Error != "" {
		bits |= hasError
		b = text(b, inf.Error)
	}
	if !inf.Prediction.IsMissing() {
		bits |= hasPrediction
		b = value(b, inf.Prediction)
	}
	for i := range inf.Probabilities {
		b = float(b, inf.Probabilities[i].P)
	}
	if inf.Tokens != (ai.Tokens{}) {
		bits |= hasTokens
		b = binary.AppendUvarint(binary.AppendUvarint(b, inf.Tokens.Input), inf.Tokens.Output)
	}
	if inf.TimeToFirstTokenSeconds != 0 {
		bits |= hasFirstToken
		b = float(b, inf.TimeToFirstTokenSeconds)
	}
	if len(inf.Tags) > 0 {
		bits |= hasTags
		b = binary.AppendUvarint(b, uint64(len(inf.Tags)))
		for k, v := range inf.Tags {
			b = text(text(b, k), v)
		}
	}
	binary.LittleEndian.PutUint32(b[begin:], uint32(len(b)-begin-4))
	binary.LittleEndian.PutUint16(b[begin+4:], bits)
	return b
}

// newShape writes which names the features have: the number of an earlier list,
// or the number of lists so far and the new list.
func (e *Encoder) newShape(b []byte, features []ai.Feature) []byte {
	// Services mix few shapes; beyond some, looking costs more than it saves.
	for i := 0; i < len(e.shapes) && i < 32; i++ {
		if sameFeatures(features, e.shapes[i]) {
			e.shape = e.shapes[i]
			return binary.AppendUvarint(b, uint64(i))
		}
	}
	names := make([]string, len(features))
	b = binary.AppendUvarint(b, uint64(len(e.shapes)))
	b = binary.AppendUvarint(b, uint64(len(features)))
	for i := range features {
		names[i] = features[i].Name
		b = text(b, names[i])
	}
	e.shapes = append(e.shapes, names)
	e.shape = names
	return b
}

// same compares names, which mostly are the same string in memory.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

func sameFeatures(features []ai.Feature, names []string) bool {
	if len(features) != len(names) {
		return false
	}
	for i := range features {
		if !same(features[i].Name, names[i]) {
			return false
		}
	}
	return true
}

func sameClasses(classes []ai.ClassProbability, names []string) bool {
	if len(classes) != len(names) {
		return false
	}
	for i := range classes {
		if !same(classes[i].Class, names[i]) {
			return false
		}
	}
	return true
}

func text(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

func float(b []byte, x float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}

func value(b []byte, v ai.Value) []byte {
	switch v.Kind() {
	case ai.KindNumber:
		x, _ := v.Number()
		if n := int64(x); float64(n) == x && n > -1<<40 && n < 1<<40 && (n != 0 || !math.Signbit(x)) {
			return binary.AppendVarint(append(b, tagInt), n)
		}
		if f := float32(x); float64(f) == x {
			return binary.LittleEndian.AppendUint32(append(b, tagFloat32), math.Float32bits(f))
		}
		return float(append(b, tagFloat), x)
	case ai.KindString:
		s, _ := v.Str()
		return text(append(b, tagString), s)
	case ai.KindBool:
		if t, _ := v.Bool(); t {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case ai.KindVector:
		if x, ok := v.Float32s(); ok {
			b = binary.AppendUvarint(append(b, tagVector32), uint64(len(x)))
			b = slices.Grow(b, 4*len(x))
			for _, f := range x {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
			}
			return b
		}
		x, _ := v.Float64s()
		b = binary.AppendUvarint(append(b, tagVector), uint64(len(x)))
		b = slices.Grow(b, 8*len(x))
		for _, f := range x {
			b = float(b, f)
		}
		return b
	default:
		return append(b, tagMissing)
	}
}

// AppendLabels appends the form of a batch of labels to dst.
func AppendLabels(dst []byte, labels []ai.Label) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(len(labels)))
	for i := range labels {
		dst = text(dst, labels[i].RequestID)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(labels[i].Timestamp.UnixNano()))
		dst = value(dst, labels[i].Label)
	}
	return dst
}

// AppendValue appends the form of one value to dst.
func AppendValue(dst []byte, v ai.Value) []byte { return value(dst, v) }

// DecodeValue reads what AppendValue wrote, and returns the rest. The value
// refers to s.
func DecodeValue(s string) (v ai.Value, rest string, err error) {
	r := reader{s: s}
	v = r.value()
	return v, r.s, r.err
}

// DecodeLabels reads what AppendLabels wrote. Labels refer to payload.
func DecodeLabels(payload string) ([]ai.Label, error) {
	r := reader{s: payload}
	n := r.begin(10)
	out := make([]ai.Label, 0, n)
	for range n {
		l := ai.Label{RequestID: r.text(), Timestamp: r.time(), Label: r.value()}
		if r.err != nil {
			break
		}
		out = append(out, l)
	}
	return out, r.end("labels")
}

var errShort = errors.New("it ends too early")

// reader takes a payload apart. After the first error it returns zeros.
type reader struct {
	s   string
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.s = ""
}

// begin reads the version and the number of items of at least least bytes.
func (r *reader) begin(least int) int {
	if v := r.byte(); v != version && r.err == nil {
		r.fail(fmt.Errorf("version %d is not known to this release", v))
	}
	return r.count(least)
}

func (r *reader) end(what string) error {
	if r.err == nil && r.s != "" {
		r.err = fmt.Errorf("%d bytes are left over", len(r.s))
	}
	if r.err != nil {
		return fmt.Errorf("decode %s: %w", what, r.err)
	}
	return nil
}

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.s) {
		r.fail(errShort)
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) byte() byte {
	if r.s == "" {
		r.fail(errShort)
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

func (r *reader) uint() uint64 {
	var x uint64
	for i := 0; i < len(r.s) && i < binary.MaxVarintLen64; i++ {
		c := r.s[i]
		if c < 0x80 {
			if i == binary.MaxVarintLen64-1 && c > 1 {
				break
			}
			r.s = r.s[i+1:]
			return x | uint64(c)<<(7*i)
		}
		x |= uint64(c&0x7f) << (7 * i)
	}
	r.fail(errShort)
	return 0
}

func (r *reader) int() int64 {
	ux := r.uint()
	x := int64(ux >> 1)
	if ux&1 != 0 {
		x = ^x
	}
	return x
}

// count reads a number of items of at least least bytes each.
func (r *reader) count(least int) int {
	n := r.uint()
	if n > uint64(len(r.s)/least) {
		r.fail(errShort)
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return r.take(r.count(1)) }

func (r *reader) uint64() uint64 {
	s := r.take(8)
	if s == "" {
		return 0
	}
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (r *reader) uint32() uint32 {
	s := r.take(4)
	if s == "" {
		return 0
	}
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }

func (r *reader) time() time.Time { return time.Unix(0, int64(r.uint64())).UTC() }

func (r *reader) value() ai.Value {
	switch tag := r.byte(); tag {
	case tagMissing:
		return ai.Value{}
	case tagFloat:
		return ai.Number(r.float())
	case tagFloat32:
		return ai.Number(float64(math.Float32frombits(r.uint32())))
	case tagInt:
		return ai.Number(float64(r.int()))
	case tagString:
		return ai.String(r.text())
	case tagFalse:
		return ai.Bool(false)
	case tagTrue:
		return ai.Bool(true)
	case tagVector:
		x := make([]float64, r.count(8))
		for i := range x {
			x[i] = r.float()
		}
		return ai.Vector(x)
	case tagVector32:
		x := make([]float32, r.count(4))
		for i := range x {
			x[i] = math.Float32frombits(r.uint32())
		}
		return ai.Vector32(x)
	default:
		r.fail(fmt.Errorf("value of unknown kind %d", tag))
		return ai.Value{}
	}
}
