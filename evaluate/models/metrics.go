package models

import "github.com/prometheus/client_golang/prometheus"

// metrics are about the engine itself; what it knows of models is in its series.
type metrics struct {
	records  prometheus.Counter
	labels   prometheus.Counter
	leftOut  *prometheus.CounterVec
	versions prometheus.Gauge
	judging  prometheus.Histogram
	failures prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_models_records_total", Help: "Inferences that the analysis took in.",
		}),
		labels: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_models_labels_total", Help: "Labelled inferences that the analysis took in.",
		}),
		leftOut: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_models_left_out_total", Help: "Inferences of services or versions past the limit, which are not analysed.",
		}, []string{"limit"}),
		versions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "modelwatch_models_versions", Help: "Model versions that are watched.",
		}),
		judging: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "modelwatch_models_judging_seconds", Help: "Time to judge and store the windows that were over.",
			Buckets: []float64{.001, .005, .025, .1, .5, 2.5, 10}, NativeHistogramBucketFactor: 1.1,
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_models_store_failures_total", Help: "Windows and baselines that could not be stored and are tried again.",
		}),
	}
	m.leftOut.WithLabelValues("services")
	m.leftOut.WithLabelValues("versions")
	r.MustRegister(m.records, m.labels, m.leftOut, m.versions, m.judging, m.failures)
	return m
}
