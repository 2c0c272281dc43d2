package mail

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T, opts Options) *Catcher {
	t.Helper()
	c, err := Listen(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func receive(t *testing.T, c *Catcher) Mail {
	t.Helper()
	select {
	case m := <-c.Mails():
		return m
	case <-time.After(10 * time.Second):
		t.Fatal("no mail came")
		return Mail{}
	}
}

func TestTakesAMail(t *testing.T) {
	c := listen(t, Options{})
	before := time.Now()
	require.NoError(t, smtp.SendMail(c.Addr(), nil, "from@example.com", []string{"a@example.com", "b@example.com"},
		[]byte("Subject: hello\r\n\r\nwords\r\n")))
	m := receive(t, c)
	require.Equal(t, "from@example.com", m.From)
	require.Equal(t, []string{"a@example.com", "b@example.com"}, m.To)
	require.Equal(t, "hello", m.Subject)
	require.Equal(t, "words\n", m.Text)
	require.False(t, m.TLS)
	require.WithinRange(t, m.Received, before, time.Now())
}

func TestDemandsLoginUnderTLS(t *testing.T) {
	c := listen(t, Options{TLS: true, Username: "alertmanager", Password: "password"})
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(c.Authority()))

	send := func(auth smtp.Auth) error {
		client, err := smtp.Dial(c.Addr())
		require.NoError(t, err)
		defer func() { _ = client.Close() }()
		if auth != nil {
			require.NoError(t, client.StartTLS(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
			if err := client.Auth(auth); err != nil {
				return err
			}
		}
		if err := client.Mail("a@example.com"); err != nil {
			return err
		}
		require.NoError(t, client.Rcpt("b@example.com"))
		w, err := client.Data()
		require.NoError(t, err)
		_, err = fmt.Fprint(w, "Subject: s\r\n\r\nt")
		require.NoError(t, err)
		return w.Close()
	}
	code := func(err error) int {
		var answer *textproto.Error
		require.ErrorAs(t, err, &answer)
		return answer.Code
	}
	require.Equal(t, 502, code(send(nil)))
	require.Equal(t, 535, code(send(smtp.PlainAuth("", "alertmanager", "wrong", "127.0.0.1"))))
	require.NoError(t, send(smtp.PlainAuth("", "alertmanager", "password", "127.0.0.1")))
	m := receive(t, c)
	require.True(t, m.TLS)
	require.Equal(t, "alertmanager", m.Login)
}

func TestRefusesWhatNobodyReads(t *testing.T) {
	c := listen(t, Options{Queue: 1})
	send := func(text string) error {
		return smtp.SendMail(c.Addr(), nil, "a@example.com", []string{"b@example.com"}, []byte("Subject: "+text+"\r\n\r\n"))
	}
	require.NoError(t, send("first"))
	var answer *textproto.Error
	require.ErrorAs(t, send("second"), &answer)
	require.Equal(t, 452, answer.Code, "a temporary error, so that the sender tries again")
	require.Equal(t, "first", receive(t, c).Subject)
	require.NoError(t, send("third"))
	require.Equal(t, "third", receive(t, c).Subject)
}

func TestRefusesWhatIsNoMessage(t *testing.T) {
	c := listen(t, Options{})
	err := smtp.SendMail(c.Addr(), nil, "a@example.com", []string{"b@example.com"}, []byte("no header\r\n"))
	var answer *textproto.Error
	require.ErrorAs(t, err, &answer)
	require.Equal(t, 554, answer.Code)
}

func TestCloseBreaksConnections(t *testing.T) {
	c, err := Listen(Options{})
	require.NoError(t, err)
	conn, err := net.Dial("tcp", c.Addr())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, c.Close())
	_, err = net.DialTimeout("tcp", c.Addr(), time.Second)
	require.Error(t, err)
	_, err = Listen(Options{Listen: "127.0.0.1:none"})
	require.Error(t, err)
	// At once, before it serves.
	for range 20 {
		c, err := Listen(Options{})
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
}

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name    string
		message string
		want    Mail
	}{
		{
			"plain", "From: a@example.com\nTo: b@example.com\nSubject: s\n\nline 1\nline 2\n",
			Mail{From: "a@example.com", To: []string{"b@example.com"}, Subject: "s", Text: "line 1\nline 2\n"},
		},
		{
			"encoded subject in two words",
			"Subject: =?utf-8?q?[FIRING:1]_=E5=BB=B6?= =?utf-8?q?=E8=BF=9F?=\n\n",
			Mail{Subject: "[FIRING:1] 延迟"},
		},
		{"unknown charset", "Subject: =?klingon?q?x?=\n\n", Mail{Subject: "=?klingon?q?x?="}},
		{
			"quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\nlong=\n line =3D =E5=BB=B6\n",
			Mail{Text: "long line = 延\n"},
		},
		{"base64", "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: BASE64\n\n5bu2\n6L+f\n", Mail{Text: "延迟"}},
		{
			"both parts", "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n" +
				"Content-Transfer-Encoding: quoted-printable\n\npl=61in\n--b\nContent-Type: text/html\n\n<p>rich</p>\n--b--\n",
			Mail{Text: "plain", HTML: "<p>rich</p>"},
		},
		{
			"HTML alone, nested, beside an attachment",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\nContent-Disposition: attachment; filename=x\n\nnot this\n" +
				"--b\nContent-Type: multipart/related; boundary=c\n\n--c\nContent-Type: text/html\n\n" +
				"<html><head><title>T</title><style>p{}</style></head><body><p>1 &lt; 2 <b>bold</b>\n text</p><table><tr><td>a</td></tr></table>" +
				"see <a href=\"http://x/\">here</a><br>end</body></html>\n--c--\n--b--\n",
			Mail{
				Text: "1 < 2 bold text\na\nsee here <http://x/>\nend",
				HTML: "<html><head><title>T</title><style>p{}</style></head><body><p>1 &lt; 2 <b>bold</b>\n text</p><table><tr><td>a</td></tr></table>" +
					"see <a href=\"http://x/\">here</a><br>end</body></html>",
			},
		},
		{"broken content type", "Content-Type: ///\n\nx\xff\n", Mail{Text: "x�\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decode(strings.NewReader(test.message))
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for want, message := range map[string]string{
		"read message":               "no header",
		"read part of message":       "Content-Type: multipart/mixed; boundary=b\n\n--b\nno header\n\n--b--",
		"read text/plain part":       "Content-Transfer-Encoding: base64\n\n!!!\n",
		"parts nested more than 10 ": nested(20),
	} {
		_, err := Decode(strings.NewReader(message))
		require.ErrorContains(t, err, want, "%q", message)
	}
}

func nested(depth int) string {
	message := ""
	for i := range depth {
		message += fmt.Sprintf("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	return message + "\nx\n"
}

func FuzzDecode(f *testing.F) {
	f.Add("Subject: =?utf-8?q?x?=\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>x\n--b--\n")
	f.Add("Content-Transfer-Encoding: base64\n\n5bu2\n")
	f.Fuzz(func(t *testing.T, message string) {
		m, err := Decode(strings.NewReader(message))
		if err != nil {
			return
		}
		for _, text := range []string{m.Subject, m.Text, m.HTML} {
			if strings.ToValidUTF8(text, "") != text {
				t.Fatalf("not UTF-8: %q", text)
			}
		}
	})
}
