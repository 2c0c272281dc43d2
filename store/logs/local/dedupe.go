package local

import (
	"context"
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Deduplication is exact and needs no index on disk. Three questions are asked of an entry, cheapest first:
//
//  1. Is it later than all that its stream has stored that day? Then it is new. For most streams that is all.
//  2. Of a stream whose entries do not come in order, or not from one sender, the last ones are remembered by a hash of
//     128 bits. Is it among them? Then it is a duplicate. Is it later than the point above which all are remembered?
//     Then it is new.
//  3. Otherwise the day's files are asked for entries of that stream and time, all that are in doubt in a commit at once.

// recentEntries is how many entries a generation remembers by their hash, 32 bytes each. There are two of them.
const recentEntries = 1 << 19

// dayStream is what is known of a stream on a day.
type dayStream struct {
	// max is the greatest timestamp stored. All entries later than floor are among the recent.
	max, floor int64
	// remember is set once an entry came that was not later than all before.
	remember bool
	// place is the stream's in the generation of that number.
	generation, place int
}

func (d *day) stream(hash uint64) *dayStream {
	ds := d.streams[hash]
	if ds == nil {
		ds = &dayStream{max: math.MinInt64, floor: math.MinInt64}
		d.streams[hash] = ds
	}
	return ds
}

// recent remembers the last entries of streams that need it, in two generations: when the younger one is full, the older
// one is forgotten as a whole. Forgetting entry by entry would cost as much as remembering.
type recent struct {
	now, before generation
	// number is that of the younger generation, from 1.
	number int
	size   int
}

// generation is a run of entries.
type generation struct {
	keys    keySet
	entries int
	streams []lastOf
}

// lastOf is a stream with the greatest timestamp of its entries in a generation.
type lastOf struct {
	stream *dayStream
	ts     int64
}

func newRecent(size int) *recent { return &recent{size: size, number: 1} }

// add takes note of an entry that will be stored.
func (r *recent) add(k key, ts int64, ds *dayStream) {
	ds.max = max(ds.max, ts)
	if !ds.remember {
		ds.floor = ds.max
		return
	}
	if r.now.entries == r.size {
		r.turn()
	}
	if r.now.keys.slots == nil {
		r.now.keys.grow(2 * r.size)
	}
	r.now.keys.add(k)
	r.now.entries++
	if ds.generation != r.number {
		ds.generation, ds.place = r.number, len(r.now.streams)
		r.now.streams = append(r.now.streams, lastOf{ds, ts})
	}
	last := &r.now.streams[ds.place]
	last.ts = max(last.ts, ts)
}

// turn forgets the older generation and begins another one in its memory.
func (r *recent) turn() {
	for _, l := range r.before.streams {
		l.stream.floor = max(l.stream.floor, l.ts)
	}
	r.now, r.before = r.before, r.now
	r.number++
	clear(r.now.keys.slots)
	clear(r.now.streams)
	r.now.entries, r.now.streams = 0, r.now.streams[:0]
}

// forget empties the memory, after which the files are asked about everything not later than what they hold.
func (r *recent) forget() {
	for _, g := range []*generation{&r.now, &r.before} {
		for _, l := range g.streams {
			l.stream.floor = max(l.stream.floor, l.stream.max)
		}
		*g = generation{}
	}
	r.number++
}

func (r *recent) has(k key) bool { return r.now.keys.has(k) || r.before.keys.has(k) }

// verdict on an entry.
type verdict uint8

const (
	fresh verdict = iota
	duplicate
	doubtful
)

func (r *recent) judge(k key, ts int64, ds *dayStream) verdict {
	switch {
	case ts > ds.max:
		return fresh
	case ds.remember && r.has(k):
		return duplicate
	case ts > ds.floor:
		return fresh
	}
	ds.remember = true
	return doubtful
}

// keySet is a set of keys with open addressing. It is three times as fast as a map for keys that are hashes already.
type keySet struct {
	slots []key
	mask  uint64
}

// none marks an empty slot; a hash that equals it is taken for its neighbour.
var none = key{}

func (s *keySet) grow(size int) {
	n := 1
	for n < size {
		n *= 2
	}
	s.slots, s.mask = make([]key, n), uint64(n-1)
}

func nonzero(k key) key {
	if k == none {
		k.Lo = 1
	}
	return k
}

// find is the slot of k, or the empty one where it would be.
func (s *keySet) find(k key) uint64 {
	i := k.Hi & s.mask
	for s.slots[i] != none && s.slots[i] != k {
		i = (i + 1) & s.mask
	}
	return i
}

func (s *keySet) has(k key) bool {
	return s.slots != nil && s.slots[s.find(nonzero(k))] != none
}

func (s *keySet) add(k key) {
	k = nonzero(k)
	s.slots[s.find(k)] = k
}

// stored is an entry as it is looked for in the files.
type stored struct {
	stream uint32
	ts     int64
	line   string
}

// findStored returns which of the rows of b that are in doubt the day's segments, or earlier rows of b, already hold.
func (s *Store) findStored(ctx context.Context, d *day, b *builder) (map[int]bool, error) {
	dup := b.repeated()
	for _, g := range d.segments {
		ids := map[uint32]uint32{}
		known := make([]uint32, 0, len(b.doubt))
		times := make([]int64, 0, len(b.doubt))
		rows := make(map[stored][]int, len(b.doubt))
		first, last := int64(math.MaxInt64), int64(math.MinInt64)
		for _, row := range b.doubt {
			ls := b.labels[b.stream[row]]
			id, ok := ids[b.stream[row]]
			if !ok {
				found := false
				if id, found = g.lookup(ls, ls.Hash()); !found {
					id = math.MaxUint32
				}
				ids[b.stream[row]] = id
			}
			if id == math.MaxUint32 {
				continue
			}
			known, times = append(known, id), append(times, b.ts[row])
			first, last = min(first, b.ts[row]), max(last, b.ts[row])
			at := stored{id, b.ts[row], b.line[row]}
			rows[at] = append(rows[at], row)
		}
		if len(known) == 0 {
			continue
		}
		if err := s.writer.Exec(ctx, "DELETE FROM temp.candidates"); err != nil {
			return nil, err
		}
		if err := s.appendTo(ctx, "temp", "candidates", []duck.Type{duck.UInteger, duck.BigInt},
			[]duck.Column{{Uint32s: known}, {Int64s: times}}, len(known)); err != nil {
			return nil, err
		}
		query := fmt.Sprintf("SELECT stream, ts, line FROM %s.lines WHERE ts BETWEEN %d AND %d AND (stream, ts) IN (SELECT (stream, ts) FROM temp.candidates)", g.catalog, first, last)
		err := each(ctx, s.writer, query, func(k *duck.Chunk) error {
			ids, ts, lines := duck.Fixed[uint32](k, 0), duck.Fixed[int64](k, 1), k.Strings(2)
			for i := range ids {
				for _, row := range rows[stored{ids[i], ts[i], lines.At(i)}] {
					dup[row] = true
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look for duplicates in %s: %w", dayName(g.day), err)
		}
	}
	return dup, nil
}

// repeated returns the rows in doubt that equal an earlier row of the builder.
func (b *builder) repeated() map[int]bool {
	dup := map[int]bool{}
	first := make(map[stored]int, len(b.doubt))
	for _, row := range b.doubt {
		first[stored{b.stream[row], b.ts[row], b.line[row]}] = -1
	}
	for row := range b.ts {
		at := stored{b.stream[row], b.ts[row], b.line[row]}
		switch n, ok := first[at]; {
		case ok && n < 0:
			first[at] = row
		case ok:
			dup[row] = true
		}
	}
	return dup
}
