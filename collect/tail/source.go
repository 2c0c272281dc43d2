package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"

	"github.com/modelwatch/modelwatch/collect/tail/stage"
)

// How files are followed.
const (
	// busyPoll is how often a file that was written to lately is looked at, idlePoll any other.
	busyPoll = 40 * time.Millisecond
	idlePoll = 200 * time.Millisecond
	// partialWait is how long a line without its end waits for it.
	partialWait = 3 * time.Second
	// drainWait is how long a rotated file is followed after the last line, for writers that are slow to change over.
	drainWait = 15 * time.Second
	// deliverBytes is how many bytes of lines are handed over at once.
	deliverBytes = 1 << 20
	readSize     = 128 << 10
)

// source follows one file.
type source struct {
	r      *run
	job    *Job
	path   string
	labels map[string]string

	f    *os.File
	id   identity
	head []byte
	// offset is what was read, done what was taken over.
	offset, done int64
	split        *splitter
	decode       *encoding.Decoder
	pipe         *stage.Running

	out  []*stage.Entry
	size int
	// processed is the end of the last line that went into the pipeline.
	processed int64
	last      time.Time
	// rotated is set when the file is no longer at its path.
	rotated bool
}

func (s *source) record() record {
	return record{Path: s.path, identity: s.id, Offset: s.done, Head: s.head, Rotated: s.rotated}
}

// open opens a file to be read from offset on.
func (r *run) open(job *Job, path, at string, labels map[string]string, offset int64) (*source, error) {
	f, err := os.Open(at)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is a directory", at), f.Close())
	}
	s := &source{r: r, job: job, path: path, labels: labels, f: f, id: identityOf(info)}
	e, err := decoder(job.Encoding)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if e != nil {
		s.decode = e.NewDecoder()
	}
	s.pipe = job.Pipeline.Start(r.env, func(e *stage.Entry) {
		s.out = append(s.out, e)
		s.size += len(e.Line) + 64
	})
	if err := s.seek(offset); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// seek begins to read at offset.
func (s *source) seek(offset int64) error {
	if _, err := s.f.Seek(offset, io.SeekStart); err != nil {
		return fmt.Errorf("seek: %w", err)
	}
	s.offset, s.done, s.processed = offset, offset, offset
	s.split = newSplitter(offset, s.newline(), s.r.config.MaxLine)
	head := make([]byte, min(headSize, offset))
	n, err := s.f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the beginning: %w", err)
	}
	s.head = head[:n]
	return nil
}

func (s *source) newline() []byte {
	switch name := strings.ToLower(s.job.Encoding); {
	case s.decode == nil:
		return []byte("\n")
	case name == "utf-16be", name == "utf-16":
		return []byte{0, '\n'}
	case name == "utf-16le":
		return []byte{'\n', 0}
	case name == "utf-32be", name == "utf-32":
		return []byte{0, 0, 0, '\n'}
	case name == "utf-32le":
		return []byte{'\n', 0, 0, 0}
	}
	return []byte("\n")
}

// follow reads until ctx ends, or a rotated file's end.
func (s *source) follow(ctx context.Context) {
	defer func() {
		if err := s.f.Close(); err != nil {
			s.r.m.complain("close", "close log file", err)
		}
	}()
	s.last = s.r.m.o.Now()
	buf := make([]byte, readSize)
	wait := time.NewTimer(0)
	defer wait.Stop()
	for ctx.Err() == nil {
		if !s.rotated && s.truncated() {
			s.restart(ctx)
		}
		n, err := s.f.Read(buf)
		if n > 0 {
			s.learnHead(buf[:n])
			s.offset += int64(n)
			s.last = s.r.m.o.Now()
			s.split.feed(buf[:n], func(l raw) { s.line(ctx, l) })
			s.r.m.metrics.bytes.Add(float64(n))
			if s.size < deliverBytes && n == len(buf) {
				continue
			}
		}
		if s.deliver(ctx) != nil {
			return
		}
		if n > 0 {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			s.r.m.complain(s.path, "read log file", err)
		}
		if s.atEnd(ctx) {
			return
		}
		poll := idlePoll
		if s.r.m.o.Now().Sub(s.last) < 5*time.Second {
			poll = busyPoll
		}
		wait.Reset(poll)
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
	}
}

