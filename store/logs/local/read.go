package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// Series implements logstore.Store. It is answered from memory.
func (s *Store) Series(_ context.Context, groups [][]*labels.Matcher, start, end int64) ([]labels.Labels, error) {
	p := &plan{store: s, numbers: map[uint64][]uint32{}}
	s.mu.RLock()
	for n, d := range s.days {
		if n < dayOf(start) || end <= n*dayLength {
			continue
		}
		for _, g := range d.segments {
			for i := range g.streams {
				st := &g.streams[i]
				if st.rows == 0 || st.last < start || st.first >= end {
					continue
				}
				if len(groups) == 0 || slices.ContainsFunc(groups, func(m []*labels.Matcher) bool { return matches(st.labels, m) }) {
					p.number(st.labels)
				}
			}
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(p.streams, labels.Compare)
	return p.streams, nil
}

// Size estimates what a selection would read. A chunk is a stream's part of a file. It is answered from memory.
func (s *Store) Size(_ context.Context, matchers []*labels.Matcher, start, end int64) (streams, chunks int, entries, bytes int64, err error) {
	p := s.plan(matchers, nil, start, end)
	defer p.release()
	for _, src := range p.sources {
		chunks += len(src.streams)
		entries += src.rows
		bytes += src.bytes
	}
	return len(p.streams), chunks, entries, bytes, nil
}

// Count answers a count from the files' columns of time, stream and size, reading the text only if there are filters.
// Of fields taken out of the line it knows the promoted one; the others are left to the reader.
func (s *Store) Count(ctx context.Context, req logs.CountRequest) (logs.Counts, error) {
	sel := req.Selection
	byLevel := slices.Contains(req.By, logs.Field{Kind: logs.JSONField, Name: promoted})
	inLine := slices.ContainsFunc(req.By, func(f logs.Field) bool { return f.Kind == logs.JSONField })
	// What the column says is said with the promoted field in view.
	if req.Width <= 0 || (inLine || req.Whole) && !byLevel {
		return logs.Counts{}, logs.ErrNotPushed
	}
	var out logs.Counts
	if sel.End <= sel.Start {
		return out, nil
	}
	p := s.plan(sel.Matchers, sel.LabelFilters, sel.Start, sel.End)
	defer p.release()
	if len(p.sources) == 0 {
		return out, nil
	}
	if req.Whole && slices.ContainsFunc(p.sources, func(src *source) bool { return !src.seg.whole }) {
		return out, logs.ErrNotPushed
	}
	by, ok := p.resolve(req.By)
	if !ok {
		return out, logs.ErrNotPushed
	}
	req.By = by
	c, err := s.conn(ctx)
	if err != nil {
		return out, err
	}
	defer s.putConn(c)
	out.Stats.Streams = len(p.streams)
	groups := map[string]int{}
	buckets := []map[int64]*logs.Bucket{}
	for _, src := range p.sources {
		out.Stats.Lines += src.rows
		out.Stats.Bytes += src.bytes
		// Fields that an entry's metadata may set are columns; the others follow from the stream.
		columns, names := make([]int, len(req.By)), []string{}
		for i, f := range req.By {
			columns[i] = -1
			if f.Kind == logs.EntryLabel && src.metadata {
				columns[i] = 4 + len(names)
				names = append(names, metadataField(f.Name))
			}
		}
		where := src.where(sel.Start, sel.End, sel.Filters)
		level, taken, whole := -1, -1, -1
		if byLevel {
			level = 4 + len(names)
			names = append(names, promoted)
			if src.metadata {
				taken = 4 + len(names)
				names = append(names, metadataField(promoted)+" IS NOT NULL")
			}
		}
		if req.Whole {
			where += " AND json IS DISTINCT FROM false"
			whole = 4 + len(names)
			names = append(names, "json IS NULL")
		}
		sql := fmt.Sprintf("SELECT (ts - %d) // %d AS bucket, stream, count(*), CAST(sum(size) AS BIGINT)%s FROM %s.lines WHERE %s GROUP BY ALL",
			sel.Start, req.Width, prefixed(names), src.seg.catalog, where)
		values := make([]string, len(req.By))
		err := each(ctx, c, sql, func(k *duck.Chunk) error {
			bucket, stream := duck.Fixed[int64](k, 0), duck.Fixed[uint32](k, 1)
			rows, bytes := duck.Fixed[int64](k, 2), duck.Fixed[int64](k, 3)
			for row := range k.Len() {
				ls := p.streams[src.index[stream[row]]]
				failed := false
				if taken >= 0 && duck.Fixed[bool](k, taken)[row] {
					return logs.ErrNotPushed // The metadata has a label of that name.
				}
				if whole >= 0 && duck.Fixed[bool](k, whole)[row] {
					return logs.ErrNotPushed // From a file of before there was such a column.
				}
				for i, f := range req.By {
					if f.Kind == logs.JSONField {
						values[i] = ""
						if failed = !k.Valid(level).Valid(row); !failed {
							values[i] = strings.Clone(k.Strings(level).At(row))
						}
						continue
					}
					values[i] = ls.Get(f.Name)
					if columns[i] >= 0 && !ls.Has(f.Name) && k.Valid(columns[i]).Valid(row) {
						values[i] = strings.Clone(k.Strings(columns[i]).At(row))
					}
				}
				id := fmt.Sprintf("%t %q", failed, values)
				n, ok := groups[id]
				if !ok {
					n = len(out.Groups)
					groups[id] = n
					out.Groups = append(out.Groups, logs.Group{Values: slices.Clone(values), Failed: failed})
					buckets = append(buckets, map[int64]*logs.Bucket{})
				}
				b := buckets[n][bucket[row]]
				if b == nil {
					b = &logs.Bucket{Index: bucket[row]}
					buckets[n][bucket[row]] = b
				}
				b.Entries += rows[row]
				b.Bytes += bytes[row]
				out.Stats.Delivered += rows[row]
			}
			return nil
		})
		if errors.Is(err, logs.ErrNotPushed) {
			return logs.Counts{}, err
		}
		if err != nil {
			return logs.Counts{}, s.queryError(err, []*source{src})
		}
	}
	for i := range out.Groups {
		out.Groups[i].Buckets = inOrder(buckets[i])
	}
	return out, nil
}

// resolve makes stream labels of the fields of lines whose names all streams have: what is parsed then has another name. It
// is false if a field is left that must be taken out of the line.
func (p *plan) resolve(by []logs.Field) ([]logs.Field, bool) {
	by = slices.Clone(by)
	for i, f := range by {
		if f.Kind != logs.JSONField {
			continue
		}
		have := 0
		for _, ls := range p.streams {
			if ls.Has(f.Name) {
				have++
			}
		}
		switch {
		case f.Name == promoted && have > 0, f.Name != promoted && have < len(p.streams):
			return nil, false
		case f.Name != promoted:
			by[i].Kind = logs.StreamLabel
		}
	}
	return by, true
}

func inOrder(m map[int64]*logs.Bucket) []logs.Bucket {
	out := make([]logs.Bucket, 0, len(m))
	for _, b := range m {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b logs.Bucket) int { return int(a.Index - b.Index) })
	return out
}

func prefixed(columns []string) string {
	var out strings.Builder
	for _, c := range columns {
		out.WriteString(", " + c)
	}
	return out.String()
}

// Volume implements logstore.Store. It is exact.
func (s *Store) Volume(ctx context.Context, req logs.VolumeRequest) ([]logs.Volume, error) {
	p := s.plan(req.Matchers, nil, req.Start, req.End)
	defer p.release()
	if len(p.sources) == 0 || req.End <= req.Start {
		return nil, nil
	}
	c, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer s.putConn(c)
	width := req.Width
	if width <= 0 {
		width = req.End - req.Start
	}
	sum := &plan{numbers: map[uint64][]uint32{}}
	totals := []map[int64]*logs.Bucket{}
	for _, src := range p.sources {
		sql := fmt.Sprintf("SELECT (ts - %d) // %d AS bucket, stream, count(*), CAST(sum(size) AS BIGINT) FROM %s.lines WHERE %s GROUP BY ALL",
			req.Start, width, src.seg.catalog, src.where(req.Start, req.End, nil))
		err := each(ctx, c, sql, func(k *duck.Chunk) error {
			bucket, stream := duck.Fixed[int64](k, 0), duck.Fixed[uint32](k, 1)
			rows, bytes := duck.Fixed[int64](k, 2), duck.Fixed[int64](k, 3)
			for row := range k.Len() {
				ls := p.streams[src.index[stream[row]]]
				if len(req.Labels) > 0 {
					if ls = ls.MatchLabels(true, req.Labels...); ls.IsEmpty() {
						continue
					}
				}
				n := sum.number(ls)
				if int(n) == len(totals) {
					totals = append(totals, map[int64]*logs.Bucket{})
				}
				b := totals[n][bucket[row]]
				if b == nil {
					b = &logs.Bucket{Index: bucket[row]}
					totals[n][bucket[row]] = b
				}
				b.Entries += rows[row]
				b.Bytes += bytes[row]
			}
			return nil
		})
		if err != nil {
			return nil, s.queryError(err, []*source{src})
		}
	}
	out := make([]logs.Volume, len(sum.streams))
	for i, ls := range sum.streams {
		out[i] = logs.Volume{Labels: ls, Buckets: inOrder(totals[i])}
		for _, b := range out[i].Buckets {
			out[i].Bytes += b.Bytes
		}
	}
	slices.SortFunc(out, func(a, b logs.Volume) int {
		if a.Bytes != b.Bytes {
			return int(b.Bytes - a.Bytes)
		}
		return labels.Compare(a.Labels, b.Labels)
	})
	if req.Limit > 0 && len(out) > req.Limit {
		out = out[:req.Limit]
	}
	return out, nil
}
