package notify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// registry registers collectors of one Manager, keeps them so that they can be
// taken away again when it stops, and turns the panic of a second registration
// into an error of New.
type registry struct {
	prometheus.Registerer

	mu    sync.Mutex
	owned []prometheus.Collector
	err   error
}

// Register implements prometheus.Registerer.
func (r *registry) Register(c prometheus.Collector) error {
	if err := r.Registerer.Register(c); err != nil {
		return fmt.Errorf("register metric: %w", err)
	}
	r.mu.Lock()
	r.owned = append(r.owned, c)
	r.mu.Unlock()
	return nil
}

// MustRegister implements prometheus.Registerer. It keeps the error for failed
// instead of panicking.
func (r *registry) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := r.Register(c); err != nil {
			r.mu.Lock()
			r.err = errors.Join(r.err, err)
			r.mu.Unlock()
		}
	}
}

// failed returns what MustRegister could not do.
func (r *registry) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// unregister takes every collector away again.
func (r *registry) unregister() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.owned {
		r.Registerer.Unregister(c)
	}
	r.owned = nil
}

// find returns the registered collector of type C whose only metric has this
// name. The zero value is returned if there is none.
func find[C prometheus.Collector](r *registry, name string) (found C, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.owned {
		typed, is := c.(C)
		if !is {
			continue
		}
		descs := make(chan *prometheus.Desc, 8)
		go func() {
			c.Describe(descs)
			close(descs)
		}()
		match := false
		for d := range descs {
			match = match || strings.Contains(d.String(), fmt.Sprintf("fqName: %q", name))
		}
		if match {
			return typed, true
		}
	}
	return found, false
}

// metrics are those of the process around Alertmanager's libraries, under the
// names that Alertmanager gives them, and modelwatch's own.
type metrics struct {
	requestDuration *prometheus.HistogramVec
	responseSize    *prometheus.HistogramVec

	clusterEnabled  prometheus.Gauge
	receivers       prometheus.Gauge
	integrations    prometheus.Gauge
	inhibitionRules prometheus.Gauge

	configHash        prometheus.Gauge
	configSuccess     prometheus.Gauge
	configSuccessTime prometheus.Gauge

	snapshotFailures *prometheus.CounterVec
	historyFailures  prometheus.Counter
	hangingAttempts  prometheus.Gauge
	restoredAlerts   prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requestDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:                            "alertmanager_http_request_duration_seconds",
			Help:                            "Histogram of latencies for HTTP requests.",
			Buckets:                         prometheus.DefBuckets,
			NativeHistogramBucketFactor:     1.1,
			NativeHistogramMaxBucketNumber:  100,
			NativeHistogramMinResetDuration: time.Hour,
		}, []string{"handler", "method", "code"}),
		responseSize: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "alertmanager_http_response_size_bytes",
			Help:    "Histogram of response size for HTTP requests.",
			Buckets: prometheus.ExponentialBuckets(100, 10, 7),
		}, []string{"handler", "method"}),
		clusterEnabled:    gauge("alertmanager_cluster_enabled", "Indicates whether the clustering is enabled or not."),
		receivers:         gauge("alertmanager_receivers", "Number of configured receivers."),
		integrations:      gauge("alertmanager_integrations", "Number of configured integrations."),
		inhibitionRules:   gauge("alertmanager_inhibition_rules", "Number of configured inhibition rules."),
		configHash:        gauge("alertmanager_config_hash", "Hash of the currently loaded alertmanager configuration. Note that this is not a cryptographically strong hash."),
		configSuccess:     gauge("alertmanager_config_last_reload_successful", "Whether the last configuration reload attempt was successful."),
		configSuccessTime: gauge("alertmanager_config_last_reload_success_timestamp_seconds", "Timestamp of the last successful configuration reload."),
		snapshotFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "modelwatch_notify_snapshot_failures_total",
			Help: "Snapshots of silences, notification log or alerts that could not be written to disk.",
		}, []string{"file"}),
		historyFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "modelwatch_notify_history_write_failures_total",
			Help: "Attempts to write the notification history that failed; what was to be written is kept in memory and tried again.",
		}),
		hangingAttempts: gauge("modelwatch_notify_hanging_attempts", "Notification attempts that were given up because the receiver neither answers nor closes the connection."),
		restoredAlerts:  gauge("modelwatch_notify_restored_alerts", "Alerts that were taken over from before the start of the process."),
	}
	r.MustRegister(
		m.requestDuration, m.responseSize, m.clusterEnabled, m.receivers, m.integrations, m.inhibitionRules,
		m.configHash, m.configSuccess, m.configSuccessTime,
		m.snapshotFailures, m.historyFailures, m.hangingAttempts, m.restoredAlerts,
	)
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

// instrument measures requests of the handler called name.
func (m *metrics) instrument(name string, h http.Handler) http.Handler {
	l := prometheus.Labels{"handler": name}
	return promhttp.InstrumentHandlerDuration(m.requestDuration.MustCurryWith(l),
		promhttp.InstrumentHandlerResponseSize(m.responseSize.MustCurryWith(l), h))
}
