package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/zeebo/xxh3"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/scan"
	logstore "github.com/modelwatch/modelwatch/store/logs"
)

// prepared is a stream of an Append after everything that can be done to it outside the writer.
type prepared struct {
	labels  labels.Labels
	hash    uint64
	entries []logs.Entry
	// keys identify entries by stream, timestamp and line; metas are the entries' metadata as it is stored.
	keys  []key
	metas []string
	// levels is the promoted field of each line; noJSON tells that it could not be had, json that the whole line is JSON.
	levels []string
	noJSON []bool
	json   []bool
}

// key identifies an entry. Two different entries have the same one with a probability of 2^-128.
type key = xxh3.Uint128

// pending is an Append that waits for its commit.
type pending struct {
	streams []prepared
	bytes   int64
	rejects logstore.Rejected
	done    chan error
}

// queueBytes is how many bytes of entries may wait for the writer before Append makes its callers wait.
const queueBytes = 48 << 20

// queue is what waits for the writer.
type queue struct {
	mu     sync.Mutex
	items  []*pending
	bytes  int64
	closed bool
	wake   chan struct{}
	room   chan struct{}
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds p, waiting until there is room.
func (q *queue) put(ctx context.Context, p *pending) error {
	for {
		q.mu.Lock()
		switch {
		case q.closed:
			q.mu.Unlock()
			signal(q.room)
			return ErrClosed
		case q.bytes == 0 || q.bytes+p.bytes <= queueBytes:
			q.items = append(q.items, p)
			q.bytes += p.bytes
			more := q.bytes < queueBytes
			q.mu.Unlock()
			signal(q.wake)
			if more {
				signal(q.room)
			}
			return nil
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-ctx.Done():
			signal(q.room)
			return fmt.Errorf("wait for the log store to take entries: %w", context.Cause(ctx))
		}
	}
}

// commitBytes is about how many bytes of entries go into one commit.
const commitBytes = 8 << 20

// take removes what one commit shall write.
func (q *queue) take() []*pending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var n int
	var bytes int64
	for n < len(q.items) && (n == 0 || bytes+q.items[n].bytes <= commitBytes) {
		bytes += q.items[n].bytes
		n++
	}
	group := slices.Clone(q.items[:n])
	q.items = slices.Delete(q.items, 0, n)
	q.bytes -= bytes
	signal(q.room)
	if len(q.items) > 0 {
		signal(q.wake)
	}
	return group
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	signal(q.wake)
	signal(q.room)
}

func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.items) == 0
}

// Append implements logstore.Store. Bytes of lines and metadata that are not UTF-8 are replaced by U+FFFD.
func (s *Store) Append(ctx context.Context, streams []logs.Stream) error {
	p := &pending{done: make(chan error, 1)}
	for _, st := range streams {
		p.rejects.Total += len(st.Entries)
	}
	now := s.o.Now()
	for i := range streams {
		s.prepare(p, &streams[i], now)
	}
	if len(p.streams) > 0 {
		if err := s.queue.put(ctx, p); err != nil {
			return err
		}
		select {
		case err := <-p.done:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			// The entries may or may not be stored; the sender sends them again and duplicates are dropped.
			return fmt.Errorf("wait for commit: %w", context.Cause(ctx))
		}
	}
	if len(p.rejects.Refusals) > 0 {
		for _, f := range p.rejects.Refusals {
			s.metrics.rejected.WithLabelValues(string(f.Reason)).Add(float64(f.Entries))
		}
		return &p.rejects
	}
	return nil
}

