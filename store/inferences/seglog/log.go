package seglog

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Log is a log of batches. It is safe for concurrent use.
type Log struct {
	o        Options
	recovery Recovery
	repeated map[Position]bool // Frames that Read leaves out.

	mu       sync.Mutex
	wake     sync.Cond
	queue    []*entry
	flying   map[idHash]*entry // Queued or being written.
	known    *ids
	segments []*segment // The last one is written to, if current is set.
	synced   Position
	closed   bool
	done     chan struct{}

	// Only the writing goroutine uses these.
	current file
	own     []idEntry // Identifiers in the current segment.
}

// entry is a batch on its way to disk.
type entry struct {
	prefix  []byte
	payload []byte
	sum     uint32
	id      idHash
	hasID   bool
	arrival int64
	value   any
	end     Position
	done    chan struct{} // Closed when err is set.
	err     error
}

// Open opens the log in a directory, cuts off what was torn by a kill, and
// starts to write. Writing goes on in a new segment.
func Open(o Options) (*Log, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make directory of segment log: %w", err)
	}
	l := &Log{
		o: o, repeated: map[Position]bool{}, flying: map[idHash]*entry{},
		known: newIDs(o.IDHorizon, o.MaxIDs), done: make(chan struct{}),
	}
	l.wake.L = &l.mu
	if err := l.replay(); err != nil {
		return nil, err
	}
	go l.write()
	return l, nil
}

// replay reads all that is there.
func (l *Log) replay() error {
	segments, err := list(l.o.Dir)
	if err != nil {
		return err
	}
	first := Position(1<<64 - 1)
	if len(segments) > 0 {
		first = segments[0].start
	}
	if err := l.recoverIDs(first); err != nil {
		return err
	}
	for i, s := range segments {
		if i+1 < len(segments) {
			// What reaches into the next segment was refused, and could not be cut off.
			s.size = min(s.size, int64(segments[i+1].start-s.start))
		}
		var own []idEntry
		found, err := s.read(0, s.end(), func(at, _ Position, f Frame) error {
			l.recovery.Frames++
			if f.ID == "" {
				return nil
			}
			id, ms := hashID(f.ID), f.Arrival.UnixMilli()
			if l.known.has(id) {
				l.repeated[at] = true
				l.recovery.Repeated++
				return nil
			}
			own = append(own, idEntry{id, ms})
			l.known.add(id, ms)
			return nil
		})
		if err != nil {
			return err
		}
		name := filepath.Base(s.path)
		if found.damaged > 0 {
			l.recovery.DamagedBytes += found.damaged
			l.o.Logger.Error("Skipped a damaged part of the inference log: the disk lost it", "file", name, "bytes", found.damaged)
		}
		if found.torn > 0 {
			l.recovery.TornBytes += found.torn
			l.o.Logger.Warn("Cut off an unfinished batch that was never acknowledged", "file", name, "bytes", found.torn)
			if err := os.Truncate(s.path, segmentHead+found.good); err != nil {
				return fmt.Errorf("cut off unfinished batch: %w", err)
			}
			s.size = found.good
		}
		if err := writeIDs(s.idsPath(), own); err != nil {
			return err
		}
		l.synced = max(l.synced, s.end())
	}
	for i, s := range segments {
		// Without any other segment, the name of an empty one says where the log is.
		if s.size > 0 || i == len(segments)-1 && len(l.segments) == 0 {
			l.segments = append(l.segments, s)
			continue
		}
		if err := errors.Join(os.Remove(s.path), os.Remove(s.idsPath())); err != nil {
			return fmt.Errorf("remove empty segment: %w", err)
		}
	}
	return syncDir(l.o.Dir)
}

// recoverIDs reads the identifiers of batches whose segments have gone, which
// are those before first.
func (l *Log) recoverIDs(first Position) error {
	entries, err := os.ReadDir(l.o.Dir) // Sorted by name, which is the order.
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	for _, e := range entries {
		start, ok := startOf(e.Name(), idsExt)
		if !ok {
			continue
		}
		l.synced = max(l.synced, start)
		if start >= first {
			continue
		}
		path := filepath.Join(l.o.Dir, e.Name())
		own, err := readIDs(path)
		if err != nil {
			l.o.Logger.Warn("Batches repeated from before may be counted twice", "err", err)
			continue
		}
		for _, e := range own {
			l.known.add(e.id, e.at)
		}
	}
	return nil
}

// Recovery says what Open found.
func (l *Log) Recovery() Recovery { return l.recovery }

// Synced is the position up to which everything is on disk.
func (l *Log) Synced() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.synced
}

// Size is the number of bytes that the segments take.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int64
	for _, s := range l.segments {
		n += s.size + segmentHead
	}
	return n
}

