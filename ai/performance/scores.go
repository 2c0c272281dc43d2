package performance

import (
	"math"
	"slices"
)

const (
	// Bins of probabilities are equally wide in log odds, so that 0.001 and 0.002
	// are told apart as well as 0.5 and 0.67: rare events live there.
	logitWidth   = 0.025
	maxLogitBin  = 560 // Log odds of 14, a probability of 0.9999992.
	numScoreBins = 2*maxLogitBin + 1
)

// scoreBin returns the bin of a probability; bins run from 0 to numScoreBins-1.
func scoreBin(p float64) int {
	logit := math.Log(p / (1 - p)) // Infinite at 0 and 1.
	return maxLogitBin + int(math.Round(min(max(logit/logitWidth, -maxLogitBin), maxLogitBin)))
}

// scoreCell counts the probabilities of one bin on two sides.
type scoreCell struct {
	n   [2]uint64
	sum [2]float64 // Of the probabilities themselves, so that means are exact.
}

// scores is a histogram of probabilities on two sides, such as predicted
// negative and predicted positive, or wrong and right. It keeps only the span
// of bins that was used.
type scores struct {
	low   int
	cells []scoreCell
	n     [2]uint64
}

// add counts a probability between 0 and 1 on a side; false if it is none.
func (h *scores) add(p float64, side int) bool {
	if !(p >= 0 && p <= 1) {
		return false
	}
	b := scoreBin(p)
	i := b - h.low
	if uint(i) >= uint(len(h.cells)) {
		h.grow(b, b)
		i = b - h.low
	}
	c := &h.cells[i]
	c.n[side]++
	c.sum[side] += p
	h.n[side]++
	return true
}

func (h *scores) grow(first, last int) {
	if len(h.cells) == 0 {
		h.low = first
		h.cells = make([]scoreCell, last-first+1, max(last-first+1, 32))
		return
	}
	end := h.low + len(h.cells) - 1
	if first >= h.low {
		h.cells = append(h.cells, make([]scoreCell, max(last-end, 0))...)
		return
	}
	first = max(first-32, 0) // Growing downwards moves the cells, so take more than asked.
	grown := make([]scoreCell, max(end, last)-first+1)
	copy(grown[h.low-first:], h.cells)
	h.low, h.cells = first, grown
}

func (h *scores) merge(o *scores) {
	if len(o.cells) == 0 {
		return
	}
	if last := o.low + len(o.cells) - 1; len(h.cells) == 0 || o.low < h.low || last >= h.low+len(h.cells) {
		h.grow(o.low, last)
	}
	for i := range o.cells {
		c := &h.cells[o.low-h.low+i]
		for side := range 2 {
			c.n[side] += o.cells[i].n[side]
			c.sum[side] += o.cells[i].sum[side]
		}
	}
	for side := range 2 {
		h.n[side] += o.n[side]
	}
}

func (h *scores) reset() {
	clear(h.cells)
	h.n = [2]uint64{}
}

func (h *scores) total() uint64 { return h.n[0] + h.n[1] }

// mean returns the mean probability on both sides of a cell.
func (c *scoreCell) mean() float64 {
	n := c.n[0] + c.n[1]
	return min(max((c.sum[0]+c.sum[1])/float64(n), 0), 1)
}

// group is one step of a ranking: how much weight of each side has one score.
type group struct{ negative, positive float64 }

// areaUnder returns the area under the ROC curve of groups in rising order of
// score, ties counting half (the Mann-Whitney statistic over the number of
// pairs), its standard error by DeLong, DeLong and Clarke-Pearson ("Comparing the
// areas under two or more correlated receiver operating characteristic curves",
// Biometrics 1988), and half the share of pairs within one group, which is the
// most that the area can be wrong by if the groups hold different scores. ok is
// false where a side is empty.
func areaUnder(groups []group) (area, standardError, bound float64, ok bool) {
	var negatives, positives float64
	for _, g := range groups {
		negatives += g.negative
		positives += g.positive
	}
	if !(negatives > 0 && positives > 0) {
		return 0, 0, 0, false
	}
	var below, wins, ties float64
	for _, g := range groups {
		wins += g.positive * (below + g.negative/2)
		ties += g.positive * g.negative
		below += g.negative
	}
	area = wins / negatives / positives
	bound = ties / 2 / negatives / positives
	var ofPositives, ofNegatives, positivesBelow float64
	below = 0
	for _, g := range groups {
		v := (below+g.negative/2)/negatives - area
		ofPositives += g.positive * v * v
		w := 1 - (positivesBelow+g.positive/2)/positives - area
		ofNegatives += g.negative * w * w
		below += g.negative
		positivesBelow += g.positive
	}
	variance := ofPositives/max(positives-1, 1)/positives + ofNegatives/max(negatives-1, 1)/negatives
	return min(max(area, 0), 1), math.Sqrt(variance), bound, true
}

// areaMeasure returns the area under the curve with an interval on the scale of
// its log odds, which stays between 0 and 1. A perfect area has no spread of
// its own, so it gets Wilson's interval of the smaller side.
func areaMeasure(groups []group, n uint64, none string) (m Measure, bound float64) {
	area, se, bound, ok := areaUnder(groups)
	if !ok {
		return unknown(n, none), 0
	}
	var negatives, positives float64
	for _, g := range groups {
		negatives += g.negative
		positives += g.positive
	}
	if se == 0 || area <= 0 || area >= 1 {
		small := min(negatives, positives)
		return measured(area, Wilson(area*small, small), n), bound
	}
	center, half := math.Log(area/(1-area)), z975*se/(area*(1-area))
	return measured(area, Interval{logistic(center - half), logistic(center + half)}, n), bound
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// AreaUnderROC returns the exact area under the ROC curve of raw scores, ties
// counting half; ok is false where a class is missing or a score is not a number.
// Both slices have one element a record.
func AreaUnderROC(score []float64, positive []bool) (area float64, ok bool) {
	if len(score) != len(positive) {
		return 0, false
	}
	weight := make([]float64, len(score))
	for i := range weight {
		if score[i] != score[i] {
			return 0, false
		}
		if positive[i] {
			weight[i] = 1
		}
	}
	area, _, _, ok = areaUnder(rank(score, weight))
	return area, ok
}

// rank groups records by score in rising order; weight[i] is how positive record
// i is, from 0 to 1.
func rank(score, weight []float64) []group {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return 0
	})
	var groups []group
	last := math.NaN()
	for _, i := range order {
		if score[i] != last {
			groups = append(groups, group{})
			last = score[i]
		}
		g := &groups[len(groups)-1]
		g.positive += weight[i]
		g.negative += 1 - weight[i]
	}
	return groups
}
