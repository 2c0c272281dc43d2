package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// Watch says how a wrapper makes an Inference of an HTTP exchange with a model
// endpoint. Model is required, unless Extract sets it.
type Watch struct {
	Model        string
	ModelVersion string
	// Endpoint is the endpoint's name. Default: the pattern that a
	// http.ServeMux matched, otherwise the path.
	Endpoint string
	// Extract fills in what only the bodies or the caller know: features,
	// prediction, probabilities, tokens, model version. It runs in the
	// goroutine of the request, after the answer was written; without it no
	// body is looked at. A panic in it costs only what it had not yet filled in.
	Extract func(*Exchange, *Inference)
	// MaxBody is the most bytes of each body that Extract gets to see. Default
	// 64 KiB.
	MaxBody int
	// Skip leaves out requests for which it is true, such as health checks.
	Skip func(*http.Request) bool
}

// Exchange is what Extract gets to see. It must not be kept.
type Exchange struct {
	Request *http.Request
	// RequestBody is what was read of the request's body, at most
	// Watch.MaxBody, and RequestTruncated tells that there was more.
	RequestBody      []byte
	RequestTruncated bool
	// StatusCode is 0 if there was no answer, and Err then says why.
	StatusCode     int
	ResponseHeader http.Header
	// ResponseBody is the answer's body, at most Watch.MaxBody.
	ResponseBody      []byte
	ResponseTruncated bool
	Err               error
}

const defaultMaxBody = 64 << 10

// Error classes given by the wrappers.
const (
	classServer   = "server_error"
	classClient   = "client_error"
	classTimeout  = "timeout"
	classCanceled = "canceled"
	classPanic    = "panic"
	classRefused  = "connection_refused"
	classReset    = "connection_reset"
	classDNS      = "dns"
	classNetwork  = "network"
)

// Handler wraps the handler of a model endpoint and records an inference for
// each request: how long it took, its status, a class of error ("client_error",
// "server_error", "timeout", "canceled", "panic"), the time to the first flush
// of a streamed answer, the header X-Request-Id of request or answer, and what
// Extract adds. The exchange itself is not changed.
func (c *Client) Handler(next http.Handler, watch Watch) http.Handler {
	if c == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if watch.Skip != nil && watch.Skip(r) {
			next.ServeHTTP(w, r)
			return
		}
		rec := &responseRecorder{ResponseWriter: w, start: time.Now()}
		var asked capture // the limit is 0 where nobody wants it
		if watch.Extract != nil {
			rec.body.limit = watch.maxBody()
			if r.Body != nil && r.Body != http.NoBody {
				asked.limit = watch.maxBody()
				body := r.Body
				r.Body = teeBody{ReadCloser: body, to: &asked}
				defer func() { r.Body = body }()
			}
		}
		returned := false
		// Deferred without recover: a panic goes its way, with its own stack.
		defer func() {
			inf := watch.inference(r)
			inf.Duration = time.Since(rec.start)
			inf.TimeToFirstToken = rec.firstFlush
			if inf.RequestID == "" {
				inf.RequestID = rec.Header().Get("X-Request-Id")
			}
			inf.StatusCode = rec.status
			switch {
			case returned && rec.status == 0:
				inf.StatusCode = http.StatusOK
			case !returned && rec.status == 0:
				inf.StatusCode = http.StatusInternalServerError
			}
			inf.Error = statusClass(inf.StatusCode)
			switch {
			case !returned:
				inf.Error = classPanic
			case errors.Is(r.Context().Err(), context.DeadlineExceeded):
				inf.Error = classTimeout
			case r.Context().Err() != nil:
				inf.Error = classCanceled
			}
			exchange := &Exchange{Request: r, StatusCode: inf.StatusCode, ResponseHeader: rec.Header()}
			exchange.RequestBody, exchange.RequestTruncated = asked.content()
			exchange.ResponseBody, exchange.ResponseTruncated = rec.body.content()
			c.extract(watch, exchange, &inf)
			c.Record(inf)
		}()
		next.ServeHTTP(rec.wrap(), r)
		returned = true
	})
}

func (w Watch) maxBody() int {
	if w.MaxBody <= 0 {
		return defaultMaxBody
	}
	return w.MaxBody
}