// Append writes a batch and returns when it is on disk. duplicate is true if a
// batch of that identifier was written before; value then is not passed on.
//
// If ctx ends first its error is returned, and whether the batch is written is
// unknown; started is then true, and Options.Synced, or failed, gets the value
// all the same. failed is called if the batch could not be written after Append
// had returned; it may be nil.
func (l *Log) Append(ctx context.Context, f Frame, value any, failed func(error)) (duplicate, started bool, err error) {
	if len(f.ID) > MaxIDLength {
		return false, false, fmt.Errorf("batch identifier is %d bytes long, the limit is %d", len(f.ID), MaxIDLength)
	}
	if len(f.Payload) > MaxPayload {
		return false, false, fmt.Errorf("batch is %d bytes long, the limit is %d", len(f.Payload), MaxPayload)
	}
	e := &entry{
		prefix: prefix(&f), payload: f.Payload, arrival: f.Arrival.UnixMilli(), value: value, done: make(chan struct{}),
	}
	e.sum = crc32.Update(crc32.Checksum(e.prefix[headLength:], castagnoli), castagnoli, e.payload)
	if f.ID != "" {
		e.id, e.hasID = hashID(f.ID), true
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false, false, ErrClosed
	}
	if e.hasID {
		if l.known.has(e.id) {
			l.mu.Unlock()
			return true, false, nil
		}
		if first := l.flying[e.id]; first != nil {
			l.mu.Unlock()
			select {
			case <-first.done:
				return first.err == nil, false, first.err
			case <-ctx.Done():
				return false, false, ctx.Err()
			}
		}
		l.flying[e.id] = e
	}
	l.queue = append(l.queue, e)
	l.wake.Signal()
	l.mu.Unlock()
	select {
	case <-e.done:
		return false, true, e.err
	case <-ctx.Done():
	}
	if failed != nil {
		go func() {
			<-e.done
			if e.err != nil {
				failed(e.err)
			}
		}()
	}
	return false, true, ctx.Err()
}

// Close writes what is queued and stops.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.done
		return nil
	}
	l.closed = true
	l.wake.Signal()
	l.mu.Unlock()
	<-l.done
	return l.finish()
}

// maxGroup bounds what is written between two syncs, so that no batch waits
// long for others.
const maxGroup = 16 << 20

// write is the goroutine that writes. A sync takes with it all that was queued
// during the one before.
func (l *Log) write() {
	defer close(l.done)
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.wake.Wait()
		}
		if len(l.queue) == 0 {
			l.mu.Unlock()
			return
		}
		n, size := 0, 0
		for n < len(l.queue) && size < maxGroup {
			size += len(l.queue[n].payload)
			n++
		}
		group := slices.Clone(l.queue[:n])
		l.queue = append(l.queue[:0], l.queue[n:]...)
		clear(l.queue[len(l.queue):cap(l.queue)])
		at := l.synced
		l.mu.Unlock()
		l.commit(group, at)
	}
}

// commit writes and syncs a group, whose first frame begins at at.
func (l *Log) commit(group []*entry, at Position) {
	written, err := l.writeGroup(group, at)
	good := group[:written]
	if written > 0 {
		begin := time.Now()
		if serr := l.current.Sync(); serr != nil {
			// What is on disk now is unknown, and a second sync would not tell.
			good, err = nil, fmt.Errorf("sync segment: %w", serr)
		}
		l.o.Observe(time.Since(begin), written)
	}
	if err != nil {
		l.abandon(good, at)
	}
	l.mu.Lock()
	for _, e := range good {
		l.segments[len(l.segments)-1].size += int64(e.end - at)
		at = e.end
		if e.hasID {
			l.known.add(e.id, e.arrival)
			if l.current != nil { // Else the segment's identifiers are written already.
				l.own = append(l.own, idEntry{e.id, e.arrival})
			}
		}
	}
	l.synced = max(l.synced, at)
	for _, e := range group {
		if e.hasID {
			delete(l.flying, e.id)
		}
	}
	l.mu.Unlock()
	for _, e := range good {
		l.o.Synced(e.end, e.value)
	}
	for i, e := range group {
		if i >= len(good) {
			e.err = err
		}
		e.prefix, e.payload, e.value = nil, nil, nil
		close(e.done)
	}
}

// writeGroup writes frames until one fails, and returns how many were written.
func (l *Log) writeGroup(group []*entry, at Position) (int, error) {
	if err := l.roll(at); err != nil {
		return 0, err
	}
	for i, e := range group {
		body := len(e.prefix) - headLength + len(e.payload)
		seal(e.prefix, uint32(body), e.sum, at)
		for _, b := range [...][]byte{e.prefix, e.payload} {
			if _, err := l.current.Write(b); err != nil {
				return i, fmt.Errorf("write segment: %w", err)
			}
		}
		at += Position(headLength + body)
		e.end = at
	}
	return len(group), nil
}

