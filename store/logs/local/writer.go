package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// builder gathers the rows of one commit for one day.
type builder struct {
	day    *day
	number int64
	// labels are the streams of this builder; stream is an index into it until the rows are written.
	labels []labels.Labels
	hashes []uint64
	byHash map[uint64][]uint32

	stream []uint32
	ts     []int64
	size   []uint32
	line   []string
	meta   []string
	level  []string
	noJSON []bool
	json   []bool
	// doubt are the rows about which the files must be asked.
	doubt []int
	// from are the appends with rows in here.
	from []*pending
}

// write commits what is queued until the queue is closed and empty.
func (s *Store) write(ctx context.Context) {
	for {
		<-s.queue.wake
		for {
			group := s.queue.take()
			if len(group) == 0 {
				break
			}
			s.commit(context.WithoutCancel(ctx), group)
		}
		if s.queue.drained() {
			return
		}
	}
}

// commit writes a group of appends, one transaction a day, and tells them.
func (s *Store) commit(ctx context.Context, group []*pending) {
	begin := time.Now()
	s.writing.Lock()
	failed := map[*pending]error{}
	var accepted []*builder
	builders := s.gather(group)
	for _, b := range builders {
		err := s.commitDay(ctx, b)
		if duck.IsMemory(err) {
			// A query took the memory. It will fail or end; entries must not be lost for it.
			for range 20 {
				time.Sleep(50 * time.Millisecond)
				if err = s.commitDay(ctx, b); !duck.IsMemory(err) {
					break
				}
			}
		}
		if err != nil {
			s.recent.forget()
			s.metrics.failures.Inc()
			s.o.Logger.Error("commit log entries", "day", dayName(b.number), "entries", len(b.ts), "err", err)
			for _, p := range b.from {
				failed[p] = fmt.Errorf("store entries of %s: %w", dayName(b.number), err)
			}
			if duck.IsFatal(err) {
				s.reopen(ctx)
			}
			continue
		}
		accepted = append(accepted, b)
	}
	s.writing.Unlock()
	s.metrics.commits.Observe(time.Since(begin).Seconds())
	for _, p := range group {
		p.done <- failed[p]
	}
	for _, b := range accepted {
		s.tails.publish(b)
		s.patterns.offer(b)
	}
}

// gather sorts the entries of a group by day and drops those that are known to be duplicates.
func (s *Store) gather(group []*pending) []*builder {
	var builders []*builder
	byDay := map[int64]*builder{}
	dups := 0
	for _, p := range group {
		for i := range p.streams {
			st := &p.streams[i]
			var b *builder
			var id uint32
			var ds *dayStream
			var refusal *logstore.Refusal
			for j := range st.entries {
				e := &st.entries[j]
				if n := dayOf(e.Timestamp); b == nil || b.number != n {
					if b = byDay[n]; b == nil {
						b = &builder{day: s.lockedDay(n), number: n, byHash: map[uint64][]uint32{}}
						byDay[n] = b
						builders = append(builders, b)
					}
					if id, refusal = s.admit(b, st); refusal == nil {
						ds = b.day.stream(st.hash)
						if len(b.from) == 0 || b.from[len(b.from)-1] != p {
							b.from = append(b.from, p)
						}
					}
				}
				if refusal != nil {
					p.rejects.Add(refusal.Reason, 1, func() string { return refusal.Explanation })
					continue
				}
				switch s.recent.judge(st.keys[j], e.Timestamp, ds) {
				case duplicate:
					dups++
					continue
				case doubtful:
					b.doubt = append(b.doubt, len(b.ts))
				}
				s.recent.add(st.keys[j], e.Timestamp, ds)
				b.stream = append(b.stream, id)
				b.ts = append(b.ts, e.Timestamp)
				b.size = append(b.size, uint32(len(e.Line)))
				b.line = append(b.line, e.Line)
				meta := ""
				if st.metas != nil {
					meta = st.metas[j]
				}
				b.meta = append(b.meta, meta)
				b.level = append(b.level, st.levels[j])
				b.noJSON = append(b.noJSON, st.noJSON[j])
				b.json = append(b.json, st.json[j])
			}
		}
	}
	s.metrics.duplicates.Add(float64(dups))
	return builders
}

func (s *Store) lockedDay(n int64) *day {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.day(n)
}

// admit returns the number of a stream in the builder, or why it may not be opened.
func (s *Store) admit(b *builder, st *prepared) (uint32, *logstore.Refusal) {
	for _, id := range b.byHash[st.hash] {
		if labels.Equal(b.labels[id], st.labels) {
			return id, nil
		}
	}
	if _, known := b.day.streams[st.hash]; !known {
		if f := s.guard(b.day, b.number, st.labels); f != nil {
			return 0, f
		}
		b.day.count(&streamInfo{labels: st.labels})
	}
	id := uint32(len(b.labels))
	b.labels = append(b.labels, st.labels)
	b.hashes = append(b.hashes, st.hash)
	b.byHash[st.hash] = append(b.byHash[st.hash], id)
	return id, nil
}

// lineTypes are the columns of the table lines.
var lineTypes = []duck.Type{duck.UInteger, duck.BigInt, duck.UInteger, duck.Varchar, duck.Varchar, duck.Varchar, duck.Boolean}

