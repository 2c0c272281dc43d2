package performance

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// Isotonic is a rising map of scores to probabilities: straight lines between
// the points (X[i], Y[i]), flat outside them.
type Isotonic struct {
	X []float64 `json:"x"`
	Y []float64 `json:"y"`
}

// FitIsotonic fits the rising step function nearest to y at x by weighted
// least squares, pooling adjacent violators (Ayer, Brunk, Ewing, Reid and
// Silverman, "An empirical distribution function for sampling with incomplete
// information", Annals of Mathematical Statistics 1955). Equal x are averaged
// first. Weights must be positive; nil means 1 each. Used on scores and outcomes it
// calibrates (Zadrozny and Elkan, "Transforming classifier scores into accurate
// multiclass probability estimates", KDD 2002).
func FitIsotonic(x, y, w []float64) Isotonic {
	type block struct{ low, high, sum, weight float64 }
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case x[a] < x[b]:
			return -1
		case x[a] > x[b]:
			return 1
		}
		return 0
	})
	var points []block
	for _, i := range order {
		weight := 1.0
		if w != nil {
			weight = w[i]
		}
		if k := len(points) - 1; k >= 0 && points[k].low == x[i] {
			points[k].sum += weight * y[i]
			points[k].weight += weight
			continue
		}
		points = append(points, block{x[i], x[i], weight * y[i], weight})
	}
	blocks := points[:0]
	for _, p := range points {
		blocks = append(blocks, p)
		for k := len(blocks) - 1; k > 0 && blocks[k-1].sum*blocks[k].weight >= blocks[k].sum*blocks[k-1].weight; k-- {
			blocks[k-1].high = blocks[k].high
			blocks[k-1].sum += blocks[k].sum
			blocks[k-1].weight += blocks[k].weight
			blocks = blocks[:k]
		}
	}
	var f Isotonic
	for _, b := range blocks {
		f.X, f.Y = append(f.X, b.low), append(f.Y, b.sum/b.weight)
		if b.high > b.low {
			f.X, f.Y = append(f.X, b.high), append(f.Y, b.sum/b.weight)
		}
	}
	return f
}

// At returns the probability at a score; the score itself where f has no point.
func (f *Isotonic) At(score float64) float64 {
	n := len(f.X)
	if f == nil || n == 0 || len(f.Y) != n {
		return score
	}
	i := sort.SearchFloat64s(f.X, score)
	switch {
	case i == 0:
		return f.Y[0]
	case i >= n:
		return f.Y[n-1]
	}
	x0, x1 := f.X[i-1], f.X[i]
	if !(x1 > x0) {
		return f.Y[i]
	}
	return f.Y[i-1] + (f.Y[i]-f.Y[i-1])*(score-x0)/(x1-x0)
}

// valid reports whether f is a rising map into 0..1.
func (f *Isotonic) valid() bool {
	if len(f.X) != len(f.Y) {
		return false
	}
	for i := range f.X {
		if math.IsNaN(f.X[i]) || math.IsInf(f.X[i], 0) || !(f.Y[i] >= 0 && f.Y[i] <= 1) {
			return false
		}
		if i > 0 && (f.X[i] < f.X[i-1] || f.Y[i] < f.Y[i-1]) {
			return false
		}
	}
	return true
}

const (
	// calibrationFolds is the number of parts of the cross-validation that decides
	// whether to calibrate.
	calibrationFolds = 10
	// minCalibration is the number of labelled records on each side below which a
	// calibrator is not fitted: it would learn noise.
	minCalibration = 50
	// separable is the area under the curve above which there is nothing left to
	// calibrate on.
	separable = 0.999
)

// Calibration is the decision whether probabilities are taken as the model
// gives them, with what decided it.
type Calibration struct {
	// Map is nil where the probabilities are used as they are.
	Map *Isotonic `json:"map,omitempty"`
	// ErrorBefore and ErrorAfter are the expected calibration errors (10 bins of
	// equal count) on records that the map was not fitted on.
	ErrorBefore float64 `json:"error_before"`
	ErrorAfter  float64 `json:"error_after"`
	// Labelled is the number of records that decided.
	Labelled uint64 `json:"labelled"`
	// Reason says in a sentence why there is or is not a map.
	Reason string `json:"reason"`
}

// at returns the calibrated probability.
func (c *Calibration) at(p float64) float64 {
	if c == nil || c.Map == nil {
		return p
	}
	return min(max(c.Map.At(p), 0), 1)
}

