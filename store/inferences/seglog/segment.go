package seglog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment file begins with a magic, the position of its first byte behind this
// head, and a checksum of both. Its name is that position, so that names sort.
const (
	segmentMagic = "MWinfl1\n"
	segmentHead  = 8 + 8 + 4
	segmentExt   = ".seg"
	idsExt       = ".ids"
)

// segment is one file of the log.
type segment struct {
	path  string
	start Position // Of its first frame.
	size  int64    // Bytes of frames, the file's head not counted.
}

func (s *segment) end() Position { return s.start + Position(s.size) }

func (s *segment) idsPath() string { return strings.TrimSuffix(s.path, segmentExt) + idsExt }

func segmentPath(dir string, start Position) string {
	return filepath.Join(dir, fmt.Sprintf("%020d", uint64(start))+segmentExt)
}

// startOf reads a position from the name of a file.
func startOf(name, ext string) (Position, bool) {
	base, ok := strings.CutSuffix(name, ext)
	if !ok || len(base) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(base, 10, 64)
	return Position(n), err == nil
}

func encodeSegmentHead(start Position) []byte {
	b := append(make([]byte, 0, segmentHead), segmentMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(start))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// list returns the segments of a directory in their order.
func list(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var out []*segment
	for _, e := range entries {
		start, ok := startOf(e.Name(), segmentExt)
		if !ok {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("list segments: %w", err)
		}
		out = append(out, &segment{
			path: filepath.Join(dir, e.Name()), start: start, size: max(0, info.Size()-segmentHead),
		})
	}
	slices.SortFunc(out, func(a, b *segment) int {
		if a.start < b.start {
			return -1
		}
		return 1
	})
	return out, nil
}

// scan is what was found in a segment.
type scan struct {
	good    int64 // Bytes up to the end of the last whole frame.
	torn    int64 // Bytes behind it.
	damaged int64 // Bytes skipped before it.
}

// read calls fn for every whole frame from position from on that begins before
// limit. at and end are where the frame begins and ends. The payload is lent.
func (s *segment) read(from, limit Position, fn func(at, end Position, f Frame) error) (scan, error) {
	var out scan
	f, err := os.Open(s.path)
	if err != nil {
		return out, fmt.Errorf("open segment: %w", err)
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, segmentHead)
	if _, err := io.ReadFull(f, head); err != nil || !bytes.Equal(head, encodeSegmentHead(s.start)) {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return out, fmt.Errorf("read segment %s: %w", filepath.Base(s.path), err)
		}
		// The frames carry their positions: without the head they can be read too.
		if s.size == 0 {
			return out, nil
		}
	}
	at := max(from, s.start)
	limit = min(limit, s.end())
	var body []byte
	var frameHead [headLength]byte
	for at < limit {
		n, err := readFrame(f, s, at, &frameHead, &body)
		if err != nil && !errors.Is(err, errDamaged) {
			return out, fmt.Errorf("read segment %s: %w", filepath.Base(s.path), err)
		}
		var frame Frame
		if err == nil {
			frame, err = parseBody(frameHead[:], body)
		}
		if err != nil {
			next, found, serr := s.resync(f, at+1)
			if serr != nil {
				return out, serr
			}
			if !found {
				out.torn = int64(s.end() - at)
				return out, nil
			}
			out.damaged += int64(next - at)
			at = next
			continue
		}
		end := at + Position(headLength+n)
		if err := fn(at, end, frame); err != nil {
			return out, err
		}
		at = end
		out.good = int64(end - s.start)
	}
	return out, nil
}

// readFrame reads the frame at a position into body, which grows as needed.
func readFrame(f *os.File, s *segment, at Position, head *[headLength]byte, body *[]byte) (int, error) {
	offset := segmentHead + int64(at-s.start)
	if s.end()-at < headLength {
		return 0, fmt.Errorf("%w: too short", errDamaged)
	}
	if _, err := f.ReadAt(head[:], offset); err != nil {
		return 0, short(err)
	}
	n, err := bodyLength(head[:], at)
	if err != nil {
		return 0, err
	}
	if Position(n) > s.end()-at-headLength {
		return 0, fmt.Errorf("%w: too short", errDamaged)
	}
	if cap(*body) < n {
		*body = make([]byte, n+n/4)
	}
	*body = (*body)[:n]
	if _, err := f.ReadAt(*body, offset+headLength); err != nil {
		return 0, short(err)
	}
	return n, nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: too short", errDamaged)
	}
	return err
}

// resync looks for the next whole frame from a position on.
func (s *segment) resync(f *os.File, from Position) (Position, bool, error) {
	magic := binary.LittleEndian.AppendUint32(nil, frameMagic)
	buf := make([]byte, 1<<20)
	var head [headLength]byte
	var body []byte
	for at := from; at < s.end(); {
		n, err := f.ReadAt(buf, segmentHead+int64(at-s.start))
		if n == 0 || err != nil && !errors.Is(err, io.EOF) {
			if n == 0 && errors.Is(err, io.EOF) {
				return 0, false, nil
			}
			return 0, false, fmt.Errorf("read segment %s: %w", filepath.Base(s.path), err)
		}
		for i := 0; ; {
			j := bytes.Index(buf[i:n], magic)
			if j < 0 {
				break
			}
			p := at + Position(i+j)
			if _, err := readFrame(f, s, p, &head, &body); err == nil {
				if _, err := parseBody(head[:], body); err == nil {
					return p, true, nil
				}
			}
			i += j + 1
		}
		if n < len(buf) {
			return 0, false, nil
		}
		at += Position(n - len(magic) + 1)
	}
	return 0, false, nil
}
