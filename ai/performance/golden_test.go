package performance

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// golden is test/golden/performance.json, made by the script beside it.
type golden struct {
	Intervals struct {
		Wilson []struct {
			K, N, Low, High float64
		}
		Difference, Ratio []struct {
			K1, N1, K2, N2, Low, High float64
		}
		Poisson []struct {
			K         uint64
			Low, High float64
		}
		Mean []struct {
			X         []float64
			Low, High float64
		}
	}
	Tails struct {
		Fisher []struct {
			K1, N1, K2, N2 uint64
			P              float64
		}
		Exceedance []struct {
			K, N, R, M uint64
			P          float64
		}
		Ranks []struct {
			N         int
			Q         float64
			Low, High int
		}
	}
	Binary struct {
		P                []float64
		Predicted, Truth []int

		Accuracy, Precision, Recall, F1, Brier float64

		AUC              float64 `json:"roc_auc"`
		AUCDeLong        float64 `json:"roc_auc_delong"`
		AUCDeviation     float64 `json:"roc_auc_deviation"`
		LogLoss          float64 `json:"log_loss"`
		CalibrationError float64 `json:"calibration_error"`
		CalibrationP     float64 `json:"calibration_p_value"`
	}
	Multiclass struct {
		Classes          []string
		P                [][]float64
		Predicted, Truth []string

		Accuracy, Precision, Recall, F1 float64

		LogLoss           float64   `json:"log_loss"`
		CalibrationError  float64   `json:"calibration_error"`
		ClassPrecision    []float64 `json:"class_precision"`
		ClassRecall       []float64 `json:"class_recall"`
		ClassF1           []float64 `json:"class_f1"`
		ClassSupport      []uint64  `json:"class_support"`
		EstimatedAccuracy float64   `json:"estimated_accuracy"`
	}
	Regression struct {
		Predicted, Truth          []float64
		MAE, RMSE, MAPE, R2, Bias float64
	}
	Isotonic []struct {
		X, Y, W, At, Value []float64
	}
	Estimate struct {
		Score, Calibrated []float64
		Predicted         []int

		TruePositive  float64 `json:"true_positive"`
		FalsePositive float64 `json:"false_positive"`
		FalseNegative float64 `json:"false_negative"`
		TrueNegative  float64 `json:"true_negative"`
		Accuracy      float64
		Precision     float64
		Recall        float64
		F1            float64
		AUC           float64 `json:"roc_auc"`
		Reference     struct {
			P                               []float64
			Predicted, Truth                []int
			Accuracy, Precision, Recall, F1 float64
			AUC                             float64 `json:"roc_auc"`
		}
	}
	Quantiles []struct {
		Name        string
		X, Q, Value []float64
		Sum         float64
	}
}

func loadGolden(t *testing.T) *golden {
	t.Helper()
	data, err := os.ReadFile("../../test/golden/performance.json")
	require.NoError(t, err)
	g := new(golden)
	require.NoError(t, json.Unmarshal(data, g))
	return g
}

func requireInterval(t *testing.T, low, high float64, iv Interval, delta float64) {
	t.Helper()
	require.InDelta(t, low, iv.Low, delta)
	require.InDelta(t, high, iv.High, delta)
}

