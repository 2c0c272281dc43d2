package notify

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// TestVictim is not a test of its own: it is the process that others kill.
func TestVictim(t *testing.T) {
	dir := os.Getenv("MODELWATCH_TEST_VICTIM_DIR")
	if dir == "" {
		t.Skip("runs in a process of its own")
	}
	opts := testOptions(t, os.Getenv("MODELWATCH_TEST_VICTIM_CONFIG"))
	opts.DataDir = dir
	m, err := New(opts)
	require.NoError(t, err)
	m.Send(firing("alertname", "Slow", "service", "ranker"))
	for i := range 20 {
		var created struct {
			ID string `json:"silenceID"`
		}
		require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("n", fmt.Sprint(i)), &created))
		fmt.Println("created", created.ID)
		if i%2 == 0 {
			require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "DELETE", "/api/v2/silence/"+created.ID, "", nil))
			fmt.Println("expired", created.ID)
		}
		if i == 10 {
			// What is not waited for follows by itself.
			time.Sleep(2 * maxSnapshotGap)
			fmt.Println("settled")
		}
	}
	fmt.Println("done")
	time.Sleep(time.Minute)
}

// A silence that was answered is there after kill -9, whenever it strikes, and
// what was told is not told again.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"created", "expired", "done"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			h := newHook(t, nil)
			dir := t.TempDir()
			victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
			victim.Env = append(os.Environ(), "MODELWATCH_TEST_VICTIM_DIR="+dir, "MODELWATCH_TEST_VICTIM_CONFIG="+h.quick(""))
			out, err := victim.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, victim.Start())
			state := map[string]string{}
			var text strings.Builder
			for lines := bufio.NewScanner(out); lines.Scan(); {
				fmt.Fprintln(&text, lines.Text())
				what, id, _ := strings.Cut(lines.Text(), " ")
				if id != "" {
					state[id] = what
				}
				if what == at {
					require.NoError(t, victim.Process.Kill())
					break
				}
			}
			// Answers that were still in the pipe count, too.
			rest, err := io.ReadAll(out)
			require.NoError(t, err)
			for line := range strings.Lines(string(rest)) {
				if what, id, _ := strings.Cut(strings.TrimSpace(line), " "); id != "" {
					state[id] = what
				}
			}
			_ = victim.Wait()
			require.NotEmptyf(t, state, "the victim said: %s%s", text.String(), rest)

			opts := testOptions(t, h.quick(""))
			opts.DataDir = dir
			m := start(t, opts)
			for id, what := range state {
				var s struct {
					Status struct {
						State string `json:"state"`
					} `json:"status"`
				}
				require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "GET", "/api/v2/silence/"+id, "", &s))
				if what == "expired" {
					require.Equal(t, "expired", s.Status.State)
				} else if at == "done" {
					require.Equal(t, "active", s.Status.State)
				}
			}
			if at == "done" {
				require.Equal(t, "firing", h.next(t).Status)
				// The alert itself was taken over, and is resolved if it is over.
				require.InDelta(t, 1, testutil.ToFloat64(m.metrics.restoredAlerts), 0)
				h.none(t, 250*time.Millisecond)
				require.Equal(t, Sent, newest(t, m).Status)
				m.Send(resolved(firing("alertname", "Slow", "service", "ranker")))
				require.Equal(t, "resolved", h.next(t).Status)
			}
		})
	}
}

// An alert that ended while nobody was there is told to be resolved once its
// sender had the time to confirm it.
func TestAlertThatEndsDuringARestart(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, "global: {resolve_timeout: 500ms}\n"+h.quick(""))
	m := start(t, opts)
	m.Send(firing("alertname", "Slow"), firing("alertname", "StillSlow"))
	h.next(t)
	h.next(t)
	stop(t, m)
	begin := time.Now()
	m = start(t, opts)
	m.Send(firing("alertname", "StillSlow"))
	h.none(t, 200*time.Millisecond)
	// The former end is four minutes away; pretend that it has passed.
	stop(t, m)
	held, _, err := readAlertFile(filepath.Join(opts.DataDir, "alerts.jsonl"))
	require.NoError(t, err)
	require.Len(t, held, 2)
	for _, a := range held {
		if a.Name() == "Slow" {
			a.EndsAt = time.Now().Add(50 * time.Millisecond)
		}
	}
	_, err = replaceFile(filepath.Join(opts.DataDir, "alerts.jsonl"), func(w io.Writer) (int64, error) { return encodeAlerts(w, held) })
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond)
	m = start(t, opts)
	got := h.next(t)
	require.Equal(t, "Slow", got.names())
	require.Equal(t, "resolved", got.Status)
	require.Greater(t, time.Since(begin), 500*time.Millisecond)
	h.none(t, 200*time.Millisecond)

	// It is not told again by the next process.
	stop(t, m)
	start(t, opts)
	h.none(t, 300*time.Millisecond)
}

func TestReviveKeepsWhatIsOver(t *testing.T) {
	t.Parallel()
	written := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	now := written.Add(10 * time.Minute)
	end := func(at time.Time) *alert.Alert {
		return &alert.Alert{Alert: model.Alert{StartsAt: written.Add(-time.Hour), EndsAt: at}}
	}
	for _, tc := range []struct {
		name    string
		end     time.Time
		want    time.Time
		timeout bool
	}{
		{"was over", written.Add(-time.Second), written.Add(-time.Second), false},
		{"ended meanwhile", written.Add(time.Minute), now.Add(5 * time.Minute), true},
		{"ends soon", now.Add(time.Minute), now.Add(5 * time.Minute), true},
		{"ends late", now.Add(time.Hour), now.Add(time.Hour), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := end(tc.end)
			revive([]*alert.Alert{a}, written, now, 5*time.Minute)
			require.Equal(t, tc.want, a.EndsAt)
			require.Equal(t, tc.timeout, a.Timeout)
		})
	}
}

