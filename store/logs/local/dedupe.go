package local

import (
	"context"
	"fmt"
	"math"

	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Deduplication is exact and needs no index on disk. Three questions are asked of an entry, cheapest first:
//
//  1. Is it among the recent entries, kept by a hash of 128 bits? Then it is a duplicate.
//  2. Is it later than all that its stream has stored that day, or later than the point above which all of the stream
//     is known to be among the recent? Then it is new.
//  3. Otherwise the day's files are asked for entries of that stream and time, all candidates of a commit at once.

// recentEntries is how many entries are remembered by their hash, about 40 bytes each.
const recentEntries = 1 << 19

// dayStream is what is known of a stream on a day.
type dayStream struct {
	// max is the greatest timestamp stored. All entries later than floor are among the recent.
	max, floor int64
}

func (d *day) stream(hash uint64) *dayStream {
	ds := d.streams[hash]
	if ds == nil {
		ds = &dayStream{max: math.MinInt64, floor: math.MinInt64}
		d.streams[hash] = ds
	}
	return ds
}

// recent remembers the last entries that were written.
type recent struct {
	keys map[key]struct{}
	ring []recentEntry
	next int
	full bool
}

type recentEntry struct {
	key    key
	ts     int64
	stream *dayStream
}

func newRecent(size int) *recent {
	return &recent{keys: map[key]struct{}{}, ring: make([]recentEntry, 0, min(size, 1024)), next: 0}
}

func (r *recent) has(k key) bool {
	_, ok := r.keys[k]
	return ok
}

// add remembers an entry and, once there are too many, forgets the oldest.
func (r *recent) add(k key, ts int64, ds *dayStream) {
	r.keys[k] = struct{}{}
	if len(r.ring) < recentEntries {
		r.ring = append(r.ring, recentEntry{k, ts, ds})
		return
	}
	old := &r.ring[r.next]
	delete(r.keys, old.key)
	old.stream.floor = max(old.stream.floor, old.ts)
	*old = recentEntry{k, ts, ds}
	r.next = (r.next + 1) % recentEntries
}

// forget empties the memory, after which the files are asked about everything not later than what they hold.
func (r *recent) forget() {
	for i := range r.ring {
		ds := r.ring[i].stream
		ds.floor = max(ds.floor, ds.max)
	}
	r.keys, r.ring, r.next = map[key]struct{}{}, r.ring[:0], 0
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
	case r.has(k):
		return duplicate
	case ts > ds.max || ts > ds.floor:
		return fresh
	}
	return doubtful
}

// stored is an entry as it is looked for in the files.
type stored struct {
	stream uint32
	ts     int64
	line   string
}

// findStored returns which of the rows of b that are in doubt the day's segments already hold.
func (s *Store) findStored(ctx context.Context, d *day, b *builder) (map[int]bool, error) {
	dup := map[int]bool{}
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
