package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/internal/script"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// limit is how much one feature may take in one window, in bytes.
const limit = 4096

// TestMemory measures what a feature takes in a window, with every cell, top
// category and sum in use.
func TestMemory(t *testing.T) {
	numeric, err := profile.FreezeNumeric(normals(100_000, 1))
	require.NoError(t, err)
	counts := make(map[string]uint64)
	for i := range 200 {
		counts[fmt.Sprint("category-", i)] = 100
	}
	categories, _, err := profile.FreezeCategories(counts)
	require.NoError(t, err)
	b := profile.NewBuilder(profile.BuilderOptions{})
	long := make([]float64, 1536)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		for i := range long {
			long[i] = rng.NormFloat64()
		}
		require.NoError(t, b.Add(&ai.Inference{Features: []ai.Feature{{Name: "v", Value: ai.Vector(slices.Clone(long))}}}))
	}
	base, err := b.Build(profile.Meta{Key: ai.Key{Model: "m"}})
	require.NoError(t, err)

	values := normals(500, 2)
	for name, fill := range map[string]func() *profile.Counter{
		"number": func() *profile.Counter {
			c := profile.NewCounter(ai.KindNumber, numeric)
			for _, x := range values {
				c.Update(ai.Number(x))
			}
			return c
		},
		"number without baseline": func() *profile.Counter {
			c := profile.NewCounter(ai.KindNumber, nil)
			c.Update(ai.Number(1))
			return c
		},
		"string": func() *profile.Counter {
			c := profile.NewCounter(ai.KindString, categories)
			for i := range 20 {
				c.Update(ai.String(strings.Repeat("x", 60) + fmt.Sprint(i)))
			}
			return c
		},
		"vector": func() *profile.Counter {
			c := profile.NewCounter(ai.KindVector, base.Features["v"].Bins)
			c.Update(ai.Vector(long))
			return c
		},
	} {
		const n = 1000
		keep := make([]*profile.Counter, n)
		before := heap()
		for i := range keep {
			keep[i] = fill()
		}
		each := (heap() - before) / n
		runtime.KeepAlive(keep)
		t.Logf("%s: %d bytes", name, each)
		require.LessOrEqual(t, each, uint64(limit), name)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestUpdateDoesNotAllocate checks it for everything that a steady stream sends.
func TestUpdateDoesNotAllocate(t *testing.T) {
	records, base := demo(t, 500)
	a := profile.NewAccumulator(base.Key, base, profile.Options{})
	i := 0
	add := func() {
		a.Add(&records[i%len(records)], records[0].Timestamp.Add(time.Minute))
		i++
	}
	add()
	require.Zero(t, testing.AllocsPerRun(400, add))
}

// TestRollupIsOneLongWindow checks that ten windows add up to what one window of
// ten minutes would have counted, features that come and go among them.
func TestRollupIsOneLongWindow(t *testing.T) {
	records, base := demo(t, 600)
	rng := rand.New(rand.NewPCG(3, 3))
	for _, baseline := range []*ai.Baseline{nil, base} {
		short := profile.NewAccumulator(base.Key, baseline, profile.Options{})
		long := profile.NewAccumulator(base.Key, baseline, profile.Options{Window: 10 * time.Minute})
		roll := profile.NewRollup(10 * time.Minute)
		start := ai.WindowAt(records[0].Timestamp, 10*time.Minute).Start
		for i, r := range records {
			r.Timestamp = start.Add(time.Duration(i) * time.Second)
			r.Features = slices.Clone(r.Features)
			for range rng.IntN(3) {
				r.Features = slices.Delete(r.Features, 0, 1)
			}
			if i > 300 {
				r.Features = append(r.Features, ai.Feature{Name: "new", Value: ai.Number(float64(i % 3))})
			}
			require.True(t, short.Add(&r, r.Timestamp))
			require.True(t, long.Add(&r, r.Timestamp))
			for _, m := range short.Close(r.Timestamp) {
				require.NoError(t, roll.Add(m))
			}
		}
		for _, m := range short.Flush() {
			require.NoError(t, roll.Add(m))
		}
		require.Len(t, roll.Open(), 1)
		got := roll.Close(start.Add(10 * time.Minute))
		want := long.Flush()
		require.Len(t, got, 1)
		require.Len(t, want, 1)
		for name, p := range want[0].Features {
			g := got[0].Features[name]
			require.NotNil(t, g, name)
			if !ai.Derived(name) {
				require.Equal(t, want[0].Inputs, p.Rows(), "every record is accounted for: %s", name)
			}
			require.InDelta(t, p.Mean, g.Mean, 1e-9)
			require.InDelta(t, p.M2, g.M2, 1e-6)
			g.Mean, g.M2 = p.Mean, p.M2
			g.Top.Entries, p.Top.Entries = g.Top.Sorted(), p.Top.Sorted()
		}
		require.Equal(t, want, got)
	}
}

// TestRestore checks that windows handed out before a restart are not handed out
// again when their records are read once more.
func TestRestore(t *testing.T) {
	records, base := demo(t, 10)
	first := profile.NewAccumulator(base.Key, base, profile.Options{})
	for i := range records {
		first.Add(&records[i], records[i].Timestamp)
	}
	done := first.Flush()
	require.Len(t, done, 1)

	second := profile.NewAccumulator(base.Key, base, profile.Options{})
	second.Restore([]ai.Window{done[0].Window})
	require.False(t, second.Add(&records[0], records[0].Timestamp))
}

// TestBuilderRefuses names what is wrong.
func TestBuilderRefuses(t *testing.T) {
	b := profile.NewBuilder(profile.BuilderOptions{})
	_, err := b.Build(profile.Meta{Key: ai.Key{Model: "m"}})
	require.ErrorIs(t, err, profile.ErrNoRecords)
	require.NoError(t, b.Add(&ai.Inference{Model: "m"}))
	require.ErrorContains(t, b.Learn(&ai.Inference{Model: "m"}), "the first pass comes before")
	require.ErrorContains(t, profile.Options{Window: 7 * time.Second}.Validate(), "does not divide an hour")
}

// TestFreezeNumeric checks bins of shapes that are easy to get wrong.
func TestFreezeNumeric(t *testing.T) {
	zeros := normals(2000, 4)
	for i := range zeros {
		if i%2 == 0 {
			zeros[i] = 0
		}
	}
	gap := normals(2000, 5)
	for i := range gap {
		gap[i] = gap[i]/100 + 100*float64(i%2)
	}
	many := make([]float64, 3000)
	for i := range many {
		many[i] = float64(i % 100)
	}
	for name, values := range map[string][]float64{
		"one value": {3}, "two values": {1, 2}, "huge": {1e139, -1e139, 5}, "tiny": {5e-324, 0}, "close": {1, math.Nextafter(1, 2)},
		"constant far away": {1e15, 1e15, 1e15}, "zeros": zeros, "gap": gap, "many integers": many, "flags": {0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bins, err := profile.FreezeNumeric(slices.Clone(values))
			require.NoError(t, err)
			require.LessOrEqual(t, len(bins.Edges), ai.MaxEdges)
			lo, hi := slices.Min(values), slices.Max(values)
			// Tail cells are empty, and exactly those outside the range.
			c := profile.NewCounter(ai.KindNumber, bins)
			for _, x := range values {
				c.UpdateNumber(x)
			}
			counts := c.Profile().Counts
			for i := range bins.Tail {
				require.Zero(t, counts[i])
				require.Zero(t, counts[len(counts)-1-i])
			}
			require.Equal(t, bins.Tail, bins.Index(lo), "the first cell after the tail has the minimum")
			require.Equal(t, bins.Len()-bins.Tail-1, bins.Index(hi))
			require.Less(t, bins.Index(math.Nextafter(lo, math.Inf(-1))), bins.Tail)
			require.GreaterOrEqual(t, bins.Index(math.Nextafter(hi, math.Inf(1))), bins.Len()-bins.Tail)
		})
	}
	// A value with much weight is alone in its cell, unless all are integers.
	bins, err := profile.FreezeNumeric(zeros)
	require.NoError(t, err)
	require.NotEqual(t, bins.Index(0), bins.Index(-1e-9))
	require.NotEqual(t, bins.Index(0), bins.Index(1e-9))
	// Few values that repeat have cells of their own, and so have the gaps.
	bins, err = profile.FreezeNumeric([]float64{0, 1, 0, 1, 1, 0, 0, 1, 1, 1})
	require.NoError(t, err)
	require.NotEqual(t, bins.Index(0.5), bins.Index(1))
	require.NotEqual(t, bins.Index(0.5), bins.Index(0))
	// A gap is cut although nothing is in it.
	bins, err = profile.FreezeNumeric(gap)
	require.NoError(t, err)
	require.NotEqual(t, bins.Index(30), bins.Index(60))
	// Values that are all different are no flags, however few they are.
	bins, err = profile.FreezeNumeric(normals(30, 6))
	require.NoError(t, err)
	require.Less(t, bins.Len()-2*bins.Tail, 45)
}

