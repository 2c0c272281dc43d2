// Package decode reads inferences and labels out of requests: NDJSON, JSON and
// Arrow.
//
// It is made for one schema and for speed: one pass, no reflection, names kept
// once, and no allocation per value. It checks records as ai.Inference.Validate
// does, so that what comes out is valid. It does not read from the network, and
// it does not store.
package decode

import (
	"fmt"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/modelwatch/modelwatch/ai"
)

// DefaultService is the service of records that name none.
const DefaultService = "default"

// Limits bound the timestamps of records.
type Limits struct {
	// Arrival is the time of records without a timestamp.
	Arrival time.Time
	// Future is how far behind Arrival a timestamp may lie.
	Future time.Duration
	// Age is how far before Arrival a timestamp may lie; 0 means any.
	Age time.Duration
}

// Reason says why a record was rejected, as a label of a counter.
type Reason string

// The reasons.
const (
	ReasonSyntax Reason = "syntax" // The record is not JSON.
	ReasonField  Reason = "field"  // A field breaks the schema or a limit.
	ReasonFuture Reason = "future" // Its timestamp is too far in the future.
	ReasonOld    Reason = "old"    // Its timestamp is older than the retention.
)

// Rejection names a bad record.
type Rejection struct {
	// Index counts the records of a request from 0.
	Index  int
	Reason Reason
	Err    error
}

// SyntaxError is a place where the input is not what it says it is.
type SyntaxError struct {
	Offset  int // In bytes from the beginning of what was decoded.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.Problem, e.Offset) }

// Decoder reads batches. Records and Labels are what the last one held; their
// slices belong to the decoder and are overwritten by the next one, while
// strings, vectors and tags are not. It is used by one goroutine at a time.
type Decoder struct {
	Records  []ai.Inference
	Labels   []ai.Label
	Rejected []Rejection

	lim    Limits
	oldest time.Time
	latest time.Time

	features []ai.Feature
	classes  []ai.ClassProbability
	names    *names
	shape    *shape // Of the record before.
	byFirst  map[string]*shape

	blob   []byte // Room for texts; never used twice.
	floats []float64
	vec    []float64 // Scratch.
	buf    []byte    // Scratch for texts with escapes.
	recent [256]string
	seen   map[string]struct{} // Scratch.
	tagRaw []byte
	tags   map[string]string

	s scanner
}

// shape is a list of features' names in their order, all different.
type shape struct {
	names []string
	// plain tells which names are written in JSON as they are.
	plain []bool
}

// New returns a decoder.
func New() *Decoder {
	return &Decoder{names: newNames(), byFirst: map[string]*shape{}, seen: map[string]struct{}{}}
}

// Reset forgets the last batch and prepares for the next.
func (d *Decoder) Reset(lim Limits) {
	clear(d.Records)
	clear(d.Labels)
	clear(d.features)
	clear(d.Rejected)
	d.Records, d.Labels, d.Rejected = d.Records[:0], d.Labels[:0], d.Rejected[:0]
	d.features, d.classes = d.features[:0], d.classes[:0]
	lim.Arrival = lim.Arrival.UTC().Round(0) // Without the monotonic clock, as it comes back from disk.
	d.lim = lim
	d.latest = lim.Arrival.Add(lim.Future)
	d.oldest = time.Time{}
	if lim.Age > 0 {
		d.oldest = lim.Arrival.Add(-lim.Age)
	}
}

// Size is about how much memory the decoder keeps for itself.
func (d *Decoder) Size() int {
	return cap(d.Records)*int(unsafe.Sizeof(ai.Inference{})) + cap(d.features)*int(unsafe.Sizeof(ai.Feature{})) +
		cap(d.classes)*int(unsafe.Sizeof(ai.ClassProbability{})) + cap(d.vec)*8 + cap(d.buf)
}

func (d *Decoder) reject(index int, reason Reason, err error) {
	d.Rejected = append(d.Rejected, Rejection{index, reason, err})
}

// Timestamps are nanoseconds in an int64 on disk.
var (
	firstTime = time.Unix(0, -1<<63).UTC()
	lastTime  = time.Unix(0, 1<<63-1).UTC()
)

// checkTime judges a timestamp; the reason is empty if it is good.
func (d *Decoder) checkTime(t time.Time) (Reason, error) {
	switch {
	case t.After(d.latest):
		return ReasonFuture, &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf(
			"%s is more than %s in the future: check the sender's clock, and give Unix times in seconds",
			describe(t), d.lim.Future)}
	case !d.oldest.IsZero() && t.Before(d.oldest):
		return ReasonOld, &ai.FieldError{Field: "timestamp", Problem: fmt.Sprintf(
			"%s is older than the retention of %s", describe(t), d.lim.Age)}
	case t.Before(firstTime) || t.After(lastTime):
		return ReasonOld, &ai.FieldError{Field: "timestamp", Problem: describe(t) + " is not between the years 1678 and 2262"}
	}
	return "", nil
}

