package client

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Paths of modelwatch's interface, and the header that makes a repeated batch
// count once.
const (
	inferencesPath = "/ai/v1/inferences"
	labelsPath     = "/ai/v1/labels"
	batchIDHeader  = "X-Modelwatch-Batch-Id"
	maxAnswer      = 8 << 20 // bytes read of an answer
)

var errNoJSON = errors.New("value has no JSON form")

// compressor is what one request needs to be built, kept between requests.
type compressor struct {
	enc encoder
	gz  *gzip.Writer
}

var compressors = sync.Pool{New: func() any {
	gz, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil { // the level is valid
		gz = gzip.NewWriter(io.Discard)
	}
	return &compressor{gz: gz}
}}

// deliver sends a batch and counts each of its records exactly once.
func (c *Client) deliver(b *batch) {
	c.deliverPart(b, 0, b.size(), time.Now().Add(c.opts.RetryFor))
}

// deliverPart sends the records [lo, hi) of a batch, in halves if they are too
// large for one request.
func (c *Client) deliverPart(b *batch, lo, hi int, giveUp time.Time) {
	body, nulls, fits := c.encode(b, lo, hi)
	var err error
	if fits {
		err = c.post(b, hi-lo, body, giveUp)
	}
	tooLarge := !fits || isStatus(err, http.StatusRequestEntityTooLarge)
	if tooLarge && hi-lo > 1 {
		mid := lo + (hi-lo)/2
		c.deliverPart(b, lo, mid, giveUp)
		c.deliverPart(b, mid, hi, giveUp)
		return
	}
	if nulls > 0 {
		c.out.count(func(s *Stats) { s.NulledValues += nulls })
	}
	if err == nil {
		return
	}
	n := uint64(hi - lo)
	c.out.count(func(s *Stats) {
		s.Dropped += n
		switch {
		case c.ctx.Err() != nil && !isRefusal(err):
			s.Drops.Closed += n
		case isRefusal(err):
			s.Drops.Refused += n
		default:
			s.Drops.GaveUp += n
		}
	})
	c.fail(fmt.Errorf("%d records dropped: %w", n, err))
}

// encode writes a part of a batch as compressed NDJSON, and counts the values
// that became null. It reports false if the part should be divided first.
func (c *Client) encode(b *batch, lo, hi int) (body []byte, nulls uint64, fits bool) {
	k := compressors.Get().(*compressor)
	defer compressors.Put(k)
	k.enc.buf, k.enc.nulls = k.enc.buf[:0], 0
	for i := lo; i < hi; i++ {
		if b.labels != nil {
			k.enc.label(&b.labels[i])
		} else {
			k.enc.inference(&b.inferences[i])
		}
		if len(k.enc.buf) > c.opts.MaxBodyBytes && hi-lo > 1 {
			return nil, 0, false
		}
	}
	var out bytes.Buffer
	out.Grow(len(k.enc.buf)/4 + 64)
	k.gz.Reset(&out)
	_, _ = k.gz.Write(k.enc.buf) // a bytes.Buffer takes everything
	_ = k.gz.Close()
	return out.Bytes(), k.enc.nulls, true
}

// post sends one body of n records until it is accepted, refused or given up.
// The batch identifier stays the same, so that a repetition counts once even
// if only the answer was lost.
func (c *Client) post(b *batch, n int, body []byte, giveUp time.Time) error {
	path := inferencesPath
	if b.labels != nil {
		path = labelsPath
	}
	id := newBatchID()
	backoff := c.opts.MinBackoff
	var last error // of the attempt before, which says more than that we stop
	for {
		if err := c.sleep(time.Until(time.Unix(0, c.pause.Load()))); err != nil {
			return cmp.Or(last, err)
		}
		answer, err := c.attempt(path, id, body)
		if err == nil {
			c.countAnswer(n, answer)
			return nil
		}
		var bad *statusError
		isStatus := errors.As(err, &bad)
		if isStatus && !bad.temporary() {
			return err
		}
		if c.ctx.Err() != nil {
			return cmp.Or(last, err)
		}
		last = err
		// Spread at random, so that many clients do not come back at once.
		wait := backoff/2 + mathrand.N(backoff/2+1)
		backoff = min(2*backoff, c.opts.MaxBackoff)
		if isStatus && bad.retryAfter > 0 {
			pause := min(bad.retryAfter, c.opts.RetryFor)
			wait = max(wait, pause)
			c.pauseUntil(time.Now().Add(pause))
		}
		if time.Now().Add(wait).After(giveUp) {
			return fmt.Errorf("given up after %s: %w", c.opts.RetryFor, err)
		}
		c.fail(fmt.Errorf("will be tried again in %s: %w", wait.Round(time.Millisecond), err))
		if c.sleep(wait) != nil {
			return last
		}
		c.out.count(func(s *Stats) { s.Retries++ })
	}
}

