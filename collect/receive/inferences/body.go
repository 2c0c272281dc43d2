package inferences

import (
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// form is how a body is written.
type form uint8

const (
	formLines form = iota
	formJSON
	formArrow
)

const acceptedTypes = "send application/x-ndjson (one record a line), application/json (a list or one record) or application/vnd.apache.arrow.stream"

func formOf(contentType string) (form, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil {
		switch kind {
		case "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/json-lines",
			"application/x-json-lines", "application/jsonlines", "application/x-jsonlines", "application/x-json-stream", "text/x-ndjson":
			return formLines, nil
		case "application/json", "text/json":
			return formJSON, nil
		case "application/vnd.apache.arrow.stream":
			return formArrow, nil
		}
	}
	return 0, &problem{status: http.StatusUnsupportedMediaType, text: fmt.Sprintf("content type %q is not understood: %s", contentType, acceptedTypes)}
}

// body reads requests. It is used for many, one after the other.
type body struct {
	data []byte // What was read, decompressed.
	wire int64  // Bytes of it as sent.
	gz   *gzip.Reader
	zs   *zstd.Decoder
}

// counting counts what is read of a request.
type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func tooLarge(limit int64) error {
	return &problem{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf(
		"request has over %d bytes after decompression: send fewer records in one", limit)}
}

// read reads a whole request. hold is told of memory before it is taken.
func (b *body) read(q *http.Request, limit int64, hold func(int64) error) error {
	b.data = b.data[:0]
	in := &counting{r: q.Body}
	defer func() { b.wire = in.n }()
	var r io.Reader = in
	encoding := strings.ToLower(strings.TrimSpace(q.Header.Get("Content-Encoding")))
	expect := q.ContentLength
	switch encoding {
	case "", "identity":
		if expect > limit {
			return tooLarge(limit)
		}
	case "gzip", "x-gzip":
		if b.gz == nil {
			b.gz = new(gzip.Reader)
		}
		if err := b.gz.Reset(in); err != nil {
			return broken("gzip", err)
		}
		r, expect = b.gz, 4*expect
	case "zstd":
		if b.zs == nil {
			zs, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
			if err != nil {
				return fmt.Errorf("prepare decompression: %w", err)
			}
			b.zs = zs
		}
		if err := b.zs.Reset(in); err != nil {
			return broken("zstd", err)
		}
		r, expect = b.zs, 4*expect
	default:
		return &problem{status: http.StatusUnsupportedMediaType, text: fmt.Sprintf("content encoding %q is not understood: send gzip, zstd or plain", encoding)}
	}
	if expect <= 0 || expect > limit {
		expect = min(limit, 64<<10)
	}
	need := max(int64(cap(b.data)), expect+512)
	if err := hold(need); err != nil {
		return err
	}
	if int64(cap(b.data)) < need {
		b.data = make([]byte, 0, need)
	}
	for {
		n, err := r.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if int64(len(b.data)) > limit {
			return tooLarge(limit)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return b.failed(encoding, err)
		}
		if len(b.data) == cap(b.data) {
			grow := min(int64(cap(b.data)), max(limit-int64(cap(b.data)), 0)) + 512
			if err := hold(grow); err != nil {
				return err
			}
			next := make([]byte, len(b.data), int64(cap(b.data))+grow)
			copy(next, b.data)
			b.data = next
		}
	}
}

// failed tells a bad request from a broken connection.
func (b *body) failed(encoding string, err error) error {
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(tooBig.Limit)
	}
	if encoding != "" && encoding != "identity" {
		_, corrupt := errors.AsType[flate.CorruptInputError](err)
		if corrupt || !errors.Is(err, io.ErrUnexpectedEOF) {
			return broken(encoding, err)
		}
	}
	return &problem{status: http.StatusBadRequest, text: "request was not read to its end: " + err.Error()}
}

func broken(encoding string, err error) error {
	return &problem{status: http.StatusBadRequest, text: fmt.Sprintf("request is not %s: %s", encoding, err)}
}