func TestIntervalsAgainstSciPy(t *testing.T) {
	g := loadGolden(t)
	for _, c := range g.Intervals.Wilson {
		requireInterval(t, c.Low, c.High, Wilson(c.K, c.N), 1e-12)
	}
	for _, c := range g.Intervals.Difference {
		requireInterval(t, c.Low, c.High, MiettinenNurminen(c.K1, c.N1, c.K2, c.N2), 1e-8)
	}
	// Newcombe, "Interval estimation for the difference between independent
	// proportions", Statistics in Medicine 1998, table II, method 6.
	requireInterval(t, 0.0528, 0.3382, MiettinenNurminen(56, 70, 48, 80), 5e-5)
	for _, c := range g.Intervals.Ratio {
		iv := RiskRatio(c.K1, c.N1, c.K2, c.N2)
		require.InEpsilon(t, c.Low, iv.Low, 1e-8)
		require.InEpsilon(t, c.High, iv.High, 1e-8)
	}
	for _, c := range g.Intervals.Poisson {
		requireInterval(t, c.Low, c.High, poissonInterval(c.K), 1e-6*max(c.High, 1))
	}
	for _, c := range g.Intervals.Mean {
		var m moments
		for _, x := range c.X {
			m.add(x)
		}
		requireInterval(t, c.Low, c.High, m.measure("").Interval, 1e-9)
	}
}

func TestTailsAgainstSciPy(t *testing.T) {
	g := loadGolden(t)
	for _, c := range g.Tails.Fisher {
		require.InDelta(t, c.P, fisherGreater(c.K1, c.N1, c.K2, c.N2), 1e-9*max(c.P, 1e-6), "%+v", c)
	}
	for _, c := range g.Tails.Exceedance {
		require.InDelta(t, c.P, exceedance(c.K, c.N, c.R, c.M), 1e-9, "%+v", c)
		if c.P > 1e-300 {
			require.InEpsilon(t, c.P, exceedance(c.K, c.N, c.R, c.M), 1e-6, "%+v", c)
		}
	}
	for _, c := range g.Tails.Ranks {
		// With values 1..n an order statistic is its own rank.
		var s Sketch
		for i := range c.N {
			s.Add(float64(i + 1))
		}
		iv := s.QuantileInterval(c.Q)
		if c.Low == 0 {
			require.True(t, math.IsInf(iv.Low, -1), "%+v", c)
		} else {
			require.InEpsilon(t, float64(c.Low), iv.Low, 2*SketchError+1e-9, "%+v", c)
		}
		if c.High > c.N {
			require.True(t, math.IsInf(iv.High, 1), "%+v", c)
		} else {
			require.InEpsilon(t, float64(c.High), iv.High, 2*SketchError+1e-9, "%+v", c)
		}
	}
}

func TestQuantilesAgainstNumPy(t *testing.T) {
	for _, c := range loadGolden(t).Quantiles {
		var s Sketch
		for _, x := range c.X {
			require.True(t, s.Add(x))
		}
		require.InEpsilon(t, c.Sum, s.Sum(), 1e-12)
		for i, q := range c.Q {
			got, ok := s.Quantile(q)
			require.True(t, ok)
			require.InEpsilon(t, c.Value[i], got, SketchError*(1+1e-6), "%s q=%v", c.Name, q)
		}
	}
}

// binaryInference returns a record of classes "0" and "1" with that probability of "1".
func binaryInference(p float64, predicted int) *ai.Inference {
	return &ai.Inference{
		Model: "m", Prediction: ai.Number(float64(predicted)),
		Probabilities: []ai.ClassProbability{{Class: "0", P: 1 - p}, {Class: "1", P: p}},
	}
}

