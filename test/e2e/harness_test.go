// Package e2e runs the real binary as its users do: with configuration files,
// real exporters, a real mail server, and kill -9.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the program under test.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if binary = os.Getenv("MODELWATCH_BINARY"); binary == "" {
		dir, err := os.MkdirTemp("", "modelwatch-e2e")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		binary = filepath.Join(dir, "modelwatch")
		build := exec.Command("go", "build", "-o", binary, "github.com/modelwatch/modelwatch/cmd/modelwatch")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// server is one running modelwatch.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	out    *output
	exited chan struct{}
	err    error // Of the process; read after exited is closed.
}

// options of one start.
type options struct {
	args []string
	env  []string
	// tls says that the server answers by HTTPS.
	tls bool
	// address is where it listens; empty takes a free port.
	address string
}

// start runs `modelwatch serve` on a free port and waits until it is ready.
func start(t *testing.T, o options) *server {
	t.Helper()
	s := launch(t, o)
	s.waitReady()
	return s
}

func launch(t *testing.T, o options) *server {
	t.Helper()
	address := o.address
	if address == "" {
		address = freeAddress(t)
	}
	scheme := "http"
	if o.tls {
		scheme = "https"
	}
	args := append([]string{"serve", "--web.listen-address=" + address}, o.args...)
	s := &server{t: t, cmd: exec.Command(binary, args...), url: scheme + "://" + address, out: &output{}, exited: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.Env = append(os.Environ(), o.env...)
	s.cmd.Dir = t.TempDir()
	require.NoError(t, s.cmd.Start())
	go func() {
		defer close(s.exited)
		s.err = s.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // If it still runs.
		<-s.exited
		if t.Failed() {
			t.Logf("output of modelwatch:\n%s", s.out)
		}
	})
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

var web = &http.Client{Timeout: 20 * time.Second}

func (s *server) waitReady() {
	s.t.Helper()
	eventually(s.t, 20*time.Second, func() error {
		select {
		case <-s.exited:
			s.t.Fatalf("modelwatch ended: %v\n%s", s.err, s.out)
		default:
		}
		resp, err := web.Get(s.url + "/-/ready")
		if err != nil {
			if strings.Contains(err.Error(), "certificate") {
				return nil // It serves; who asks must bring the certificate.
			}
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized {
			return fmt.Errorf("not ready: %s", resp.Status)
		}
		return nil
	})
}

// stop sends SIGTERM and waits for a clean end.
func (s *server) stop() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.exited:
		require.NoError(s.t, s.err, "%s", s.out)
	case <-time.After(12 * time.Second):
		s.t.Fatalf("not stopped within 12 s\n%s", s.out)
	}
}

// kill is kill -9.
func (s *server) kill() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Kill())
	<-s.exited
}

// eventually tries until there is no error, or fails with the last one.
func eventually(t *testing.T, within time.Duration, try func() error) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", within, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// get returns status and body.
func (s *server) get(path string) (int, string) {
	s.t.Helper()
	resp, err := web.Get(s.url + path)
	require.NoError(s.t, err)
	return read(s.t, resp)
}

func (s *server) post(path, contentType, body string) (int, string) {
	s.t.Helper()
	resp, err := web.Post(s.url+path, contentType, strings.NewReader(body))
	require.NoError(s.t, err)
	return read(s.t, resp)
}

func read(t *testing.T, resp *http.Response) (int, string) {
	t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// sample is one result of an instant query.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
	Values [][2]any          `json:"values"`
}

// query runs an instant query.
func (s *server) query(expr string) ([]sample, error) {
	resp, err := web.Get(s.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []sample }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, errors.New(answer.Error)
	}
	return answer.Data.Result, nil
}

// waitQuery waits until an instant query gives something.
func (s *server) waitQuery(expr string, within time.Duration) []sample {
	s.t.Helper()
	var out []sample
	eventually(s.t, within, func() error {
		var err error
		if out, err = s.query(expr); err == nil && len(out) == 0 {
			err = fmt.Errorf("no result of %s", expr)
		}
		return err
	})
	return out
}

// alertState is the state of an alerting rule: inactive, pending or firing.
func (s *server) alertState(name string) (string, error) {
	resp, err := web.Get(s.url + "/api/v1/rules?type=alert")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct {
					Name, State, LastError string
				}
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", err
	}
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Name == name {
				if r.LastError != "" {
					return r.State, errors.New(r.LastError)
				}
				return r.State, nil
			}
		}
	}
	return "", fmt.Errorf("no rule %s", name)
}

func (s *server) waitAlert(name, state string, within time.Duration) {
	s.t.Helper()
	eventually(s.t, within, func() error {
		got, err := s.alertState(name)
		if err == nil && got != state {
			err = fmt.Errorf("alert %s is %s, want %s", name, got, state)
		}
		return err
	})
}

// write puts a file into a directory and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// tool runs a program of a peer to its end.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "%s is needed for this test: install it (Debian: prometheus, prometheus-alertmanager)", name)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v: %s%s", name, args, out, &stderr)
	return string(out)
}

// demo runs `modelwatch demo --once` to its end and returns what it told.
func demo(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "demo", "--once", "--web.listen-address=127.0.0.1:0")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
