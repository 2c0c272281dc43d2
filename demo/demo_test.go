package demo

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/demo/mail"
	"github.com/modelwatch/modelwatch/demo/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output collects what is told, from any goroutine.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return found
}

func TestTheStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := &output{}
	p := &fakePlatform{t: t}
	err := Run(t.Context(), Options{
		Stdout: out, Platform: p, Dir: dir, Once: true, Healthy: 1500 * time.Millisecond, Broken: 100 * time.Millisecond, Rate: 5,
	})
	require.NoError(t, err, out)
	told := out.String()
	at := 0
	for _, want := range []string{
		"modelwatch is ready", "page     " + p.server.URL + "/", "is up", "It is healthy: ", "102 input features",
		"doubles the behaviour features", "modelwatch sees it: ", "above 1.5 s",
		"is firing", "A mail has come:", "admin@example.com (over TLS, logged in as alertmanager)",
		"Subject: [FIRING:1] HighInferenceLatency ai_service", "latency > 1.5s", "From the breach seen to the mail",
		"is 202. It was 102.", `"level":"error","msg":"OutOfMemory: embedding matrix`, "The features go back", "That was the story",
	} {
		i := strings.Index(told[at:], want)
		require.GreaterOrEqual(t, i, 0, "%q is missing, or comes too early, in\n%s", want, told)
		// The alert's mail may overtake the word that it fires.
		if want != "is firing" {
			at += i
		}
	}
	require.Less(t, strings.Index(told, "The features go back"), strings.Index(told, "Subject: [RESOLVED] HighInferenceLatency"))
	require.Contains(t, told, "inferences and labels over to "+p.server.URL+"/ai/v1/ through the Go client")
	require.Positive(t, p.inferences)
	require.Empty(t, left(t, dir), "nothing is left behind")
}

func TestWithoutLogsAndInferencesUntilStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := &output{}
	p := &fakePlatform{t: t, noLogs: true, noInferences: true}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Stdout: out, Platform: p, Dir: dir, Keep: true, Healthy: 2500 * time.Millisecond, Broken: time.Millisecond, Rate: 5})
	}()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "until you press Ctrl-C") }, 40*time.Second, 20*time.Millisecond, out)
	cancel()
	require.NoError(t, <-done)
	told := out.String()
	require.Contains(t, told, "did not take the inferences")
	require.Contains(t, told, "does not search logs")
	require.Contains(t, told, "Stopping.")
	kept := left(t, dir)
	require.Len(t, kept, 1)
	require.Contains(t, told, "Kept: "+kept[0])
	require.FileExists(t, filepath.Join(kept[0], "ai_service.log"))
}

// A step that does not happen in its time says so, and what was seen instead.
func TestAStepThatDoesNotHappen(t *testing.T) {
	t.Parallel()
	p := &fakePlatform{t: t, values: map[string]float64{upQuery: 0}, state: "pending"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/query", p.query)
	mux.HandleFunc("GET /api/v1/alerts", p.alerts)
	mux.HandleFunc("GET /loki/api/v1/query_range", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"result":[]}}`))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	watch := newWatcher(server.URL)
	defer watch.close()
	s := &story{
		opts:  Options{Patience: 200 * time.Millisecond, Healthy: time.Millisecond},
		tell:  &narrator{w: &output{}, start: time.Now()},
		watch: watch, ai: service.New(service.Options{}), letters: &inbox{},
	}
	require.ErrorContains(t, s.ready(t.Context()), "modelwatch becoming ready did not happen within 200ms: /-/ready: status 404")
	mux.HandleFunc("GET /-/ready", func(http.ResponseWriter, *http.Request) {})
	require.ErrorContains(t, s.ready(t.Context()), "the AI service being scraped did not happen within 200ms: "+upQuery+" is 0")
	require.ErrorContains(t, s.healthy(t.Context()), latencyQuery+" has no value")
	require.ErrorContains(t, s.breach(t.Context()), "the latency passing its limit did not happen")
	require.ErrorContains(t, s.fire(t.Context()), "the alert HighInferenceLatency firing did not happen within 200ms: it is pending")
	p.mu.Lock()
	p.state = "firing"
	p.mu.Unlock()
	require.ErrorContains(t, s.fire(t.Context()), "a mail with FIRING and HighInferenceLatency in its subject did not happen within 200ms: no mail at all has come")
	s.letters.mails = []mail.Mail{{Subject: "[FIRING:1] Other", Received: time.Now().Add(time.Minute)}}
	require.ErrorContains(t, s.fire(t.Context()), "the mails that came are: [FIRING:1] Other")
	require.ErrorContains(t, s.explain(t.Context()), "the number of features growing did not happen")
	p.mu.Lock()
	p.values[featuresQuery] = 202
	p.mu.Unlock()
	require.ErrorContains(t, s.explain(t.Context()), errorLines+" finds nothing")
	require.ErrorContains(t, s.recover(t.Context()), "the latency coming back did not happen")
	p.mu.Lock()
	p.values[latencyQuery] = 0.5
	p.mu.Unlock()
	require.ErrorContains(t, s.recover(t.Context()), "a mail with RESOLVED and HighInferenceLatency")
}

func TestFailureIsShownAndKeptUntilStopped(t *testing.T) {
	t.Parallel()
	out := &output{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	stopped := false
	nobody := PlatformFunc(func(context.Context, Files) (string, func() error, error) {
		return "http://127.0.0.1:1", func() error { stopped = true; return errors.New("will not stop") }, nil
	})
	go func() {
		done <- Run(ctx, Options{Stdout: out, Platform: nobody, Dir: t.TempDir(), Patience: 300 * time.Millisecond})
	}()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "until you press Ctrl-C") }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, out.String(), "modelwatch becoming ready did not happen within 300ms")
	require.Contains(t, out.String(), "connection refused")
	cancel()
	err := <-done
	require.ErrorContains(t, err, "modelwatch becoming ready")
	require.ErrorContains(t, err, "stop modelwatch: will not stop")
	require.True(t, stopped)
}

func TestInterruptedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	start := time.Now()
	err := Run(ctx, Options{Stdout: &output{}, Platform: &fakePlatform{t: t}, Dir: dir, Once: true})
	require.ErrorContains(t, err, "interrupted before the end of the story")
	require.Less(t, time.Since(start), 8*time.Second)
	require.Empty(t, left(t, dir))
}

func TestStartThatFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.ErrorContains(t, Run(t.Context(), Options{Stdout: &output{}}), "no platform given")
	broken := PlatformFunc(func(context.Context, Files) (string, func() error, error) {
		return "", nil, os.ErrPermission
	})
	err := Run(t.Context(), Options{Stdout: &output{}, Platform: broken, Dir: dir})
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, "start modelwatch")
	require.Empty(t, left(t, dir))
	err = Run(t.Context(), Options{Platform: broken, Dir: filepath.Join(dir, "missing")})
	require.ErrorContains(t, err, "make temporary directory")
}
