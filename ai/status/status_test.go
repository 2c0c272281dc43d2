package status

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// TestScripts runs the text scripts in testdata: what is known in, states out. Run
// with -rewrite to write what the code says now.
//
// The one command is evaluate now=15:04:05 [stale-after=N] [fatal=a,b] [models];
// its lines are
//
//	version SERVICE/MODEL@VERSION [first=..] [last=..] [judged=LAYER:N,...]
//	finding LAYER KIND SEVERITY TEXT     about the version above
//	note LAYER TEXT                      about the version above
//	probe SERVICE TARGET up|down at=.. [TEXT]
//	reading SERVICE INSTANCE KIND VALUE at=..    "-" for no service or instance
//
// The report of one command is the previous one of the next in the file.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var previous *Report
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "evaluate", d.Cmd)
			var o Options
			in := Input{Previous: previous}
			for _, a := range d.CmdArgs {
				switch a.Key {
				case "now":
					in.Now = clock(t, a.Vals[0])
				case "stale-after":
					n, err := strconv.Atoi(a.Vals[0])
					require.NoError(t, err)
					o.StaleAfter = n
				case "fatal":
					o.Fatal = a.Vals
				}
			}
			for line := range strings.Lines(d.Input) {
				parse(t, &in, strings.TrimSpace(line))
			}
			r := Evaluate(in, o)
			previous = &r
			check(t, &r)
			return show(&r, d.HasArg("models"))
		})
	})
}

func clock(t *testing.T, text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04:05", "2026-03-01 "+text)
	require.NoError(t, err)
	return at
}

func parse(t *testing.T, in *Input, line string) {
	if line == "" {
		return
	}
	fields := strings.Fields(line)
	options := map[string]string{}
	for _, f := range fields {
		if key, value, ok := strings.Cut(f, "="); ok {
			options[key] = value
		}
	}
	rest := func(n int) string { return strings.Join(fields[n:], " ") }
	dash := func(s string) string { return strings.TrimSuffix(s, "-") }
	switch fields[0] {
	case "version":
		e := Evidence{Window: time.Minute, Judged: map[ai.Layer]int{}}
		service, rest, ok := strings.Cut(fields[1], "/")
		require.True(t, ok)
		model, version, _ := strings.Cut(rest, "@")
		e.Key = ai.Key{Service: service, Model: model, Version: version}
		if s := options["first"]; s != "" {
			e.First = clock(t, s)
		}
		if s := options["last"]; s != "" {
			e.Last = clock(t, s)
		}
		for pair := range strings.SplitSeq(options["judged"], ",") {
			if layer, n, ok := strings.Cut(pair, ":"); ok {
				x, err := strconv.Atoi(n)
				require.NoError(t, err)
				e.Judged[ai.Layer(layer)] = x
			}
		}
		in.Versions = append(in.Versions, e)
	case "finding":
		e := &in.Versions[len(in.Versions)-1]
		e.Take([]ai.Finding{{
			Layer: ai.Layer(fields[1]), Kind: fields[2], Severity: ai.Severity(fields[3]), Key: e.Key, Message: rest(4),
		}}, map[ai.Layer]int{ai.Layer(fields[1]): 1}, nil)
	case "note":
		in.Versions[len(in.Versions)-1].note(ai.Layer(fields[1]), rest(2))
	case "probe":
		in.Probes = append(in.Probes, Probe{
			Service: fields[1], Target: fields[2], Up: fields[3] == "up", At: clock(t, options["at"]), Reason: rest(5),
		})
	case "process":
		in.Probes = append(in.Probes, Probe{
			Service: fields[1], Up: fields[2] == "up", At: clock(t, options["at"]), Says: "No process of " + fields[1] + " runs.",
		})
	case "reading":
		x, err := strconv.ParseFloat(fields[4], 64)
		require.NoError(t, err)
		in.Readings = append(in.Readings, Reading{
			Service: dash(fields[1]), Instance: dash(fields[2]), Kind: fields[3], Value: x, At: clock(t, options["at"]),
		})
	default:
		t.Fatalf("unknown line %q", line)
	}
}

func show(r *Report, models bool) string {
	var b strings.Builder
	layers := func(indent string, layers []ai.Status) {
		for _, st := range layers {
			fmt.Fprintf(&b, "%s%s: %s since %s", indent, st.Layer, st.Health, st.Since.Format("15:04:05"))
			if len(st.Findings) > 0 {
				fmt.Fprintf(&b, " (%d findings)", len(st.Findings))
			}
			b.WriteByte('\n')
			for _, reason := range st.Reasons {
				fmt.Fprintf(&b, "%s  %s\n", indent, reason)
			}
		}
	}
	for _, s := range r.Services {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, s.Health)
		layers("  ", s.Layers)
		for _, v := range s.Models {
			if !models {
				continue
			}
			fmt.Fprintf(&b, "  %s: %s", name(v.Key), v.Health)
			if v.Retired {
				b.WriteString(" retired")
			}
			b.WriteByte('\n')
			layers("    ", v.Layers)
		}
	}
	if b.Len() == 0 {
		return "nothing is known\n"
	}
	return b.String()
}

