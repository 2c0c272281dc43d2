package performance

import "math"

// Estimate is performance estimated without labels, from how sure the model was:
// confidence-based performance estimation, the method that NannyML made known.
// If the probabilities p that the positive class is the truth are right, then of
// the records said to be positive sum(p) really are, and so on for the four cells
// of the confusion matrix; every figure follows from those expected counts.
//
// It holds under covariate shift only: inputs may change, but the share of
// positives at any given probability must be what it was on the baseline. Where
// the meaning of the inputs changes (concept drift), the estimate does not see
// it. Labels do.
type Estimate struct {
	N uint64 `json:"sample_size"`
	// Positive is the positive class; empty with more than two, where only
	// Accuracy is estimated: the mean calibrated probability of the predicted class.
	Positive  string  `json:"positive_class,omitempty"`
	Accuracy  Measure `json:"accuracy"`
	Precision Measure `json:"precision"`
	Recall    Measure `json:"recall"`
	F1        Measure `json:"f1"`
	AUC       Measure `json:"roc_auc"`
	// Expected is the expected confusion matrix, with two classes.
	Expected Confusion `json:"expected"`
	// BinningError is the most that Accuracy can be off because probabilities are
	// counted in bins; 0 where no calibration was applied.
	BinningError float64 `json:"binning_error"`
	// Calibration says in a sentence what the probabilities were taken for.
	Calibration string `json:"calibration"`

	// spread is the variance of the probability of being right over records:
	// what the estimate itself would scatter by under no change.
	spread float64
}

// Confusion is the four cells of a binary confusion matrix; expected counts are
// fractions.
type Confusion struct {
	TruePositive  float64 `json:"true_positive"`
	FalsePositive float64 `json:"false_positive"`
	FalseNegative float64 `json:"false_negative"`
	TrueNegative  float64 `json:"true_negative"`
}

func (c Confusion) total() float64 {
	return c.TruePositive + c.FalsePositive + c.FalseNegative + c.TrueNegative
}

// accuracy, precision, recall and f1 return NaN where there is nothing to divide by.
func (c Confusion) accuracy() float64 { return (c.TruePositive + c.TrueNegative) / c.total() }

func (c Confusion) precision() float64 { return c.TruePositive / (c.TruePositive + c.FalsePositive) }

func (c Confusion) recall() float64 { return c.TruePositive / (c.TruePositive + c.FalseNegative) }

func (c Confusion) f1() float64 {
	return c.TruePositive / (c.TruePositive + (c.FalsePositive+c.FalseNegative)/2)
}

// SamplingError is how far each figure, measured with labels on some number of
// records like the baseline's, would scatter around its true value: one standard
// deviation. The formulas are NannyML's: components read from the labelled
// baseline, divided by the root of the number of records that the figure is about.
// Figures that are not defined are NaN.
//
// Intervals of an Estimate do not use it, because it takes the window for another
// draw from the baseline, is too wide for F1, and leaves the negatives' part out of
// the area under the curve.
type SamplingError struct {
	Accuracy, Precision, Recall, F1, AUC float64
}

// SamplingError returns the sampling error of n records with that positive class;
// ok is false where the baseline has no labels for it.
func (r *Reference) SamplingError(positive string, n uint64) (se SamplingError, ok bool) {
	c := r.Window.Classification
	if c == nil || c.positive != positive || n == 0 {
		return SamplingError{}, false
	}
	k, ok := c.index[positive]
	if !ok {
		return SamplingError{}, false
	}
	var m Confusion
	for i := range c.matrix {
		for j, count := range c.matrix[i] {
			m.count(i == k, j == k, float64(count))
		}
	}
	return newSamplingError(m, c.binary.scores.groups(), float64(n)), true
}

// count adds n records of one cell.
func (c *Confusion) count(positive, predicted bool, n float64) {
	switch {
	case positive && predicted:
		c.TruePositive += n
	case predicted:
		c.FalsePositive += n
	case positive:
		c.FalseNegative += n
	default:
		c.TrueNegative += n
	}
}

