package jsonfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// position is how far a file was read.
type position struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	// Generation counts how often the file was truncated.
	Generation int `json:"generation,omitempty"`
	// Pending is the length of the batch that is on its way; 0 if none is.
	Pending int64 `json:"pending,omitempty"`
	// Head is a checksum of the first HeadLength bytes, by which a file is known
	// that has the number of one before.
	Head       string    `json:"head,omitempty"`
	HeadLength int64     `json:"head_length,omitempty"`
	Seen       time.Time `json:"seen"`
}

// file is one that is open.
type file struct {
	position
	path string
	id   string
	h    *os.File
}

func (f *file) close() { _ = f.h.Close() } // It was only read.

// batchID names the batch between Offset and Offset+Pending.
func (f *file) batchID() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%d\x00%d", f.id, f.Generation, f.Head, f.Offset, f.Pending))
	return "file-" + hex.EncodeToString(sum[:16])
}

// maxHead is how many bytes a file is known by.
const maxHead = 1024

func (f *file) head(n int64) (string, bool, error) {
	b := make([]byte, n)
	m, err := f.h.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	sum := sha256.Sum256(b[:m])
	return hex.EncodeToString(sum[:8]), int64(m) == n, nil
}

// same tells whether the file is still the one that was read so far.
func (f *file) same() (bool, error) {
	info, err := f.h.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < f.Offset {
		return false, nil
	}
	if f.HeadLength == 0 {
		return true, nil
	}
	sum, whole, err := f.head(f.HeadLength)
	return whole && sum == f.Head, err
}

// remember notes what the file is known by, once there is something to know.
func (f *file) remember() error {
	if f.HeadLength == maxHead {
		return nil
	}
	info, err := f.h.Stat()
	if err != nil {
		return err
	}
	// Only whole lines: a last one without its end may still change.
	n := min(info.Size(), maxHead)
	if f.Offset > 0 {
		n = min(n, max(f.Offset, f.HeadLength))
	}
	sum, whole, err := f.head(n)
	if err != nil || !whole {
		return err
	}
	f.Head, f.HeadLength = sum, n
	return nil
}

// lines returns whole lines from the offset on, at most most of them. A line
// that is longer than limit is not returned, but its length. final takes a last
// line without its end too.
func (f *file) lines(most, limit int, final bool) (data []byte, skipped int64, err error) {
	buf := make([]byte, 0, 64<<10)
	at := f.Offset
	n, searched := 0, 0
	for n < most {
		if i := bytes.IndexByte(buf[searched:], '\n'); i >= 0 {
			searched += i + 1
			n++
			continue
		}
		if n > 0 && len(buf) > limit {
			break
		}
		if n == 0 && len(buf) > limit {
			return f.skip(int64(len(buf)), final)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		m, err := f.h.ReadAt(buf[len(buf):cap(buf)], at)
		buf = buf[:len(buf)+m]
		at += int64(m)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, err
		}
		if m == 0 {
			if final && n == 0 {
				return buf, 0, nil
			}
			break
		}
	}
	return buf[:searched], 0, nil
}

// skip returns how long the line at the offset is, of which n bytes were read.
func (f *file) skip(n int64, final bool) ([]byte, int64, error) {
	buf := make([]byte, 64<<10)
	for at := f.Offset + n; ; {
		m, err := f.h.ReadAt(buf, at)
		if i := bytes.IndexByte(buf[:m], '\n'); i >= 0 {
			return nil, at + int64(i) + 1 - f.Offset, nil
		}
		at += int64(m)
		if errors.Is(err, io.EOF) {
			if final {
				return nil, at - f.Offset, nil
			}
			return nil, 0, nil // Its end is not there yet.
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// positions remembers files.
type positions struct {
	path  string
	files map[string]position
}

func openPositions(path string) (p *positions, first bool, err error) {
	p = &positions{path: path, files: map[string]position{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, true, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read positions: %w", err)
	}
	if err := json.Unmarshal(data, &p.files); err != nil {
		return nil, false, fmt.Errorf("read positions in %s: %w: delete the file to read all files from their beginning", path, err)
	}
	return p, false, nil
}

func (p *positions) get(id string) (position, bool) {
	x, ok := p.files[id]
	return x, ok
}

func (p *positions) set(id string, x position, now time.Time) error {
	x.Seen = now.UTC().Truncate(time.Second)
	p.files[id] = x
	return p.save()
}

// rememberFor is how long a file is remembered that is not there any more.
const rememberFor = 7 * 24 * time.Hour

func (p *positions) forget(here map[string]bool, now time.Time) {
	for id, x := range p.files {
		if here[id] && now.Sub(x.Seen) > rememberFor/2 {
			x.Seen = now.UTC().Truncate(time.Second)
			p.files[id] = x
		}
		if !here[id] && now.Sub(x.Seen) > rememberFor {
			delete(p.files, id)
		}
	}
}

func (p *positions) save() error {
	data, err := json.MarshalIndent(p.files, "", " ")
	if err != nil {
		return fmt.Errorf("encode positions: %w", err)
	}
	tmp := p.path + ".tmp"
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write positions: %w", err)
	}
	if err := os.Rename(tmp, p.path); err != nil {
		return fmt.Errorf("write positions: %w", err)
	}
	return nil
}
