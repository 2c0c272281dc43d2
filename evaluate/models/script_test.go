package models_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	prom "github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/util/teststorage"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
	"github.com/modelwatch/modelwatch/evaluate/rules"
)

// TestScripts plays scripts in testdata: traffic goes in, and what the engine says of it,
// and the built-in alerts, come out.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			w.t = t
			return w.do(d)
		})
	})
}

// world is one engine with its clock, its traffic and a Prometheus that scrapes it.
type world struct {
	t         *testing.T
	clock     *clock
	store     *memory.Store
	engine    *models.Engine
	rng       *rand.Rand
	traffic   map[string]*traffic
	unlabeled []ai.Inference
	id        int
	scraped   *teststorage.TestStorage
	promql    *promql.Engine
	rules     []rulefmt.Rule
	last      map[string]labels.Labels // Series of the last scrape.
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, clock: &clock{midnight}, store: new(memory.Store), rng: rand.New(rand.NewPCG(1, 2)),
		traffic: make(map[string]*traffic), scraped: teststorage.New(t),
	}
	w.promql = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	t.Cleanup(func() {
		require.NoError(t, w.promql.Close())
	})
	text, err := rules.Read("builtin:ai.yml")
	require.NoError(t, err)
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	require.Empty(t, errs)
	for _, g := range groups.Groups {
		w.rules = append(w.rules, g.Rules...)
	}
	return w
}

func (w *world) do(d *datadriven.TestData) string {
	switch d.Cmd {
	case "engine":
		return w.start(d)
	case "run":
		return w.run(d)
	case "quiet":
		var minutes int
		d.ScanArgs(w.t, "minutes", &minutes)
		for ; minutes > 30; minutes-- {
			w.clock.now = w.clock.now.Add(time.Minute)
			w.engine.Tick(w.clock.now)
		}
		for range minutes * 60 {
			w.second()
		}
		return ""
	case "label":
		return w.label(d)
	case "status":
		return w.status()
	case "alerts":
		return w.alerts()
	case "series":
		var names []string
		for _, a := range d.CmdArgs {
			names = append(names, a.Key)
		}
		return w.series(names)
	case "baselines":
		var b strings.Builder
		for _, i := range w.engine.Baselines(ai.Key{}) {
			fmt.Fprintf(&b, "%s number=%d source=%s rows=%d features=%d active=%t confirmed=%t labelled=%d\n",
				i.Key(), i.Number, i.Source, i.Rows, i.Features, i.Active, i.Confirmed, i.Labelled)
		}
		return b.String()
	case "confirm":
		for _, i := range w.engine.Baselines(ai.Key{}) {
			_, err := w.engine.ConfirmBaseline(w.t.Context(), i.ID)
			require.NoError(w.t, err)
		}
		return ""
	case "activate":
		var number int
		d.ScanArgs(w.t, "number", &number)
		for _, i := range w.engine.Baselines(ai.Key{}) {
			if i.Number == number {
				_, err := w.engine.ActivateBaseline(w.t.Context(), i.ID)
				require.NoError(w.t, err)
			}
		}
		return ""
	case "range":
		var model, version, from, to string
		d.ScanArgs(w.t, "model", &model)
		d.ScanArgs(w.t, "version", &version)
		d.ScanArgs(w.t, "from", &from)
		d.ScanArgs(w.t, "to", &to)
		at := func(s string) time.Time {
			span, err := time.ParseDuration(s)
			require.NoError(w.t, err)
			return midnight.Add(span)
		}
		info, err := w.engine.CreateBaselineFromRange(w.t.Context(),
			models.NewBaseline{Key: ai.Key{Service: "shop", Model: model, Version: version}, Activate: true}, at(from), at(to))
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("number=%d rows=%d features=%d from=%s to=%s", info.Number, info.Rows, info.Features, info.From.Format("15:04:05"), info.To.Format("15:04:05"))
	}
	d.Fatalf(w.t, "unknown command %q", d.Cmd)
	return ""
}

