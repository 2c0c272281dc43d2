// Package loki receives log lines by Loki's push protocol: POST /loki/api/v1/push.
//
// It decodes and hands over; it does not store, and it does not answer queries.
package loki

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/logs"
)

// Appender is where received entries go. Append returns when they are durable. If its error has a method StatusCode, that
// is the HTTP status of the answer.
type Appender interface {
	Append(ctx context.Context, streams []logs.Stream) error
}

// Options configures a Handler.
type Options struct {
	Appender Appender
	// MaxBody is the greatest size of a request in bytes after decompression. Default 64 MiB.
	MaxBody int64
	// Naming adds labels to streams; the tenant is that of the header X-Scope-OrgID. By default the header is accepted and
	// does not matter, as in a Loki without authentication, and streams are stored as they were sent.
	Naming logs.Naming
	// Logger and Registerer are for the receiver's own log lines and metrics. Default: none.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Handler receives pushes.
type Handler struct {
	o       Options
	labels  parsed
	zstd    *zstd.Decoder
	bytes   prometheus.Counter
	entries prometheus.Counter
	bad     prometheus.Counter
}

// New returns a handler for POST /loki/api/v1/push and the older /api/prom/push.
func New(o Options) (*Handler, error) {
	if o.MaxBody == 0 {
		o.MaxBody = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	h := &Handler{
		o:       o,
		bytes:   counter("modelwatch_receive_loki_bytes_total", "Bytes received by Loki's push protocol, before decompression."),
		entries: counter("modelwatch_receive_loki_entries_total", "Log entries received by Loki's push protocol."),
		bad:     counter("modelwatch_receive_loki_bad_requests_total", "Pushes by Loki's protocol that could not be read."),
	}
	var err error
	if h.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(o.MaxBody))); err != nil {
		return nil, fmt.Errorf("prepare decompression: %w", err)
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{h.bytes, h.entries, h.bad} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register metrics of log receiver: %w", err)
			}
		}
	}
	return h, nil
}

// errTooLarge is a request above Options.MaxBody.
var errTooLarge = errors.New("request is too large")

// ServeHTTP answers 204 when the entries are durable.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "push log entries by POST", http.StatusMethodNotAllowed)
		return
	}
	streams, err := h.decode(r)
	if err != nil {
		h.bad.Inc()
		status := http.StatusBadRequest
		if errors.Is(err, errTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, "push refused: "+err.Error(), status)
		return
	}
	n, tenant := 0, r.Header.Get("X-Scope-OrgID")
	for i := range streams {
		n += len(streams[i].Entries)
		streams[i].Labels = h.o.Naming.Labels(streams[i].Labels, tenant)
	}
	h.entries.Add(float64(n))
	if err := h.o.Appender.Append(r.Context(), streams); err != nil {
		status := http.StatusInternalServerError
		var coded interface{ StatusCode() int }
		if errors.As(err, &coded) {
			status = coded.StatusCode()
		}
		if status >= 500 && r.Context().Err() == nil {
			h.o.Logger.Error("store pushed entries", "entries", n, "err", err)
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// decode reads a request. The lines point into memory that nobody else uses.
func (h *Handler) decode(r *http.Request) ([]logs.Stream, error) {
	kind := r.Header.Get("Content-Type")
	if kind != "" {
		parsed, _, err := mime.ParseMediaType(kind)
		if err != nil {
			return nil, fmt.Errorf("content type %q: %w", kind, err)
		}
		kind = parsed
	}
	isJSON := kind == "application/json"
	if !isJSON && kind != "application/x-protobuf" && kind != "" {
		return nil, fmt.Errorf("content type %q is neither application/json nor application/x-protobuf", kind)
	}
	raw, err := readAll(r.Body, h.o.MaxBody, r.ContentLength)
	if err != nil {
		return nil, err
	}
	h.bytes.Add(float64(len(raw)))
	body, err := h.decompress(raw, strings.ToLower(r.Header.Get("Content-Encoding")), !isJSON)
	if err != nil {
		return nil, err
	}
	if isJSON {
		return h.labels.decodeJSON(body)
	}
	return h.labels.decodeProtobuf(body)
}

// decompress undoes the encoding. Protocol buffers are in Snappy's block format without being said to be.
func (h *Handler) decompress(raw []byte, encoding string, protobuf bool) ([]byte, error) {
	var reader io.Reader
	switch encoding {
	case "", "identity", "snappy":
		if encoding != "snappy" && !protobuf {
			return raw, nil
		}
		n, err := snappy.DecodedLen(raw)
		if err != nil {
			return nil, fmt.Errorf("decompress Snappy: %w", err)
		}
		if int64(n) > h.o.MaxBody {
			return nil, fmt.Errorf("%w: %d bytes, limit %d", errTooLarge, n, h.o.MaxBody)
		}
		body, err := snappy.Decode(nil, raw)
		if err != nil {
			return nil, fmt.Errorf("decompress Snappy: %w", err)
		}
		return body, nil
	case "zstd":
		body, err := h.zstd.DecodeAll(raw, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			return nil, fmt.Errorf("%w: limit %d bytes", errTooLarge, h.o.MaxBody)
		}
		if err != nil {
			return nil, fmt.Errorf("decompress zstd: %w", err)
		}
		return body, nil
	case "gzip":
		gz, err := gzip.NewReader(strings.NewReader(text(raw)))
		if err != nil {
			return nil, fmt.Errorf("decompress gzip: %w", err)
		}
		reader = gz
	case "deflate":
		reader = flate.NewReader(strings.NewReader(text(raw)))
	default:
		return nil, fmt.Errorf("content encoding %q is none of gzip, snappy, deflate, zstd", encoding)
	}
	body, err := readAll(reader, h.o.MaxBody, int64(len(raw))*4)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("decompress %s: %w", encoding, err)
	}
	return body, err
}

// readAll reads no more than limit bytes; hint is how many to expect.
func readAll(r io.Reader, limit, hint int64) ([]byte, error) {
	if hint > limit || hint < 0 {
		hint = min(limit, 64<<10)
	}
	buf := make([]byte, 0, hint+512)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, fmt.Errorf("%w: limit %d bytes", errTooLarge, limit)
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// Close gives the decoder's memory back. The handler must not be serving.
func (h *Handler) Close() { h.zstd.Close() }