func describe(t time.Time) string { return t.Format(time.RFC3339) }

// text keeps a copy of b as a string. Many share one piece of memory.
func (d *Decoder) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > cap(d.blob)-len(d.blob) {
		if len(b) > 8<<10 {
			return string(b)
		}
		d.blob = make([]byte, 0, 64<<10)
	}
	n := len(d.blob)
	d.blob = append(d.blob, b...)
	return unsafe.String(&d.blob[n], len(b))
}

// category keeps a copy of b, or returns an equal string that was kept lately:
// categories come again.
func (d *Decoder) category(b []byte) string {
	if len(b) == 0 || len(b) > 32 {
		return d.text(b)
	}
	h := (uint32(len(b))*31+uint32(b[0]))*31 + uint32(b[len(b)/2])
	slot := &d.recent[(h*31+uint32(b[len(b)-1]))%uint32(len(d.recent))]
	if *slot == string(b) {
		return *slot
	}
	*slot = d.text(b)
	return *slot
}

// vector keeps a copy of x.
func (d *Decoder) vector(x []float64) ai.Value {
	if len(x) > cap(d.floats)-len(d.floats) {
		if len(x) > 4096 {
			return ai.Vector(append([]float64(nil), x...))
		}
		d.floats = make([]float64, 0, 16<<10)
	}
	n := len(d.floats)
	d.floats = append(d.floats, x...)
	return ai.Vector(d.floats[n:len(d.floats):len(d.floats)])
}

// names keeps one copy of each name of a service, model, version, endpoint,
// feature or class, and that it was checked.
type names struct{ known map[string]string }

// maxNames bounds the memory of names; past it they are learnt anew.
const maxNames = 16 << 10

func newNames() *names { return &names{map[string]string{}} }

// get returns the name in b, or a problem with it.
func (n *names) get(b []byte) (name, problem string) {
	if s, ok := n.known[string(b)]; ok {
		return s, ""
	}
	if p := checkText(b, ai.MaxNameLength); p != "" {
		return "", p
	}
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	s := string(b)
	n.known[s] = s
	return s, ""
}

// checkText says what ai.Validate would object to in a text.
func checkText(b []byte, limit int) string {
	if len(b) > limit {
		return fmt.Sprintf("%d bytes long, the limit is %d", len(b), limit)
	}
	high := false
	for _, c := range b {
		if c == 0 {
			return "holds a zero byte"
		}
		high = high || c >= utf8.RuneSelf
	}
	if high && !utf8.Valid(b) {
		return "is not valid UTF-8"
	}
	return ""
}

// clip shortens what a message quotes.
func clip(b []byte) string {
	if len(b) > 64 {
		b = append(append([]byte(nil), b[:64]...), "…"...)
	}
	return string(toValid(b))
}

func toValid(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(string([]rune(string(b))))
}
