package tail

import (
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

// decompress reads a file of the given format.
func decompress(f io.Reader, format string) (io.Reader, func(), error) {
	b := bufio.NewReader(f)
	switch format {
	case "gz":
		r, err := gzip.NewReader(b)
		return r, func() {}, err
	case "z":
		r, err := zlib.NewReader(b)
		return r, func() {}, err
	case "bz2":
		return bzip2.NewReader(b), func() {}, nil
	case "zst":
		r, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	return nil, nil, fmt.Errorf("compression %q is not known", format)
}

// readCompressed reads a compressed file once, from where an earlier run stopped. Positions are those of the text. A
// file that is replaced by another is read again.
func (s *source) readCompressed(ctx context.Context) error {
	select {
	case <-time.After(s.job.Delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	from := s.done
	if err := s.seek(0); err != nil {
		return err
	}
	text, done, err := decompress(s.f, s.job.Compression)
	if err != nil {
		return fmt.Errorf("decompress: %w", err)
	}
	defer done()
	if _, err := io.CopyN(io.Discard, text, from); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("decompress: %w", err)
	}
	s.done, s.processed = from, from
	s.split = newSplitter(from, s.newline(), s.r.config.MaxLine)
	s.head = nil
	buf := make([]byte, readSize)
	for ctx.Err() == nil {
		n, err := text.Read(buf)
		if n > 0 {
			s.r.m.metrics.bytes.Add(float64(n))
			s.split.feed(buf[:n], func(l raw) { s.line(ctx, l) })
			if s.size >= deliverBytes {
				if err := s.deliver(ctx); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			s.split.end(func(l raw) { s.line(ctx, l) })
			s.pipe.FlushAll()
			return s.deliver(ctx)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("decompress: %w", err), s.deliver(ctx))
		}
	}
	return ctx.Err()
}

// compressedName tells whether a name is that of a compressed file, which nobody follows as text.
func compressedName(path string) bool {
	for _, suffix := range []string{".gz", ".bz2", ".zst", ".xz", ".zip"} {
		if len(path) > len(suffix) && path[len(path)-len(suffix):] == suffix {
			return true
		}
	}
	return false
}

// unchanged tells whether the file at a path is the one that was read, in the same size.
func unchanged(path string, id identity, size int64) bool {
	info, err := os.Stat(path)
	return err == nil && identityOf(info) == id && info.Size() == size
}
