package local

import (
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	entries, bytes, duplicates prometheus.Counter
	failures, aside, patterns  prometheus.Counter
	rejected                   *prometheus.CounterVec
	commits                    prometheus.Histogram
	all                        []prometheus.Collector
}

func newMetrics(_ prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		entries:    counter("modelwatch_logs_entries_total", "Log entries stored."),
		bytes:      counter("modelwatch_logs_bytes_total", "Bytes of log lines stored."),
		duplicates: counter("modelwatch_logs_duplicates_total", "Log entries dropped because they were stored already."),
		failures:   counter("modelwatch_logs_commit_failures_total", "Commits of log entries that failed; the senders were told."),
		aside:      counter("modelwatch_logs_files_set_aside_total", "Log files found corrupt and set aside."),
		patterns:   counter("modelwatch_logs_new_patterns_total", "Templates of log lines seen for the first time in their stream."),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_logs_rejected_total", Help: "Log entries refused, by reason.",
		}, []string{"reason"}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "modelwatch_logs_commit_seconds", Help: "Time to make a group of appends durable.",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .5, 1, 2.5, 10},
		}),
	}
	m.all = []prometheus.Collector{m.entries, m.bytes, m.duplicates, m.failures, m.aside, m.patterns, m.rejected, m.commits}
	return m
}

// observe registers the metrics.
func (m *metrics) observe(s *Store) {
	if s.o.Registerer == nil {
		return
	}
	gauge := func(name, help string, f func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return f(s.Status()) })
	}
	m.all = append(m.all,
		gauge("modelwatch_logs_stored_bytes", "Bytes of log files on disk.", func(st Status) float64 { return float64(st.DiskBytes) }),
		gauge("modelwatch_logs_stored_entries", "Log entries in the store.", func(st Status) float64 { return float64(st.Entries) }),
		gauge("modelwatch_logs_streams", "Streams in the store's newest day.", func(st Status) float64 { return float64(st.StreamsToday) }),
		gauge("modelwatch_logs_files_set_aside", "Corrupt log files lying in the store's directory.", func(st Status) float64 { return float64(len(st.SetAside)) }),
	)
	for _, c := range m.all {
		s.o.Registerer.MustRegister(c)
	}
}

func (m *metrics) forget(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all {
		r.Unregister(c)
	}
}