func (w *world) start(d *datadriven.TestData) string {
	o := models.Options{Profiles: w.store, Baselines: w.store, Clock: w.clock.time}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "records":
			d.ScanArgs(w.t, a.Key, &o.Auto.Records)
		case "features":
			d.ScanArgs(w.t, a.Key, &o.Limits.Features)
		case "versions":
			d.ScanArgs(w.t, a.Key, &o.Limits.PerModel)
		case "span":
			var minutes int
			d.ScanArgs(w.t, a.Key, &minutes)
			o.Labels.Span = time.Duration(minutes) * time.Minute
		case "together":
			d.ScanArgs(w.t, a.Key, &o.Windows.Together)
		default:
			d.Fatalf(w.t, "unknown argument %q", a.Key)
		}
	}
	var err error
	if w.engine, err = models.New(o); err != nil {
		return err.Error()
	}
	return ""
}

// run sends the traffic of one or more versions for some minutes. Arguments set what
// follows: "v2" names a version, figures belong to the version before them.
func (w *world) run(d *datadriven.TestData) string {
	minutes, rate := 1, 10
	var on []*traffic
	var cur *traffic
	for _, a := range d.CmdArgs {
		var x float64
		if len(a.Vals) == 1 {
			_, err := fmt.Sscan(a.Vals[0], &x)
			require.NoError(w.t, err)
		}
		switch a.Key {
		case "minutes":
			minutes = int(x)
		case "rate":
			rate = int(x)
		case "features":
			cur.features = int(x)
		case "shift":
			cur.shift = x
		case "latency":
			cur.latency = x
		case "errors":
			cur.errors = x
		case "missing":
			cur.missing = x
		case "invert":
			cur.invert = x
		default:
			if w.traffic[a.Key] == nil {
				w.traffic[a.Key] = &traffic{key: ai.Key{Service: "shop", Model: "ranker", Version: a.Key}, features: 6, latency: 0.1}
			}
			cur = w.traffic[a.Key]
			on = append(on, cur)
		}
	}
	for range minutes * 60 {
		for _, tr := range on {
			for i := range rate {
				w.id++
				inf := tr.inference(w.rng, w.clock.now.Add(time.Duration(i)*time.Second/time.Duration(rate)), w.id)
				w.engine.Consume([]ai.Inference{inf})
				if !inf.Failed() {
					w.unlabeled = append(w.unlabeled, inf)
				}
			}
		}
		w.second()
	}
	return ""
}

// second lets a second pass, and Prometheus scrape every ten.
func (w *world) second() {
	w.clock.now = w.clock.now.Add(time.Second)
	w.engine.Tick(w.clock.now)
	if w.clock.now.Unix()%10 == 0 {
		w.engine.Publish(w.clock.now)
		w.scrape()
	}
}

// label sends the truth of everything not yet labelled.
func (w *world) label(d *datadriven.TestData) string {
	n := 0
	for i := range w.unlabeled {
		inf := &w.unlabeled[i]
		l := w.traffic[inf.ModelVersion].label(w.rng, inf)
		w.engine.ConsumeLabels([]models.Labelled{l})
		n++
	}
	w.unlabeled = nil
	return fmt.Sprintf("%d labels", n)
}

func (w *world) status() string {
	report := w.engine.Report()
	if report == nil {
		return "nothing is known"
	}
	var b strings.Builder
	for _, s := range report.Services {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, s.Health)
		for _, l := range s.Layers {
			fmt.Fprintf(&b, "  %s: %s since %s\n", l.Layer, l.Health, l.Since.Format("15:04:05"))
			kinds := make(map[string][]string)
			said := make(map[string]bool)
			for _, f := range l.Findings {
				id := fmt.Sprintf("%s %s %s", f.Severity, f.Kind, f.Key)
				kinds[id] = append(kinds[id], f.Feature)
				said[f.Message] = true
			}
			for _, id := range slices.Sorted(maps.Keys(kinds)) {
				features := kinds[id]
				fmt.Fprintf(&b, "    %s", id)
				if features[0] != "" {
					fmt.Fprintf(&b, ": %d features, %s", len(features), strings.Join(features[:min(3, len(features))], " "))
				}
				b.WriteString("\n")
			}
			shown := 0
			for _, r := range l.Reasons {
				if said[r] && shown >= 2 || strings.Contains(r, "not judged") || strings.Contains(r, "No reading") {
					continue
				}
				shown++
				fmt.Fprintf(&b, "    - %s\n", figures.ReplaceAllString(hideID(r), "…"))
			}
		}
	}
	return b.String()
}