func TestBinaryAgainstScikitLearn(t *testing.T) {
	g := loadGolden(t).Binary
	c := NewClassification(Options{})
	positive := make([]bool, len(g.P))
	for i, p := range g.P {
		require.True(t, c.Observe(binaryInference(p, g.Predicted[i]), ai.Number(float64(g.Truth[i]))))
		positive[i] = g.Truth[i] == 1
	}
	r := c.Report()
	require.Equal(t, "1", r.Positive)
	require.EqualValues(t, len(g.P), r.N)
	require.InDelta(t, g.Accuracy, r.Accuracy.Value, 1e-12)
	require.InDelta(t, g.Precision, r.Precision.Value, 1e-12)
	require.InDelta(t, g.Recall, r.Recall.Value, 1e-12)
	require.InDelta(t, g.F1, r.F1.Value, 1e-12)
	require.InDelta(t, g.LogLoss, r.LogLoss.Value, 1e-9)
	require.InDelta(t, g.Brier, r.Brier.Value, 1e-12)
	require.InDelta(t, g.CalibrationError, r.CalibrationError.Value, 1e-9)
	require.NotNil(t, r.CalibrationP)
	require.InEpsilon(t, g.CalibrationP, *r.CalibrationP, 1e-6)
	area, ok := AreaUnderROC(g.P, positive)
	require.True(t, ok)
	require.InDelta(t, g.AUC, area, 1e-12)
	require.InDelta(t, g.AUC, r.AUC.Value, r.AUCErrorBound+1e-12)
	require.Less(t, r.AUCErrorBound, 0.005)
	require.InDelta(t, g.AUC, r.AUC.Value, 1e-3)

	weight := make([]float64, len(g.P))
	for i := range weight {
		weight[i] = float64(g.Truth[i])
	}
	exact, deviation, _, ok := areaUnder(rank(g.P, weight))
	require.True(t, ok)
	require.InDelta(t, g.AUCDeLong, exact, 1e-12)
	require.InDelta(t, g.AUCDeviation, deviation, 1e-12)
	for _, m := range []Measure{r.Accuracy, r.Precision, r.Recall, r.F1, r.AUC, r.LogLoss, r.Brier} {
		require.True(t, m.Interval.Low < m.Value && m.Value < m.Interval.High, "%+v", m)
	}
}

func TestMulticlassAgainstScikitLearn(t *testing.T) {
	g := loadGolden(t).Multiclass
	c := NewClassification(Options{})
	var predictions Predictions
	for i, p := range g.P {
		inf := &ai.Inference{Model: "m", Prediction: ai.String(g.Predicted[i])}
		for k, name := range g.Classes {
			inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: name, P: p[k]})
		}
		require.True(t, c.Observe(inf, ai.String(g.Truth[i])))
		predictions.Observe(&Options{}, inf)
	}
	r := c.Report()
	require.Empty(t, r.Positive)
	require.InDelta(t, g.Accuracy, r.Accuracy.Value, 1e-12)
	require.InDelta(t, g.Precision, r.Precision.Value, 1e-12)
	require.InDelta(t, g.Recall, r.Recall.Value, 1e-12)
	require.InDelta(t, g.F1, r.F1.Value, 1e-12)
	require.InDelta(t, g.LogLoss, r.LogLoss.Value, 1e-9)
	require.InDelta(t, g.CalibrationError, r.CalibrationError.Value, 1e-9)
	require.False(t, r.AUC.Known)
	require.NotEmpty(t, r.AUC.Reason)
	for k, cr := range r.Classes {
		require.Equal(t, g.Classes[k], cr.Class)
		require.Equal(t, g.ClassSupport[k], cr.Support)
		require.InDelta(t, g.ClassPrecision[k], cr.Precision.Value, 1e-12)
		require.InDelta(t, g.ClassRecall[k], cr.Recall.Value, 1e-12)
		require.InDelta(t, g.ClassF1[k], cr.F1.Value, 1e-12)
	}
	e := NewReference(NewWindow(Options{}), 0).Estimate(&predictions)
	require.InDelta(t, g.EstimatedAccuracy, e.Accuracy.Value, 1e-12)
	require.False(t, e.F1.Known)
}

func TestRegressionAgainstScikitLearn(t *testing.T) {
	g := loadGolden(t).Regression
	var r Regression
	for i := range g.Truth {
		r.Add(g.Predicted[i], g.Truth[i])
	}
	got := r.Report()
	require.InDelta(t, g.MAE, got.MAE.Value, 1e-9)
	require.InDelta(t, g.RMSE, got.RMSE.Value, 1e-9)
	require.InDelta(t, g.MAPE, got.MAPE.Value, 1e-9)
	require.InDelta(t, g.R2, got.R2.Value, 1e-9)
	require.InDelta(t, g.Bias, got.Bias.Value, 1e-9)
}