// learnHead remembers the beginning of the file as it is read.
func (s *source) learnHead(b []byte) {
	if int64(len(s.head)) == s.offset && len(s.head) < headSize {
		s.head = append(s.head, b[:min(len(b), headSize-len(s.head))]...)
	}
}

// atEnd looks after the file when there is nothing to read. It returns true when the source is finished.
func (s *source) atEnd(ctx context.Context) bool {
	now := s.r.m.o.Now()
	idle := now.Sub(s.last)
	if due := s.pipe.Due(); !due.IsZero() && !due.After(now) {
		s.pipe.Flush(now)
	}
	if s.split.partial() && idle > partialWait {
		s.split.end(func(l raw) { s.line(ctx, l) })
	}
	if s.deliver(ctx) != nil {
		return true
	}
	if s.rotated {
		if idle < drainWait && !s.r.m.o.quickDrain {
			return false
		}
		s.split.end(func(l raw) { s.line(ctx, l) })
		s.pipe.FlushAll()
		if s.deliver(ctx) == nil {
			s.r.positions.remove(s.record())
		}
		return true
	}
	at, err := os.Stat(s.path)
	if err == nil && identityOf(at) == s.id {
		return false
	}
	if err != nil && !os.IsNotExist(err) {
		return false // It cannot be looked at now; that says nothing of the file that is open.
	}
	// The file was renamed, removed or replaced. What is still written to it is read, and who is at its path now is another.
	s.r.m.metrics.rotations.Inc()
	was := s.record()
	rotated := was
	rotated.Rotated = true
	s.r.positions.put(rotated)
	s.r.positions.remove(was)
	s.r.lost(s)
	return false
}

// truncated tells whether the file was emptied, also if it has grown beyond what was read of it since.
func (s *source) truncated() bool {
	info, err := s.f.Stat()
	return err == nil && (info.Size() < s.offset || info.Size() > s.offset && !s.sameHead())
}

// sameHead tells whether the file begins as it did.
func (s *source) sameHead() bool {
	b := make([]byte, len(s.head))
	n, err := s.f.ReadAt(b, 0)
	return (err == nil || errors.Is(err, io.EOF)) && bytes.Equal(b[:n], s.head)
}

// restart reads a file that was truncated from its beginning.
func (s *source) restart(ctx context.Context) {
	s.r.m.metrics.truncations.Inc()
	s.split.end(func(l raw) { s.line(ctx, l) })
	s.pipe.FlushAll()
	if s.deliver(ctx) != nil {
		return
	}
	if err := s.seek(0); err != nil {
		s.r.m.complain(s.path, "read truncated log file again", err)
	}
	s.r.positions.put(s.record())
}

// line takes a line through the pipeline.
func (s *source) line(ctx context.Context, l raw) {
	s.r.m.metrics.lines.Inc()
	s.processed = l.end
	text := l.text
	if s.decode != nil {
		if out, err := s.decode.Bytes(text); err == nil {
			text = out
		}
	}
	if l.start == 0 {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
	}
	text = bytes.TrimSuffix(text, []byte("\r"))
	if l.cut {
		s.r.m.metrics.cut.Inc()
		if !s.r.config.CutLine {
			return
		}
		text = whole(text)
	}
	line := string(text)
	if !utf8.ValidString(line) {
		s.r.m.metrics.invalid.Inc()
		line = strings.ToValidUTF8(line, "\uFFFD")
	}
	if !s.r.limit(ctx) {
		return
	}
	e := stage.NewEntry(s.labels, s.r.now(), line)
	e.Start, e.End = l.start, l.end
	s.pipe.Process(e)
}

// deliver hands over what came out of the pipeline and moves the position.
func (s *source) deliver(ctx context.Context) error {
	if err := s.r.deliver(ctx, s.out); err != nil {
		return err
	}
	clear(s.out)
	s.out, s.size = s.out[:0], 0
	done := s.processed
	if held, ok := s.pipe.Held(); ok {
		done = min(done, held)
	}
	if done != s.done {
		s.done = done
		s.r.positions.put(s.record())
	}
	return nil
}
