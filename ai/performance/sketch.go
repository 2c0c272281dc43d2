package performance

import (
	"math"
	"slices"
)

// SketchSchema is the resolution of a Sketch, as Prometheus native histograms
// count it: bucket i holds the values in (2^((i-1)/32), 2^(i/32)].
const SketchSchema = 5

// SketchError is the largest relative error of a Sketch's quantiles:
// (g-1)/(g+1) for bounds that grow by g = 2^(1/32).
const SketchError = 0.010830050

const (
	bucketsPerOctave = 1 << SketchSchema
	// Values up to 2^sketchMinExp count as zero, and the last bucket takes all
	// that is above 2^sketchMaxExp: in seconds, one nanosecond to 34 years.
	sketchMinExp   = -30
	sketchMaxExp   = 30
	sketchMinIndex = sketchMinExp*bucketsPerOctave + 1
	sketchMaxIndex = sketchMaxExp * bucketsPerOctave
)

// SketchZero is the largest value that a Sketch counts as zero.
const SketchZero = 1.0 / (1 << -sketchMinExp)

// octave holds 2^(k/32): the bucket bounds within one power of two.
var octave = [bucketsPerOctave + 1]float64{
	1.0, 1.0218971486541166, 1.0442737824274138, 1.0671404006768237, 1.0905077326652577, 1.1143867425958924,
	1.1387886347566916, 1.1637248587775775, 1.189207115002721, 1.215247359980469, 1.241857812073484,
	1.2690509571917332, 1.2968395546510096, 1.3252366431597413, 1.3542555469368927, 1.383909881963832,
	1.4142135623730951, 1.4451808069770467, 1.4768261459394993, 1.5091644275934228, 1.5422108254079407,
	1.5759808451078865, 1.6104903319492543, 1.645755478153965, 1.681792830507429, 1.718619298122478,
	1.7562521603732995, 1.7947090750031072, 1.8340080864093424, 1.8741676341103, 1.9152065613971474,
	1.9571441241754002, 2.0,
}

// octaveGuess maps the top six bits of a mantissa to the first bound that can
// be at or above it. Bounds are further apart than 1/64, so at most one more
// step is needed.
var octaveGuess = func() (g [64]uint8) {
	for c := range g {
		low := 1 + float64(c)/64
		k := 0
		for octave[k] < low {
			k++
		}
		g[c] = uint8(k)
	}
	return g
}()

// Sketch is a distribution of numbers that are not negative, such as durations
// in seconds, in logarithmic buckets. Quantiles are within SketchError of a value
// of that rank, whatever the distribution, and merging is addition: the sketch
// of two windows together is the same as the merge of theirs.
//
// The method is DDSketch (Masson, Rim and Lee, "DDSketch: a fast and
// fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019)
// with the bounds of Prometheus native histograms of schema 5, so that it is
// exported as one without loss. At most 1,920 buckets are kept, and only the
// span that was used. The zero Sketch is empty and ready; it is not safe for
// concurrent use.
type Sketch struct {
	zero     uint64   // Values from 0 to SketchZero.
	low      int      // Index of counts[0].
	counts   []uint64 // Neighbouring buckets, no longer than was used.
	count    uint64
	sum      float64
	min, max float64
}

// Add counts one value. It returns false, and counts nothing, where v is
// negative, infinite or not a number.
func (s *Sketch) Add(v float64) bool {
	if !(v >= 0 && v <= math.MaxFloat64) {
		return false
	}
	if s.count == 0 {
		s.min, s.max = v, v
	} else {
		s.min, s.max = min(s.min, v), max(s.max, v)
	}
	s.count++
	s.sum += v
	if v <= SketchZero {
		s.zero++
		return true
	}
	i := bucketIndex(v) - s.low
	if uint(i) >= uint(len(s.counts)) {
		s.grow(i+s.low, i+s.low)
		i = bucketIndex(v) - s.low
	}
	s.counts[i]++
	return true
}