// check holds of every report: four layers, no state without a reason but
// healthy, and the worst wins.
func check(t *testing.T, r *Report) {
	t.Helper()
	_, err := json.Marshal(r)
	require.NoError(t, err)
	for _, s := range r.Services {
		require.Len(t, s.Layers, 4)
		worst := ai.Healthy
		for i, st := range s.Layers {
			require.Equal(t, ai.Layers()[i], st.Layer)
			require.Equal(t, s.Name, st.Service)
			require.False(t, st.Since.IsZero())
			require.False(t, st.Since.After(r.At))
			if st.Health != ai.Healthy {
				require.NotEmpty(t, st.Reasons)
			}
			worst = ai.Worst(worst, st.Health)
		}
		require.Equal(t, worst, s.Health)
	}
}

// TestFromRequestsToStatus goes the whole way: requests are counted, judged, and
// become states.
func TestFromRequestsToStatus(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := ai.Key{Service: "shop", Model: "ranker", Version: "v1"}
	fill := func(n int, duration float64, status int) *performance.Window {
		w := performance.NewWindow(performance.Options{})
		for i := range n {
			p := float64(i%100)/100 + 0.005
			w.Observe(&ai.Inference{
				Service: "shop", Model: "ranker", ModelVersion: "v1", Timestamp: at,
				DurationSeconds: duration * (1 + p/10), StatusCode: status,
				Prediction:    ai.Number(math.Round(p)),
				Probabilities: []ai.ClassProbability{{Class: "0", P: 1 - p}, {Class: "1", P: p}},
			})
		}
		return w
	}
	reference := performance.NewReference(fill(1000, 0.1, 200), time.Hour)
	evaluate := func(now time.Time, w *performance.Window) map[ai.Layer]ai.Status {
		e := Evidence{Key: key, Window: time.Minute, First: at, Last: at}
		j := performance.Judge(key, ai.WindowAt(at, time.Minute), w, reference, performance.Settings{})
		e.Take(j.Findings(), j.Judged(), j.Unknown())
		r := Evaluate(Input{Now: now, Versions: []Evidence{e}}, Options{})
		check(t, &r)
		out := map[ai.Layer]ai.Status{}
		for _, st := range r.Services[0].Layers {
			out[st.Layer] = st
		}
		return out
	}
	soon := at.Add(30 * time.Second)

	st := evaluate(soon, fill(100, 0.1, 200))
	require.Equal(t, ai.Healthy, st[ai.LayerService].Health, st)
	require.Equal(t, ai.Healthy, st[ai.LayerModel].Health, st)
	require.Equal(t, ai.Unknown, st[ai.LayerData].Health, "nobody judged the data")
	require.Equal(t, ai.Unknown, st[ai.LayerResource].Health)
	require.Contains(t, strings.Join(st[ai.LayerModel].Reasons, " "), "0 labelled answers")

	st = evaluate(soon, fill(100, 0.4, 200))
	require.Equal(t, ai.Healthy, st[ai.LayerService].Health)
	require.Equal(t, ai.Degraded, st[ai.LayerModel].Health)
	require.Equal(t, "latency_p50", st[ai.LayerModel].Findings[0].Kind)

	st = evaluate(soon, fill(100, 0.4, 503))
	require.Equal(t, ai.Down, st[ai.LayerService].Health)
	require.Equal(t, "error_limit", st[ai.LayerService].Findings[0].Kind)

	st = evaluate(soon, fill(3, 0.1, 200))
	require.Equal(t, ai.Unknown, st[ai.LayerService].Health, "three requests say nothing")
	st = evaluate(at.Add(10*time.Minute), fill(100, 0.1, 503))
	require.Equal(t, ai.Unknown, st[ai.LayerService].Health, "what an old window said is old")
	require.Empty(t, st[ai.LayerService].Findings)
}

func TestSinceOfFindings(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var previous *Report
	evaluate := func(minute int, features ...string) []ai.Finding {
		now := at.Add(time.Duration(minute) * time.Minute)
		e := Evidence{Key: ai.Key{Service: "shop", Model: "m"}, First: at, Last: now}
		for _, name := range features {
			e.Findings = append(e.Findings, ai.Finding{Layer: ai.LayerData, Kind: "drift", Severity: ai.SeverityWarning, Key: e.Key, Feature: name})
		}
		r := Evaluate(Input{Now: now, Versions: []Evidence{e}, Previous: previous}, Options{})
		previous = &r
		require.Equal(t, r.Services[0].Layers[2].Findings, r.Services[0].Models[0].Layers[2].Findings)
		return r.Services[0].Layers[2].Findings
	}
	require.Equal(t, at, evaluate(0, "age")[0].Since)
	got := evaluate(1, "age", "income")
	require.Equal(t, at, got[0].Since)
	require.Equal(t, at.Add(time.Minute), got[1].Since)
	require.Empty(t, evaluate(2))
	require.Equal(t, at.Add(3*time.Minute), evaluate(3, "age")[0].Since, "it was gone in between")
}