func TestAlertFileThatIsDamaged(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	good := `{"labels":{"alertname":"Kept"},"startsAt":"2026-03-02T12:00:00Z","endsAt":"2096-03-02T12:00:00Z","updatedAt":"2026-03-02T12:00:00Z"}`
	require.NoError(t, os.WriteFile(filepath.Join(opts.DataDir, "alerts.jsonl"), []byte("{\n"+good+"\n{\"labels\":{}}\n\x00\xff"), 0o600))
	_, _, err := readAlertFile(filepath.Join(opts.DataDir, "alerts.jsonl"))
	for _, line := range []string{"line 1:", "line 3:", "line 4:"} {
		require.ErrorContains(t, err, line)
	}
	start(t, opts)
	require.Equal(t, "Kept", h.next(t).names())
}

func FuzzDecodeAlerts(f *testing.F) {
	f.Add([]byte(`{"labels":{"alertname":"A"},"annotations":{"a":"b"},"startsAt":"2026-03-02T12:00:00Z","endsAt":"2096-03-02T12:00:00Z"}` + "\n"))
	f.Add([]byte("{\"labels\":null}\n\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		alerts, _ := decodeAlerts(strings.NewReader(string(data)))
		var b strings.Builder
		_, err := encodeAlerts(&b, alerts)
		require.NoError(t, err)
		again, err := decodeAlerts(strings.NewReader(b.String()))
		require.NoError(t, err)
		require.Len(t, again, len(alerts))
		for i := range alerts {
			require.Equal(t, alerts[i].Fingerprint(), again[i].Fingerprint())
			require.True(t, alerts[i].EndsAt.Equal(again[i].EndsAt))
		}
	})
}

// A disk that refuses the silence: the answer says so, the silence is not in
// force, notifications go on, and it recovers.
func TestDiskThatRefuses(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil)
	opts := testOptions(t, h.quick(""))
	m := start(t, opts)
	for _, name := range []string{"silences.tmp", "alerts.jsonl.tmp", "nflog.tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(opts.DataDir, name), 0o700))
	}
	var answer struct {
		Error string `json:"error"`
		ID    string `json:"silenceID"`
	}
	require.Equal(t, http.StatusServiceUnavailable, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("alertname", "Slow"), &answer))
	require.Contains(t, answer.Error, "cannot write silences to disk")
	require.Contains(t, answer.Error, "the silence was not created")
	m.Send(firing("alertname", "Slow"))
	require.Equal(t, "Slow", h.next(t).names())
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/alerts", `[{"labels":{"alertname":"Posted"}}]`, nil))
	require.Equal(t, "Posted", h.next(t).names())
	require.Positive(t, testutil.ToFloat64(m.metrics.snapshotFailures.WithLabelValues("silences")))

	for _, name := range []string{"silences.tmp", "alerts.jsonl.tmp", "nflog.tmp"} {
		require.NoError(t, os.Remove(filepath.Join(opts.DataDir, name)))
	}
	require.Equal(t, http.StatusOK, call(t, m.APIHandler(), "POST", "/api/v2/silences", silenceFor("alertname", "Slow"), &answer))
	eventually(t, "alerts are written again by themselves", func() bool {
		held, _, err := readAlertFile(filepath.Join(opts.DataDir, "alerts.jsonl"))
		require.NoError(t, err)
		return len(held) == 2
	})
	// A change of a silence that cannot be written is in force, and the answer
	// says what that is worth.
	require.NoError(t, os.Mkdir(filepath.Join(opts.DataDir, "silences.tmp"), 0o700))
	require.Equal(t, http.StatusServiceUnavailable, call(t, m.APIHandler(), "DELETE", "/api/v2/silence/"+answer.ID, "", &answer))
	require.Contains(t, answer.Error, "in force, but would be lost")
	require.NoError(t, os.Remove(filepath.Join(opts.DataDir, "silences.tmp")))
}

// Waiters that come together share a write.
func TestSnapshotIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state")
	var mu sync.Mutex
	writes, value := 0, 0
	s := newSnapshot(path, func(w io.Writer) (int64, error) {
		mu.Lock()
		writes++
		text := fmt.Sprint(value)
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		n, err := io.WriteString(w, text)
		return int64(n), err
	}, testOptions(t, "").Logger, prometheus.NewCounter(prometheus.CounterOpts{}))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { s.run(stop) })
	var clients sync.WaitGroup
	for i := range 50 {
		clients.Go(func() {
			mu.Lock()
			value = max(value, i+1)
			mu.Unlock()
			if err := s.Now(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "50", string(data))
	mu.Lock()
	require.Less(t, writes, 25)
	value = 77
	mu.Unlock()
	s.Soon()
	eventually(t, "it follows by itself", func() bool {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		return string(data) == "77"
	})
	close(stop)
	wg.Wait()
	require.ErrorIs(t, s.Now(t.Context()), errStopped)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, (&snapshot{path: path, wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}).Now(ctx), context.Canceled)
}
