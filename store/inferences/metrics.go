package inferences

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type storeMetrics struct {
	accepted   *prometheus.CounterVec
	refused    *prometheus.CounterVec
	duplicates prometheus.Counter
	sync       prometheus.Histogram
	group      prometheus.Histogram
	damaged    prometheus.Counter
	skipped    prometheus.Counter
	sampledOut prometheus.Counter
	all        []prometheus.Collector
}

func newMetrics(s *Store) *storeMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &storeMetrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_inferences_accepted_total", Help: "Inferences and labels that are durable, by kind; repetitions are not counted.",
		}, []string{"kind"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_inferences_refused_batches_total", Help: "Batches of inferences refused for the time being, by reason.",
		}, []string{"reason"}),
		duplicates: counter("modelwatch_inferences_duplicate_batches_total", "Batches of inferences that had been accepted before."),
		sync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "modelwatch_inferences_log_sync_seconds", Help: "Duration of syncing the inference log to disk.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "modelwatch_inferences_log_sync_batches", Help: "Batches made durable by one sync.",
			Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128},
		}),
		damaged:    counter("modelwatch_inferences_log_damaged_bytes_total", "Bytes of the inference log that the disk lost."),
		skipped:    counter("modelwatch_inferences_raw_skipped_bytes_total", "Bytes of the inference log given up as raw inferences because they could not be written."),
		sampledOut: counter("modelwatch_inferences_raw_skimmed_total", "Inferences left out of the raw inferences before they were decoded, because the day was full."),
	}
	for _, kind := range []uint8{kindRecords, kindLabels} {
		m.accepted.WithLabelValues(kindName(kind))
	}
	for _, reason := range []string{"overload", "disk_full", "disk_error", "log_full", "closed"} {
		m.refused.WithLabelValues(reason)
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	count := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f)
	}
	m.all = []prometheus.Collector{
		m.accepted, m.refused, m.duplicates, m.sync, m.group, m.damaged, m.skipped, m.sampledOut,
		gauge("modelwatch_inferences_log_bytes", "Size of the inference log.", func() float64 { return float64(s.log.Size()) }),
		gauge("modelwatch_inferences_pending_bytes", "Memory of batches between arrival and analysis.", func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(s.pending)
		}),
		gauge("modelwatch_inferences_pending_batches", "Batches between arrival and analysis.", func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(s.batches)
		}),
		gauge("modelwatch_inferences_checkpoint_lag_bytes", "Bytes of the inference log that the analysis has not checkpointed.", func() float64 {
			if s.o.Deliver == nil {
				return 0
			}
			return float64(s.log.Synced() - s.places.get().Analysis)
		}),
	}
	m.all = append(m.all, s.rawMetrics(gauge, count)...)
	m.all = append(m.all, s.labelMetrics(gauge, count)...)
	return m
}

type metricFunc func(name, help string, f func() float64) prometheus.Collector

func (s *Store) rawMetrics(gauge, count metricFunc) []prometheus.Collector {
	if s.o.Raw.Disabled {
		return nil
	}
	return []prometheus.Collector{
		count("modelwatch_inferences_raw_rows_total", "Raw inferences kept.", func() float64 { return float64(s.raw.Stats().Rows) }),
		count("modelwatch_inferences_raw_sampled_out_total", "Inferences left out of the raw inferences because the day was full.",
			func() float64 { return float64(s.raw.Stats().LeftOut) }),
		count("modelwatch_inferences_raw_too_old_total", "Inferences left out of the raw inferences because older than the retention.",
			func() float64 { return float64(s.raw.Stats().TooOld) }),
		count("modelwatch_inferences_raw_corrupt_files_total", "Files of raw inferences set aside because damaged.",
			func() float64 { return float64(s.raw.Stats().Corrupt) }),
		gauge("modelwatch_inferences_raw_bytes", "Size of the files of raw inferences.", func() float64 { return float64(s.raw.Stats().Bytes) }),
		gauge("modelwatch_inferences_raw_sampling", "1 while raw inferences of today are sampled.", func() float64 {
			if s.raw.Status().Sampling {
				return 1
			}
			return 0
		}),
	}
}

func (s *Store) labelMetrics(gauge, count metricFunc) []prometheus.Collector {
	if s.o.Join.Disabled {
		return nil
	}
	return []prometheus.Collector{
		count("modelwatch_labels_joined_total", "Inferences that met their label.", func() float64 { return float64(s.joiner.Stats().Joined) }),
		count("modelwatch_labels_repeated_total", "Labels of a request that had one.", func() float64 { return float64(s.joiner.Stats().Repeated) }),
		count("modelwatch_labels_unmatched_total", "Labels whose inference did not come within the horizon.",
			func() float64 { return float64(s.joiner.Stats().Unmatched) }),
		count("modelwatch_labels_dropped_inferences_total", "Inferences that cannot be joined because they could not be kept.",
			func() float64 { return float64(s.joiner.Stats().Dropped) }),
		gauge("modelwatch_labels_waiting", "Labels that wait for their inference.", func() float64 { return float64(s.joiner.Stats().Waiting) }),
		gauge("modelwatch_labels_store_bytes", "Size of the files of inferences that wait for labels.", func() float64 { return float64(s.joiner.Stats().Bytes) }),
	}
}

func (m *storeMetrics) observeSync(d time.Duration, frames int) {
	m.sync.Observe(d.Seconds())
	m.group.Observe(float64(frames))
}

// register registers all or nothing.
func (m *storeMetrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for i, c := range m.all {
		if err := reg.Register(c); err != nil {
			for _, done := range m.all[:i] {
				reg.Unregister(done)
			}
			return err
		}
	}
	return nil
}

func (m *storeMetrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range m.all {
		reg.Unregister(c)
	}
}
