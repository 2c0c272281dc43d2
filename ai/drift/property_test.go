package drift_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// distances are the statistics of two rows of counts, by name, with whether both
// rows may change places.
var distances = map[string]struct {
	of        func(ref, cur []float64) float64
	symmetric bool
	limit     float64
}{
	"psi":              {drift.PopulationStability, true, math.Inf(1)},
	"ks":               {drift.KolmogorovSmirnov, true, 1},
	"jensen_shannon":   {drift.JensenShannon, true, 1},
	"hellinger":        {drift.Hellinger, true, 1},
	"cramer_von_mises": {drift.CramerVonMises, true, 1},
	"anderson_darling": {drift.AndersonDarling, false, math.Inf(1)},
	"chi_square":       {func(a, b []float64) float64 { x, _ := drift.ChiSquare(a, b); return x }, true, math.Inf(1)},
	"g_test":           {func(a, b []float64) float64 { x, _ := drift.GTest(a, b); return x }, true, math.Inf(1)},
	"wasserstein":      {func(a, b []float64) float64 { return drift.Wasserstein(a, b, ends(len(a))) }, true, math.Inf(1)},
	"energy":           {func(a, b []float64) float64 { return drift.Energy(a, b, ends(len(a))) }, true, math.Inf(1)},
}

func ends(n int) []float64 {
	e := make([]float64, n+1)
	for i := range e {
		e[i] = float64(i * i)
	}
	return e
}

func TestDistances(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for name, d := range distances {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				n := 2 + rng.IntN(12)
				ref, cur := make([]float64, n), make([]float64, n)
				for i := range ref {
					ref[i], cur[i] = float64(rng.IntN(50)), float64(rng.IntN(4)*rng.IntN(30))
				}
				ref[0], cur[n-1] = ref[0]+1, cur[n-1]+1
				x := d.of(ref, cur)
				if !(x >= 0 && x <= d.limit) || math.IsInf(x, 0) {
					t.Fatalf("%v, %v: %v", ref, cur, x)
				}
				if y := d.of(cur, ref); d.symmetric && math.Abs(x-y) > 1e-9*max(1, x) {
					t.Errorf("%v, %v: %v, the other way round %v", ref, cur, x, y)
				}
				if y := d.of(ref, ref); y > 1e-7 {
					t.Errorf("%v with itself: %v", ref, y)
				}
				// Empty cells change nothing, wherever they are.
				at := rng.IntN(n)
				if name != "wasserstein" && name != "energy" && name != "anderson_darling" {
					if y := d.of(insert(ref, at), insert(cur, at)); math.Abs(x-y) > 1e-9*max(1, x) {
						t.Errorf("%v, %v: %v, with an empty cell at %d %v", ref, cur, x, at, y)
					}
				}
			}
			empty := make([]float64, 3)
			if x := d.of(empty, []float64{1, 2, 3}); x != 0 {
				t.Errorf("nothing against something: %v", x)
			}
		})
	}
}

func insert(s []float64, at int) []float64 {
	out := append([]float64(nil), s[:at]...)
	return append(append(out, 0), s[at:]...)
}

// Windows merge by addition: judging the merged profile is judging all rows.
func TestMergedWindows(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	f := freeze(t, values(2000, func() ai.Value { return ai.Number(rng.NormFloat64()) }))
	rows := values(600, func() ai.Value { return ai.Number(rng.NormFloat64() + 0.2) })
	whole := count(f, rows)
	parts := count(f, rows[:100])
	for from := 100; from < 600; from += 100 {
		if err := parts.Merge(count(f, rows[from:from+100])); err != nil {
			t.Fatal(err)
		}
	}
	for _, method := range selectable() {
		a := judge(t, drift.Options{Method: method}, f, whole)
		b := judge(t, drift.Options{Method: method}, f, parts)
		a.Change, b.Change = drift.Change{}, drift.Change{} // Moments merge to rounding only.
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v, in parts %+v", method, a, b)
		}
	}
}

// selectable returns the methods that features can be judged by.
func selectable() []string {
	out := []string{drift.MethodAuto}
	for _, m := range drift.Catalogue() {
		if (drift.Options{Method: m.ID}).Validate() == nil {
			out = append(out, m.ID)
		}
	}
	return out
}

func judge(tb testing.TB, opt drift.Options, f *ai.FeatureBaseline, p *ai.Profile) drift.Result {
	tb.Helper()
	r, err := drift.Evaluate(one(f), window(p), opt)
	if err != nil {
		tb.Fatal(err)
	}
	return r[0]
}

