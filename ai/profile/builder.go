package profile

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// BuilderOptions bound a Builder. The zero value means the defaults.
type BuilderOptions struct {
	// Freeze is the number of values of a feature after which its bins are made;
	// default 5,000. Values before it are kept (8 bytes each for numbers), those
	// after it only counted.
	Freeze int
	// FreezeVectors is Freeze for vectors, which take 4 bytes an element; default 500.
	FreezeVectors int
	// MaxFeatures, MaxClasses and MaxVectorDim are as in Options.
	MaxFeatures  int
	MaxClasses   int
	MaxVectorDim int
	// MaxCategories is the number of different categories counted before the bins
	// of a feature are made; default 10,000. It bounds memory: features with more
	// are names of things, and their rest is counted as other.
	MaxCategories int
}

func (o BuilderOptions) withDefaults() BuilderOptions {
	or := func(x *int, d int) {
		if *x <= 0 {
			*x = d
		}
	}
	or(&o.Freeze, 5000)
	or(&o.FreezeVectors, 500)
	or(&o.MaxFeatures, 1000)
	or(&o.MaxClasses, 32)
	or(&o.MaxVectorDim, 4096)
	or(&o.MaxCategories, 10_000)
	return o
}

// Builder makes a baseline from a stream of inferences, in one pass or two.
//
// In one pass, Add keeps the first values of each feature, makes its bins from
// them, and only counts the rest: memory is bounded, and a stream of any length
// may follow. With the data at hand, pass it to Learn first: the bins are then
// made from a uniform sample of all of it, and Add counts everything on a second
// pass.
//
// It is not safe for concurrent use.
type Builder struct {
	opt     BuilderOptions
	columns map[string]*column
	inputs  int // Columns that are not derived.
	classes int
	learned uint64 // Records passed to Learn.
	rows    uint64 // Records passed to Add.
	counted uint64 // Of them, those that the features are about.
	dups    uint64
	recent  *duplicates
	dropped ai.Dropped
	rng     *rand.Rand
}

// NewBuilder returns a builder without records.
func NewBuilder(opt BuilderOptions) *Builder {
	return &Builder{
		opt: opt.withDefaults(), columns: make(map[string]*column), recent: newDuplicates(),
		rng: rand.New(rand.NewPCG(1, 2)), // Fixed: the same data gives the same baseline.
	}
}

// Rows returns the number of records counted so far.
func (b *Builder) Rows() uint64 { return b.rows }

// Learn takes a record of the first pass. It reports an error after Add.
func (b *Builder) Learn(inf *ai.Inference) error {
	if b.rows > 0 {
		return errors.New("learn baseline: counting has begun: the first pass comes before the second")
	}
	b.learned++
	b.each(inf, func(c *column, v ai.Value) { c.learn(v, b.rng) })
	return nil
}

// Add counts a record, which must be valid.
func (b *Builder) Add(inf *ai.Inference) error {
	if b.rows == 0 && b.learned > 0 {
		for name, c := range b.columns {
			if err := c.freeze(); err != nil {
				return fmt.Errorf("feature %q: %w", name, err)
			}
			c.start()
		}
		b.dropped = ai.Dropped{} // Counted by the second pass.
	}
	b.rows++
	if len(inf.Features) > 0 || !inf.Failed() {
		b.counted++
	}
	var failed error
	var row uint64
	b.each(inf, func(c *column, v ai.Value) {
		if !c.derived {
			row += b.recent.feature(c.hash, v)
		}
		if err := c.add(v); err != nil && failed == nil {
			failed = fmt.Errorf("feature %q: %w", c.name, err)
		}
	})
	if len(inf.Features) > 0 && b.recent.row(row) {
		b.dups++
	}
	return failed
}

// each calls do for every feature of a record, derived ones among them.
func (b *Builder) each(inf *ai.Inference, do func(*column, ai.Value)) {
	seq := b.learned + b.rows
	visit := func(c *column, v ai.Value) {
		switch {
		case c.seq == seq:
			b.dropped.Repeated++
		case v.Dim() > b.opt.MaxVectorDim:
			b.dropped.Vectors++
		default:
			c.seq = seq
			do(c, v)
		}
	}
	for i := range inf.Features {
		f := &inf.Features[i]
		c := b.columns[f.Name]
		if c == nil {
			if b.inputs >= b.opt.MaxFeatures || f.Name == "" {
				b.dropped.Features++
				continue
			}
			b.inputs++
			c = b.column(f.Name)
		}
		visit(c, f.Value)
	}
	if !inf.Prediction.IsMissing() || !inf.Failed() && b.columns[ai.PredictionFeature] != nil {
		visit(b.column(ai.PredictionFeature), inf.Prediction)
	}
	if len(inf.Probabilities) == 0 {
		return
	}
	var best float64
	for i := range inf.Probabilities {
		p := &inf.Probabilities[i]
		best = max(best, p.P)
		name := ai.ProbabilityPrefix + p.Class
		if b.columns[name] == nil {
			if b.classes >= b.opt.MaxClasses {
				b.dropped.Classes++
				continue
			}
			b.classes++
		}
		visit(b.column(name), ai.Number(p.P))
	}
	visit(b.column(ai.ConfidenceFeature), ai.Number(best))
}

// column returns the column of that name, and makes it if need be.
func (b *Builder) column(name string) *column {
	c := b.columns[name]
	if c == nil {
		c = newColumn(name, b.recent.name(name), b.opt)
		b.columns[c.name] = c
	}
	return c
}

// Meta is what a baseline says about itself beside the data.
type Meta struct {
	Key       ai.Key
	ID        string
	Number    int
	Created   time.Time
	Source    ai.Source
	Note      string
	Confirmed bool
}

// ErrNoRecords is returned by Build where nothing was added.
var ErrNoRecords = errors.New("no records: a baseline needs at least one")

// Build returns the baseline of the records added so far. The builder may go on
// afterwards; the baseline shares nothing with it but the bins.
func (b *Builder) Build(m Meta) (*ai.Baseline, error) {
	if b.counted == 0 {
		return nil, fmt.Errorf("build baseline of %s: %w", m.Key, ErrNoRecords)
	}
	out := &ai.Baseline{
		Key: m.Key, ID: m.ID, Number: m.Number, Created: m.Created, Source: m.Source, Note: m.Note,
		Confirmed: m.Confirmed, Rows: b.rows, Inputs: b.counted, Duplicates: b.dups, Dropped: b.dropped,
		Features: make(map[string]*ai.FeatureBaseline, len(b.columns)),
	}
	for name, c := range b.columns {
		fb, err := c.baseline(b.counted)
		if err != nil {
			return nil, fmt.Errorf("build baseline of %s: feature %q: %w", m.Key, name, err)
		}
		if fb != nil {
			out.Features[name] = fb
		}
	}
	return out, nil
}
