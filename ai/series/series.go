package series

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// Snapshot is what is known about one model version now. Parts that are not
// known are nil or empty and give no series: a gap, and never a zero.
type Snapshot struct {
	Key ai.Key
	// Endpoints of the model, in any order.
	Endpoints []Endpoint
	// WindowLength is the time that Endpoint.Last covers.
	WindowLength time.Duration
	// Profile is the last complete window. Leave it out when it is too old to
	// speak for the present.
	Profile  *ai.ModelProfile
	Baseline *ai.Baseline
	// Drift and Findings are about Profile; findings of drift need not be repeated
	// in Findings.
	Drift    []drift.Result
	Findings []ai.Finding
	// Classification and Regression are measured with labels, Estimate without.
	Classification *performance.ClassificationReport
	Regression     *performance.RegressionReport
	Estimate       *performance.Estimate
	// Dropped is what the guards of profiles left out since the start.
	Dropped ai.Dropped
}

// Endpoint is what is known about one endpoint of a model version.
type Endpoint struct {
	Name string
	// Total counts since the start: it only grows. Nil gives no counters.
	Total *performance.Service
	// Last is the last complete window. Nil gives no gauges.
	Last *performance.Service
}

// Options bound what a snapshot becomes. The zero value means the defaults.
type Options struct {
	// MaxFeatures is the number of features with series of their own per model
	// version; default 500.
	MaxFeatures int
	// MaxEndpoints is the same for endpoints; default 50.
	MaxEndpoints int
	// MaxFindings is the same for findings; default 500.
	MaxFindings int
	// Buckets are the upper bounds of classic histograms, in seconds; default 5 ms
	// to 2 minutes.
	Buckets []float64
	// NativeSchema is the resolution of native histograms, from −4 to 5; default 3,
	// buckets that grow by 2^(1/8). Nil means the default.
	NativeSchema *int
}

// DefaultBuckets are the upper bounds of classic histograms, in seconds.
func DefaultBuckets() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}
}

func (o Options) withDefaults() Options {
	o.MaxFeatures = cmp.Or(o.MaxFeatures, 500)
	o.MaxEndpoints = cmp.Or(o.MaxEndpoints, 50)
	o.MaxFindings = cmp.Or(o.MaxFindings, 500)
	if o.Buckets == nil {
		o.Buckets = DefaultBuckets()
	}
	if o.NativeSchema == nil {
		o.NativeSchema = new(3)
	}
	return o
}

// Sample is one value of a gauge or a counter.
type Sample struct {
	Metric *Metric
	Values []string // Of Metric.Labels, in their order.
	Value  float64  // Finite.
}

// HistogramSample is one value of a histogram, in both forms.
type HistogramSample struct {
	Metric *Metric
	Values []string // Of Metric.Labels, in their order.
	Count  uint64
	Sum    float64
	// Bounds and Cumulative are the classic form without its last bucket, +Inf.
	Bounds     []float64
	Cumulative []uint64
	Native     performance.Native
}

// Set is what snapshots become.
type Set struct {
	Samples    []Sample
	Histograms []HistogramSample
}

// Of appends the series of a snapshot to set. Equal snapshots give equal series
// in equal order.
func (set *Set) Of(s *Snapshot, opt Options) {
	b := &builder{set: set, s: s, opt: opt.withDefaults()}
	b.endpoints()
	b.accuracy()
	b.window()
	b.baseline()
	b.features()
	b.findings()
	b.guards()
}

// OfStatus appends the series of statuses to set.
func (set *Set) OfStatus(statuses []ai.Status) {
	for _, st := range statuses {
		set.Samples = append(set.Samples, Sample{
			Metric: statusMetric, Values: []string{st.Service, string(st.Layer)}, Value: float64(st.Health.Rank()),
		})
	}
}

// builder appends the series of one snapshot.
type builder struct {
	set *Set
	s   *Snapshot
	opt Options
}

// add appends a sample; values that are not finite are gaps.
func (b *builder) add(m *Metric, x float64, labels ...string) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return
	}
	b.set.Samples = append(b.set.Samples, Sample{Metric: m, Values: b.values(labels), Value: x})
}

func (b *builder) values(labels []string) []string {
	k := b.s.Key
	return append(append(make([]string, 0, 3+len(labels)), k.Service, k.Model, k.Version), labels...)
}

func (b *builder) measure(m *Metric, x performance.Measure, labels ...string) {
	if x.Known {
		b.add(m, x.Value, labels...)
	}
}

