// Package forward pushes log lines to another store by Loki's protocol, by way of a queue on disk.
//
// A line counts as taken over when it is in the queue and synced; it leaves the queue when the other side has accepted or
// refused it for good. The package does not read files and knows no pipelines.
package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/logs"
)

// Client is where to push to and how.
type Client struct {
	Name, URL, Tenant               string
	Headers, ExternalLabels         map[string]string
	Username, Password              string
	PasswordFile                    string
	BearerToken, BearerTokenFile    string
	CAFile, CertFile, KeyFile       string
	ServerName, ProxyURL            string
	InsecureSkipVerify              bool
	Timeout, MinBackoff, MaxBackoff time.Duration
	// DropRateLimited gives up batches that the other side answers with 429, instead of waiting.
	DropRateLimited bool
}

// Options configures a Queue.
type Options struct {
	// Dir holds the queue; it belongs to this client alone.
	Dir string
	// MaxBytes is the size of the queue above which Push waits. Default 1 GiB.
	MaxBytes int64
	Logger   *slog.Logger
}

// Queue is a queue on disk and the goroutine that sends what is in it.
type Queue struct {
	client Client
	o      Options
	http   *http.Client

	mu    sync.Mutex
	files []string
	next  uint64
	bytes int64
	wake  chan struct{}
	room  chan struct{}

	sent, dropped, retries atomic.Int64
	lastError              atomic.Pointer[string]
	cancel                 context.CancelFunc
	done                   chan struct{}
}

// Open opens the queue in o.Dir, with what was left in it, and begins to send.
func Open(client Client, o Options) (*Queue, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if client.MinBackoff <= 0 {
		client.MinBackoff = 500 * time.Millisecond
	}
	client.MaxBackoff = max(client.MaxBackoff, client.MinBackoff)
	if client.Timeout <= 0 {
		client.Timeout = 10 * time.Second
	}
	transport, err := newTransport(client)
	if err != nil {
		return nil, fmt.Errorf("client %s: %w", client.Name, err)
	}
	q := &Queue{
		client: client, o: o, http: &http.Client{Transport: transport, Timeout: client.Timeout},
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if err := q.load(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	go q.run(ctx)
	return q, nil
}

func newTransport(c Client) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // It is one.
	if c.ProxyURL != "" {
		u, err := url.Parse(c.ProxyURL)
		if err != nil {
			return nil, fmt.Errorf("proxy_url: %w", err)
		}
		t.Proxy = http.ProxyURL(u)
	}
	t.TLSClientConfig = &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: tls.VersionTLS12} //nolint:gosec // The user asked for it.
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s has no certificate", c.CAFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if c.CertFile != "" || c.KeyFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read cert_file and key_file: %w", err)
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

const suffix = ".batch"

// load finds what was left in the directory.
func (q *Queue) load() error {
	if err := os.MkdirAll(q.o.Dir, 0o755); err != nil {
		return fmt.Errorf("make queue directory: %w", err)
	}
	entries, err := os.ReadDir(q.o.Dir)
	if err != nil {
		return fmt.Errorf("list queue directory: %w", err)
	}
	for _, e := range entries {
		number, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue // An unfinished file; its lines were not taken over.
		}
		digits, _, _ := strings.Cut(number, "-")
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return fmt.Errorf("look at queued batch: %w", err)
		}
		q.files = append(q.files, e.Name())
		q.bytes += info.Size()
		q.next = max(q.next, n+1)
	}
	slices.Sort(q.files)
	return nil
}

// Push puts streams into the queue and returns when they are durable there. It waits while the queue is full. tenant
// replaces the client's own if it is not empty.
func (q *Queue) Push(ctx context.Context, tenant string, streams []logs.Stream) error {
	body := snappy.Encode(nil, loki.EncodeProtobuf(streams))
	for {
		q.mu.Lock()
		if q.bytes == 0 || q.bytes+int64(len(body)) <= q.o.MaxBytes {
			break
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-ctx.Done():
			return fmt.Errorf("wait for room in the queue to %s: %w", q.client.Name, context.Cause(ctx))
		}
	}
	defer q.mu.Unlock()
	name := fmt.Sprintf("%020d-%s%s", q.next, base64.RawURLEncoding.EncodeToString([]byte(tenant)), suffix)
	temp := filepath.Join(q.o.Dir, "new")
	if err := writeSynced(temp, body); err != nil {
		return fmt.Errorf("write to the queue to %s: %w", q.client.Name, err)
	}
	if err := errors.Join(os.Rename(temp, filepath.Join(q.o.Dir, name)), syncDir(q.o.Dir)); err != nil {
		return fmt.Errorf("write to the queue to %s: %w", q.client.Name, err)
	}
	q.next++
	q.files = append(q.files, name)
	q.bytes += int64(len(body))
	signal(q.wake)
	if q.bytes < q.o.MaxBytes {
		signal(q.room)
	}
	return nil
}

