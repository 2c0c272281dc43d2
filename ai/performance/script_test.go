package performance

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// TestScripts runs the text scripts in testdata: events in, findings out. Run
// with -rewrite to write what the code says now.
//
// Commands:
//
//	window NAME [task=..] [positive=..]   records follow, one kind a line
//	summary NAME [length=1m]              what the service side says
//	report NAME                           what the labels say
//	estimate NAME baseline=NAME           what is estimated without labels
//	judge NAME [baseline=NAME] [ID.threshold=X ...] [all]
//	compare OLDER NEWER [length=1m] [newer-length=1m]
//
// A record line is a number of records and field=value pairs. A value a..b
// runs evenly from a to b over the records. truth=p makes the label of record i
// positive so that the share of positives at each probability is that probability
// to the power of skew (1 by default).
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			t.Skip("not a script")
		}
		windows := map[string]*Window{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return runScript(t, windows, d)
		})
	})
}

func runScript(t *testing.T, windows map[string]*Window, d *datadriven.TestData) string {
	name := d.CmdArgs[0].Key
	arg := func(key, otherwise string) string {
		if d.HasArg(key) {
			d.ScanArgs(t, key, &otherwise)
		}
		return otherwise
	}
	length, err := time.ParseDuration(arg("length", "1m"))
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	settings := Settings{Limits: map[string]Limit{}}
	for _, a := range d.CmdArgs {
		id, which, ok := strings.Cut(a.Key, ".")
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(a.Vals[0], 64)
		require.NoError(t, err)
		l := settings.Limits[id]
		if which == "threshold" {
			l.Threshold = &x
		} else {
			l.Critical = &x
		}
		settings.Limits[id] = l
	}
	require.NoError(t, settings.Validate())
	switch d.Cmd {
	case "window":
		w := NewWindow(Options{Task: Task(arg("task", "")), PositiveClass: arg("positive", "")})
		records := 0
		for line := range strings.Lines(d.Input) {
			records += observeLine(t, w, at, strings.TrimSpace(line))
		}
		// Whatever a script builds must survive being kept.
		data, err := json.Marshal(w)
		require.NoError(t, err)
		var back Window
		require.NoError(t, json.Unmarshal(data, &back))
		again, err := json.Marshal(&back)
		require.NoError(t, err)
		require.JSONEq(t, string(data), string(again))
		windows[name] = &back
		return fmt.Sprintf("%d records, %d labels\n", records, back.Labelled())
	case "summary":
		s := windows[name].Service.Summary(length)
		var b strings.Builder
		for _, m := range []struct {
			name string
			m    Measure
		}{
			{"rate", s.Rate},
			{"error_ratio", s.ErrorRatio},
			{"client_error_ratio", s.ClientErrorRatio},
			{"latency_mean", s.LatencyMean},
			{"latency_p50", s.LatencyP50},
			{"latency_p95", s.LatencyP95},
			{"first_token_p95", s.FirstTokenP95},
			{"token_rate_p50", s.TokenRateP50},
			{"token_throughput", s.TokenThroughput},
		} {
			fmt.Fprintf(&b, "%s: %s\n", m.name, showMeasure(m.m))
		}
		for _, c := range Classes() {
			if n := windows[name].Service.Outcomes[c]; n > 0 {
				fmt.Fprintf(&b, "%s=%d ", c, n)
			}
		}
		return strings.TrimSpace(b.String()) + "\n" + showErrors(&windows[name].Service)
	case "report":
		return showReport(windows[name])
	case "estimate":
		e := NewReference(windows[arg("baseline", "")], time.Hour).Estimate(&windows[name].Predictions)
		return fmt.Sprintf("positive=%q accuracy: %s\nprecision: %s\nrecall: %s\nf1: %s\nroc_auc: %s\nbinning=%s\n%s\n",
			e.Positive, showMeasure(e.Accuracy), showMeasure(e.Precision), showMeasure(e.Recall), showMeasure(e.F1),
			showMeasure(e.AUC), figure(e.BinningError), e.Calibration)
	case "judge":
		var reference *Reference
		if w := windows[arg("baseline", "")]; w != nil {
			reference = NewReference(w, time.Hour)
		}
		key := ai.Key{Service: "shop", Model: "ranker", Version: "v2"}
		j := Judge(key, ai.Window{Start: at, Length: length}, windows[name], reference, settings)
		checkFinite(t, j.Findings())
		return showJudgement(&j, d.HasArg("all"))
	case "compare":
		newerLength, err := time.ParseDuration(arg("newer-length", length.String()))
		require.NoError(t, err)
		c := Compare(
			Side{Key: ai.Key{Model: "ranker", Version: "v1"}, Window: windows[name], Length: length},
			Side{Key: ai.Key{Model: "ranker", Version: "v2"}, Window: windows[d.CmdArgs[1].Key], Length: newerLength},
			DefaultMargins(), settings)
		r := c.Result(settings)
		return fmt.Sprintf("%s\n%s\nfinding: %s\n", c.Outcome, strings.Join(c.Notes, "\n"), showSeverity(&r))
	}
	t.Fatalf("unknown command %q", d.Cmd)
	return ""
}