func newSamplingError(c Confusion, area []group, n float64) SamplingError {
	total := c.total()
	// deviation is of the ratio hits/of on the share of new records that it is about.
	deviation := func(hits, of float64) float64 {
		p := hits / of
		return math.Sqrt(max(p*(1-p), 0)) / math.Sqrt(n*of/total)
	}
	either := c.TruePositive + c.FalsePositive + c.FalseNegative
	return SamplingError{
		Accuracy:  deviation(c.TruePositive+c.TrueNegative, total),
		Precision: deviation(c.TruePositive, c.TruePositive+c.FalsePositive),
		Recall:    deviation(c.TruePositive, c.TruePositive+c.FalseNegative),
		F1:        deviation(c.TruePositive, either) * either / (c.TruePositive + (c.FalsePositive+c.FalseNegative)/2),
		AUC:       areaSamplingError(area, n),
	}
}

// areaSamplingError is the deviation, over the rarer class, of the share of the other
// class ranked below a record, divided by the root of the number of records of
// the rarer class to be expected among n.
func areaSamplingError(groups []group, n float64) float64 {
	var negatives, positives float64
	for _, g := range groups {
		negatives += g.negative
		positives += g.positive
	}
	if !(negatives > 0 && positives > 0) {
		return math.NaN()
	}
	var below, belowOther, sum, squares float64
	rare := min(negatives, positives)
	for _, g := range groups {
		if positives <= negatives {
			v := (below + g.negative/2) / negatives
			sum += g.positive * v
			squares += g.positive * v * v
		} else {
			v := (belowOther + g.positive/2) / positives
			sum += g.negative * v
			squares += g.negative * v * v
		}
		below += g.negative
		belowOther += g.positive
	}
	mean := sum / rare
	return math.Sqrt(max(squares/rare-mean*mean, 0)) / math.Sqrt(n*rare/(negatives+positives))
}

// EstimateBinary estimates from raw records: the calibrated probability of the
// positive class, whether it was predicted, and the score that ranks the
// records (the probability before calibration). All slices have one element a
// record. It returns the expected confusion matrix and the expected area
// under the curve; ok is false where the slices differ in length or are empty.
// The area is NaN where one class is not expected at all.
func EstimateBinary(calibrated []float64, predicted []bool, score []float64) (c Confusion, area float64, ok bool) {
	if len(calibrated) == 0 || len(calibrated) != len(predicted) || len(calibrated) != len(score) {
		return Confusion{}, math.NaN(), false
	}
	for i, p := range calibrated {
		c.expect(p, 1, predicted[i])
	}
	area, _, _, known := areaUnder(rank(score, calibrated))
	if !known {
		area = math.NaN()
	}
	return c, area, true
}

// expect adds n records whose probability of being positive is p.
func (c *Confusion) expect(p, n float64, predicted bool) {
	if predicted {
		c.TruePositive += n * p
		c.FalsePositive += n * (1 - p)
	} else {
		c.FalseNegative += n * p
		c.TrueNegative += n * (1 - p)
	}
}

// Estimate estimates the performance behind predictions, with the calibration of
// the baseline. An interval says where the figure would lie if these records were
// labelled and it were measured: the scatter of labels whose probabilities are
// the calibrated ones, widened by the root of 1 + n/m where m labelled records of
// the baseline calibrated n. It is not widened for the assumption that the type
// names.
func (r *Reference) Estimate(p *Predictions) Estimate {
	why := p.whyNoEstimate()
	e := Estimate{N: p.N(), Calibration: r.calibrationNote(p)}
	e.Accuracy = unknown(e.N, why)
	e.Precision, e.Recall, e.F1, e.AUC = e.Accuracy, e.Accuracy, e.Accuracy, e.Accuracy
	if why != "" {
		return e
	}
	if p.mixed || p.positive == "" {
		e.estimateTop(r, p)
	} else {
		e.estimateBinary(r, p)
	}
	return e
}

// estimateTop estimates accuracy alone, from the predicted class's probability.
func (e *Estimate) estimateTop(r *Reference, p *Predictions) {
	const reason = "without labels only accuracy is estimated for more than two classes"
	e.Precision = unknown(e.N, reason)
	e.Recall, e.F1, e.AUC = e.Precision, e.Precision, e.Precision
	var right, squares float64
	p.top.each(&r.Top, func(_ int, n, q float64) {
		right += n * q
		squares += n * q * q
	}, &e.BinningError)
	n := float64(e.N)
	a := right / n
	e.spread = max(squares/n-a*a, 0)
	e.Accuracy = around(a, r.Top.widen(n)*math.Sqrt(max(a*(1-a), 0)/n), e.N)
}

