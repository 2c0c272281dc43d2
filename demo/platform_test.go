package demo

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// fakePlatform does in small what the story needs of modelwatch, by the files
// it is given: it scrapes the service, holds one rule against the latency, and
// sends mail with STARTTLS and log-in.
type fakePlatform struct {
	// noLogs and noInferences take a part of it away.
	noLogs, noInferences bool

	t      *testing.T
	server *httptest.Server
	target string
	log    string
	email  struct {
		To, From, Smarthost string
		Username            string `yaml:"auth_username"`
		Password            string `yaml:"auth_password"`
		TLS                 struct {
			CAFile string `yaml:"ca_file"`
		} `yaml:"tls_config"`
	}

	mu         sync.Mutex
	values     map[string]float64
	since      time.Time // of the breach
	state      string
	inferences int
}

var (
	latencyLine = regexp.MustCompile(`(?m)^model_inference_latency_seconds\{.*\} (\S+)$`)
	qpsLine     = regexp.MustCompile(`(?m)^model_qps\{.*\} (\S+)$`)
)

func (p *fakePlatform) Start(_ context.Context, files Files) (string, func() error, error) {
	if err := p.readFiles(files); err != nil {
		return "", nil, err
	}
	p.values, p.state = map[string]float64{}, "inactive"
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /api/v1/query", p.query)
	mux.HandleFunc("GET /api/v1/alerts", p.alerts)
	if !p.noLogs {
		mux.HandleFunc("GET /loki/api/v1/query_range", p.search)
	}
	if !p.noInferences {
		mux.HandleFunc("POST /ai/v1/inferences", p.take)
		mux.HandleFunc("POST /ai/v1/labels", p.take)
	}
	p.server = httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			p.round(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return p.server.URL, func() error {
		cancel()
		<-done
		p.server.Close()
		return nil
	}, nil
}

// readFiles takes the places from the files, as the real ones would.
func (p *fakePlatform) readFiles(files Files) error {
	var ours struct {
		Metrics, Alerting struct {
			ConfigFile string `yaml:"config_file"`
		}
		Logs struct {
			Collect struct {
				ConfigFile string `yaml:"config_file"`
			}
		}
	}
	var metrics struct {
		RuleFiles     []string `yaml:"rule_files"`
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	var alerting struct {
		Receivers []struct {
			EmailConfigs []yaml.Node `yaml:"email_configs"`
		}
	}
	var logs struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Labels map[string]string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	var rules map[string]any
	for _, f := range []struct {
		path func() string
		into any
	}{
		{func() string { return files.Modelwatch }, &ours},
		{func() string { return ours.Metrics.ConfigFile }, &metrics},
		{func() string { return metrics.RuleFiles[0] }, &rules},
		{func() string { return ours.Alerting.ConfigFile }, &alerting},
		{func() string { return ours.Logs.Collect.ConfigFile }, &logs},
	} {
		text, err := os.ReadFile(f.path())
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(text, f.into); err != nil {
			return fmt.Errorf("%s: %w", f.path(), err)
		}
	}
	p.target = metrics.ScrapeConfigs[0].StaticConfigs[0].Targets[0]
	p.log = logs.ScrapeConfigs[0].StaticConfigs[0].Labels["__path__"]
	return alerting.Receivers[0].EmailConfigs[0].Decode(&p.email)
}

// round scrapes once and judges.
func (p *fakePlatform) round(ctx context.Context) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.target+"/metrics", nil)
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values = map[string]float64{upQuery: 1, featuresQuery: float64(bytes.Count(text, []byte("\ninput_data_mean{")))}
	for query, line := range map[string]*regexp.Regexp{latencyQuery: latencyLine, qpsQuery: qpsLine} {
		if m := line.FindSubmatch(text); m != nil {
			p.values[query], _ = strconv.ParseFloat(string(m[1]), 64)
		}
	}
	before := p.state
	switch {
	case p.values[latencyQuery] <= latencyLimit:
		p.state = "inactive"
	case p.state == "inactive":
		p.state, p.since = "pending", time.Now()
	case time.Since(p.since) > 300*time.Millisecond:
		p.state = "firing"
	}
	switch {
	case before != "firing" && p.state == "firing":
		p.send("[FIRING:1] HighInferenceLatency ai_service")
	case before == "firing" && p.state != "firing":
		p.send("[RESOLVED] HighInferenceLatency ai_service")
	}
}