func (b *builder) histogram(m *Metric, s *performance.Sketch, labels ...string) {
	if s.Count() == 0 {
		return
	}
	b.set.Histograms = append(b.set.Histograms, HistogramSample{
		Metric: m, Values: b.values(labels), Count: s.Count(), Sum: s.Sum(),
		Bounds: b.opt.Buckets, Cumulative: s.Classic(b.opt.Buckets), Native: s.Native(*b.opt.NativeSchema),
	})
}

func (b *builder) endpoints() {
	endpoints := slices.Clone(b.s.Endpoints)
	slices.SortFunc(endpoints, func(x, y Endpoint) int { return cmp.Compare(x.Name, y.Name) })
	all := new(performance.Service)
	known := false
	for i, e := range endpoints {
		if e.Last != nil {
			all.Merge(e.Last)
			known = true
		}
		if i >= b.opt.MaxEndpoints {
			continue
		}
		if e.Last != nil {
			sum := e.Last.Summary(b.s.WindowLength)
			b.measure(modelInferenceLatencySeconds, sum.LatencyMean, e.Name)
		}
		if e.Total != nil {
			b.counters(e)
		}
	}
	if known {
		sum := all.Summary(b.s.WindowLength)
		b.measure(modelQPS, sum.Rate)
		b.measure(httpRequestsErrorRate, sum.ErrorRatio)
	}
	if n := len(endpoints) - b.opt.MaxEndpoints; n > 0 {
		b.add(seriesDropped, float64(n), "endpoints")
	}
}

func (b *builder) counters(e Endpoint) {
	for _, class := range performance.Classes() {
		n := e.Total.Outcomes[class]
		// Outcomes that never happened are there as 0 where rules divide by them.
		if n == 0 && class != performance.ClassOK && class != performance.ClassServer {
			continue
		}
		b.add(httpRequestsTotal, float64(n), e.Name, class.String())
		b.add(inferencesTotal, float64(n), e.Name, class.String())
	}
	b.histogram(inferenceDuration, &e.Total.Duration, e.Name, "success")
	b.histogram(inferenceDuration, &e.Total.FailedDuration, e.Name, "failure")
	b.histogram(timeToFirstToken, &e.Total.FirstToken, e.Name)
	if e.Total.TokenRequests > 0 {
		b.add(tokensTotal, float64(e.Total.TokensInput), e.Name, "input")
		b.add(tokensTotal, float64(e.Total.TokensOutput), e.Name, "output")
	}
}

func (b *builder) accuracy() {
	if r := b.s.Classification; r != nil {
		b.measure(accuracy, r.Accuracy)
		b.add(labelled, float64(r.N))
		b.measure(modelScore, r.Precision, "precision")
		b.measure(modelScore, r.Recall, "recall")
		b.measure(modelScore, r.F1, "f1")
		b.measure(modelScore, r.AUC, "roc_auc")
		b.measure(modelScore, r.LogLoss, "log_loss")
		b.measure(modelScore, r.Brier, "brier")
		b.measure(modelScore, r.CalibrationError, "calibration_error")
	}
	if r := b.s.Regression; r != nil {
		if b.s.Classification == nil {
			b.add(labelled, float64(r.N))
		}
		b.measure(modelScore, r.MAE, "mae")
		b.measure(modelScore, r.RMSE, "rmse")
		b.measure(modelScore, r.MAPE, "mape")
		b.measure(modelScore, r.Bias, "bias")
		b.measure(modelScore, r.R2, "r2")
	}
	if e := b.s.Estimate; e != nil && e.Accuracy.Known {
		b.add(accuracyEstimate, e.Accuracy.Value)
		b.add(accuracyEstimateLow, e.Accuracy.Interval.Low)
		b.add(accuracyEstimateHigh, e.Accuracy.Interval.High)
	}
}

func (b *builder) window() {
	p := b.s.Profile
	if p == nil {
		return
	}
	b.add(windowRecords, float64(p.Records))
	b.add(windowEnd, seconds(p.Window.End()))
	b.add(duplicateRatio, float64(p.Duplicates)/float64(p.Inputs))
	n := 0
	for name, f := range p.Features {
		if !ai.Derived(name) && f.Rows() > f.Absent {
			n++
		}
	}
	b.add(features, float64(n))
}

func (b *builder) baseline() {
	bl := b.s.Baseline
	if bl == nil {
		return
	}
	b.add(baselineInfo, 1, bl.ID, string(bl.Source), strconv.FormatBool(bl.Confirmed))
	b.add(baselineRows, float64(bl.Rows))
	b.add(baselineCreated, seconds(bl.Created))
	n := 0
	for name := range bl.Features {
		if !ai.Derived(name) {
			n++
		}
	}
	b.add(baselineFeatures, float64(n))
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return math.NaN()
	}
	return float64(t.UnixMilli()) / 1000
}

