package ai_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// source makes random values of one kind, some of them missing or wrong.
type source struct {
	name string
	kind ai.Kind
	bins func(testing.TB) *ai.Bins
	next func(*rand.Rand) ai.Value
}

func sources() []source {
	numeric := func(t testing.TB) *ai.Bins {
		t.Helper()
		rng := rand.New(rand.NewPCG(5, 5))
		x := make([]float64, 2000)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		b, err := profile.FreezeNumeric(x)
		require.NoError(t, err)
		return b
	}
	return []source{
		{"number", ai.KindNumber, numeric, func(r *rand.Rand) ai.Value { return ai.Number(3*r.NormFloat64() + 1) }},
		{"number without baseline", ai.KindNumber, nil, func(r *rand.Rand) ai.Value { return ai.Number(math.Exp(5 * r.NormFloat64())) }},
		{"integer", ai.KindNumber, numeric, func(r *rand.Rand) ai.Value { return ai.Number(float64(r.IntN(7))) }},
		{"string", ai.KindString, func(t testing.TB) *ai.Bins {
			t.Helper()
			b, err := ai.NewCategoryBins([]string{"c0", "c1", "c2"})
			require.NoError(t, err)
			return b
		}, func(r *rand.Rand) ai.Value { return ai.String(fmt.Sprintf("c%d", r.IntN(12))) }},
		{"string without baseline", ai.KindString, nil, func(r *rand.Rand) ai.Value { return ai.String(fmt.Sprintf("c%d", r.IntN(12))) }},
		{"bool", ai.KindBool, nil, func(r *rand.Rand) ai.Value { return ai.Bool(r.IntN(3) == 0) }},
		{"vector", ai.KindVector, func(t testing.TB) *ai.Bins {
			t.Helper()
			p, err := ai.NewProjection(300, 9, 20)
			require.NoError(t, err)
			b, err := ai.NewVectorBins(p, []float64{10, 16, 17, 18, 25}, 0)
			require.NoError(t, err)
			return b
		}, func(r *rand.Rand) ai.Value {
			x := make([]float64, 300)
			for i := range x {
				x[i] = r.NormFloat64()
			}
			return ai.Vector(x)
		}},
	}
}

func (s source) value(r *rand.Rand) ai.Value {
	switch r.IntN(20) {
	case 0:
		return ai.Value{}
	case 1:
		return []ai.Value{ai.Number(1), ai.String("x"), ai.Bool(true), ai.Vector([]float64{1, 2})}[r.IntN(4)]
	case 2:
		if s.kind == ai.KindNumber {
			return ai.Number(math.Inf(1))
		}
	}
	return s.next(r)
}

func (s source) counter(t testing.TB) *profile.Counter {
	t.Helper()
	return s.counters(t)()
}

// counters returns a function that makes counters of the same bins.
func (s source) counters(t testing.TB) func() *profile.Counter {
	t.Helper()
	var bins *ai.Bins
	if s.bins != nil {
		bins = s.bins(t)
	}
	return func() *profile.Counter { return profile.NewCounter(s.kind, bins) }
}

// TestMergeIsConcatenation checks that merging the profiles of parts gives the
// profile of the whole: counts, cells, extremes, the distinct estimate and top
// categories exactly, sums of floats to rounding.
func TestMergeIsConcatenation(t *testing.T) {
	for _, s := range sources() {
		t.Run(s.name, func(t *testing.T) {
			counter := s.counters(t)
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				whole, parts := counter(), []*profile.Counter{counter(), counter(), counter()}
				for range r.IntN(200) {
					v := s.value(r)
					whole.Update(v)
					parts[r.IntN(len(parts))].Update(v)
				}
				merged := counter().Profile()
				for _, p := range parts {
					before := p.Profile().Clone()
					require.NoError(t, merged.Merge(p.Profile()))
					require.Equal(t, before, p.Profile(), "merging changes what is merged in")
				}
				requireSame(t, whole.Profile(), merged)
				require.NoError(t, merged.Validate())
			}
		})
	}
}