func (p *fakePlatform) send(subject string) {
	if err := p.trySend(subject); err != nil {
		p.t.Errorf("send mail: %v", err)
	}
}

func (p *fakePlatform) trySend(subject string) error {
	host, _, err := net.SplitHostPort(p.email.Smarthost)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(p.email.TLS.CAFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	c, err := smtp.Dial(p.email.Smarthost)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.StartTLS(&tls.Config{RootCAs: roots, ServerName: host}); err != nil {
		return err
	}
	if err := c.Auth(smtp.PlainAuth("", p.email.Username, p.email.Password, host)); err != nil {
		return err
	}
	if err := c.Mail(p.email.From); err != nil {
		return err
	}
	if err := c.Rcpt(p.email.To); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Subject: %s\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n", subject)
	q := quotedprintable.NewWriter(w)
	fmt.Fprint(q, "<p>latency &gt; 1.5s</p>")
	if err := q.Close(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

func (p *fakePlatform) query(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var result []map[string]any
	if v, ok := p.values[r.FormValue("query")]; ok {
		result = append(result, map[string]any{"value": []any{1, fmt.Sprint(v)}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"result": result}})
}

func (p *fakePlatform) alerts(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	alerts := []map[string]any{{"labels": map[string]string{"alertname": "Other"}, "state": "firing"}}
	if p.state != "inactive" {
		alerts = append(alerts, map[string]any{"labels": map[string]string{"alertname": alertName}, "state": p.state})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"alerts": alerts}})
}

func (p *fakePlatform) search(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("query") != errorLines {
		http.Error(w, "unexpected query", http.StatusBadRequest)
		return
	}
	text, err := os.ReadFile(p.log)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var values [][2]string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "error") {
			values = append(values, [2]string{"1", strings.TrimSpace(line)})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"result": []any{map[string]any{"values": values}}}})
}

func (p *fakePlatform) take(w http.ResponseWriter, r *http.Request) {
	gz, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n := bytes.Count(text, []byte("\n"))
	p.mu.Lock()
	p.inferences += n
	p.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d}`, n)
}

func TestFilesQuoteTheirPlaces(t *testing.T) {
	dir := t.TempDir() + `/a "quoted" & spaced: #dir`
	require.NoError(t, os.Mkdir(dir, 0o755))
	files, err := writeFiles(place{dir: dir, service: "127.0.0.1:1", log: dir + "/x.log", mail: "127.0.0.1:2", mailAuthority: []byte("pem")})
	require.NoError(t, err)
	p := &fakePlatform{t: t}
	require.NoError(t, p.readFiles(files))
	require.Equal(t, "127.0.0.1:1", p.target)
	require.Equal(t, dir+"/x.log", p.log)
	require.Equal(t, "127.0.0.1:2", p.email.Smarthost)
	require.Equal(t, mailPassword, p.email.Password)
	for _, path := range []string{files.Modelwatch, files.Prometheus, files.AlertRules, files.Alertmanager, files.Promtail} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotRegexp(t, `[A-Z]+_(FILE|ADDRESS|USERNAME|PASSWORD)\b`, string(text), "a place was left open in %s", path)
	}
	text, err := os.ReadFile(files.Modelwatch)
	require.NoError(t, err)
	require.NotContains(t, string(text), "inferences:")
	other := t.TempDir()
	files, err = writeFiles(place{dir: other, window: 5 * time.Second})
	require.NoError(t, err)
	text, err = os.ReadFile(files.Modelwatch)
	require.NoError(t, err)
	require.Contains(t, string(text), "window: 5s\n  lateness: 1s\n")
	_, err = writeFiles(place{dir: dir})
	require.ErrorContains(t, err, "make data directory")
}
