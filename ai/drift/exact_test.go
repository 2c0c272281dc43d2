package drift

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The first three moments of the chi-square statistic given the margins are
// those of all tables with these margins.
func TestChiSquareMomentsAreExact(t *testing.T) {
	for _, c := range []struct {
		margins []int // Of the cells.
		m       int
	}{
		{[]int{3, 4, 5}, 4}, {[]int{1, 1, 10}, 6}, {[]int{2, 9, 3, 1}, 9}, {[]int{1, 1, 1, 1, 1, 1}, 2}, {[]int{8, 2, 5}, 12},
	} {
		total := 0
		for _, x := range c.margins {
			total += x
		}
		n, m := float64(total-c.m), float64(c.m)
		var mass, e1, e2, e3 float64
		cur := make([]float64, len(c.margins))
		ref := make([]float64, len(c.margins))
		var all func(i, left int, logp float64)
		all = func(i, left int, logp float64) {
			if i == len(c.margins) {
				if left > 0 {
					return
				}
				x, _ := ChiSquare(ref, cur)
				p := math.Exp(logp)
				mass += p
				e1 += p * x
				e2 += p * x * x
				e3 += p * x * x * x
				return
			}
			for k := 0; k <= min(left, c.margins[i]); k++ {
				cur[i], ref[i] = float64(k), float64(c.margins[i]-k)
				all(i+1, left-k, logp+lchoose(float64(c.margins[i]), float64(k)))
			}
		}
		all(0, c.m, -lchoose(float64(total), m))
		near(t, "total probability", mass, 1, 1e-9)

		var cells []float64
		for _, x := range c.margins {
			cells = append(cells, float64(x), 0)
		}
		mean, variance, third := chiSquareMoments(cells, n, m)
		near(t, "mean", mean, e1, 1e-9)
		near(t, "variance", variance, e2-e1*e1, 1e-9)
		near(t, "third moment", third, e3-3*e1*e2+2*e1*e1*e1, 1e-8)
	}
}

// Where rounding would eat the exact moments, the approximation takes over
// without a jump.
func TestChiSquareMomentsMeet(t *testing.T) {
	cells := make([]float64, 0, 40)
	for i := range 20 {
		x := 30 + 120*float64(i)
		cells = append(cells, x, x)
	}
	n := sum(cells) - 4000
	_, v1, t1 := chiSquareMoments(cells, n, 4000)
	scaled := make([]float64, len(cells))
	for i, x := range cells {
		scaled[i] = x * (exactMoments + 1) / sum(cells)
	}
	_, v2, t2 := chiSquareMoments(scaled, n*(exactMoments+1)/sum(cells), 4000*(exactMoments+1)/sum(cells))
	if math.Abs(v1/v2-1) > 0.02 || math.Abs(t1/t2-1) > 0.1 {
		t.Errorf("moments jump from %v, %v to %v, %v", v1, t1, v2, t2)
	}
}

// Without drift the corrected Hellinger distance is about 0 on average: the
// correction takes away nearly all of what sampling makes of it, in sparse
// tables too.
func TestCorrectedHellingerHasNoBias(t *testing.T) {
	roots := newRootTable()
	s := sampler{rng: rand.New(rand.NewPCG(3, 4))}
	for _, c := range []struct{ cells, n, m int }{{10, 1000, 30}, {10, 1000, 3000}, {200, 2000, 100}, {200, 50000, 30}, {2, 500, 50}} {
		prob := make([]float64, c.cells)
		for i := range prob {
			prob[i] = 1 / float64(c.cells)
		}
		ref, cur := make([]float64, c.cells), make([]float64, c.cells)
		var plain, corrected float64
		const repeats = 2000
		for range repeats {
			s.multinomial(ref, c.n, prob)
			s.multinomial(cur, c.m, prob)
			h := Hellinger(ref, cur)
			plain += h * h / repeats
			// Without the cut at 0, which would hide a bias.
			var both, affinity float64
			for i := range ref {
				p := (ref[i] + cur[i]) / float64(c.n+c.m)
				both += roots.mean(float64(c.n)*p) * roots.mean(float64(c.m)*p)
				affinity += math.Sqrt(ref[i] * cur[i])
			}
			norm := 1 / math.Sqrt(float64(c.n)*float64(c.m))
			expected := min(1, both*norm+(1/float64(c.n)+1/float64(c.m))/8)
			corrected += (1 - affinity*norm/expected) / repeats
		}
		if math.Abs(corrected) > 0.07*plain+1e-5 {
			t.Errorf("%d cells, %d and %d rows: mean of h² is %v, after correction %v", c.cells, c.n, c.m, plain, corrected)
		}
	}
}

func TestRootTable(t *testing.T) {
	roots := newRootTable()
	for _, mean := range []float64{0, 0.01, 0.3, 1, 2.5, 7, 11.99, 12.01, 30, 100} {
		p, want := math.Exp(-mean), 0.0
		for k := 1; k < 400; k++ {
			p *= mean / float64(k)
			want += p * math.Sqrt(float64(k))
		}
		near(t, "E√X", roots.mean(mean), want, 2e-4)
	}
}

