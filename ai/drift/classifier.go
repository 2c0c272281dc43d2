package drift

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"gonum.org/v1/gonum/mat"

	"github.com/modelwatch/modelwatch/ai"
)

// ClassifierOptions bound the work of Classify. The zero value means the
// defaults.
type ClassifierOptions struct {
	// MaxRows of each sample are used, drawn at random; default 400. Time grows
	// with its third power, memory with its second (8 bytes × 4 × MaxRows²).
	MaxRows int
	// Folds is the number of parts that are scored by a classifier trained on the
	// others; default 5.
	Folds int
	// Permutations of the labels give the null distribution; default 400.
	Permutations int
	// Seed makes draws, folds and permutations; the same seed gives the same
	// result.
	Seed uint64
	// Alpha, PossibleAlpha and Threshold are as for Options and the catalogue.
	Alpha, PossibleAlpha, Threshold float64
}

func (o ClassifierOptions) withDefaults() ClassifierOptions {
	if o.MaxRows <= 0 {
		o.MaxRows = 400
	}
	if o.Folds < 2 {
		o.Folds = 5
	}
	if o.Permutations <= 0 {
		o.Permutations = 400
	}
	d := Options{Alpha: o.Alpha, PossibleAlpha: o.PossibleAlpha}.withDefaults()
	o.Alpha, o.PossibleAlpha = d.Alpha, d.PossibleAlpha
	if o.Threshold <= 0 {
		m, _ := MethodByID(MethodClassifier)
		o.Threshold = m.Threshold
	}
	return o
}

// minClassifierRows is how many rows each sample needs at least.
const minClassifierRows = 30

// Classify judges many features at once: it trains a classifier to tell the
// window's rows from the baseline's and scores rows that it was not trained on.
// With no drift it cannot, and the area under the ROC curve is about ½. It sees
// what no single feature shows, such as two features that no longer go together.
//
// rows hold one value a feature, in the same order everywhere; numbers, strings,
// booleans and missing values are used, vectors left out. At least 30 rows of
// each sample are needed.
//
// The classifier is ridge regression of the labels in the sum of a Gaussian and
// a linear kernel on normal scores of ranks, with folds chosen without looking
// at the labels. Its scores are linear in the labels, so the whole procedure can
// be repeated for permuted labels by one multiplication, and the p-value is that
// of a permutation test: exact whatever the features. Below what the permutations
// resolve, a normal tail with their mean and deviation is used.
//
// Sources: Lopez-Paz, Oquab, "Revisiting classifier two-sample tests", ICLR
// 2017; Phipson, Smyth, "Permutation p-values should never be zero", 2010.
func Classify(baseline, window [][]ai.Value, opt ClassifierOptions) (Result, error) {
	opt = opt.withDefaults()
	r := Result{
		Verdict: ai.VerdictUnknown, Method: MethodClassifier, Direction: ai.Above, Unit: "ROC AUC",
		Threshold: opt.Threshold, Alpha: opt.Alpha, PValueThreshold: opt.Alpha, PValue: 1, AdjustedPValue: 1,
		Score: 0.5, Statistic: 0.5,
		BaselineRows: uint64(len(baseline)), WindowRows: uint64(len(window)),
	}
	width := -1
	for _, rows := range [][][]ai.Value{baseline, window} {
		for i, row := range rows {
			if width < 0 {
				width = len(row)
			}
			if len(row) != width {
				return r, fmt.Errorf("classify: row %d has %d values, the first one %d", i, len(row), width)
			}
		}
	}
	if len(baseline) < minClassifierRows || len(window) < minClassifierRows {
		r.Reason = fmt.Sprintf("%d and %d rows, %d are needed of each", len(baseline), len(window), minClassifierRows)
		return r, nil
	}
	rng := rand.New(rand.NewPCG(opt.Seed, 0x636c617373696679))
	rows := append(draw(rng, baseline, opt.MaxRows), draw(rng, window, opt.MaxRows)...)
	n := min(len(baseline), opt.MaxRows)
	x := encodeRows(rows)
	if x == nil {
		r.Reason = "no feature varies"
		return r, nil
	}
	fold := make([]int, len(rows))
	for i, j := range rng.Perm(len(rows)) {
		fold[j] = i % opt.Folds
	}
	h, err := outOfFold(x, fold, opt.Folds)
	if err != nil {
		return r, fmt.Errorf("classify: %w", err)
	}

	// Column 0 has the real labels, centred, the others permutations of them.
	labels := mat.NewDense(len(rows), 1+opt.Permutations, nil)
	mean := float64(len(rows)-n) / float64(len(rows))
	inWindow := make([][]bool, 1+opt.Permutations)
	for c := range inWindow {
		is := make([]bool, len(rows))
		for i := n; i < len(rows); i++ {
			is[i] = true
		}
		if c > 0 {
			rng.Shuffle(len(is), func(i, j int) { is[i], is[j] = is[j], is[i] })
		}
		for i, w := range is {
			if w {
				labels.Set(i, c, 1-mean)
			} else {
				labels.Set(i, c, -mean)
			}
		}
		inWindow[c] = is
	}
	var scores mat.Dense
	scores.Mul(h, labels)
	auc := make([]float64, 1+opt.Permutations)
	column := make([]float64, len(rows))
	for c := range auc {
		mat.Col(column, c, &scores)
		auc[c] = foldAUC(column, inWindow[c], fold, opt.Folds)
	}

	r.Statistic, r.Score = auc[0], auc[0]
	r.PValue = permutationP(auc[0], auc[1:])
	r.AdjustedPValue = r.PValue
	r.Verdict = ai.VerdictNone
	switch {
	case r.Score >= opt.Threshold && r.PValue <= opt.Alpha:
		r.Verdict = ai.VerdictDrift
	case r.Score >= opt.Threshold && r.PValue <= opt.PossibleAlpha:
		r.Verdict = ai.VerdictPossible
	}
	r.Change = Change{"area under the ROC curve of a classifier", 0.5, auc[0]}
	r.BaselineRows, r.WindowRows = uint64(n), uint64(len(rows)-n)
	return r, nil
}

