// Package client hands what an AI service inferred over to modelwatch.
//
// [Client.Record] takes a record and returns at once: records are queued in
// bounded memory and sent in batches in the background. Whatever happens to
// the server, the service that records pays nothing for it but the counted
// drops (see [Stats]). Wrappers measure a model endpoint without further code:
// [Client.Handler] on the server's side, [Client.RoundTripper] on the caller's.
//
// The package depends on the standard library only. It is not a metrics
// library and keeps nothing on disk: records that could not be delivered
// before the process ends, or within Options.RetryFor, are lost and counted.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options says where records go and what may be spent on them. URL is
// required; every other field has a default.
type Options struct {
	// URL is modelwatch's address, for example "http://127.0.0.1:9090". A path
	// in it is kept as a prefix.
	URL string
	// Service is the name given to records that have none of their own.
	Service string
	// Token is sent as a bearer token, if set.
	Token string
	// Header is added to every request, for example for basic authentication
	// or a gateway in between.
	Header http.Header

	// BatchSize is the most records in one request. Default 1,000.
	BatchSize int
	// FlushInterval is how long a record waits for others to travel with.
	// Default 1 s.
	FlushInterval time.Duration
	// QueueSize is the most records held in memory, those in flight included;
	// further ones are dropped and counted. Default 10,000.
	QueueSize int
	// Senders is the most requests in flight. Default 2.
	Senders int
	// MaxBodyBytes is the most one request may hold before compression; larger
	// batches are divided. Default 4 MiB.
	MaxBodyBytes int

	// RequestTimeout bounds one attempt to send. Default 10 s.
	RequestTimeout time.Duration
	// RetryFor is how long a batch is tried again before it is dropped and
	// counted. Default 5 min.
	RetryFor time.Duration
	// MinBackoff and MaxBackoff bound the pause between two attempts, which
	// doubles from one to the next and is spread at random; a server's
	// Retry-After wins if it is longer. Defaults 0.5 s and 30 s.
	MinBackoff, MaxBackoff time.Duration

	// HTTPClient sends the requests. Default: one of the client's own with the
	// settings of http.DefaultTransport. Redirects are never followed.
	HTTPClient *http.Client
	// OnError hears of every failure, including those that are tried again. It
	// is called from background goroutines, one call at a time, and never from
	// Record or Label; while it blocks, sending waits. It must not call Flush
	// or Close.
	OnError func(error)
}

