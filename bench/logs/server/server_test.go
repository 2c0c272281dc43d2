package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/store/logs/local"
)

func open(t *testing.T) (*Server, *httptest.Server) {
	t.Helper()
	s, err := New(t.Context(), local.Options{Dir: t.TempDir()})
	require.NoError(t, err)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		require.NoError(t, s.Close())
	})
	return s, h
}

const goldenDir = "../../../test/logql/"

func readGzip(t *testing.T, name string, into any) {
	t.Helper()
	f, err := os.Open(goldenDir + name)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(into))
}

type golden struct {
	Status int             `json:"status"`
	Type   string          `json:"type"`
	Result json.RawMessage `json:"result"`
}

// TestLoki pushes recorded data and compares the answers to queries, over HTTP, with those of a real Loki.
func TestLoki(t *testing.T) {
	s, h := open(t)
	base := (time.Now().Unix()/1800 - 1) * 1800
	var data []struct {
		Stream map[string]string   `json:"stream"`
		Values [][]json.RawMessage `json:"values"`
	}
	readGzip(t, "data.json.gz", &data)
	for _, d := range data {
		for _, v := range d.Values {
			var ts string
			require.NoError(t, json.Unmarshal(v[0], &ts))
			n, err := strconv.ParseInt(ts, 10, 64)
			require.NoError(t, err)
			v[0] = json.RawMessage(strconv.Quote(fmt.Sprint(base*1e9 + n)))
		}
	}
	body, err := json.Marshal(map[string]any{"streams": data})
	require.NoError(t, err)
	push(t, h.URL, body)
	want := map[string]golden{}
	readGzip(t, "golden.json.gz", &want)
	queries, err := os.ReadFile(goldenDir + "queries.txt")
	require.NoError(t, err)
	compare := func(t *testing.T) {
		n := 0
		for line := range strings.Lines(string(queries)) {
			kind, text, ok := strings.Cut(strings.TrimRight(line, "\n"), " ")
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			got := askGolden(t, h.URL, base, kind, text)
			w := want[kind+" "+text]
			n++
			if w.Status != 200 {
				require.NotEqual(t, 200, got.Status, text)
				continue
			}
			require.Equal(t, 200, got.Status, "%s: %s", text, got.Result)
			require.Equal(t, w.Type, got.Type, text)
			var a, b any
			require.NoError(t, json.Unmarshal(w.Result, &a))
			require.NoError(t, json.Unmarshal(got.Result, &b))
			require.True(t, same(a, b), "%s\nwant %.600s\ngot  %.600s", text, w.Result, got.Result)
		}
		require.Equal(t, len(want), n)
	}
	t.Run("hot", compare)
	for _, d := range s.Store.Status().Days {
		require.NoError(t, s.Store.Seal(t.Context(), d.Day))
	}
	t.Run("sealed", compare)
}

