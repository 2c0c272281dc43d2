package ai

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// profileVersion is the first byte of a binary ModelProfile.
const profileVersion = 1

// maxEncodedFeatures bounds what a decoder makes room for.
const maxEncodedFeatures = 1 << 16

// AppendBinary appends the binary form of m to dst. The form is compact (runs of
// empty cells are one number), equal profiles have equal bytes, and its first
// byte is its version. It implements encoding.BinaryAppender.
func (m *ModelProfile) AppendBinary(dst []byte) ([]byte, error) {
	if m.Window.Length <= 0 || m.Window.Start.IsZero() {
		return dst, fmt.Errorf("encode profile of %s: it has no window", m.Key)
	}
	e := encoder{dst}
	e.b = append(e.b, profileVersion)
	e.text(m.Key.Service)
	e.text(m.Key.Model)
	e.text(m.Key.Version)
	e.time(m.Window.Start)
	e.int(int64(m.Window.Length))
	e.text(m.BaselineID)
	e.uint(m.Records)
	e.uint(m.Inputs)
	e.uint(m.Duplicates)
	for _, n := range m.Dropped.fields() {
		e.uint(*n)
	}
	e.time(m.First)
	e.time(m.Last)
	e.uint(uint64(len(m.Features)))
	for _, name := range slices.Sorted(maps.Keys(m.Features)) {
		e.text(name)
		e.profile(m.Features[name])
	}
	return e.b, nil
}

// MarshalBinary implements encoding.BinaryMarshaler.
func (m *ModelProfile) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary implements encoding.BinaryUnmarshaler. It checks what it
// reads: a profile that comes back without an error obeys Profile.Validate.
func (m *ModelProfile) UnmarshalBinary(data []byte) error {
	d := decoder{b: data}
	if v := d.byte(); v != profileVersion {
		return fmt.Errorf("decode profile: version %d is not known to this release: want %d", v, profileVersion)
	}
	var out ModelProfile
	out.Key = Key{Service: d.text(), Model: d.text(), Version: d.text()}
	out.Window = Window{Start: d.time(), Length: time.Duration(d.int())}
	out.BaselineID = d.text()
	out.Records, out.Inputs, out.Duplicates = d.uint(), d.uint(), d.uint()
	for _, n := range out.Dropped.fields() {
		*n = d.uint()
	}
	out.First, out.Last = d.time(), d.time()
	n := d.len(maxEncodedFeatures)
	out.Features = make(map[string]*Profile, min(n, 1024))
	for range n {
		name := d.text()
		p := d.profile()
		if d.err != nil {
			break
		}
		if err := p.Validate(); err != nil {
			return fmt.Errorf("decode profile: feature %q: %w", clip(name), err)
		}
		out.Features[name] = p
	}
	if d.err != nil {
		return fmt.Errorf("decode profile: %w", d.err)
	}
	if len(d.b) > 0 {
		return fmt.Errorf("decode profile: %d bytes are left over", len(d.b))
	}
	if out.Window.Length <= 0 {
		return errors.New("decode profile: it has no window")
	}
	*m = out
	return nil
}

// fields lists the counts in the order they are encoded in.
func (d *Dropped) fields() []*uint64 {
	return []*uint64{&d.Features, &d.Classes, &d.Vectors, &d.Late, &d.Early, &d.Repeated}
}

type encoder struct{ b []byte }

func (e *encoder) uint(x uint64)   { e.b = binary.AppendUvarint(e.b, x) }
func (e *encoder) int(x int64)     { e.b = binary.AppendVarint(e.b, x) }
func (e *encoder) float(x float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(x)) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// time writes nanoseconds since 1970, and the least integer for the zero time.
func (e *encoder) time(t time.Time) {
	if t.IsZero() {
		e.int(math.MinInt64)
		return
	}
	e.int(t.UnixNano())
}

// Bits of the byte that says which parts of a profile follow.
const (
	hasCounts = 1 << iota
	hasDistinct
	hasVector
)

func (e *encoder) profile(p *Profile) {
	var parts byte
	if p.Counts != nil {
		parts |= hasCounts
	}
	if p.Distinct != nil {
		parts |= hasDistinct
	}
	if p.Vector != nil {
		parts |= hasVector
	}
	e.b = append(e.b, byte(p.Kind), parts)
	e.b = binary.LittleEndian.AppendUint64(e.b, p.BinsID)
	t := p.TypeErrors
	for _, n := range [...]uint64{p.Count, p.Missing, p.Absent, p.NotFinite, p.Integers, t.Number, t.String, t.Bool, t.Vector} {
		e.uint(n)
	}
	if p.Count > 0 {
		for _, x := range [...]float64{p.Mean, p.M2, p.Min, p.Max} {
			e.float(x)
		}
	}
	if p.Counts != nil {
		e.counts(p.Counts)
	}
	if p.Distinct != nil {
		e.distinct(p.Distinct)
	}
	e.uint(uint64(len(p.Top.Entries)))
	for _, t := range p.Top.Entries {
		e.text(t.Category)
		e.uint(t.Count)
		e.uint(t.Over)
	}
	if v := p.Vector; v != nil {
		e.uint(v.WrongDim)
		for _, s := range [...][]float64{v.Sum, v.Kernel} {
			e.uint(uint64(len(s)))
			for _, x := range s {
				e.float(x)
			}
		}
	}
}