func (o *Options) setDefaults() error {
	if o.URL == "" {
		return errors.New("client: Options.URL is empty: give modelwatch's address, such as http://127.0.0.1:9090")
	}
	u, err := url.Parse(o.URL)
	if parse := (*url.Error)(nil); errors.As(err, &parse) {
		return fmt.Errorf("client: Options.URL: %w", parse.Err) // without the address: it may hold a password
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("client: Options.URL: want http://HOST:PORT or https://HOST:PORT, with a path at most")
	}
	for _, f := range []struct {
		name  string
		value *int
		or    int
	}{
		{"BatchSize", &o.BatchSize, 1000},
		{"QueueSize", &o.QueueSize, 10_000},
		{"Senders", &o.Senders, 2},
		{"MaxBodyBytes", &o.MaxBodyBytes, 4 << 20},
	} {
		if *f.value < 0 {
			return fmt.Errorf("client: Options.%s is %d: want more than 0, or 0 for the default", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	for _, f := range []struct {
		name  string
		value *time.Duration
		or    time.Duration
	}{
		{"FlushInterval", &o.FlushInterval, time.Second},
		{"RequestTimeout", &o.RequestTimeout, 10 * time.Second},
		{"RetryFor", &o.RetryFor, 5 * time.Minute},
		{"MinBackoff", &o.MinBackoff, 500 * time.Millisecond},
		{"MaxBackoff", &o.MaxBackoff, 30 * time.Second},
	} {
		if *f.value < 0 {
			return fmt.Errorf("client: Options.%s is %s: want more than 0, or 0 for the default", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.or
		}
	}
	o.BatchSize = min(o.BatchSize, o.QueueSize)
	o.MaxBackoff = max(o.MaxBackoff, o.MinBackoff)
	return nil
}

// Client sends records to one modelwatch. Its methods may be called from any
// number of goroutines. A nil *Client is valid and does nothing, so that a
// service may run unwatched without a condition at every call.
type Client struct {
	opts    Options
	base    string // URL without a trailing slash
	http    *http.Client
	out     *outbox
	own     *http.Transport // nil if the caller brought one
	wake    chan struct{}
	senders chan struct{} // one slot a request in flight

	ctx      context.Context // ends when nothing is sent any more
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	closing  sync.Once
	closeErr error
	pause    atomic.Int64 // Unix nanoseconds before which the server asked for no request
	errMu    sync.Mutex   // held while OnError runs
}

// closeBound ends a Close whose context has no deadline.
const closeBound = 10 * time.Second

// New starts a client. It does not connect: a server that is down is found
// out, and waited for, in the background. Call [Client.Close] to stop it.
func New(opts Options) (*Client, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	c := &Client{
		opts:    opts,
		base:    strings.TrimRight(opts.URL, "/"),
		out:     &outbox{limit: opts.QueueSize, batchSize: opts.BatchSize, interval: opts.FlushInterval},
		wake:    make(chan struct{}, 1),
		senders: make(chan struct{}, opts.Senders),
	}
	c.opts.Header = opts.Header.Clone()
	// A POST turned into a GET by a redirect would look like a success, and a
	// token must not travel to another host.
	c.http = &http.Client{}
	if opts.HTTPClient != nil {
		*c.http = *opts.HTTPClient
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.http.Transport == nil {
		if t, ok := http.DefaultTransport.(*http.Transport); ok {
			c.own = t.Clone()
			c.own.MaxIdleConnsPerHost = opts.Senders
			c.http.Transport = c.own
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		c.dispatch()
	}()
	return c, nil
}

// Record hands over one inference. It never blocks and never fails: when the
// queue is full or the client closed, the record is dropped and counted. The
// maps and slices inside belong to the client from now on.
func (c *Client) Record(inf Inference) {
	if c == nil {
		return
	}
	if inf.Service == "" {
		inf.Service = c.opts.Service
	}
	if inf.Timestamp.IsZero() {
		inf.Timestamp = time.Now()
	}
	if c.out.addInference(&inf) {
		c.wakeUp()
	}
}

// Label hands over the truth about an earlier inference, on the same terms as
// Record. It is sent after the inferences recorded before it.
func (c *Client) Label(l Label) {
	if c == nil {
		return
	}
	if l.Timestamp.IsZero() {
		l.Timestamp = time.Now()
	}
	if c.out.addLabel(&l) {
		c.wakeUp()
	}
}

// Flush sends what was recorded before the call without waiting for batches to
// fill, and returns when all of it was accepted, refused or given up (see
// [Client.Stats]), or with the context's error.
func (c *Client) Flush(ctx context.Context) error {
	if c == nil {
		return nil
	}
	done := c.out.flush()
	c.wakeUp()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("flush: %w", ctx.Err())
	}
}

// Close takes no more records, sends those that wait until the context ends
// (within 10 s if it has no deadline), and stops. What could not be sent is
// dropped, counted, and reported in the error. Further calls wait for the
// first and return its error.
func (c *Client) Close(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.closing.Do(func() {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, closeBound)
			defer cancel()
		}
		c.out.close()
		before := c.Stats()
		err := c.Flush(ctx)
		c.cancel()
		c.wg.Wait()
		c.out.abandon()
		if c.own != nil {
			c.own.CloseIdleConnections()
		}
		after := c.Stats()
		if n := after.Drops.Closed - before.Drops.Closed; err != nil && n > 0 {
			c.closeErr = fmt.Errorf("client: close: %d records not delivered (last error: %w): %w", n, after.LastError, ctx.Err())
		}
	})
	return c.closeErr
}

// Stats tells what became of everything recorded so far.
func (c *Client) Stats() Stats {
	if c == nil {
		return Stats{}
	}
	return c.out.snapshot()
}

func (c *Client) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// dispatch gives each batch that is due to a sender.
func (c *Client) dispatch() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		// The slot comes first: until there is one, batches go on filling.
		select {
		case c.senders <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		b := c.next(timer)
		if b == nil {
			return
		}
		c.wg.Add(1)
		go func() {
			defer c.wg.Done()
			c.deliver(b)
			c.out.done(b)
			<-c.senders
			c.wakeUp()
		}()
	}
}

// next waits for a batch that is due. It gives nil when the client stops.
func (c *Client) next(timer *time.Timer) *batch {
	for {
		b, wait := c.out.take(time.Now())
		if b != nil {
			return b
		}
		timer.Reset(wait)
		select {
		case <-c.wake:
		case <-timer.C:
		case <-c.ctx.Done():
			return nil
		}
	}
}
