package node

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"
)

// memoryUsage gives node_memory_usage_bytes: MemTotal − MemAvailable, the memory that could not be had without
// swapping. node_exporter has no such series; users ask for it by this name.
func memoryUsage(procPath string) func(chan<- prometheus.Metric) error {
	desc := prometheus.NewDesc("node_memory_usage_bytes",
		"Memory in use that cannot be reclaimed without swapping: MemTotal - MemAvailable, in bytes.", nil, nil)
	return func(ch chan<- prometheus.Metric) error {
		fs, err := procfs.NewFS(procPath)
		if err != nil {
			return fmt.Errorf("open procfs: %w", err)
		}
		m, err := fs.Meminfo()
		if err != nil {
			return fmt.Errorf("read meminfo: %w", err)
		}
		if m.MemTotalBytes == nil {
			return fmt.Errorf("read meminfo: no MemTotal")
		}
		if m.MemAvailableBytes == nil { // Kernels before 3.14: an estimate would not be comparable, so there is none.
			return ErrNoData
		}
		used := float64(*m.MemTotalBytes) - float64(*m.MemAvailableBytes)
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, max(used, 0))
		return nil
	}
}
