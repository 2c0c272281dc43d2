package performance

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Classification counts a classifier's answers beside the truth. Merging is
// addition; with more than MaxClasses classes, which of them are told apart
// depends on the order, and accuracy does not. It is not safe for concurrent
// use; make one with NewClassification.
type Classification struct {
	options Options

	n, correct uint64
	classes    []string
	index      map[string]int
	matrix     [][]uint64 // By true class, then by predicted class.

	logLoss moments
	// top is about the predicted class: was it the right one?
	top binned
	// binary is about the positive class, where there are two.
	binary   binned
	positive string
	// mixed is set where records disagree on the positive class, or there are more
	// than two classes.
	mixed bool
}

// binned are the sums over probabilities and outcomes that calibration and
// ranking are read from.
type binned struct {
	scores  scores // Side 1: the event happened.
	bins    [calibrationBins]calibrationBin
	brier   moments
	spiegel [2]float64 // Numerator and variance of Spiegelhalter's statistic.
}

const calibrationBins = 10

type calibrationBin struct {
	N      uint64  `json:"n"`
	Sum    float64 `json:"sum"` // Of probabilities.
	Events uint64  `json:"events"`
}

func (b *binned) add(p float64, event bool) {
	side, y := 0, 0.0
	if event {
		side, y = 1, 1
	}
	if !b.scores.add(p, side) {
		return
	}
	c := &b.bins[min(int(p*calibrationBins), calibrationBins-1)]
	c.N++
	c.Sum += p
	c.Events += uint64(side)
	b.brier.add((p - y) * (p - y))
	b.spiegel[0] += (y - p) * (1 - 2*p)
	b.spiegel[1] += (1 - 2*p) * (1 - 2*p) * p * (1 - p)
}

func (b *binned) merge(o *binned) {
	b.scores.merge(&o.scores)
	for i := range b.bins {
		b.bins[i].N += o.bins[i].N
		b.bins[i].Sum += o.bins[i].Sum
		b.bins[i].Events += o.bins[i].Events
	}
	b.brier.merge(o.brier)
	b.spiegel[0] += o.spiegel[0]
	b.spiegel[1] += o.spiegel[1]
}

// NewClassification returns an empty accumulator.
func NewClassification(o Options) *Classification {
	if o.MaxClasses <= 0 {
		o.MaxClasses = DefaultMaxClasses
	}
	return &Classification{options: o}
}

// Observe counts one answer and its truth. It returns false, and counts
// nothing, where there is no prediction or no label.
func (c *Classification) Observe(inf *ai.Inference, label ai.Value) bool {
	a, ok := c.options.readAnswer(inf)
	if !ok || label.IsMissing() {
		return false
	}
	probs := probabilities(inf)
	truth := sameKind(label, inf.Prediction)
	pTruth := 0.0 // Of a class that is not listed.
	if len(probs) > 0 {
		truth, pTruth, _ = lookUp(probs, label)
	}
	if truth == "" {
		return false
	}
	// Where only the positive class is named, all others are one.
	right := truth == a.predicted
	if len(probs) == 1 {
		right = (truth == a.positive) == (a.predicted == a.positive)
		if truth != a.positive && a.predicted != a.positive {
			truth = a.predicted
		}
	}
	c.n++
	if right {
		c.correct++
	}
	i, j := c.class(truth), c.class(a.predicted)
	c.matrix[i][j]++
	if len(probs) > 0 {
		// scikit-learn clips to the machine epsilon as well.
		const epsilon = 0x1p-52
		c.logLoss.add(-math.Log(min(max(pTruth, epsilon), 1-epsilon)))
	}
	if a.hasConfidence {
		c.top.add(a.confidence, right)
	}
	if a.binary {
		if c.positive == "" {
			c.positive = strings.Clone(a.positive)
		}
		if c.positive == a.positive {
			c.binary.add(a.score, truth == a.positive)
		} else {
			c.mixed = true
		}
	} else if len(probs) > 2 {
		c.mixed = true
	}
	return true
}

// class returns the row of a class, making one where there is room.
func (c *Classification) class(name string) int {
	if i, ok := c.index[name]; ok {
		return i
	}
	if c.index == nil {
		c.index = make(map[string]int)
	}
	if len(c.classes) >= c.options.MaxClasses && name != OtherClass {
		return c.class(OtherClass)
	}
	name = strings.Clone(name)
	i := len(c.classes)
	c.classes = append(c.classes, name)
	c.index[name] = i
	for k := range c.matrix {
		c.matrix[k] = append(c.matrix[k], 0)
	}
	c.matrix = append(c.matrix, make([]uint64, i+1))
	return i
}

