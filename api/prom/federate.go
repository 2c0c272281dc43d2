package prom

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"google.golang.org/protobuf/proto"
)

// federation serves /federate: the newest sample of every series that one of
// the match[] selectors takes, for another server to scrape.
type federation struct {
	store    storage.Queryable
	parser   parser.Parser
	lookback time.Duration
	config   func() *config.Config
	logger   *slog.Logger
	failures prometheus.Counter
}

func newFederation(opts Options, cfg func() *config.Config) *federation {
	f := &federation{
		store:    opts.Store.Local(),
		parser:   opts.Parser,
		lookback: opts.LookbackDelta,
		config:   cfg,
		logger:   opts.Logger.With("component", "federate"),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "prometheus_web_federation_errors_total",
			Help: "Total number of errors that occurred while sending federation responses.",
		}),
	}
	opts.Registerer.MustRegister(f.failures)
	return f
}

// newest is the last sample of one series.
type newest struct {
	name   string
	labels labels.Labels
	millis int64
	value  float64
	hist   *histogram.FloatHistogram
}

func (n newest) metricType() dto.MetricType {
	switch {
	case n.hist == nil:
		return dto.MetricType_UNTYPED
	case n.hist.CounterResetHint == histogram.GaugeType:
		return dto.MetricType_GAUGE_HISTOGRAM
	default:
		return dto.MetricType_HISTOGRAM
	}
}

func (f *federation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "cannot read the form: "+err.Error(), http.StatusBadRequest)
		return
	}
	selectors, err := f.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		http.Error(w, "match[]: "+err.Error(), http.StatusBadRequest)
		return
	}
	series, err := f.collect(r.Context(), selectors)
	if err != nil {
		f.failures.Inc()
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NegotiateAccept(r.Header, expfmt.NewFormat(expfmt.TypeProtoDelim), expfmt.NewFormat(expfmt.TypeTextPlain))
	native := format.FormatType() == expfmt.TypeProtoDelim
	w.Header().Set("Content-Type", string(format))
	enc := expfmt.NewEncoder(w, format)
	if err := encode(enc, series, f.config().GlobalConfig.ExternalLabels, native); err != nil {
		f.failures.Inc()
		f.logger.Error("Cannot send the answer", "err", err)
	}
}

// collect finds the newest sample of each series, sorted by metric name.
func (f *federation) collect(ctx context.Context, selectors [][]*labels.Matcher) ([]newest, error) {
	end := time.Now()
	mint, maxt := end.Add(-f.lookback).UnixMilli(), end.UnixMilli()
	q, err := f.store.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Close() }()
	hints := &storage.SelectHints{Start: mint, End: maxt}
	sets := make([]storage.SeriesSet, 0, len(selectors))
	for _, s := range selectors {
		sets = append(sets, q.Select(ctx, true, hints, s...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var out []newest
	var it chunkenc.Iterator
	for set.Next() {
		s := set.At()
		it = s.Iterator(it)
		n := newest{labels: s.Labels(), name: s.Labels().Get(model.MetricNameLabel), millis: -1}
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			if kind == chunkenc.ValFloat {
				n.millis, n.value = it.At()
				n.hist = nil
			} else {
				n.millis, n.hist = it.AtFloatHistogram(nil)
				n.value = n.hist.Sum
			}
		}
		if err := it.Err(); err != nil {
			return nil, err
		}
		// Exposition formats have no stale marker: what has ended is left out.
		if n.millis < 0 || n.name == "" || value.IsStaleNaN(n.value) {
			continue
		}
		out = append(out, n)
	}
	if err := set.Err(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b newest) int { return strings.Compare(a.name, b.name) })
	return out, nil
}

// encode writes the series family by family. Native histograms can only be
// written in the protobuf format; elsewhere they are left out.
func encode(enc expfmt.Encoder, series []newest, external labels.Labels, native bool) error {
	var family *dto.MetricFamily
	flush := func() error {
		if family == nil {
			return nil
		}
		return enc.Encode(family)
	}
	for _, n := range series {
		if n.hist != nil && !n.hist.UsesCustomBuckets() && !native {
			continue
		}
		if family == nil || family.GetName() != n.name || family.GetType() != n.metricType() {
			if err := flush(); err != nil {
				return err
			}
			family = &dto.MetricFamily{Name: new(n.name), Type: n.metricType().Enum()}
		}
		m := &dto.Metric{Label: labelPairs(n.labels, external), TimestampMs: new(n.millis)}
		switch {
		case n.hist == nil:
			m.Untyped = &dto.Untyped{Value: new(n.value)}
		case n.hist.UsesCustomBuckets():
			m.Histogram = classic(n.hist)
		default:
			m.Histogram = exponential(n.hist)
		}
		family.Metric = append(family.Metric, m)
	}
	if err := flush(); err != nil {
		return err
	}
	if c, ok := enc.(expfmt.Closer); ok {
		return c.Close()
	}
	return errors.New("encoder cannot be closed")
}

// labelPairs adds external labels that a series lacks, and an empty instance,
// so that the scraper does not put its own in place of it.
func labelPairs(ls, external labels.Labels) []*dto.LabelPair {
	b := labels.NewBuilder(labels.EmptyLabels())
	external.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	ls.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	b.Del(model.MetricNameLabel)
	all := b.Labels()
	pairs := make([]*dto.LabelPair, 0, all.Len()+1)
	all.Range(func(l labels.Label) {
		pairs = append(pairs, &dto.LabelPair{Name: new(l.Name), Value: new(l.Value)})
	})
	if !all.Has(model.InstanceLabel) {
		pairs = append(pairs, &dto.LabelPair{Name: proto.String(model.InstanceLabel), Value: new("")})
	}
	return pairs
}

// exponential turns a native histogram into its exposition form.
func exponential(h *histogram.FloatHistogram) *dto.Histogram {
	spans := func(in []histogram.Span) []*dto.BucketSpan {
		out := make([]*dto.BucketSpan, 0, len(in))
		for _, s := range in {
			out = append(out, &dto.BucketSpan{Offset: new(s.Offset), Length: new(s.Length)})
		}
		return out
	}
	return &dto.Histogram{
		SampleCountFloat: new(h.Count),
		SampleSum:        new(h.Sum),
		Schema:           new(h.Schema),
		ZeroThreshold:    new(h.ZeroThreshold),
		ZeroCountFloat:   new(h.ZeroCount),
		PositiveSpan:     spans(h.PositiveSpans),
		PositiveCount:    h.PositiveBuckets,
		NegativeSpan:     spans(h.NegativeSpans),
		NegativeCount:    h.NegativeBuckets,
	}
}

// classic turns a histogram with custom buckets into cumulative buckets.
func classic(h *histogram.FloatHistogram) *dto.Histogram {
	out := &dto.Histogram{SampleCountFloat: new(h.Count), SampleSum: new(h.Sum)}
	var sum float64
	it := h.PositiveBucketIterator()
	for it.Next() {
		b := it.At()
		sum += b.Count
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: new(b.Upper), CumulativeCountFloat: new(sum)})
	}
	return out
}
