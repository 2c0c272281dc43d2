package syslog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type kept struct {
	mu     sync.Mutex
	lines  []string
	broken []string
}

func (k *kept) handle(_ context.Context, messages []Message) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, m := range messages {
		var ls []string
		for name, v := range m.Labels {
			ls = append(ls, strings.TrimPrefix(name, "__syslog_")+"="+v)
		}
		sort.Strings(ls)
		at := "-"
		if !m.Time.IsZero() {
			at = m.Time.UTC().Format(time.RFC3339)
		}
		k.lines = append(k.lines, fmt.Sprintf("%s %q %s", at, m.Line, strings.Join(ls, " ")))
	}
}

func (k *kept) wait(t *testing.T, want ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		k.mu.Lock()
		defer k.mu.Unlock()
		require.Equal(c, want, k.lines, "broken: %v", k.broken)
	}, 5*time.Second, 5*time.Millisecond)
}

func listen(t *testing.T, o Options) (*Server, *kept) {
	t.Helper()
	k := &kept{}
	o.Address, o.Handle = "127.0.0.1:0", k.handle
	o.Broken = func(err error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.broken = append(k.broken, err.Error())
	}
	o.Now = func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }
	if o.Network == "tcp" {
		o.Now = time.Now
	}
	s, err := Listen(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, k
}

const (
	one = `<165>1 2026-11-22T09:59:00.003Z host1 app 77 ID47 [ex@32473 iut="3" src="x"] An event`
	two = `<34>1 2026-11-22T09:59:01Z - - - - - another`
)

const oneLabels = "connection_ip_address=127.0.0.1 message_app_name=app message_facility=local4 message_hostname=host1 message_msg_id=ID47 message_proc_id=77 message_severity=notice"

func TestTCP(t *testing.T) {
	s, k := listen(t, Options{Network: "tcp"})
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	_, err = fmt.Fprintf(c, "%s\n%d %s%s\r\n", one, len(two), two, two)
	require.NoError(t, err)
	wanted := `2026-11-22T09:59:01Z "another" connection_ip_address=127.0.0.1 message_facility=auth message_severity=critical`
	k.wait(t, `2026-11-22T09:59:00Z "An event" `+oneLabels, wanted, wanted)
	_, err = fmt.Fprint(c, "nonsense\n"+two+"\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { k.mu.Lock(); defer k.mu.Unlock(); return len(k.lines) == 4 && len(k.broken) == 1 }, 5*time.Second, 5*time.Millisecond)
	require.Contains(t, k.broken[0], "not in the expected format")
}

func TestStructuredDataWholeAndTooLong(t *testing.T) {
	s, k := listen(t, Options{Network: "tcp", StructuredData: true, Whole: true, MaxMessage: len(one)})
	c, err := net.Dial("tcp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	long := one + strings.Repeat("x", 200_000)
	_, err = fmt.Fprintf(c, "%s\n%d %s", long, len(long), long)
	require.NoError(t, err)
	ls := strings.Replace(oneLabels, "message_severity", "message_sd_ex_32473_iut=3 message_sd_ex_32473_src=x message_severity", 1)
	want := fmt.Sprintf("2026-11-22T09:59:00Z %q %s", one, ls)
	k.wait(t, want, want)
}

func TestUDP(t *testing.T) {
	s, k := listen(t, Options{Network: "udp", RFC3164: true})
	c, err := net.Dial("udp", s.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	for _, m := range []string{"<13>Nov 22 09:58:00 host2 prog[42]: hello", "<13>Dec 24 09:58:00 host2 prog: last year\n", "<13>2026-11-22T09:00:00Z host3 prog: rfc"} {
		_, err = io.WriteString(c, m)
		require.NoError(t, err)
		time.Sleep(20 * time.Millisecond)
	}
	require.Eventually(t, func() bool { k.mu.Lock(); defer k.mu.Unlock(); return len(k.lines) == 3 }, 5*time.Second, 5*time.Millisecond, "%v", k.broken)
	require.Contains(t, k.lines[0], `-11-22T09:58:00Z "hello" connection_ip_address=127.0.0.1 message_app_name=prog message_facility=user message_hostname=host2 message_proc_id=42 message_severity=notice`)
	require.Contains(t, k.lines[2], `2026-11-22T09:00:00Z "rfc"`)
}

func TestTLS(t *testing.T) {
	borrowed := httptest.NewTLSServer(nil)
	defer borrowed.Close()
	s, k := listen(t, Options{Network: "tcp", TLS: &tls.Config{Certificates: borrowed.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // A test.
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, one+"\n")
	require.NoError(t, err)
	k.wait(t, `2026-11-22T09:59:00Z "An event" `+oneLabels)
}

func TestListenErrors(t *testing.T) {
	_, err := Listen(Options{Network: "sctp"})
	require.ErrorContains(t, err, `"sctp" is neither`)
	_, err = Listen(Options{Network: "tcp", Address: "256.0.0.1:0"})
	require.Error(t, err)
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(one+"\n12 <1>1 - - - -\n"), 100)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit = max(1, min(limit, 1<<16))
		r := bufio.NewReader(bytes.NewReader(b))
		s := &Server{o: Options{Broken: func(error) {}, Now: time.Now}}
		parse := s.parser()
		for range 1000 {
			frame, err := readFrame(r, limit)
			require.LessOrEqual(t, len(frame), limit)
			if len(frame) > 0 {
				s.message(parse, slices.Clone(frame), "peer")
			}
			if err != nil {
				require.True(t, err != nil || errors.Is(err, io.EOF))
				return
			}
		}
	})
}
