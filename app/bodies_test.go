package app

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who sends all before it listens still hears that it was refused.
func TestRefusedSendersHearTheAnswer(t *testing.T) {
	t.Parallel()
	const limit = 24 << 20
	busy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "overloaded", http.StatusTooManyRequests)
	})
	srv := httptest.NewServer(boundBodies(busy, func(*http.Request) int64 { return limit }))
	t.Cleanup(srv.Close)
	for size, want := range map[int]string{limit: "429 Too Many Requests", limit + 8<<20: "413 Request Entity Too Large"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
		require.NoError(t, err)
		chunk := make([]byte, 1<<20)
		for sent := 0; sent < size; sent += len(chunk) {
			_, err = conn.Write(chunk)
			require.NoError(t, err, "after %d bytes", sent)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, want, resp.Status)
	}
}
