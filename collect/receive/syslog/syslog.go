// Package syslog receives syslog messages over UDP, TCP and TLS, in the formats of RFC 5424 and RFC 3164.
//
// It frames and parses. What becomes of a message's fields, and where it goes, is its user's business.
package syslog

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	syslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/rfc3164"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

// Message is a received message.
type Message struct {
	// Labels are the fields of the message and of its connection, under Promtail's names: __syslog_message_hostname,
	// __syslog_message_app_name, __syslog_message_severity and so on.
	Labels map[string]string
	// Time is when the sender says that the message was made; zero if it does not say.
	Time time.Time
	Line string
}

// Options configures a Server.
type Options struct {
	// Network is tcp or udp, Address where to listen.
	Network, Address string
	// RFC3164 says that messages are in the older format instead of RFC 5424's.
	RFC3164 bool
	// TLS, if set, is spoken on TCP.
	TLS *tls.Config
	// IdleTimeout ends connections on which nothing comes. Default 2 minutes.
	IdleTimeout time.Duration
	// MaxMessage is the greatest length of a message in bytes; more is cut. Default 8192.
	MaxMessage int
	// StructuredData makes labels of the message's structured data.
	StructuredData bool
	// Whole makes the whole message the line, not only its text.
	Whole bool
	// AllowEmpty keeps messages without a text.
	AllowEmpty bool
	// Handle is given messages in the order in which they came on a connection. While it does not return, the connection
	// is not read.
	Handle func(ctx context.Context, messages []Message)
	// Broken, if set, is told of what could not be read as a message.
	Broken func(err error)
	Logger *slog.Logger
	// Now is the clock, by which RFC 3164's times get their year. Default time.Now.
	Now func() time.Time
}

// Server listens until Close.
type Server struct {
	o        Options
	listener net.Listener
	packets  net.PacketConn
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
}

// maxBatch is how many messages are handed over at once.
const maxBatch = 512

// Listen begins to receive.
func Listen(o Options) (*Server, error) {
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 2 * time.Minute
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 8192
	}
	if o.Broken == nil {
		o.Broken = func(error) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{o: o}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	switch o.Network {
	case "tcp":
		if s.listener, err = net.Listen("tcp", o.Address); err == nil && o.TLS != nil {
			s.listener = tls.NewListener(s.listener, o.TLS)
		}
	case "udp":
		s.packets, err = net.ListenPacket("udp", o.Address)
	default:
		err = fmt.Errorf("network %q is neither tcp nor udp", o.Network)
	}
	if err != nil {
		s.cancel()
		return nil, fmt.Errorf("listen for syslog: %w", err)
	}
	if s.listener != nil {
		s.wg.Go(s.accept)
	} else {
		s.wg.Go(s.receive)
	}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr {
	if s.listener != nil {
		return s.listener.Addr()
	}
	return s.packets.LocalAddr()
}

// Close stops listening and waits for messages that are being handled.
func (s *Server) Close() error {
	s.cancel()
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	} else {
		err = s.packets.Close()
	}
	s.wg.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.o.Broken(fmt.Errorf("accept syslog connection: %w", err))
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c net.Conn) {
	stop := context.AfterFunc(s.ctx, func() { _ = c.Close() })
	defer func() {
		stop()
		_ = c.Close()
	}()
	peer := address(c.RemoteAddr())
	parse := s.parser()
	r := bufio.NewReaderSize(c, 64<<10)
	var batch []Message
	for {
		if err := c.SetReadDeadline(s.o.Now().Add(s.o.IdleTimeout)); err != nil {
			return
		}
		frame, err := readFrame(r, s.o.MaxMessage)
		if len(frame) > 0 {
			if m, ok := s.message(parse, frame, peer); ok {
				batch = append(batch, m)
			}
		}
		if len(batch) > 0 && (err != nil || len(batch) >= maxBatch || r.Buffered() == 0) {
			s.o.Handle(s.ctx, batch)
			batch = nil
		}
		if err != nil {
			var timeout net.Error
			if !errors.Is(err, io.EOF) && s.ctx.Err() == nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
				s.o.Broken(fmt.Errorf("syslog connection of %s: %w", peer, err))
			}
			return
		}
	}
}

