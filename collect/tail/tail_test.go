package tail

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/collect/tail/forward"
	"github.com/modelwatch/modelwatch/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a store that keeps what it is given.
type kept struct {
	mu    sync.Mutex
	lines []string
	times []int64
	full  []string
	fail  error
}

func (k *kept) Append(_ context.Context, streams []logs.Stream) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	for _, st := range streams {
		for _, e := range st.Entries {
			k.lines = append(k.lines, e.Line)
			k.times = append(k.times, e.Timestamp)
			k.full = append(k.full, fmt.Sprintf("%s %q %s", st.Labels, e.Line, e.Metadata))
		}
	}
	return nil
}

func (k *kept) setFail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fail = err
}

func (k *kept) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.lines)
}

func (k *kept) wait(t *testing.T, want ...string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.Equal(c, want, k.all()) }, 10*time.Second, 10*time.Millisecond)
}

// world is a directory with logs and a manager over it.
type world struct {
	*testing.T
	dir  string
	k    *kept
	m    *Manager
	conf string
	o    Options
}

func newWorld(t *testing.T, conf string) *world {
	w := &world{T: t, dir: t.TempDir(), k: &kept{}, conf: conf}
	w.o = Options{Appender: w.k, Dir: filepath.Join(w.dir, "state"), Registerer: prometheus.NewRegistry(), quickDrain: true}
	w.start()
	return w
}

const plain = `
scrape_configs:
  - job_name: test
    static_configs:
      - targets: [localhost]
        labels:
          job: test
          __path__: DIR/*.log
`

func (w *world) start() {
	w.Helper()
	w.o.Registerer = prometheus.NewRegistry()
	var err error
	w.m, err = New(w.o)
	require.NoError(w, err)
	p, err := w.m.Prepare([]byte("target_config: {sync_period: 20ms}\n" + strings.ReplaceAll(w.conf, "DIR", w.dir)))
	require.NoError(w, err)
	require.NoError(w, w.m.Apply(p))
	w.Cleanup(w.m.Stop)
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.Helper()
	f, err := os.OpenFile(w.path(name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	require.NoError(w, err)
	_, err = f.WriteString(text)
	require.NoError(w, errors.Join(err, f.Close()))
}

func TestFollow(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\ntwo\r\n")
	w.k.wait(t, "one", "two")
	w.write("a.log", "thr")
	w.write("a.log", "ee\n\nfour\n")
	w.k.wait(t, "one", "two", "three", "", "four")
	require.Equal(t, fmt.Sprintf(`{filename=%q, job="test"} "one" {}`, w.path("a.log")), w.k.full[0])
	require.True(t, slices.IsSorted(w.k.times))
	require.Len(t, slices.Compact(slices.Clone(w.k.times)), 5, "no time is given twice")
	w.write("b.log", "other\n")
	w.k.wait(t, "one", "two", "three", "", "four", "other")
}

func TestPositions(t *testing.T) {
	w := newWorld(t, plain+"\npositions: {filename: DIR/pos/positions.yaml}\n")
	w.write("a.log", "one\ntwo\n")
	w.k.wait(t, "one", "two")
	w.m.Stop()
	text, err := os.ReadFile(w.path("pos/positions.yaml"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("positions:\n    %s: \"8\"\n", w.path("a.log")), string(text), "the file is Promtail's")
	w.write("a.log", "three\n")
	w.start()
	w.k.wait(t, "one", "two", "three")
	// Promtail's own file alone.
	w.m.Stop()
	require.NoError(t, os.Remove(w.path("pos/positions.yaml.files")))
	w.write("a.log", "four\n")
	w.start()
	w.k.wait(t, "one", "two", "three", "four")
}

func TestRotation(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\n")
	w.k.wait(t, "one")
	require.NoError(t, os.Rename(w.path("a.log"), w.path("a.log.1")))
	w.write("a.log.1", "late\n")
	w.write("a.log", "new\n")
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.ElementsMatch(c, []string{"one", "late", "new"}, w.k.all()) }, 5*time.Second, 10*time.Millisecond)
	require.NoError(t, os.Remove(w.path("a.log")))
	time.Sleep(300 * time.Millisecond)
	w.write("a.log", "again\n")
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.ElementsMatch(c, []string{"one", "late", "new", "again"}, w.k.all()) }, 5*time.Second, 10*time.Millisecond)
}

