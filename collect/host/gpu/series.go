package gpu

import (
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// hardwareXids are errors of the GPU itself rather than of a program on it. They are exported as 0 from the start, so
// that increase() sees the first one: uncorrectable memory (48, 94, 95, 140), row remapping (63, 64), NVLink (74), off
// the bus (79), the system processor (119, 120), and the driver's call for a reset or reboot (154).
var hardwareXids = []int{48, 63, 64, 74, 79, 94, 95, 119, 120, 140, 154}

type descs struct {
	count, expected, success, failures, age, up, info, xids, logReadable *prometheus.Desc

	figures []*prometheus.Desc
}

func newDescs() descs {
	gpuLabels := []string{"gpu", "uuid", "name"}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	ds := descs{
		count:       d("modelwatch_gpu_count", "GPUs that answer."),
		expected:    d("modelwatch_gpu_expected_count", "GPUs that should be there: configured, or the highest number seen."),
		success:     d("modelwatch_gpu_scrape_success", "Whether the last reading of the GPUs succeeded and is recent."),
		failures:    d("modelwatch_gpu_scrape_errors_total", "Readings of the GPUs that failed, by reason.", "reason"),
		age:         d("modelwatch_gpu_reading_age_seconds", "Time since the reading that the GPU series show."),
		up:          d("modelwatch_gpu_up", "Whether the GPU answers, for every GPU that should be there and whose name is known.", gpuLabels...),
		info:        d("modelwatch_gpu_info", "What the GPU is; always 1.", "gpu", "uuid", "name", "pci_bus_id", "driver_version"),
		xids:        d("modelwatch_gpu_xid_errors_total", "XID errors of the GPU in the kernel's log, by code.", append(slices.Clone(gpuLabels), "xid")...),
		logReadable: d("modelwatch_gpu_kernel_log_readable", "Whether the kernel's log can be read, without which there are no XID errors to count."),
	}
	for _, c := range columns {
		ds.figures = append(ds.figures, d(c.name, c.help, gpuLabels...))
	}
	return ds
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append([]*prometheus.Desc{
		c.desc.count, c.desc.expected, c.desc.success, c.desc.failures, c.desc.age,
		c.desc.up, c.desc.info, c.desc.xids, c.desc.logReadable,
	}, c.desc.figures...) {
		ch <- d
	}
}

// label is the index that nvidia-smi and CUDA_VISIBLE_DEVICES use, or the bus while that is not known.
func (a identity) label() string {
	if a.Index < 0 {
		return a.Bus
	}
	return strconv.Itoa(a.Index)
}

// Collect implements prometheus.Collector. It does not run anything and does not block.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if n := c.expected(); n > 0 {
		gauge(c.desc.expected, float64(n))
	}
	v := &c.view
	if !v.attempted {
		return
	}
	age := c.now().Sub(v.at)
	fresh := v.reading != nil && age <= c.opts.MaxAge
	gauge(c.desc.success, truth(v.ok && fresh))
	for _, reason := range slices.Sorted(maps.Keys(v.failures)) {
		ch <- prometheus.MustNewConstMetric(c.desc.failures, prometheus.CounterValue, v.failures[reason], reason)
	}
	if v.logTried {
		gauge(c.desc.logReadable, truth(v.logOpen))
		if v.logOpen {
			c.collectXids(ch)
		}
	}
	if fresh {
		gauge(c.desc.age, max(age.Seconds(), 0))
		gauge(c.desc.count, float64(len(v.reading.gpus)))
		c.collectGPUs(ch)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// collectGPUs sends the figures of the GPUs that answer, and which of all do. c.mu is held.
func (c *Collector) collectGPUs(ch chan<- prometheus.Metric) {
	for _, g := range c.view.reading.gpus {
		ch <- prometheus.MustNewConstMetric(c.desc.info, prometheus.GaugeValue, 1, g.label(), g.UUID, g.Name, g.Bus, g.driver)
		for i, v := range g.figures {
			if !math.IsNaN(v) {
				ch <- prometheus.MustNewConstMetric(c.desc.figures[i], columns[i].kind, v, g.label(), g.UUID, g.Name)
			}
		}
	}
	type key struct{ gpu, uuid, name string }
	up := map[key]bool{}
	for _, id := range c.state.GPUs {
		answers := slices.ContainsFunc(c.view.reading.gpus, func(g gpu) bool { return g.same(id) })
		k := key{id.label(), id.UUID, id.Name}
		up[k] = up[k] || answers
	}
	for k, answers := range up {
		ch <- prometheus.MustNewConstMetric(c.desc.up, prometheus.GaugeValue, truth(answers), k.gpu, k.uuid, k.name)
	}
}

// collectXids sends the error counters of all GPUs that should be there, and of others that had errors. c.mu is held.
func (c *Collector) collectXids(ch chan<- prometheus.Metric) {
	type key struct{ gpu, uuid, name, xid string }
	counts := map[key]uint64{}
	for _, id := range c.state.GPUs {
		for _, code := range hardwareXids {
			counts[key{id.label(), id.UUID, id.Name, strconv.Itoa(code)}] = 0
		}
	}
	for _, x := range c.state.Xids {
		id, _ := c.state.at(x.Bus)
		counts[key{id.label(), id.UUID, id.Name, strconv.Itoa(x.Code)}] += x.Count
	}
	for k, n := range counts {
		ch <- prometheus.MustNewConstMetric(c.desc.xids, prometheus.CounterValue, float64(n), k.gpu, k.uuid, k.name, k.xid)
	}
}