// requireSame compares profiles exactly, but for rounding in sums.
func requireSame(t *testing.T, want, got *ai.Profile) {
	t.Helper()
	near := func(a, b, scale float64) {
		t.Helper()
		require.InDelta(t, a, b, 1e-9*(1+math.Abs(scale)))
	}
	near(want.Mean, got.Mean, want.Max-want.Min)
	near(want.M2, got.M2, want.M2)
	w, g := want.Clone(), got.Clone()
	if w.Vector != nil {
		for i := range w.Vector.Sum {
			near(w.Vector.Sum[i], g.Vector.Sum[i], 100)
		}
		for i := range w.Vector.Kernel {
			near(w.Vector.Kernel[i], g.Vector.Kernel[i], 100)
		}
		g.Vector.Sum, g.Vector.Kernel = w.Vector.Sum, w.Vector.Kernel
	}
	g.Mean, g.M2 = w.Mean, w.M2
	w.Top.Entries, g.Top.Entries = w.Top.Sorted(), g.Top.Sorted()
	require.Equal(t, w, g)
}

func TestMergeRefuses(t *testing.T) {
	a, b := sources()[0].counter(t).Profile(), sources()[1].counter(t).Profile()
	a.Count, b.Count = 3, 4
	before := a.Clone()
	require.ErrorIs(t, a.Merge(b), ai.ErrOtherBins)
	require.Equal(t, before, a)
	text := profile.NewCounter(ai.KindString, nil).Profile()
	require.ErrorContains(t, profile.NewCounter(ai.KindBool, nil).Profile().Merge(text), "kinds bool and string")
}

// TestModelMerge checks features that only one side has, and ones that changed
// their kind.
func TestModelMerge(t *testing.T) {
	one := func(records uint64, features map[string]ai.Value) *ai.ModelProfile {
		m := &ai.ModelProfile{Records: records, Inputs: records, Features: map[string]*ai.Profile{}}
		for name, v := range features {
			c := profile.NewCounter(v.Kind(), nil)
			for range records {
				c.Update(v)
			}
			m.Features[name] = c.Profile()
		}
		return m
	}
	a := one(3, map[string]ai.Value{"both": ai.Number(1), "first": ai.String("x"), "kind": ai.Number(1), "@prediction": ai.Bool(true)})
	b := one(4, map[string]ai.Value{"both": ai.Number(2), "second": ai.Bool(true), "kind": ai.String("1")})
	require.NoError(t, a.Merge(b))
	require.Equal(t, uint64(7), a.Records)
	for name, p := range a.Features {
		if name == ai.PredictionFeature {
			require.Equal(t, uint64(3), p.Rows(), "a record without an answer lacks no input")
			continue
		}
		require.Equal(t, uint64(7), p.Rows(), name)
	}
	require.Equal(t, uint64(4), a.Features["first"].Absent)
	require.Equal(t, uint64(3), a.Features["second"].Absent)
	require.Equal(t, ai.TypeErrors{String: 4}, a.Features["kind"].TypeErrors)
	a.Features["first"].Count = 99
	require.Equal(t, uint64(4), b.Features["second"].Count, "nothing is shared")

	b.BaselineID = "other"
	require.ErrorIs(t, a.Merge(b), ai.ErrOtherBins)
}

// TestQuantileBounds checks that the interval always holds the quantile, in bins
// made from the same distribution, after a shift, and before there is a baseline.
func TestQuantileBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 3))
	draw := map[string]func() float64{
		"normal":     rng.NormFloat64,
		"log-normal": func() float64 { return math.Exp(2 * rng.NormFloat64()) },
		"integers":   func() float64 { return float64(rng.IntN(40)) },
		"shifted":    func() float64 { return 100 + 30*rng.NormFloat64() },
		"two humps":  func() float64 { return 10*float64(rng.IntN(2)) + rng.NormFloat64()/10 },
	}
	for ref, drawRef := range draw {
		reference := make([]float64, 5000)
		for i := range reference {
			reference[i] = drawRef()
		}
		bins, err := profile.FreezeNumeric(reference)
		require.NoError(t, err)
		require.LessOrEqual(t, len(bins.Edges), ai.MaxEdges)
		for cur, drawCur := range draw {
			values := make([]float64, 3000)
			c := profile.NewCounter(ai.KindNumber, bins)
			for i := range values {
				values[i] = drawCur()
				c.UpdateNumber(values[i])
			}
			slices.Sort(values)
			p := c.Profile()
			for _, q := range []float64{0, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1} {
				want := values[max(int(math.Ceil(q*3000)), 1)-1]
				lo, hi := p.QuantileBounds(bins, q)
				require.True(t, lo <= want && want <= hi, "%s in bins of %s: %v-quantile %v is not in [%v, %v]", cur, ref, q, want, lo, hi)
				got := p.Quantile(bins, q)
				require.True(t, lo <= got && got <= hi, "%s in bins of %s: the estimate %v of quantile %v is not in [%v, %v]", cur, ref, got, q, lo, hi)
			}
			if cur == ref {
				// With no drift a cell has about a 128th of the values.
				for _, q := range []float64{0.1, 0.5, 0.9} {
					got := p.Quantile(bins, q)
					rank, _ := slices.BinarySearch(values, got)
					after, _ := slices.BinarySearch(values, math.Nextafter(got, math.Inf(1)))
					require.True(t, float64(rank)/3000 <= q+0.02 && float64(after)/3000 >= q-0.02,
						"%s: %v is at ranks %d to %d of 3000, want %v", cur, got, rank, after, q)
				}
			}
		}
	}
	empty := profile.NewCounter(ai.KindNumber, nil).Profile()
	require.True(t, math.IsNaN(empty.Quantile(ai.DefaultBins(), 0.5)))
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 100, 1000, 100_000} {
		var numbers, texts ai.Distinct
		for i := range 2 * n {
			numbers.AddNumber(float64(i % n))
			texts.AddString(fmt.Sprint("value-", i%n))
		}
		for name, d := range map[string]*ai.Distinct{"numbers": &numbers, "texts": &texts} {
			// Three standard errors; linear counting is better for small numbers.
			tolerance := 3 * 0.065 * float64(n)
			if n <= 10 {
				tolerance = 0.5
			}
			require.InDelta(t, n, d.Estimate(), tolerance, "%s: %d", name, n)
		}
	}
	var zeros ai.Distinct
	zeros.AddNumber(0)
	zeros.AddNumber(math.Copysign(0, -1))
	require.InDelta(t, 1, zeros.Estimate(), 0.01)
}

