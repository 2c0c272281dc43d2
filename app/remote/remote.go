// Package remote asks a running modelwatch over HTTP, for the subcommands that are
// clients of one: address, log-in, certificates, and errors that say what to do.
//
// It knows no particular path; what the commands ask for is in packages of their
// own. Nothing in it prints, and no error of it holds a password or a token.
package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// DefaultURL is where modelwatch serves unless told otherwise.
const DefaultURL = "http://127.0.0.1:9090"

// Environment variables that take the place of flags, so that secrets need not stand
// in a command line that every process can read.
const (
	EnvURL      = "MODELWATCH_URL"
	EnvToken    = "MODELWATCH_TOKEN"
	EnvUser     = "MODELWATCH_USER"
	EnvPassword = "MODELWATCH_PASSWORD"
)

// Options says where modelwatch runs and who asks.
type Options struct {
	// URL is its address with any path prefix; default DefaultURL.
	URL string
	// TokenFile holds a token; Token is one itself.
	TokenFile, Token string
	// User logs in by basic authentication, with Password or what PasswordFile
	// holds. A token wins over it.
	User, PasswordFile, Password string
	// CAFile holds certificates of authorities to trust beside those of the system.
	CAFile string
	// Idle is how long to wait for an answer to begin; default 2 minutes.
	Idle time.Duration
}

// Client asks one modelwatch. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	login func(*http.Request)
}

// New returns a client. It reads the files of the options, and asks for nothing yet.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	base, err := url.Parse(o.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a modelwatch: write it as %s", redacted(o.URL), DefaultURL)
	}
	if base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("address %s has a query: write it as %s", base.Redacted(), DefaultURL)
	}
	c := &Client{base: base, login: func(*http.Request) {}}
	if base.User != nil {
		password, _ := base.User.Password()
		if o.User == "" {
			o.User, o.Password = base.User.Username(), password
		}
		base.User = nil
	}
	if err := c.logIn(o); err != nil {
		return nil, err
	}
	if o.Idle <= 0 {
		o.Idle = 2 * time.Minute
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: o.Idle,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: time.Minute,
	}
	if o.CAFile != "" {
		if transport.TLSClientConfig, err = trust(o.CAFile); err != nil {
			return nil, err
		}
	}
	// A page of log-in is no answer, and a body is not sent twice.
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// redacted is an address without a password, if it can be read as one at all.
func redacted(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.Redacted()
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return s[i+1:]
	}
	return s
}

func (c *Client) logIn(o Options) error {
	read := func(file, what string) (string, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", what, err)
		}
		secret := strings.TrimSpace(string(text))
		if secret == "" || strings.ContainsAny(secret, "\r\n") {
			return "", fmt.Errorf("read %s: %s must hold it on one line, and nothing else", what, file)
		}
		return secret, nil
	}
	token, password := o.Token, o.Password
	var err error
	if o.TokenFile != "" {
		if token, err = read(o.TokenFile, "token"); err != nil {
			return err
		}
	}
	if o.PasswordFile != "" {
		if password, err = read(o.PasswordFile, "password"); err != nil {
			return err
		}
	}
	switch {
	case token != "":
		if strings.ContainsAny(token, "\r\n \t") {
			return errors.New("the token has blanks or line ends in it: was it copied whole?")
		}
		c.login = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	case o.User != "":
		if password == "" {
			return fmt.Errorf("user %s has no password: name a file with --password-file, or set %s", o.User, EnvPassword)
		}
		c.login = func(r *http.Request) { r.SetBasicAuth(o.User, password) }
	}
	return nil
}

func trust(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificates: %s holds none in PEM form", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Request is what is asked. Body is sent as it is read, so it may be of any length.
type Request struct {
	Method string // Default GET.
	Path   string // Below the address, such as /ai/v1/services; escaped.
	Query  url.Values
	Header http.Header
	Body   io.Reader
	// ContentType is that of Body.
	ContentType string
}

// Error is an answer other than success.
type Error struct {
	Status  int
	Message string // What the server said, cut at a few lines.
	hint    string
}

// Error implements error.
func (e *Error) Error() string {
	s := fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		s = e.Message + " (" + s + ")"
	}
	return s + e.hint
}

// Do sends a request and returns the answer if it is one of success; the caller
// closes its body. Other answers are an *Error.
func (c *Client) Do(ctx context.Context, q Request) (*http.Response, error) {
	method := q.Method
	if method == "" {
		method = http.MethodGet
	}
	target := strings.TrimSuffix(c.base.String(), "/") + q.Path
	if len(q.Query) > 0 {
		target += "?" + q.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, q.Body)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.base, err)
	}
	maps.Copy(r.Header, q.Header)
	if q.ContentType != "" {
		r.Header.Set("Content-Type", q.ContentType)
	}
	c.login(r)
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreached(err)
	}
	if answer.StatusCode/100 == 2 {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }()
	return nil, failure(answer)
}

// unreached says what to do where no answer came.
func (c *Client) unreached(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err // Its text repeats the address.
	}
	hint := fmt.Sprintf("is modelwatch running there? Say where with --url or %s", EnvURL)
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		hint = "name the certificate of its authority with --ca-file"
	} else if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("ask %s: %w (%s)", c.base, err, hint)
}

// failure reads what an answer of failure says, in the forms of all APIs: an object
// with an "error", or a line of text.
func failure(answer *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 8<<10)) // What is there of it.
	e := &Error{Status: answer.StatusCode}
	var doc struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(text, &doc) == nil && doc.Error+doc.Message != "":
		e.Message = doc.Error
		if e.Message == "" {
			e.Message = doc.Message
		}
	case strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain"):
		e.Message = strings.TrimSpace(string(text))
	}
	switch {
	case answer.StatusCode == http.StatusUnauthorized:
		e.hint = fmt.Sprintf(": log in with --token-file or %s, or with --user and --password-file", EnvToken)
	case answer.StatusCode/100 == 3:
		e.hint = fmt.Sprintf(": it refers to %q; give the address of modelwatch itself", answer.Header.Get("Location"))
	case answer.StatusCode == http.StatusNotFound && e.Message == "" || answer.StatusCode == http.StatusMethodNotAllowed && e.Message == "":
		e.hint = ": does the address belong to a modelwatch of this version?"
	}
	return e
}

// maxDocument bounds the answers that JSON reads.
const maxDocument = 64 << 20

// JSON sends in, unless it is nil, and reads the answer into out, unless that is nil.
// The method, path and query are those of q.
func (c *Client) JSON(ctx context.Context, q Request, in, out any) error {
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		q.Body, q.ContentType = bytes.NewReader(text), "application/json"
	}
	answer, err := c.Do(ctx, q)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxDocument)).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s%s: %w", c.base, q.Path, err)
	}
	return nil
}

// Download copies the answer to w and returns the number of bytes.
func (c *Client) Download(ctx context.Context, q Request, w io.Writer) (int64, error) {
	answer, err := c.Do(ctx, q)
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	n, err := io.Copy(w, answer.Body)
	if err != nil {
		return n, fmt.Errorf("the answer of %s%s broke off after %d bytes: %w", c.base, q.Path, n, err)
	}
	return n, nil
}