func observeLine(t *testing.T, w *Window, at time.Time, line string) int {
	if line == "" {
		return 0
	}
	fields := splitFields(line)
	n, err := strconv.Atoi(fields[0])
	require.NoError(t, err, line)
	for i := range n {
		at := at.Add(time.Duration(i) * time.Millisecond)
		inf := ai.Inference{Service: "shop", Model: "ranker", ModelVersion: "v2", Timestamp: at}
		var label ai.Value
		skew := 1.0
		p := math.NaN()
		fromP := false
		for _, f := range fields[1:] {
			key, text, _ := strings.Cut(f, "=")
			number := func() float64 { return spread(t, text, i, n) }
			switch key {
			case "duration":
				inf.DurationSeconds = number()
			case "status":
				inf.StatusCode = int(number())
			case "error":
				inf.Error = strings.Trim(text, `"`)
			case "tokens":
				inf.Tokens = ai.Tokens{Input: 10, Output: uint64(number())}
			case "ttft":
				inf.TimeToFirstTokenSeconds = number()
			case "prediction":
				inf.Prediction = value(t, text, i, n)
			case "label":
				label = value(t, text, i, n)
			case "p":
				p = number()
				inf.Probabilities = []ai.ClassProbability{{Class: "0", P: 1 - p}, {Class: "1", P: p}}
			case "cut":
				inf.Prediction = ai.Number(0)
				if p >= number() {
					inf.Prediction = ai.Number(1)
				}
			case "probabilities":
				for pair := range strings.SplitSeq(text, ",") {
					class, x, _ := strings.Cut(pair, ":")
					inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: class, P: spread(t, x, i, n)})
				}
			case "skew":
				skew = number()
			case "truth":
				fromP = true
			default:
				t.Fatalf("unknown field %q", key)
			}
		}
		require.NoError(t, inf.Validate(), line)
		if fromP {
			// The golden ratio spreads the labels evenly over neighbouring records.
			_, frac := math.Modf(float64(i) * math.Phi)
			label = ai.Number(0)
			if frac < math.Pow(p, skew) {
				label = ai.Number(1)
			}
		}
		w.Observe(&inf)
		if !label.IsMissing() {
			require.True(t, w.ObserveLabel(&inf, label), line)
		}
	}
	return n
}

