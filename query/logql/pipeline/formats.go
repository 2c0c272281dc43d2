package pipeline

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/modelwatch/modelwatch/query/logql/format"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// lineFormat replaces the line by what a template makes of the entry.
type lineFormat struct {
	run *format.Run
}

func newLineFormat(s *syntax.LineFormat, need *Need) (maker, error) {
	t, err := format.Parse("line", s.Template)
	if err != nil {
		return nil, err
	}
	need.Line = t.ReadsLine()
	wantFields(t, need)
	return func() stage { return &lineFormat{t.NewRun()} }, nil
}

func wantFields(t *format.Template, need *Need) {
	fields, all := t.Fields()
	need.want(fields...)
	need.All = need.All || all
}

func (f *lineFormat) process(e *entry) bool {
	out, err := f.run.Execute(e, e.line, e.ts)
	if err != nil {
		e.fail(errTemplate, err.Error())
		return true
	}
	e.line = borrow(out)
	return true
}

// borrow is a string over bytes that are not written to while the entry is in use.
func borrow(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// labelFormat renames labels or sets them to what a template makes of the entry. Assignments see those before them.
type labelFormat struct {
	formats []syntax.Format
	runs    []*format.Run // nil for a renaming
	// outs and errs are what the templates gave for the entry at hand.
	outs [][]byte
	errs []error
}

func newLabelFormat(s *syntax.LabelFormat, need *Need) (maker, error) {
	templates := make([]*format.Template, len(s.Formats))
	for i, f := range s.Formats {
		if f.Rename {
			need.want(f.Source)
			continue
		}
		t, err := format.Parse("label", f.Source)
		if err != nil {
			return nil, err
		}
		templates[i] = t
		need.Line = need.Line || t.ReadsLine()
		wantFields(t, need)
	}
	return func() stage {
		n := len(s.Formats)
		l := &labelFormat{formats: s.Formats, runs: make([]*format.Run, n), outs: make([][]byte, n), errs: make([]error, n)}
		for i, t := range templates {
			if t != nil {
				l.runs[i] = t.NewRun()
			}
		}
		return l
	}, nil
}

// process renames and sets labels one after the other. All templates see the labels as they are before the first of
// them: what one sets, the next does not see.
func (l *labelFormat) process(e *entry) bool {
	filled := false
	for i, f := range l.formats {
		if l.runs[i] == nil {
			if v, ok := e.get(f.Source); ok {
				e.set(f.Name, v)
				e.del(f.Source)
			}
			continue
		}
		if !filled {
			l.fill(e, i)
			filled = true
		}
		if err := l.errs[i]; err != nil {
			e.fail(errTemplate, err.Error())
			continue
		}
		e.set(f.Name, borrow(l.outs[i]))
	}
	return true
}

// fill runs the templates from the i-th on.
func (l *labelFormat) fill(e *entry, i int) {
	for ; i < len(l.runs); i++ {
		if l.runs[i] != nil {
			l.outs[i], l.errs[i] = l.runs[i].Execute(e, e.line, e.ts)
		}
	}
}

// decolorize takes ANSI escape sequences out of the line.
type decolorize struct {
	buf []byte
}

func (d *decolorize) process(e *entry) bool {
	if strings.IndexByte(e.line, 0x1b) < 0 && !strings.Contains(e.line, "\u009b") {
		return true
	}
	d.buf = appendPlain(d.buf[:0], e.line)
	e.line = borrow(d.buf)
	return true
}

// appendPlain appends s without its escape sequences, those of ECMA-48: control sequences (ESC [ … letter), operating
// system commands (ESC ] … BEL) and others of two characters.
func appendPlain(dst []byte, s string) []byte {
	for s != "" {
		rest, csi := "", false
		i := strings.IndexByte(s, 0x1b)
		if j := strings.Index(s, "\u009b"); j >= 0 && (i < 0 || j < i) {
			i, rest, csi = j, s[j+2:], true
		} else if i >= 0 {
			rest = s[i+1:]
			if rest != "" && rest[0] == '[' {
				rest, csi = rest[1:], true
			}
		}
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		switch {
		case csi:
			n := 0
			for n < len(rest) && rest[n] >= 0x20 && rest[n] < 0x40 {
				n++
			}
			if n < len(rest) && rest[n] < 0x7f {
				n++
			}
			s = rest[n:]
		case rest == "":
			return dst
		case rest[0] == ']':
			end := strings.IndexByte(rest, 0x07)
			if st := strings.Index(rest, "\x1b\\"); st >= 0 && (end < 0 || st < end) {
				end = st + 1
			}
			if end < 0 {
				return dst
			}
			s = rest[end+1:]
		case strings.IndexByte("()#%*+", rest[0]) >= 0 && len(rest) > 1:
			s = rest[2:]
		case rest[0] < 0x80:
			s = rest[1:]
		default:
			s = rest
		}
	}
	return dst
}

// drop drops labels.
type drop struct {
	refs []syntax.LabelRef
}

func (d *drop) process(e *entry) bool {
	for _, r := range d.refs {
		if r.Matcher == nil || r.Matcher.Matches(e.text(r.Name)) {
			e.del(r.Name)
		}
	}
	return true
}

// keep drops all labels but some. The error labels stay.
type keep struct {
	refs []syntax.LabelRef
}

func (k *keep) process(e *entry) bool {
	e.parsed = slices.DeleteFunc(e.parsed, func(p Pair) bool { return !k.keeps(p) })
	for _, p := range e.stream.pairs {
		if !k.keeps(p) {
			e.deleted = append(e.deleted, p.Name)
		}
	}
	for _, p := range e.meta {
		if !k.keeps(p) {
			e.deleted = append(e.deleted, p.Name)
		}
	}
	return true
}

func (k *keep) keeps(p Pair) bool {
	for _, r := range k.refs {
		if r.Name == p.Name && (r.Matcher == nil || r.Matcher.Matches(p.Value)) {
			return true
		}
	}
	return false
}
