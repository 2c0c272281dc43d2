package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sys/unix"
)

// push sends samples by remote write and returns the status.
func (s *server) push(series string, from time.Time, values ...float64) (int, string, error) {
	ts := prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: series}, {Name: "job", Value: "push"}}}
	for i, v := range values {
		ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: from.UnixMilli() + int64(i), Value: v})
	}
	raw, err := (&prompb.WriteRequest{Timeseries: []prompb.TimeSeries{ts}}).Marshal()
	if err != nil {
		return 0, "", err
	}
	req, err := http.NewRequest(http.MethodPost, s.url+"/api/v1/write", bytes.NewReader(snappy.Encode(nil, raw)))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := web.Do(req)
	if err != nil {
		return 0, "", err
	}
	status, body := read(s.t, resp)
	return status, body, nil
}

// kill -9 at any moment of ingestion loses nothing that was acknowledged.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	const rounds = 20
	dir := t.TempDir()
	o := options{args: []string{"--storage.path=" + dir}}
	base := time.Now().Add(-30 * time.Minute)
	next, acknowledged := 0, map[int]bool{}
	random := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		s := start(t, o)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				n := next
				// Each sample says its own number, and has its own millisecond.
				status, _, err := s.push("kill_test", base.Add(time.Duration(n)*time.Millisecond), float64(n), float64(n+1), float64(n+2))
				next += 3
				if err != nil {
					return
				}
				if status == http.StatusNoContent {
					acknowledged[n], acknowledged[n+1], acknowledged[n+2] = true, true, true
				}
			}
		}()
		time.Sleep(time.Duration(20+random.IntN(300)) * time.Millisecond)
		s.kill()
		<-done
	}
	require.Greater(t, len(acknowledged), rounds)
	s := start(t, o)
	stored := map[int]bool{}
	result, err := s.query("kill_test[1h]")
	require.NoError(t, err)
	require.Len(t, result, 1)
	for _, v := range result[0].Values {
		var n int
		_, err := fmt.Sscan(v[1].(string), &n)
		require.NoError(t, err)
		require.False(t, stored[n], "sample %d is there twice", n)
		stored[n] = true
	}
	for n := range acknowledged {
		require.True(t, stored[n], "sample %d was acknowledged and is gone", n)
	}
	t.Logf("%d samples acknowledged over %d kills, all of them stored", len(acknowledged), rounds)
	s.stop()
}

// While the disk is full, writes are refused with the reason, reading goes on
// and an alert tells; when there is space again, writing resumes by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	free := st.Bavail * uint64(st.Bsize)
	const filler = 4 << 30
	if free < 2*filler {
		t.Fatalf("%d bytes are free in %s; this test needs %d", free, dir, 2*filler)
	}
	// The reserve is set so that the filler takes the last free byte above it.
	mw := write(t, dir, "modelwatch.yml", fmt.Sprintf("collect: {interval: 1s}\nstorage: {reserve: %d}\nmetrics: {config_file: prometheus.yml}\nalerting: {config_file: alertmanager.yml}\n", free-filler/2))
	write(t, dir, "alertmanager.yml", "route: {receiver: history, group_wait: 1s}\nreceivers: [{name: history}]\n")
	write(t, dir, "prometheus.yml", "global: {scrape_interval: 1s, evaluation_interval: 1s}\n")
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--config.file=" + mw}})
	now := time.Now().Add(-time.Minute)
	status, body, err := s.push("before", now, 1)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status, body)

	f, err := os.Create(filepath.Join(dir, "filler"))
	require.NoError(t, err)
	require.NoError(t, unix.Fallocate(int(f.Fd()), 0, 0, filler))
	require.NoError(t, f.Close())
	eventually(t, 10*time.Second, func() error {
		status, body, err = s.push("during", now, 2)
		if err == nil && status/100 != 5 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
	require.Contains(t, body, "disk full")
	require.NotEmpty(t, s.waitQuery("last_over_time(before[5m])", 5*time.Second))
	eventually(t, 20*time.Second, func() error {
		_, body := s.get("/api/v2/alerts")
		if !strings.Contains(body, "ModelwatchDiskFull") {
			return fmt.Errorf("no alert: %s", body)
		}
		return nil
	})
	eventually(t, 20*time.Second, func() error {
		_, body := s.get("/ai/v1/notifications")
		if !strings.Contains(body, "ModelwatchDiskFull") {
			return fmt.Errorf("not notified: %s", body)
		}
		return nil
	})

	require.NoError(t, os.Remove(f.Name()))
	eventually(t, 10*time.Second, func() error {
		status, body, err := s.push("after", now, 3)
		if err == nil && status != http.StatusNoContent {
			err = fmt.Errorf("status %d: %s", status, body)
		}
		return err
	})
	s.stop()
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, options{args: []string{"--storage.path=" + dir}})
	out, err := exec.Command(binary, "serve", "--storage.path="+dir, "--web.listen-address=127.0.0.1:0").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), fmt.Sprintf("in use by process %d", s.cmd.Process.Pid))
	require.Contains(t, string(out), "--storage.path")
	s.stop()
}

func TestPortInUseIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	out, err := exec.Command(binary, "serve", "--storage.path="+t.TempDir(), "--web.listen-address="+strings.TrimPrefix(s.url, "http://")).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "address already in use")
	require.Contains(t, string(out), "--web.listen-address")
}

