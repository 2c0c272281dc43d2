package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// certificate makes a self-signed certificate for localhost and returns it
// with the paths of its files.
func certificate(t *testing.T, dir string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		DNSNames:              []string{"localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
	certFile = write(t, dir, "cert.pem", string(certPEM))
	keyFile = write(t, dir, "key.pem", string(keyPEM))
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return cert, certFile, keyFile
}

// letter is one mail that arrived.
type letter struct {
	at       time.Time
	from, to string
	subject  string
	text     string
}

// mailbox is an SMTP server that insists on STARTTLS and on a log-in.
type mailbox struct {
	port     string
	certFile string

	mu      sync.Mutex
	letters []letter
	refuse  bool
}

const mailUser, mailPassword = "alertmanager", "s3cret-of-the-mailbox"

func startMailbox(t *testing.T) *mailbox {
	t.Helper()
	cert, certFile, _ := certificate(t, filepath.Join(t.TempDir(), "mail"))
	m := &mailbox{certFile: certFile}
	srv := smtp.NewServer(m)
	srv.Domain = "localhost"
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	srv.ReadTimeout, srv.WriteTimeout = 10*time.Second, 10*time.Second
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, m.port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return m
}

// NewSession implements smtp.Backend.
func (m *mailbox) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{box: m, conn: c}, nil
}

type session struct {
	box      *mailbox
	conn     *smtp.Conn
	loggedIn bool
	from, to string
}

func (*session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if _, ok := s.conn.TLSConnectionState(); !ok {
			return errors.New("log in after STARTTLS only")
		}
		if user != mailUser || password != mailPassword {
			return errors.New("wrong user or password")
		}
		s.loggedIn = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if !s.loggedIn {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	s.box.mu.Lock()
	refuse := s.box.refuse
	s.box.mu.Unlock()
	if refuse {
		return &smtp.SMTPError{Code: 451, Message: "come back later"}
	}
	msg, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	if err != nil {
		return err
	}
	text, err := plain(msg)
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.letters = append(s.box.letters, letter{at: time.Now(), from: s.from, to: s.to, subject: subject, text: text})
	return nil
}

func (*session) Reset()        {}
func (*session) Logout() error { return nil }

// plain is all the text of a mail, decoded.
func plain(msg *mail.Message) (string, error) {
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for parts := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return html.UnescapeString(out.String()), nil
		}
		if err != nil {
			return "", err
		}
		var r io.Reader = p
		if strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			r = quotedprintable.NewReader(p)
		}
		if _, err := io.Copy(&out, r); err != nil {
			return "", err
		}
	}
}

func (m *mailbox) all() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.letters...)
}

func (m *mailbox) setRefuse(refuse bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
}

// wait returns the first mail from the n-th on whose subject and text hold all
// the words.
func (m *mailbox) wait(t *testing.T, from int, within time.Duration, words ...string) letter {
	t.Helper()
	var found letter
	eventually(t, within, func() error {
		all := m.all()
	next:
		for _, l := range all[min(from, len(all)):] {
			for _, w := range words {
				if !strings.Contains(l.subject+"\n"+l.text, w) {
					continue next
				}
			}
			found = l
			return nil
		}
		return fmt.Errorf("no mail with %q among %d", words, len(all))
	})
	return found
}
