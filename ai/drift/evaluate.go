package drift

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/modelwatch/modelwatch/ai"
)

// Evaluate compares a window with its baseline, feature by feature. It is
// NewEvaluator and Evaluate in one; to judge window after window keep an
// Evaluator, which prepares each baseline once.
func Evaluate(baseline *ai.Baseline, window map[string]*ai.Profile, opt Options) ([]Result, error) {
	e, err := NewEvaluator(opt)
	if err != nil {
		return nil, err
	}
	return e.Evaluate(baseline, window), nil
}

// Evaluator judges windows. It is safe for concurrent use and keeps a bounded
// amount of what follows from baselines alone; it has nothing to stop.
type Evaluator struct {
	opt   Options
	specs map[string]*spec
	floor map[string]float64
	roots *rootTable

	mu       sync.Mutex
	prepared *generations[*ai.FeatureBaseline, *prepared]
	nulls    *generations[nullKey, *null]

	scratch sync.Pool
}

// Bounds of what an Evaluator keeps, each for two generations. A prepared
// feature takes about 12 KiB, a null distribution 2 KiB.
const (
	maxPrepared = 4096
	maxNulls    = 8192
)

// NewEvaluator returns an evaluator; the error names every bad option.
func NewEvaluator(opt Options) (*Evaluator, error) {
	if err := opt.Validate(); err != nil {
		return nil, fmt.Errorf("drift options: %w", err)
	}
	e := &Evaluator{
		opt:      opt.withDefaults(),
		specs:    make(map[string]*spec),
		floor:    make(map[string]float64),
		roots:    newRootTable(),
		prepared: newGenerations[*ai.FeatureBaseline, *prepared](maxPrepared),
		nulls:    newGenerations[nullKey, *null](maxNulls),
	}
	all := specs()
	for i := range all {
		s := &all[i]
		e.specs[s.ID] = s
		e.floor[s.ID] = s.Threshold
		if t, ok := opt.Thresholds[MethodAuto]; ok && s.auto {
			e.floor[s.ID] = t
		}
		if t, ok := opt.Thresholds[s.ID]; ok {
			e.floor[s.ID] = t
		}
	}
	e.scratch.New = func() any { return new(scratch) }
	return e, nil
}

// Evaluate returns one result for each feature of the baseline or the window,
// by name. Features without enough to go by are unknown, with a reason. baseline
// may be nil: then all are unknown. Nothing that is passed in is changed or kept
// but the baseline's features, which are immutable.
func (e *Evaluator) Evaluate(baseline *ai.Baseline, window map[string]*ai.Profile) []Result {
	var features map[string]*ai.FeatureBaseline
	if baseline != nil {
		features = baseline.Features
	}
	results := make([]Result, 0, max(len(features), len(window)))
	for name, p := range window {
		if p != nil {
			results = append(results, Result{Feature: name, Kind: p.Kind})
		}
	}
	for name, f := range features {
		if f != nil && window[name] == nil {
			results = append(results, Result{Feature: name, Kind: f.Kind})
		}
	}
	slices.SortFunc(results, func(a, b Result) int {
		if a.Feature < b.Feature {
			return -1
		}
		return 1 // Names differ.
	})

	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	tests := make([]Test, 0, 4*len(results))
	for i := range results {
		r := &results[i]
		from := len(tests)
		r.Alpha, r.Direction = e.opt.Alpha, ai.Above
		switch f := features[r.Feature]; {
		case baseline == nil:
			r.Reason = "there is no baseline"
		case f == nil:
			r.Reason = "the feature is not in the baseline"
		default:
			tests, r.Reason = e.tests(tests, e.prepare(f), window[r.Feature], r.Feature, s)
		}
		if r.Tests = tests[from:len(tests):len(tests)]; len(r.Tests) == 0 {
			r.Verdict = ai.VerdictUnknown
		}
	}
	e.decide(results, features, window, s)
	return results
}

