// Package mail is a catcher of e-mails: an SMTP server on the loopback
// interface that takes any message, decodes it, and hands it over on a channel.
// The demonstration and the tests read there what a notification would have
// looked like in somebody's inbox.
//
// It is not a mail server: nothing is forwarded or kept on disk.
package mail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Mail is one message as its reader would see it.
type Mail struct {
	// From and To are of the envelope.
	From string
	To   []string
	// Subject is decoded.
	Subject string
	// Text is the plain part, or the words of the HTML part if there is no other.
	Text string
	// HTML is the HTML part, if there is one.
	HTML string
	// Received is when the server took it.
	Received time.Time
	// TLS tells whether it came over an encrypted connection, and Login who
	// logged in to send it, if anybody.
	TLS   bool
	Login string
}

// Options says what the catcher demands of those who send. The zero value
// takes everything, unencrypted.
type Options struct {
	// Listen is the address; default "127.0.0.1:0".
	Listen string
	// Username and Password, if set, are demanded before a message is taken.
	// Without TLS they may be sent in the clear.
	Username, Password string
	// TLS offers STARTTLS under a certificate made for the occasion, and demands
	// it before a log-in. See Catcher.Authority.
	TLS bool
	// Queue is how many messages wait for their reader before further ones are
	// refused with a temporary error. Default 1,024.
	Queue int
	// Logger hears of broken connections. Default: nobody.
	Logger *slog.Logger
}

// Catcher is a running catcher. Close stops it.
type Catcher struct {
	opts      Options
	listener  net.Listener
	server    *smtp.Server
	authority []byte
	mails     chan Mail
	wg        sync.WaitGroup
	served    error
}

const (
	maxMessage = 16 << 20 // bytes
	ioTimeout  = time.Minute
)

// Listen starts a catcher.
func Listen(opts Options) (*Catcher, error) {
	if opts.Listen == "" {
		opts.Listen = "127.0.0.1:0"
	}
	if opts.Queue == 0 {
		opts.Queue = 1024
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Catcher{opts: opts, mails: make(chan Mail, opts.Queue)}
	c.server = smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		return &session{catcher: c, conn: conn}, nil
	}))
	c.server.Domain = "localhost"
	c.server.ReadTimeout, c.server.WriteTimeout = ioTimeout, ioTimeout
	c.server.MaxMessageBytes = maxMessage
	c.server.MaxRecipients = 100
	c.server.MaxLineLength = 64 << 10 // notifications have long subjects
	c.server.AllowInsecureAuth = !opts.TLS
	c.server.ErrorLog = slog.NewLogLogger(opts.Logger.Handler(), slog.LevelWarn)
	if opts.TLS {
		certificate, authority, err := newCertificate(time.Now())
		if err != nil {
			return nil, fmt.Errorf("make certificate: %w", err)
		}
		c.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		c.authority = authority
	}
	listener, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	c.listener = listener
	c.wg.Go(func() { c.served = c.server.Serve(listener) })
	return c, nil
}

// Addr is where the catcher listens, as HOST:PORT.
func (c *Catcher) Addr() string { return c.listener.Addr().String() }

// Mails hands over each message once, in the order they came.
func (c *Catcher) Mails() <-chan Mail { return c.mails }

// Authority is the PEM certificate that signs the server's own, for the sender
// to trust; nil without Options.TLS.
func (c *Catcher) Authority() []byte { return c.authority }

// Close stops the catcher and breaks its connections. Messages not yet read
// stay in Mails.
func (c *Catcher) Close() error {
	err := c.server.Close()
	// The server knows its listener only once it serves.
	_ = c.listener.Close()
	c.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if c.served != nil && !errors.Is(c.served, net.ErrClosed) {
		err = errors.Join(err, fmt.Errorf("serve mail: %w", c.served))
	}
	return err
}

// session is one connection's messages.
type session struct {
	catcher *Catcher
	conn    *smtp.Conn
	login   string
	from    string
	to      []string
}

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string {
	if s.catcher.opts.Username == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements smtp.AuthSession.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != s.catcher.opts.Username || password != s.catcher.opts.Password {
			return smtp.ErrAuthFailed
		}
		s.login = username
		return nil
	}), nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.catcher.opts.Username != "" && s.login == "" {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session.
func (s *session) Data(r io.Reader) error {
	m, err := Decode(r)
	if err != nil {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: err.Error()}
	}
	m.From, m.To, m.Login, m.Received = s.from, s.to, s.login, time.Now()
	_, m.TLS = s.conn.TLSConnectionState()
	select {
	case s.catcher.mails <- m:
		return nil
	default:
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "Nobody reads the messages caught so far"}
	}
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }
