package performance

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/modelwatch/modelwatch/ai"
)

// Outcome says how a newer version does beside an older one.
type Outcome string

// The outcomes. Unknown means that there are too few requests to tell; it is
// never read as same.
const (
	Better         Outcome = "better"
	Same           Outcome = "same"
	Worse          Outcome = "worse"
	OutcomeUnknown Outcome = "unknown"
)

// Margins are the differences that matter in practice. A smaller one is Same,
// however certain it is.
type Margins struct {
	// Errors is a difference of error ratios, Accuracy one of accuracies.
	Errors, Accuracy float64
	// Latency is a ratio above 1, of durations and of token rates.
	Latency float64
}

// DefaultMargins returns a difference of 0.01 in errors, 0.02 in accuracy, and
// a ratio of 1.1 in latency.
func DefaultMargins() Margins { return Margins{Errors: 0.01, Accuracy: 0.02, Latency: 1.1} }

// Difference is one figure of two versions side by side.
type Difference struct {
	// Name is error_ratio, latency_mean (geometric), latency_p95, token_rate or accuracy.
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Older and Newer are the two figures, each with its interval.
	Older Measure `json:"older"`
	Newer Measure `json:"newer"`
	// Change is newer minus older for error_ratio and accuracy, newer over older for
	// the others.
	Change Measure `json:"change"`
	// PValue is one-sided, of the direction that Change has.
	PValue  *float64 `json:"p_value"`
	Margin  float64  `json:"margin"`
	Method  string   `json:"method"`
	Outcome Outcome  `json:"outcome"`
	// Badness is how many margins worse the newer version is; negative is better.
	Badness float64 `json:"badness"`
}

// Comparison sets a newer version against an older one. All figures are per
// request, so that versions with unlike traffic can be compared.
type Comparison struct {
	Older   ai.Key  `json:"older"`
	Newer   ai.Key  `json:"newer"`
	Outcome Outcome `json:"outcome"`
	// OlderRate and NewerRate are in requests per second.
	OlderRate   Measure      `json:"older_rate"`
	NewerRate   Measure      `json:"newer_rate"`
	Differences []Difference `json:"differences"`
	// Notes are sentences: what decided, and what to be careful about.
	Notes []string `json:"notes"`
}

// Side is one version in a comparison.
type Side struct {
	Key    ai.Key
	Window *Window
	// Length is the time that Window covers. Both sides should cover the same time,
	// so that time of day and kind of traffic are the same.
	Length time.Duration
}

// Compare sets newer against older. The newer version is worse if any figure is
// worse; unknown if none is but some cannot be told; better if some is better; and
// the same otherwise. A figure is worse or better if the change is beyond its margin
// and its one-sided p-value at most alpha over the number of figures, and the same
// if the whole interval of the change is within the margin.
func Compare(older, newer Side, margins Margins, settings Settings) Comparison {
	settings = settings.withDefaults()
	a, b := &older.Window.Service, &newer.Window.Service
	c := Comparison{
		Older: older.Key, Newer: newer.Key,
		OlderRate: a.Summary(older.Length).Rate, NewerRate: b.Summary(newer.Length).Rate,
	}
	c.Differences = append(c.Differences,
		compareErrors(a, b, margins.Errors),
		compareMean(&a.Duration, &b.Duration, margins.Latency),
		compareQuantile("latency_p95", "seconds", 0.95, &a.Duration, &b.Duration, margins.Latency))
	if a.TokenRate.Count() > 0 && b.TokenRate.Count() > 0 {
		c.Differences = append(c.Differences,
			compareQuantile("token_rate", "tokens/s", 0.5, &a.TokenRate, &b.TokenRate, margins.Latency))
	}
	if x, y := older.Window.Classification, newer.Window.Classification; x.N() >= settings.MinLabels && y.N() >= settings.MinLabels {
		c.Differences = append(c.Differences, compareAccuracy(x, y, margins.Accuracy))
	}
	c.decide(a, b, &settings)
	return c
}

