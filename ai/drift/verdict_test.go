package drift_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// Scripts in testdata say what is put in and what is judged:
//
//	baseline feature=NAME rows=N seed=N DISTRIBUTION [missing=SHARE]
//	window   the same
//	judge [method=ID] [alpha=P] [min-rows=N] [full]
//
// A distribution is normal=(mean,sd), lognormal=(mean,sd), poisson=mean,
// mixture=(share,shift), constant=x, categories=(w₀,w₁,…) with those weights, or
// vector=(dimensions,shift). "judge" ends the window; the baseline stays.
func TestVerdicts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		baseline := &ai.Baseline{Features: make(map[string]*ai.FeatureBaseline)}
		profiles := make(map[string]*ai.Profile)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "baseline":
				name, rows := script(t, d)
				baseline.Features[name] = freeze(t, rows)
				return ""
			case "window":
				name, rows := script(t, d)
				f := baseline.Features[name]
				if f == nil {
					f = freeze(t, rows)
				}
				profiles[name] = count(f, rows)
				return ""
			case "judge":
				var opt drift.Options
				for _, a := range d.CmdArgs {
					switch a.Key {
					case "method":
						opt.Method = a.Vals[0]
					case "alpha":
						opt.Alpha = float(t, a.Vals[0])
					case "min-rows":
						opt.MinRows = int(float(t, a.Vals[0]))
					}
				}
				b := baseline
				if d.HasArg("no-baseline") {
					b = nil
				}
				results, err := drift.Evaluate(b, profiles, opt)
				if err != nil {
					return "error: " + err.Error()
				}
				clear(profiles)
				var out strings.Builder
				for _, r := range results {
					fmt.Fprintf(&out, "%-8s %s\n", r.Verdict, r.Finding(ai.Key{Model: "m"}).Message)
					if d.HasArg("full") {
						for _, x := range r.Tests {
							fmt.Fprintf(&out, "         %s: statistic %.4g, score %.3f of %.3g, p-value %.3g, weight %.3g, %d rows against %d\n",
								x.Method, x.Statistic, x.Score, x.Threshold, x.PValue, x.Weight, x.WindowRows, x.BaselineRows)
						}
					}
				}
				return out.String()
			default:
				t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
				return ""
			}
		})
	})
}

func float(t *testing.T, s string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// script draws the rows that a command asks for.
func script(t *testing.T, d *datadriven.TestData) (name string, rows []ai.Value) {
	t.Helper()
	var n int
	var seed uint64
	var missing float64
	var draw func(rng *rand.Rand) ai.Value
	for _, a := range d.CmdArgs {
		x := make([]float64, len(a.Vals))
		if a.Key != "feature" {
			for i, v := range a.Vals {
				x[i] = float(t, v)
			}
		}
		switch a.Key {
		case "feature":
			name = a.Vals[0]
		case "rows":
			n = int(x[0])
		case "seed":
			seed = uint64(x[0])
		case "missing":
			missing = x[0]
		case "normal":
			draw = func(rng *rand.Rand) ai.Value { return ai.Number(x[0] + x[1]*rng.NormFloat64()) }
		case "lognormal":
			draw = func(rng *rand.Rand) ai.Value { return ai.Number(math.Exp(x[0] + x[1]*rng.NormFloat64())) }
		case "poisson":
			draw = func(rng *rand.Rand) ai.Value {
				k, p := 0, rng.Float64()
				for ; p > math.Exp(-x[0]); k++ {
					p *= rng.Float64()
				}
				return ai.Number(float64(k))
			}
		case "mixture":
			draw = func(rng *rand.Rand) ai.Value {
				z := rng.NormFloat64()
				if rng.Float64() < x[0] {
					z += x[1]
				}
				return ai.Number(z)
			}
		case "constant":
			draw = func(*rand.Rand) ai.Value { return ai.Number(x[0]) }
		case "categories":
			var total float64
			for _, w := range x {
				total += w
			}
			draw = func(rng *rand.Rand) ai.Value {
				u := rng.Float64() * total
				for i, w := range x {
					if u -= w; u < 0 {
						return ai.String(string(rune('a' + i)))
					}
				}
				return ai.String("z")
			}
		case "vector":
			draw = func(rng *rand.Rand) ai.Value {
				v := make([]float64, int(x[0]))
				for i := range v {
					v[i] = rng.NormFloat64() + x[1]
				}
				return ai.Vector(v)
			}
		default:
			t.Fatalf("%s: unknown argument %q", d.Pos, a.Key)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 42))
	return name, values(n, func() ai.Value {
		v := draw(rng)
		if rng.Float64() < missing {
			return ai.Value{}
		}
		return v
	})
}