// TLS and basic auth hold for every path, and modelwatch still sees itself.
func TestTLSAndBasicAuth(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, certFile, keyFile := certificate(t, dir)
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
	require.NoError(t, err)
	web := write(t, dir, "web.yml", fmt.Sprintf("tls_server_config: {cert_file: %s, key_file: %s}\nbasic_auth_users: {admin: %s}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n", certFile, keyFile, hash))
	s := start(t, options{args: []string{"--storage.path=" + dir + "/data", "--web.config.file=" + web}, tls: true})
	require.NotNil(t, cert.Certificate)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	for _, path := range []string{"/", "/metrics", "/api/v1/query?query=up", "/api/v2/alerts", "/-/reload", "/federate", "/debug/pprof/"} {
		resp, err := c.Get(s.url + path)
		require.NoError(t, err)
		status, _ := read(t, resp)
		require.Equal(t, http.StatusUnauthorized, status, path)
	}
	eventually(t, 30*time.Second, func() error {
		req, err := http.NewRequest(http.MethodGet, s.url+"/api/v1/query?query=up%7Bjob%3D%22modelwatch%22%7D==1", nil)
		require.NoError(t, err)
		req.SetBasicAuth("admin", "correct horse")
		resp, err := c.Do(req)
		if err != nil {
			return err
		}
		require.Equal(t, "deny", resp.Header.Get("X-Frame-Options"))
		status, body := read(t, resp)
		if status != http.StatusOK || !strings.Contains(body, `"modelwatch"`) {
			return fmt.Errorf("%d %s", status, body)
		}
		return nil
	})
}

func TestOpenListenerIsWarnedOf(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	require.NotContains(t, s.out.String(), "WARNING")
	s.stop()
}

// Secrets of configuration files are shown nowhere.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "prometheus.yml", `
scrape_configs:
  - job_name: secret
    basic_auth: {username: u, password: p4ssw0rd-of-scrape}
    static_configs: [{targets: ['127.0.0.1:1']}]
remote_write:
  - url: http://u:p4ssw0rd-of-url@127.0.0.1:1/write
    authorization: {credentials: t0ken-of-write}
`)
	write(t, dir, "alertmanager.yml", `
route: {receiver: hook, group_wait: 0s}
receivers:
  - name: hook
    slack_configs: [{api_url: 'http://127.0.0.1:1/s3cret-of-slack', channel: c}]
    webhook_configs: [{url: 'http://127.0.0.1:1/s3cret-of-hook'}]
    email_configs: [{to: a@example.com, from: b@example.com, smarthost: '127.0.0.1:1', auth_username: u, auth_password: s3cret-of-mail, require_tls: false}]
`)
	s := start(t, options{args: []string{"--storage.path=" + dir + "/data", "--prometheus.config=" + dir + "/prometheus.yml", "--alertmanager.config=" + dir + "/alertmanager.yml", "--log.level=debug"}})
	status, body := s.post("/api/v2/alerts", "application/json", `[{"labels":{"alertname":"A"}}]`)
	require.Equal(t, http.StatusOK, status, body)
	time.Sleep(2 * time.Second)
	var all strings.Builder
	for _, path := range []string{"/api/v1/status/config", "/api/v2/status", "/ai/v1/notifications", "/ai/v1/alerting/routes", "/api/v1/targets", "/api/v1/status/flags", "/metrics"} {
		_, body := s.get(path)
		all.WriteString(body)
	}
	s.stop()
	all.WriteString(s.out.String())
	for _, secret := range []string{"p4ssw0rd-of-scrape", "p4ssw0rd-of-url", "t0ken-of-write", "s3cret-of-slack", "s3cret-of-hook", "s3cret-of-mail"} {
		if at := strings.Index(all.String(), secret); at >= 0 {
			t.Errorf("%s is shown: …%s…", secret, all.String()[max(0, at-80):at+len(secret)])
		}
	}
}

// Bad input is answered with its reason, and never by a crash.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	for _, c := range []struct {
		path string
		want int
	}{
		{"/api/v1/query?query=sum(", http.StatusBadRequest},
		{"/api/v1/query", http.StatusBadRequest},
		{"/api/v1/query_range?query=up&start=0&end=1e12&step=1", http.StatusBadRequest},
		{"/federate?match[]=%7B", http.StatusBadRequest},
		{"/api/v1/nothing", http.StatusNotFound},
		{"/ai/v1/nothing", http.StatusNotFound},
		{"/loki/api/v1/nothing", http.StatusNotFound},
		{"/api/v2/silence/not-an-id", http.StatusUnprocessableEntity},
	} {
		status, body := s.get(c.path)
		require.Equal(t, c.want, status, "%s: %s", c.path, body)
	}
	status, body := s.post("/api/v1/write", "application/x-protobuf", "garbage")
	require.GreaterOrEqual(t, status, 400, body)
	require.Less(t, status, 500, body)
	status, body = s.post("/api/v2/silences", "application/json", `{"matchers":[]}`)
	require.GreaterOrEqual(t, status, 400, body)
	require.Less(t, status, 500, body)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/-/reload", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := web.Do(req)
	require.NoError(t, err)
	status, _ = read(t, resp)
	require.Equal(t, http.StatusForbidden, status, "a page of another origin may not reload")

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGHUP))
	eventually(t, 5*time.Second, func() error {
		if !strings.Contains(s.out.String(), "Reloaded") {
			return fmt.Errorf("SIGHUP did not reload")
		}
		return nil
	})
	s.stop()
}
