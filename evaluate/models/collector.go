package models

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// collector gathers the first records of a version for its automatic baseline: an
// even sample of them (Vitter, "Random sampling with a reservoir", ACM TOMS 1985,
// algorithm R), encoded so that it fits in a checkpoint.
type collector struct {
	opt      Auto
	length   time.Duration // Of a window: the least that a baseline covers.
	rows     [][]byte
	bytes    int
	limit    int // Of rows; less than opt.Records once opt.Bytes are reached.
	seen     uint64
	from, to time.Time // Timestamps.
	began    time.Time // By the clock.
	// counts has every record, not only the sample, and truths the labels of those;
	// waiting are labels of inferences that are not there yet.
	counts  *performance.Window
	truths  *performance.Window
	waiting []waitingLabel
	// sealed stops it: the baseline is being made.
	sealed bool
}

// waitingLabel is a label and what was said, both encoded.
type waitingLabel struct {
	At         time.Time // When the inference was made.
	Row, Label []byte
}

// maxWaiting bounds the labels that wait for their inference.
const maxWaiting = 10_000

func newCollector(opt Auto, length time.Duration, task performance.Options, now time.Time) *collector {
	return &collector{
		opt: opt, length: length, limit: opt.Records, began: now, counts: performance.NewWindow(task), truths: performance.NewWindow(task),
	}
}

// label takes the truth of an inference made at that time. Labels may come a little
// before the records that they are about.
func (c *collector) label(inf *ai.Inference, label ai.Value, at time.Time) {
	switch {
	case !at.Before(c.from) && !at.After(c.to):
		c.truths.ObserveLabel(inf, label)
	case len(c.waiting) < maxWaiting:
		c.waiting = append(c.waiting, waitingLabel{at, appendRow(nil, inf), appendValue(nil, label)})
	}
}

// settle counts the labels that waited and are of the collected span now.
func (c *collector) settle() {
	c.waiting = slices.DeleteFunc(c.waiting, func(w waitingLabel) bool {
		if w.At.Before(c.from) || w.At.After(c.to) {
			return false
		}
		if inf, err := decodeRow(w.Row); err == nil {
			d := rowDecoder{w.Label}
			c.truths.ObserveLabel(inf, d.value())
		}
		return true
	})
}

// add takes one record. It keeps no reference to it.
func (c *collector) add(inf *ai.Inference, ts time.Time) {
	if c.sealed {
		return
	}
	if c.from.IsZero() || ts.Before(c.from) {
		c.from = ts
	}
	if ts.After(c.to) {
		c.to = ts
	}
	c.seen++
	c.counts.Observe(inf)
	if len(c.rows) < c.limit {
		row := appendRow(nil, inf)
		c.rows = append(c.rows, row)
		if c.bytes += len(row); c.bytes >= c.opt.Bytes {
			c.limit = len(c.rows)
		}
		return
	}
	// The sample depends on the count alone, so that a replay gives the same one.
	if j := mix(c.seen) % c.seen; j < uint64(len(c.rows)) {
		c.bytes -= len(c.rows[j])
		c.rows[j] = appendRow(nil, inf)
		c.bytes += len(c.rows[j])
	}
}

// mix is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014).
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ready reports whether there is enough for a baseline.
func (c *collector) ready(now time.Time) bool {
	if len(c.rows) >= c.limit && c.to.Sub(c.from) >= c.length {
		return true
	}
	return len(c.rows) >= c.opt.Minimum && (now.Sub(c.began) >= c.opt.After || c.to.Sub(c.from) >= c.opt.After)
}

// progress says in a sentence how far it is.
func (c *collector) progress() string {
	return fmt.Sprintf("The automatic baseline is being made: %d of %d records so far (or at least %d within %s).",
		len(c.rows), c.limit, c.opt.Minimum, c.opt.After)
}

