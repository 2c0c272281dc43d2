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
func (c Confusion) accuracy() float64  { return (c.TruePositive + c.TrueNegative) / c.total() }
func (c Confusion) precision() float64 { return c.TruePositive / (c.TruePositive + c.FalsePositive) }
func (c Confusion) recall() float64    { return c.TruePositive / (c.TruePositive + c.FalseNegative) }
func (c Confusion) f1() float64 {
	return c.TruePositive / (c.TruePositive + (c.FalsePositive+c.FalseNegative)/2)
}

// SamplingError is how far each figure, measured with labels on n records,
// would scatter around its true value (one standard deviation), read from
// labelled reference data and scaled by 1/sqrt(n). The formulas are NannyML's.
type SamplingError struct {
	Accuracy, Precision, Recall, F1, AUC float64
}

// NewSamplingError reads the components from a labelled confusion matrix and
// the area under the curve of the same records, for n new records. area is the
// ranking of the records, nil where there is none. Figures that are not defined
// are NaN.
func NewSamplingError(c Confusion, area []group, n float64) SamplingError {
	total := c.total()
	// deviation is of the ratio hits/of on the share of new records that it is about.
	deviation := func(hits, of float64) float64 {
		p := hits / of
		return math.Sqrt(max(p*(1-p), 0)) / math.Sqrt(n*of/total)
	}
	either := c.TruePositive + c.FalsePositive + c.FalseNegative
	f1 := deviation(c.TruePositive, either) * either / (c.TruePositive + (c.FalsePositive+c.FalseNegative)/2)
	return SamplingError{
		Accuracy:  deviation(c.TruePositive+c.TrueNegative, total),
		Precision: deviation(c.TruePositive, c.TruePositive+c.FalsePositive),
		Recall:    deviation(c.TruePositive, c.TruePositive+c.FalseNegative),
		F1:        f1,
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

// Estimate estimates the performance behind predictions, with the calibration
// and the sampling error of the baseline. Intervals say where the measured
// figure of as many records would lie, and widen by nothing for the assumption
// that Estimate names.
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
	se := math.Sqrt(max(a*(1-a), 0) / n)
	if m := r.labelledAccuracy(); m.Known {
		se = math.Sqrt(m.Value * (1 - m.Value) / n)
	}
	e.Accuracy = around(a, se, e.N)
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
	se := r.samplingError(p.positive, n)
	own := NewSamplingError(e.Expected, groups, n)
	pick := func(of, self float64) float64 {
		if of == of {
			return of
		}
		return self
	}
	e.Accuracy = around(e.Expected.accuracy(), pick(se.Accuracy, own.Accuracy), e.N)
	e.Precision = around(e.Expected.precision(), pick(se.Precision, own.Precision), e.N)
	e.Recall = around(e.Expected.recall(), pick(se.Recall, own.Recall), e.N)
	e.F1 = around(e.Expected.f1(), pick(se.F1, own.F1), e.N)
	area, _, _, ok := areaUnder(groups)
	if !ok {
		area = math.NaN()
	}
	e.AUC = around(area, pick(se.AUC, own.AUC), e.N)
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
