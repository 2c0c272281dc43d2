package performance

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
)

// Two versions that are the same are not told apart, and enough requests say that
// they are the same.
func TestSameVersionsAreSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 4))
	fill := func(n int) Side {
		w := NewWindow(Options{})
		for range n {
			inf := ai.Inference{Model: "m", DurationSeconds: 0.1 * math.Exp(rng.NormFloat64()/3), StatusCode: 200}
			if rng.Float64() < 0.01 {
				inf.StatusCode = 500
			}
			w.Observe(&inf)
		}
		return Side{Window: w, Length: time.Hour}
	}
	const rounds = 200
	var older [20]Side
	for i := range older {
		older[i] = fill(8000)
	}
	for _, n := range []int{40, 300, 6000} {
		count := map[Outcome]int{}
		for i := range rounds {
			c := Compare(older[i%len(older)], fill(n), DefaultMargins(), Settings{})
			count[c.Outcome]++
		}
		require.LessOrEqual(t, count[Worse]+count[Better], rounds/100, "n=%d: %v", n, count)
		switch n {
		case 40:
			require.Equal(t, rounds, count[OutcomeUnknown]+count[Worse]+count[Better], "forty requests cannot show that they are the same")
		case 6000:
			require.GreaterOrEqual(t, count[Same], rounds*9/10, "n=%d: %v", n, count)
		}
	}
}

// Under covariate shift the measured accuracy, F1 and area lie in the intervals of
// their estimates as often as those say, for a model whose probabilities had to
// be calibrated.
func TestEstimateCoversMeasured(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 4))
	// The model is overconfident: it says p where the truth is a flatter curve.
	truth := func(p float64) float64 { return logistic(0.5 * math.Log(p/(1-p))) }
	fill := func(n int, center, width float64) *Window {
		w := NewWindow(Options{})
		for range n {
			p := logistic(center + width*rng.NormFloat64())
			inf := binaryInference(p, int(math.Round(p)))
			label := ai.Number(0)
			if rng.Float64() < truth(p) {
				label = ai.Number(1)
			}
			w.Observe(inf)
			w.ObserveLabel(inf, label)
		}
		return w
	}
	plain := NewReference(NewWindow(Options{}), 0)
	const rounds = 300
	for _, c := range []struct {
		rows, records int
		baselines     int
		least         float64 // Of each share covered.
	}{{20_000, 400, 2, 0.92}, {20_000, 50, 2, 0.92}, {2000, 1000, 20, 0.88}} {
		covered := map[string]int{}
		for range c.baselines {
			reference := NewReference(fill(c.rows, 0, 3), time.Hour)
			require.NotNil(t, reference.Binary.Map, reference.Binary.Reason)
			require.Less(t, reference.Binary.ErrorAfter, reference.Binary.ErrorBefore/2)
			for range rounds / c.baselines {
				w := fill(c.records, 1, 2) // Shifted, and narrower.
				measured := w.Classification.Report()
				e := reference.Estimate(&w.Predictions)
				uncalibrated := plain.Estimate(&w.Predictions)
				for _, of := range []struct {
					name                string
					measured, estimated Measure
				}{
					{"accuracy", measured.Accuracy, e.Accuracy},
					{"precision", measured.Precision, e.Precision},
					{"recall", measured.Recall, e.Recall},
					{"f1", measured.F1, e.F1},
					{"roc_auc", measured.AUC, e.AUC},
					{"uncalibrated", measured.Accuracy, uncalibrated.Accuracy},
				} {
					if of.estimated.Interval.Contains(of.measured.Value) {
						covered[of.name]++
					}
				}
			}
		}
		t.Logf("baseline %d, window %d: covered of %d: %v", c.rows, c.records, rounds, covered)
		for name, k := range covered {
			if name != "uncalibrated" {
				require.GreaterOrEqual(t, float64(k)/rounds, c.least, name)
			}
		}
		require.Less(t, covered["uncalibrated"], rounds*3/4, "without the calibration it would be wrong")
	}
}

// A calibrated model is left alone more often than not, and calibrating one that is
// off always pays.
func TestCalibrationDecision(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 4))
	decide := func(n int, slope float64) bool {
		var h scores
		for range n {
			logit := 2 * rng.NormFloat64()
			side := 0
			if rng.Float64() < logistic(slope*logit) {
				side = 1
			}
			h.add(logistic(logit), side)
		}
		a, b := calibrate(&h), calibrate(&h)
		require.Equal(t, a, b, "the decision must not depend on chance")
		require.NotEmpty(t, a.Reason)
		return a.Map != nil
	}
	calibrated, off := 0, 0
	for range 40 {
		if decide(1000, 1) {
			calibrated++
		}
		if decide(1000, 0.4) {
			off++
		}
	}
	require.LessOrEqual(t, calibrated, 20)
	require.Equal(t, 40, off)
	require.False(t, decide(60, 0.4), "too few labels")
	require.False(t, decide(2000, 1000), "all but separable")
}

// Figures must not depend on how memory was used before.
func TestReusedWindowIsLikeNew(t *testing.T) {
	rng := rand.New(rand.NewPCG(61, 4))
	reused := NewWindow(Options{})
	for range 5 {
		fresh := NewWindow(Options{})
		reused.Reset()
		for range 200 {
			inf, label := wild(rng)
			reused.Observe(&inf)
			fresh.Observe(&inf)
			reused.ObserveLabel(&inf, label)
			fresh.ObserveLabel(&inf, label)
		}
		requireClose(t, tree(t, fresh), tree(t, reused), "window")
	}
}
