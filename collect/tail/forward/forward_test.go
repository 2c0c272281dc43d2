package forward

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// far is the other side: it answers with the statuses given, one a request, then with 204.
type far struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	requests []*http.Request
	bodies   []int
}

func newFar(t *testing.T, statuses ...int) *far {
	f := &far{statuses: statuses}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.requests = append(f.requests, r)
		f.bodies = append(f.bodies, len(body))
		status := http.StatusNoContent
		if n := len(f.requests) - 1; n < len(f.statuses) {
			status = f.statuses[n]
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "because")
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *far) seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

func open(t *testing.T, c Client, o Options) *Queue {
	t.Helper()
	c.MinBackoff, c.MaxBackoff = time.Millisecond, 4*time.Millisecond
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	q, err := Open(c, o)
	require.NoError(t, err)
	t.Cleanup(q.Close)
	return q
}

func streams(line string) []logs.Stream {
	return []logs.Stream{{Labels: labels.FromStrings("job", "x"), Entries: []logs.Entry{{Timestamp: 1, Line: line}}}}
}

func drained(t *testing.T, q *Queue) Status {
	t.Helper()
	require.Eventually(t, func() bool { return q.Status().Waiting == 0 }, 5*time.Second, time.Millisecond)
	return q.Status()
}

func TestRetryAndGiveUp(t *testing.T) {
	f := newFar(t, 503, 429, 500, 204, 400, 401, 204)
	q := open(t, Client{Name: "far", URL: f.URL}, Options{})
	for _, line := range []string{"retried", "refused for good", "after a wrong password was put right"} {
		require.NoError(t, q.Push(t.Context(), "", streams(line)))
	}
	s := drained(t, q)
	require.Equal(t, 7, f.seen())
	require.EqualValues(t, 2, s.Sent)
	require.EqualValues(t, 1, s.Dropped)
	require.EqualValues(t, 4, s.Retries)
	require.Zero(t, s.WaitingBytes)

	f = newFar(t, 429)
	q = open(t, Client{Name: "far", URL: f.URL, DropRateLimited: true}, Options{})
	require.NoError(t, q.Push(t.Context(), "", streams("x")))
	require.EqualValues(t, 1, drained(t, q).Dropped)
}

func TestCredentials(t *testing.T) {
	f := newFar(t)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	for i, c := range []struct {
		client      Client
		auth        string
		tenant, own string
	}{
		{Client{Username: "u", Password: "p", Tenant: "t"}, "Basic dTpw", "t", ""},
		{Client{Username: "u", PasswordFile: file, Tenant: "t"}, "Basic dTpzM2NyZXQ=", "other", "other"},
		{Client{BearerToken: "b"}, "Bearer b", "", ""},
		{Client{BearerTokenFile: file, Headers: map[string]string{"X-Scope-OrgID": "header"}}, "Bearer s3cret", "header", ""},
	} {
		c.client.URL = f.URL
		q := open(t, c.client, Options{})
		require.NoError(t, q.Push(t.Context(), c.own, streams("x")))
		drained(t, q)
		r := f.requests[i]
		require.Equal(t, c.auth, r.Header.Get("Authorization"))
		require.Equal(t, c.tenant, r.Header.Get("X-Scope-OrgID"))
		require.Equal(t, "application/x-protobuf", r.Header.Get("Content-Type"))
	}
	for _, c := range []Client{{CAFile: "/nosuch"}, {CAFile: file}, {CertFile: file, KeyFile: file}, {ProxyURL: "::"}} {
		_, err := Open(c, Options{Dir: t.TempDir()})
		require.Error(t, err)
	}
}

// TestFullQueueAndRestart waits while the queue is full, and sends after a restart what was left.
func TestFullQueueAndRestart(t *testing.T) {
	dir := t.TempDir()
	c := Client{Name: "far", URL: "http://127.0.0.1:1/"}
	q := open(t, c, Options{Dir: dir, MaxBytes: 200})
	n := 0
	for ; n < 100; n++ {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := q.Push(ctx, "", streams(fmt.Sprintf("line %d of the queue with some text", n)))
		cancel()
		if err != nil {
			require.ErrorContains(t, err, "wait for room in the queue to far")
			break
		}
	}
	require.Greater(t, n, 1)
	require.Less(t, n, 10)
	require.NotEmpty(t, q.Status().LastError)
	q.Close()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new"), []byte("unfinished"), 0o644))
	f := newFar(t)
	c.URL = f.URL
	q = open(t, c, Options{Dir: dir})
	require.EqualValues(t, n, drained(t, q).Sent)
	require.Equal(t, n, f.seen())
}
