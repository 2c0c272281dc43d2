package drift

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"github.com/modelwatch/modelwatch/ai"
)

const (
	// testCells is how many cells Anderson-Darling and the other statistics of
	// distribution functions use: more would cost time and bring no power.
	testCells = 64
	// coarseCells is how many cells of equal baseline share the statistics of
	// shares use. Ten is what thresholds of the population stability index mean.
	coarseCells = 10
	// rowsPerCoarseCell is how many baseline rows a coarse cell has at least.
	rowsPerCoarseCell = 20
	// rowsPerTestCell is how many baseline rows a test cell has at least.
	rowsPerTestCell = 2
)

// prepared is what one feature's baseline gives for every window: which cells go
// together, and their counts. It is immutable.
type prepared struct {
	kind     ai.Kind
	bins     *ai.Bins
	baseline *ai.FeatureBaseline
	ordered  bool // Numbers and norms, against categories.
	counts   []float64
	n        float64
	hash     uint64 // Of counts.

	// For numbers: which test and which coarse cell each cell belongs to.
	test, rough       []uint8
	testRef, roughRef []float64
	adNull            *null   // Of Anderson-Darling, without simulation.
	adHit             float64 // What one row may add to it, see Evaluator.adNull.

	// For categories: a fixed order that knows nothing of the counts.
	order  []int32
	hashes []uint64 // Of the categories, by which order goes.

	// unseen marks cells that the baseline has nothing in and that count as
	// unseen values; a and b are unseenP's. No unseen test where a is 0.
	unseen []bool
	a, b   float64

	alpha []float64 // For simulate over all cells.
	unit  float64   // The baseline's deviation, 1 where it has none.

	mmdNull *null
	mmdVar  float64 // Σ eigenvalues.
}

func prepare(fb *ai.FeatureBaseline) *prepared {
	p := &prepared{kind: fb.Kind, bins: fb.Bins, baseline: fb, unit: 1}
	if fb.Profile == nil || fb.Bins == nil || len(fb.Profile.Counts) != fb.Bins.Len() {
		return p
	}
	p.counts = make([]float64, len(fb.Profile.Counts))
	h := fnv.New64a()
	for i, c := range fb.Profile.Counts {
		p.counts[i] = float64(c)
		p.n += p.counts[i]
		hashWord(h.Write, c)
	}
	p.hash = h.Sum64()
	p.ordered = fb.Bins.Categories == nil
	if sd := fb.Profile.Std(); sd > 0 && !math.IsInf(sd, 0) {
		p.unit = sd
	}
	p.alpha = slices.Clone(p.counts)
	if p.n > 0 {
		if p.ordered {
			p.prepareNumbers()
		} else {
			p.prepareCategories()
		}
	}
	if fb.Kind == ai.KindVector && fb.Kernel != nil && fb.Profile.Vector != nil {
		p.mmdNull = newQuadraticNull(fb.Kernel.Eigenvalues)
		p.mmdVar = p.mmdNull.mean
	}
	return p
}

func hashWord(write func([]byte) (int, error), x uint64) {
	var b [8]byte
	for i := range b {
		b[i] = byte(x >> (8 * i))
	}
	_, _ = write(b[:]) // Hashes do not fail.
}

