package ai

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
)

// Limits on frozen bins, so that a profile stays within 4 KiB.
const (
	// MaxEdges is the largest number of edges of numeric bins.
	MaxEdges = 208
	// MaxCategories is the largest number of categories that have a bin of their own.
	MaxCategories = 200
	// MaxCategoryLength is the longest category kept as text, in bytes; longer
	// ones are cut by CategoryKey.
	MaxCategoryLength = 64
)

// Bins are the cells that the values of one feature are counted in. They are
// frozen with the baseline: every window counts in the same cells, so windows
// are comparable, merging is addition, and the null distribution of a statistic
// over them is known. Bins are immutable and safe for concurrent use.
//
// Exactly one of these shapes is in use:
//
//   - Numbers: Edges e₀ < e₁ < … < eₙ₋₁ make n+1 cells. Cell 0 counts x ≤ e₀,
//     cell i counts eᵢ₋₁ < x ≤ eᵢ, and cell n counts x > eₙ₋₁. The cumulative
//     count at cell i is therefore exactly the number of values ≤ eᵢ.
//   - Strings and booleans: Categories c₀ … cₙ₋₁ make n+1 cells; the last one
//     counts every other category.
//   - Vectors: Projection says how they are summarised, and Edges are cells of
//     the Euclidean norm.
type Bins struct {
	Edges      []float64
	Categories []string
	Projection *Projection

	// Tail is the number of cells at each end that lie outside the baseline's
	// range: cells [Tail, Len()-Tail) cover the baseline, the others grow
	// geometrically away from it. It is 0 for categories.
	Tail int

	id     uint64
	keys   *[maxKeys]uint64 // orderKey of Edges, then the largest integers.
	index  map[string]int32
	hashes []uint64 // Of Categories, for Distinct.
}

// NewNumericBins returns bins with those edges, which must be finite, strictly
// increasing, and at most MaxEdges. tail is the number of cells at each end
// that lie outside the baseline's range.
func NewNumericBins(edges []float64, tail int) (*Bins, error) {
	b := &Bins{Edges: slices.Clone(edges), Tail: tail}
	if err := b.freeze(); err != nil {
		return nil, err
	}
	return b, nil
}

// NewCategoryBins returns bins with a cell for each of the categories, at most
// MaxCategories, and one for all others.
func NewCategoryBins(categories []string) (*Bins, error) {
	b := &Bins{Categories: make([]string, len(categories))}
	for i, c := range categories {
		b.Categories[i] = CategoryKey(c)
	}
	if err := b.freeze(); err != nil {
		return nil, err
	}
	return b, nil
}

// NewVectorBins returns bins for vectors: a projection, and edges of the norm.
func NewVectorBins(p *Projection, normEdges []float64, tail int) (*Bins, error) {
	b := &Bins{Projection: p, Edges: slices.Clone(normEdges), Tail: tail}
	if err := b.freeze(); err != nil {
		return nil, err
	}
	return b, nil
}

// Len returns the number of cells.
func (b *Bins) Len() int {
	if b == nil {
		return 0
	}
	if b.Categories != nil {
		return len(b.Categories) + 1
	}
	return len(b.Edges) + 1
}

// ID identifies the cells: equal cells have equal ids, on every machine.
// Profiles with different ids do not merge. The id of nil bins is 0.
func (b *Bins) ID() uint64 {
	if b == nil {
		return 0
	}
	return b.id
}

// Index returns the cell of a number (for vectors, of a norm). x must not be NaN,
// and the bins must have edges.
func (b *Bins) Index(x float64) int {
	// A search for the first edge ≥ x that quarters instead of halving, because
	// the three looks of a step do not wait for each other, and without a branch,
	// because whether x is above an edge cannot be predicted.
	key, keys := orderKey(x), b.keys
	_, a1 := bits.Sub64(keys[63], key, 0)
	_, a2 := bits.Sub64(keys[127], key, 0)
	_, a3 := bits.Sub64(keys[191], key, 0)
	lo := uint8((a1 + a2 + a3) * 64)
	_, a1 = bits.Sub64(keys[lo+15], key, 0)
	_, a2 = bits.Sub64(keys[lo+31], key, 0)
	_, a3 = bits.Sub64(keys[lo+47], key, 0)
	lo += uint8((a1 + a2 + a3) * 16)
	_, a1 = bits.Sub64(keys[lo+3], key, 0)
	_, a2 = bits.Sub64(keys[lo+7], key, 0)
	_, a3 = bits.Sub64(keys[lo+11], key, 0)
	lo += uint8((a1 + a2 + a3) * 4)
	_, a1 = bits.Sub64(keys[lo], key, 0)
	_, a2 = bits.Sub64(keys[lo+1], key, 0)
	_, a3 = bits.Sub64(keys[lo+2], key, 0)
	return int(lo + uint8(a1+a2+a3))
}

// maxKeys is the power of four above MaxEdges, as Index has it.
const maxKeys = 256

// orderKey maps floats to integers of the same order; both zeros map alike.
func orderKey(x float64) uint64 {
	u := math.Float64bits(x + 0)
	return u ^ (uint64(int64(u)>>63) | 1<<63)
}