func TestIsotonicAgainstScikitLearn(t *testing.T) {
	for i, c := range loadGolden(t).Isotonic {
		f := FitIsotonic(c.X, c.Y, c.W)
		require.True(t, f.valid(), "case %d", i)
		for k, at := range c.At {
			require.InDelta(t, c.Value[k], f.At(at), 1e-9, "case %d at %v", i, at)
		}
	}
}

func TestEstimateAgainstRowFormulas(t *testing.T) {
	g := loadGolden(t).Estimate
	predicted := make([]bool, len(g.Score))
	for i := range predicted {
		predicted[i] = g.Predicted[i] == 1
	}
	c, area, ok := EstimateBinary(g.Calibrated, predicted, g.Score)
	require.True(t, ok)
	require.InDelta(t, g.TruePositive, c.TruePositive, 1e-9)
	require.InDelta(t, g.FalsePositive, c.FalsePositive, 1e-9)
	require.InDelta(t, g.FalseNegative, c.FalseNegative, 1e-9)
	require.InDelta(t, g.TrueNegative, c.TrueNegative, 1e-9)
	require.InDelta(t, g.Accuracy, c.accuracy(), 1e-12)
	require.InDelta(t, g.Precision, c.precision(), 1e-12)
	require.InDelta(t, g.Recall, c.recall(), 1e-12)
	require.InDelta(t, g.F1, c.f1(), 1e-12)
	require.InDelta(t, g.AUC, area, 1e-12)

	// The sampling error, from the reference's counts alone.
	w := NewWindow(Options{})
	ref := g.Reference
	for i, p := range ref.P {
		require.True(t, w.ObserveLabel(binaryInference(p, ref.Predicted[i]), ai.Number(float64(ref.Truth[i]))))
	}
	se, ok := NewReference(w, 0).SamplingError("1", uint64(len(g.Score)))
	require.True(t, ok)
	require.InEpsilon(t, ref.Accuracy, se.Accuracy, 1e-9)
	require.InEpsilon(t, ref.Precision, se.Precision, 1e-9)
	require.InEpsilon(t, ref.Recall, se.Recall, 1e-9)
	require.InEpsilon(t, ref.F1, se.F1, 1e-9)
	require.InEpsilon(t, ref.AUC, se.AUC, 0.01) // Ranked by bins.

	// The mergeable form: exact where probabilities are used as they are, and within its
	// own bound where a calibration is applied.
	var p Predictions
	for i, s := range g.Score {
		p.Observe(&Options{}, binaryInference(s, g.Predicted[i]))
	}
	var want Confusion
	for i, s := range g.Score {
		want.expect(s, 1, predicted[i])
	}
	e := NewReference(NewWindow(Options{}), 0).Estimate(&p)
	require.InDelta(t, want.accuracy(), e.Accuracy.Value, 1e-9)
	require.InDelta(t, want.f1(), e.F1.Value, 1e-9)
	require.Zero(t, e.BinningError)

	power := Isotonic{}
	for i := range 1001 {
		x := float64(i) / 1000
		power.X, power.Y = append(power.X, x), append(power.Y, math.Pow(x, 1.3))
	}
	r := &Reference{Window: NewWindow(Options{}), Binary: Calibration{Map: &power, Labelled: 1}}
	e = r.Estimate(&p)
	require.InDelta(t, g.Accuracy, e.Accuracy.Value, e.BinningError)
	require.InDelta(t, g.Accuracy, e.Accuracy.Value, 1e-4)
	require.InDelta(t, g.Precision, e.Precision.Value, 1e-4)
	require.InDelta(t, g.Recall, e.Recall.Value, 1e-4)
	require.InDelta(t, g.F1, e.F1.Value, 1e-4)
	require.InDelta(t, g.AUC, e.AUC.Value, 1e-3)
}