// build makes the baseline in two passes over the sample.
func (c *collector) build(meta profile.Meta, opt profile.BuilderOptions) (*ai.Baseline, error) {
	b := profile.NewBuilder(opt)
	for _, pass := range []func(*ai.Inference) error{b.Learn, b.Add} {
		for _, row := range c.rows {
			inf, err := decodeRow(row)
			if err != nil {
				return nil, fmt.Errorf("read sampled record: %w", err)
			}
			if err := pass(inf); err != nil {
				return nil, err
			}
		}
	}
	return b.Build(meta)
}

// appendRow appends what a baseline needs of a record: features, prediction,
// probabilities, and whether it failed.
func appendRow(b []byte, inf *ai.Inference) []byte {
	failed := byte(0)
	if inf.Failed() {
		failed = 1
	}
	b = append(b, failed)
	b = binary.AppendUvarint(b, uint64(len(inf.Features)))
	for i := range inf.Features {
		b = appendText(b, inf.Features[i].Name)
		b = appendValue(b, inf.Features[i].Value)
	}
	b = appendValue(b, inf.Prediction)
	b = binary.AppendUvarint(b, uint64(len(inf.Probabilities)))
	for i := range inf.Probabilities {
		b = appendText(b, inf.Probabilities[i].Class)
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(inf.Probabilities[i].P))
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v ai.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case ai.KindNumber:
		x, _ := v.Number()
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	case ai.KindString:
		s, _ := v.Str()
		b = appendText(b, s)
	case ai.KindBool:
		x := byte(0)
		if yes, _ := v.Bool(); yes {
			x = 1
		}
		b = append(b, x)
	case ai.KindVector:
		b = binary.AppendUvarint(b, uint64(v.Dim()))
		for _, x := range v.AppendVector(nil) {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
		}
	default:
	}
	return b
}

var errRow = errors.New("a sampled record ends too early")

// decodeRow reads what appendRow wrote.
func decodeRow(b []byte) (*ai.Inference, error) {
	d := rowDecoder{b}
	inf := new(ai.Inference)
	if d.byte() == 1 {
		inf.StatusCode = 500
	}
	n := d.count(2)
	inf.Features = make([]ai.Feature, 0, n)
	for range n {
		inf.Features = append(inf.Features, ai.Feature{Name: d.text(), Value: d.value()})
	}
	inf.Prediction = d.value()
	n = d.count(9)
	inf.Probabilities = make([]ai.ClassProbability, 0, n)
	for range n {
		inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: d.text(), P: math.Float64frombits(d.word())})
	}
	if d.b == nil || len(d.b) > 0 {
		return nil, errRow
	}
	return inf, nil
}

// rowDecoder reads a row; b is nil after the first error.
type rowDecoder struct{ b []byte }

func (d *rowDecoder) take(n int) []byte {
	if d.b == nil || n < 0 || n > len(d.b) {
		d.b = nil
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *rowDecoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// count reads how many things of at least size bytes follow.
func (d *rowDecoder) count(size int) int {
	x, n := binary.Uvarint(d.b)
	if n <= 0 || x > uint64(len(d.b)/size)+1 {
		d.b = nil
		return 0
	}
	d.b = d.b[n:]
	return int(x)
}

func (d *rowDecoder) text() string { return string(d.take(d.count(1))) }

func (d *rowDecoder) word() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *rowDecoder) value() ai.Value {
	switch ai.Kind(d.byte()) {
	case ai.KindNumber:
		return ai.Number(math.Float64frombits(d.word()))
	case ai.KindString:
		return ai.String(d.text())
	case ai.KindBool:
		return ai.Bool(d.byte() == 1)
	case ai.KindVector:
		n := d.count(4)
		b := d.take(4 * n)
		x := make([]float32, 0, n)
		for ; len(b) >= 4; b = b[4:] {
			x = append(x, math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
		return ai.Vector32(x)
	default:
		return ai.Value{}
	}
}