// TestRotationWhileDown loses no line of a file that was renamed while nobody looked.
func TestRotationWhileDown(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\n")
	w.k.wait(t, "one")
	w.m.Stop()
	w.write("a.log", "two\n")
	require.NoError(t, os.Rename(w.path("a.log"), w.path("a.log.1")))
	w.write("a.log", "three\n")
	w.start()
	require.EventuallyWithT(t, func(c *assert.CollectT) { require.ElementsMatch(c, []string{"one", "two", "three"}, w.k.all()) }, 5*time.Second, 10*time.Millisecond)
	for _, line := range w.k.full {
		require.Contains(t, line, fmt.Sprintf("filename=%q", w.path("a.log")), "lines keep the path under which they were written")
	}
}

func TestTruncation(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\ntwo\n")
	w.k.wait(t, "one", "two")
	require.NoError(t, os.Truncate(w.path("a.log"), 0))
	time.Sleep(300 * time.Millisecond)
	w.write("a.log", "x\n")
	w.k.wait(t, "one", "two", "x")
	// Truncated and already longer than before when it is looked at again.
	require.NoError(t, os.WriteFile(w.path("a.log"), []byte("a much longer text than before\n"), 0o644))
	w.k.wait(t, "one", "two", "x", "a much longer text than before")
}

func TestNoNewlineAtEnd(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\nunfinished")
	w.k.wait(t, "one", "unfinished")
	w.write("a.log", "\nnext\n")
	w.k.wait(t, "one", "unfinished", "", "next")
	w.write("a.log", "last words")
	require.NoError(t, os.Rename(w.path("a.log"), w.path("gone")))
	w.k.wait(t, "one", "unfinished", "", "next", "last words")
}

func TestLongLinesAndBadText(t *testing.T) {
	w := newWorld(t, plain+"\nlimits_config: {max_line_size: 1KB, max_line_size_truncate: true}\n")
	w.write("a.log", strings.Repeat("x", 5000)+"\n"+strings.Repeat("é", 2000)+"\nbad \xff\xfe text\n"+strings.Repeat("y", 1024)+"\n")
	w.k.wait(t, strings.Repeat("x", 1024), strings.Repeat("é", 512), "bad \uFFFD text", strings.Repeat("y", 1024))
	w2 := newWorld(t, plain+"\nlimits_config: {max_line_size: 1KB}\n")
	w2.write("a.log", strings.Repeat("x", 5000)+"\nshort\n")
	w2.k.wait(t, "short")
}

// TestStoreDown moves no position before the store has accepted.
func TestStoreDown(t *testing.T) {
	w := newWorld(t, plain)
	w.k.setFail(errors.New("disk full"))
	w.write("a.log", "one\n")
	time.Sleep(300 * time.Millisecond)
	w.m.Stop()
	require.Empty(t, w.k.all())
	w.k.setFail(nil)
	w.start()
	w.k.wait(t, "one")
	w.k.setFail(errors.New("disk full"))
	w.write("a.log", "two\n")
	time.Sleep(200 * time.Millisecond)
	w.k.setFail(nil)
	w.k.wait(t, "one", "two")
}

func TestCompressed(t *testing.T) {
	w := newWorld(t, `
scrape_configs:
  - job_name: old
    decompression: {enabled: true, format: gz}
    static_configs: [{targets: [localhost], labels: {job: old, __path__: "DIR/*.gz"}}]
  - job_name: plain
    static_configs: [{targets: [localhost], labels: {job: plain, __path__: "DIR/*"}}]
`)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte("one\ntwo\nno end"))
	require.NoError(t, errors.Join(err, z.Close()))
	require.NoError(t, os.WriteFile(w.path("new"), b.Bytes(), 0o644))
	require.NoError(t, os.Rename(w.path("new"), w.path("a.log.gz")))
	w.k.wait(t, "one", "two", "no end")
	time.Sleep(100 * time.Millisecond)
	w.m.Stop()
	w.start()
	time.Sleep(200 * time.Millisecond)
	w.k.wait(t, "one", "two", "no end")
}

func TestEncoding(t *testing.T) {
	w := newWorld(t, strings.Replace(plain, "    static_configs:", "    encoding: utf-16le\n    static_configs:", 1))
	var b bytes.Buffer
	for _, r := range "\ufeffÄ one\nĊ two\n" { // Ċ is 0x010A: half of it looks like a newline.
		b.Write([]byte{byte(r), byte(r >> 8)})
	}
	w.write("a.log", b.String())
	w.k.wait(t, "Ä one", "Ċ two")
}