func push(t *testing.T, base string, body []byte) {
	t.Helper()
	resp, err := http.Post(base+"/loki/api/v1/push", "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
}

// askGolden asks and puts the answer into the form of the recording.
func askGolden(t *testing.T, server string, base int64, kind, text string) golden {
	t.Helper()
	params, path := url.Values{"query": {text}, "limit": {"5000"}}, "/loki/api/v1/query"
	if kind == "instant" {
		params.Set("time", fmt.Sprint((base+1800)*1e9))
	} else {
		path += "_range"
		params.Set("start", fmt.Sprint(base*1e9))
		params.Set("end", fmt.Sprint((base+1800)*1e9))
		params.Set("step", "60")
		params.Set("direction", "forward")
	}
	resp, err := http.Get(server + path + "?" + params.Encode())
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text := new(bytes.Buffer)
		_, _ = text.ReadFrom(resp.Body)
		return golden{Status: resp.StatusCode, Result: json.RawMessage(strconv.Quote(text.String()))}
	}
	var body struct {
		Data struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	out := golden{Status: 200, Type: body.Data.ResultType}
	if out.Type == "scalar" {
		var v []any
		require.NoError(t, json.Unmarshal(body.Data.Result, &v))
		out.Result, err = json.Marshal(v[1:])
		require.NoError(t, err)
		return out
	}
	var rows []struct {
		Stream, Metric map[string]string
		Values         [][]any
		Value          []any
	}
	require.NoError(t, json.Unmarshal(body.Data.Result, &rows))
	var result [][]any
	for _, r := range rows {
		ls := r.Stream
		if ls == nil {
			ls = r.Metric
		}
		if r.Value != nil {
			r.Values = [][]any{r.Value}
		}
		for _, v := range r.Values {
			if out.Type == "streams" {
				n, err := strconv.ParseInt(v[0].(string), 10, 64)
				require.NoError(t, err)
				v[0] = n - base*1e9
			} else {
				v[0] = math.Round((v[0].(float64)-float64(base))*1000) / 1000
			}
		}
		slices.SortStableFunc(r.Values, func(a, b []any) int {
			x, y := fmt.Sprintf("%020v", a[0]), fmt.Sprintf("%020v", b[0])
			if out.Type != "streams" || x != y {
				return strings.Compare(x, y)
			}
			return strings.Compare(a[1].(string), b[1].(string))
		})
		result = append(result, []any{labelText(ls), r.Values})
	}
	slices.SortFunc(result, func(a, b []any) int {
		if n := strings.Compare(a[0].(string), b[0].(string)); n != 0 {
			return n
		}
		return strings.Compare(fmt.Sprint(a[1]), fmt.Sprint(b[1]))
	})
	if result == nil {
		result = [][]any{}
	}
	out.Result, err = json.Marshal(result)
	require.NoError(t, err)
	return out
}

// labelText is a label set as the recording writes it.
func labelText(ls map[string]string) string {
	names := make([]string, 0, len(ls))
	for name := range ls {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	quote := func(s string) string {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s)
		return strings.TrimSpace(b.String())
	}
	for _, name := range names {
		parts = append(parts, quote(name)+": "+quote(ls[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func same(a, b any) bool {
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !same(x[i], y[i]) {
				return false
			}
		}
		return true
	case nil:
		return b == nil
	}
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(fmt.Sprint(a), 64)
	y, errY := strconv.ParseFloat(fmt.Sprint(b), 64)
	if errX != nil || errY != nil {
		return false
	}
	return math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= 1e-9+1e-6*math.Max(math.Abs(x), math.Abs(y))
}

// TestRequests sends the requests that Grafana's Loki data source, Logs Drilldown and logcli send, and compares the
// answers with those written down. "$t" with an offset in seconds stands for a time. Run with -rewrite to write them anew.
func TestRequests(t *testing.T) {
	_, h := open(t)
	base := time.Now().Add(-30*time.Minute).Unix() / 600 * 600
	times := func(s, unit string) string {
		return regexp.MustCompile(`\$t(ns|s)([+-]\d+)?`).ReplaceAllStringFunc(s, func(m string) string {
			n := base
			suffix := "s"
			rest := strings.TrimPrefix(m, "$t")
			if strings.HasPrefix(rest, "ns") {
				suffix, rest = "ns", rest[2:]
			} else {
				rest = rest[1:]
			}
			if rest != "" {
				d, _ := strconv.ParseInt(rest, 10, 64)
				n += d
			}
			if suffix == "ns" {
				return fmt.Sprint(n) + "000000000"
			}
			return fmt.Sprint(n)
		}) + unit
	}
	hide := func(s string) string {
		s = regexp.MustCompile(`"stats":\{"summary".*?"usedBloomFilters":false\}\}`).ReplaceAllString(s, `"stats":{...}`)
		s = regexp.MustCompile(`"(request_id|created_at)":("[^"]*"|[\d.]+)`).ReplaceAllString(s, `"$1":...`)
		// Times of the data, in nanoseconds and seconds.
		return regexp.MustCompile(`\b(1[789]\d{8})(\d{9})?\b`).ReplaceAllStringFunc(s, func(m string) string {
			n, _ := strconv.ParseInt(m[:10], 10, 64)
			if d := n - base; d > -4000 && d < 4000 {
				return fmt.Sprintf("$t%+d%s", d, strings.TrimRight(m[10:], "0"))
			}
			return m
		})
	}
	datadriven.RunTest(t, "testdata/requests", func(t *testing.T, d *datadriven.TestData) string {
		lines := strings.SplitN(d.Input, "\n", 2)
		target, body := times(lines[0], ""), ""
		if len(lines) > 1 {
			body = times(lines[1], "")
		}
		target = strings.NewReplacer(" ", "%20", "+", "%2B", `"`, "%22", "{", "%7B", "}", "%7D", "|", "%7C", "`", "%60").Replace(target)
		req, err := http.NewRequestWithContext(t.Context(), strings.ToUpper(d.Cmd), h.URL+target, strings.NewReader(body))
		require.NoError(t, err)
		if d.Cmd == "post" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if strings.HasPrefix(body, "{") {
				req.Header.Set("Content-Type", "application/json")
			}
		}
		if d.HasArg("categorize") {
			req.Header.Set("X-Loki-Response-Encoding-Flags", "categorize-labels")
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		text := new(bytes.Buffer)
		_, err = text.ReadFrom(resp.Body)
		require.NoError(t, err)
		return strings.TrimRight(fmt.Sprintf("%d\n%s", resp.StatusCode, hide(text.String())), "\n") + "\n"
	})
}

// TestTail follows lines live.
func TestTail(t *testing.T) {
	_, h := open(t)
	send := func(ts time.Time, line string) {
		push(t, h.URL, fmt.Appendf(nil, `{"streams":[{"stream":{"job":"ai"},"values":[["%d",%q]]},{"stream":{"job":"web"},"values":[["%d","other"]]}]}`, ts.UnixNano(), line, ts.UnixNano()))
	}
	now := time.Now().Add(-time.Minute)
	send(now, "level=info x=0")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.URL, "http")+"/loki/api/v1/tail?"+url.Values{"query": {`{job="ai"} | logfmt | level="info" | line_format "{{.level}}!"`}, "start": {fmt.Sprint(now.Add(-time.Minute).UnixNano())}}.Encode(), nil)
	require.NoError(t, err)
	defer func() { _ = c.CloseNow() }()
	read := func() string {
		_, text, err := c.Read(ctx)
		require.NoError(t, err)
		return regexp.MustCompile(`"\d{19}"`).ReplaceAllString(string(text), `"t"`)
	}
	require.JSONEq(t, `{"streams":[{"stream":{"job":"ai","level":"info","x":"0"},"values":[["t","info!"]]}]}`, read())
	send(now.Add(time.Second), "level=error no")
	send(now.Add(2*time.Second), "level=info x=1")
	require.JSONEq(t, `{"streams":[{"stream":{"job":"ai","level":"info","x":"1"},"values":[["t","info!"]]}]}`, read())
	for _, bad := range []string{"", "rate({job=\"ai\"}[1m])", "{job="} {
		resp, err := http.Get(h.URL + "/loki/api/v1/tail?query=" + url.QueryEscape(bad))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, bad)
	}
}

// TestCancelledQuery ends a query over everything with its client.
func TestCancelledQuery(t *testing.T) {
	s, h := open(t)
	now := time.Now().UnixNano()
	for i := range 30 {
		var values []string
		for j := range 10_000 {
			values = append(values, fmt.Sprintf(`["%d","{\"level\":\"info\",\"n\":%d,\"text\":\"some more text to look through %d\"}"]`, now-int64(i*10_000+j)*1000, j, i))
		}
		push(t, h.URL, []byte(`{"streams":[{"stream":{"job":"ai"},"values":[`+strings.Join(values, ",")+`]}]}`))
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL+"/loki/api/v1/query_range?step=60&query="+url.QueryEscape(`sum by (n) (count_over_time({job="ai"} | json | text=~".*9.*" [1m]))`), nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req)
	require.Error(t, err)
	// All places for queries are free again at once.
	require.Eventually(t, func() bool { return s.Store.Status().Queries == 0 }, 5*time.Second, 5*time.Millisecond)
}
