package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

type figure struct {
	Workload string  `json:"workload"`
	What     string  `json:"what"`
	Batch    int     `json:"records_per_request"`
	Goal     float64 `json:"goal_records_per_second"`

	HalfGoalP50 float64 `json:"half_goal_p50_ms"`
	HalfGoalP99 float64 `json:"half_goal_p99_ms"`
	GoalRate    float64 `json:"goal_reached_records_per_second"`
	GoalP50     float64 `json:"goal_p50_ms"`
	GoalP99     float64 `json:"goal_p99_ms"`
	GoalRefused int     `json:"goal_requests_refused"`
	GoalMemory  float64 `json:"goal_largest_resident_mib"`

	Rate     float64 `json:"most_records_per_second"`
	MBPerSec float64 `json:"most_megabytes_per_second"`
	Refused  int     `json:"most_requests_refused"`
	CPU      float64 `json:"most_server_cpu_seconds_per_second"`
	Memory   float64 `json:"most_largest_resident_mib"`
}

type report struct {
	s       settings
	Time    time.Time `json:"time"`
	Go      string    `json:"go"`
	CPUs    int       `json:"cpus"`
	Load    float64   `json:"load_average_before"`
	Subject string    `json:"subject"`
	Figures []figure  `json:"figures"`
}

func newReport(s settings) *report {
	r := &report{s: s, Time: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), CPUs: runtime.NumCPU(), Subject: s.binary + " serve, started anew for each workload"}
	if s.url != "" {
		r.Subject = "modelwatch at " + s.url
	}
	if fs, err := procfs.NewDefaultFS(); err == nil {
		if load, err := fs.LoadAvg(); err == nil {
			r.Load = load.Load1
		}
	}
	return r
}

// usage is the server's CPU time in seconds, and its largest resident memory in
// MiB; zeros where they cannot be read.
func usage(pid int) (cpu, memory float64) {
	if pid == 0 {
		return 0, 0
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, 0
	}
	if stat, err := p.Stat(); err == nil {
		cpu = stat.CPUTime()
	}
	if status, err := p.NewStatus(); err == nil {
		memory = float64(status.VmHWM) / (1 << 20)
	}
	return cpu, memory
}

func measure(s settings, w *workload, r *report) error {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	f := figure{Workload: w.name, What: w.what, Batch: w.batch, Goal: w.goal}
	if _, err := send(s, w, w.goal/2, 2*time.Second); err != nil { // To warm up.
		return err
	}
	half, err := send(s, w, w.goal/2, s.measure)
	if err != nil {
		return err
	}
	f.HalfGoalP50, f.HalfGoalP99 = ms(half.quantile(.5)), ms(half.quantile(.99))
	goal, err := send(s, w, w.goal, s.measure)
	if err != nil {
		return err
	}
	f.GoalRate, f.GoalP50, f.GoalP99, f.GoalRefused = goal.rate(), ms(goal.quantile(.5)), ms(goal.quantile(.99)), goal.refused
	before, memory := usage(s.pid)
	f.GoalMemory = memory
	fast, err := send(s, w, 0, s.measure)
	if err != nil {
		return err
	}
	after, memory := usage(s.pid)
	f.Rate, f.Refused, f.CPU, f.Memory = fast.rate(), fast.refused, (after-before)/fast.took.Seconds(), memory
	f.MBPerSec = fast.rate() / float64(w.batch) * float64(len(w.bodies[0])) / 1e6
	fmt.Printf("%-9s at half the goal of %.0f records/s p50 %.1f ms p99 %.1f ms; at the goal %.0f records/s, p50 %.1f ms p99 %.1f ms, %d refused, %.0f MiB; at most %.0f records/s, %d refused, CPU %.2f, %.0f MiB\n",
		f.Workload, f.Goal, f.HalfGoalP50, f.HalfGoalP99, f.GoalRate, f.GoalP50, f.GoalP99, f.GoalRefused, f.GoalMemory, f.Rate, f.Refused, f.CPU, f.Memory)
	r.Figures = append(r.Figures, f)
	return nil
}

func (r *report) write() error {
	var b strings.Builder
	fmt.Fprintf(&b, `# Taking inferences in

Records with %d of the %d features (64-bit floats) that each of %d models has, sent in requests of %d over %d connections by
a load generator on the same machine (%d processors, %s). A record counts when its request was answered with 202: it is on
disk, synced. Subject: %s; it also judges the models and keeps raw inferences.
Paced requests are due at fixed times, and latency counts from then. Memory is the largest resident so far; the
program file was read from disk as it was used, as after a boot.

Measured %s. Load average before: %.1f.

| workload | goal, records/s | half the goal: p50, p99 | at the goal: records/s | p50, p99 | refused | memory | as fast as answered: records/s | MB/s | refused | CPU of the server | memory |
|---|---|---|---|---|---|---|---|---|---|---|---|
`, features, allFeatures, r.s.models, r.s.batch, r.s.senders, r.CPUs, r.Go, r.Subject, r.Time.Format(time.RFC3339), r.Load)
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %.0f | %.1f ms, %.1f ms | %.0f | %.1f ms, %.1f ms | %d | %.0f MiB | %.0f | %.0f | %d | %.2f | %.0f MiB |\n",
			f.What, f.Goal, f.HalfGoalP50, f.HalfGoalP99, f.GoalRate, f.GoalP50, f.GoalP99, f.GoalRefused, f.GoalMemory,
			f.Rate, f.MBPerSec, f.Refused, f.CPU, f.Memory)
	}
	b.WriteString("\n    make bench-ingest\n")
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.s.out, "results.json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.s.out, "results.md"), []byte(b.String()), 0o600)
}
