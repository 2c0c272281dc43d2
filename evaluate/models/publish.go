package models

import (
	"maps"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/series"
)

// exposition is the series of one moment, ready to be scraped. It is immutable.
type exposition struct {
	families []*dto.MetricFamily
}

// family is the series of one version that change with its windows only.
type family struct {
	byMetric map[*series.Metric][]*dto.Metric
	shown    bool // The last window was recent enough to be among them.
}

// Gather returns the series of all models, services and layers. It implements
// prometheus.Gatherer and costs nothing: the answer is made when something changes.
// It is shared and must not be changed.
func (e *Engine) Gather() ([]*dto.MetricFamily, error) {
	x := e.published.Load()
	if x == nil {
		return nil, nil
	}
	return x.families, nil
}

// publish makes the series of now. The caller holds ticking.
func (e *Engine) publish(now time.Time) {
	byMetric := make(map[*series.Metric][]*dto.Metric)
	add := func(from map[*series.Metric][]*dto.Metric) {
		for m, list := range from {
			byMetric[m] = append(byMetric[m], list...)
		}
	}
	e.mu.Lock()
	maps.DeleteFunc(e.static, func(k ai.Key, _ *family) bool { return e.versions[k] == nil })
	for _, v := range e.sorted() {
		fresh := v.result != nil && now.Sub(v.result.window.End()) <= time.Duration(max(e.opt.Status.StaleAfter, 3))*e.opt.Windows.Length+2*e.opt.Windows.Lateness
		f := e.static[v.key]
		if f == nil || f.shown != fresh {
			f = &family{byMetric: convert(staticSeries(v, fresh, &e.opt)), shown: fresh}
			e.static[v.key] = f
		}
		add(f.byMetric)
		add(convert(liveSeries(v, now, &e.opt)))
	}
	var set series.Set
	if e.report != nil {
		for i := range e.report.Services {
			set.OfStatus(e.report.Services[i].Layers)
		}
	}
	e.mu.Unlock()
	add(convert(&set))

	x := new(exposition)
	for _, m := range series.Catalogue() {
		if list := byMetric[m]; len(list) > 0 {
			x.families = append(x.families, &dto.MetricFamily{Name: new(m.Name), Help: new(m.Help), Type: typeOf(m), Metric: list})
		}
	}
	e.published.Store(x)
}

func (o *Options) series() series.Options {
	return series.Options{MaxFeatures: o.Limits.Series, MaxEndpoints: o.Limits.Endpoints + 1}
}

// staticSeries returns what changes with windows. A window that is too old to speak
// for the present is left out.
func staticSeries(v *version, fresh bool, opt *Options) *series.Set {
	s := &series.Snapshot{Key: v.key, WindowLength: opt.Windows.Length, Baseline: v.baseline.content(), Dropped: v.dropped}
	if r := v.result; r != nil && fresh {
		s.Profile = r.profile
		s.Drift, s.Findings = r.drift, r.findings
		s.Classification, s.Regression, s.Estimate = r.classification, r.regression, r.estimate
	}
	set := new(series.Set)
	set.Of(s, opt.series())
	return set
}

// liveSeries returns what is counted as records come.
func liveSeries(v *version, now time.Time, opt *Options) *series.Set {
	lately, length := v.lately(now)
	s := &series.Snapshot{Key: v.key, WindowLength: length}
	for i, total := range v.totals() {
		if total == nil {
			continue
		}
		e := series.Endpoint{Name: v.endpoints[i], Total: total}
		if lately != nil {
			e.Last = lately[i]
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	set := new(series.Set)
	set.Of(s, opt.series())
	// Guards are among the static ones.
	set.Samples = slices.DeleteFunc(set.Samples, func(x series.Sample) bool { return x.Metric.Name == "modelwatch_profile_dropped_total" })
	return set
}

func typeOf(m *series.Metric) *dto.MetricType {
	switch m.Type {
	case series.Counter:
		return dto.MetricType_COUNTER.Enum()
	case series.Histogram:
		return dto.MetricType_HISTOGRAM.Enum()
	default:
		return dto.MetricType_GAUGE.Enum()
	}
}

// convert turns samples into metrics as exposition formats have them.
func convert(set *series.Set) map[*series.Metric][]*dto.Metric {
	out := make(map[*series.Metric][]*dto.Metric)
	for i := range set.Samples {
		s := &set.Samples[i]
		m := &dto.Metric{Label: pairs(s.Metric.Labels, s.Values)}
		if s.Metric.Type == series.Counter {
			m.Counter = &dto.Counter{Value: new(s.Value)}
		} else {
			m.Gauge = &dto.Gauge{Value: new(s.Value)}
		}
		out[s.Metric] = append(out[s.Metric], m)
	}
	for i := range set.Histograms {
		h := &set.Histograms[i]
		out[h.Metric] = append(out[h.Metric], &dto.Metric{Label: pairs(h.Metric.Labels, h.Values), Histogram: histogram(h)})
	}
	return out
}

// pairs returns labels in the order of their names, as gatherers want them.
func pairs(names, values []string) []*dto.LabelPair {
	all := make([]dto.LabelPair, len(names))
	out := make([]*dto.LabelPair, len(names))
	for i := range names {
		all[i].Name, all[i].Value = &names[i], &values[i]
		out[i] = &all[i]
	}
	slices.SortFunc(out, func(a, b *dto.LabelPair) int {
		if *a.Name < *b.Name {
			return -1
		}
		return 1
	})
	return out
}

func histogram(h *series.HistogramSample) *dto.Histogram {
	out := &dto.Histogram{
		SampleCount: new(h.Count), SampleSum: new(h.Sum),
		Schema: new(h.Native.Schema), ZeroThreshold: new(h.Native.ZeroThreshold), ZeroCount: new(h.Native.ZeroCount),
	}
	for i, bound := range h.Bounds {
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: new(bound), CumulativeCount: new(h.Cumulative[i])})
	}
	native(out, &h.Native)
	return out
}

// native adds the native form: spans, and each count as the difference from the one
// before.
func native(out *dto.Histogram, n *performance.Native) {
	for _, s := range n.Spans {
		out.PositiveSpan = append(out.PositiveSpan, &dto.BucketSpan{Offset: new(s.Offset), Length: new(s.Length)})
	}
	before := int64(0)
	for _, c := range n.Counts {
		out.PositiveDelta = append(out.PositiveDelta, int64(c)-before)
		before = int64(c)
	}
	if len(n.Spans) == 0 {
		// A span of no buckets says that the histogram is a native one.
		out.PositiveSpan = []*dto.BucketSpan{{Offset: proto.Int32(0), Length: proto.Uint32(0)}}
	}
}