func writeSynced(path string, body []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Close stops sending. What was not sent stays in the queue.
func (q *Queue) Close() {
	q.cancel()
	<-q.done
	q.http.CloseIdleConnections()
}

// Status is how the queue is doing.
type Status struct {
	Client        string `json:"client"`
	Waiting       int    `json:"waiting_batches"`
	WaitingBytes  int64  `json:"waiting_bytes"`
	Sent, Dropped int64
	Retries       int64
	LastError     string `json:"last_error,omitempty"`
}

// Status returns how the queue is doing.
func (q *Queue) Status() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Status{Client: q.client.Name, Waiting: len(q.files), WaitingBytes: q.bytes, Sent: q.sent.Load(), Dropped: q.dropped.Load(), Retries: q.retries.Load()}
	if e := q.lastError.Load(); e != nil {
		s.LastError = *e
	}
	return s
}

func (q *Queue) run(ctx context.Context) {
	defer close(q.done)
	backoff := q.client.MinBackoff
	for {
		name := q.head()
		if name == "" {
			select {
			case <-q.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		final, err := q.sendFile(ctx, name)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			q.sent.Add(1)
			q.lastError.Store(nil)
		} else {
			text := err.Error()
			if old := q.lastError.Swap(&text); old == nil {
				q.o.Logger.Warn("forward log lines", "client", q.client.Name, "url", q.client.URL, "err", err, "given_up", final)
			}
		}
		if err == nil || final {
			if err != nil {
				q.dropped.Add(1)
			}
			q.remove(name)
			backoff = q.client.MinBackoff
			continue
		}
		q.retries.Add(1)
		select {
		case <-time.After(backoff + rand.N(backoff/4+1)):
		case <-ctx.Done():
			return
		}
		backoff = min(backoff*2, q.client.MaxBackoff)
	}
}

func (q *Queue) head() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.files) == 0 {
		return ""
	}
	return q.files[0]
}

func (q *Queue) remove(name string) {
	path := filepath.Join(q.o.Dir, name)
	info, err := os.Stat(path)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err == nil {
		q.bytes -= info.Size()
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		q.o.Logger.Warn("remove sent batch", "err", err)
	}
	q.files = q.files[1:]
	signal(q.room)
}

// sendFile sends a batch. final tells that trying again is no use.
func (q *Queue) sendFile(ctx context.Context, name string) (final bool, err error) {
	body, err := os.ReadFile(filepath.Join(q.o.Dir, name))
	if err != nil {
		return os.IsNotExist(err), fmt.Errorf("read queued batch: %w", err)
	}
	tenant := q.client.Tenant
	_, encoded, _ := strings.Cut(strings.TrimSuffix(name, suffix), "-")
	if own, err := base64.RawURLEncoding.DecodeString(encoded); err == nil && len(own) > 0 {
		tenant = string(own)
	}
	return q.send(ctx, tenant, body)
}

func (q *Queue) send(ctx context.Context, tenant string, body []byte) (final bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.client.URL, bytes.NewReader(body))
	if err != nil {
		return true, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "modelwatch")
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	if err := authorize(req, q.client); err != nil {
		return false, err
	}
	for k, v := range q.client.Headers {
		req.Header.Set(k, v)
	}
	resp, err := q.http.Do(req)
	if err != nil {
		return false, err
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 2048)) // Only for the message.
	_ = resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(text)))
	if resp.StatusCode == http.StatusTooManyRequests {
		return q.client.DropRateLimited, err
	}
	return resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden &&
		resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusRequestTimeout, err
}

// authorize sets credentials; files are read each time, so that they can be changed.
func authorize(req *http.Request, c Client) error {
	switch {
	case c.Username != "" || c.Password != "" || c.PasswordFile != "":
		password := c.Password
		if c.PasswordFile != "" {
			text, err := os.ReadFile(c.PasswordFile)
			if err != nil {
				return fmt.Errorf("read password_file: %w", err)
			}
			password = strings.TrimSpace(string(text))
		}
		req.SetBasicAuth(c.Username, password)
	case c.BearerTokenFile != "":
		text, err := os.ReadFile(c.BearerTokenFile)
		if err != nil {
			return fmt.Errorf("read bearer_token_file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(text)))
	case c.BearerToken != "":
		req.Header.Set("Authorization", "Bearer "+c.BearerToken)
	}
	return nil
}