// bucketIndex returns the bucket of a value above SketchZero.
func bucketIndex(v float64) int {
	bits := math.Float64bits(v)
	exp := int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52)
	k := int(octaveGuess[bits>>46&63])
	if m > octave[k] {
		k++
	}
	return min(exp*bucketsPerOctave+k, sketchMaxIndex)
}

// bucketUpper returns the inclusive upper bound of bucket i.
func bucketUpper(i int) float64 {
	return math.Ldexp(octave[i&(bucketsPerOctave-1)], i>>SketchSchema)
}

// grow makes room for the buckets from first to last.
func (s *Sketch) grow(first, last int) {
	if len(s.counts) == 0 {
		s.low = first
		s.counts = make([]uint64, last-first+1, max(last-first+1, 64))
		return
	}
	end := s.low + len(s.counts) - 1
	if first >= s.low {
		s.counts = append(s.counts, make([]uint64, max(last-end, 0))...)
		return
	}
	// Growing downwards moves the counts, so take an octave more than asked.
	first = max(first-bucketsPerOctave, sketchMinIndex)
	grown := make([]uint64, max(end, last)-first+1)
	copy(grown[s.low-first:], s.counts)
	s.low, s.counts = first, grown
}

// Merge adds what o holds; o is not changed.
func (s *Sketch) Merge(o *Sketch) {
	if o == nil || o.count == 0 {
		return
	}
	if s.count == 0 {
		s.min, s.max = o.min, o.max
	} else {
		s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	}
	s.count += o.count
	s.sum = finite(s.sum + o.sum)
	s.zero += o.zero
	if len(o.counts) == 0 {
		return
	}
	if last := o.low + len(o.counts) - 1; len(s.counts) == 0 || o.low < s.low || last >= s.low+len(s.counts) {
		s.grow(o.low, last)
	}
	for i, n := range o.counts {
		s.counts[o.low-s.low+i] += n
	}
}

// Reset empties the sketch and keeps its memory.
func (s *Sketch) Reset() {
	clear(s.counts)
	*s = Sketch{low: s.low, counts: s.counts}
}

// Clone returns a copy that shares nothing with s.
func (s *Sketch) Clone() *Sketch {
	c := *s
	c.counts = slices.Clone(s.counts)
	return &c
}

// Count returns the number of values.
func (s *Sketch) Count() uint64 { return s.count }

// Sum returns the sum of all values.
func (s *Sketch) Sum() float64 { return finite(s.sum) }

// Mean returns the exact mean; ok is false where there is no value.
func (s *Sketch) Mean() (mean float64, ok bool) {
	if s.count == 0 {
		return 0, false
	}
	return s.Sum() / float64(s.count), true
}

// Min returns the exact smallest value, and 0 of none.
func (s *Sketch) Min() float64 { return s.min }

// Max returns the exact largest value, and 0 of none.
func (s *Sketch) Max() float64 { return s.max }

// Quantile returns the value at rank floor(q(n-1)) of the n values in order,
// within SketchError of it. ok is false where there is no value or q is not
// between 0 and 1.
func (s *Sketch) Quantile(q float64) (v float64, ok bool) {
	if s.count == 0 || !(q >= 0 && q <= 1) {
		return 0, false
	}
	return s.atRank(uint64(q * float64(s.count-1))), true
}

// atRank returns the value with rank values below it; rank is below the count.
func (s *Sketch) atRank(rank uint64) float64 {
	switch {
	case rank == 0:
		return s.min
	case rank >= s.count-1:
		return s.max
	case rank < s.zero:
		return s.min // 0 in all but name: at most a nanosecond.
	}
	below := s.zero
	for i, n := range s.counts {
		below += n
		if below > rank {
			return min(max(bucketMiddle(s.low+i), s.min), s.max)
		}
	}
	return s.max
}

// bucketMiddle returns the value whose relative distance to both bounds of
// bucket i is the same.
func bucketMiddle(i int) float64 {
	lower, upper := bucketUpper(i-1), bucketUpper(i)
	return 2 * lower * upper / (lower + upper)
}

