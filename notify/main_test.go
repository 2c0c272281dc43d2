package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/rules"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// A Manager takes alerts from the rule manager as it is.
var _ rules.Sender = (*Manager)(nil)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// A peer that leaves the cluster does not shut memberlist down, and
		// Alertmanager's cluster package offers no way to.
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).streamListen"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).packetListen"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).packetHandler"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).checkBroadcastQueueDepth"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).triggerFunc"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).pushPullTrigger"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*NetTransport).tcpListen"),
		goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*NetTransport).udpListen"),
	)
}

// testOptions returns options that write to a directory of the test, which is
// told the log if it fails.
func testOptions(t *testing.T, cfg string) Options {
	t.Helper()
	opts := DefaultOptions()
	opts.Config = Source{Data: []byte(cfg)}
	opts.DataDir = t.TempDir()
	opts.Registerer = prometheus.NewRegistry()
	opts.Logger = slog.New(slog.NewTextHandler(&testLog{t: t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	opts.ExternalURL = &url.URL{Scheme: "http", Host: "modelwatch.example:9090"}
	return opts
}

// testLog writes to the log of a test while it runs.
type testLog struct {
	mu   sync.Mutex
	t    *testing.T
	over bool
	text bytes.Buffer
}

func (l *testLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.over {
		if l.text.Len() == 0 {
			l.t.Cleanup(func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.over = true
				if l.t.Failed() {
					l.t.Log(l.text.String())
				}
			})
		}
		l.text.Write(b)
	}
	return len(b), nil
}

// start starts a manager and stops it when the test ends.
func start(t *testing.T, opts Options) *Manager {
	t.Helper()
	m, err := New(opts)
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, m) })
	return m
}

func stop(t *testing.T, m *Manager) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, m.Stop(ctx))
}

// firing returns an alert that fires; the labels come in pairs.
func firing(pairs ...string) *notifier.Alert {
	return &notifier.Alert{
		Labels:       labels.FromStrings(pairs...),
		Annotations:  labels.FromStrings("summary", "something is wrong"),
		StartsAt:     time.Now(),
		EndsAt:       time.Now().Add(4 * time.Minute),
		GeneratorURL: "http://modelwatch.example:9090/graph?g0.expr=up",
	}
}

// resolved returns the same alert, over.
func resolved(a *notifier.Alert) *notifier.Alert {
	over := *a
	over.EndsAt = time.Now()
	return &over
}

// message is what a webhook is sent.
type message struct {
	Receiver    string            `json:"receiver"`
	Status      string            `json:"status"`
	GroupLabels map[string]string `json:"groupLabels"`
	Alerts      []struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		StartsAt    time.Time         `json:"startsAt"`
		EndsAt      time.Time         `json:"endsAt"`
	} `json:"alerts"`
	at time.Time
}

// names returns the names of the alerts in their order.
func (m message) names() string {
	var names []string
	for _, a := range m.Alerts {
		names = append(names, a.Labels["alertname"])
	}
	return strings.Join(names, ",")
}

// hook is a webhook that keeps what it is sent.
type hook struct {
	*httptest.Server

	got chan message
	// answer, if set, decides the status of a response.
	answer func(n int) int

	mu sync.Mutex
	n  int
}

func newHook(t *testing.T, answer func(n int) int) *hook {
	h := &hook{got: make(chan message, 1000), answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		h.mu.Lock()
		h.n++
		n := h.n
		h.mu.Unlock()
		if h.answer != nil {
			if status := h.answer(n); status != http.StatusOK {
				http.Error(w, "not now", status)
				return
			}
		}
		var m message
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		m.at = at
		h.got <- m
	}))
	t.Cleanup(h.Close)
	return h
}

// next returns the next message.
func (h *hook) next(t *testing.T) message {
	t.Helper()
	select {
	case m := <-h.got:
		return m
	case <-time.After(10 * time.Second):
		require.FailNow(t, "no notification came")
		return message{}
	}
}

// none checks that no message comes for a while.
func (h *hook) none(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case m := <-h.got:
		require.FailNowf(t, "a notification came", "%+v", m)
	case <-time.After(d):
	}
}

// quick is a configuration with one webhook and no waiting; more is added to its
// route.
func (h *hook) quick(more string) string {
	return fmt.Sprintf(`
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  group_interval: 100ms
  repeat_interval: 1h
%s
receivers:
  - name: hook
    webhook_configs:
      - url: %s/secret-path?token=secret-token
        send_resolved: true
`, more, h.URL)
}

// call makes a request to a handler and decodes the answer into out, if it is set.
func call(t *testing.T, h http.Handler, method, path, body string, out any) int {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, in)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if out != nil {
		require.NoErrorf(t, json.Unmarshal(w.Body.Bytes(), out), "%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Code
}

// silenceFor returns the body of a silence of an hour for one label.
func silenceFor(name, value string) string {
	now := time.Now()
	return fmt.Sprintf(`{"matchers":[{"name":%q,"value":%q,"isRegex":false,"isEqual":true}],"startsAt":%q,"endsAt":%q,"createdBy":"test","comment":"maintenance"}`,
		name, value, now.Format(time.RFC3339Nano), now.Add(time.Hour).Format(time.RFC3339Nano))
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 10*time.Second, 10*time.Millisecond, what)
}