// draw returns at most limit of the rows, at random.
func draw(rng *rand.Rand, rows [][]ai.Value, limit int) [][]ai.Value {
	if len(rows) <= limit {
		return slices.Clone(rows)
	}
	out := make([][]ai.Value, limit)
	for i, j := range rng.Perm(len(rows))[:limit] {
		out[i] = rows[j]
	}
	return out
}

// permutationP returns the p-value of a statistic by those of permuted labels.
func permutationP(x float64, permuted []float64) float64 {
	var mean, m2 float64
	larger := 0
	for i, v := range permuted {
		if v >= x-1e-12 {
			larger++
		}
		d := v - mean
		mean += d / float64(i+1)
		m2 += d * (v - mean)
	}
	if larger >= 10 || m2 <= 0 {
		return float64(1+larger) / float64(1+len(permuted))
	}
	z := (x - mean) / math.Sqrt(m2/float64(len(permuted)-1))
	return clampP(math.Erfc(z/math.Sqrt2) / 2)
}

// AUC returns the area under the ROC curve: the probability that a score with
// the label is larger than one without it, ties counting half. It is ½ where
// there are none of either.
//
// Source: Mann, Whitney 1947; equal to scikit-learn's roc_auc_score.
func AUC(scores []float64, labels []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return scores[order[a]] < scores[order[b]] })
	var with, ranks float64
	for i := 0; i < len(order); {
		j := i
		var tied float64
		for ; j < len(order) && scores[order[j]] == scores[order[i]]; j++ {
			if labels[order[j]] {
				tied++
			}
		}
		ranks += tied * float64(i+j+1) / 2 // Ranks i+1 … j.
		with += tied
		i = j
	}
	without := float64(len(scores)) - with
	if with == 0 || without == 0 {
		return 0.5
	}
	return (ranks - with*(with+1)/2) / (with * without)
}

// foldAUC returns the mean AUC within folds, weighted by the number of pairs:
// scores of different classifiers are not compared.
func foldAUC(scores []float64, labels []bool, fold []int, folds int) float64 {
	var total, weight float64
	s := make([]float64, 0, len(scores)/folds+1)
	l := make([]bool, 0, len(scores)/folds+1)
	for f := range folds {
		s, l = s[:0], l[:0]
		var with float64
		for i, g := range fold {
			if g != f {
				continue
			}
			s, l = append(s, scores[i]), append(l, labels[i])
			if labels[i] {
				with++
			}
		}
		w := with * (float64(len(s)) - with)
		total += w * AUC(s, l)
		weight += w
	}
	if weight == 0 {
		return 0.5
	}
	return total / weight
}

// classifierCategories is how many of the most frequent categories of a feature
// are told apart.
const classifierCategories = 12