// readFrame reads one message: one that begins with its length (RFC 6587's octet counting), or a line. Of a message that
// is too long it returns the beginning.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	first, err := r.ReadByte()
	for err == nil && (first == '\n' || first == '\r' || first == 0) {
		first, err = r.ReadByte()
	}
	if err != nil {
		return nil, err
	}
	if first >= '1' && first <= '9' {
		return readCounted(r, first, limit)
	}
	out := []byte{first}
	for {
		part, err := r.ReadSlice('\n')
		out = append(out, part[:min(len(part), max(0, limit-len(out)))]...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return []byte(strings.TrimRight(string(out), "\r\n\x00")), err
	}
}

func readCounted(r *bufio.Reader, first byte, limit int) ([]byte, error) {
	digits := []byte{first}
	for {
		c, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		if c == ' ' {
			break
		}
		if c < '0' || c > '9' || len(digits) > 8 {
			return nil, fmt.Errorf("message begins with %q, which is neither a length nor a priority", append(digits, c))
		}
		digits = append(digits, c)
	}
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return nil, fmt.Errorf("length of message: %w", err)
	}
	out := make([]byte, min(n, limit))
	if _, err := io.ReadFull(r, out); err != nil {
		return nil, err
	}
	_, err = r.Discard(n - len(out))
	return out, err
}

// receive reads datagrams.
func (s *Server) receive() {
	parse := s.parser()
	buf := make([]byte, 64<<10)
	messages := make(chan Message, 4*maxBatch)
	s.wg.Go(func() {
		for m := range messages {
			batch := []Message{m}
			for more := true; more && len(batch) < maxBatch; {
				select {
				case next, ok := <-messages:
					if more = ok; ok {
						batch = append(batch, next)
					}
				default:
					more = false
				}
			}
			s.o.Handle(s.ctx, batch)
		}
	})
	defer close(messages)
	for {
		n, from, err := s.packets.ReadFrom(buf)
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.o.Broken(fmt.Errorf("receive syslog datagram: %w", err))
			continue
		}
		frame := []byte(strings.TrimRight(string(buf[:min(n, s.o.MaxMessage)]), "\r\n\x00"))
		if m, ok := s.message(parse, frame, address(from)); ok {
			select {
			case messages <- m:
			case <-s.ctx.Done():
				return
			}
		}
	}
}

func address(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func (s *Server) parser() syslog.Machine {
	if s.o.RFC3164 {
		return rfc3164.NewParser(rfc3164.WithBestEffort(), rfc3164.WithRFC3339(), rfc3164.WithYear(rfc3164.CurrentYear{}))
	}
	return rfc5424.NewParser(rfc5424.WithBestEffort())
}

// message parses a message; false for one that is none or has no text.
func (s *Server) message(parse syslog.Machine, frame []byte, peer string) (Message, bool) {
	parsed, err := parse.Parse(frame)
	if parsed == nil || !parsed.Valid() {
		if err == nil {
			err = errors.New("no priority")
		}
		s.o.Broken(fmt.Errorf("syslog message of %s is not in the expected format: %w: %.80q", peer, err, frame))
		return Message{}, false
	}
	m := Message{Labels: map[string]string{}}
	set := func(name string, v *string) {
		if v != nil && *v != "" {
			m.Labels[name] = *v
		}
	}
	set("__syslog_connection_ip_address", &peer)
	set("__syslog_message_severity", parsed.SeverityLevel())
	set("__syslog_message_facility", parsed.FacilityLevel())
	var base *syslog.Base
	switch x := parsed.(type) {
	case *rfc5424.SyslogMessage:
		base = &x.Base
		if s.o.StructuredData && x.StructuredData != nil {
			for id, params := range *x.StructuredData {
				for name, v := range params {
					set("__syslog_message_sd_"+strings.ReplaceAll(id, "@", "_")+"_"+name, &v)
				}
			}
		}
	case *rfc3164.SyslogMessage:
		base = &x.Base
	default:
		return Message{}, false
	}
	set("__syslog_message_hostname", base.Hostname)
	set("__syslog_message_app_name", base.Appname)
	set("__syslog_message_proc_id", base.ProcID)
	set("__syslog_message_msg_id", base.MsgID)
	if base.Timestamp != nil {
		m.Time = *base.Timestamp
		if now := s.o.Now(); s.o.RFC3164 && m.Time.After(now.Add(7*24*time.Hour)) {
			m.Time = m.Time.AddDate(-1, 0, 0) // Written in December, read in January.
		}
	}
	if base.Message != nil {
		m.Line = strings.TrimRight(*base.Message, "\r\n")
	}
	if s.o.Whole {
		m.Line = string(frame)
	}
	return m, m.Line != "" || s.o.AllowEmpty
}