// commitDay writes a builder's rows into the hot segment of its day and makes them visible.
func (s *Store) commitDay(ctx context.Context, b *builder) error {
	if s.writer == nil {
		return ErrClosed
	}
	if s.lockedDay(b.number) != b.day {
		return errors.New("the store was opened again meanwhile")
	}
	if len(b.doubt) > 0 {
		dup, err := s.findStored(ctx, b.day, b)
		if err != nil {
			return err
		}
		b.drop(dup)
		s.metrics.duplicates.Add(float64(len(dup)))
		b.doubt = nil
	}
	if len(b.ts) == 0 {
		return nil
	}
	g, err := s.hotSegment(ctx, b)
	if err != nil {
		return err
	}
	// Streams that the segment does not know get the next numbers.
	ids := make([]uint32, len(b.labels))
	var added []labels.Labels
	var addedIDs []uint32
	var addedText []string
	for i, ls := range b.labels {
		id, ok := g.lookup(ls, b.hashes[i])
		if !ok {
			id = uint32(len(g.streams) + len(added))
			added = append(added, ls)
			addedIDs = append(addedIDs, id)
			addedText = append(addedText, encodeLabels(ls))
		}
		ids[i] = id
	}
	numbers := make([]uint32, len(b.stream))
	for i, id := range b.stream {
		numbers[i] = ids[id]
	}
	if err := s.writer.Exec(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	err = func() error {
		if len(added) > 0 {
			if err := s.appendTo(ctx, g.catalog, "streams", []duck.Type{duck.UInteger, duck.Varchar},
				[]duck.Column{{Uint32s: addedIDs}, {Strings: addedText}}, len(added)); err != nil {
				return err
			}
		}
		return s.appendTo(ctx, g.catalog, "lines", lineTypes, []duck.Column{
			{Uint32s: numbers},
			{Int64s: b.ts},
			{Uint32s: b.size},
			{Strings: b.line},
			{Strings: b.meta, NullIfEmpty: true},
			{Strings: b.level, Null: b.noJSON},
			{Bools: b.json},
		}, len(b.ts))
	}()
	if err == nil {
		err = s.writer.Exec(ctx, "COMMIT")
	}
	if err != nil {
		// A failed COMMIT has rolled back already and then there is nothing to roll back.
		if back := s.writer.Exec(ctx, "ROLLBACK"); back != nil && duck.IsFatal(back) {
			err = errors.Join(err, back)
		}
		return err
	}
	s.publish(g, b, numbers, added)
	return nil
}

// publish makes committed rows visible to readers.
func (s *Store) publish(g *segment, b *builder, numbers []uint32, added []labels.Labels) {
	var bytes int64
	s.mu.Lock()
	for _, ls := range added {
		g.addStream(ls)
	}
	for i, id := range numbers {
		st := &g.streams[id]
		st.rows++
		st.bytes += int64(b.size[i])
		st.first, st.last = min(st.first, b.ts[i]), max(st.last, b.ts[i])
		st.metadata = st.metadata || b.meta[i] != ""
		bytes += int64(b.size[i])
	}
	g.last = s.o.Now()
	s.mu.Unlock()
	s.metrics.entries.Add(float64(len(numbers)))
	s.metrics.bytes.Add(float64(bytes))
}

// hotSegment returns the segment of the builder's day that takes new entries, making it if need be.
func (s *Store) hotSegment(ctx context.Context, b *builder) (*segment, error) {
	s.mu.RLock()
	g := b.day.hot()
	gen := 0
	if n := len(b.day.segments); n > 0 {
		gen = b.day.segments[n-1].gen
	}
	s.mu.RUnlock()
	if g != nil {
		return g, nil
	}
	return s.newHot(ctx, b.day, b.number, gen)
}

// newHot adds a hot segment of the given generation to a day.
func (s *Store) newHot(ctx context.Context, d *day, number int64, gen int) (*segment, error) {
	g := newSegment(s.o.Dir, number, gen, false)
	if err := g.attach(ctx, s.writer); err != nil {
		if back := g.detach(ctx, s.writer); back != nil {
			err = errors.Join(err, back)
		}
		return nil, err
	}
	s.mu.Lock()
	g.last = s.o.Now()
	d.segments = append(d.segments, g)
	s.mu.Unlock()
	return g, nil
}

// appendTo adds rows to a table within the writer's transaction.
func (s *Store) appendTo(_ context.Context, catalog, table string, types []duck.Type, columns []duck.Column, rows int) error {
	app, err := s.writer.Appender(catalog, table, types, s.arena)
	if err != nil {
		return err
	}
	return errors.Join(app.Append(columns, rows), app.Close())
}

// drop removes rows by index.
func (b *builder) drop(rows map[int]bool) {
	if len(rows) == 0 {
		return
	}
	n := 0
	for i := range b.ts {
		if rows[i] {
			continue
		}
		b.stream[n], b.ts[n], b.size[n], b.line[n], b.meta[n] = b.stream[i], b.ts[i], b.size[i], b.line[i], b.meta[i]
		b.level[n], b.noJSON[n], b.json[n] = b.level[i], b.noJSON[i], b.json[i]
		n++
	}
	b.stream, b.ts, b.size, b.line, b.meta = b.stream[:n], b.ts[:n], b.size[:n], b.line[:n], b.meta[:n]
	b.level, b.noJSON, b.json = b.level[:n], b.noJSON[:n], b.json[:n]
}

// entries returns the rows as streams, for those who follow.
func (b *builder) entries() []logs.Stream {
	out := make([]logs.Stream, len(b.labels))
	for i, ls := range b.labels {
		out[i].Labels = ls
	}
	for i, id := range b.stream {
		e := logs.Entry{Timestamp: b.ts[i], Line: b.line[i]}
		if b.meta[i] != "" {
			if md, err := decodeLabels(b.meta[i]); err == nil {
				e.Metadata = md
			}
		}
		out[id].Entries = append(out[id].Entries, e)
	}
	return out
}
