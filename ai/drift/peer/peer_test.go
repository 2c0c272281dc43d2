package peer

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/modelwatch/modelwatch/ai"
)

// values is a list of numbers or of texts.
type values struct{ Sample }

func (v *values) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &v.Numbers); err == nil {
		return nil
	}
	v.Numbers = nil
	return json.Unmarshal(data, &v.Categories)
}

type golden struct {
	Kolmogorov []struct {
		D float64
		N int
		P float64
	}
	KS []struct {
		N, M        int
		Step, D, P  float64
		Wasserstein float64
	}
	Peers []struct {
		Name      string
		Ref, Cur  values
		Evidently map[string]struct {
			Method           string
			Score, Threshold float64
			Drift            bool
		}
		NannyML json.RawMessage
		Whylogs struct {
			Algorithm string
			Statistic *float64
			PValue    float64
			Category  string `json:"drift_category"`
		}
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("../../../test/golden/drift.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// tolerance is how far figures may be from the peers'.
const tolerance = 1e-6

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestEvidently(t *testing.T) {
	methods := make(map[string]bool)
	for _, c := range readGolden(t).Peers {
		t.Run(c.Name, func(t *testing.T) {
			ref, cur := c.Ref.Sample, c.Cur.Sample
			got, err := Judge(Evidently, ref, cur)
			if err != nil {
				t.Fatal(err)
			}
			want := c.Evidently["default"]
			near(t, "score", got.Score, want.Score)
			near(t, "threshold", got.Threshold, want.Threshold)
			if got.Method != want.Method || (got.Verdict == ai.VerdictDrift) != want.Drift {
				t.Errorf("%s says %s, want %s and drift %v", got.Method, got.Verdict, want.Method, want.Drift)
			}
			methods[want.Method] = true
			near(t, "Jensen-Shannon", EvidentlyJensenShannon(ref, cur), c.Evidently["jensenshannon"].Score)
			near(t, "PSI", EvidentlyPSI(ref, cur), c.Evidently["psi"].Score)
			near(t, "KL", EvidentlyKL(ref, cur), c.Evidently["kl_div"].Score)
			if ref.Categories == nil {
				near(t, "Wasserstein", EvidentlyWasserstein(ref.Numbers, cur.Numbers), c.Evidently["wasserstein"].Score)
				_, p := KolmogorovSmirnov(ref.Numbers, cur.Numbers)
				near(t, "KS", p, c.Evidently["ks"].Score)
			}
		})
	}
	if len(methods) != 5 {
		t.Errorf("the samples lead to %v, want all five methods", methods)
	}
}

func TestNannyML(t *testing.T) {
	for _, c := range readGolden(t).Peers {
		t.Run(c.Name, func(t *testing.T) {
			var want struct {
				JensenShannon [2]float64 `json:"jensen_shannon"`
				Hellinger     [2]float64
				LInfinity     *float64 `json:"l_infinity"`
			}
			if err := json.Unmarshal(c.NannyML, &want); err != nil {
				t.Fatal(err)
			}
			ref, cur := c.Ref.Sample, c.Cur.Sample
			got, err := Judge(NannyML, ref, cur)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "Jensen-Shannon", got.Score, want.JensenShannon[0])
			near(t, "threshold", got.Threshold, want.JensenShannon[1])
			near(t, "Hellinger", NannyMLHellinger(ref, cur), want.Hellinger[0])
			threshold, err := NannyMLThreshold(ref, NannyMLHellinger)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "threshold of Hellinger", threshold, want.Hellinger[1])
			if want.LInfinity != nil {
				near(t, "L-infinity", NannyMLInfinity(ref, cur), *want.LInfinity)
			}
		})
	}
}

func TestWhylogs(t *testing.T) {
	verdicts := map[string]ai.Verdict{"NO_DRIFT": ai.VerdictNone, "POSSIBLE_DRIFT": ai.VerdictPossible, "DRIFT": ai.VerdictDrift}
	for _, c := range readGolden(t).Peers {
		t.Run(c.Name, func(t *testing.T) {
			got, err := Judge(Whylogs, c.Ref.Sample, c.Cur.Sample)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "p-value", got.Score, c.Whylogs.PValue)
			if c.Whylogs.Statistic != nil {
				near(t, "statistic", got.Statistic, *c.Whylogs.Statistic)
			} else if !math.IsInf(got.Statistic, 1) {
				t.Errorf("statistic = %v, want infinite", got.Statistic)
			}
			if got.Method != c.Whylogs.Algorithm || got.Verdict != verdicts[c.Whylogs.Category] {
				t.Errorf("%s says %s, want %s %s", got.Method, got.Verdict, c.Whylogs.Algorithm, c.Whylogs.Category)
			}
		})
	}
}

func TestKolmogorovEqualsSciPy(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Kolmogorov {
		near(t, "KolmogorovTail", KolmogorovTail(c.D, c.N), c.P)
	}
	for _, c := range g.KS {
		a, b := make([]float64, c.N), make([]float64, c.M)
		for i := range a {
			a[i] = math.Mod(float64(i)*0.7548776662, 1)
		}
		for i := range b {
			b[i] = math.Pow(math.Mod(float64(i)*c.Step, 1), 1.1)
		}
		d, p := KolmogorovSmirnov(a, b)
		near(t, "statistic", d, c.D)
		near(t, "p-value", p, c.P)
		near(t, "Wasserstein", Wasserstein(a, b), c.Wasserstein)
	}
}

func TestJudgeRefuses(t *testing.T) {
	numbers, texts := Sample{Numbers: []float64{1, 2, math.NaN()}}, Sample{Categories: []string{"a"}}
	for _, c := range []struct {
		preset   Preset
		ref, cur Sample
		want     string
	}{
		{Evidently, numbers, texts, "one sample has numbers and the other categories"},
		{Whylogs, numbers, Sample{Numbers: []float64{math.Inf(1)}}, "a sample is empty: 0 values against 2"},
		{NannyML, numbers, numbers, "less than 10 values"},
		{"other", numbers, numbers, "preset \"other\" is not known"},
	} {
		if _, err := Judge(c.preset, c.ref, c.cur); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.preset, err, c.want)
		}
	}
}

func TestKolmogorovTailFalls(t *testing.T) {
	for _, n := range []int{1, 2, 7, 140, 141, 5000} {
		last := 1.0
		for i := range 200 {
			p := KolmogorovTail(float64(i)/199, n)
			if p > last+1e-6 || p < 0 || math.IsNaN(p) {
				t.Fatalf("n = %d: probability %v at %v after %v", n, p, float64(i)/199, last)
			}
			last = p
		}
	}
}
