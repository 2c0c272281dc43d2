package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/modelwatch/modelwatch/collect/receive/loki"
)

type options struct {
	dir, out        string
	bytes           int64
	pushers, tailed int
	span            time.Duration
	ingest          bool
}

// results is what was measured. Times are in seconds, sizes in bytes.
type results struct {
	When        string        `json:"when"`
	CPUs        int           `json:"cpus"`
	Load        string        `json:"load_average_before"`
	Lines       int64         `json:"lines"`
	LineBytes   int64         `json:"line_bytes"`
	Ingest      ingest        `json:"ingest"`
	Seal        seal          `json:"seal"`
	Queries     []queryResult `json:"queries"`
	Peak        int64         `json:"peak_resident_bytes"`
	TailedLines int           `json:"tailed_lines,omitempty"`
	TailedP50   float64       `json:"tailed_p50_seconds,omitempty"`
	TailedP99   float64       `json:"tailed_p99_seconds,omitempty"`
}

type ingest struct {
	Seconds    float64 `json:"seconds"`
	MBPerS     float64 `json:"mb_per_second"`
	CPUSeconds float64 `json:"server_cpu_seconds"`
	ClientCPU  float64 `json:"client_cpu_seconds"`
	Peak       int64   `json:"peak_resident_bytes"`
	Disk       int64   `json:"disk_bytes"`
}

type seal struct {
	Seconds float64 `json:"seconds"`
	Peak    int64   `json:"peak_resident_bytes"`
	Disk    int64   `json:"disk_bytes"`
	Ratio   float64 `json:"disk_to_raw"`
}

type queryResult struct {
	Name   string  `json:"name"`
	Query  string  `json:"query"`
	Sealed bool    `json:"sealed"`
	Median float64 `json:"median_seconds"`
	First  float64 `json:"first_seconds"`
	CPU    float64 `json:"server_cpu_seconds"`
	Peak   int64   `json:"peak_resident_bytes"`
	Answer string  `json:"answer"`
}

// process is the server in a process of its own.
type process struct {
	cmd  *exec.Cmd
	base string
	peak atomic.Int64
	stop context.CancelFunc
	done chan struct{}
}