// estimateBinary estimates all figures of two classes.
func (e *Estimate) estimateBinary(r *Reference, p *Predictions) {
	e.Positive = p.positive
	e.N = p.binary.total()
	var squares, right float64
	groups := make([]group, 0, len(p.binary.cells))
	last := -1
	p.binary.each(&r.Binary, func(cell int, n, q float64) {
		predicted := cell&1 == 1
		e.Expected.expect(q, n, predicted)
		if !predicted {
			right += n * (1 - q)
			squares += n * (1 - q) * (1 - q)
		} else {
			right += n * q
			squares += n * q * q
		}
		if cell>>1 != last {
			groups = append(groups, group{})
			last = cell >> 1
		}
		g := &groups[len(groups)-1]
		g.positive += n * q
		g.negative += n * (1 - q)
	}, &e.BinningError)
	n := float64(e.N)
	e.spread = max(squares/n-right/n*right/n, 0)
	c, wide := e.Expected, r.Binary.widen(n)
	// deviation is the standard error of the ratio hits/of.
	deviation := func(hits, of float64) float64 {
		p := hits / of
		return wide * math.Sqrt(max(p*(1-p), 0)/of)
	}
	e.Accuracy = around(c.accuracy(), deviation(c.TruePositive+c.TrueNegative, n), e.N)
	e.Precision = around(c.precision(), deviation(c.TruePositive, c.TruePositive+c.FalsePositive), e.N)
	e.Recall = around(c.recall(), deviation(c.TruePositive, c.TruePositive+c.FalseNegative), e.N)
	// F1 = 2j/(1+j) of the share j of true positives, whose slope is 2/(1+j)^2.
	either := c.TruePositive + c.FalsePositive + c.FalseNegative
	j := c.TruePositive / either
	e.F1 = around(c.f1(), deviation(c.TruePositive, either)*2/((1+j)*(1+j)), e.N)
	area, se, _, ok := areaUnder(groups)
	if !ok {
		area = math.NaN()
	}
	e.AUC = around(area, wide*se, e.N)
}

// widen is how much wider intervals are because the calibration was fitted on few
// records.
func (c *Calibration) widen(n float64) float64 {
	if c.Map == nil || c.Labelled == 0 {
		return 1
	}
	return math.Sqrt(1 + n/float64(c.Labelled))
}

// each calls f with every filled half cell (twice the bin, plus the side), its
// count and its calibrated probability, in rising order, and adds up the most
// that the mean can be off by the bins.
func (h *scores) each(c *Calibration, f func(cell int, n, q float64), bound *float64) {
	total := float64(h.total())
	for i := range h.cells {
		low, high := scoreBounds(h.low + i)
		span := 0.0
		if c != nil && c.Map != nil {
			span = c.at(high) - c.at(low)
		}
		for side := range 2 {
			n := float64(h.cells[i].n[side])
			if n == 0 {
				continue
			}
			p := min(max(h.cells[i].sum[side]/n, 0), 1)
			f(2*i+side, n, c.at(p))
			*bound += span * n / total
		}
	}
}

// scoreBounds returns the probabilities between which a bin lies.
func scoreBounds(bin int) (low, high float64) {
	k := float64(bin - maxLogitBin)
	low, high = logistic((k-0.5)*logitWidth), logistic((k+0.5)*logitWidth)
	if bin <= 0 {
		low = 0
	}
	if bin >= numScoreBins-1 {
		high = 1
	}
	return low, high
}

// around returns an estimate of a ratio with the interval of a standard error.
func around(value, se float64, n uint64) Measure {
	if value != value {
		return unknown(n, "no record is expected in the class it is about")
	}
	if se != se {
		return measured(value, everything(), n)
	}
	half := z975 * se
	return measured(value, Interval{max(value-half, 0), min(value+half, 1)}, n)
}
