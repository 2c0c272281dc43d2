// Package script turns the lines of test scripts into inferences. It is for the
// tests of ai/profile and ai/quality, and nothing else uses it.
package script

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Day is the day that times in scripts are on.
var Day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// Time reads a time of Day, "12:00:05", or of another day, "-1d 12:00:05".
func Time(s string) (time.Time, error) {
	day := Day
	if before, rest, ok := strings.Cut(s, "d "); ok {
		n, err := strconv.Atoi(before)
		if err != nil {
			return time.Time{}, fmt.Errorf("read time %q: %w", s, err)
		}
		day, s = Day.AddDate(0, 0, n), rest
	}
	t, err := time.Parse("15:04:05", s)
	if err != nil {
		return time.Time{}, fmt.Errorf("read time %q: %w", s, err)
	}
	return day.Add(t.Sub(t.Truncate(24 * time.Hour))), nil
}

type record struct {
	At            string              `json:"at"`
	Features      map[string]ai.Value `json:"features"`
	Prediction    ai.Value            `json:"prediction"`
	Probabilities map[string]float64  `json:"probabilities"`
	Status        int                 `json:"status"`
}

// Record reads one inference of the model shop/ranker@v1 from a line of JSON.
// "inf" and "-inf" as feature values are the infinities.
func Record(line string) (ai.Inference, error) {
	var r record
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return ai.Inference{}, fmt.Errorf("read record %s: %w", line, err)
	}
	inf := ai.Inference{Service: "shop", Model: "ranker", ModelVersion: "v1", Prediction: r.Prediction, StatusCode: r.Status}
	if r.At != "" {
		at, err := Time(r.At)
		if err != nil {
			return ai.Inference{}, err
		}
		inf.Timestamp = at
	}
	for _, name := range slices.Sorted(maps.Keys(r.Features)) {
		v := r.Features[name]
		switch s, _ := v.Str(); s {
		case "inf":
			v = ai.Number(math.Inf(1))
		case "-inf":
			v = ai.Number(math.Inf(-1))
		}
		inf.Features = append(inf.Features, ai.Feature{Name: name, Value: v})
	}
	for _, class := range slices.Sorted(maps.Keys(r.Probabilities)) {
		inf.Probabilities = append(inf.Probabilities, ai.ClassProbability{Class: class, P: r.Probabilities[class]})
	}
	return inf, nil
}

// Generate makes n inferences of the model shop/ranker@v1, spread over the
// minute from start, from one line a feature:
//
//	age: normal 40 10          mean and standard deviation
//	bill: lognormal 3 1        of the logarithm
//	rooms: integers 1 5        from 1 to 5
//	city: choice oslo 0.9 bergen 0.1
//	member: bool 0.3           probability of true
//	text: vector 8 0 1         dimension, mean and standard deviation
//	sensor: const 5            a number, or "a text"
//	id: serial                 u0, u1, ...
//
// A line may go on with "missing 0.1" (null), "absent 0.1" (not sent) and
// "instead 0.1 VALUE" (VALUE, as JSON, in that share of records). Names may be
// f1..f20 for twenty features.
func Generate(spec string, n int, seed uint64, start time.Time) ([]ai.Inference, error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	out := make([]ai.Inference, n)
	for i := range out {
		out[i] = ai.Inference{
			Service: "shop", Model: "ranker", ModelVersion: "v1",
			Timestamp: start.Add(time.Duration(i) * time.Minute / time.Duration(n)),
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(spec), "\n") {
		names, rest, ok := strings.Cut(line, ": ")
		if !ok {
			return nil, fmt.Errorf("read feature %q: want name: kind and numbers", line)
		}
		for _, name := range expand(names) {
			f, err := parse(strings.Fields(rest))
			if err != nil {
				return nil, fmt.Errorf("read feature %q: %w", line, err)
			}
			for i := range out {
				v, sent := f(rng, i)
				switch {
				case name == ai.PredictionFeature:
					out[i].Prediction = v
				case sent:
					out[i].Features = append(out[i].Features, ai.Feature{Name: name, Value: v})
				}
			}
		}
	}
	return out, nil
}

// expand returns f1, f2, ..., f20 for f1..f20.
func expand(names string) []string {
	first, last, ok := strings.Cut(names, "..")
	if !ok {
		return []string{names}
	}
	prefix := strings.TrimRight(first, "0123456789")
	from, _ := strconv.Atoi(first[len(prefix):])
	to, _ := strconv.Atoi(last[len(prefix):])
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, prefix+strconv.Itoa(i))
	}
	return out
}