// splitFields splits at spaces outside quotes.
func splitFields(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

// spread reads a number, or the i-th of n from a to b.
func spread(t *testing.T, text string, i, n int) float64 {
	a, b, ok := strings.Cut(text, "..")
	x, err := strconv.ParseFloat(a, 64)
	require.NoError(t, err, text)
	if !ok {
		return x
	}
	y, err := strconv.ParseFloat(b, 64)
	require.NoError(t, err, text)
	return x + (y-x)*float64(i)/float64(max(n-1, 1))
}

func value(t *testing.T, text string, i, n int) ai.Value {
	switch {
	case text == "true", text == "false":
		return ai.Bool(text == "true")
	case text[0] >= '0' && text[0] <= '9' || text[0] == '-':
		return ai.Number(spread(t, text, i, n))
	}
	return ai.String(text)
}

func showMeasure(m Measure) string {
	if !m.Known {
		return "unknown: " + m.Reason
	}
	return fmt.Sprintf("%s [%s, %s] n=%d", figure(m.Value), figure(m.Interval.Low), figure(m.Interval.High), m.N)
}

func showErrors(s *Service) string {
	var lines []string
	for name, n := range s.Errors {
		lines = append(lines, fmt.Sprintf("  %s: %d\n", name, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func showReport(w *Window) string {
	var b strings.Builder
	if c := w.Classification; c.N() > 0 {
		r := c.Report()
		fmt.Fprintf(&b, "positive=%q n=%d\naccuracy: %s\nprecision: %s\nrecall: %s\nf1: %s\nroc_auc: %s ±%s\nlog_loss: %s\ncalibration_error: %s noise=%s\n",
			r.Positive, r.N, showMeasure(r.Accuracy), showMeasure(r.Precision), showMeasure(r.Recall), showMeasure(r.F1),
			showMeasure(r.AUC), figure(r.AUCErrorBound), showMeasure(r.LogLoss), showMeasure(r.CalibrationError), figure(r.CalibrationNoise))
		for _, cr := range r.Classes {
			fmt.Fprintf(&b, "  %s: support=%d predicted=%d f1: %s\n", cr.Class, cr.Support, cr.Predicted, showMeasure(cr.F1))
		}
	}
	if r := w.Regression.Report(); r.N+r.Unusable > 0 {
		fmt.Fprintf(&b, "mae: %s\nrmse: %s\nmape: %s zero_labels=%d\nbias: %s\nr2: %s\n",
			showMeasure(r.MAE), showMeasure(r.RMSE), showMeasure(r.MAPE), r.ZeroLabels, showMeasure(r.Bias), showMeasure(r.R2))
	}
	if b.Len() == 0 {
		return "no labels\n"
	}
	return b.String()
}

func showSeverity(r *Result) string {
	switch {
	case !r.Score.Known:
		return "unknown"
	case r.Severity == "":
		return "ok"
	}
	return string(r.Severity)
}

// showJudgement prints findings, and with all every result.
func showJudgement(j *Judgement, all bool) string {
	var b strings.Builder
	for i := range j.Results {
		r := &j.Results[i]
		if r.Severity == "" && !all {
			continue
		}
		fmt.Fprintf(&b, "%s: %s", r.Kind.ID, showSeverity(r))
		if r.Score.Known {
			fmt.Fprintf(&b, " score=%s", figure(r.Score.Value))
		}
		if r.PValue != nil {
			fmt.Fprintf(&b, " p=%s", showP(*r.PValue))
		}
		fmt.Fprintf(&b, "\n  %s\n", r.Message)
	}
	if b.Len() == 0 {
		return "nothing found\n"
	}
	return b.String()
}

func checkFinite(t *testing.T, findings []ai.Finding) {
	t.Helper()
	for _, f := range findings {
		data, err := json.Marshal(f)
		require.NoError(t, err)
		require.NotContains(t, f.Message, "NaN", string(data))
		require.NotContains(t, f.Message, "Inf", string(data))
		require.NotEmpty(t, f.Method)
		require.NotZero(t, f.SampleSize)
		if f.Direction == ai.Above {
			require.Greater(t, f.Score, f.Threshold)
		} else {
			require.Less(t, f.Score, f.Threshold)
		}
		if f.PValue != nil {
			require.LessOrEqual(t, *f.PValue, *f.PValueThreshold)
		}
	}
}

// showP keeps the rounding of tiny tails out of scripts.
func showP(p float64) string {
	if p < 1e-12 {
		return "<1e-12"
	}
	return fmt.Sprintf("%.3g", p)
}