// counts writes a length and the counts; a zero is followed by how many more
// zeros there are.
func (e *encoder) counts(counts []uint64) {
	e.uint(uint64(len(counts)))
	for i := 0; i < len(counts); i++ {
		e.uint(counts[i])
		if counts[i] == 0 {
			run := i + 1
			for run < len(counts) && counts[run] == 0 {
				run++
			}
			e.uint(uint64(run - i - 1))
			i = run - 1
		}
	}
}

// distinct writes registers as half bytes above the least one; the rare ones
// that do not fit follow as bytes.
func (e *encoder) distinct(d *Distinct) {
	base := slices.Min(d.Registers[:])
	e.b = append(e.b, base)
	for i := 0; i < DistinctRegisters; i += 2 {
		e.b = append(e.b, min(d.Registers[i]-base, 15)|min(d.Registers[i+1]-base, 15)<<4)
	}
	for _, r := range d.Registers {
		if r-base >= 15 {
			e.b = append(e.b, r)
		}
	}
}

var errShort = errors.New("it ends too early")

// decoder reads what encoder wrote. After the first error it returns zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail(errShort)
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) int() int64 {
	x, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) float() float64 { return math.Float64frombits(d.uint64()) }

// len reads a length, which may not be above limit.
func (d *decoder) len(limit int) int {
	n := d.uint()
	if n > uint64(limit) {
		d.fail(fmt.Errorf("length %d is above the limit of %d", n, limit))
		return 0
	}
	return int(n)
}

func (d *decoder) text() string { return string(d.take(d.len(MaxTextLength))) }

func (d *decoder) time() time.Time {
	ns := d.int()
	if ns == math.MinInt64 || d.err != nil {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (d *decoder) profile() *Profile {
	p := &Profile{Kind: Kind(d.byte())}
	parts := d.byte()
	if parts&^(hasCounts|hasDistinct|hasVector) != 0 {
		d.fail(fmt.Errorf("parts %#x are not known", parts))
		return p
	}
	p.BinsID = d.uint64()
	t := &p.TypeErrors
	for _, n := range [...]*uint64{&p.Count, &p.Missing, &p.Absent, &p.NotFinite, &p.Integers, &t.Number, &t.String, &t.Bool, &t.Vector} {
		*n = d.uint()
	}
	if p.Count > 0 {
		p.Mean, p.M2, p.Min, p.Max = d.float(), d.float(), d.float(), d.float()
	}
	if parts&hasCounts != 0 {
		p.Counts = d.counts()
	}
	if parts&hasDistinct != 0 {
		p.Distinct = d.distinct()
	}
	if n := d.len(MaxTop); n > 0 {
		p.Top.Entries = make([]TopEntry, n)
		for i := range p.Top.Entries {
			p.Top.Entries[i] = TopEntry{Category: d.text(), Count: d.uint(), Over: d.uint()}
		}
	}
	if parts&hasVector != 0 {
		p.Vector = &VectorSummary{WrongDim: d.uint()}
		p.Vector.Sum = d.floats(SketchDim)
		p.Vector.Kernel = d.floats(KernelDim)
	}
	return p
}

func (d *decoder) counts() []uint64 {
	counts := make([]uint64, d.len(MaxEdges+1))
	for i := 0; i < len(counts) && d.err == nil; i++ {
		counts[i] = d.uint()
		if counts[i] == 0 {
			run := d.uint()
			if run > uint64(len(counts)-1-i) {
				d.fail(fmt.Errorf("%d empty cells where %d are left", run, len(counts)-1-i))
				break
			}
			i += int(run)
		}
	}
	return counts
}

func (d *decoder) distinct() *Distinct {
	base := d.byte()
	packed := d.take(DistinctRegisters / 2)
	out := new(Distinct)
	for i, b := range packed {
		out.Registers[2*i], out.Registers[2*i+1] = b&15, b>>4
	}
	for i, r := range out.Registers {
		if r == 15 {
			out.Registers[i] = d.byte()
		} else {
			out.Registers[i] = base + r
		}
	}
	return out
}

func (d *decoder) floats(limit int) []float64 {
	n := d.len(limit)
	b := d.take(8 * n)
	out := make([]float64, 0, n)
	for i := 0; i+8 <= len(b); i += 8 {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b[i:])))
	}
	return out
}

// BaselineFormat is the value of "format" in an exported baseline.
const BaselineFormat = "modelwatch.baseline/1"

type baselineFile struct {
	Format string `json:"format"`
	*Baseline
}

// EncodeBaseline returns the JSON form of a baseline, for export and storage.
func EncodeBaseline(b *Baseline) ([]byte, error) {
	data, err := json.Marshal(baselineFile{BaselineFormat, b})
	if err != nil {
		return nil, fmt.Errorf("encode baseline of %s: %w", b.Key, err)
	}
	return data, nil
}

// DecodeBaseline reads what EncodeBaseline wrote, or a person edited, and checks
// it: what comes back without an error obeys Baseline.Validate. Vector features
// take up to 100 KiB each once decoded, so a receiver should limit the document.
func DecodeBaseline(data []byte) (*Baseline, error) {
	file := baselineFile{Baseline: new(Baseline)}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("decode baseline: %w", err)
	}
	if file.Format != BaselineFormat {
		return nil, fmt.Errorf("decode baseline: format is %q: want %q, as an export has it", clip(file.Format), BaselineFormat)
	}
	if file.Baseline == nil {
		return nil, errors.New("decode baseline: it is empty")
	}
	if err := file.Validate(); err != nil {
		return nil, fmt.Errorf("decode baseline: %w", err)
	}
	return file.Baseline, nil
}