// pauseUntil keeps all senders quiet while the server asks for it.
func (c *Client) pauseUntil(t time.Time) {
	for {
		old := c.pause.Load()
		if old >= t.UnixNano() || c.pause.CompareAndSwap(old, t.UnixNano()) {
			return
		}
	}
}

// sleep fails when the client stops meanwhile.
func (c *Client) sleep(d time.Duration) error {
	if d <= 0 {
		return c.ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// attempt sends a body once and returns what the server answered.
func (c *Client) attempt(path, id string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.ctx, c.opts.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, c.opts.Header)
	if c.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set(batchIDHeader, id)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, readErr := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		// An answer cut short may have been a success: the repetition, under
		// the same identifier, will tell.
		return answer, readErr
	}
	bad := &statusError{path: path, code: resp.StatusCode, text: firstLine(answer)}
	if location := resp.Header.Get("Location"); location != "" && bad.code < 400 {
		bad.text = "redirected to " + location + ": give that address in Options.URL"
	}
	bad.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	return nil, bad
}

// countAnswer counts n records by what the server said of them. An answer in
// another form than ours means that all were taken.
func (c *Client) countAnswer(n int, answer []byte) {
	var said struct {
		Accepted *int `json:"accepted"`
		Rejected []struct {
			Index int    `json:"index"`
			Error string `json:"error"`
		} `json:"rejected"`
	}
	rejected, reason := 0, ""
	if json.Unmarshal(answer, &said) == nil && len(said.Rejected) > 0 {
		rejected = len(said.Rejected)
		if said.Accepted != nil { // the list of names may be cut short
			rejected = max(rejected, n-*said.Accepted)
		}
		rejected = min(rejected, n)
		last := said.Rejected[len(said.Rejected)-1]
		reason = fmt.Sprintf("record %d: %s", last.Index, last.Error)
	}
	c.out.count(func(s *Stats) {
		s.Sent += uint64(n - rejected)
		s.Rejected += uint64(rejected)
		if rejected > 0 {
			s.LastRejection = reason
		}
	})
	if rejected > 0 {
		c.fail(fmt.Errorf("server rejected %d of %d records, the last for: %s", rejected, n, reason))
	}
}

func (c *Client) fail(err error) {
	c.out.count(func(s *Stats) { s.LastError, s.LastErrorTime = err, time.Now() })
	if c.opts.OnError == nil {
		return
	}
	c.errMu.Lock()
	defer c.errMu.Unlock()
	c.opts.OnError(err)
}

// statusError is an answer that is no success.
type statusError struct {
	path       string
	code       int
	text       string
	retryAfter time.Duration
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("POST %s: status %d", e.path, e.code)
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

// temporary tells whether the same request may succeed later.
func (e *statusError) temporary() bool {
	switch e.code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return e.code >= 500
}

func isStatus(err error, code int) bool {
	var bad *statusError
	return errors.As(err, &bad) && bad.code == code
}

func isRefusal(err error) bool {
	var bad *statusError
	return errors.As(err, &bad) && !bad.temporary()
}

// retryAfter reads the header of that name, in either form. 0 means none.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// firstLine gives what is worth showing of an error page.
func firstLine(answer []byte) string {
	text, _, _ := strings.Cut(strings.TrimSpace(string(answer[:min(len(answer), 300)])), "\n")
	return strings.ToValidUTF8(text, "�")
}

func newBatchID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails: see crypto/rand
	return hex.EncodeToString(id[:])
}
