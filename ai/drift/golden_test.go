package drift

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/modelwatch/modelwatch/ai"
)

// golden is what test/golden/drift.py writes.
type golden struct {
	Counts []struct {
		Ref, Cur       []float64
		ChiSquare      float64 `json:"chi_square"`
		Dof            int
		G              float64
		JensenShannon  float64 `json:"jensen_shannon"`
		Hellinger, PSI float64
		KS             float64
		CramerVonMises float64 `json:"cramer_von_mises"`
		AndersonDarl   float64 `json:"anderson_darling"`
		Wasserstein    float64
		Energy         float64
		Fisher, Z      *float64
	}
	Fisher []struct {
		Table [4]float64
		P     float64
	}
	Unseen    []struct{ Hits, M, A, B, P float64 }
	Quadratic []struct{ Lambda, X, P []float64 }
	FDR       struct{ P, Adjusted []float64 }

	Classifier struct {
		X       [][]float64
		Y, Fold []int
		Scores  []float64
		AUC     float64
		FoldAUC []float64 `json:"fold_auc"`
		Tied    []float64
		TiedAUC float64 `json:"tied_auc"`
	}
	MMD []struct {
		Ref, Cur  [][]float64
		Bandwidth float64
		Squared   float64
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("../../test/golden/drift.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// near fails unless got is want within a relative or absolute tolerance.
func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestStatisticsEqualSciPy(t *testing.T) {
	g := readGolden(t)
	if len(g.Counts) < 9 {
		t.Fatalf("%d rows of counts", len(g.Counts))
	}
	for _, c := range g.Counts {
		x2, dof := ChiSquare(c.Ref, c.Cur)
		near(t, "ChiSquare", x2, c.ChiSquare, 1e-9)
		if dof != c.Dof {
			t.Errorf("ChiSquare has %d degrees of freedom, want %d", dof, c.Dof)
		}
		lr, dof := GTest(c.Ref, c.Cur)
		near(t, "GTest", lr, c.G, 1e-9)
		if dof != c.Dof {
			t.Errorf("GTest has %d degrees of freedom, want %d", dof, c.Dof)
		}
		near(t, "JensenShannon", JensenShannon(c.Ref, c.Cur), c.JensenShannon, 1e-9)
		near(t, "Hellinger", Hellinger(c.Ref, c.Cur), c.Hellinger, 1e-9)
		near(t, "PopulationStability", PopulationStability(c.Ref, c.Cur), c.PSI, 1e-9)
		near(t, "KolmogorovSmirnov", KolmogorovSmirnov(c.Ref, c.Cur), c.KS, 1e-9)
		near(t, "CramerVonMises", CramerVonMises(c.Ref, c.Cur), c.CramerVonMises, 1e-9)
		near(t, "AndersonDarling", AndersonDarling(c.Ref, c.Cur), c.AndersonDarl, 1e-9)
		if c.Fisher != nil {
			near(t, "fisherP", fisherP(c.Cur[0], c.Cur[1], c.Ref[0], c.Ref[1]), *c.Fisher, 1e-9)
			near(t, "Proportion", Proportion(c.Cur[0], c.Cur[1], c.Ref[0], c.Ref[1]), *c.Z, 1e-9)
		}

		// Values 0, 1, … in cells of almost no width, with the gaps between them
		// cells too.
		const width = 1e-9
		var ref, cur []float64
		ends := []float64{-width}
		for i := range c.Ref {
			if i > 0 {
				ends = append(ends, float64(i)-width)
				ref, cur = append(ref, 0), append(cur, 0)
			}
			ends = append(ends, float64(i))
			ref, cur = append(ref, c.Ref[i]), append(cur, c.Cur[i])
		}
		near(t, "Wasserstein", Wasserstein(ref, cur, ends), c.Wasserstein, 1e-6)
		near(t, "Energy", Energy(ref, cur, ends), c.Energy, 1e-6)
	}
}

func TestPValuesEqualSciPy(t *testing.T) {
	g := readGolden(t)
	for _, c := range g.Fisher {
		got := fisherP(c.Table[0], c.Table[1], c.Table[2], c.Table[3])
		// Where every expected count is above 5,000, normal replaces exact.
		tolerance := 1e-7
		if c.Table[0] > 4000 {
			tolerance = 2e-2
		}
		if got <= 1e-300 && c.P <= 1e-300 {
			continue
		}
		near(t, "log of Fisher's p", math.Log(got), math.Log(c.P), tolerance)
	}
	for _, c := range g.Unseen {
		got := unseenP(c.Hits, c.M, c.A, c.B)
		if c.Hits <= c.M*c.A/(c.A+c.B) {
			near(t, "unseenP of what is expected", got, 1, 0)
			continue
		}
		near(t, "log of unseenP", math.Log(got), math.Log(c.P), 1e-6)
	}
	for _, c := range g.Quadratic {
		d := newQuadraticNull(c.Lambda)
		near(t, "mean", d.mean, sum(c.Lambda), 1e-12)
		for i, x := range c.X {
			// The saddlepoint formula errs by some per cent, in the tail to the safe side.
			if ratio := d.p(x) / c.P[i]; ratio < 0.97 || ratio > 1.08 {
				t.Errorf("quadratic tail at %v of %d terms is %v times the true one", x, len(c.Lambda), ratio)
			}
		}
	}
	adjusted, index := make([]float64, len(g.FDR.P)), make([]int, len(g.FDR.P))
	BenjaminiHochberg(adjusted, g.FDR.P, index)
	for i := range adjusted {
		near(t, "BenjaminiHochberg", adjusted[i], g.FDR.Adjusted[i], 1e-12)
	}
}

func TestClassifierEqualsScikitLearn(t *testing.T) {
	c := readGolden(t).Classifier
	n, d := len(c.X), len(c.X[0])
	x := mat.NewDense(n, d, nil)
	labels := make([]bool, n)
	y := make([]float64, n)
	var mean float64
	for i, row := range c.X {
		x.SetRow(i, row)
		labels[i] = c.Y[i] == 1
		mean += float64(c.Y[i]) / float64(n)
	}
	for i := range y {
		y[i] = float64(c.Y[i]) - mean
	}
	h, err := outOfFold(x, c.Fold, 3)
	if err != nil {
		t.Fatal(err)
	}
	var scores mat.VecDense
	scores.MulVec(h, mat.NewVecDense(n, y))
	for i, want := range c.Scores {
		near(t, "out-of-fold score", scores.AtVec(i), want, 1e-9)
	}
	near(t, "AUC", AUC(c.Scores, labels), c.AUC, 1e-12)
	near(t, "AUC with ties", AUC(c.Tied, labels), c.TiedAUC, 1e-12)
	var total, weight float64
	for f, want := range c.FoldAUC {
		var with, size float64
		for i, g := range c.Fold {
			if g == f {
				size++
				with += float64(c.Y[i])
			}
		}
		total += want * with * (size - with)
		weight += with * (size - with)
	}
	near(t, "foldAUC", foldAUC(c.Scores, labels, c.Fold, 3), total/weight, 1e-12)
}

// Random features approximate the kernel within about 1/√Frequencies.
func TestKernelDistanceApproximatesScikitLearn(t *testing.T) {
	for _, c := range readGolden(t).MMD {
		p, err := ai.NewProjection(len(c.Ref[0]), 7, c.Bandwidth)
		if err != nil {
			t.Fatal(err)
		}
		sums := func(rows [][]float64) []float64 {
			s := make([]float64, ai.KernelDim)
			for _, row := range rows {
				p.AddKernel(s, row)
			}
			return s
		}
		got := KernelDistance(sums(c.Ref), float64(len(c.Ref)), sums(c.Cur), float64(len(c.Cur)))
		if tolerance := 0.005 + 0.2*c.Squared; math.Abs(got-c.Squared) > tolerance {
			t.Errorf("KernelDistance = %v, want %v ± %v", got, c.Squared, tolerance)
		}
	}
}