func TestPipelineAndRelabel(t *testing.T) {
	w := newWorld(t, `
scrape_configs:
  - job_name: test
    pipeline_stages:
      - multiline: {firstline: '^\S', max_wait_time: 300ms}
      - regex: {expression: '^(?P<level>\w+) (?P<msg>(?s).*)'}
      - labels: {level: }
      - drop: {source: level, value: debug}
      - output: {source: msg}
    relabel_configs:
      - source_labels: [job]
        regex: (.*)
        replacement: $1-x
        target_label: job
    static_configs: [{targets: [localhost], labels: {job: test, __path__: "DIR/*.log", __path_exclude__: "DIR/no*.log"}}]
`)
	w.write("no.log", "info never\n")
	w.write("a.log", "error boom\n  at a\n  at b\ndebug no\ninfo fine\n")
	w.k.wait(t, "boom\n  at a\n  at b", "fine")
	require.Equal(t, fmt.Sprintf(`{filename=%q, job="test-x", level="error"} "boom\n  at a\n  at b" {}`, w.path("a.log")), w.k.full[0])
}

// TestHeldLines reads lines again that a stage held back when collecting stopped.
func TestHeldLines(t *testing.T) {
	w := newWorld(t, strings.Replace(plain, "    static_configs:", "    pipeline_stages: [{multiline: {firstline: '^\\S', max_wait_time: 1h}}]\n    static_configs:", 1))
	w.write("a.log", "one\n  more\ntwo\n  begun\n")
	w.k.wait(t, "one\n  more")
	w.m.Stop()
	w.write("a.log", "  and ended\nthree\n")
	w.start()
	w.k.wait(t, "one\n  more", "two\n  begun\n  and ended")
}

func TestFileSD(t *testing.T) {
	w := newWorld(t, `
scrape_configs:
  - job_name: test
    file_sd_configs: [{files: ["DIR/sd/*.yml"], refresh_interval: 10ms}]
`)
	w.write("a.log", "one\n")
	require.NoError(t, os.Mkdir(w.path("sd"), 0o755))
	require.NoError(t, os.WriteFile(w.path("sd/new"), []byte("- targets: [localhost]\n  labels: {job: sd, __path__: "+w.path("*.log")+"}\n"), 0o644))
	require.NoError(t, os.Rename(w.path("sd/new"), w.path("sd/a.yml")))
	w.k.wait(t, "one")
}

func TestReload(t *testing.T) {
	w := newWorld(t, plain)
	w.write("a.log", "one\n")
	w.k.wait(t, "one")
	_, err := w.m.Prepare([]byte("scrape_configs: [{job_name: x, nonsense: 1}]"))
	require.ErrorContains(t, err, "line 1")
	p, err := w.m.Prepare([]byte(strings.ReplaceAll(plain, "DIR", w.dir)))
	require.NoError(t, err)
	require.NoError(t, w.m.Apply(p))
	w.write("a.log", "two\n")
	w.k.wait(t, "one", "two")
	require.Len(t, w.m.Status().Files, 1)
	require.NoError(t, w.m.Apply(nil))
	require.Empty(t, w.m.Status().Files)
}

func TestSyslogAndJournal(t *testing.T) {
	script := filepath.Join(t.TempDir(), "journalctl")
	require.NoError(t, os.WriteFile(script, []byte(`#!/bin/sh
case "$*" in
*after-cursor=c1*) echo '{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"1795341601000000","MESSAGE":"later","_SYSTEMD_UNIT":"ai.service"}' ;;
*after-cursor*) ;;
*) echo '{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1795341600000000","MESSAGE":"hello","_SYSTEMD_UNIT":"ai.service"}' ;;
esac
exec sleep 60
`), 0o755))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	w := &world{T: t, dir: t.TempDir(), k: &kept{}, conf: `
scrape_configs:
  - job_name: journal
    journal: {labels: {job: journal}, max_age: 1h}
    relabel_configs: [{source_labels: [__journal__systemd_unit], target_label: unit}]
  - job_name: syslog
    syslog: {listen_address: "` + address + `", labels: {job: syslog}, use_incoming_timestamp: true}
    relabel_configs: [{source_labels: [__syslog_message_hostname], target_label: host}]
`}
	w.o = Options{Appender: w.k, Dir: filepath.Join(w.dir, "state"), journalctl: script}
	w.start()
	w.k.wait(t, "hello")
	require.Equal(t, `{job="journal", unit="ai.service"} "hello" {}`, w.k.full[0])
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	_, err = fmt.Fprintln(c, "<165>1 2026-11-22T09:59:00Z host1 app - - - from afar")
	require.NoError(t, err)
	w.k.wait(t, "hello", "from afar")
	require.Equal(t, `{host="host1", job="syslog"} "from afar" {}`, w.k.full[1])
	require.Equal(t, time.Date(2026, 11, 22, 9, 59, 0, 0, time.UTC).UnixNano(), w.k.times[1])
	w.m.Stop()
	w.start()
	w.k.wait(t, "hello", "from afar", "later")
}

