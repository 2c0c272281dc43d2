package rules

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/stretchr/testify/require"
)

// Each letter is one step of a minute: x where the condition holds.
func TestPreviewFollowsTheRuleManager(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps      string
		wait, keep time.Duration
		want       string // p and f for pending and firing, by minute.
		fired      int
	}{
		"at once":                 {"..xx.", 0, 0, "2f4", 1},
		"after for":               {".xxxx.", 2 * time.Minute, 0, "1p3 3f5", 1},
		"too short for for":       {".xx.xx.", 3 * time.Minute, 0, "1p3 4p6", 0},
		"twice":                   {"xx..xx.", time.Minute, 0, "0p1 1f2 4p5 5f6", 2},
		"kept firing over a gap":  {"x..x...", 0, 3 * time.Minute, "0f6", 1},
		"kept firing, then ended": {"x...x.", 0, 2 * time.Minute, "0f3 4f5", 2},
		"still firing":            {"...xx", 0, 0, "3f4", 1},
		"still pending":           {"...xx", time.Hour, 0, "3p4", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Unix(0, 0)
			p := &Preview{Start: start, End: start.Add(time.Duration(len(c.steps)-1) * time.Minute), Step: time.Minute}
			present := make([]bool, len(c.steps))
			for i := range c.steps {
				present[i] = c.steps[i] == 'x'
			}
			s := p.run(present, c.wait, c.keep)
			var got []string
			for _, span := range s.Spans {
				mark := "p"
				if span.Firing {
					mark = "f"
				}
				got = append(got, time.Duration(span.From.Sub(start) / time.Minute).String()[:1]+mark+time.Duration(span.To.Sub(start) / time.Minute).String()[:1])
			}
			require.Equal(t, c.want, strings.Join(got, " "))
			require.Equal(t, c.fired, s.Fired)
		})
	}
}

func TestPreviewIsBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, 15*time.Second, stepFor(time.Hour, 15*time.Second))
	require.Equal(t, time.Minute, stepFor(7*24*time.Hour, 15*time.Second))
	p := &Preview{Start: time.Unix(0, 0), Step: time.Second, End: time.Unix(999, 0)}
	present := make([]bool, 1000)
	for i := range present {
		present[i] = i%2 == 0
	}
	s := p.run(present, 0, 0)
	require.Equal(t, 500, s.Fired)
	require.Len(t, s.Spans, maxPreviewSpans)
	require.True(t, s.Cut)
}

func previewer(t *testing.T) *Manager {
	store := promqltest.LoadedStorage(t, `
load 15s
  latency{service="a"} 1x40 9x39 1x40 9x39 _x120
  latency{service="b"} 1x158 _x120
`)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	engine := promqltest.NewTestEngine(t, false, 0, 1_000_000)
	m := New(Options{
		Engine: engine, Parser: parser.NewParser(parser.Options{}), Queryable: store, Local: store,
		ExternalURL: &url.URL{}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	cfg := config.DefaultConfig
	m.config.Store(&cfg)
	t.Cleanup(m.cancel)
	return m
}

func TestPreviewOfData(t *testing.T) {
	t.Parallel()
	m := previewer(t)
	start := time.Unix(0, 0)
	p, err := m.Preview(t.Context(), PreviewRequest{Expr: "latency > 5", For: time.Minute, Start: start, End: start.Add(70 * time.Minute)})
	require.NoError(t, err)
	require.Equal(t, 2, p.Fired, "both breaches of ten minutes fire once")
	require.Equal(t, 1, p.Total)
	require.Equal(t, "a", p.Series[0].Labels.Get("service"))
	require.Empty(t, p.Series[0].Labels.Get("__name__"))
	require.InDelta(t, 14*time.Minute, p.Series[0].Longest, float64(time.Minute), "ten minutes and the look-back, without for")
	require.Len(t, p.Data, 1)
	require.Equal(t, "latency", p.Data[0].Selector)
	require.InDelta(t, 0.63, p.Data[0].Share, 0.06, "of 70 minutes the last 30 have no data, but for the look-back")
	require.Len(t, p.Data[0].Gaps, 1)
	require.Equal(t, p.End, p.Data[0].Gaps[0].To)

	_, err = m.Preview(t.Context(), PreviewRequest{Expr: "latency >", Start: start, End: start.Add(time.Hour)})
	require.ErrorContains(t, err, "parse error")
	_, err = m.Preview(t.Context(), PreviewRequest{Expr: "latency[5m]", Start: start, End: start.Add(time.Hour)})
	require.ErrorContains(t, err, "range vector")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.Preview(ctx, PreviewRequest{Expr: "latency > 5", Start: start, End: start.Add(time.Hour)})
	require.ErrorAs(t, err, new(promql.ErrQueryCanceled), "it ends with who asks")
}

func TestPreviewRefusesBadRequests(t *testing.T) {
	t.Parallel()
	h := previewer(t).PreviewHandler()
	for body, want := range map[string]string{
		`{`:                             "read request",
		`{}`:                            "expr: there is none",
		`{"expr":"up","for":"soon"}`:    "for: not a valid duration",
		`{"expr":"up","range":"400d"}`:  "range: ",
		`{"expr":"up","bogus":1}`:       "unknown field",
		`{"expr":"up ==","range":"1h"}`: "parse error",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		require.GreaterOrEqual(t, w.Code, 400, body)
		require.Contains(t, w.Body.String(), want)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"expr":"vector(1)","range":"1h","for":"5m"}`)))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Contains(t, w.Body.String(), `"fired":1,`)
	require.Contains(t, w.Body.String(), `"firingNow":1`)
}
