package profile

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// column gathers one feature of a baseline: first raw values by kind, then, with
// the bins made, a counter.
type column struct {
	name    string
	hash    uint64
	derived bool
	opt     BuilderOptions
	seq     uint64

	// Before the bins are made. What is there of a kind is kept, because the kind
	// of the feature is that of most values.
	seen    [ai.KindVector + 1]uint64 // Values by kind.
	numbers []float64
	texts   map[string]uint64
	other   uint64      // Texts past MaxCategories,
	names   ai.Distinct // and how many different ones.
	bools   [2]uint64
	vectors []float32 // Of dimension dim each.
	dim     int
	odd     uint64 // Vectors of another dimension.
	strange uint64 // Infinities and vectors that hold one.

	// After.
	counter   *Counter
	bins      *ai.Bins
	truncated bool
	unseen    float64        // Share of texts that were there once.
	moments   *kernelMoments // For vectors.
	present   uint64         // Records that had the feature.
}

func newColumn(name string, hash uint64, opt BuilderOptions) *column {
	return &column{name: strings.Clone(name), hash: hash, derived: ai.Derived(name), opt: opt}
}

// learn keeps a value of the first pass: all of them up to the limit, then a
// uniform sample (Vitter, "Random sampling with a reservoir", ACM TOMS 1985,
// algorithm R).
func (c *column) learn(v ai.Value, rng *rand.Rand) {
	if !c.fullOf(v.Kind()) {
		c.keep(v)
		return
	}
	switch v.Kind() {
	case ai.KindNumber:
		c.seen[ai.KindNumber]++
		x, _ := v.Number()
		if j := rng.Uint64N(c.seen[ai.KindNumber]); finite(x) && j < uint64(len(c.numbers)) {
			c.numbers[j] = x
		}
	case ai.KindVector:
		c.seen[ai.KindVector]++
		if j := rng.Uint64N(c.seen[ai.KindVector]); j < uint64(len(c.vectors)/max(c.dim, 1)) && v.Dim() == c.dim && finite(norm(v)) {
			at := int(j) * c.dim
			appendFloat32(c.vectors[at:at], v)
		}
	default:
		c.keep(v) // Categories are counts; all of them can go on.
	}
}

// fullOf reports whether enough values of that kind are kept.
func (c *column) fullOf(k ai.Kind) bool {
	if k == ai.KindVector {
		return c.seen[k] >= uint64(c.opt.FreezeVectors)
	}
	return c.seen[k] >= uint64(c.opt.Freeze)
}

// keep counts a value and keeps what the bins are made from.
func (c *column) keep(v ai.Value) {
	c.seen[v.Kind()]++
	switch v.Kind() {
	case ai.KindNumber:
		x, _ := v.Number()
		if !finite(x) {
			c.strange++
			return
		}
		c.numbers = append(c.numbers, x)
	case ai.KindString:
		s, _ := v.Str()
		c.keepText(ai.CategoryKey(s))
	case ai.KindBool:
		i := 0
		if b, _ := v.Bool(); b {
			i = 1
		}
		c.bools[i]++
	case ai.KindVector:
		switch {
		case !finite(norm(v)):
			c.strange++
		case c.dim != 0 && v.Dim() != c.dim || v.Dim() == 0:
			c.odd++
		default:
			c.dim = v.Dim()
			c.vectors = appendFloat32(c.vectors, v)
		}
	default:
	}
}

func (c *column) keepText(s string) {
	if c.texts == nil {
		c.texts = make(map[string]uint64)
	}
	if n, ok := c.texts[s]; ok {
		c.texts[s] = n + 1
		return
	}
	if len(c.texts) >= c.opt.MaxCategories {
		c.other++
		c.names.AddString(s)
		return
	}
	c.texts[strings.Clone(s)] = 1
}

func finite(x float64) bool { return math.Abs(x) <= ai.MaxMagnitude }

func appendFloat32(dst []float32, v ai.Value) []float32 {
	if x, ok := v.Float32s(); ok {
		return append(dst, x...)
	}
	x, _ := v.Float64s()
	for _, xi := range x {
		dst = append(dst, float32(xi))
	}
	return dst
}

// add counts a value; the bins are made when there are enough.
func (c *column) add(v ai.Value) error {
	c.present++
	if c.counter != nil {
		c.count(v)
		return nil
	}
	c.keep(v)
	if k := v.Kind(); k != ai.KindMissing && c.fullOf(k) {
		if err := c.freeze(); err != nil {
			return err
		}
		c.countKept()
	}
	return nil
}

func (c *column) count(v ai.Value) {
	before := c.counter.p.Count
	c.counter.Update(v)
	if c.moments != nil && c.counter.p.Count > before {
		c.moments.add(c.bins.Projection, v)
	}
}

// kind returns the kind that most values have. Ties go to the first kind.
func (c *column) kind() ai.Kind {
	best := ai.KindMissing
	for k := ai.KindNumber; k <= ai.KindVector; k++ {
		if c.seen[k] > 0 && (best == ai.KindMissing || c.seen[k] > c.seen[best]) {
			best = k
		}
	}
	return best
}