// Merge adds what o counted; o is not changed.
func (c *Classification) Merge(o *Classification) {
	if o == nil {
		return
	}
	c.n += o.n
	c.correct += o.correct
	rows := make([]int, len(o.classes))
	for _, name := range slices.Sorted(maps.Keys(o.index)) {
		rows[o.index[name]] = c.class(name)
	}
	for i := range o.matrix {
		for j, n := range o.matrix[i] {
			c.matrix[rows[i]][rows[j]] += n
		}
	}
	c.logLoss.merge(o.logLoss)
	c.top.merge(&o.top)
	switch {
	case o.positive == "":
	case c.positive == "" || c.positive == o.positive:
		c.positive = o.positive
		c.binary.merge(&o.binary)
	default:
		c.mixed = true
	}
	c.mixed = c.mixed || o.mixed
}

// N returns the number of labelled answers.
func (c *Classification) N() uint64 {
	if c == nil {
		return 0
	}
	return c.n
}

// isBinary reports whether there are two classes, and which is positive.
func (c *Classification) isBinary() (positive string, ok bool) {
	if c.mixed {
		return "", false
	}
	if c.positive != "" {
		return c.positive, true
	}
	if len(c.classes) != 2 {
		return "", false
	}
	return c.classes[c.options.greater(c.classes[0], c.classes[1])], true
}

// ClassReport is how well one class is told apart.
type ClassReport struct {
	Class string `json:"class"`
	// Support is the number of records that are of the class, Predicted of those
	// said to be.
	Support   uint64  `json:"support"`
	Predicted uint64  `json:"predicted"`
	Precision Measure `json:"precision"`
	Recall    Measure `json:"recall"`
	F1        Measure `json:"f1"`
}

// ClassificationReport is measured performance of a classifier. With two
// classes, Precision, Recall and F1 are of the positive one; with more, they
// are the plain means over all classes (macro), a class without a prediction
// counting 0 in precision, as scikit-learn has it.
type ClassificationReport struct {
	N uint64 `json:"sample_size"`
	// Positive is the positive class; empty with more than two.
	Positive  string  `json:"positive_class,omitempty"`
	Accuracy  Measure `json:"accuracy"`
	Precision Measure `json:"precision"`
	Recall    Measure `json:"recall"`
	F1        Measure `json:"f1"`
	// AUC is the area under the ROC curve, with two classes only. It is off by at
	// most AUCErrorBound because scores are counted in bins.
	AUC           Measure `json:"roc_auc"`
	AUCErrorBound float64 `json:"roc_auc_error_bound"`
	// LogLoss is the mean negative logarithm, to base e, of the probability of the
	// true class.
	LogLoss Measure `json:"log_loss"`
	// Brier is the mean squared distance between probability and outcome.
	Brier Measure `json:"brier"`
	// CalibrationError is the expected calibration error with ten bins of equal
	// width: of the positive class's probability with two classes (Naeini, Cooper
	// and Hauskrecht, AAAI 2015), of the predicted class's with more (Guo, Pleiss,
	// Sun and Weinberger, ICML 2017). No closed form of its interval is known; CalibrationNoise is what
	// perfect probabilities would show at this sample size, and CalibrationP the
	// two-sided p-value that they are perfect (Spiegelhalter, Statistics in Medicine
	// 1986).
	CalibrationError Measure       `json:"calibration_error"`
	CalibrationNoise float64       `json:"calibration_noise"`
	CalibrationP     *float64      `json:"calibration_p_value"`
	Classes          []ClassReport `json:"classes"`
}

// Report reads the figures.
func (c *Classification) Report() ClassificationReport {
	const none = "no labelled answer"
	r := ClassificationReport{
		N:        c.n,
		Accuracy: proportion(c.correct, c.n, none),
		LogLoss:  c.logLoss.measure("no labelled answer had probabilities"),
		AUC:      unknown(0, "the area under the curve is for two classes with probabilities"),
	}
	order := make([]int, len(c.classes))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(c.classes[a], c.classes[b]) })
	rows, columns := c.margins()
	for _, k := range order {
		r.Classes = append(r.Classes, classReport(c.classes[k], c.matrix[k][k], rows[k], columns[k]))
	}
	of := &c.top
	if positive, ok := c.isBinary(); ok {
		r.Positive = positive
		of = &c.binary
		one := classReport(positive, 0, 0, 0)
		for _, cr := range r.Classes {
			if cr.Class == positive {
				one = cr
			}
		}
		r.Precision, r.Recall, r.F1 = one.Precision, one.Recall, one.F1
		why := "the labelled answers with probabilities are all of one class"
		if of.scores.total() == 0 {
			why = "no labelled answer had probabilities"
		}
		r.AUC, r.AUCErrorBound = areaMeasure(of.scores.groups(), of.scores.total(), why)
	} else {
		r.Precision, r.Recall, r.F1 = c.macro(rows, columns)
	}
	const noProbabilities = "no labelled answer had a probability for its prediction"
	r.Brier = of.brier.measure(noProbabilities)
	r.CalibrationError, r.CalibrationNoise = of.calibrationError(noProbabilities)
	if of.spiegel[1] > 1e-12 {
		p := min(2*normalAbove(math.Abs(of.spiegel[0])/math.Sqrt(of.spiegel[1])), 1)
		r.CalibrationP = &p
	}
	return r
}

