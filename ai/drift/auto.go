package drift

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

// Weights of the tests of a feature: how the false alarms that it may have are
// shared out among them. The p-value of a feature is the smallest of p/weight
// (Bonferroni with weights), which holds however the tests depend on each other.
// Tests that cannot be made leave their share to the others.
const (
	weightMissing    = 0.15
	weightUnseen     = 0.05
	weightRough      = 0.15 // Chi-square beside Anderson-Darling.
	weightVectorNorm = 0.15 // The norm's tests beside maximum mean discrepancy.
)

// tests appends the tests of one feature. The reason says why its values could
// not be judged; there may be a test of the missing share even so.
func (e *Evaluator) tests(tests []Test, b *prepared, w *ai.Profile, name string, s *scratch) (_ []Test, reason string) {
	from := len(tests)
	bp := b.baseline.Profile
	switch {
	case bp == nil || b.bins == nil || len(b.counts) == 0:
		return tests, "the baseline has no values of the feature"
	case w == nil || w.Rows() == 0:
		return tests, "the feature is not in this window"
	case w.Kind != b.kind:
		return tests, fmt.Sprintf("the feature is of kind %s, the baseline of kind %s", w.Kind, b.kind)
	case w.BinsID != b.bins.ID() || len(w.Counts) != len(b.counts):
		return tests, "the window was counted for another baseline"
	}

	left := 1.0
	values := true
	if n := b.n; n < float64(e.opt.MinBaselineRows) {
		values, reason = false, fmt.Sprintf("the baseline has %d values, %d are needed", int(n), e.opt.MinBaselineRows)
	} else if w.Count < uint64(e.opt.MinRows) {
		values, reason = false, fmt.Sprintf("the window has %d values, %d are needed", w.Count, e.opt.MinRows)
	}

	if bp.Rows() >= uint64(e.opt.MinBaselineRows) && w.Rows() >= uint64(e.opt.MinRows) {
		gone, goneRef := float64(w.Missing+w.Absent), float64(bp.Missing+bp.Absent)
		if gone+goneRef > 0 {
			m, n := float64(w.Rows()), float64(bp.Rows())
			tests = append(tests, e.twoShares(MethodMissing, weightMissing, gone, m-gone, goneRef, n-goneRef))
			left -= weightMissing
		}
	}
	if values {
		method := e.opt.Method
		if m, ok := e.opt.Methods[name]; ok {
			method = m
		}
		tests = e.valueTests(tests, b, w, method, left, s)
	}
	switch len(tests) - from {
	case 0:
		if reason == "" {
			reason = b.incomparable()
		}
	case 1:
		tests[from].Weight = 1
	}
	return tests, reason
}

// incomparable says why there is no test of the values.
func (b *prepared) incomparable() string {
	switch {
	case b.ordered:
		return "the baseline's values do not vary"
	default:
		return "there are too many different categories to compare, or only one"
	}
}

// valueTests appends the tests of a feature's values, which share weight.
func (e *Evaluator) valueTests(tests []Test, b *prepared, w *ai.Profile, method string, weight float64, s *scratch) []Test {
	if sp := e.chosenOf(method, b); sp != nil {
		return append(tests, e.chosen(sp, b, w, weight, s))
	}
	first := len(tests)
	if b.kind == ai.KindVector {
		if b.mmdNull != nil && w.Vector != nil {
			tests = append(tests, e.mmd(b, w, weight))
			if method == MethodMMD {
				return tests
			}
			tests[first].Weight = (1 - weightVectorNorm) * weight
			weight *= weightVectorNorm
			first++
		}
	}

	m := float64(w.Count)
	rest := weight
	var unseen Test
	if b.a > 0 {
		var hits float64
		for i, is := range b.unseen {
			if is {
				hits += float64(w.Counts[i])
			}
		}
		unseen = e.unseen(b, hits, m, weightUnseen*weight)
		rest -= unseen.Weight
	}
	if b.ordered {
		tests = e.numberTests(tests, b, w, rest, s)
	} else {
		tests = e.categoryTests(tests, b, w, rest, s)
	}
	if unseen.Method != "" {
		if len(tests) == first {
			unseen.Weight = weight
		}
		tests = append(tests, unseen)
	}
	return tests
}