func TestTop(t *testing.T) {
	var top ai.Top
	for i := range 1000 {
		top.Add(fmt.Sprint("rare", i), 1)
		if i%4 == 0 {
			top.Add("often", 1)
		}
	}
	best := top.Sorted()[0]
	require.Equal(t, "often", best.Category)
	require.GreaterOrEqual(t, best.Count, uint64(250))
	require.LessOrEqual(t, best.Count-best.Over, uint64(250))
	require.Len(t, top.Entries, ai.MaxTop)

	long := make([]byte, 500)
	for i := range long {
		long[i] = "é"[i%2]
	}
	key := ai.CategoryKey(string(long))
	require.LessOrEqual(t, len(key), ai.MaxCategoryLength)
	require.Equal(t, key, ai.CategoryKey(string(long)))
	require.NotEqual(t, key, ai.CategoryKey(string(long)+"x"))
	top.Add(string(long), 5000)
	require.Equal(t, key, top.Sorted()[0].Category)
}

// TestSketchKeepsDistances checks what folding long vectors promises.
func TestSketchKeepsDistances(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 9))
	const dim, repeats = 1536, 200
	var sum, sq float64
	for seed := range uint64(repeats) {
		p, err := ai.NewProjection(dim, seed, 1)
		require.NoError(t, err)
		x, y := make([]float64, dim), make([]float64, dim)
		for i := range x {
			x[i], y[i] = rng.NormFloat64(), rng.NormFloat64()
		}
		sx, norm, ok := p.Sketch(make([]float64, ai.SketchDim), ai.Vector(x))
		require.True(t, ok)
		require.InEpsilon(t, math.Sqrt(squaredDistance(x, make([]float64, dim))), norm, 1e-12)
		sy, _, _ := p.Sketch(make([]float64, ai.SketchDim), ai.Vector(y))
		ratio := squaredDistance(sx, sy) / squaredDistance(x, y)
		sum += ratio
		sq += (ratio - 1) * (ratio - 1)
	}
	require.InDelta(t, 1, sum/repeats, 0.02, "without bias")
	require.InDelta(t, math.Sqrt(2.0/ai.SketchDim), math.Sqrt(sq/repeats), 0.02, "the standard error that is documented")
}

func TestBinsRefuse(t *testing.T) {
	for name, err := range map[string]error{
		"not above":     second(ai.NewNumericBins([]float64{1, 1}, 0)),
		"edges are fin": second(ai.NewNumericBins([]float64{math.Inf(1)}, 0)),
		"the limit is":  second(ai.NewNumericBins(make([]float64, ai.MaxEdges+1), 0)),
		"tail cells":    second(ai.NewNumericBins([]float64{1, 2}, 2)),
		"there twice":   second(ai.NewCategoryBins([]string{"a", "a"})),
		"limit is 200":  second(ai.NewCategoryBins(make([]string, 201))),
	} {
		require.ErrorContains(t, err, name)
	}
	_, err := ai.NewProjection(0, 1, 1)
	require.ErrorContains(t, err, "dimension 0")
	_, err = ai.NewProjection(3, 1, math.NaN())
	require.ErrorContains(t, err, "bandwidth NaN")
}

