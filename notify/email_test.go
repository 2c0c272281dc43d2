package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log" //nolint:depguard // The SMTP server wants one.
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// letter is a mail that the server took.
type letter struct {
	from, user, mechanism, subject, text, html string
	to                                         []string
	encrypted                                  bool
}

// postOffice is an SMTP server with STARTTLS that demands a login.
type postOffice struct {
	addr, caFile string
	mechanisms   []string
	letters      chan letter
}

func newPostOffice(t *testing.T, mechanisms ...string) *postOffice {
	t.Helper()
	cert, caFile := certificate(t)
	p := &postOffice{caFile: caFile, mechanisms: mechanisms, letters: make(chan letter, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.addr = l.Addr().String()
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{office: p, conn: c}, nil
	}))
	s.Domain = "mail.example"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	s.ErrorLog = log.New(io.Discard, "", 0) // Clients that leave without QUIT.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	return p
}

// certificate makes a certificate for 127.0.0.1 and a file with it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
	letter letter
}

func (s *session) AuthMechanisms() []string { return s.office.mechanisms }

func (s *session) login(mechanism, user, password string) error {
	if user != "alertmanager" || password != "password" {
		return smtp.ErrAuthFailed
	}
	s.letter.user, s.letter.mechanism = user, mechanism
	return nil
}

func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return s.login(mechanism, user, password) }), nil
	case sasl.Login:
		return &loginServer{login: func(user, password string) error { return s.login(mechanism, user, password) }}, nil
	default:
		return nil, smtp.ErrAuthUnknownMechanism
	}
}

// loginServer is the server's side of AUTH LOGIN.
type loginServer struct {
	asked int
	user  string
	login func(user, password string) error
}

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	s.asked++
	switch {
	case s.asked == 1 && len(response) == 0:
		return []byte("Username:"), false, nil
	case s.user == "":
		s.user = string(response)
		return []byte("Password:"), false, nil
	default:
		return nil, true, s.login(s.user, string(response))
	}
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.letter.user == "" {
		return smtp.ErrAuthRequired
	}
	s.letter.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = append(s.letter.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	l := s.letter
	_, l.encrypted = s.conn.TLSConnectionState()
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(part)
		if err != nil {
			return err
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			l.html = string(body)
		} else {
			l.text = string(body)
		}
	}
	s.office.letters <- l
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (p *postOffice) next(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-p.letters:
		return l
	case <-time.After(10 * time.Second):
		require.FailNow(t, "no mail came")
		return letter{}
	}
}

// The seed's configuration, with host and port of a mail server that is there, no
// waiting, and the certificate that it can be known by.
func seedWith(t *testing.T, p *postOffice) string {
	t.Helper()
	data, err := os.ReadFile("testdata/alertmanager.yml")
	require.NoError(t, err)
	return strings.NewReplacer(
		"smtp.example.com:587", p.addr, "group_wait: 30s", "group_wait: 0s", "group_interval: 5m", "group_interval: 100ms",
		"auth_password: 'password'", "auth_password: 'password'\n        send_resolved: true\n        text: '{{ range .Alerts }}{{ .Annotations.summary }}{{ end }}'\n        tls_config: {ca_file: "+p.caFile+"}",
	).Replace(string(data))
}

func TestMail(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{sasl.Plain, sasl.Login} {
		t.Run(mechanism, func(t *testing.T) {
			p := newPostOffice(t, mechanism)
			m := start(t, testOptions(t, seedWith(t, p)))
			a := firing("alertname", "HighLatency", "service", "ranker", "instance", "1", "severity", "critical")
			sent := time.Now()
			m.Send(a)
			l := p.next(t)
			t.Logf("from Send to the mail: %s", time.Since(sent))
			require.Equal(t, "alertmanager@example.com", l.from)
			require.Equal(t, []string{"admin@example.com"}, l.to)
			require.Equal(t, "[FIRING:1] HighLatency ranker (1 critical)", l.subject)
			require.Equal(t, "something is wrong", strings.TrimSpace(l.text))
			require.Contains(t, l.html, "http://modelwatch.example:9090")
			require.True(t, l.encrypted)
			require.Equal(t, mechanism, l.mechanism)
			m.Send(resolved(a))
			require.Equal(t, "[RESOLVED] HighLatency ranker (1 critical)", p.next(t).subject)
			eventually(t, "it is recorded", func() bool { return newest(t, m).Resolved == 1 && newest(t, m).Status == Sent })
		})
	}
}

func TestMailThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, old, new, want string
	}{
		{"unknown certificate", "tls_config: {ca_file:", "tls_config: {server_name: 127.0.0.1} #", "certificate signed by unknown authority"},
		{"wrong password", "auth_password: 'password'", "auth_password: 'swordfish'", "Authentication failed"},
		{"no such file", "tls_config: {ca_file: ", "tls_config: {ca_file: /no/such", "unable to read CA cert"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPostOffice(t, sasl.Plain)
			m := start(t, testOptions(t, strings.Replace(seedWith(t, p), tc.old, tc.new, 1)))
			m.Send(firing("alertname", "HighLatency", "service", "ranker"))
			eventually(t, "the failure is shown", func() bool { return newest(t, m).Attempts > 0 })
			require.Contains(t, newest(t, m).Error, tc.want)
			require.NotContains(t, newest(t, m).Error, "swordfish")
			require.Empty(t, p.letters)
		})
	}
}

// A server without STARTTLS is not told the password.
func TestMailDemandsTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{office: &postOffice{}, conn: c}, nil }))
	s.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	defer func() {
		_ = s.Close()
		<-done
	}()
	m := start(t, testOptions(t, seedWith(t, &postOffice{addr: l.Addr().String(), caFile: "unused"})))
	m.Send(firing("alertname", "HighLatency", "service", "ranker"))
	eventually(t, "the failure is shown", func() bool { return newest(t, m).Attempts > 0 })
	require.Contains(t, newest(t, m).Error, "does not advertise the STARTTLS extension")
}
