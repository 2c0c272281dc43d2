package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// plan says what is measured, and how often.
type plan struct {
	Seed       uint64
	Baselines  []int // Rows.
	Windows    []int // Rows.
	Repeats    int   // Windows of each false alarm figure that the peers judge too.
	Long       int   // Windows of the same figure for modelwatch alone; 0 for none.
	PowerSizes []int // Window rows of the power figures.
	Power      int   // Windows of each power figure.
	PowerNull  int   // Windows without drift of each power figure's false alarms.
	Extra      bool  // The awkward workloads as well.
}

func fullPlan(seed uint64) plan {
	return plan{
		Seed: seed, Baselines: []int{1001, 100_000}, Windows: []int{30, 50, 100, 200, 500, 1000, 10_000},
		Repeats: 200, Long: 2000, PowerSizes: []int{30, 100, 500, 1000, 10_000}, Power: 400, PowerNull: 1000, Extra: true,
	}
}

func quickPlan(seed uint64) plan {
	return plan{
		Seed: seed, Baselines: []int{1001}, Windows: []int{30, 200, 1000}, Repeats: 200,
		PowerSizes: []int{100, 1000}, Power: 100, PowerNull: 200,
	}
}

// windowsPerBaseline is how many windows share one baseline: one where the
// baseline is small, since then its own error matters most.
func windowsPerBaseline(n int) int {
	if n > 5000 {
		return 20
	}
	return 1
}

// sample is groups of a baseline and its windows.
type sample struct {
	w         workload
	n, m      int
	perGroup  int
	baselines [][]float64
	windows   [][][]float64
}

func draw(rng *rand.Rand, w workload, n, m, windows int, current func() float64) sample {
	s := sample{w: w, n: n, m: m, perGroup: windowsPerBaseline(n)}
	fill := func(k int, f func() float64) []float64 {
		x := make([]float64, k)
		for i := range x {
			x[i] = f()
		}
		return x
	}
	for range (windows + s.perGroup - 1) / s.perGroup {
		s.baselines = append(s.baselines, fill(n, func() float64 { return w.draw(rng) }))
		var group [][]float64
		for range s.perGroup {
			group = append(group, fill(m, current))
		}
		s.windows = append(s.windows, group)
	}
	return s
}

// outcome is what modelwatch said about windows.
type outcome struct {
	verdicts map[ai.Verdict]int
	p        []float64
	drift    []bool
	total    int
}

// judge runs the whole way: values are counted into profiles, and profiles
// judged, by a model version with this one feature.
func (s *sample) judge(e *drift.Evaluator) (outcome, error) {
	o := outcome{verdicts: make(map[ai.Verdict]int)}
	for i, values := range s.baselines {
		f, err := newFeature(s.w, values)
		if err != nil {
			return o, err
		}
		b := &ai.Baseline{Features: map[string]*ai.FeatureBaseline{"x": f.base}}
		for _, w := range s.windows[i] {
			r := e.Evaluate(b, map[string]*ai.Profile{"x": f.profile(w)})[0]
			// The p-value of the feature, whether or not a score reached its floor.
			p := 1.0
			for _, t := range r.Tests {
				p = min(p, t.PValue/t.Weight)
			}
			o.verdicts[r.Verdict]++
			o.p = append(o.p, p)
			o.drift = append(o.drift, r.Verdict == ai.VerdictDrift)
			o.total++
		}
	}
	return o, nil
}

func share(p []float64, alpha float64) float64 {
	k := 0
	for _, x := range p {
		if x <= alpha {
			k++
		}
	}
	return float64(k) / float64(len(p))
}

// peer is a Python process that judges the same data.
type peer struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	dir      string
	Versions map[string]string
}

func startPeer(python, script string) (*peer, error) {
	dir, err := os.MkdirTemp("", "bench-drift-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the data: %w", err)
	}
	p := &peer{cmd: exec.Command(python, script), dir: dir}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", python, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", python, err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", python, err)
	}
	if err := p.read(&p.Versions); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *peer) stop() error {
	_ = p.in.Close() // It then ends by itself.
	err := p.cmd.Wait()
	if e := os.RemoveAll(p.dir); err == nil {
		err = e
	}
	return err
}

func (p *peer) read(answer any) error {
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the peer's side ended: does its Python have what bench/drift/requirements.txt lists? %w", err)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		return fmt.Errorf("the peer's side said %q: %w", line, err)
	}
	return nil
}

