package performance

import (
	"fmt"
	"math"
)

// quantileRatio compares the q-quantile of a window with the baseline's: their
// ratio, its interval from order statistics on both sides, and the p-value that
// the part of the distribution beyond it has grown. higher is whether more is
// worse.
func quantileRatio(current, reference *Sketch, q float64, higher bool) (ratio Measure, p, now, then float64) {
	now, _ = current.Quantile(q)
	then, _ = reference.Quantile(q)
	if !(then > 0) {
		return unknown(current.Count(), "the baseline's figure is 0"), 1, now, then
	}
	// A window's figure of 0 has no logarithm; the smallest figure stands for it.
	a, b := math.Log(max(now, SketchZero)), math.Log(then)
	iv := mover(a, logInterval(current.QuantileInterval(q), a), b, logInterval(reference.QuantileInterval(q), b))
	ratio = measured(now/then, Interval{math.Exp(iv.Low), math.Exp(iv.High)}, current.Count())
	if higher {
		p = exceedance(current.CountAbove(then), current.Count(), reference.CountAbove(then), reference.Count())
	} else {
		p = exceedance(current.countBelow(then), current.Count(), reference.countBelow(then), reference.Count())
	}
	return ratio, p, now, then
}

// countBelow returns the number of values below v, counting a bucket that holds
// v as not below.
func (s *Sketch) countBelow(v float64) uint64 {
	if v <= SketchZero {
		return 0
	}
	i := bucketIndex(v)
	n := s.zero
	for k, c := range s.counts {
		if s.low+k >= i {
			break
		}
		n += c
	}
	return n
}

// logInterval takes the logarithm of an interval around a value whose logarithm
// is middle.
func logInterval(iv Interval, middle float64) Interval {
	out := everything()
	if iv.Low > 0 {
		out.Low = min(math.Log(iv.Low), middle)
	}
	if !math.IsInf(iv.High, 1) && iv.High > 0 {
		out.High = max(math.Log(iv.High), middle)
	}
	return out
}

// minLatencyChange is the change in seconds below which latency did not change,
// whatever its ratio: people do not notice it, and timers and schedulers make it.
const minLatencyChange = 0.01

// latency judges a quantile of durations against the baseline's.
func (s *subject) latency(name string, q float64, of func(*Service) *Sketch) Result {
	current, reference := of(&s.current.Service), of(&s.reference.Window.Service)
	if n := current.Count(); n < s.settings.MinRequests {
		return s.few(n, s.settings.MinRequests, "requests with the figure in the window")
	}
	if n := reference.Count(); n < s.settings.MinRequests {
		return s.few(n, s.settings.MinRequests, "requests with the figure in the baseline")
	}
	ratio, p, now, then := quantileRatio(current, reference, q, true)
	r := s.result(ratio, p, "order_statistics", fmt.Sprintf("%s is %s, %s times the baseline's %s (%s; %d requests).",
		name, seconds(now), figure(ratio.Value), seconds(then), between(ratio.Interval), current.Count()))
	if math.Abs(now-then) < minLatencyChange {
		r.Severity = ""
	}
	return r
}
