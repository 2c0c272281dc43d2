package local

import (
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

// source is what a query reads of one segment.
type source struct {
	seg *segment
	// first and last are the timestamps that the query can find there.
	first, last int64
	// index maps the segment's stream numbers to the cursor's; unknown ones are noStream.
	index []uint32
	// streams are the numbers that were selected; all is set if these are all that the segment has.
	streams []uint32
	all     bool
	// known is the number of streams that the segment had when the plan was made.
	known int
	// rows and bytes are an estimate of what lies in the range; metadata is set if some of it may have metadata.
	rows, bytes int64
	metadata    bool
	// entry is the condition on entry labels in SQL, or "".
	entry string
}

const noStream = math.MaxUint32

// plan is what a query reads: segments held until release, and a table of streams.
type plan struct {
	store   *Store
	sources []*source
	streams []labels.Labels
	numbers map[uint64][]uint32
}

// plan looks up which segments and streams a selection concerns and holds the segments.
func (s *Store) plan(matchers, entry []*labels.Matcher, start, end int64) *plan {
	p := &plan{store: s, numbers: map[uint64][]uint32{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for n, d := range s.days {
		if n < dayOf(start) || end <= n*dayLength {
			continue
		}
		for _, g := range d.segments {
			if src := p.look(g, matchers, entry, start, end); src != nil {
				g.refs++
				p.sources = append(p.sources, src)
			}
		}
	}
	slices.SortFunc(p.sources, func(a, b *source) int {
		switch {
		case a.seg.day != b.seg.day:
			return int(a.seg.day - b.seg.day)
		case a.seg.gen != b.seg.gen:
			return a.seg.gen - b.seg.gen
		case a.seg.sealed:
			return -1
		}
		return 1
	})
	return p
}

// look returns what is to be read of a segment, or nil for nothing.
func (p *plan) look(g *segment, matchers, entry []*labels.Matcher, start, end int64) *source {
	src := &source{seg: g, first: math.MaxInt64, last: math.MinInt64, known: len(g.streams)}
	all := true
	for i := range g.streams {
		st := &g.streams[i]
		if st.rows == 0 || st.last < start || st.first >= end || !matches(st.labels, matchers) {
			all = all && st.rows == 0
			continue
		}
		if !mayMatch(st, entry) {
			all = false
			continue
		}
		id := uint32(i)
		if src.index == nil {
			src.index = make([]uint32, len(g.streams))
			for j := range src.index {
				src.index[j] = noStream
			}
		}
		src.index[i] = p.number(st.labels)
		src.streams = append(src.streams, id)
		// An entry with metadata may come to a hot segment until the query runs.
		src.metadata = src.metadata || st.metadata || !g.sealed
		first, last := max(st.first, start), min(st.last, end-1)
		src.first, src.last = min(src.first, first), max(src.last, last)
		share := 1.0
		if st.last > st.first {
			share = float64(last-first+1) / float64(st.last-st.first+1)
		}
		src.rows += max(1, int64(share*float64(st.rows)))
		src.bytes += int64(share * float64(st.bytes))
	}
	if src.streams == nil {
		return nil
	}
	src.all = all && len(src.streams) == len(g.streams)
	if src.metadata && len(entry) > 0 {
		src.entry = entryCondition(g, src.streams, entry)
	}
	return src
}

// number returns the number of a label set in the plan's table.
func (p *plan) number(ls labels.Labels) uint32 {
	h := ls.Hash()
	for _, id := range p.numbers[h] {
		if labels.Equal(p.streams[id], ls) {
			return id
		}
	}
	id := uint32(len(p.streams))
	p.streams = append(p.streams, ls)
	p.numbers[h] = append(p.numbers[h], id)
	return id
}

// release lets go of the segments.
func (p *plan) release() {
	s := p.store
	s.mu.Lock()
	var gone []*segment
	for _, src := range p.sources {
		src.seg.refs--
		if src.seg.refs == 0 && src.seg.gone {
			gone = append(gone, src.seg)
		}
	}
	s.mu.Unlock()
	p.sources = nil
	for _, g := range gone {
		s.discard(g)
	}
}

func matches(ls labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// mayMatch tells whether entries of a stream can meet conditions on entry labels. A label of the stream decides; one that
// it does not have may be in the metadata of an entry.
func mayMatch(st *streamInfo, entry []*labels.Matcher) bool {
	for _, m := range entry {
		if !m.Matches(st.labels.Get(m.Name)) && (st.labels.Has(m.Name) || !st.metadata) {
			return false
		}
	}
	return true
}

// where is the condition on rows of a source in SQL.
func (src *source) where(start, end int64, filters []logs.LineFilter) string {
	parts := []string{fmt.Sprintf("ts >= %d AND ts < %d", start, end)}
	switch {
	case src.all:
		// Streams that came after the plan was made are not ours.
		parts = append(parts, fmt.Sprintf("stream < %d", src.known))
	case len(src.streams) == 1:
		parts = append(parts, fmt.Sprintf("stream = %d", src.streams[0]))
	default:
		parts = append(parts, "stream IN ("+join(src.streams)+")")
	}
	for _, f := range filters {
		if sql := filterCondition(f); sql != "" {
			parts = append(parts, sql)
		}
	}
	if src.entry != "" {
		parts = append(parts, src.entry)
	}
	return strings.Join(parts, " AND ")
}

func join(ids []uint32) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, id)
	}
	return b.String()
}

// filterCondition is a line filter in SQL; "" is one that every line passes.
func filterCondition(f logs.LineFilter) string {
	negative := f.Op == logs.NotContains || f.Op == logs.NotMatch
	terms := make([]string, 0, len(f.Patterns))
	for _, p := range f.Patterns {
		literals := []string{p}
		if f.Op == logs.Match || f.Op == logs.NotMatch {
			if literals = literalsOf(p); literals == nil {
				terms = append(terms, "regexp_matches(line, "+duck.Quote(p)+")")
				continue
			}
		}
		for _, l := range literals {
			if l == "" {
				if negative {
					return "false"
				}
				return ""
			}
			terms = append(terms, "contains(line, "+duck.Quote(l)+")")
		}
	}
	sql := "(" + strings.Join(terms, " OR ") + ")"
	if negative {
		sql = "NOT " + sql
	}
	return sql
}

// literalsOf returns the texts one of which a line must contain to match a pattern, if that is all that the pattern
// says, else nil. Looking for text is several times faster than running an expression.
func literalsOf(pattern string) []string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil
	}
	return literals(re.Simplify())
}