// roll makes sure that there is a segment with room.
func (l *Log) roll(at Position) error {
	if l.current != nil {
		l.mu.Lock()
		full := l.segments[len(l.segments)-1].size >= l.o.SegmentBytes
		l.mu.Unlock()
		if !full {
			return nil
		}
		if err := l.finish(); err != nil {
			return err
		}
	}
	s := &segment{path: segmentPath(l.o.Dir, at), start: at}
	l.mu.Lock()
	if n := len(l.segments); n > 0 && l.segments[n-1].start == at {
		l.segments = l.segments[:n-1] // An empty one, to be made anew.
	}
	l.mu.Unlock()
	f, err := l.o.create(s.path)
	if errors.Is(err, os.ErrExist) {
		// It has no frame, or only such as were refused.
		if err = os.Remove(s.path); err == nil {
			f, err = l.o.create(s.path)
		}
	}
	if err != nil {
		return fmt.Errorf("make segment: %w", err)
	}
	_, err = f.Write(encodeSegmentHead(at))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = syncDir(l.o.Dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make segment: %w", err), f.Close(), os.Remove(s.path))
	}
	l.current = f
	l.mu.Lock()
	l.segments = append(l.segments, s)
	l.mu.Unlock()
	return nil
}

// finish closes the current segment and keeps its identifiers.
func (l *Log) finish() error {
	if l.current == nil {
		return nil
	}
	l.mu.Lock()
	s := l.segments[len(l.segments)-1]
	l.mu.Unlock()
	if err := writeIDs(s.idsPath(), l.own); err != nil {
		return err
	}
	err := l.current.Close()
	l.current, l.own = nil, nil
	if err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	return syncDir(l.o.Dir)
}

// abandon gives up the current segment behind the good frames: what follows in
// the file was refused, and the next frame goes to a new file. If it cannot be
// cut off either, it may be read again after a restart, where the identifier
// makes it count once.
func (l *Log) abandon(good []*entry, at Position) {
	if l.current == nil {
		return
	}
	if len(good) > 0 {
		at = good[len(good)-1].end
	}
	l.mu.Lock()
	s := l.segments[len(l.segments)-1]
	empty := at == s.start
	if empty {
		l.segments = l.segments[:len(l.segments)-1]
	}
	l.mu.Unlock()
	err := l.current.Truncate(segmentHead + int64(at-s.start))
	if err == nil {
		err = l.current.Sync()
	}
	err = errors.Join(err, l.current.Close())
	if empty {
		err = errors.Join(err, os.Remove(s.path))
	} else {
		err = errors.Join(err, writeIDs(s.idsPath(), append(l.own, idsOf(good)...)))
	}
	l.current, l.own = nil, nil
	if err != nil {
		l.o.Logger.Warn("Could not clean up after a failed write", "err", err)
	}
}

func idsOf(entries []*entry) []idEntry {
	var out []idEntry
	for _, e := range entries {
		if e.hasID {
			out = append(out, idEntry{e.id, e.arrival})
		}
	}
	return out
}

// Read calls fn for each frame between from and to, in order; end is the
// position behind the frame. Repetitions are left out. The frame is lent until
// fn returns; an error of fn ends the reading and is returned.
func (l *Log) Read(from, to Position, fn func(end Position, f Frame) error) error {
	l.mu.Lock()
	to = min(to, l.synced)
	var todo []segment
	for _, s := range l.segments {
		if s.end() > from && s.start < to {
			todo = append(todo, *s)
		}
	}
	l.mu.Unlock()
	for i := range todo {
		_, err := todo[i].read(from, to, func(at, end Position, f Frame) error {
			if l.repeated[at] {
				return nil
			}
			return fn(end, f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Release deletes the segments that lie wholly before a position, and the
// identifiers that are past the horizon.
func (l *Log) Release(before Position) error {
	l.mu.Lock()
	var gone []*segment
	for len(l.segments) > 1 && l.segments[0].end() <= before {
		gone = append(gone, l.segments[0])
		l.segments = l.segments[1:]
	}
	newest := l.known.newest
	first := l.synced
	if len(l.segments) > 0 {
		first = l.segments[0].start
	}
	l.mu.Unlock()
	for _, s := range gone {
		if err := os.Remove(s.path); err != nil {
			return fmt.Errorf("remove segment: %w", err)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	entries, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	for _, e := range entries {
		start, ok := startOf(e.Name(), idsExt)
		if !ok || start >= first {
			continue
		}
		path := filepath.Join(l.o.Dir, e.Name())
		own, err := readIDs(path)
		if err == nil && len(own) > 0 && own[len(own)-1].at >= newest-l.o.IDHorizon.Milliseconds() {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove identifiers of batches: %w", err)
		}
	}
	return nil
}