func (b *prepared) data() Data {
	switch {
	case b.kind == ai.KindVector:
		return DataVectors
	case b.ordered:
		return DataNumbers
	default:
		return DataCategories
	}
}

// numberTests compares numbers: the distribution function by Anderson-Darling,
// and ten ranges by chi-square, which sees narrow bumps that the other smooths
// over. Two values are two proportions.
func (e *Evaluator) numberTests(tests []Test, b *prepared, w *ai.Profile, weight float64, s *scratch) []Test {
	m := float64(w.Count)
	s.cur = resized(s.cur, len(b.testRef))
	gather(s.cur, w.Counts, b.test)
	switch len(b.testRef) {
	case 0, 1:
		return tests // One value: only unseen ones can tell.
	case 2:
		return append(tests, e.twoShares(MethodProportion, weight, s.cur[1], s.cur[0], b.testRef[1], b.testRef[0]))
	}
	s.rough = resized(s.rough, len(b.roughRef))
	gather(s.rough, w.Counts, b.rough)
	score := correctedHellinger(b.roughRef, s.rough, e.roots)

	a2 := AndersonDarling(b.testRef, s.cur)
	d := e.adNull(b, m)
	t := Test{
		Method: MethodAndersonDarling, Statistic: a2, Score: score, Threshold: e.floor[MethodAndersonDarling],
		PValue: d.p(a2 * m * b.n / (m + b.n)), Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	}
	if len(b.roughRef) < 3 {
		return append(tests, t)
	}
	t.Weight = weight * (1 - weightRough)
	tests = append(tests, t)
	x2, _ := ChiSquare(b.roughRef, s.rough)
	s.cells = slices.Grow(s.cells[:0], 2*len(s.rough))
	return append(tests, Test{
		Method: MethodChiSquare, Statistic: x2, Score: score, Threshold: e.floor[MethodChiSquare],
		PValue: contingencyP(b.roughRef, s.rough, nil, s.cells), Weight: weight * weightRough,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	})
}

// adHitLimit is how much one row may move the Anderson-Darling statistic, in its
// standard deviations, for its distribution to be that of normal sums.
const adHitLimit = 0.1

// adNull returns the null distribution of the scaled Anderson-Darling statistic:
// in closed form where no single row weighs much, else simulated.
func (e *Evaluator) adNull(b *prepared, m float64) *null {
	n := b.n
	if b.adHit*max(n/m, m/n)/(n+m) <= adHitLimit {
		return b.adNull
	}
	q := quantise(m)
	return e.null(nullKey{MethodAndersonDarling, b.hash, q}, func() *null {
		scale := float64(q) * n / (float64(q) + n)
		return simulate(b.testRef, q, repeatsFor(len(b.testRef)), func(cur []float64) float64 {
			return scale * AndersonDarling(b.testRef, cur)
		})
	})
}

// repeatsFor returns how often to simulate counts in that many cells.
func repeatsFor(cells int) int {
	return max(4000, min(20000, 400_000/cells))
}

// categoryTests compares categories by chi-square, two of them by Fisher's exact
// test.
func (e *Evaluator) categoryTests(tests []Test, b *prepared, w *ai.Profile, weight float64, s *scratch) []Test {
	order := b.categories(w, s)
	filled := 0
	for i, c := range s.rough {
		if c+s.ref[i] > 0 {
			filled++
		}
	}
	if filled < 2 {
		return tests
	}
	x2, _ := ChiSquare(s.ref, s.rough)
	s.cells = slices.Grow(s.cells[:0], 2*len(s.rough))
	t := Test{
		Method: MethodChiSquare, Statistic: x2, Score: correctedHellinger(s.ref, s.rough, e.roots),
		Threshold: e.floor[MethodChiSquare],
		PValue:    contingencyP(s.ref, s.rough, order, s.cells), Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	}
	if filled == 2 {
		t.Method, t.Threshold = MethodProportion, e.floor[MethodProportion]
		t.Statistic = math.Sqrt(x2)
	}
	return append(tests, t)
}

// rareCategory is how often the baseline must have a category to compare it by
// itself, where the window has more that are new than it could name: being
// chosen for its count then hardly changes what is expected of it.
const rareCategory = 20

