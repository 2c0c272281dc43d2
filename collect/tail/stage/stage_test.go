package stage

import (
	"bytes"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStages runs the scripts in testdata. Each holds stages, a line "===" and log lines; what comes out is shown with
// its labels, its time if it is not that of the line's arrival, and its metadata. Run with -rewrite to write the answers.
func TestStages(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			stages, input, _ := strings.Cut(d.Input, "===\n")
			now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
			clock := func() time.Time { return now }
			r := &node.Reader{}
			p := Read(r, r.Parse([]byte(stages)), "pipeline_stages")
			var out strings.Builder
			for _, problem := range r.Sorted() {
				fmt.Fprintln(&out, problem)
			}
			if r.Failed() {
				return out.String()
			}
			metrics := NewMetrics(clock)
			run := p.Start(&Env{Metrics: metrics, Now: clock}, func(e *Entry) {
				fmt.Fprintf(&out, "%s %s", pairs(e.Labels), strconv.Quote(e.Line))
				if !e.Time.Equal(now) {
					out.WriteString(" at " + e.Time.UTC().Format(time.RFC3339Nano))
				}
				if len(e.Metadata) > 0 {
					out.WriteString(" metadata " + pairs(e.Metadata))
				}
				out.WriteByte('\n')
			})
			for i, line := range strings.Split(strings.TrimSuffix(input, "\n"), "\n") {
				if wait, ok := strings.CutPrefix(line, "!wait "); ok {
					length, err := time.ParseDuration(wait)
					require.NoError(t, err)
					now = now.Add(length)
					run.Flush(now)
					continue
				}
				line = strings.NewReplacer(`\e`, "\x1b", `\t`, "\t").Replace(line)
				e := NewEntry(map[string]string{"job": "test"}, now, line)
				e.Start, e.End = int64(i), int64(i+1)
				run.Process(e)
			}
			if held, ok := run.Held(); ok {
				fmt.Fprintf(&out, "held from %d\n", held)
			}
			run.FlushAll()
			if d.HasArg("metrics") {
				out.WriteString(scrape(t, metrics))
			}
			if out.Len() == 0 {
				return "nothing\n"
			}
			return out.String()
		})
	})
}

func pairs(m map[string]string) string {
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return "{" + strings.Join(out, ", ") + "}"
}

func scrape(t *testing.T, m *Metrics) string {
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(m))
	families, err := reg.Gather()
	require.NoError(t, err)
	var b bytes.Buffer
	for _, f := range families {
		_, err := expfmt.MetricFamilyToText(&b, f)
		require.NoError(t, err)
	}
	return b.String()
}

func FuzzStages(f *testing.F) {
	f.Add("- json: {expressions: {a: b}}\n- labels: {a: }", `{"b":1}`)
	f.Add("- match: {selector: '{job=\"test\"} |= \"x\"', stages: [{drop: {longer_than: 1}}]}", "xx")
	f.Add("- cri:\n- logfmt: {mapping: {a: }}\n- replace: {expression: '(\\d+)', replace: '{{ .Value | Hash \"s\" }}'}", "2026-11-22T10:00:00Z stdout P a=1")
	f.Fuzz(func(t *testing.T, stages, line string) {
		r := &node.Reader{}
		p := Read(r, r.Parse([]byte(stages)), "s")
		if r.Failed() || strings.Contains(stages, "limit") {
			return
		}
		run := p.Start(&Env{Metrics: NewMetrics(time.Now), Now: time.Now}, func(*Entry) {})
		run.Process(NewEntry(map[string]string{"job": "test"}, time.Now(), line))
		run.FlushAll()
	})
}