// encodeRows returns one row of numbers a row: normal scores of the ranks of
// numbers, indicators of frequent categories and of missing values, each column
// with mean 0 and deviation 1 (0 where it does not vary: then it is left out).
// Nothing of it looks at which sample a row is from. It is nil without columns.
func encodeRows(rows [][]ai.Value) *mat.Dense {
	n := len(rows)
	var columns [][]float64
	add := func(c []float64) {
		var mean, sq float64
		for _, v := range c {
			mean += v / float64(n)
		}
		for _, v := range c {
			sq += (v - mean) * (v - mean) / float64(n)
		}
		if sq <= 1e-12 {
			return
		}
		sd := math.Sqrt(sq)
		for i := range c {
			c[i] = (c[i] - mean) / sd
		}
		columns = append(columns, c)
	}
	for f := range rows[0] {
		missing := make([]float64, n)
		categories := make(map[string]int)
		var numbers []int
		for i := range rows {
			switch v := rows[i][f]; v.Kind() {
			case ai.KindNumber:
				numbers = append(numbers, i)
			case ai.KindString, ai.KindBool:
				categories[v.Category()]++
			default:
				missing[i] = 1
			}
		}
		if len(numbers) > 0 {
			add(normalScores(rows, f, numbers))
		}
		names := make([]string, 0, len(categories))
		for name := range categories {
			names = append(names, name)
		}
		slices.SortFunc(names, func(a, b string) int {
			if d := categories[b] - categories[a]; d != 0 {
				return d
			}
			return cmp.Compare(a, b)
		})
		for _, name := range names[:min(len(names), classifierCategories)] {
			c := make([]float64, n)
			for i := range rows {
				if k := rows[i][f].Kind(); k.Categorical() && rows[i][f].Category() == name {
					c[i] = 1
				}
			}
			add(c)
		}
		add(missing)
	}
	if len(columns) == 0 {
		return nil
	}
	x := mat.NewDense(n, len(columns), nil)
	for j, c := range columns {
		x.SetCol(j, c)
	}
	return x
}

// normalScores returns the normal quantiles of the ranks of a feature's numbers,
// 0 for other rows.
func normalScores(rows [][]ai.Value, f int, numbers []int) []float64 {
	value := func(i int) float64 { x, _ := rows[i][f].Number(); return x }
	order := slices.Clone(numbers)
	sort.Slice(order, func(a, b int) bool { return value(order[a]) < value(order[b]) })
	out := make([]float64, len(rows))
	n := float64(len(order))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && value(order[j]) == value(order[i]) {
			j++
		}
		z := math.Sqrt2 * math.Erfinv(float64(i+j)/n-1)
		if i+j == 0 || float64(i+j) == 2*n {
			z = 0
		}
		for ; i < j; i++ {
			out[order[i]] = z
		}
	}
	return out
}

// ridge is the regularisation of the classifier, for kernels with about 2 on
// the diagonal.
const ridge = 3.0

// outOfFold returns the matrix that turns labels into the scores of each row by
// the classifier that was not trained on its fold.
func outOfFold(x *mat.Dense, fold []int, folds int) (*mat.Dense, error) {
	n, d := x.Dims()
	k := gram(x, d)
	h := mat.NewDense(n, n, nil)
	for f := range folds {
		var train, test []int
		for i, g := range fold {
			if g == f {
				test = append(test, i)
			} else {
				train = append(train, i)
			}
		}
		a := mat.NewSymDense(len(train), nil)
		b := mat.NewDense(len(train), len(test), nil)
		for p, i := range train {
			for q := p; q < len(train); q++ {
				a.SetSym(p, q, k.At(i, train[q]))
			}
			a.SetSym(p, p, a.At(p, p)+ridge)
			for q, j := range test {
				b.Set(p, q, k.At(i, j))
			}
		}
		var ch mat.Cholesky
		if !ch.Factorize(a) {
			return nil, errors.New("the kernel matrix is not positive definite")
		}
		var w mat.Dense
		if err := ch.SolveTo(&w, b); err != nil {
			return nil, fmt.Errorf("solve for the classifier: %w", err)
		}
		for p, i := range train {
			for q, j := range test {
				h.Set(j, i, w.At(p, q))
			}
		}
	}
	return h, nil
}

// gram returns the sum of a Gaussian kernel, whose width is the median distance,
// and a linear one divided by the number of columns.
func gram(x *mat.Dense, d int) *mat.Dense {
	n, _ := x.Dims()
	k := mat.NewDense(n, n, nil)
	k.Mul(x, x.T())
	sq := make([]float64, n)
	for i := range sq {
		sq[i] = k.At(i, i)
	}
	distances := make([]float64, 0, n*(n-1)/2)
	for i := range n {
		for j := range i {
			distances = append(distances, max(0, sq[i]+sq[j]-2*k.At(i, j)))
		}
	}
	slices.Sort(distances)
	width := 1.0
	if m := distances[len(distances)/2]; m > 0 {
		width = m
	}
	for i := range n {
		for j := range i + 1 {
			dot := k.At(i, j)
			v := math.Exp(-max(0, sq[i]+sq[j]-2*dot)/(2*width)) + dot/float64(d)
			k.Set(i, j, v)
			k.Set(j, i, v)
		}
	}
	return k
}