// margins returns how many records are of each class, and said to be.
func (c *Classification) margins() (rows, columns []uint64) {
	rows, columns = make([]uint64, len(c.classes)), make([]uint64, len(c.classes))
	for i := range c.matrix {
		for j, n := range c.matrix[i] {
			rows[i] += n
			columns[j] += n
		}
	}
	return rows, columns
}

func classReport(name string, hits, support, predicted uint64) ClassReport {
	return ClassReport{
		Class: name, Support: support, Predicted: predicted,
		Precision: proportion(hits, predicted, "no record was said to be of the class"),
		Recall:    proportion(hits, support, "no labelled record is of the class"),
		F1:        f1Measure(hits, support+predicted-hits),
	}
}

// f1Measure returns F1 of hits among all records that are of the class or said
// to be. F1 = 2j/(1+j) with j = hits/either, a proportion, so Wilson's interval of
// j carries over.
func f1Measure(hits, either uint64) Measure {
	if either == 0 {
		return unknown(0, "no record is or was said to be of the class")
	}
	f := func(j float64) float64 { return 2 * j / (1 + j) }
	iv := Wilson(float64(hits), float64(either))
	return measured(f(float64(hits)/float64(either)), Interval{f(iv.Low), f(iv.High)}, either)
}

// macro returns the plain means over classes, with intervals by the delta method
// on the multinomial counts (for F1: Takahashi, Yamamoto, Kuchiba and Koyama,
// "Confidence interval for micro-averaged F1 and macro-averaged F1 scores",
// Applied Intelligence 2022).
func (c *Classification) macro(rows, columns []uint64) (precision, recall, f1 Measure) {
	k := float64(len(c.classes))
	if c.n == 0 || k == 0 {
		m := unknown(0, "no labelled answer")
		return m, m, m
	}
	n := float64(c.n)
	classes := len(c.classes)
	// The gradients by cell (i,j) are a[i] + b[j], plus d[i] on the diagonal.
	type gradient struct{ a, b, d []float64 }
	g := [3]gradient{}
	for m := range g {
		g[m] = gradient{make([]float64, classes), make([]float64, classes), make([]float64, classes)}
	}
	var value [3]float64
	for i := range classes {
		hit, row, column := float64(c.matrix[i][i])/n, float64(rows[i])/n, float64(columns[i])/n
		if column > 0 {
			value[0] += hit / column / k
			g[0].b[i] = -hit / (column * column) / k
			g[0].d[i] = 1 / column / k
		}
		if row > 0 {
			value[1] += hit / row / k
			g[1].a[i] = -hit / (row * row) / k
			g[1].d[i] = 1 / row / k
		}
		if s := row + column; s > 0 {
			value[2] += 2 * hit / s / k
			g[2].a[i] = -2 * hit / (s * s) / k
			g[2].b[i] = g[2].a[i]
			g[2].d[i] = 2 / s / k
		}
	}
	var out [3]Measure
	for m := range out {
		var mean, square float64
		for i := range c.matrix {
			for j, count := range c.matrix[i] {
				if count == 0 {
					continue
				}
				x := g[m].a[i] + g[m].b[j]
				if i == j {
					x += g[m].d[i]
				}
				p := float64(count) / n
				mean += p * x
				square += p * x * x
			}
		}
		half := z975 * math.Sqrt(max(square-mean*mean, 0)/n)
		iv := Interval{max(value[m]-half, 0), min(value[m]+half, 1)}
		if half == 0 {
			iv = Wilson(value[m]*n, n)
		}
		out[m] = measured(value[m], iv, c.n)
	}
	return out[0], out[1], out[2]
}

// calibrationError returns the expected calibration error and its expectation
// under perfect probabilities.
func (b *binned) calibrationError(none string) (m Measure, noise float64) {
	var total uint64
	for i := range b.bins {
		total += b.bins[i].N
	}
	if total == 0 {
		return unknown(0, none), 0
	}
	e := 0.0
	for i := range b.bins {
		c := &b.bins[i]
		if c.N == 0 {
			continue
		}
		n := float64(c.N)
		e += math.Abs(c.Sum-float64(c.Events)) / float64(total)
		p := min(max(c.Sum/n, 0), 1)
		// The mean distance of a normal variable from its mean is sqrt(2/pi) deviations.
		noise += n / float64(total) * math.Sqrt(2/math.Pi*p*(1-p)/n)
	}
	return measured(e, everything(), total), noise
}