// feature returns the value of record i, and whether it is sent.
type feature func(rng *rand.Rand, i int) (v ai.Value, sent bool)

func parse(words []string) (feature, error) {
	var f feature
	kind, words := words[0], words[1:]
	var args []float64
	for len(words) > 0 {
		x, err := strconv.ParseFloat(words[0], 64)
		if err != nil {
			break
		}
		args, words = append(args, x), words[1:]
	}
	arg := func(i int) float64 {
		if i < len(args) {
			return args[i]
		}
		return 0
	}
	always := func(value func(*rand.Rand) ai.Value) feature {
		return func(rng *rand.Rand, _ int) (ai.Value, bool) { return value(rng), true }
	}
	switch kind {
	case "normal":
		f = always(func(r *rand.Rand) ai.Value { return ai.Number(arg(0) + arg(1)*r.NormFloat64()) })
	case "lognormal":
		f = always(func(r *rand.Rand) ai.Value { return ai.Number(math.Exp(arg(0) + arg(1)*r.NormFloat64())) })
	case "integers":
		f = always(func(r *rand.Rand) ai.Value { return ai.Number(arg(0) + float64(r.IntN(int(arg(1)-arg(0))+1))) })
	case "bool":
		f = always(func(r *rand.Rand) ai.Value { return ai.Bool(r.Float64() < arg(0)) })
	case "vector":
		f = always(func(r *rand.Rand) ai.Value {
			v := make([]float64, int(arg(0)))
			for i := range v {
				v[i] = arg(1) + arg(2)*r.NormFloat64()
			}
			return ai.Vector(v)
		})
	case "serial":
		f = func(_ *rand.Rand, i int) (ai.Value, bool) { return ai.String("u" + strconv.Itoa(i)), true }
	case "const":
		v := ai.Number(arg(0))
		if len(args) == 0 {
			if err := json.Unmarshal([]byte(words[0]), &v); err != nil {
				return nil, err
			}
			words = words[1:]
		}
		f = always(func(*rand.Rand) ai.Value { return v })
	case "choice":
		f, words = choice(words)
	default:
		return nil, fmt.Errorf("kind %q is not known", kind)
	}
	return modify(f, words)
}

// choice reads names with their probabilities.
func choice(words []string) (feature, []string) {
	var names []string
	var cumulative []float64
	total := 0.0
	for len(words) >= 2 && words[0] != "missing" && words[0] != "absent" && words[0] != "instead" {
		p, _ := strconv.ParseFloat(words[1], 64)
		total += p
		names, cumulative, words = append(names, words[0]), append(cumulative, total), words[2:]
	}
	return func(r *rand.Rand, _ int) (ai.Value, bool) {
		i, _ := slices.BinarySearch(cumulative, total*r.Float64())
		return ai.String(names[min(i, len(names)-1)]), true
	}, words
}

// modify reads what a line goes on with.
func modify(f feature, words []string) (feature, error) {
	for len(words) >= 2 {
		what, inner := words[0], f
		p, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return nil, fmt.Errorf("share %q: %w", words[1], err)
		}
		words = words[2:]
		var other ai.Value
		sent := true
		switch what {
		case "missing":
		case "absent":
			sent = false
		case "instead":
			if err := json.Unmarshal([]byte(words[0]), &other); err != nil {
				return nil, fmt.Errorf("value %q: %w", words[0], err)
			}
			words = words[1:]
		default:
			return nil, fmt.Errorf("%q is not known", what)
		}
		f = func(r *rand.Rand, i int) (ai.Value, bool) {
			if r.Float64() < p {
				return other, sent
			}
			return inner(r, i)
		}
	}
	if len(words) > 0 {
		return nil, fmt.Errorf("%q is left over", words)
	}
	return f, nil
}
