package service

import (
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// inputWindow is how far back the figures about input look.
	inputWindow = 15 * time.Second
	// rateWindow is how far back rates look.
	rateWindow = 10 * time.Second
	// latencyWindow is how far back the latency gauge averages, if an inference
	// ended in it; otherwise the latest counts, for staleAfter.
	latencyWindow = 3 * time.Second
	staleAfter    = time.Minute
	maxObserved   = 2048 // inferences remembered
)

// observation is what is remembered of an inference.
type observation struct {
	at       time.Time
	took     time.Duration
	version  string
	answered bool // with a prediction
	failed   bool // by the service's fault
	features features
}

// metrics says how the service does, under the names that the usual rules and
// dashboards of AI services ask for. Figures of the recent past are worked out
// when they are asked for, so that they do not stand still when traffic does.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	memory   prometheus.Gauge

	latencyDesc, qpsDesc, errorsDesc *prometheus.Desc
	meanDesc, stdDevDesc, offsetDesc *prometheus.Desc

	now func() time.Time

	mu     sync.Mutex
	recent []observation // by time
}

func newMetrics(registry *prometheus.Registry, device device) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "http_requests_total", Help: "HTTP requests answered.",
		}, []string{"method", "endpoint", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                        "model_inference_duration_seconds",
			Help:                        "Duration of inferences.",
			Buckets:                     []float64{.05, .1, .25, .5, .75, 1, 1.5, 2, 2.5, 5, 10},
			NativeHistogramBucketFactor: 1.1,
		}, []string{"model_version", "endpoint"}),
		memory: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "device_memory_needed_bytes", Help: "Memory that the latest inference needed on the (simulated) device.",
		}),
		latencyDesc: prometheus.NewDesc("model_inference_latency_seconds",
			"Mean duration of the inferences of the last seconds.", []string{"model_version", "endpoint"}, nil),
		qpsDesc: prometheus.NewDesc("model_qps",
			"Inferences per second, over the last 10 s.", []string{"model_version"}, nil),
		errorsDesc: prometheus.NewDesc("http_requests_error_rate",
			"Share of inferences that failed, over the last 10 s.", []string{"endpoint"}, nil),
		meanDesc: prometheus.NewDesc("input_data_mean",
			"Mean of an input feature, over the last 15 s.", []string{"feature_name"}, nil),
		stdDevDesc: prometheus.NewDesc("input_data_std_dev",
			"Standard deviation of an input feature, over the last 15 s.", []string{"feature_name"}, nil),
		offsetDesc: prometheus.NewDesc("input_data_mean_offset",
			"Mean of an input feature in the training data.", []string{"feature_name"}, nil),
		now: time.Now,
	}
	limit := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "device_memory_bytes", Help: "Memory of the (simulated) device.",
	})
	limit.Set(float64(device.memory))
	registry.MustRegister(m, m.requests, m.duration, m.memory, limit)
	return m
}

func (m *metrics) request(method, endpoint string, status int) {
	m.requests.WithLabelValues(method, endpoint, strconv.Itoa(status)).Inc()
}

func (m *metrics) deviceMemory(bytes int64) { m.memory.Set(float64(bytes)) }

func (m *metrics) inference(o observation) {
	m.duration.WithLabelValues(o.version, Endpoint).Observe(o.took.Seconds())
	m.mu.Lock()
	defer m.mu.Unlock()
	// Requests end in the order in which they get here, not of their clocks.
	at := len(m.recent)
	for at > 0 && m.recent[at-1].at.After(o.at) {
		at--
	}
	m.recent = slices.Insert(m.recent, at, o)
	if n := len(m.recent) - maxObserved; n > 0 {
		m.recent = slices.Delete(m.recent, 0, n)
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.latencyDesc, m.qpsDesc, m.errorsDesc, m.meanDesc, m.stdDevDesc, m.offsetDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	now := m.now()
	m.mu.Lock()
	recent := slices.Clone(m.recent)
	m.mu.Unlock()

	if latency, version, ok := latencyOf(recent, now); ok {
		gauge(m.latencyDesc, latency, version, Endpoint)
	}
	last := since(recent, now.Add(-rateWindow))
	answered, failed := map[string]float64{}, 0.0
	for _, o := range last {
		answered[o.version]++
		if o.failed {
			failed++
		}
	}
	for version, n := range answered {
		gauge(m.qpsDesc, n/rateWindow.Seconds(), version)
	}
	if len(last) > 0 {
		gauge(m.errorsDesc, failed/float64(len(last)), Endpoint)
	}
	for name, s := range summarise(since(recent, now.Add(-inputWindow))) {
		if s.n > 0 {
			gauge(m.meanDesc, s.mean, name)
			gauge(m.stdDevDesc, s.stdDev(), name)
		}
		if ref, ok := TrainingData(name); ok {
			gauge(m.offsetDesc, ref.Mean, name)
		}
	}
}

// since gives the observations after a time.
func since(recent []observation, after time.Time) []observation {
	i := 0
	for i < len(recent) && !recent[i].at.After(after) {
		i++
	}
	return recent[i:]
}

// latencyOf gives the latency of the version that answered last. Requests that
// got no prediction do not count: they say nothing about how long one takes.
func latencyOf(recent []observation, now time.Time) (latency float64, version string, ok bool) {
	n := 0
	for _, o := range slices.Backward(recent) {
		age := now.Sub(o.at)
		switch {
		case !o.answered:
			continue
		case age > staleAfter, ok && (age > latencyWindow || o.version != version):
			return latency, version, ok
		}
		n++
		latency += (o.took.Seconds() - latency) / float64(n)
		version, ok = o.version, true
	}
	return latency, version, ok
}

// summary is the running mean and spread of one feature (Welford, "Note on a
// Method for Calculating Corrected Sums of Squares and Products", 1962).
type summary struct {
	n        int
	mean, m2 float64
}

func (s *summary) stdDev() float64 {
	if s.n < 2 {
		return 0
	}
	return math.Sqrt(s.m2 / float64(s.n-1))
}

func summarise(recent []observation) map[string]*summary {
	all := map[string]*summary{}
	for _, o := range recent {
		for i, name := range o.features.names {
			s := all[name]
			if s == nil {
				s = &summary{}
				all[name] = s
			}
			if x := o.features.values[i]; !math.IsNaN(x) {
				s.n++
				d := x - s.mean
				s.mean += d / float64(s.n)
				s.m2 += d * (x - s.mean)
			}
		}
	}
	return all
}