// TestCellsHoldTheirShare checks that no cell has much more than its part of the
// reference, which is what near-exact comparisons of distributions rest on.
func TestCellsHoldTheirShare(t *testing.T) {
	values := normals(100_000, 9)
	bins, err := profile.FreezeNumeric(slices.Clone(values))
	require.NoError(t, err)
	c := profile.NewCounter(ai.KindNumber, bins)
	for _, x := range values {
		c.UpdateNumber(x)
	}
	largest := float64(slices.Max(c.Profile().Counts)) / 100_000
	require.InDelta(t, 1.0/128, largest, 0.0001)
}

// TestKernelReference checks the eigenvalues: their sum is the trace of the
// covariance, which is 1 − ‖mean‖² because every kernel feature vector has norm 1.
func TestKernelReference(t *testing.T) {
	records, err := script.Generate("v: vector 16 0 1", 1500, 3, script.Day)
	require.NoError(t, err)
	b := profile.NewBuilder(profile.BuilderOptions{})
	for i := range records {
		require.NoError(t, b.Add(&records[i]))
	}
	base, err := b.Build(profile.Meta{Key: ai.Key{Model: "m"}})
	require.NoError(t, err)
	f := base.Features["v"]
	require.InDelta(t, math.Sqrt(2*16), f.Bins.Projection.Bandwidth, 0.3, "the median distance of normal vectors")
	var sum, mean float64
	for _, e := range f.Kernel.Eigenvalues {
		sum += e
	}
	for _, x := range f.Profile.Vector.Kernel {
		mean += x * x / (1500 * 1500)
	}
	require.InDelta(t, (1-mean)*1500/1499, sum, 1e-9)
	require.True(t, slices.IsSortedFunc(f.Kernel.Eigenvalues, func(a, b float64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	}))
}