// Every method sees a large change, and nothing in a window that is the baseline.
func TestEveryMethod(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	number := func(shift float64) func() ai.Value {
		return func() ai.Value { return ai.Number(rng.NormFloat64() + shift) }
	}
	category := func(k int) func() ai.Value {
		return func() ai.Value { return ai.String("c" + strconv.Itoa(rng.IntN(k)*rng.IntN(3))) }
	}
	baselines := map[drift.Data][]ai.Value{drift.DataNumbers: values(1500, number(0)), drift.DataCategories: values(1500, category(6))}
	moved := map[drift.Data][]ai.Value{drift.DataNumbers: values(300, number(0.8)), drift.DataCategories: values(300, category(3))}
	for _, method := range selectable() {
		if method == drift.MethodMMD {
			continue
		}
		m, _ := drift.MethodByID(method)
		for data := range baselines {
			f := freeze(t, baselines[data])
			r := judge(t, drift.Options{Method: method}, f, count(f, moved[data]))
			if r.Verdict != ai.VerdictDrift || r.PValue > 1e-6 || r.Score < r.Threshold || r.Statistic == 0 {
				t.Errorf("%s on %s: %+v", method, data, r)
			}
			can := method == drift.MethodAuto || len(m.Data) == 2 || m.Data[0] == data
			if can && method != drift.MethodAuto && r.Method != method {
				t.Errorf("%s on %s was judged by %s", method, data, r.Method)
			}
			if r.BaselineRows != 1500 || r.WindowRows != 300 || r.Unit == "" || r.Direction != ai.Above || r.Change.Of == "" {
				t.Errorf("%s on %s does not say everything: %+v", method, data, r)
			}
			r = judge(t, drift.Options{Method: method}, f, f.Profile)
			if r.Verdict != ai.VerdictNone || r.PValue < 0.5 || r.Score > 1e-6 {
				t.Errorf("%s on %s against itself: %+v", method, data, r)
			}
		}
	}
}

func TestCatalogue(t *testing.T) {
	seen := make(map[string]bool)
	for _, m := range drift.Catalogue() {
		if seen[m.ID] || m.ID == "" || m.Title == "" || m.Unit == "" || len(m.Data) == 0 || m.Direction != ai.Above ||
			!(m.Threshold > 0) || !strings.HasSuffix(m.Message, ".") {
			t.Errorf("catalogue line %+v", m)
		}
		seen[m.ID] = true
	}
	if len(seen) != 15 {
		t.Errorf("%d methods", len(seen))
	}
	if _, ok := drift.MethodByID("none"); ok {
		t.Error("a method that is not there was found")
	}
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	err := drift.Options{
		Alpha: 2, PossibleAlpha: 0.5, Method: "kss", MinRows: 1,
		Methods:    map[string]string{"b": "classifier", "a": "psi"},
		Thresholds: map[string]float64{"psi": -1, "x": 1, "ks": math.NaN()},
	}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"alpha is 2", "alpha for possible drift is 0.5", "least rows are 1", `method "kss" cannot be chosen`,
		`feature "b": method "classifier" cannot be chosen`, "threshold of psi is -1", "threshold of ks is NaN", `threshold: method "x"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
	if _, err := drift.NewEvaluator(drift.Options{Alpha: -1}); err == nil {
		t.Error("a negative alpha was taken")
	}
	if err := (drift.Options{}).Validate(); err != nil {
		t.Error(err)
	}
}

// Any counts whatsoever give finite results that JSON can hold.
func FuzzEvaluate(f *testing.F) {
	f.Add([]byte{0, 10, 20, 30, 40, 50}, []byte{50, 0, 0, 0, 0, 1}, uint16(0), uint16(3), uint8(0), false)
	f.Add([]byte{255, 1}, []byte{0, 255}, uint16(50), uint16(0), uint8(3), true)
	f.Add([]byte{}, []byte{9}, uint16(1), uint16(1), uint8(5), true)
	methods := selectable()
	f.Fuzz(func(t *testing.T, ref, cur []byte, missingRef, missingCur uint16, pick uint8, categories bool) {
		n := min(max(len(ref), 1), 60)
		var bins *ai.Bins
		var err error
		kind := ai.KindNumber
		if categories {
			kind = ai.KindString
			names := make([]string, n)
			for i := range names {
				names[i] = "c" + strconv.Itoa(i)
			}
			bins, err = ai.NewCategoryBins(names)
		} else {
			edges := make([]float64, n)
			for i := range edges {
				edges[i] = float64(i) * math.Pow(10, float64(int(pick)%20-10))
			}
			bins, err = ai.NewNumericBins(edges, min(1, n/2))
		}
		if err != nil {
			t.Fatal(err)
		}
		fill := func(counts []byte, missing uint16) *ai.Profile {
			p := ai.NewProfile(kind, bins)
			for i := range p.Counts {
				if i < len(counts) {
					p.Counts[i] = uint64(counts[i]) * uint64(counts[i]) * uint64(counts[i]) / 50
					p.Count += p.Counts[i]
				}
			}
			p.Missing = uint64(missing)
			if categories && p.Counts[n] > 0 {
				p.Top.Add("other", p.Counts[n])
			} else if !categories && p.Count > 0 {
				p.Max, p.M2, p.Mean = bins.Edges[n-1], float64(p.Count), bins.Edges[n/2]
			}
			return p
		}
		fb := &ai.FeatureBaseline{Kind: kind, Bins: bins, Profile: fill(ref, missingRef)}
		r := judge(t, drift.Options{Method: methods[int(pick)%len(methods)], MinRows: 2, MinBaselineRows: 2}, fb, fill(cur, missingCur))
		if _, err := json.Marshal(r); err != nil {
			t.Fatalf("%v: %+v", err, r)
		}
		if r.PValue < 0 || r.PValue > 1 || r.AdjustedPValue < 0 || r.AdjustedPValue > 1 || r.Score < 0 {
			t.Fatalf("%+v", r)
		}
		if (r.Verdict == ai.VerdictUnknown) != (r.Reason != "") {
			t.Fatalf("verdict %s with reason %q", r.Verdict, r.Reason)
		}
		if _, err := json.Marshal(r.Finding(ai.Key{Model: "m"})); err != nil {
			t.Fatal(err)
		}
	})
}