// prepare checks a stream and adds what is accepted of it to p.
func (s *Store) prepare(p *pending, st *logs.Stream, now time.Time) {
	if len(st.Entries) == 0 {
		return
	}
	if problem := s.checkLabels(st.Labels); problem != "" {
		p.rejects.Add(logstore.BadLabels, len(st.Entries), func() string {
			return fmt.Sprintf("stream %s: %s", st.Labels, problem)
		})
		return
	}
	out := prepared{labels: st.Labels, hash: st.Labels.Hash()}
	oldest, newest := int64(-1<<63), int64(1<<63-1)
	if s.o.MaxAge > 0 {
		oldest = now.Add(-s.o.MaxAge).UnixNano()
	}
	if s.o.MaxAhead > 0 {
		newest = now.Add(s.o.MaxAhead).UnixNano()
	}
	clean := true
	var bytes int64
	for i := range st.Entries {
		e := &st.Entries[i]
		if e.Timestamp < oldest || e.Timestamp > newest || len(e.Line) > s.o.MaxLine || !utf8.ValidString(e.Line) {
			clean = false
		}
		bytes += int64(e.Bytes())
	}
	if clean {
		out.entries = st.Entries
	} else {
		out.entries = make([]logs.Entry, 0, len(st.Entries))
		for _, e := range st.Entries {
			switch {
			case e.Timestamp < oldest:
				p.rejects.Add(logstore.TooOld, 1, func() string {
					return fmt.Sprintf("entry for stream %s has timestamp too old: %s, oldest acceptable timestamp is: %s (limit %s back, which is fixed: send such lines under the time of sending, with their own time in structured metadata)",
						st.Labels, rfc3339(e.Timestamp), rfc3339(oldest), s.o.MaxAge)
				})
			case e.Timestamp > newest:
				p.rejects.Add(logstore.TooNew, 1, func() string {
					return fmt.Sprintf("entry for stream %s has timestamp too new: %s, %s ahead of the clock here (limit %s; check the sender's clock and the unit of its timestamps, which is nanoseconds)",
						st.Labels, rfc3339(e.Timestamp), time.Unix(0, e.Timestamp).Sub(now).Round(time.Second), s.o.MaxAhead)
				})
			case len(e.Line) > s.o.MaxLine:
				p.rejects.Add(logstore.LineTooLong, 1, func() string {
					return fmt.Sprintf("line of %d bytes in stream %s is longer than the limit of %d bytes, which is fixed: cut it at the sender", len(e.Line), st.Labels, s.o.MaxLine)
				})
			default:
				if !utf8.ValidString(e.Line) {
					e.Line = strings.ToValidUTF8(e.Line, "\uFFFD")
				}
				out.entries = append(out.entries, e)
				continue
			}
			bytes -= int64(e.Bytes())
		}
		if len(out.entries) == 0 {
			return
		}
	}
	if f := s.limits.allow(out.hash, out.labels, bytes, len(out.entries), now); f != nil {
		p.rejects.Add(f.Reason, f.Entries, func() string { return f.Explanation })
		return
	}
	out.keys = make([]key, len(out.entries))
	out.levels, out.noJSON, out.json = make([]string, len(out.entries)), make([]bool, len(out.entries)), make([]bool, len(out.entries))
	for i := range out.entries {
		e := &out.entries[i]
		k := xxh3.HashString128Seed(e.Line, out.hash^uint64(e.Timestamp)*0x9E3779B97F4A7C15)
		k.Lo ^= uint64(e.Timestamp)
		out.keys[i] = k
		level, found, err := scan.JSONWhole(e.Line, promoted)
		out.levels[i], out.noJSON[i], out.json[i] = level, err != nil && !found, err == nil
		if !e.Metadata.IsEmpty() {
			if out.metas == nil {
				out.metas = make([]string, len(out.entries))
			}
			out.metas[i] = encodeLabels(cleanMetadata(e.Metadata))
		}
	}
	p.bytes += bytes
	p.streams = append(p.streams, out)
}

func rfc3339(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }

// cleanMetadata drops empty values and replaces what is not UTF-8.
func cleanMetadata(ls labels.Labels) labels.Labels {
	ok := true
	ls.Range(func(l labels.Label) {
		ok = ok && l.Value != "" && utf8.ValidString(l.Name) && utf8.ValidString(l.Value)
	})
	if ok {
		return ls
	}
	b := labels.NewScratchBuilder(ls.Len())
	ls.Range(func(l labels.Label) {
		if l.Value != "" {
			b.Add(strings.ToValidUTF8(l.Name, "\uFFFD"), strings.ToValidUTF8(l.Value, "\uFFFD"))
		}
	})
	b.Sort()
	return b.Labels()
}

// checkLabels says what is wrong with the labels of a stream, if anything.
func (s *Store) checkLabels(ls labels.Labels) (problem string) {
	if ls.IsEmpty() {
		return "a stream needs at least one label"
	}
	if n := ls.Len(); n > s.o.MaxLabels {
		return fmt.Sprintf("%d labels are more than the limit of %d: put what differs from line to line into structured metadata or the line", n, s.o.MaxLabels)
	}
	last := ""
	ls.Range(func(l labels.Label) {
		switch {
		case problem != "":
		case l.Name == last:
			problem = fmt.Sprintf("label %q is given twice", l.Name)
		case !model.LegacyValidation.IsValidLabelName(l.Name):
			problem = fmt.Sprintf("%q is not a label name: letters, digits and underscores only, and no digit first", l.Name)
		case !utf8.ValidString(l.Value):
			problem = fmt.Sprintf("the value of label %q is not UTF-8", l.Name)
		case len(l.Value) > 2048:
			problem = fmt.Sprintf("the value of label %q has %d bytes, more than 2048: put it into the line", l.Name, len(l.Value))
		}
		last = l.Name
	})
	return problem
}