func (b *prepared) prepareNumbers() {
	k := min(testCells, max(2, int(b.n)/rowsPerTestCell))
	b.test, b.testRef = mergeCells(b.counts, k)
	b.rough, b.roughRef = mergeCells(b.counts, max(3, min(coarseCells, int(b.n)/rowsPerCoarseCell)))
	if len(b.testRef) >= 3 {
		u := make([]float64, len(b.testRef)-1)
		var f float64
		for i := range u {
			f += b.testRef[i]
			u[i] = f / b.n
		}
		weights := andersonDarlingWeights(b.testRef, u, b.n)
		lambda := bridgeEigenvalues(u, weights)
		var l2 float64
		for _, l := range lambda {
			l2 += l * l
		}
		b.adHit = slices.Max(weights) / math.Sqrt(2*l2)
		b.adNull = newQuadraticNull(lambda)
	}

	first, last := b.bins.Tail, len(b.counts)-b.bins.Tail
	b.unseen = make([]bool, len(b.counts))
	if b.discrete() {
		var values []float64
		for i, c := range b.counts {
			b.unseen[i] = c == 0
			if c > 0 {
				values = append(values, c)
			}
		}
		b.a, b.b = missingMass(values)
	} else if b.bins.Tail > 0 {
		for i := range b.counts {
			b.unseen[i] = (i < first || i >= last) && b.counts[i] == 0
		}
		b.a, b.b = 2, b.n-1
	}
	if b.b <= 0 {
		b.a = 0
	}
	if first > 0 && b.alpha[first-1] == 0 {
		b.alpha[first-1] = 1
	}
	if last < len(b.alpha) && b.alpha[last] == 0 {
		b.alpha[last] = 1
	}
}

// discrete reports whether each cell that the baseline has something in holds
// one single value.
func (b *prepared) discrete() bool {
	e := b.bins.Edges
	for i, c := range b.counts {
		if c == 0 {
			continue
		}
		if i == 0 || i >= len(e) || math.Nextafter(e[i], math.Inf(-1)) != e[i-1] {
			return false
		}
	}
	return true
}

func (b *prepared) prepareCategories() {
	other := len(b.counts) - 1
	b.order = make([]int32, len(b.counts))
	b.hashes = make([]uint64, len(b.counts))
	for i := range b.order {
		b.order[i] = int32(i)
		if i < other {
			b.hashes[i] = hashName(b.bins.Categories[i])
		}
	}
	slices.SortFunc(b.order, func(i, j int32) int { return cmp.Compare(b.hashes[i], b.hashes[j]) })
	b.unseen = make([]bool, len(b.counts))
	if b.counts[other] > 0 {
		// Values without a cell may have come later than those that the cells were
		// made from, so there are too few of them.
		b.counts[other] = max(b.counts[other], math.Round(b.baseline.Unseen*b.n))
	} else {
		// All categories of the baseline have a cell, so the last one counts
		// those it does not have.
		b.unseen[other] = true
		b.a, b.b = missingMass(b.counts)
		if b.a > 0 {
			b.alpha[other] = b.n * b.a / (b.a + b.b)
		}
	}
}

func hashName(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // Hashes do not fail.
	return h.Sum64()
}

// mergeCells joins neighbouring cells to at most k with about equal shares of
// the baseline, each with something in it, and returns which one each cell
// belongs to, and the joined counts. Where that would leave one, but the
// baseline has values in several, there are two, as even as can be.
func mergeCells(counts []float64, k int) (of []uint8, merged []float64) {
	n := sum(counts)
	of = make([]uint8, len(counts))
	if n <= 0 {
		return of, nil
	}
	var cum, in float64
	next := n / float64(k)
	at := 0
	for i, c := range counts {
		of[i] = uint8(at)
		cum += c
		in += c
		if cum >= next*(1-1e-12) && cum < n {
			merged = append(merged, in)
			at++
			in = 0
			next = (math.Floor(cum*float64(k)/n+1e-9) + 1) * n / float64(k)
		}
	}
	merged = append(merged, in)
	if len(merged) > 1 {
		return of, merged
	}
	best, split := 0.0, -1
	cum = 0
	for i, c := range counts {
		cum += c
		if side := min(cum, n-cum); side > best {
			best, split = side, i
		}
	}
	if split < 0 {
		return of, merged
	}
	merged = []float64{0, 0}
	for i, c := range counts {
		of[i] = 0
		if i > split {
			of[i] = 1
		}
		merged[of[i]] += c
	}
	return of, merged
}

// gather sums counts by the cell they belong to.
func gather(dst []float64, counts []uint64, of []uint8) {
	clear(dst)
	for i, c := range counts {
		dst[of[i]] += float64(c)
	}
}