// decide fills in the verdicts from the tests, over all features.
func (e *Evaluator) decide(results []Result, features map[string]*ai.FeatureBaseline, window map[string]*ai.Profile, s *scratch) {
	var judged []int
	s.p, s.qualified = s.p[:0], s.qualified[:0]
	for i := range results {
		r := &results[i]
		if r.Verdict == ai.VerdictUnknown {
			continue
		}
		judged = append(judged, i)
		reached := r.choose(e)
		s.p = append(s.p, r.PValue)
		if reached {
			s.qualified = append(s.qualified, r.PValue)
		} else {
			s.qualified = append(s.qualified, 1)
		}
	}
	n := len(judged)
	if n == 0 {
		return
	}
	all, strict := s.adjusted(n)
	BenjaminiHochberg(all, s.p, s.index[:n])
	BenjaminiHochberg(strict, s.qualified, s.index[:n])
	discoveries := 0
	for _, p := range strict {
		if p <= e.opt.Alpha {
			discoveries++
		}
	}
	threshold := float64(max(discoveries, 1)) * e.opt.Alpha / float64(n)
	for j, i := range judged {
		r := &results[i]
		r.PValueThreshold = threshold
		reached := r.Score >= r.Threshold
		if r.AdjustedPValue = all[j]; reached {
			r.AdjustedPValue = strict[j]
		}
		switch {
		case reached && strict[j] <= e.opt.Alpha:
			r.Verdict = ai.VerdictDrift
		case reached && strict[j] <= e.opt.PossibleAlpha,
			r.Score >= r.Threshold/2 && all[j] <= e.opt.Alpha:
			r.Verdict = ai.VerdictPossible
		case r.Reason != "":
			// The missing share is as it was, but of the values nothing is known.
			r.Verdict = ai.VerdictUnknown
			continue
		default:
			r.Verdict = ai.VerdictNone
			continue
		}
		r.Reason = ""
		r.Change = change(r, features[r.Feature], window[r.Feature])
	}
}

// choose picks the test that decides and reports whether its score reaches its
// threshold.
func (r *Result) choose(e *Evaluator) bool {
	best, bestP, reached := -1, math.Inf(1), false
	for i := range r.Tests {
		t := &r.Tests[i]
		p := min(1, t.PValue/t.Weight)
		ok := t.Score >= t.Threshold
		if best < 0 || ok && !reached || ok == reached && p < bestP {
			best, bestP, reached = i, p, ok
		}
	}
	t := &r.Tests[best]
	r.Method, r.Score, r.Threshold, r.Statistic = t.Method, t.Score, t.Threshold, t.Statistic
	r.Unit = e.specs[t.Method].Unit
	r.PValue = bestP
	r.BaselineRows, r.WindowRows = t.BaselineRows, t.WindowRows
	return reached
}

// prepare returns what follows from a feature's baseline.
func (e *Evaluator) prepare(f *ai.FeatureBaseline) *prepared {
	e.mu.Lock()
	p, ok := e.prepared.get(f)
	e.mu.Unlock()
	if ok {
		return p
	}
	p = prepare(f)
	e.mu.Lock()
	e.prepared.put(f, p)
	e.mu.Unlock()
	return p
}

// nullKey names a null distribution: the method, the baseline's counts, and the
// window's size.
type nullKey struct {
	method string
	shape  uint64
	m      int
}

// null returns a null distribution, which make computes where it is not kept.
// Two goroutines may compute the same one; the results are equal.
func (e *Evaluator) null(key nullKey, make func() *null) *null {
	e.mu.Lock()
	d, ok := e.nulls.get(key)
	e.mu.Unlock()
	if ok {
		return d
	}
	d = make()
	e.mu.Lock()
	e.nulls.put(key, d)
	e.mu.Unlock()
	return d
}

// quantise returns the size of a window that the null distribution is simulated
// for: the next of the sizes 16·2^(i/4) down, so that there are few. Statistics
// are scaled such that their distribution hardly depends on it, and what remains
// is heavier tails for smaller windows, so the p-value errs on the large side.
func quantise(m float64) int {
	if m <= 16 {
		return max(1, int(m))
	}
	i := math.Floor(4*math.Log2(m/16) + 1e-9)
	return int(math.Ceil(16 * math.Exp2(i/4)))
}

// generations is a map that forgets what was not used for a while: it holds at
// most twice limit entries.
type generations[K comparable, V any] struct {
	limit    int
	now, old map[K]V
}

func newGenerations[K comparable, V any](limit int) *generations[K, V] {
	return &generations[K, V]{limit: limit, now: make(map[K]V)}
}

func (g *generations[K, V]) get(k K) (V, bool) {
	v, ok := g.now[k]
	if !ok {
		if v, ok = g.old[k]; ok {
			g.put(k, v)
		}
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	if len(g.now) >= g.limit {
		g.now, g.old = make(map[K]V), g.now
	}
	g.now[k] = v
}

// scratch is what one evaluation needs of memory.
type scratch struct {
	cur, rough   []float64
	ref          []float64
	cells        []float64
	ends         []float64
	p, qualified []float64
	out          []float64
	index        []int
	order        []int32
	hashes       []uint64
}

// adjusted returns two slices for n adjusted p-values and sizes index.
func (s *scratch) adjusted(n int) (a, b []float64) {
	s.out = slices.Grow(s.out[:0], 2*n)[:2*n]
	s.index = slices.Grow(s.index[:0], n)[:n]
	return s.out[:n], s.out[n:]
}

// resized returns a slice of n elements with whatever they held.
func resized(s []float64, n int) []float64 {
	return slices.Grow(s[:0], n)[:n]
}