// CategoryIndex returns the cell of a category.
func (b *Bins) CategoryIndex(category string) int {
	if len(category) > MaxCategoryLength {
		category = CategoryKey(category)
	}
	if i, ok := b.index[category]; ok {
		return int(i)
	}
	return len(b.Categories)
}

// CategoryHash returns HashString of the category that has cell i of its own.
func (b *Bins) CategoryHash(i int) uint64 { return b.hashes[i] }

// Bounds returns the half-open interval (lo, hi] of numbers that cell i counts;
// the outermost ends are infinite.
func (b *Bins) Bounds(i int) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if i > 0 {
		lo = b.Edges[i-1]
	}
	if i < len(b.Edges) {
		hi = b.Edges[i]
	}
	return lo, hi
}

// CategoryKey returns the text that a category is counted by: the category
// itself up to MaxCategoryLength bytes, else its beginning and a hash of the whole.
func CategoryKey(category string) string {
	if len(category) <= MaxCategoryLength {
		return category
	}
	const tail = 1 + 3 + 16 // "…" is three bytes; one spare keeps the cut simple.
	i := MaxCategoryLength - tail
	for i > 0 && category[i]&0xC0 == 0x80 {
		i--
	}
	return fmt.Sprintf("%s…%016x", category[:i], hashString(category))
}

// freeze checks the bins and derives what is not stored.
func (b *Bins) freeze() error {
	switch {
	case b.Categories != nil && (b.Edges != nil || b.Projection != nil):
		return fmt.Errorf("bins have categories and edges: want one of them")
	case len(b.Edges) > MaxEdges:
		return fmt.Errorf("bins have %d edges, the limit is %d", len(b.Edges), MaxEdges)
	case len(b.Categories) > MaxCategories:
		return fmt.Errorf("bins have %d categories, the limit is %d", len(b.Categories), MaxCategories)
	case b.Tail < 0 || 2*b.Tail > b.Len() || (b.Categories != nil && b.Tail != 0):
		return fmt.Errorf("bins of %d cells cannot have %d tail cells at each end", b.Len(), b.Tail)
	}
	for i, e := range b.Edges {
		if math.IsNaN(e) || math.IsInf(e, 0) {
			return fmt.Errorf("bins: edge %d is %v: edges are finite", i, e)
		}
		if i > 0 && e <= b.Edges[i-1] {
			return fmt.Errorf("bins: edge %d (%v) is not above edge %d (%v)", i, e, i-1, b.Edges[i-1])
		}
	}
	if b.Categories == nil {
		b.keys = new([maxKeys]uint64)
		for i := range b.keys {
			b.keys[i] = math.MaxUint64
			if i < len(b.Edges) {
				b.keys[i] = orderKey(b.Edges[i])
			}
		}
	} else {
		b.index = make(map[string]int32, len(b.Categories))
		b.hashes = make([]uint64, len(b.Categories))
		for i, c := range b.Categories {
			if len(c) > MaxCategoryLength {
				return fmt.Errorf("bins: category %d is %d bytes long, the limit is %d", i, len(c), MaxCategoryLength)
			}
			if _, dup := b.index[c]; dup {
				return fmt.Errorf("bins: category %q is there twice", c)
			}
			b.index[c] = int32(i)
			b.hashes[i] = HashString(c)
		}
	}
	if b.Projection != nil {
		if err := b.Projection.freeze(); err != nil {
			return err
		}
	}
	b.id = b.fingerprint()
	return nil
}

// fingerprint hashes the cells by 64-bit FNV-1a.
func (b *Bins) fingerprint() uint64 {
	h := fnv.New64a()
	word := func(x uint64) {
		var buf [8]byte
		for i := range buf {
			buf[i] = byte(x >> (8 * i))
		}
		h.Write(buf[:])
	}
	word(uint64(len(b.Edges)))
	for _, e := range b.Edges {
		word(math.Float64bits(e))
	}
	word(uint64(len(b.Categories)))
	for _, c := range b.Categories {
		word(uint64(len(c)))
		h.Write([]byte(c))
	}
	if p := b.Projection; p != nil {
		word(uint64(p.Dim))
		word(p.Seed)
		word(math.Float64bits(p.Bandwidth))
	}
	if id := h.Sum64(); id != 0 {
		return id
	}
	return 1
}

type binsJSON struct {
	Edges      []float64   `json:"edges,omitempty"`
	Categories []string    `json:"categories,omitzero"`
	Projection *Projection `json:"projection,omitempty"`
	Tail       int         `json:"tail,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (b *Bins) MarshalJSON() ([]byte, error) {
	return json.Marshal(binsJSON{b.Edges, b.Categories, b.Projection, b.Tail})
}

// UnmarshalJSON implements json.Unmarshaler and checks the bins.
func (b *Bins) UnmarshalJSON(data []byte) error {
	var j binsJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("decode bins: %w", err)
	}
	*b = Bins{Edges: j.Edges, Categories: j.Categories, Projection: j.Projection, Tail: j.Tail}
	if err := b.freeze(); err != nil {
		return fmt.Errorf("decode bins: %w", err)
	}
	return nil
}
