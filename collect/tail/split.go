package tail

import (
	"bytes"
	"unicode/utf8"
)

// splitter cuts a stream of bytes into lines. Of a line longer than max it keeps the beginning.
type splitter struct {
	// newline is what ends a line, in the file's encoding; unit is the width of its characters in bytes, so that half of
	// one is not taken for a newline.
	newline []byte
	unit    int
	max     int

	line []byte
	// start and pos are the offsets of the line's first byte and of the next byte to come.
	start, pos int64
	long       bool
}

func newSplitter(offset int64, newline []byte, limit int) *splitter {
	return &splitter{newline: newline, unit: max(1, len(newline)), max: limit, start: offset, pos: offset}
}

// raw is a line in its file.
type raw struct {
	text       []byte
	start, end int64
	// cut is set if the line was longer than it may be.
	cut bool
}

// feed takes the next bytes and calls emit for each complete line. The text is valid during the call.
func (s *splitter) feed(b []byte, emit func(raw)) {
	for len(b) > 0 {
		i := s.find(b)
		if i < 0 {
			s.keep(b)
			return
		}
		s.keep(b[:i])
		b = b[i:]
		s.emit(emit)
	}
}

// find is the index behind the first newline in b, or -1.
func (s *splitter) find(b []byte) int {
	if s.unit == 1 {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i + 1
		}
		return -1
	}
	// Characters are aligned to the beginning of the file.
	for from := (s.unit - int(s.pos%int64(s.unit))) % s.unit; from+s.unit <= len(b); from += s.unit {
		if bytes.Equal(b[from:from+s.unit], s.newline) {
			return from + s.unit
		}
	}
	return -1
}

func (s *splitter) keep(b []byte) {
	s.pos += int64(len(b))
	// One newline more than the limit is kept so that a line of just the limit is not cut.
	if room := s.max + 2*s.unit - len(s.line); len(b) > room {
		s.long = true
		b = b[:max(0, room)]
	}
	s.line = append(s.line, b...)
}

func (s *splitter) emit(emit func(raw)) {
	text := s.line
	if s.long {
		text = text[:s.max]
	} else {
		text = bytes.TrimSuffix(text, s.newline)
	}
	cut := s.long || len(text) > s.max
	if cut {
		text = text[:min(len(text), s.max)]
	}
	emit(raw{text: text, start: s.start, end: s.pos, cut: cut})
	s.line, s.start, s.long = s.line[:0], s.pos, false
	if cap(s.line) > 1<<20 {
		s.line = nil
	}
}

// partial tells whether there is a line without its end.
func (s *splitter) partial() bool { return s.pos > s.start }

// end emits a line without its end.
func (s *splitter) end(emit func(raw)) {
	if s.partial() {
		s.emit(emit)
	}
}

// whole cuts half a character from the end of a text that was cut.
func whole(b []byte) []byte {
	for i := 1; i <= utf8.UTFMax && i <= len(b); i++ {
		c := b[len(b)-i]
		if c < utf8.RuneSelf {
			return b
		}
		if utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			return b
		}
	}
	return b
}