// decide sets the outcome of every figure and of the whole.
func (c *Comparison) decide(a, b *Service, settings *Settings) {
	count := map[Outcome]int{}
	alpha := settings.Alpha / float64(len(c.Differences))
	for i := range c.Differences {
		d := &c.Differences[i]
		switch {
		case a.Requests < settings.MinRequests || b.Requests < settings.MinRequests:
			d.Outcome = OutcomeUnknown
			d.Change.Reason = fmt.Sprintf("%d and %d requests, at least %d of each are needed", a.Requests, b.Requests, settings.MinRequests)
		default:
			d.decide(alpha)
		}
		count[d.Outcome]++
		c.Notes = append(c.Notes, d.note())
	}
	switch {
	case count[Worse] > 0:
		c.Outcome = Worse
	case count[OutcomeUnknown] > 0:
		c.Outcome = OutcomeUnknown
	case count[Better] > 0:
		c.Outcome = Better
	default:
		c.Outcome = Same
	}
	x, y := c.OlderRate, c.NewerRate
	if x.Known && y.Known && min(x.Value, y.Value) > 0 && max(x.Value, y.Value)/min(x.Value, y.Value) > 10 {
		c.Notes = append(c.Notes, fmt.Sprintf(
			"The versions are under unlike load (%s and %s requests/s): latency may differ for that alone.", figure(x.Value), figure(y.Value)))
	}
}

// span returns the change on a scale on which 0 is no change and 1 a margin, worse
// being positive.
func (d *Difference) span() (value float64, iv Interval) {
	scale := func(x float64) float64 { return x / d.Margin }
	if d.ratio() {
		scale = func(x float64) float64 { return math.Log(x) / math.Log(d.Margin) }
	}
	value, iv = scale(d.Change.Value), Interval{scale(d.Change.Interval.Low), scale(d.Change.Interval.High)}
	if d.moreIsBetter() {
		value, iv = -value, Interval{-iv.High, -iv.Low}
	}
	return value, iv
}

func (d *Difference) ratio() bool        { return d.Name != "error_ratio" && d.Name != "accuracy" }
func (d *Difference) moreIsBetter() bool { return d.Name == "token_rate" || d.Name == "accuracy" }

func (d *Difference) decide(alpha float64) {
	d.Outcome = OutcomeUnknown
	if !d.Change.Known {
		return
	}
	value, iv := d.span()
	if value != value || math.IsInf(value, 0) {
		return
	}
	d.Badness = value
	certain := d.PValue != nil && *d.PValue <= alpha
	switch {
	case certain && value > 1:
		d.Outcome = Worse
	case certain && value < -1:
		d.Outcome = Better
	case iv.Low > -1 && iv.High < 1:
		d.Outcome = Same
	}
}

func (d *Difference) note() string {
	if !d.Change.Known || d.Change.Reason != "" {
		return fmt.Sprintf("%s: unknown: %s.", d.title(), d.Change.Reason)
	}
	write, change, how := figure, figure, "newer over older"
	switch d.Unit {
	case "ratio":
		write, change, how = percent, percent, "newer minus older"
	case "seconds":
		write = seconds
	case "tokens/s":
		write = func(x float64) string { return figure(x) + " tokens/s" }
	}
	return fmt.Sprintf("%s: %s: %s beside %s, %s %s (%s).",
		d.title(), d.Outcome, write(d.Newer.Value), write(d.Older.Value), how, change(d.Change.Value), betweenAs(d.Change.Interval, change))
}

// title names the figure for people.
func (d *Difference) title() string {
	switch d.Name {
	case "error_ratio":
		return "Share of failures"
	case "latency_mean":
		return "Mean latency"
	case "latency_p95":
		return "95th percentile of latency"
	case "token_rate":
		return "Generation speed"
	default:
		return "Accuracy"
	}
}

// Result returns the comparison as the result of the check version: the score is
// how many margins the worst figure is worse by.
func (c *Comparison) Result(settings Settings) Result {
	settings = settings.withDefaults()
	limit := settings.Limits["version"]
	s := &subject{kind: version().with(limit), settings: &settings}
	if c.Outcome == OutcomeUnknown {
		return s.unknown(0, "too few requests to tell the versions apart: "+strings.Join(c.Notes, " "))
	}
	worst := -1
	for i := range c.Differences {
		d := &c.Differences[i]
		if d.Change.Known && (worst < 0 || d.Outcome == Worse && (c.Differences[worst].Outcome != Worse || d.Badness > c.Differences[worst].Badness)) {
			worst = i
		}
	}
	if worst < 0 {
		return s.unknown(0, "no figure is known of both versions")
	}
	d := &c.Differences[worst]
	r := s.result(measured(d.Badness, everything(), d.Newer.N), notATest(), d.Method,
		fmt.Sprintf("Version %s is %s beside %s. %s", c.Newer.Version, c.Outcome, c.Older.Version, strings.Join(c.Notes, " ")))
	if c.Outcome != Worse || limit.Off {
		r.Severity = ""
	}
	r.PValue, r.Alpha = d.PValue, settings.Alpha/float64(len(c.Differences))
	return r
}