// features appends the series by feature. Those of the baseline come first, so
// that new names cannot push them out.
func (b *builder) features() {
	names := make(map[string]bool) // Whether the baseline has it.
	if b.s.Profile != nil {
		for name := range b.s.Profile.Features {
			names[name] = false
		}
	}
	if b.s.Baseline != nil {
		for name := range b.s.Baseline.Features {
			names[name] = true
		}
	}
	order := slices.SortedFunc(maps.Keys(names), func(x, y string) int {
		if names[x] != names[y] {
			if names[x] {
				return -1
			}
			return 1
		}
		return cmp.Compare(x, y)
	})
	if n := len(order) - b.opt.MaxFeatures; n > 0 {
		b.add(seriesDropped, float64(n), "features")
		for _, name := range order[b.opt.MaxFeatures:] {
			delete(names, name)
		}
		order = order[:b.opt.MaxFeatures]
	}
	for _, name := range order {
		b.feature(name)
	}
	b.drift(names)
}

func (b *builder) feature(name string) {
	if b.s.Baseline != nil && !ai.Derived(name) {
		if fb := b.s.Baseline.Features[name]; fb != nil && fb.Kind == ai.KindNumber && fb.Profile.Count > 0 {
			b.add(inputDataMeanOffset, fb.Profile.Mean, name)
		}
	}
	if b.s.Profile == nil {
		return
	}
	p := b.s.Profile.Features[name]
	if p == nil {
		return
	}
	if p.Kind == ai.KindNumber && p.Count > 0 && !ai.Derived(name) {
		b.add(inputDataMean, p.Mean, name)
		b.add(inputDataStdDev, p.Std(), name)
	}
	if b.s.Baseline != nil && p.Kind == ai.KindVector {
		if fb := b.s.Baseline.Features[name]; fb != nil {
			if euclidean, cosine, ok := ai.CentroidDistance(p, fb.Profile); ok {
				b.add(embeddingDistance, euclidean, name, "euclidean")
				b.add(embeddingDistance, cosine, name, "cosine")
			}
		}
	}
	rows := p.Rows()
	there := rows - p.Missing - p.Absent
	b.add(missingRatio, p.MissingRatio(), name)
	b.add(typeErrorRatio, float64(there-p.Count)/float64(there), name)
}

func (b *builder) drift(names map[string]bool) {
	if len(b.s.Drift) == 0 {
		return
	}
	var drifted, judged int
	thresholds := make(map[string]bool)
	for i := range b.s.Drift {
		r := &b.s.Drift[i]
		verdict, ok := r.Verdict.Value()
		if !ok {
			continue
		}
		if r.Feature != ai.AllFeatures {
			judged++
			if r.Verdict == ai.VerdictDrift {
				drifted++
			}
			if _, kept := names[r.Feature]; !kept {
				continue
			}
		}
		b.add(driftVerdict, verdict, r.Feature)
		b.add(driftPValue, r.AdjustedPValue, r.Feature)
		for _, t := range r.Tests {
			b.add(driftScore, t.Score, r.Feature, t.Method)
			if !thresholds[t.Method] {
				thresholds[t.Method] = true
				b.add(driftThreshold, t.Threshold, t.Method)
			}
		}
	}
	b.add(driftedFeatures, float64(drifted))
	b.add(judgedFeatures, float64(judged))
}

func (b *builder) findings() {
	type id struct{ feature, kind string }
	seen := make(map[id]bool)
	order := slices.Clone(b.s.Findings)
	slices.SortStableFunc(order, func(x, y ai.Finding) int {
		return cmp.Or(cmp.Compare(y.Severity.Rank(), x.Severity.Rank()), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Feature, y.Feature))
	})
	left := 0
	for _, f := range order {
		// One series a kind and feature: the worst, if there are more.
		at := id{f.Feature, f.Kind}
		if seen[at] {
			continue
		}
		if len(seen) >= b.opt.MaxFindings {
			left++
			continue
		}
		seen[at] = true
		b.add(findingScore, f.Score, f.Feature, f.Kind, string(f.Layer), string(f.Severity))
		b.add(findingThreshold, f.Threshold, f.Feature, f.Kind, string(f.Layer), string(f.Severity))
	}
	if left > 0 {
		b.add(seriesDropped, float64(left), "findings")
	}
}

func (b *builder) guards() {
	d := b.s.Dropped
	for _, part := range []struct {
		reason string
		n      uint64
	}{
		{"features", d.Features},
		{"classes", d.Classes},
		{"vectors", d.Vectors},
		{"late", d.Late},
		{"early", d.Early},
		{"repeated", d.Repeated},
	} {
		b.add(profileDropped, float64(part.n), part.reason)
	}
}