// TestClients sends to a client elsewhere by way of a queue on disk and keeps a copy.
func TestClients(t *testing.T) {
	far := &kept{}
	h, err := loki.New(loki.Options{Appender: far})
	require.NoError(t, err)
	defer h.Close()
	var down atomic.Bool
	var tenant atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(rw, "down", http.StatusBadGateway)
			return
		}
		tenant.Store(r.Header.Get("X-Scope-OrgID"))
		h.ServeHTTP(rw, r)
	}))
	defer server.Close()
	w := newWorld(t, plain+`
clients:
  - url: http://loki:3100/loki/api/v1/push
  - url: `+server.URL+`/loki/api/v1/push
    tenant_id: team-a
    external_labels: {cluster: c1}
    backoff_config: {min_period: 10ms, max_period: 50ms}
`)
	w.m.Stop()
	w.o.Own.Addresses = []string{"loki:3100"}
	w.start()
	w.write("a.log", "one\n")
	w.k.wait(t, "one")
	far.wait(t, "one")
	require.Equal(t, fmt.Sprintf(`{cluster="c1", filename=%q, job="test"} "one" {}`, w.path("a.log")), far.full[0])
	require.Equal(t, "team-a", tenant.Load())
	down.Store(true)
	w.write("a.log", "two\n")
	w.k.wait(t, "one", "two")
	require.Eventually(t, func() bool { s := w.m.Status().Clients; return len(s) == 1 && s[0].Retries > 1 }, 5*time.Second, 10*time.Millisecond)
	w.m.Stop()
	down.Store(false)
	w.start()
	far.wait(t, "one", "two")
}

// TestNaming stores the tenant of a stage, or else of the client that means modelwatch itself, under a label, and sends it
// to nobody else as one.
func TestNaming(t *testing.T) {
	far := &kept{}
	h, err := loki.New(loki.Options{Appender: far})
	require.NoError(t, err)
	defer h.Close()
	server := httptest.NewServer(h)
	defer server.Close()
	w := newWorld(t, plain+`
    pipeline_stages:
      - match:
          selector: '{job="test"} |= "paid"'
          stages:
            - tenant: {value: team-b}
clients:
  - url: http://loki:3100/loki/api/v1/push
    tenant_id: team-a
  - url: `+server.URL+`/loki/api/v1/push
`)
	w.m.Stop()
	w.o.Own.Addresses = []string{"loki:3100"}
	w.o.Naming = logs.Naming{TenantLabel: "team", ServiceName: []string{"app", "job"}}
	w.start()
	w.write("a.log", "free\npaid\n")
	w.k.wait(t, "free", "paid")
	far.wait(t, "free", "paid")
	w.m.Stop()
	require.ElementsMatch(t, []string{
		fmt.Sprintf(`{filename=%q, job="test", service_name="test", team="team-a"} "free" {}`, w.path("a.log")),
		fmt.Sprintf(`{filename=%q, job="test", service_name="test", team="team-b"} "paid" {}`, w.path("a.log")),
	}, w.k.full)
	require.ElementsMatch(t, []string{
		fmt.Sprintf(`{filename=%q, job="test"} "free" {}`, w.path("a.log")),
		fmt.Sprintf(`{filename=%q, job="test"} "paid" {}`, w.path("a.log")),
	}, far.full)
}

func TestOwn(t *testing.T) {
	w := Whose{Addresses: []string{"logs:3100"}, Ports: []int{9090, 3100}, lookup: func(_ context.Context, host string) ([]string, error) {
		switch host {
		case "here":
			return []string{"192.0.2.7", "127.0.0.1"}, nil
		case "there":
			return []string{"192.0.2.1"}, nil
		}
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}}
	for address, want := range map[string]string{
		"http://logs:3100/loki/api/v1/push": "own", "http://localhost:9090/loki/api/v1/push": "own", "http://127.0.0.1:3100/x": "own",
		"http://[::1]:9090/": "own", "http://here:3100/": "own", "http://loki:3100/loki/api/v1/push": "assumed",
		"http://localhost:3101/": "", "http://loki.example.com:3100/": "", "http://192.0.2.1:9090/": "", "http://there:3100/": "", "http://loki:8080/": "", "https://loki/": "",
	} {
		d := w.destination(&forward.Client{URL: address})
		got := ""
		if d.Own {
			got = "own"
		}
		if d.Assumed {
			got = "assumed"
			require.Contains(t, d.String(), `there is no host "loki"`)
		}
		require.Equal(t, want, got, address)
	}
	require.NotContains(t, w.destination(&forward.Client{URL: "http://me:secret@there:3100/"}).String(), "secret")
}
