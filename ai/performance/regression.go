package performance

import (
	"math"

	"github.com/modelwatch/modelwatch/ai"
)

// MaxMagnitude is the largest absolute value of a prediction or a label that is
// counted: the fourth power of larger ones would not be finite.
const MaxMagnitude = 1e70

// Regression sums the errors of numeric predictions. The zero Regression is
// empty and ready; merging is addition; it is not safe for concurrent use.
type Regression struct {
	errors   moments // Prediction minus label.
	absolute moments
	squared  moments
	relative moments // |error / label|, where the label is not 0.
	labels   moments
	zeros    uint64 // Labels that are 0.
	unusable uint64 // Records beyond MaxMagnitude.
}

// Observe counts one numeric prediction and its truth. It returns false where
// either is no number; a number beyond MaxMagnitude is counted as unusable.
func (r *Regression) Observe(inf *ai.Inference, label ai.Value) bool {
	said, ok1 := inf.Prediction.Number()
	truth, ok2 := label.Number()
	if !ok1 || !ok2 {
		return false
	}
	r.Add(said, truth)
	return true
}

// Add counts one prediction and its truth.
func (r *Regression) Add(said, truth float64) {
	if !(math.Abs(said) <= MaxMagnitude && math.Abs(truth) <= MaxMagnitude) {
		r.unusable++
		return
	}
	e := said - truth
	r.errors.add(e)
	r.absolute.add(math.Abs(e))
	r.squared.add(e * e)
	r.labels.add(truth)
	if relative := math.Abs(e / truth); relative <= MaxMagnitude {
		r.relative.add(relative)
	} else {
		r.zeros++
	}
}

// Merge adds what o counted.
func (r *Regression) Merge(o *Regression) {
	r.errors.merge(o.errors)
	r.absolute.merge(o.absolute)
	r.squared.merge(o.squared)
	r.relative.merge(o.relative)
	r.labels.merge(o.labels)
	r.zeros += o.zeros
	r.unusable += o.unusable
}

// N returns the number of labelled answers.
func (r *Regression) N() uint64 { return r.errors.N }

// RegressionReport is measured performance of a numeric model. All but MAPE and
// R2 are in the label's unit.
type RegressionReport struct {
	N uint64 `json:"sample_size"`
	// MAE is the mean absolute error.
	MAE Measure `json:"mae"`
	// RMSE is the root of the mean squared error; its interval is the root of the
	// mean's.
	RMSE Measure `json:"rmse"`
	// MAPE is the mean of |error / label|, as a ratio, over the labels that are not
	// 0. Where most labels are 0 it says little: ZeroLabels counts those left out.
	// (scikit-learn divides by the machine epsilon instead.)
	MAPE       Measure `json:"mape"`
	ZeroLabels uint64  `json:"zero_labels"`
	// Bias is the mean of prediction minus label.
	Bias Measure `json:"bias"`
	// R2 is the coefficient of determination; it has no interval here.
	R2 Measure `json:"r2"`
	// Unusable counts records with a number beyond MaxMagnitude.
	Unusable uint64 `json:"unusable"`
}

// Report reads the figures.
func (r *Regression) Report() RegressionReport {
	const none = "no labelled answer"
	out := RegressionReport{
		N:    r.errors.N,
		MAE:  r.absolute.measure(none),
		MAPE: r.relative.measure("no labelled answer whose label is not 0"),
		Bias: r.errors.measure(none),
		RMSE: unknown(0, none),
		R2:   unknown(r.errors.N, "the labels do not vary"),

		ZeroLabels: r.zeros, Unusable: r.unusable,
	}
	out.MAE.Interval.Low = max(out.MAE.Interval.Low, 0)
	out.MAPE.Interval.Low = max(out.MAPE.Interval.Low, 0)
	if mse := r.squared.measure(none); mse.Known {
		out.RMSE = measured(math.Sqrt(mse.Value), Interval{
			Low: math.Sqrt(max(mse.Interval.Low, 0)), High: math.Sqrt(max(mse.Interval.High, 0)),
		}, mse.N)
	}
	if r.labels.N > 1 && r.labels.M2 > 0 {
		out.R2 = measured(1-r.squared.Mean*float64(r.squared.N)/r.labels.M2, everything(), r.labels.N)
	}
	return out
}
