package client

import (
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// RoundTripper wraps the transport of a client that calls a model endpoint,
// one's own or a provider's, and records an inference for each request when
// the answer's body has been read to its end or closed: how long that took, the
// status, a class of error ("client_error", "server_error", "timeout",
// "canceled", "connection_refused", "connection_reset", "dns", "network"), the
// time to the first byte of an answer streamed as events, and what Extract
// adds. A nil transport means http.DefaultTransport.
func (c *Client) RoundTripper(next http.RoundTripper, watch Watch) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	if c == nil {
		return next
	}
	return roundTripper{client: c, next: next, watch: watch}
}

type roundTripper struct {
	client *Client
	next   http.RoundTripper
	watch  Watch
}

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.watch.Skip != nil && t.watch.Skip(r) {
		return t.next.RoundTrip(r)
	}
	call := &call{client: t.client, watch: t.watch, request: r, start: time.Now()}
	sent := r
	if t.watch.Extract != nil && r.Body != nil && r.Body != http.NoBody {
		// The caller's request must not change: its copy gets the tapped body.
		call.asked.limit = t.watch.maxBody()
		sent = r.Clone(r.Context())
		sent.Body = askedBody{ReadCloser: r.Body, call: call}
	}
	resp, err := t.next.RoundTrip(sent)
	if err != nil {
		call.finish(err)
		return resp, err
	}
	call.response = resp
	if resp.StatusCode == http.StatusSwitchingProtocols {
		call.finish(nil) // its body is the connection, and has to stay one
		return resp, nil
	}
	if t.watch.Extract != nil {
		call.answered.limit = t.watch.maxBody()
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	call.streamed = media == "text/event-stream" || media == "application/x-ndjson"
	resp.Body = &answerBody{ReadCloser: resp.Body, call: call}
	return resp, nil
}

// call is one exchange, until its record is made.
type call struct {
	client   *Client
	watch    Watch
	request  *http.Request
	response *http.Response
	start    time.Time
	streamed bool

	// A transport may go on sending after the answer has come, and a body may be
	// closed while it is being read.
	mu        sync.Mutex
	finished  bool
	asked     capture // their limits are 0 where nobody wants them
	answered  capture
	firstByte time.Duration
}

// finish records the exchange. Only its first call counts.
func (c *call) finish(err error) {
	c.mu.Lock()
	first := !c.finished
	c.finished = true
	c.mu.Unlock()
	if first {
		inf := c.watch.inference(c.request)
		inf.Duration = time.Since(c.start)
		inf.TimeToFirstToken = c.firstByte
		exchange := &Exchange{Request: c.request, Err: err}
		if c.response != nil {
			inf.StatusCode = c.response.StatusCode
			inf.Error = statusClass(inf.StatusCode)
			if inf.RequestID == "" {
				inf.RequestID = c.response.Header.Get("X-Request-Id")
			}
			exchange.StatusCode, exchange.ResponseHeader = inf.StatusCode, c.response.Header
		}
		if err != nil {
			inf.Error = errorClass(c.request.Context(), err)
		}
		exchange.RequestBody, exchange.RequestTruncated = c.asked.content()
		exchange.ResponseBody, exchange.ResponseTruncated = c.answered.content()
		c.client.extract(c.watch, exchange, &inf)
		c.client.Record(inf)
	}
}

// note keeps what was read of a body. After finish it is Extract's, and stays.
func (c *call) note(to *capture, p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return
	}
	if to == &c.answered && c.streamed && c.firstByte == 0 {
		c.firstByte = time.Since(c.start)
	}
	to.write(p)
}

// answerBody notes how an answer's body is read.
type answerBody struct {
	io.ReadCloser
	call *call
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.call.note(&b.call.answered, p[:n])
	}
	switch err {
	case nil:
	case io.EOF:
		b.call.finish(nil)
	default:
		b.call.finish(err)
	}
	return n, err
}

// Close ends the exchange: an answer closed before its end counts as it stands.
func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.call.finish(nil)
	return err
}

// askedBody notes what is sent of a request's body.
type askedBody struct {
	io.ReadCloser
	call *call
}

func (b askedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.call.note(&b.call.asked, p[:n])
	return n, err
}