// The default of Fatal names what the catalogues say.
func TestDefaultFatal(t *testing.T) {
	var want []string
	for _, k := range performance.Kinds() {
		if k.Fatal {
			want = append(want, k.ID)
		}
	}
	require.Equal(t, append(want, "host_down"), DefaultFatal())
	for _, c := range Catalogue() {
		require.Equal(t, ai.LayerResource, c.Layer)
		require.NotEmpty(t, c.Title)
		require.NotEmpty(t, c.Message)
		require.LessOrEqual(t, c.Threshold, *c.Critical)
	}
}

func TestLimits(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := Input{Now: now, Readings: []Reading{{Service: "shop", Kind: "cpu", Value: 0.8, At: now}}}
	state := func(o Options) ai.Health {
		require.NoError(t, o.Validate())
		return Evaluate(in, o).Services[0].Layers[3].Health
	}
	require.Equal(t, ai.Healthy, state(Options{}))
	require.Equal(t, ai.Degraded, state(Options{Limits: map[string]Limit{"cpu": {Threshold: new(0.7)}}}))
	require.Equal(t, ai.Unknown, state(Options{Limits: map[string]Limit{"cpu": {Off: true}}}))
	require.ErrorContains(t, Options{Limits: map[string]Limit{"ram": {}}}.Validate(),
		`resource check "ram" is not known: use one of host_down, gpu_missing, cpu`)
}

// FuzzEvaluate builds evidence from bytes: whatever it is, reports hold together.
func FuzzEvaluate(f *testing.F) {
	f.Add([]byte("versions come and go"), int64(100))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 250, 251, 252}, int64(-5))
	f.Fuzz(func(t *testing.T, data []byte, now int64) {
		in := Input{Now: time.Unix(now%1e9, 0)}
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			x := int(data[0])
			data = data[1:]
			return x
		}
		at := func() time.Time {
			x := next()
			if x == 0 {
				return time.Time{}
			}
			return in.Now.Add(time.Duration(40-x) * time.Minute)
		}
		severities := []ai.Severity{ai.SeverityInfo, ai.SeverityWarning, ai.SeverityCritical, "odd"}
		kinds := []string{"no_success", "host_down", "latency_p95", "cpu", "gpu_missing", "else"}
		for len(data) > 0 && len(in.Versions) < 50 {
			service := string(rune('a' + next()%3))
			switch next() % 3 {
			case 0:
				e := Evidence{Key: ai.Key{Service: service, Model: string(rune('m' + next()%2)), Version: strconv.Itoa(next() % 3)}, First: at(), Last: at(), Window: time.Duration(next()) * time.Second}
				for range next() % 4 {
					layer := ai.Layers()[next()%4]
					e.Take([]ai.Finding{{Layer: layer, Kind: kinds[next()%6], Severity: severities[next()%4]}}, map[ai.Layer]int{layer: next() % 2}, nil)
				}
				in.Versions = append(in.Versions, e)
			case 1:
				in.Probes = append(in.Probes, Probe{Service: service, Up: next()%2 == 0, At: at()})
			default:
				value := []float64{0, 0.95, 2, math.NaN(), math.Inf(1), -1}[next()%6]
				in.Readings = append(in.Readings, Reading{Service: strings.TrimSuffix(service, "c"), Kind: kinds[next()%6], Value: value, At: at()})
			}
		}
		first := Evaluate(in, Options{})
		check(t, &first)
		in.Previous = &first
		second := Evaluate(in, Options{})
		first.At, second.At = time.Time{}, time.Time{}
		require.Equal(t, first, second, "the same evidence at the same time is the same state since the same time")
	})
}

func BenchmarkEvaluate(b *testing.B) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	in := Input{Now: now}
	for i := range 30 {
		e := Evidence{
			Key:  ai.Key{Service: "s" + strconv.Itoa(i%10), Model: "m", Version: strconv.Itoa(i)},
			Last: now, First: now.Add(-time.Hour), Judged: map[ai.Layer]int{ai.LayerService: 3, ai.LayerModel: 2, ai.LayerData: 9},
		}
		for j := range 20 {
			e.Findings = append(e.Findings, ai.Finding{Layer: ai.LayerData, Kind: "drift", Severity: ai.SeverityWarning, Key: e.Key, Feature: strconv.Itoa(j), Message: "drifted"})
		}
		in.Versions = append(in.Versions, e)
	}
	b.ReportAllocs()
	for b.Loop() {
		Evaluate(in, Options{})
	}
}