func second[T any](_ T, err error) error { return err }

// TestBinsIndex checks the search against a plain one.
func TestBinsIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for n := range ai.MaxEdges + 1 {
		edges := make([]float64, n)
		for i := range edges {
			edges[i] = math.Round(1000*rng.NormFloat64()) / 100
		}
		slices.Sort(edges)
		edges = slices.Compact(edges)
		b, err := ai.NewNumericBins(edges, 0)
		require.NoError(t, err)
		probe := append([]float64{0, math.Copysign(0, -1), -1e300, 1e300, math.Inf(1), math.Inf(-1), 5e-324}, edges...)
		for range 50 {
			probe = append(probe, 10*rng.NormFloat64())
		}
		for _, x := range probe {
			want, _ := slices.BinarySearch(edges, x)
			require.Equal(t, want, b.Index(x), "%v in %v", x, edges)
			lo, hi := b.Bounds(want)
			require.True(t, lo < x && x <= hi || math.IsInf(x, -1))
		}
	}
	require.Len(t, ai.DefaultBins().Edges, 208)
	require.True(t, slices.IsSorted(ai.DefaultBins().Edges))
	require.Equal(t, uint64(0x139dde7f3046758), ai.DefaultBins().ID(), "stored profiles refer to it")
}

func exampleModel(t testing.TB) *ai.ModelProfile {
	t.Helper()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := &ai.ModelProfile{
		Key: ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, Window: ai.WindowAt(start, time.Minute), BaselineID: "b1",
		Records: 300, Inputs: 299, Duplicates: 2, Dropped: ai.Dropped{Late: 3, Features: 1},
		First: start.Add(time.Second), Last: start.Add(time.Minute - 1), Features: map[string]*ai.Profile{},
	}
	rng := rand.New(rand.NewPCG(8, 8))
	for _, s := range sources() {
		c := s.counter(t)
		for range 300 {
			c.Update(s.value(rng))
		}
		m.Features[s.name] = c.Profile()
	}
	m.Features["empty"] = profile.NewCounter(ai.KindNumber, nil).Profile()
	return m
}

func TestModelProfileRoundTrip(t *testing.T) {
	want := exampleModel(t)
	data, err := want.MarshalBinary()
	require.NoError(t, err)
	var got ai.ModelProfile
	require.NoError(t, got.UnmarshalBinary(data))
	require.Equal(t, want, &got)
	again, err := got.MarshalBinary()
	require.NoError(t, err)
	require.Equal(t, data, again, "equal profiles have equal bytes")

	text, err := json.Marshal(want)
	require.NoError(t, err)
	var fromText ai.ModelProfile
	require.NoError(t, json.Unmarshal(text, &fromText))
	for name, p := range fromText.Features {
		require.NoError(t, p.Validate(), name)
	}
	require.Equal(t, want, &fromText)

	for n := 0; n < len(data); n += 1 + n/100 {
		require.Error(t, new(ai.ModelProfile).UnmarshalBinary(data[:n]), "cut off at %d of %d", n, len(data))
	}
	require.ErrorContains(t, new(ai.ModelProfile).UnmarshalBinary(append(data, 0)), "left over")
	require.ErrorContains(t, new(ai.ModelProfile).UnmarshalBinary([]byte{9}), "version 9 is not known")
	_, err = (&ai.ModelProfile{}).MarshalBinary()
	require.ErrorContains(t, err, "no window")
}

func FuzzModelProfile(f *testing.F) {
	data, err := exampleModel(f).MarshalBinary()
	require.NoError(f, err)
	f.Add(data)
	small := exampleModel(f)
	for name := range small.Features {
		if name != "integer" && name != "string" {
			delete(small.Features, name)
		}
	}
	data, err = small.MarshalBinary()
	require.NoError(f, err)
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m ai.ModelProfile
		if m.UnmarshalBinary(data) != nil {
			return
		}
		// Whatever is accepted can be used: written, read, merged.
		again, err := m.MarshalBinary()
		if err != nil {
			return // A start before 1678 does not come back.
		}
		var back ai.ModelProfile
		require.NoError(t, back.UnmarshalBinary(again))
		require.NoError(t, m.Merge(&back))
		for _, p := range m.Features {
			p.Quantile(ai.DefaultBins(), 0.5)
			p.DistinctEstimate()
		}
	})
}