func start(ctx context.Context, dir, promtail string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(exe, "-serve", "127.0.0.1:0", "-dir", dir, "-promtail", promtail), done: make(chan struct{})}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("server did not start: %w", err)
	}
	p.base = "http://" + strings.TrimSpace(strings.TrimPrefix(line, "serving on "))
	ctx, p.stop = context.WithCancel(ctx)
	go func() {
		defer close(p.done)
		for {
			p.peak.Store(max(p.peak.Load(), p.status("VmRSS")))
			select {
			case <-ctx.Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return p, nil
}

func (p *process) close() error {
	p.stop()
	<-p.done
	return errors.Join(p.cmd.Process.Signal(os.Interrupt), p.cmd.Wait())
}

// status is a size in /proc/PID/status in bytes.
func (p *process) status(name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}

// cpu is the processor time of the server so far in seconds.
func (p *process) cpu() float64 { return cpuOf(p.cmd.Process.Pid) }

// cpuOf is the processor time of a process so far in seconds.
func cpuOf(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100
}

// take returns the greatest resident size since the last call.
func (p *process) take() int64 { return max(p.peak.Swap(0), p.status("VmRSS")) }

func measure(ctx context.Context, o options) error {
	load, _ := os.ReadFile("/proc/loadavg")
	res := results{When: time.Now().UTC().Format(time.RFC3339), CPUs: runtime.NumCPU(), Load: strings.TrimSpace(string(load))}
	store := filepath.Join(o.dir, "store")
	p, err := start(ctx, store, "")
	if err != nil {
		return err
	}
	end := time.Now().Truncate(time.Second)
	if err := push(ctx, p, o, &res, end.Add(-o.span)); err != nil {
		return errors.Join(err, p.close())
	}
	res.Ingest.Peak, res.Ingest.Disk = p.take(), size(store)
	fmt.Printf("ingest: %.1f MB/s, %.1f s of CPU (clients %.1f s), peak %d MB resident, %d MB on disk\n", res.Ingest.MBPerS, res.Ingest.CPUSeconds, res.Ingest.ClientCPU, res.Ingest.Peak>>20, res.Ingest.Disk>>20)
	if o.ingest {
		return p.close()
	}
	if err := ask(p, o, &res, end, false); err != nil {
		return errors.Join(err, p.close())
	}
	p.take()
	begin := time.Now()
	resp, err := http.Post(p.base+"/bench/seal", "", nil)
	if err != nil {
		return errors.Join(err, p.close())
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.Join(fmt.Errorf("seal: %s", text), p.close())
	}
	res.Seal = seal{Seconds: time.Since(begin).Seconds(), Peak: p.take(), Disk: size(store)}
	res.Seal.Ratio = float64(res.Seal.Disk) / float64(res.LineBytes)
	fmt.Printf("seal: %.1f s, peak %d MB resident, %d MB on disk, %.3f of raw\n", res.Seal.Seconds, res.Seal.Peak>>20, res.Seal.Disk>>20, res.Seal.Ratio)
	if err := ask(p, o, &res, end, true); err != nil {
		return errors.Join(err, p.close())
	}
	if err := p.close(); err != nil {
		return err
	}
	if o.tailed > 0 {
		if err := tailed(ctx, o, &res); err != nil {
			return err
		}
	}
	for _, q := range res.Queries {
		res.Peak = max(res.Peak, q.Peak)
	}
	res.Peak = max(res.Peak, res.Ingest.Peak, res.Seal.Peak)
	if o.out == "-" {
		return nil
	}
	return write(o.out, res)
}

// push sends lines from several clients. The time it takes to make them does not count for the server, but shares its CPUs.
func push(ctx context.Context, p *process, o options, res *results, from time.Time) error {
	lines := o.bytes / 150
	step := o.span / time.Duration(lines) * time.Duration(o.pushers)
	var wg sync.WaitGroup
	var total, count atomic.Int64
	failed := make(chan error, o.pushers)
	cpu, own, begin := p.cpu(), cpuOf(os.Getpid()), time.Now()
	for i := range o.pushers {
		wg.Go(func() {
			g := newGenerator(uint64(i), from.Add(time.Duration(i)), step)
			for total.Load() < o.bytes && ctx.Err() == nil {
				batch, n := g.batch(1 << 20)
				body := snappy.Encode(nil, loki.EncodeProtobuf(batch))
				resp, err := http.Post(p.base+"/loki/api/v1/push", "application/x-protobuf", bytes.NewReader(body))
				if err != nil {
					failed <- err
					return
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusNoContent {
					failed <- fmt.Errorf("push: %s: %s", resp.Status, text)
					return
				}
				total.Add(int64(n))
				for _, st := range batch {
					count.Add(int64(len(st.Entries)))
				}
			}
		})
	}
	wg.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return err
	}
	res.LineBytes, res.Lines = total.Load(), count.Load()
	res.Ingest.Seconds = time.Since(begin).Seconds()
	res.Ingest.CPUSeconds, res.Ingest.ClientCPU = p.cpu()-cpu, cpuOf(os.Getpid())-own
	res.Ingest.MBPerS = float64(res.LineBytes) / 1e6 / res.Ingest.Seconds
	return nil
}

var questions = []struct{ name, query, params string }{
	{"newest 100 of a regexp", `{job="ai_service"} |~ "error"`, "limit=100"},
	{"all of a rare text", `{job="ai_service"} |= "OutOfMemory"`, "limit=5000"},
	{"count by level of JSON lines", `sum by (level) (count_over_time({job="ai_service", format="json"} | json [1m]))`, "step=60"},
	{"count by level, lines that are not JSON left out", `sum by (level) (count_over_time({job="ai_service"} | json | __error__="" [1m]))`, "step=60"},
	{"count by stream", `sum by (replica) (count_over_time({job="ai_service"} [1m]))`, "step=60"},
	{"count of a rare text", `sum(count_over_time({job="ai_service"} |= "OutOfMemory" [1m]))`, "step=60"},
	{"quantile of a JSON field", `quantile_over_time(0.99, {job="ai_service", format="json"} | json | unwrap latency_ms [1m]) by (path)`, "step=60"},
}

func ask(p *process, o options, res *results, end time.Time, sealed bool) error {
	for _, q := range questions {
		p.take()
		r := queryResult{Name: q.name, Query: q.query, Sealed: sealed}
		var times []float64
		cpu := p.cpu()
		const rounds = 5
		for range rounds {
			begin := time.Now()
			answer, err := query(p.base, q.query, q.params, end.Add(-o.span), end.Add(time.Second))
			if err != nil {
				return fmt.Errorf("%s: %w", q.query, err)
			}
			times = append(times, time.Since(begin).Seconds())
			r.Answer = answer
		}
		r.First, r.CPU = times[0], (p.cpu()-cpu)/rounds
		slices.Sort(times)
		r.Median, r.Peak = times[len(times)/2], p.take()
		res.Queries = append(res.Queries, r)
		fmt.Printf("sealed %-5v %-48s %7.3f s (first %.3f, CPU %.3f) peak %4d MB  %s\n", sealed, q.name, r.Median, r.First, r.CPU, r.Peak>>20, r.Answer)
	}
	return nil
}

// query asks and sums the answer up.
func query(base, text, params string, start, end time.Time) (string, error) {
	resp, err := http.Get(base + "/loki/api/v1/query_range?" + params + "&" + url.Values{
		"query": {text}, "start": {fmt.Sprint(start.UnixNano())}, "end": {fmt.Sprint(end.UnixNano())},
	}.Encode())
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return "", fmt.Errorf("%s: %s", resp.Status, text)
	}
	var body struct {
		Data struct {
			ResultType string
			Result     []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return "", err
	}
	n, sum := 0, 0.0
	for _, s := range body.Data.Result {
		n += len(s.Values)
		for _, v := range s.Values {
			if text, ok := v[1].(string); ok && body.Data.ResultType == "matrix" {
				f, _ := strconv.ParseFloat(text, 64)
				sum += f
			}
		}
	}
	if body.Data.ResultType == "matrix" {
		return fmt.Sprintf("%d series, %d points, sum %.0f", len(body.Data.Result), n, sum), nil
	}
	return fmt.Sprintf("%d lines", n), nil
}

// tailed measures from the writing of a line into a file until a query finds it.
func tailed(ctx context.Context, o options, res *results) error {
	path, promtail := filepath.Join(o.dir, "service.log"), filepath.Join(o.dir, "promtail.yml")
	text := "scrape_configs: [{job_name: bench, static_configs: [{targets: [localhost], labels: {job: tailed, __path__: " + path + "}}]}]\n"
	if err := os.WriteFile(promtail, []byte(text), 0o644); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	p, err := start(ctx, filepath.Join(o.dir, "tailed"), promtail)
	if err != nil {
		return err
	}
	var times []float64
	for i := range o.tailed {
		time.Sleep(time.Duration(i%7) * 20 * time.Millisecond)
		begin := time.Now()
		if _, err := fmt.Fprintf(f, "line number <%d>\n", i); err != nil {
			return errors.Join(err, p.close())
		}
		for {
			answer, err := query(p.base, fmt.Sprintf("{job=\"tailed\"} |= `<%d>`", i), "limit=1", begin.Add(-time.Minute), time.Now().Add(time.Minute))
			if err != nil {
				return errors.Join(err, p.close())
			}
			if answer == "1 lines" {
				break
			}
			time.Sleep(2 * time.Millisecond)
		}
		times = append(times, time.Since(begin).Seconds())
	}
	slices.Sort(times)
	res.TailedLines, res.TailedP50, res.TailedP99 = len(times), times[len(times)/2], times[len(times)*99/100]
	fmt.Printf("file write to searchable: p50 %.3f s, p99 %.3f s of %d lines\n", res.TailedP50, res.TailedP99, len(times))
	return p.close()
}

// size is what a store has on disk, without the scratch space that ends with the process.
func size(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == "tmp" {
			return filepath.SkipDir
		}
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	return n
}

// render writes results.md anew from results.json.
func render(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		return err
	}
	var res results
	if err := json.Unmarshal(text, &res); err != nil {
		return err
	}
	return write(dir, res)
}

func write(dir string, res results) error {
	text, err := json.MarshalIndent(res, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "results.json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Logs: measured figures\n\n%s, %d CPUs, load average before: %s. %d lines, %.2f GB, half of the streams JSON, in 8 streams, 1 %% errors, 0.01 %% OutOfMemory.\nThe clients that push and ask share the CPUs with the server. Made by `go run ./bench/logs`.\n\n",
		res.When, res.CPUs, res.Load, res.Lines, float64(res.LineBytes)/1e9)
	fmt.Fprintf(&b, "| what | figure |\n|---|---|\n")
	fmt.Fprintf(&b, "| ingest through the push API | %.1f MB/s (%.1f s, in which the server used %.1f s of CPU and the clients %.1f s), peak %d MB resident |\n", res.Ingest.MBPerS, res.Ingest.Seconds, res.Ingest.CPUSeconds, res.Ingest.ClientCPU, res.Ingest.Peak>>20)
	fmt.Fprintf(&b, "| on disk before sealing | %d MB |\n| on disk after sealing | %d MB, %.3f of raw |\n| sealing | %.1f s, peak %d MB resident |\n", res.Ingest.Disk>>20, res.Seal.Disk>>20, res.Seal.Ratio, res.Seal.Seconds, res.Seal.Peak>>20)
	if res.TailedLines > 0 {
		fmt.Fprintf(&b, "| file write to searchable | p50 %.3f s, p99 %.3f s of %d lines |\n", res.TailedP50, res.TailedP99, res.TailedLines)
	}
	fmt.Fprintf(&b, "\nTimes are medians of 5; the server's own CPU time for one query stands behind them.\n\n| query | before sealing | after sealing | greatest resident | answer |\n|---|---|---|---|---|\n")
	n := len(questions)
	for i, q := range res.Queries[:n] {
		s := res.Queries[n+i]
		fmt.Fprintf(&b, "| `%s` | %.3f s (%.2f) | %.3f s (%.2f) | %d MB | %s |\n", strings.ReplaceAll(q.Query, "|", `\|`), q.Median, q.CPU, s.Median, s.CPU, max(q.Peak, s.Peak)>>20, s.Answer)
	}
	return os.WriteFile(filepath.Join(dir, "results.md"), []byte(b.String()), 0o644)
}