// freeze makes the bins from what was kept. A column of nulls gets none.
func (c *column) freeze() error {
	kind := c.kind()
	var err error
	switch {
	case kind == ai.KindNumber && len(c.numbers) > 0:
		c.bins, err = FreezeNumeric(c.numbers)
	case kind == ai.KindString:
		c.bins, c.truncated, err = FreezeCategories(c.texts)
		c.truncated = c.truncated || c.other > 0
		c.unseen = singletons(c.texts)
	case kind == ai.KindBool:
		c.bins, err = ai.NewCategoryBins([]string{"false", "true"})
	case kind == ai.KindVector && len(c.vectors) > 0:
		c.bins, err = freezeVectors(c.vectors, c.dim)
		c.moments = new(kernelMoments)
	}
	if err != nil {
		return err
	}
	c.counter = NewCounter(kind, c.bins)
	return nil
}

// singletons returns the share of values whose category came only once.
func singletons(counts map[string]uint64) float64 {
	var once, all uint64
	for _, n := range counts {
		all += n
		if n == 1 {
			once++
		}
	}
	if all == 0 {
		return 0
	}
	return float64(once) / float64(all)
}

// start forgets the first pass, whose values the second one counts.
func (c *column) start() {
	c.drop()
	c.seen = [ai.KindVector + 1]uint64{}
	c.strange, c.odd, c.other, c.bools, c.present = 0, 0, 0, [2]uint64{}, 0
}

// countKept counts the values that the bins were made from.
func (c *column) countKept() {
	p := c.counter.p
	p.Missing = c.seen[ai.KindMissing]
	for k := ai.KindNumber; k <= ai.KindVector; k++ {
		if k != p.Kind {
			p.TypeErrors.Add(k, c.seen[k])
		}
	}
	switch p.Kind {
	case ai.KindNumber:
		p.NotFinite = c.strange
		for _, x := range c.numbers {
			c.counter.UpdateNumber(x)
		}
	case ai.KindString:
		c.countTexts(p)
	case ai.KindBool:
		for i, n := range c.bools {
			if n > 0 {
				p.Counts[i] += n
				p.Count += n
				p.Distinct.AddHash(c.bins.CategoryHash(i))
			}
		}
	case ai.KindVector:
		p.NotFinite = c.strange
		for v := range slices.Chunk(c.vectors, max(c.dim, 1)) {
			c.count(ai.Vector32(v))
		}
		if p.Vector != nil {
			p.Vector.WrongDim = c.odd
		}
	default:
	}
	c.drop()
}

func (c *column) countTexts(p *ai.Profile) {
	names := make([]string, 0, len(c.texts))
	for s := range c.texts {
		names = append(names, s)
	}
	slices.Sort(names) // Space-saving depends on the order; the baseline must not.
	for _, s := range names {
		n := c.texts[s]
		i := c.bins.CategoryIndex(s)
		p.Counts[i] += n
		p.Count += n
		p.Distinct.AddString(s)
		if i == len(c.bins.Categories) {
			p.Top.Add(s, n)
		}
	}
	p.Counts[len(c.bins.Categories)] += c.other
	p.Count += c.other
	p.Distinct.Merge(&c.names)
}

// drop lets go of the raw values.
func (c *column) drop() { c.numbers, c.texts, c.vectors = nil, nil, nil }

// baseline returns the feature's baseline, nil for one that never had a value.
// inputs is the number of records that features are about.
func (c *column) baseline(inputs uint64) (*ai.FeatureBaseline, error) {
	if c.counter == nil {
		if err := c.freeze(); err != nil {
			return nil, err
		}
		c.countKept()
	}
	if c.bins == nil {
		return nil, nil //nolint:nilnil // Nothing to say about it is no error.
	}
	p := c.counter.p.Clone()
	if !c.derived {
		p.Absent = inputs - c.present
	}
	fb := &ai.FeatureBaseline{Kind: p.Kind, Bins: c.bins, Profile: p, Schema: c.schema(p)}
	if p.Kind == ai.KindString && p.Count > 0 {
		fb.Unseen = max(c.unseen, float64(p.Counts[len(p.Counts)-1])/float64(p.Count))
	}
	if c.moments != nil {
		k, err := c.moments.reference()
		if err != nil {
			return nil, err
		}
		fb.Kernel = k
	}
	return fb, nil
}

// schema infers what values are allowed to be.
func (c *column) schema(p *ai.Profile) ai.Schema {
	s := ai.Schema{Kind: p.Kind, Nullable: p.Missing > 0, Optional: p.Absent > 0}
	switch p.Kind {
	case ai.KindNumber:
		if p.Count > 0 {
			s.Integer = p.Integers == p.Count
			s.Min, s.Max = new(p.Min), new(p.Max)
		}
	case ai.KindString, ai.KindBool:
		if !c.truncated && p.Counts[len(p.Counts)-1] == 0 {
			s.Categories = slices.Clone(c.bins.Categories)
		}
	case ai.KindVector:
		s.Dim = c.dim
	default:
	}
	return s
}
