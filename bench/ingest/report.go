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
	Rate     float64 `json:"records_per_second"`
	Refused  int     `json:"requests_refused"`
	MBPerSec float64 `json:"megabytes_per_second"`
	HalfRate float64 `json:"half_rate_records_per_second"`
	P50      float64 `json:"half_rate_p50_ms"`
	P99      float64 `json:"half_rate_p99_ms"`
	GoalP50  float64 `json:"half_goal_p50_ms"`
	GoalP99  float64 `json:"half_goal_p99_ms"`
	CPU      float64 `json:"server_cpu_seconds_per_second"`
	Memory   float64 `json:"largest_resident_mib"`
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
	r := &report{s: s, Time: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(), CPUs: runtime.NumCPU(), Subject: "receiver and store in a process of their own"}
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
	if _, err := send(s, w, 0, 2*time.Second); err != nil { // To warm up.
		return err
	}
	before, _ := usage(s.pid)
	fast, err := send(s, w, 0, s.measure)
	if err != nil {
		return err
	}
	after, _ := usage(s.pid)
	half, err := send(s, w, fast.rate()/2, s.measure)
	if err != nil {
		return err
	}
	goal, err := send(s, w, w.goal/2, s.measure)
	if err != nil {
		return err
	}
	_, memory := usage(s.pid)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	f := figure{
		Workload: w.name, What: w.what, Batch: w.batch, Goal: w.goal, Rate: fast.rate(), Refused: fast.refused + half.refused + goal.refused,
		MBPerSec: fast.rate() / float64(w.batch) * float64(len(w.bodies[0])) / 1e6,
		HalfRate: half.rate(), P50: ms(half.quantile(.5)), P99: ms(half.quantile(.99)),
		GoalP50: ms(goal.quantile(.5)), GoalP99: ms(goal.quantile(.99)),
		CPU: (after - before) / fast.took.Seconds(), Memory: memory,
	}
	fmt.Printf("%-9s %9.0f records/s (goal %.0f), %.0f MB/s, %d refused; at half of it p50 %.1f ms p99 %.1f ms; at half the goal p50 %.1f ms p99 %.1f ms; CPU %.2f, %.0f MiB\n",
		f.Workload, f.Rate, f.Goal, f.MBPerSec, f.Refused, f.P50, f.P99, f.GoalP50, f.GoalP99, f.CPU, f.Memory)
	r.Figures = append(r.Figures, f)
	return nil
}

func (r *report) write() error {
	var b strings.Builder
	fmt.Fprintf(&b, `# Taking inferences in

Records with %d features of 64-bit floats, of %d models, sent in requests of %d over %d connections by a load generator
on the same machine (%d processors, %s). A record counts when its request was answered with 202: it is on disk, synced.
Half rate: requests are due at fixed times, and latency counts from then. Subject: %s.

Measured %s. Load average before: %.1f.

| workload | records/s | goal | MB/s | refused | p50, p99 at half of it | p50, p99 at half the goal | CPU of the server | resident memory, most |
|---|---|---|---|---|---|---|---|---|
`, features, r.s.models, r.s.batch, r.s.senders, r.CPUs, r.Go, r.Subject, r.Time.Format(time.RFC3339), r.Load)
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "| %s | %.0f | %.0f | %.0f | %d | %.1f ms, %.1f ms | %.1f ms, %.1f ms | %.2f | %.0f MiB |\n",
			f.What, f.Rate, f.Goal, f.MBPerSec, f.Refused, f.P50, f.P99, f.GoalP50, f.GoalP99, f.CPU, f.Memory)
	}
	b.WriteString("\n    go run ./bench/ingest\n")
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.s.out, "results.json"), append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.s.out, "results.md"), []byte(b.String()), 0o600)
}
