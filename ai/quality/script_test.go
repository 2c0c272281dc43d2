package quality_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/internal/script"
	"github.com/modelwatch/modelwatch/ai/profile"
	"github.com/modelwatch/modelwatch/ai/quality"
)

// TestScripts runs the scripts in testdata: a baseline and windows in, findings
// out. Run "go test ./ai/quality -run TestScripts -rewrite" to write what comes
// out.
//
//	baseline n=.. seed=..     makes the baseline, one feature a line
//	no-baseline               goes on without one
//	limit ID [off] [threshold=..] [critical=..]
//	schema NAME               sets a configured schema, as JSON
//	window n=.. seed=..       a window, and what is found in it
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{opt: quality.Options{Limits: map[string]quality.Limit{}, Schemas: map[string]ai.Schema{}}}
		datadriven.RunTest(t, path, w.run)
	})
}

type world struct {
	baseline *ai.Baseline
	opt      quality.Options
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "no-baseline":
		w.baseline = nil
	case "baseline":
		b := profile.NewBuilder(profile.BuilderOptions{})
		for _, inf := range records(t, d) {
			require.NoError(t, b.Add(&inf))
		}
		var err error
		w.baseline, err = b.Build(profile.Meta{Key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, ID: "b1"})
		require.NoError(t, err)
	case "limit":
		var l quality.Limit
		l.Off = d.HasArg("off")
		number := func(name string, to **float64) {
			if d.HasArg(name) {
				*to = new(float64)
				var s string
				d.ScanArgs(t, name, &s)
				_, err := fmt.Sscan(s, *to)
				require.NoError(t, err)
			}
		}
		number("threshold", &l.Threshold)
		number("critical", &l.Critical)
		w.opt.Limits[d.CmdArgs[0].Key] = l
		require.NoError(t, w.opt.Validate())
	case "schema":
		var s ai.Schema
		require.NoError(t, json.Unmarshal([]byte(d.Input), &s), d.Pos)
		w.opt.Schemas[d.CmdArgs[0].Key] = s
	case "window":
		return w.window(t, d)
	default:
		t.Fatalf("%s: %q is not a command", d.Pos, d.Cmd)
	}
	return ""
}

func records(t *testing.T, d *datadriven.TestData) []ai.Inference {
	t.Helper()
	var n int
	var seed uint64
	d.ScanArgs(t, "n", &n)
	d.ScanArgs(t, "seed", &seed)
	out, err := script.Generate(d.Input, n, seed, script.Day)
	require.NoError(t, err, d.Pos)
	if d.HasArg("no-features") {
		for i := range out {
			out[i].Features = nil
		}
	}
	return out
}

func (w *world) window(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	var o profile.Options
	d.MaybeScanArgs(t, "max-features", &o.MaxFeatures)
	a := profile.NewAccumulator(ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, w.baseline, o)
	for _, inf := range records(t, d) {
		a.Add(&inf, inf.Timestamp)
	}
	var s strings.Builder
	for _, m := range a.Flush() {
		for _, f := range quality.Evaluate(w.baseline, m, w.opt) {
			require.Equal(t, m.Key, f.Key)
			require.Equal(t, m.Window.Start, f.Since)
			require.True(t, slices.ContainsFunc(quality.Catalogue(), func(c ai.Check) bool { return c.ID == f.Kind && c.Layer == f.Layer }))
			fmt.Fprintf(&s, "%s %s %s: %.3g is %s %.3g", f.Severity, f.Kind, f.Feature, f.Score, f.Direction, f.Threshold)
			if f.PValue != nil {
				require.LessOrEqual(t, *f.PValue, *f.PValueThreshold)
				fmt.Fprintf(&s, ", p %.2g of %.2g", *f.PValue, *f.PValueThreshold)
			}
			fmt.Fprintf(&s, " (%s, n=%d)\n  %s\n", f.Method, f.SampleSize, f.Message)
		}
	}
	if s.Len() == 0 {
		return "nothing found\n"
	}
	return s.String()
}
