package mail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const maxDepth = 10 // multipart inside multipart

// Decode reads a message (RFC 5322) with its MIME parts (RFC 2045 to 2047):
// quoted-printable and base64, multipart to any use, encoded words in headers.
// Of several parts of one kind the first counts. From and To are of the header.
// Text is taken to be UTF-8; bytes that are not become U+FFFD.
func Decode(r io.Reader) (Mail, error) {
	message, err := netmail.ReadMessage(r)
	if err != nil {
		return Mail{}, fmt.Errorf("read message: %w", err)
	}
	var m Mail
	m.Subject = decodeHeader(message.Header.Get("Subject"))
	m.From = decodeHeader(message.Header.Get("From"))
	if to := decodeHeader(message.Header.Get("To")); to != "" {
		m.To = []string{to}
	}
	if err := m.part(textproto.MIMEHeader(message.Header), message.Body, 0); err != nil {
		return Mail{}, err
	}
	if m.Text == "" && m.HTML != "" {
		m.Text = textOf(m.HTML)
	}
	return m, nil
}

// decodeHeader gives a header's value as it was meant; an encoding that is not
// understood is shown as it came.
func decodeHeader(value string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return strings.ToValidUTF8(value, "�")
	}
	return strings.ToValidUTF8(decoded, "�")
}

// part reads one part and those inside it.
func (m *Mail) part(header textproto.MIMEHeader, body io.Reader, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("read message: parts nested more than %d deep", maxDepth)
	}
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain" // what RFC 2045 asks for, also where the header is broken
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("read part of message: %w", err)
			}
			if err := m.part(part.Header, part, depth+1); err != nil {
				return err
			}
		}
	}
	to := map[string]*string{"text/plain": &m.Text, "text/html": &m.HTML}[kind]
	if to == nil || *to != "" || strings.HasPrefix(header.Get("Content-Disposition"), "attachment") {
		return nil
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s part of message: %w", kind, err)
	}
	*to = strings.ToValidUTF8(strings.ReplaceAll(string(text), "\r\n", "\n"), "�")
	return nil
}

// textOf gives the words of an HTML page as lines: what a reader sees, with the
// addresses of its links.
func textOf(page string) string {
	var lines []string
	var line strings.Builder
	end := func() {
		if words := strings.Join(strings.Fields(line.String()), " "); words != "" {
			lines = append(lines, words)
		}
		line.Reset()
	}
	hidden := atom.Atom(0) // the element whose content nobody sees
	var link string
	tokens := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken { // the end: a string has no other error
			end()
			return strings.Join(lines, "\n")
		}
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			if hidden == 0 {
				line.WriteString(token.Data)
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			switch token.DataAtom {
			case atom.Style, atom.Script, atom.Title:
				if kind == html.StartTagToken {
					hidden = token.DataAtom
				}
			case atom.A:
				link = ""
				for _, a := range token.Attr {
					if a.Key == "href" {
						link = a.Val
					}
				}
			}
			if isBlock(token.DataAtom) {
				end()
			}
		case html.EndTagToken:
			switch {
			case token.DataAtom == hidden:
				hidden = 0
			case token.DataAtom == atom.A && link != "":
				line.WriteString(" <" + link + ">")
				link = ""
			}
			if isBlock(token.DataAtom) {
				end()
			}
		}
	}
}

func isBlock(a atom.Atom) bool {
	switch a {
	case atom.Br, atom.P, atom.Div, atom.Table, atom.Tr, atom.Td, atom.Th, atom.Li, atom.Ul, atom.Ol, atom.Hr,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Pre, atom.Body:
		return true
	}
	return false
}
