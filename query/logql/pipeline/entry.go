package pipeline

import (
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// What goes wrong in a pipeline, as the value of __error__.
const (
	errJSON     = "JSONParserErr"
	errLogfmt   = "LogfmtParserErr"
	errFilter   = "LabelFilterErr"
	errTemplate = "TemplateFormatErr"
	errSample   = "SampleExtractionErr"
)

// extracted is the suffix of a parsed label, or of metadata, whose name the stream has already.
const extracted = "_extracted"

// Pair is a label with its value.
type Pair struct {
	Name, Value string
}

func pairsOf(ls labels.Labels) []Pair {
	var out []Pair
	ls.Range(func(l labels.Label) { out = append(out, Pair{l.Name, l.Value}) })
	return out
}

func find(ps []Pair, name string) int {
	for i := range ps {
		if ps[i].Name == name {
			return i
		}
	}
	return -1
}

// Stream is a stream as a pipeline sees it, prepared once.
type Stream struct {
	Labels labels.Labels
	pairs  []Pair
}

// NewStream prepares a stream.
func NewStream(ls labels.Labels) *Stream {
	return &Stream{Labels: ls, pairs: pairsOf(ls)}
}

// entry is what a log entry is while it goes through a pipeline. A label is looked for among the parsed ones (of parsers
// and formatters), then in the metadata, then in the stream.
type entry struct {
	ts      int64
	line    string
	stream  *Stream
	meta    []Pair
	parsed  []Pair
	deleted []string // names of the stream or the metadata that were dropped
	err     string
	details string
	all     []Pair // scratch of pairs
}

func (e *entry) reset(s *Stream, ts int64, line string, meta labels.Labels) {
	e.stream, e.ts, e.line = s, ts, line
	e.meta, e.parsed, e.deleted = e.meta[:0], e.parsed[:0], e.deleted[:0]
	e.err, e.details = "", ""
	if !meta.IsEmpty() {
		meta.Range(func(l labels.Label) {
			if find(s.pairs, l.Name) >= 0 {
				l.Name += extracted
			}
			e.meta = append(e.meta, Pair{l.Name, l.Value})
		})
	}
}

func (e *entry) fail(kind, details string) { e.err, e.details = kind, details }

// get is the value of a label that is not an error label.
func (e *entry) get(name string) (string, bool) {
	if i := find(e.parsed, name); i >= 0 {
		return e.parsed[i].Value, true
	}
	if len(e.deleted) > 0 && slices.Contains(e.deleted, name) {
		return "", false
	}
	if i := find(e.meta, name); i >= 0 {
		return e.meta[i].Value, true
	}
	if i := find(e.stream.pairs, name); i >= 0 {
		return e.stream.pairs[i].Value, true
	}
	return "", false
}

// text is the value of any label, "" if it is not there.
func (e *entry) text(name string) string {
	if strings.HasPrefix(name, "__error") {
		switch name {
		case syntax.ErrorLabel:
			return e.err
		case syntax.ErrorDetailsLabel:
			return e.details
		}
	}
	v, _ := e.get(name)
	return v
}

// taken says whether the stream or the metadata has a label of that name, dropped or not.
func (e *entry) taken(name string) bool {
	return find(e.stream.pairs, name) >= 0 || len(e.meta) > 0 && find(e.meta, name) >= 0
}

// parsedName is the name under which a parser adds a label.
func (e *entry) parsedName(name string) string {
	if e.taken(name) {
		return name + extracted
	}
	return name
}

// add adds a label of a parser, unless an earlier one has the name.
func (e *entry) add(name, value string) {
	name = e.parsedName(name)
	if find(e.parsed, name) < 0 {
		e.parsed = append(e.parsed, Pair{name, value})
	}
}

// set sets a label whatever was there.
func (e *entry) set(name, value string) {
	if i := find(e.parsed, name); i >= 0 {
		e.parsed[i].Value = value
		return
	}
	e.parsed = append(e.parsed, Pair{name, value})
}

// del drops a label wherever it is.
func (e *entry) del(name string) {
	switch name {
	case syntax.ErrorLabel:
		e.err = ""
		return
	case syntax.ErrorDetailsLabel:
		e.details = ""
		return
	}
	if i := find(e.parsed, name); i >= 0 {
		e.parsed = slices.Delete(e.parsed, i, i+1)
	}
	if e.taken(name) && !slices.Contains(e.deleted, name) {
		e.deleted = append(e.deleted, name)
	}
}

// visible says whether a label of the stream or the metadata is still there.
func (e *entry) visible(name string) bool {
	return (len(e.parsed) == 0 || find(e.parsed, name) < 0) && (len(e.deleted) == 0 || !slices.Contains(e.deleted, name))
}

// plain says whether the labels are those of the stream and nothing else.
func (e *entry) plain() bool {
	return len(e.meta) == 0 && len(e.parsed) == 0 && len(e.deleted) == 0 && e.err == "" && e.details == ""
}

// pairs are all labels, sorted by name. They are valid until the next call.
func (e *entry) pairs() []Pair {
	e.all = e.all[:0]
	for _, p := range e.stream.pairs {
		if e.visible(p.Name) && (len(e.meta) == 0 || find(e.meta, p.Name) < 0) {
			e.all = append(e.all, p)
		}
	}
	for _, p := range e.meta {
		if e.visible(p.Name) {
			e.all = append(e.all, p)
		}
	}
	e.all = append(e.all, e.parsed...)
	if e.err != "" {
		e.all = append(e.all, Pair{syntax.ErrorLabel, e.err})
	}
	if e.details != "" {
		e.all = append(e.all, Pair{syntax.ErrorDetailsLabel, e.details})
	}
	// Two labels of one name there are only where metadata bears the name that a conflict would give.
	slices.SortStableFunc(e.all, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	e.all = slices.CompactFunc(e.all, func(a, b Pair) bool { return a.Name == b.Name })
	return e.all
}

// Label implements format.Labels.
func (e *entry) Label(name string) string { return e.text(name) }

// Each implements format.Labels.
func (e *entry) Each(f func(name, value string)) {
	for _, p := range e.pairs() {
		f(p.Name, p.Value)
	}
}