// calibrate decides whether labelled probabilities (side 0: the event did not
// happen, side 1: it did) gain from an isotonic map, and fits it. It does only
// if the expected calibration error on held-out records falls, in a
// cross-validation of ten parts. Records of one bin are alike, so dealing the
// bins' counts out at random is dealing the records out; the random numbers are
// fixed, so the same counts always give the same decision.
func calibrate(h *scores) Calibration {
	cal := Calibration{Labelled: h.total()}
	if h.n[0] < minCalibration || h.n[1] < minCalibration {
		cal.Reason = "too few labelled records of both outcomes to calibrate on: the model's own probabilities are used"
		return cal
	}
	if area, _, _, ok := areaUnder(h.groups()); ok && area > separable {
		cal.Reason = "the outcomes are all but separable: the model's own probabilities are used"
		return cal
	}
	folds := deal(h)
	var held []heldOut
	for k := range folds {
		var rest scores
		for j := range folds {
			if j != k {
				rest.merge(&folds[j])
			}
		}
		f := rest.fit()
		for i := range folds[k].cells {
			c := &folds[k].cells[i]
			if n := c.n[0] + c.n[1]; n > 0 {
				held = append(held, heldOut{
					raw: c.mean(), calibrated: f.At(c.mean()),
					n: float64(n), events: float64(c.n[1]),
				})
			}
		}
	}
	cal.ErrorBefore = equalCountError(held, func(r *heldOut) float64 { return r.raw })
	cal.ErrorAfter = equalCountError(held, func(r *heldOut) float64 { return r.calibrated })
	if cal.ErrorAfter >= cal.ErrorBefore {
		cal.Reason = "calibrating would not lower the calibration error: the model's own probabilities are used"
		return cal
	}
	f := h.fit()
	cal.Map = &f
	cal.Reason = "calibrated by isotonic regression on the baseline's labels"
	return cal
}

// fit returns the isotonic map of the bins' means to the share of side 1.
func (h *scores) fit() Isotonic {
	var x, y, w []float64
	for i := range h.cells {
		c := &h.cells[i]
		if n := c.n[0] + c.n[1]; n > 0 {
			x, y, w = append(x, c.mean()), append(y, float64(c.n[1])/float64(n)), append(w, float64(n))
		}
	}
	return FitIsotonic(x, y, w)
}

// groups returns the bins as a ranking: side 0 negative, side 1 positive.
func (h *scores) groups() []group {
	out := make([]group, 0, len(h.cells))
	for i := range h.cells {
		if c := &h.cells[i]; c.n[0]+c.n[1] > 0 {
			out = append(out, group{float64(c.n[0]), float64(c.n[1])})
		}
	}
	return out
}

// deal splits the records at random into calibrationFolds parts.
func deal(h *scores) []scores {
	folds := make([]scores, calibrationFolds)
	rng := rand.New(rand.NewPCG(0x6d6f64656c, 0x7761746368))
	for i := range h.cells {
		c := &h.cells[i]
		for side := range 2 {
			left := c.n[side]
			if left == 0 {
				continue
			}
			p := c.sum[side] / float64(left)
			for k := range folds {
				m := left
				if k < calibrationFolds-1 {
					m = draw(rng, left, 1/float64(calibrationFolds-k))
				}
				folds[k].addMany(h.low+i, side, m, p)
				left -= m
			}
		}
	}
	return folds
}

// draw returns a binomial number of n trials of probability p; of many trials a
// normal one, rounded.
func draw(rng *rand.Rand, n uint64, p float64) uint64 {
	if n > 1000 {
		mean := float64(n) * p
		x := math.Round(mean + math.Sqrt(mean*(1-p))*rng.NormFloat64())
		return uint64(min(max(x, 0), float64(n)))
	}
	var k uint64
	for range n {
		if rng.Float64() < p {
			k++
		}
	}
	return k
}

func (h *scores) addMany(bin, side int, n uint64, p float64) {
	if n == 0 {
		return
	}
	if i := bin - h.low; uint(i) >= uint(len(h.cells)) {
		h.grow(bin, bin)
	}
	c := &h.cells[bin-h.low]
	c.n[side] += n
	c.sum[side] += float64(n) * p
	h.n[side] += n
}

// heldOut is records of one bin that a map was not fitted on.
type heldOut struct{ raw, calibrated, n, events float64 }

// equalCountError returns the expected calibration error over ten bins of equal
// count: the mean over bins, weighted by count, of the distance between mean
// probability and share of events. Records of one score that straddle a bin's end
// are split in proportion.
func equalCountError(records []heldOut, score func(*heldOut) float64) float64 {
	const bins = 10
	sort.SliceStable(records, func(i, j int) bool { return score(&records[i]) < score(&records[j]) })
	total := 0.0
	for i := range records {
		total += records[i].n
	}
	if total == 0 {
		return 0
	}
	size := total / bins
	var filled, sumScore, sumEvents, out float64
	for i := range records {
		r := &records[i]
		for left := r.n; left > 1e-9; {
			take := min(left, size-filled)
			filled += take
			sumScore += take * score(r)
			sumEvents += take * r.events / r.n
			left -= take
			if filled >= size-1e-9 {
				out += math.Abs(sumScore - sumEvents)
				filled, sumScore, sumEvents = 0, 0, 0
			}
		}
	}
	return (out + math.Abs(sumScore-sumEvents)) / total
}
