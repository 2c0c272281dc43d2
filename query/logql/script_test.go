package logql_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
	"github.com/modelwatch/modelwatch/query/logql"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// TestScripts runs the scripts in testdata. Their commands:
//
//	load                     empties the store, then: a selector on a line of its own, under it entries, indented, as
//	                         "offset @[name=value …] line"; the brackets with metadata are optional
//	log [start=] [end=] [limit=] [interval=] [forward] [categorize]
//	instant [at=]
//	range [start=] [end=] [step=]
//	explain
//	format                   the query in its canonical form, and over several lines if that differs
//
// Times are offsets from 2026-11-22T00:00:00Z. Every query runs on a store that counts and on one that does not, with one
// worker and with several, and must give the same. Rewrite the answers by go test -rewrite, then read the difference.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		store := memory.New()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "load":
				store = memory.New()
				return load(t, store, d)
			case "format":
				e, err := syntax.Parse(d.Input)
				if err != nil {
					return "error: " + err.Error() + "\n"
				}
				if p := syntax.Pretty(e); p != e.String() {
					return e.String() + "\n--\n" + p + "\n"
				}
				return e.String() + "\n"
			}
			type selectOnly struct{ logql.Store }
			first := ""
			for i, engine := range []*logql.Engine{
				logql.New(selectOnly{store}, logql.Options{Workers: 1, MaxSeries: 40}),
				logql.New(selectOnly{store}, logql.Options{Workers: 3, MaxSeries: 40}),
				logql.New(store, logql.Options{Workers: 1, MaxSeries: 40}),
			} {
				out := runQuery(t, engine, d)
				switch {
				case d.Cmd == "explain":
					return runQuery(t, logql.New(store, logql.Options{Workers: 2}), d)
				case i == 0:
					first = out
				default:
					if strings.HasPrefix(first, "error: pipeline error") && strings.HasPrefix(out, "error: pipeline error") {
						continue // which of several entries is named depends on the order
					}
					require.Equal(t, first, out, "%s: engine %d", d.Pos, i)
				}
			}
			return first
		})
	})
}

const scriptStart = 1795305600 // 2026-11-22T00:00:00Z

func duration(t *testing.T, d *datadriven.TestData, name, def string) time.Duration {
	if d.HasArg(name) {
		d.ScanArgs(t, name, &def)
	}
	out, err := time.ParseDuration(def)
	require.NoError(t, err)
	return out
}

func load(t *testing.T, store *memory.Store, d *datadriven.TestData) string {
	var s *logs.Stream
	var streams []*logs.Stream
	n := 0
	for line := range strings.Lines(d.Input) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "{") {
			ms, err := syntax.ParseMatchers(line, false)
			require.NoError(t, err)
			b := labels.NewBuilder(labels.EmptyLabels())
			for _, m := range ms {
				b.Set(m.Name, m.Value)
			}
			s = &logs.Stream{Labels: b.Labels()}
			streams = append(streams, s)
			continue
		}
		offset, rest, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
		at, err := time.ParseDuration(offset)
		require.NoError(t, err, "%s: %q", d.Pos, line)
		e := logs.Entry{Timestamp: scriptStart*1e9 + int64(at), Line: rest}
		if strings.HasPrefix(rest, "@[") {
			meta, after, ok := strings.Cut(rest[2:], "] ")
			require.True(t, ok, line)
			b := labels.NewBuilder(labels.EmptyLabels())
			for kv := range strings.FieldsSeq(meta) {
				k, v, _ := strings.Cut(kv, "=")
				b.Set(k, v)
			}
			e.Metadata, e.Line = b.Labels(), after
		}
		e.Line = strings.NewReplacer(`\e`, "\x1b", `\a`, "\a", `\xff`, "\xff").Replace(e.Line)
		s.Entries = append(s.Entries, e)
		n++
	}
	for _, s := range streams {
		require.NoError(t, store.Append(t.Context(), []logs.Stream{*s}))
	}
	return fmt.Sprintf("%d entries\n", n)
}

func runQuery(t *testing.T, engine *logql.Engine, d *datadriven.TestData) string {
	origin := time.Unix(scriptStart, 0)
	var res *logql.Result
	var err error
	switch d.Cmd {
	case "log":
		q := logql.Query{
			Text: d.Input, Start: origin.Add(duration(t, d, "start", "0s")), End: origin.Add(duration(t, d, "end", "1h")),
			Interval: duration(t, d, "interval", "0s"), Forward: d.HasArg("forward"), Categorize: d.HasArg("categorize"),
		}
		d.MaybeScanArgs(t, "limit", &q.Limit)
		res, err = engine.Range(t.Context(), q)
	case "range":
		res, err = engine.Range(t.Context(), logql.Query{
			Text: d.Input, Start: origin.Add(duration(t, d, "start", "0s")),
			End: origin.Add(duration(t, d, "end", "5m")), Step: duration(t, d, "step", "1m"),
		})
	case "instant":
		res, err = engine.Instant(t.Context(), d.Input, origin.Add(duration(t, d, "at", "1m")))
	case "explain":
		n, err := engine.Explain(d.Input)
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		return n.String()
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	return render(res)
}

func render(res *logql.Result) string {
	var b strings.Builder
	at := func(ns int64) string { return time.Duration(ns - scriptStart*1e9).String() }
	num := func(v float64) string {
		if math.Abs(v) < 1e15 {
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 12, 64), 64)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	switch res.Type {
	case logql.Streams:
		for _, s := range res.Streams {
			fmt.Fprintln(&b, s.Labels)
			for _, e := range s.Entries {
				fmt.Fprintf(&b, "  %s %q", at(e.Timestamp), e.Line)
				if !e.Metadata.IsEmpty() {
					fmt.Fprintf(&b, " metadata %s", e.Metadata)
				}
				if !e.Parsed.IsEmpty() {
					fmt.Fprintf(&b, " parsed %s", e.Parsed)
				}
				b.WriteByte('\n')
			}
		}
	case logql.Vector:
		for _, s := range res.Vector {
			fmt.Fprintf(&b, "%s %s\n", s.Labels, num(s.Point.V))
		}
	case logql.Matrix:
		for _, s := range res.Matrix {
			fmt.Fprintf(&b, "%s", s.Labels)
			for _, p := range s.Points {
				fmt.Fprintf(&b, " %s=%s", at(p.T*1e6), num(p.V))
			}
			b.WriteByte('\n')
		}
	case logql.Scalar:
		fmt.Fprintf(&b, "scalar %s\n", num(res.Scalar.Point.V))
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}