func (p *peer) ask(what string, s *sample, answer any) error {
	path := filepath.Join(p.dir, "data")
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the data: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	put := func(x []float64) {
		var b [8]byte
		for _, v := range x {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
			_, _ = w.Write(b[:]) // Flush reports what failed.
		}
	}
	for i := range s.baselines {
		put(s.baselines[i])
		for _, x := range s.windows[i] {
			put(x)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the data: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write the data: %w", err)
	}
	line, err := json.Marshal(map[string]any{
		"ask": what, "file": path, "n": s.n, "m": s.m, "windows": s.perGroup, "categories": s.w.Categories > 0,
	})
	if err != nil {
		return fmt.Errorf("ask the peer: %w", err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("ask the peer: %w", err)
	}
	return p.read(answer)
}

// falseAlarms is one cell of the calibration table. Shares are of windows
// without any drift.
type falseAlarms struct {
	Workload     string  `json:"workload"`
	BaselineRows int     `json:"baseline_rows"`
	WindowRows   int     `json:"window_rows"`
	Windows      int     `json:"windows"`
	Drift        float64 `json:"drift"`
	Possible     float64 `json:"possible"`
	Unknown      float64 `json:"unknown"`

	LongWindows  int     `json:"long_windows,omitempty"`
	LongDrift    float64 `json:"long_drift"`
	LongPossible float64 `json:"long_possible"`
	// LongP01 is the share with p at most 0.01, before any floor: 0.01 is exact.
	LongP01 float64 `json:"long_p_at_most_0.01"`

	Evidently       *float64 `json:"evidently,omitempty"`
	EvidentlyMethod string   `json:"evidently_method,omitempty"`
	Extra           bool     `json:"extra,omitempty"`
}

// power is one line of the power table: shares of windows with drift that are
// found. KS is at the same false alarm rate as the column beside it.
type power struct {
	Shift        string  `json:"shift"`
	Size         float64 `json:"size"`
	Unit         string  `json:"unit"`
	Practical    bool    `json:"practical"`
	BaselineRows int     `json:"baseline_rows"`
	WindowRows   int     `json:"window_rows"`
	Windows      int     `json:"windows"`
	// P01 and KS01 are at a false alarm rate of 1 %.
	P01  float64  `json:"p_at_most_0.01"`
	KS01 *float64 `json:"ks_at_most_0.01,omitempty"`
	// P and KS are at that of the default setting, Drift is its verdict, which
	// wants a score above the floor as well.
	P     float64  `json:"p_at_most_alpha"`
	KS    *float64 `json:"ks_at_most_alpha,omitempty"`
	Drift float64  `json:"drift"`
	// False alarm rates of both measured beside it.
	False01   float64  `json:"false_p_at_most_0.01"`
	FalseKS01 *float64 `json:"false_ks_at_most_0.01,omitempty"`
}

func measure(p plan, python, script string) (*report, error) {
	type job func(e *drift.Evaluator, peer *peer) error
	r := &report{Plan: p}
	var mu sync.Mutex
	var jobs []job
	ws := workloads()
	regular := len(ws)
	if p.Extra {
		ws = append(ws, extraWorkloads()...)
	}
	for wi, w := range ws {
		for _, n := range p.Baselines {
			for _, m := range p.Windows {
				jobs = append(jobs, func(e *drift.Evaluator, peer *peer) error {
					c, err := calibrate(p, w, n, m, wi >= regular, e, peer)
					mu.Lock()
					defer mu.Unlock()
					r.Calibration = append(r.Calibration, c)
					return err
				})
			}
		}
	}
	for _, n := range p.Baselines {
		for _, m := range p.PowerSizes {
			jobs = append(jobs, func(e *drift.Evaluator, peer *peer) error {
				lines, err := powers(p, n, m, e, peer)
				mu.Lock()
				defer mu.Unlock()
				r.Power = append(r.Power, lines...)
				return err
			})
		}
	}

	const workers = 2
	next := make(chan job)
	errs := make(chan error, workers)
	done := make(chan struct{})
	for range workers {
		go func() {
			errs <- func() (err error) {
				e, err := drift.NewEvaluator(drift.Options{})
				if err != nil {
					return err
				}
				var pr *peer
				if python != "" {
					if pr, err = startPeer(python, script); err != nil {
						return err
					}
					defer func() {
						if stopped := pr.stop(); err == nil {
							err = stopped
						}
					}()
					mu.Lock()
					r.Versions = pr.Versions
					mu.Unlock()
				}
				for j := range next {
					if err := j(e, pr); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	go func() {
		defer close(next)
		for _, j := range jobs {
			select {
			case next <- j:
			case <-done:
				return
			}
		}
	}()
	var first error
	for range workers {
		if err := <-errs; err != nil && first == nil {
			first = err
			close(done)
		}
	}
	r.sort(ws)
	return r, first
}

func calibrate(p plan, w workload, n, m int, extra bool, e *drift.Evaluator, peer *peer) (falseAlarms, error) {
	c := falseAlarms{Workload: w.Name, BaselineRows: n, WindowRows: m, Extra: extra}
	rng := rand.New(rand.NewPCG(p.Seed, uint64(n)<<32|uint64(m)<<8|uint64(len(w.Name))))
	s := draw(rng, w, n, m, p.Repeats, func() float64 { return w.draw(rng) })
	o, err := s.judge(e)
	if err != nil {
		return c, err
	}
	of := func(o outcome, v ai.Verdict) float64 { return float64(o.verdicts[v]) / float64(o.total) }
	c.Windows, c.Drift, c.Possible, c.Unknown = o.total, of(o, ai.VerdictDrift), of(o, ai.VerdictPossible), of(o, ai.VerdictUnknown)
	if peer != nil && peer.Versions["evidently"] != "" && !extra {
		var a struct {
			Drifted, Total int
			Method         string
		}
		if err := peer.ask("evidently", &s, &a); err != nil {
			return c, err
		}
		c.Evidently, c.EvidentlyMethod = new(float64(a.Drifted)/float64(a.Total)), a.Method
	}
	if long := p.Long; long > 0 {
		if extra {
			long /= 2
		}
		s := draw(rng, w, n, m, long, func() float64 { return w.draw(rng) })
		o, err := s.judge(e)
		if err != nil {
			return c, err
		}
		c.LongWindows, c.LongDrift, c.LongPossible = o.total, of(o, ai.VerdictDrift), of(o, ai.VerdictPossible)
		c.LongP01 = share(o.p, 0.01)
	}
	return c, nil
}

// powers measures all shifts for one pair of sizes.
func powers(p plan, n, m int, e *drift.Evaluator, peer *peer) ([]power, error) {
	rng := rand.New(rand.NewPCG(p.Seed+1, uint64(n)<<32|uint64(m)))
	normal := workload{Name: "normal", draw: func(rng *rand.Rand) float64 { return rng.NormFloat64() }}
	gaps := workload{Name: "normal with missing", draw: func(rng *rand.Rand) float64 {
		if rng.Float64() < missingBefore {
			return math.NaN()
		}
		return rng.NormFloat64()
	}}
	run := func(w workload, windows int, current func() float64) (outcome, []float64, error) {
		s := draw(rng, w, n, m, windows, current)
		o, err := s.judge(e)
		if err != nil || peer == nil {
			return o, nil, err
		}
		var a struct{ P []float64 }
		err = peer.ask("ks", &s, &a)
		return o, a.P, err
	}
	type null struct {
		ours outcome
		ks   []float64
	}
	nulls := make(map[string]null)
	for _, w := range []workload{normal, gaps} {
		o, ks, err := run(w, p.PowerNull, func() float64 { return w.draw(rng) })
		if err != nil {
			return nil, err
		}
		nulls[w.Name] = null{o, ks}
	}
	var lines []power
	for _, s := range shifts() {
		w := normal
		if s.Name == "missing" {
			w = gaps
		}
		for _, practical := range []bool{false, true} {
			size := s.practical
			if !practical {
				size = s.size(float64(n) * float64(m) / float64(n+m))
			}
			o, ks, err := run(w, p.Power, func() float64 { return s.apply(rng, rng.NormFloat64(), size) })
			if err != nil {
				return nil, err
			}
			l := power{
				Shift: s.Name, Size: size, Unit: s.unit, Practical: practical, BaselineRows: n, WindowRows: m, Windows: o.total,
				P01: share(o.p, 0.01), P: share(o.p, drift.DefaultAlpha), False01: share(nulls[w.Name].ours.p, 0.01),
				Drift: float64(o.verdicts[ai.VerdictDrift]) / float64(o.total),
			}
			if ks != nil {
				null := nulls[w.Name].ks
				l.FalseKS01 = new(share(null, 0.01))
				l.KS01 = new(share(ks, fair(null, 0.01)))
				l.KS = new(share(ks, fair(null, drift.DefaultAlpha)))
			}
			lines = append(lines, l)
		}
	}
	return lines, nil
}