// The draws have the moments that they should have.
func TestSampler(t *testing.T) {
	s := sampler{rng: rand.New(rand.NewPCG(5, 6))}
	const repeats = 20000
	check := func(what string, draw func() float64, mean, variance float64) {
		t.Helper()
		var m, v float64
		for range repeats {
			x := draw()
			m += x / repeats
			v += x * x / repeats
		}
		v -= m * m
		if math.Abs(m-mean) > 5*math.Sqrt(variance/repeats)+1e-12 || math.Abs(v/variance-1) > 0.08 {
			t.Errorf("%s has mean %v and variance %v, want %v and %v", what, m, v, mean, variance)
		}
	}
	for _, c := range []struct {
		n int
		p float64
	}{{5, 0.3}, {30, 0.02}, {1000, 0.004}, {1000, 0.3}, {1000, 0.97}, {100000, 0.5}} {
		n := float64(c.n)
		check("binomial", func() float64 { return float64(s.binomial(c.n, c.p)) }, n*c.p, n*c.p*(1-c.p))
	}
	for _, a := range []float64{0.3, 1, 5, 300} {
		check("gamma", func() float64 { return s.gamma(a) }, a, a)
	}
	p := []float64{0.5, 0, 0.25, 0.25}
	counts := make([]float64, 4)
	check("multinomial", func() float64 {
		s.multinomial(counts, 40, p)
		if counts[1] != 0 || sum(counts) != 40 {
			t.Fatalf("counts %v", counts)
		}
		return counts[2]
	}, 10, 7.5)
}

func TestMergeCells(t *testing.T) {
	for _, c := range []struct {
		counts []float64
		k      int
		want   []float64
	}{
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1}, 4, []float64{2, 2, 2, 2}},
		{[]float64{0, 0, 5, 0, 5, 0}, 10, []float64{5, 5}},
		{[]float64{0, 95, 1, 1, 1, 1, 1, 0}, 10, []float64{95, 5}},
		{[]float64{0, 1, 999, 0}, 10, []float64{1, 999}}, // One cell would hide the two values.
		{[]float64{0, 7, 0}, 10, []float64{7}},
		{[]float64{0, 0}, 10, nil},
		{[]float64{3, 30, 3, 30, 3, 30, 1}, 3, []float64{36, 33, 31}},
	} {
		of, merged := mergeCells(c.counts, c.k)
		if len(merged) != len(c.want) {
			t.Errorf("%v in %d: %v, want %v", c.counts, c.k, merged, c.want)
			continue
		}
		back := make([]float64, len(merged))
		for i, x := range c.counts {
			if len(back) > 0 {
				back[of[i]] += x
			}
			if i > 0 && of[i] < of[i-1] {
				t.Errorf("%v in %d: cells %v are not in order", c.counts, c.k, of)
			}
		}
		for i := range merged {
			if merged[i] != c.want[i] || back[i] != merged[i] {
				t.Errorf("%v in %d: %v by %v, want %v", c.counts, c.k, merged, of, c.want)
			}
		}
	}
}

func TestSampledNull(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	values := make([]float64, 20000)
	for i := range values {
		values[i] = rng.ExpFloat64()
	}
	d := newSampledNull(values)
	near(t, "mean", d.mean, 1, 0.03)
	last := 2.0
	for x := -1.0; x < 60; x += 0.05 {
		p := d.p(x)
		if p > last || p < 1e-300 || p > 1 {
			t.Fatalf("p(%v) = %v after %v", x, p, last)
		}
		last = p
		if x > 0 && x < 10 {
			if r := math.Log(p) / -x; math.Abs(r-1) > 0.15 && x > 0.5 {
				t.Errorf("p(%v) = %v, want %v", x, p, math.Exp(-x))
			}
		}
	}
	// One value only, and none.
	if p := newSampledNull([]float64{2, 2, 2, 2}).p(2); p != 1 {
		t.Errorf("p of the only value = %v, want 1", p)
	}
	if p := newSampledNull(make([]float64, 100)).p(3); !(p < 1e-6) {
		t.Errorf("p of what never happened = %v", p)
	}
	if p := (&null{}).p(1); p != 1 {
		t.Errorf("p without a distribution = %v, want 1", p)
	}
}

func TestQuantise(t *testing.T) {
	seen := make(map[int]bool)
	for m := 1; m < 200_000; m++ {
		q := quantise(float64(m))
		if q > m || float64(q) < float64(m)/1.25 {
			t.Fatalf("quantise(%d) = %d", m, q)
		}
		seen[q] = true
	}
	if len(seen) > 80 {
		t.Errorf("%d sizes", len(seen))
	}
}

func TestGenerationsForget(t *testing.T) {
	g := newGenerations[int, int](10)
	for i := range 1000 {
		g.put(i, i)
		if v, ok := g.get(3); i >= 3 && (!ok || v != 3) {
			t.Fatalf("entry in use is gone after %d", i)
		}
		if len(g.now)+len(g.old) > 20 {
			t.Fatalf("%d entries are kept", len(g.now)+len(g.old))
		}
	}
	if _, ok := g.get(100); ok {
		t.Error("entry that nobody used is still there")
	}
}
