package profile

import (
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/modelwatch/modelwatch/ai"
)

// recentRows is how many rows are remembered to notice equal ones, at most.
const recentRows = 4096

// duplicates notices rows whose features equal those of a recent row: two slots
// for each hash modulo half of recentRows hold the last two rows that fell there,
// so that a few rows that repeat in turn do not push each other out. It takes
// 32 KiB, misses a repeat whose slots were taken since, and has no false alarm
// short of two rows with the same 64-bit hash.
type duplicates struct {
	seed  maphash.Seed
	slots [recentRows]uint64
}

func newDuplicates() *duplicates { return &duplicates{seed: maphash.MakeSeed()} }

// name returns the hash of a feature's name, to be kept and passed to feature.
func (d *duplicates) name(name string) uint64 { return maphash.String(d.seed, name) }

// feature returns the share of one feature in its row's hash. A row's hash is
// the sum of the shares, so that the order of features does not matter.
func (d *duplicates) feature(name uint64, v ai.Value) uint64 {
	h := name + uint64(v.Kind())
	switch v.Kind() {
	case ai.KindNumber:
		x, _ := v.Number()
		h = fold(h, math.Float64bits(x))
	case ai.KindString, ai.KindBool:
		h = fold(h, maphash.String(d.seed, v.Category()))
	case ai.KindVector:
		if x, ok := v.Float64s(); ok {
			for _, xi := range x {
				h = fold(h, math.Float64bits(xi))
			}
		} else if x, ok := v.Float32s(); ok {
			for _, xi := range x {
				h = fold(h, uint64(math.Float32bits(xi)))
			}
		}
	default:
		h = fold(h, 0)
	}
	return h
}

// fold mixes x into h by a 64×64→128 bit multiplication, as wyhash does.
func fold(h, x uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, x^0xe7037ed1a0b428db)
	return hi ^ lo
}

// row reports whether a row with that hash was seen recently, and remembers it.
func (d *duplicates) row(h uint64) bool {
	h = fold(h, h) | 1 // Zero is the empty slot.
	at := (h >> 1) % (recentRows / 2) * 2
	newer, older := &d.slots[at], &d.slots[at+1]
	if *newer == h {
		return true
	}
	seen := *older == h
	*newer, *older = h, *newer
	return seen
}
