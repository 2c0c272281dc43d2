package decode

import (
	"bytes"
	"errors"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Kind is what a request holds.
type Kind uint8

// The kinds.
const (
	Inferences Kind = iota
	Labels
)

// one reads the record at the scanner's place.
func (d *Decoder) one(kind Kind, index int) bool {
	if kind == Labels {
		return d.label(index)
	}
	return d.record(index)
}

// Line reads one line of NDJSON as the record of that index. A line that is not
// JSON is one rejected record.
func (d *Decoder) Line(kind Kind, line []byte, index int) {
	d.s = scanner{b: line}
	nr, nl, nj := len(d.Records), len(d.Labels), len(d.Rejected)
	if d.one(kind, index) {
		if d.s.peek(); d.s.i == len(line) {
			return
		}
		d.s.unexpected("the end of the line")
		// What stands before the rest does not count either.
		clear(d.Records[nr:])
		d.Records, d.Labels, d.Rejected = d.Records[:nr], d.Labels[:nl], d.Rejected[:nj]
	}
	d.reject(index, ReasonSyntax, d.s.err)
}

// Lines reads NDJSON until there are most records, and returns what is left and
// the index of the next record. Empty lines are no records.
func (d *Decoder) Lines(kind Kind, data []byte, index, most int) (rest []byte, next int) {
	for n := 0; len(data) > 0 && n < most; {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, data = data[:i], data[i+1:]
		} else {
			data = nil
		}
		if blank(line) {
			continue
		}
		d.Line(kind, line, index)
		index++
		n++
	}
	return data, index
}

func blank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}

// Document is a JSON array of records, or a single one, that has been checked.
type Document struct {
	s    scanner
	list bool
	done bool
	next int
}

// NewDocument checks that data is one JSON value, a list or an object. The error
// is a *SyntaxError.
func NewDocument(data []byte) (*Document, error) {
	s := scanner{b: data}
	c := s.peek()
	switch {
	case s.i == len(data):
		return nil, &SyntaxError{0, "request is empty"}
	case c != '[' && c != '{':
		s.unexpected("a list of records or a record")
	case !s.skip(0):
	default:
		if s.peek(); s.i < len(data) {
			s.unexpected("the end (several records stand in a list, or one a line as application/x-ndjson)")
		}
	}
	if s.err != nil {
		return nil, s.err
	}
	doc := &Document{s: scanner{b: data}, list: c == '['}
	doc.s.space()
	if doc.list {
		doc.s.i++
	}
	return doc, nil
}

// Next reads up to most records of a document, and reports whether there are
// more.
func (d *Decoder) Next(kind Kind, doc *Document, most int) (more bool) {
	d.s = doc.s
	defer func() { doc.s = d.s }()
	for n := 0; n < most && !doc.done; n++ {
		if doc.list {
			more, ok := d.s.next(']', doc.next == 0)
			if !ok || !more {
				doc.done = true
				break
			}
		}
		if !d.one(kind, doc.next) { // Not after NewDocument.
			d.reject(doc.next, ReasonSyntax, d.s.err)
			doc.done = true
		}
		doc.next++
		doc.done = doc.done || !doc.list
	}
	return !doc.done
}

// Count is the number of records read so far.
func (doc *Document) Count() int { return doc.next }

var errNotLabel = errors.New(`label is not an object: want {"request_id": …, "label": …}`)

// label reads one object at the scanner's place as a label.
func (d *Decoder) label(index int) bool {
	s := &d.s
	if s.peek() != '{' {
		if !s.skip(0) {
			return false
		}
		d.reject(index, ReasonField, errNotLabel)
		return true
	}
	s.i++
	var l ai.Label
	var stamp time.Time
	var bad error
	seen := 0
	for first := true; ; first = false {
		more, ok := s.next('}', first)
		if !ok {
			return false
		}
		if !more {
			break
		}
		key, ok := d.readText()
		if !ok {
			return false
		}
		field := labelField(key)
		twice := seen&field != 0
		if twice && bad == nil {
			bad = &ai.FieldError{Field: string(key), Problem: "is given twice"}
		}
		if !s.colon() {
			return false
		}
		if bad != nil || field == 0 || s.peek() == 'n' {
			if !s.skip(1) {
				return false
			}
			seen |= field
			continue
		}
		seen |= field
		switch field {
		case fieldRequestID:
			ok, bad = d.freeText("request_id", &l.RequestID, ai.MaxRequestIDLength)
		case fieldTimestamp:
			ok, bad = d.timestamp(&stamp)
		default:
			ok, bad = d.answer("label", &l.Label)
		}
		if !ok {
			return false
		}
	}
	reason := ReasonField
	l.Timestamp = d.lim.Arrival
	switch {
	case bad != nil:
	case l.RequestID == "":
		bad = &ai.FieldError{Field: "request_id", Problem: "is required"}
	case l.Label.IsMissing():
		bad = &ai.FieldError{Field: "label", Problem: "is required"}
	case !stamp.IsZero():
		l.Timestamp = stamp
		if why, err := d.checkTime(stamp); err != nil {
			reason, bad = why, err
		}
	}
	if bad != nil {
		d.reject(index, reason, bad)
		return true
	}
	d.Labels = append(d.Labels, l)
	return true
}

func labelField(key []byte) int {
	switch string(key) {
	case "request_id":
		return fieldRequestID
	case "label":
		return fieldLabel
	case "timestamp":
		return fieldTimestamp
	}
	return 0
}