// figures of drift are the business of ai/drift's own scripts.
var figures = regexp.MustCompile(`(score|p-value|statistic) [-0-9.e]+( of at most [-0-9.e]+)?`)

// hideID replaces the ids of baselines, which are drawn by lot.
func hideID(s string) string {
	if i := strings.Index(s, "b-"); i >= 0 && len(s) >= i+18 {
		return s[:i] + "ID" + s[i+18:]
	}
	return s
}

func (w *world) series(names []string) string {
	families, err := w.engine.Gather()
	require.NoError(w.t, err)
	var b strings.Builder
	for _, f := range families {
		if !slices.Contains(names, f.GetName()) {
			continue
		}
		for _, m := range f.Metric {
			fmt.Fprintf(&b, "%s%s %.3g\n", f.GetName(), hideID(metricLabels(f.GetName(), m, false).DropReserved(func(n string) bool { return n == "__name__" }).String()), value(m))
		}
	}
	return b.String()
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	default:
		return float64(m.Histogram.GetSampleCount())
	}
}

func metricLabels(name string, m *dto.Metric, scraped bool) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels()).Set("__name__", name)
	for _, p := range m.Label {
		b.Set(p.GetName(), p.GetValue())
	}
	if scraped {
		b.Set("job", "modelwatch").Set("instance", "127.0.0.1:9090")
	}
	return b.Labels()
}

// scrape stores the gauges and counters as a scrape would.
func (w *world) scrape() {
	families, err := w.engine.Gather()
	require.NoError(w.t, err)
	app := w.scraped.Appender(w.t.Context())
	gone := w.last
	w.last = make(map[string]labels.Labels)
	for _, f := range families {
		for _, m := range f.Metric {
			if m.Histogram == nil {
				l := metricLabels(f.GetName(), m, true)
				_, err := app.Append(0, l, w.clock.now.UnixMilli(), value(m))
				require.NoError(w.t, err)
				w.last[l.String()] = l
				delete(gone, l.String())
			}
		}
	}
	for _, l := range gone {
		_, err := app.Append(0, l, w.clock.now.UnixMilli(), math.Float64frombits(prom.StaleNaN))
		require.NoError(w.t, err)
	}
	require.NoError(w.t, app.Commit())
}

// alerts evaluates the built-in rules on what was scraped in the last ten seconds.
func (w *world) alerts() string {
	query := promrules.EngineQueryFunc(w.promql, w.scraped)
	var out []string
	for _, r := range w.rules {
		v, err := query(w.t.Context(), r.Expr, w.clock.now)
		require.NoError(w.t, err)
		lines := make([]string, 0, len(v))
		for _, s := range v {
			lb := labels.NewBuilder(s.Metric)
			lb.Set("alertname", r.Alert)
			for k, x := range r.Labels {
				lb.Set(k, x)
			}
			data := template.AlertTemplateData(s.Metric.Map(), nil, "", promql.Sample{F: s.F})
			expand := func(text string) string {
				defs := "{{$labels := .Labels}}{{$value := .Value}}"
				e := template.NewTemplateExpander(w.t.Context(), defs+text, r.Alert, data, model.Time(w.clock.now.UnixMilli()), template.QueryFunc(query), &url.URL{Scheme: "http", Host: "here"}, nil)
				got, err := e.Expand()
				require.NoError(w.t, err, "%s: %s", r.Alert, text)
				return got
			}
			l := lb.Labels()
			lines = append(lines, fmt.Sprintf("[%s] %s: %s\n    %s", l.Get("severity"), l.Get("alertname"), expand(r.Annotations["summary"]), expand(r.Annotations["description"])))
		}
		slices.Sort(lines)
		if n := len(lines); n > 3 {
			lines = append(lines[:3], fmt.Sprintf("[%s] %s: %d more", r.Labels["severity"], r.Alert, n-3))
		}
		out = append(out, lines...)
	}
	return strings.Join(out, "\n")
}
