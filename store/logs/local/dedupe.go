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

// recentEntries is how many entries are remembered by their hash, about 48 bytes each.
const recentEntries = 1 << 19

// dayStream is what is known of a stream on a day.
type dayStream struct {
	// max is the greatest timestamp stored. All entries later than floor are among the recent.
	max, floor int64
	// remember is set once an entry came that was not later than all before.
	remember bool
}

func (d *day) stream(hash uint64) *dayStream {
	ds := d.streams[hash]
	if ds == nil {
		ds = &dayStream{max: math.MinInt64, floor: math.MinInt64}
		d.streams[hash] = ds
	}
	return ds
}

// recent remembers the last entries of streams that need it.
type recent struct {
	keys keySet
	ring []recentEntry
	next int
	size int
}

type recentEntry struct {
	key    key
	ts     int64
	stream *dayStream
}

func newRecent(size int) *recent { return &recent{size: size} }

// add takes note of an entry that will be stored and, once there are too many, forgets the oldest.
func (r *recent) add(k key, ts int64, ds *dayStream) {
	ds.max = max(ds.max, ts)
	if !ds.remember {
		ds.floor = ds.max
		return
	}
	if r.keys.slots == nil {
		r.keys.grow(4 * r.size)
	}
	r.keys.add(k)
	if len(r.ring) < r.size {
		r.ring = append(r.ring, recentEntry{k, ts, ds})
		return
	}
	old := &r.ring[r.next]
	r.keys.remove(old.key)
	old.stream.floor = max(old.stream.floor, old.ts)
	*old = recentEntry{k, ts, ds}
	r.next = (r.next + 1) % r.size
}

// forget empties the memory, after which the files are asked about everything not later than what they hold.
func (r *recent) forget() {
	for i := range r.ring {
		ds := r.ring[i].stream
		ds.floor = max(ds.floor, ds.max)
	}
	r.keys, r.ring, r.next = keySet{}, nil, 0
}

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
	case ds.remember && r.keys.has(k):
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

// remove closes the gap by moving up what was pushed behind it.
func (s *keySet) remove(k key) {
	i := s.find(nonzero(k))
	if s.slots[i] == none {
		return
	}
	for j := i; ; {
		s.slots[i] = none
		for {
			j = (j + 1) & s.mask
			if s.slots[j] == none {
				return
			}
			// An entry may move to i if its own place is not behind i.
			if home := s.slots[j].Hi & s.mask; (j-home)&s.mask >= (j-i)&s.mask {
				break
			}
		}
		s.slots[i] = s.slots[j]
		i = j
	}
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
