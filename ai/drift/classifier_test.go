package drift_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// rows draws rows of two numbers that go together by rho, a category, a flag and
// a value that is missing now and then.
func rows(rng *rand.Rand, n int, rho, shift float64) [][]ai.Value {
	out := make([][]ai.Value, n)
	for i := range out {
		a := rng.NormFloat64()
		b := rho*a + (1-rho)*rng.NormFloat64()
		gap := ai.Number(rng.ExpFloat64())
		if rng.IntN(10) == 0 {
			gap = ai.Value{}
		}
		out[i] = []ai.Value{
			ai.Number(a + shift), ai.Number(b), ai.String("c" + strconv.Itoa(rng.IntN(5))), ai.Bool(rng.IntN(2) == 0), gap,
		}
	}
	return out
}

func TestClassify(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 8))
	opt := drift.ClassifierOptions{MaxRows: 250, Permutations: 200}
	for _, c := range []struct {
		name       string
		rho, shift float64
		want       ai.Verdict
	}{
		{"nothing changed", 0.5, 0, ai.VerdictNone},
		{"one feature moved", 0.5, 1, ai.VerdictDrift},
		{"two features no longer go together", -0.5, 0, ai.VerdictDrift},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, now := rows(rng, 400, 0.5, 0), rows(rng, 300, c.rho, c.shift)
			r, err := drift.Classify(base, now, opt)
			if err != nil {
				t.Fatal(err)
			}
			if r.Verdict != c.want || r.BaselineRows != 250 || r.WindowRows != 250 || r.Method != drift.MethodClassifier {
				t.Errorf("%+v", r)
			}
			again, err := drift.Classify(base, now, opt)
			if err != nil || again.Score != r.Score || again.PValue != r.PValue {
				t.Errorf("the same data give %v and %v (%v)", r.Score, again.Score, err)
			}
		})
	}
}

// With no drift the p-value is uniform: that is what permutations are for.
func TestClassifyIsCalibrated(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 8))
	const repeats = 100
	low := 0
	for i := range repeats {
		r, err := drift.Classify(rows(rng, 60, 0.5, 0), rows(rng, 40, 0.5, 0), drift.ClassifierOptions{Permutations: 99, Seed: uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if r.PValue <= 0.1 {
			low++
		}
		if r.Verdict == ai.VerdictDrift {
			t.Errorf("false verdict: %+v", r)
		}
	}
	if low < 3 || low > 20 {
		t.Errorf("%d of %d p-values are at most 0.1", low, repeats)
	}
}

func TestClassifyUnknown(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 8))
	r, err := drift.Classify(rows(rng, 400, 0, 0), rows(rng, 10, 0, 0), drift.ClassifierOptions{})
	if err != nil || r.Verdict != ai.VerdictUnknown || !strings.Contains(r.Reason, "400 and 10 rows") {
		t.Errorf("%+v, %v", r, err)
	}
	same := make([][]ai.Value, 50)
	for i := range same {
		same[i] = []ai.Value{ai.Number(1), ai.String("x"), {}}
	}
	r, err = drift.Classify(same, same, drift.ClassifierOptions{})
	if err != nil || r.Verdict != ai.VerdictUnknown || r.Reason != "no feature varies" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := drift.Classify(rows(rng, 50, 0, 0), same, drift.ClassifierOptions{}); err == nil || !strings.Contains(err.Error(), "row 0 has 3 values, the first one 5") {
		t.Errorf("error %v", err)
	}
}