func literals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		return []string{string(re.Rune)}
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpAlternate:
		var out []string
		for _, sub := range re.Sub {
			l := literals(sub)
			if l == nil {
				return nil
			}
			out = append(out, l...)
		}
		return out
	case syntax.OpConcat:
		// "fail(ed|ure)" is parsed as a concatenation of a literal and an alternation.
		out := []string{""}
		for _, sub := range re.Sub {
			l := literals(sub)
			if l == nil || len(l)*len(out) > 8 {
				return nil
			}
			next := make([]string, 0, len(l)*len(out))
			for _, a := range out {
				for _, b := range l {
					next = append(next, a+b)
				}
			}
			out = next
		}
		return out
	case syntax.OpCharClass:
		var out []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(out) == 4 || !utf8.ValidRune(r) {
					return nil
				}
				out = append(out, string(r))
			}
		}
		return out
	}
	return nil
}

// entryCondition is the conditions on entry labels in SQL, for streams that mayMatch: where the stream has the label it
// has been decided, elsewhere the entry's metadata counts.
func entryCondition(g *segment, streams []uint32, matchers []*labels.Matcher) string {
	var parts []string
	for _, m := range matchers {
		field := "COALESCE(" + metadataField(m.Name) + ", '')"
		value := duck.Quote(m.Value)
		var sql string
		switch m.Type {
		case labels.MatchEqual:
			sql = field + " = " + value
		case labels.MatchNotEqual:
			sql = field + " <> " + value
		case labels.MatchRegexp:
			sql = "regexp_full_match(" + field + ", " + value + ", 's')"
		case labels.MatchNotRegexp:
			sql = "NOT regexp_full_match(" + field + ", " + value + ", 's')"
		}
		var decided []uint32
		for _, id := range streams {
			if g.streams[id].labels.Has(m.Name) {
				decided = append(decided, id)
			}
		}
		if len(decided) == len(streams) {
			continue
		}
		if len(decided) > 0 {
			sql = "(stream IN (" + join(decided) + ") OR " + sql + ")"
		}
		parts = append(parts, sql)
	}
	return strings.Join(parts, " AND ")
}

// metadataField is an entry's metadata of a name in SQL; NULL if it has none.
func metadataField(name string) string {
	path := `$."` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	return "json_extract_string(metadata, " + duck.Quote(path) + ")"
}