// categories puts the counts of baseline and window into s.ref and s.rough. If
// all categories of the baseline have a cell, each unseen one that the window
// names gets one too: a category that only the window has and one that only the
// baseline has are then alike, which is what the test given the margins wants.
// If the window cannot name them all, those that it has are over-represented in
// the baseline, the more so the rarer they are; then the rare and the unseen are
// one cell.
func (b *prepared) categories(w *ai.Profile, s *scratch) (order []int32) {
	s.ref, s.rough = append(s.ref[:0], b.counts...), s.rough[:0]
	for _, c := range w.Counts {
		s.rough = append(s.rough, float64(c))
	}
	other := len(b.counts) - 1
	if !b.unseen[other] || w.Counts[other] == 0 {
		return b.order
	}
	left := w.Counts[other]
	s.order = append(s.order[:0], b.order...)
	for _, t := range w.Top.Entries {
		c := min(t.Count-min(t.Over, t.Count), left)
		if c == 0 {
			continue
		}
		left -= c
		h := hashName(t.Category)
		at, _ := slices.BinarySearchFunc(s.order, h, func(i int32, h uint64) int { return cmp.Compare(s.hash(b, i), h) })
		s.order = slices.Insert(s.order, at, int32(len(s.ref)))
		s.hashes = append(s.hashes[:len(s.ref)-len(b.counts)], h)
		s.ref, s.rough = append(s.ref, 0), append(s.rough, float64(c))
	}
	s.rough[other] = float64(left)
	if left == 0 {
		return s.order
	}
	s.ref, s.rough = s.ref[:len(b.counts)], s.rough[:len(b.counts)]
	s.rough[other] = float64(w.Counts[other])
	for i, r := range b.counts[:other] {
		if r < rareCategory {
			s.ref[other] += r
			s.rough[other] += s.rough[i]
			s.ref[i], s.rough[i] = 0, 0
		}
	}
	return b.order
}

// hash returns the hash of a cell of the baseline or one added for the window.
func (s *scratch) hash(b *prepared, i int32) uint64 {
	if int(i) < len(b.hashes) {
		return b.hashes[i]
	}
	return s.hashes[int(i)-len(b.hashes)]
}

// twoShares compares the share of hits.
func (e *Evaluator) twoShares(method string, weight, curHits, curMisses, refHits, refMisses float64) Test {
	ref, cur := [2]float64{refHits, refMisses}, [2]float64{curHits, curMisses}
	return Test{
		Method:       method,
		Statistic:    Proportion(curHits, curMisses, refHits, refMisses),
		Score:        correctedHellinger(ref[:], cur[:], e.roots),
		Threshold:    e.floor[method],
		PValue:       fisherP(curHits, curMisses, refHits, refMisses),
		Weight:       weight,
		BaselineRows: uint64(refHits + refMisses), WindowRows: uint64(curHits + curMisses),
	}
}

// unseen judges how many values lie where the baseline has none. Its score is
// the Hellinger distance of that share from the one to be expected, for which
// the expected share counts as it would in the baseline.
func (e *Evaluator) unseen(b *prepared, hits, m, weight float64) Test {
	expected := b.a / (b.a + b.b)
	share := hits / m
	t := Test{
		Method: MethodUnseen, Statistic: share, Threshold: e.floor[MethodUnseen],
		PValue: unseenP(hits, m, b.a, b.b), Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: uint64(m),
	}
	if share > expected {
		d := math.Sqrt(share) - math.Sqrt(expected)
		r := math.Sqrt(1-share) - math.Sqrt(1-expected)
		t.Score = math.Sqrt((d*d + r*r) / 2)
	}
	return t
}

// mmd judges embeddings by the mean of their kernel features. The score is that
// distance without its expectation, in units of the features' own deviation.
func (e *Evaluator) mmd(b *prepared, w *ai.Profile, weight float64) Test {
	m := float64(w.Count)
	d2 := KernelDistance(b.baseline.Profile.Vector.Kernel, b.n, w.Vector.Kernel, m)
	t := Test{
		Method: MethodMMD, Statistic: math.Sqrt(d2), Threshold: e.floor[MethodMMD],
		PValue: b.mmdNull.p(d2 * m * b.n / (m + b.n)), Weight: weight,
		BaselineRows: uint64(b.n), WindowRows: w.Count,
	}
	if b.mmdVar > 0 {
		t.Score = math.Sqrt(max(0, d2-(1/m+1/b.n)*b.mmdVar) / b.mmdVar)
	}
	return t
}