// inference gives what is known of a request before it is answered.
func (w Watch) inference(r *http.Request) Inference {
	endpoint := w.Endpoint
	if endpoint == "" {
		endpoint = r.URL.Path
		if _, pattern, ok := strings.Cut(r.Pattern, "/"); ok {
			endpoint = "/" + pattern // without method and host
		}
	}
	return Inference{
		Model:        w.Model,
		ModelVersion: w.ModelVersion,
		Endpoint:     endpoint,
		RequestID:    r.Header.Get("X-Request-Id"),
	}
}

// extract runs the caller's own function, whose panic must not become the
// service's.
func (c *Client) extract(watch Watch, exchange *Exchange, inf *Inference) {
	if watch.Extract == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			c.out.count(func(s *Stats) {
				s.ExtractPanics++
				s.LastError, s.LastErrorTime = fmt.Errorf("panic in Watch.Extract: %v", p), time.Now()
			})
		}
	}()
	watch.Extract(exchange, inf)
}

func statusClass(status int) string {
	switch {
	case status >= 500:
		return classServer
	case status >= 400:
		return classClient
	}
	return ""
}

// errorClass puts an error of the network into one of few classes. The context
// is the request's: a transport does not always say that it was what ended it.
func errorClass(ctx context.Context, err error) string {
	var dns *net.DNSError
	var network net.Error
	deadline, ok := ctx.Deadline()
	switch {
	case ok && !time.Now().Before(deadline):
		return classTimeout
	case ctx.Err() != nil:
		return classCanceled
	case errors.Is(err, context.Canceled):
		return classCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return classTimeout
	case errors.As(err, &network) && network.Timeout():
		return classTimeout
	case errors.As(err, &dns):
		return classDNS
	case errors.Is(err, syscall.ECONNREFUSED):
		return classRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return classReset
	}
	return classNetwork
}

// capture keeps the beginning of what is written to it.
type capture struct {
	limit     int
	data      []byte
	truncated bool
}

func (c *capture) write(p []byte) {
	if c.limit == 0 {
		return
	}
	room := min(c.limit-len(c.data), len(p))
	c.data = append(c.data, p[:room]...)
	c.truncated = c.truncated || room < len(p)
}

func (c *capture) content() ([]byte, bool) {
	return c.data, c.truncated
}

// teeBody captures what is read of a body.
type teeBody struct {
	io.ReadCloser
	to *capture
}

func (t teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.to.write(p[:n])
	return n, err
}

// responseRecorder notes what a handler answers while it passes it on.
type responseRecorder struct {
	http.ResponseWriter
	start      time.Time
	status     int
	firstFlush time.Duration
	body       capture
	written    bool
}

func (w *responseRecorder) WriteHeader(status int) {
	// 1xx are not the answer yet, except that 101 is the last of it.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseRecorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.written = w.written || n > 0
	w.body.write(p[:n])
	return n, err
}

// Unwrap lets http.ResponseController reach what the wrapper does not have.
func (w *responseRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *responseRecorder) flushed() {
	if w.written && w.firstFlush == 0 {
		w.firstFlush = time.Since(w.start)
	}
}

// wrap offers the interfaces that the writer beneath has, and no others:
// handlers ask for them by type assertion.
func (w *responseRecorder) wrap() http.ResponseWriter {
	_, canFlush := w.ResponseWriter.(http.Flusher)
	_, canHijack := w.ResponseWriter.(http.Hijacker)
	switch {
	case canFlush && canHijack:
		return struct {
			*responseRecorder
			flusher
			hijacker
		}{w, flusher{w}, hijacker{w}}
	case canFlush:
		return struct {
			*responseRecorder
			flusher
		}{w, flusher{w}}
	case canHijack:
		return struct {
			*responseRecorder
			hijacker
		}{w, hijacker{w}}
	}
	return w
}

type flusher struct{ w *responseRecorder }

func (f flusher) Flush() { _ = f.FlushError() }

// FlushError is what http.ResponseController prefers to Flush.
func (f flusher) FlushError() error {
	if f.w.status == 0 {
		f.w.status = http.StatusOK
	}
	err := http.NewResponseController(f.w.ResponseWriter).Flush()
	f.w.flushed()
	return err
}

type hijacker struct{ w *responseRecorder }

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if h.w.status == 0 {
		h.w.status = http.StatusSwitchingProtocols
	}
	return http.NewResponseController(h.w.ResponseWriter).Hijack()
}
