package stage

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// Metrics holds what the metrics stages of all pipelines count, and how many entries stages dropped. It is a collector
// whose metrics are not known beforehand, and it outlives a reload so that counters do not begin again.
type Metrics struct {
	mu     sync.Mutex
	series map[string]*series
	drops  map[string]float64
	// Now is the clock.
	now func() time.Time
}

// NewMetrics returns an empty set.
func NewMetrics(now func() time.Time) *Metrics {
	return &Metrics{series: map[string]*series{}, drops: map[string]float64{}, now: now}
}

// series is one series of a metrics stage.
type series struct {
	def     *metric
	names   []string
	values  []string
	value   float64
	count   uint64
	buckets []uint64
	last    time.Time
}

// metric is one metric of a metrics stage.
type metric struct {
	kind, name, help string
	buckets          []float64
	idle             time.Duration
}

func (m *Metrics) dropped(reason string) {
	m.mu.Lock()
	m.drops[reason]++
	m.mu.Unlock()
}

// Describe implements prometheus.Collector; nothing is known beforehand.
func (m *Metrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	drops := prometheus.NewDesc("modelwatch_tail_dropped_entries_total", "Log entries dropped by pipeline stages, by reason.", []string{"reason"}, nil)
	for reason, n := range m.drops {
		ch <- prometheus.MustNewConstMetric(drops, prometheus.CounterValue, n, reason)
	}
	now := m.now()
	for key, s := range m.series {
		if s.def.idle > 0 && now.Sub(s.last) > s.def.idle {
			delete(m.series, key)
			continue
		}
		desc := prometheus.NewDesc(s.def.name, s.def.help, s.names, nil)
		var c prometheus.Metric
		var err error
		switch s.def.kind {
		case "counter":
			c, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.value, s.values...)
		case "gauge":
			c, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.value, s.values...)
		default:
			buckets := map[float64]uint64{}
			for i, le := range s.def.buckets {
				buckets[le] = s.buckets[i]
			}
			c, err = prometheus.NewConstHistogram(desc, s.count, s.value, buckets, s.values...)
		}
		if err == nil {
			ch <- c
		}
	}
}

// of returns the series of a metric for the labels of an entry. The caller holds mu.
func (m *Metrics) of(def *metric, labels map[string]string) *series {
	key := def.kind + "\x00" + def.name + "\x00" + labelKey(labels)
	s := m.series[key]
	if s == nil {
		s = &series{buckets: make([]uint64, len(def.buckets))}
		for name := range labels {
			if !strings.HasPrefix(name, "__") {
				s.names = append(s.names, name)
			}
		}
		slices.Sort(s.names)
		for _, name := range s.names {
			s.values = append(s.values, labels[name])
		}
		m.series[key] = s
	}
	if len(s.buckets) != len(def.buckets) {
		s.buckets = make([]uint64, len(def.buckets))
	}
	s.def, s.last = def, m.now()
	return s
}

// readMetrics reads the stage metrics: counters, gauges and histograms of extracted values.
func readMetrics(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var updates []func(m *Metrics, e *Entry)
	r.Pairs(n, where, func(name string, n *yaml.Node) {
		if u := readMetric(r, n, where+"."+name, name); u != nil {
			updates = append(updates, u)
		}
	})
	if len(updates) == 0 && !r.Failed() {
		r.Fail(key, "", "%s needs at least one metric", where)
	}
	return func(env *Env) stage {
		return each(func(e *Entry) bool {
			for _, u := range updates {
				u(env.Metrics, e)
			}
			return true
		})
	}
}

func readMetric(r *node.Reader, n *yaml.Node, where, name string) func(*Metrics, *Entry) {
	def := &metric{idle: 5 * time.Minute}
	source, prefix := name, "promtail_custom_"
	var action string
	var value *string
	var matchAll, countBytes bool
	actionAt := n
	config := func(n *yaml.Node) {
		r.Map(n, where+".config", node.Fields{
			"action":            func(v *yaml.Node) { actionAt = v; r.String(&action, where+".config.action")(v) },
			"value":             func(v *yaml.Node) { value = new(string); r.String(value, where+".config.value")(v) },
			"match_all":         r.Bool(&matchAll, where+".config.match_all"),
			"count_entry_bytes": r.Bool(&countBytes, where+".config.count_entry_bytes"),
			"buckets": func(v *yaml.Node) {
				r.List(v, where+".config.buckets", func(_ int, e *yaml.Node) {
					var f float64
					r.Float(&f, where+".config.buckets")(e)
					def.buckets = append(def.buckets, f)
				})
			},
		})
	}
	r.Map(n, where, node.Fields{
		"type":              r.String(&def.kind, where+".type"),
		"description":       r.String(&def.help, where+".description"),
		"source":            r.String(&source, where+".source"),
		"prefix":            r.String(&prefix, where+".prefix"),
		"max_idle_duration": r.Duration(&def.idle, where+".max_idle_duration"),
		"config":            config,
	})
	def.kind = strings.ToLower(def.kind)
	def.name = prefix + name
	if !model.LegacyValidation.IsValidMetricName(def.name) {
		r.Fail(n, "", "%s: %q is not a metric name", where, def.name)
		return nil
	}
	known := map[string][]string{"counter": {"inc", "add"}, "gauge": {"set", "inc", "dec", "add", "sub"}, "histogram": {"", "observe"}}
	actions, ok := known[def.kind]
	if !ok {
		r.Fail(n, "known are Counter, Gauge and Histogram", "%s.type cannot be %q", where, def.kind)
		return nil
	}
	if action = strings.ToLower(action); !slices.Contains(actions, action) {
		r.Fail(actionAt, "known are "+strings.Join(actions, ", "), "%s.config.action cannot be %q", where, action)
		return nil
	}
	if def.kind == "histogram" && len(def.buckets) == 0 {
		def.buckets = prometheus.DefBuckets
	}
	slices.Sort(def.buckets)
	return func(m *Metrics, e *Entry) {
		raw, has := e.Extracted[source]
		if matchAll {
			raw, has = float64(1), true
			if countBytes {
				raw = float64(len(e.Line))
			}
		}
		if !has {
			return
		}
		if value != nil {
			if text, _ := textOf(raw); text != *value {
				return
			}
		}
		v := 1.0
		if action != "inc" && action != "dec" {
			if v, has = number(raw); !has {
				return
			}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		s := m.of(def, e.Labels)
		switch {
		case def.kind == "histogram":
			s.count++
			s.value += v
			for i, le := range def.buckets {
				if v <= le {
					s.buckets[i]++
				}
			}
		case action == "set":
			s.value = v
		case action == "dec", action == "sub":
			s.value -= v
		case def.kind == "counter" && v < 0:
			// A counter does not go down.
		default:
			s.value += v
		}
	}
}
