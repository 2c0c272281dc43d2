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
	u, ad             []float64 // Baseline shares up to test cells' ends, and weights.
	adLambda          []float64
	adNull            *null // Without simulation.
	adHit             float64

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

func (p *prepared) prepareNumbers() {
	k := min(testCells, max(2, int(p.n)/rowsPerTestCell))
	p.test, p.testRef = mergeCells(p.counts, k)
	p.rough, p.roughRef = mergeCells(p.counts, max(3, min(coarseCells, int(p.n)/rowsPerCoarseCell)))
	if len(p.testRef) >= 3 {
		var f float64
		p.u = make([]float64, len(p.testRef)-1)
		for i := range p.u {
			f += p.testRef[i]
			p.u[i] = f / p.n
		}
		p.ad = andersonDarlingWeights(&cells{ref: p.testRef, n: p.n}, p.u)
		p.adLambda = bridgeEigenvalues(p.u, p.ad)
		for _, a := range p.ad {
			p.adHit = max(p.adHit, a)
		}
		var l2 float64
		for _, l := range p.adLambda {
			l2 += l * l
		}
		p.adHit /= math.Sqrt(2 * l2)
		p.adNull = newQuadraticNull(p.adLambda)
	}

	first, last := p.bins.Tail, len(p.counts)-p.bins.Tail
	p.unseen = make([]bool, len(p.counts))
	if p.discrete() {
		var values []float64
		for i, c := range p.counts {
			p.unseen[i] = c == 0
			if c > 0 {
				values = append(values, c)
			}
		}
		p.a, p.b = missingMass(values)
	} else if p.bins.Tail > 0 {
		for i := range p.counts {
			p.unseen[i] = (i < first || i >= last) && p.counts[i] == 0
		}
		p.a, p.b = 2, p.n-1
	}
	if p.b <= 0 {
		p.a = 0
	}
	if first > 0 && p.alpha[first-1] == 0 {
		p.alpha[first-1] = 1
	}
	if last < len(p.alpha) && p.alpha[last] == 0 {
		p.alpha[last] = 1
	}
}

// discrete reports whether each cell that the baseline has something in holds
// one single value.
func (p *prepared) discrete() bool {
	e := p.bins.Edges
	for i, c := range p.counts {
		if c == 0 {
			continue
		}
		if i == 0 || i >= len(e) || math.Nextafter(e[i], math.Inf(-1)) != e[i-1] {
			return false
		}
	}
	return true
}

func (p *prepared) prepareCategories() {
	other := len(p.counts) - 1
	p.order = make([]int32, len(p.counts))
	p.hashes = make([]uint64, len(p.counts))
	for i := range p.order {
		p.order[i] = int32(i)
		if i < other {
			p.hashes[i] = hashName(p.bins.Categories[i])
		}
	}
	slices.SortFunc(p.order, func(i, j int32) int { return cmp.Compare(p.hashes[i], p.hashes[j]) })
	p.unseen = make([]bool, len(p.counts))
	if p.counts[other] > 0 {
		// Values without a cell may have come later than those that the cells were
		// made from, so there are too few of them.
		p.counts[other] = max(p.counts[other], math.Round(p.baseline.Unseen*p.n))
	} else {
		// All categories of the baseline have a cell, so the last one counts
		// those it does not have.
		p.unseen[other] = true
		p.a, p.b = missingMass(p.counts)
		if p.a > 0 {
			p.alpha[other] = p.n * p.a / (p.a + p.b)
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