func compareErrors(a, b *Service, margin float64) Difference {
	d := Difference{Name: "error_ratio", Unit: "ratio", Margin: margin, Method: "miettinen_nurminen"}
	k1, n1, k2, n2 := b.Failures(), b.answerable(), a.Failures(), a.answerable()
	const none = "no request"
	d.Newer, d.Older = proportion(k1, n1, none), proportion(k2, n2, none)
	d.Change = shareDifference(k1, n1, k2, n2, &d.PValue)
	return d
}

func compareAccuracy(a, b *Classification, margin float64) Difference {
	d := Difference{Name: "accuracy", Unit: "ratio", Margin: margin, Method: "miettinen_nurminen"}
	const none = "no labelled answer"
	d.Newer, d.Older = proportion(b.correct, b.n, none), proportion(a.correct, a.n, none)
	d.Change = shareDifference(b.correct, b.n, a.correct, a.n, &d.PValue)
	return d
}

// shareDifference returns k1/n1 - k2/n2 and its one-sided p-value.
func shareDifference(k1, n1, k2, n2 uint64, p **float64) Measure {
	if n1 == 0 || n2 == 0 {
		return unknown(n1, "a version has no record")
	}
	change := float64(k1)/float64(n1) - float64(k2)/float64(n2)
	value := fisherGreater(k1, n1, k2, n2)
	if change < 0 {
		value = fisherGreater(k2, n2, k1, n1)
	}
	*p = &value
	return measured(change, MiettinenNurminen(float64(k1), float64(n1), float64(k2), float64(n2)), n1)
}

// compareMean compares geometric means by Welch's test on the logarithms, which
// one slow request does not sway.
func compareMean(a, b *Sketch, margin float64) Difference {
	d := Difference{Name: "latency_mean", Unit: "seconds", Margin: margin, Method: "welch_log"}
	m2, v2, n2 := a.logMoments()
	m1, v1, n1 := b.logMoments()
	d.Older, d.Newer = logMean(m2, v2, n2), logMean(m1, v1, n1)
	if n1 < 2 || n2 < 2 {
		d.Change = unknown(uint64(n1), "a version has fewer than two answered requests with a duration")
		return d
	}
	// Values are known to a bucket; the spread within one keeps the error from 0.
	const within = math.Ln2 * math.Ln2 / bucketsPerOctave / bucketsPerOctave / 12
	e1, e2 := (v1+within)/n1, (v2+within)/n2
	df := (e1 + e2) * (e1 + e2) / (e1*e1/(n1-1) + e2*e2/(n2-1))
	se, change := math.Sqrt(e1+e2), m1-m2
	half := studentQuantile(df) * se
	d.Change = measured(math.Exp(change), Interval{math.Exp(change - half), math.Exp(change + half)}, uint64(n1))
	p := studentAbove(math.Abs(change)/se, df)
	d.PValue = &p
	return d
}

func studentAbove(t, df float64) float64 {
	if df > 1e6 {
		return normalAbove(t)
	}
	return distuv.StudentsT{Sigma: 1, Nu: df}.Survival(t)
}

func logMean(mean, variance, n float64) Measure {
	if n == 0 {
		return unknown(0, "no answered request with a duration")
	}
	iv := meanInterval(mean, variance, n)
	return measured(math.Exp(mean), Interval{math.Exp(iv.Low), math.Exp(iv.High)}, uint64(n))
}

// compareQuantile compares a quantile by order statistics.
func compareQuantile(name, unit string, q float64, a, b *Sketch, margin float64) Difference {
	d := Difference{Name: name, Unit: unit, Margin: margin, Method: "order_statistics"}
	const none = "a version has no answered request with the figure"
	d.Older, d.Newer = a.quantileMeasure(q, none), b.quantileMeasure(q, none)
	if a.Count() == 0 || b.Count() == 0 {
		d.Change = unknown(b.Count(), none)
		return d
	}
	var p float64
	d.Change, p, _, _ = quantileRatio(b, a, q, true)
	if d.Change.Known && d.Change.Value < 1 {
		_, p, _, _ = quantileRatio(b, a, q, false)
	}
	d.PValue = &p
	return d
}