// CountAbove returns the number of values above v, counting a bucket that
// holds v as not above.
func (s *Sketch) CountAbove(v float64) uint64 {
	if v < 0 {
		return s.count
	}
	last := sketchMinIndex - 1
	if v > SketchZero {
		last = bucketIndex(v)
	}
	var n uint64
	for i := len(s.counts) - 1; i >= 0 && s.low+i > last; i-- {
		n += s.counts[i]
	}
	return n
}

// logMoments returns the mean and the unbiased variance of the natural logarithm
// of the values, taken at the middle of each bucket; zeros are left out. n is
// the number of values used.
func (s *Sketch) logMoments() (mean, variance, n float64) {
	var sum, squares float64
	for i, c := range s.counts {
		if c == 0 {
			continue
		}
		x := float64(s.low+i) - 0.5
		n += float64(c)
		sum += float64(c) * x
	}
	if n == 0 {
		return 0, 0, 0
	}
	m := sum / n
	for i, c := range s.counts {
		d := float64(s.low+i) - 0.5 - m
		squares += float64(c) * d * d
	}
	const unit = math.Ln2 / bucketsPerOctave
	if n > 1 {
		variance = squares / (n - 1) * unit * unit
	}
	return m * unit, variance, n
}

// Classic returns the cumulative counts of a classic histogram: for each bound,
// how many values are at most that. Bounds must be in rising order; the last,
// +Inf, is the caller's, and equals Count. A bucket that holds a bound counts as
// above it, so a count may be short of the values within 2.2 % below the bound; for
// that no count ever falls as values are added, as counters must not.
func (s *Sketch) Classic(bounds []float64) []uint64 {
	out := make([]uint64, len(bounds))
	for k, b := range bounds {
		if b < 0 || math.IsNaN(b) {
			continue
		}
		n := uint64(0)
		if b >= SketchZero {
			n = s.zero
		}
		for i, c := range s.counts {
			if bucketUpper(s.low+i) > b*(1+1e-12) {
				break
			}
			n += c
		}
		out[k] = n
	}
	return out
}

// NativeSpan is a run of neighbouring buckets of a native histogram.
type NativeSpan struct {
	Offset int32 // Of the first bucket's index: from 0 for the first span, from the end of the one before for others.
	Length uint32
}

// Native is a distribution in the form of a Prometheus native histogram
// (counter, positive buckets only).
type Native struct {
	Schema        int32
	ZeroThreshold float64
	ZeroCount     uint64
	Count         uint64
	Sum           float64
	Spans         []NativeSpan
	Counts        []uint64 // Absolute, one for each bucket of the spans in order.
}

// Native returns the sketch as a native histogram of a schema from -4 to
// SketchSchema; others are clamped. Each step down halves the resolution by
// joining pairs of buckets, and loses nothing else.
func (s *Sketch) Native(schema int) Native {
	schema = min(max(schema, -4), SketchSchema)
	out := Native{
		Schema: int32(schema), ZeroThreshold: SketchZero,
		ZeroCount: s.zero, Count: s.count, Sum: s.Sum(),
	}
	shift := SketchSchema - schema
	next := 0 // The index after the last bucket written.
	for i, c := range s.counts {
		if c == 0 {
			continue
		}
		// Bucket i of the finer schema is in bucket ceil(i / 2^shift).
		index := (s.low+i-1)>>shift + 1
		switch {
		case len(out.Spans) > 0 && index == next-1:
			out.Counts[len(out.Counts)-1] += c
			continue
		case len(out.Spans) > 0 && index == next:
			out.Spans[len(out.Spans)-1].Length++
		default:
			out.Spans = append(out.Spans, NativeSpan{Offset: int32(index - next), Length: 1})
		}
		out.Counts = append(out.Counts, c)
		next = index + 1
	}
	return out
}

// finite clamps a sum that overflowed, so that no infinity leaves the package.
func finite(x float64) float64 {
	switch {
	case x != x:
		return 0
	case x > math.MaxFloat64:
		return math.MaxFloat64
	case x < -math.MaxFloat64:
		return -math.MaxFloat64
	}
	return x
}
