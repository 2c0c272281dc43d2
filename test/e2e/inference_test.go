package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/client"
)

// recommender hands over what a model inferred, through the Go client. What it
// is like can be changed while it runs.
type recommender struct {
	features atomic.Int64 // Number of behaviour features.
	age      atomic.Int64 // Mean age of users.
	slow     atomic.Bool
	labels   atomic.Bool
	wrong    atomic.Bool
}

// run sends about 100 inferences a second until the test ends.
func (r *recommender) run(t *testing.T, base string) {
	t.Helper()
	c, err := client.New(client.Options{URL: base, Service: "shop", FlushInterval: 200 * time.Millisecond})
	require.NoError(t, err)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		random := rand.New(rand.NewPCG(1, 7))
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			features := map[string]any{"age": float64(r.age.Load()) + random.NormFloat64()*8}
			for i := range r.features.Load() {
				features["behaviour_"+strconv.Itoa(int(i))] = random.NormFloat64()
			}
			duration := time.Duration((0.5 + 0.05*random.NormFloat64()) * float64(time.Second))
			if r.slow.Load() {
				duration = 2500 * time.Millisecond
			}
			p := 0.5 + 0.49*random.Float64()
			buys := random.Float64() < p
			id := strconv.Itoa(n)
			c.Record(client.Inference{
				Model: "recommender", ModelVersion: "v1.0", Endpoint: "/predict", RequestID: id,
				Duration: duration, StatusCode: 200, Features: features,
				Prediction: "buy", Probabilities: map[string]float64{"buy": p, "leave": 1 - p},
			})
			if r.labels.Load() {
				truth := "leave"
				if buys != r.wrong.Load() {
					truth = "buy"
				}
				c.Label(client.Label{RequestID: id, Label: truth})
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		_ = c.Close(t.Context())
	})
}

// TestIncident is the incident that modelwatch exists for, on the real binary:
// the input grows from 100 features to 200 and shifts, and inference slows down.
func TestIncident(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mail := startMailbox(t)
	const window = 5
	mw := write(t, dir, "modelwatch.yml", fmt.Sprintf("collect: {interval: 1s}\ninferences: {window: %ds, lateness: 1s, baseline: {records: 1000, after: 15s}}\nmetrics: {config_file: prometheus.yml}\nalerting: {config_file: alertmanager.yml}\n", window))
	write(t, dir, "prometheus.yml", "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [alert_rules.yml]\n")
	write(t, dir, "alert_rules.yml", rulesFile)
	write(t, dir, "alertmanager.yml", strings.Replace(fmt.Sprintf(alertmanagerFile, mail.port, "12h"), "['alertname', 'service']", "['...']", 1))
	s := start(t, options{args: []string{"--storage.path=" + filepath.Join(dir, "data"), "--config.file=" + mw}, env: []string{"SSL_CERT_FILE=" + mail.certFile}})
	r := &recommender{}
	r.features.Store(100)
	r.age.Store(40)
	r.run(t, s.url)

	// The seed's series are there, under its names, and a baseline makes itself.
	s.waitQuery(`model_inference_latency_seconds{job="modelwatch",service="shop",model="recommender",model_version="v1.0",endpoint="/predict"}`, 20*time.Second)
	s.waitQuery(`input_data_mean_offset{feature_name="age"} > 35`, 60*time.Second)
	s.waitQuery(`modelwatch_status{service="shop",layer="data"} == 0`, 40*time.Second)
	s.waitQuery(`modelwatch_status{service="shop",layer="service"} == 0`, 40*time.Second)
	before, err := s.query(`ALERTS{alertname=~"AI.*|DataDriftDetected|HighInferenceLatency",alertname!~"AIHost.*",alertstate="firing"}`)
	require.NoError(t, err)
	require.Empty(t, before, "nothing is wrong yet")

	broken := time.Now()
	r.features.Store(200)
	r.age.Store(60)
	r.slow.Store(true)
	for _, alert := range []string{"AIDataSchemaChanged", "AIModelSlower", "AIDataDrift", "DataDriftDetected", "HighInferenceLatency"} {
		s.waitQuery(fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing"}`, alert), 60*time.Second)
		t.Logf("%s fires %s after the change", alert, time.Since(broken).Round(time.Second))
	}
	require.NotEmpty(t, s.waitQuery(`modelwatch_drift_verdict{feature_name="age"} == 2`, 10*time.Second))
	letter := mail.wait(t, 0, 30*time.Second, "AIDataSchemaChanged", "recommender", "v1.0", "shop")
	require.Contains(t, letter.text, "100")
	mail.wait(t, 0, 60*time.Second, "HighInferenceLatency", "current: 2.5s")
	status, body := s.get("/ai/v1/services")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"shop"`)
	status, body = s.get("/ai/v1/models/recommender/versions/v1.0/features?service=shop")
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"age"`)
	status, body = s.get("/ai/v1/drift?service=shop&model=recommender")
	require.Equal(t, http.StatusOK, status, body)

	// Recovery resolves it.
	sent := len(mail.all())
	r.features.Store(100)
	r.age.Store(40)
	r.slow.Store(false)
	for _, alert := range []string{"AIDataSchemaChanged", "AIModelSlower", "AIDataDrift", "DataDriftDetected", "HighInferenceLatency"} {
		eventually(t, 90*time.Second, func() error {
			firing, err := s.query(fmt.Sprintf(`ALERTS{alertname=%q,alertstate="firing"}`, alert))
			if err == nil && len(firing) > 0 {
				err = fmt.Errorf("%s still fires", alert)
			}
			return err
		})
	}
	mail.wait(t, sent, 30*time.Second, "[RESOLVED]", "HighInferenceLatency")

	// Without labels accuracy is estimated once there is something to calibrate
	// with; with labels it is measured.
	r.labels.Store(true)
	s.waitQuery(`modelwatch_accuracy{service="shop",model="recommender"} > 0.6`, 60*time.Second)

	// Garbage changes nothing but the counters.
	const letters = "{}[]\":,0123456789truefalsenul modelfeatures\\\n\x00\xff"
	garbage := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		b := make([]byte, garbage.IntN(200))
		for i := range b {
			b[i] = letters[garbage.IntN(len(letters))]
		}
		status, answer := s.post("/ai/v1/inferences", "application/x-ndjson", string(b))
		require.Less(t, status, 500, "%q: %s", b, answer)
	}
	_, body = s.get("/ai/v1/models")
	var known struct{ Models []struct{ Model string } }
	require.NoError(t, json.Unmarshal([]byte(body), &known))
	for _, m := range known.Models {
		require.Equal(t, "recommender", m.Model)
	}
	s.stop()
}

// What was accepted is there after kill -9, and counted once.
func TestInferencesSurviveKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := options{args: []string{"--storage.path=" + dir}}
	s := start(t, o)
	accepted := 0
	for round := range 5 {
		for batch := range 20 {
			var b strings.Builder
			for i := range 50 {
				fmt.Fprintf(&b, `{"service":"shop","model":"m","model_version":"v1","request_id":"%d-%d-%d","duration_seconds":0.1,"status_code":200,"features":{"x":%d}}`+"\n", round, batch, i, i)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/ai/v1/inferences", strings.NewReader(b.String()))
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/x-ndjson")
			req.Header.Set("X-Modelwatch-Batch-Id", fmt.Sprintf("%d-%d", round, batch))
			for range 2 { // The repetition counts once.
				resp, err := web.Do(req.Clone(t.Context()))
				require.NoError(t, err)
				status, body := read(t, resp)
				require.Equal(t, http.StatusAccepted, status, body)
				req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, req.URL.String(), strings.NewReader(b.String()))
				require.NoError(t, err)
				req.Header.Set("Content-Type", "application/x-ndjson")
				req.Header.Set("X-Modelwatch-Batch-Id", fmt.Sprintf("%d-%d", round, batch))
			}
			accepted += 50
		}
		s.kill()
		s = start(t, o)
	}
	eventually(t, 20*time.Second, func() error {
		_, body := s.get("/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "http_requests_total{") && strings.Contains(line, `service="shop"`) {
				if strings.HasSuffix(strings.TrimSpace(line), " "+strconv.Itoa(accepted)) {
					return nil
				}
				return fmt.Errorf("counted %s, accepted %d", strings.TrimSpace(line), accepted)
			}
		}
		return fmt.Errorf("no series yet")
	})
	status, body := s.get("/ai/v1/inferences?model=m&limit=10000&request_id=" + url.QueryEscape("4-19-49"))
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, 1, strings.Count(body, `"4-19-49"`), body)
	s.stop()
}

// The Python client hands over to the running binary.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	script := write(t, t.TempDir(), "send.py", `
import sys, time
sys.path.insert(0, sys.argv[2])
import modelwatch
client = modelwatch.Client(sys.argv[1], service="shop")

@client.watch(model="ranker", version="v2")
def predict(x):
    return 0.5

for i in range(20):
    predict(i)
client.record(model="ranker", version="v2", features={"age": 30.0, "city": "Graz", "missing": None, "odd": float("nan")}, prediction="buy", request_id="r1")
client.label("r1", "buy")
client.close()
print(client.stats())
`)
	module, err := filepath.Abs(filepath.Join("..", "..", "client", "python"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "python3", script, s.url, module)
	cmd.Env = os.Environ()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	eventually(t, 15*time.Second, func() error {
		_, body := s.get("/metrics")
		if !strings.Contains(body, `model="ranker"`) {
			return fmt.Errorf("no series of the model: %s", out)
		}
		return nil
	})
	_, body := s.get("/ai/v1/models")
	require.Contains(t, body, `"ranker"`)
	s.stop()
}
