package performance

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Result is the outcome of one check, whether or not it found something.
type Result struct {
	// Kind is the catalogue line as configured: its thresholds are the ones used.
	Kind Kind `json:"kind"`
	// Score is what is held against the thresholds. Where it is not known, its
	// Reason says why the check could not judge.
	Score Measure `json:"score"`
	// PValue is nil where the check is no test.
	PValue *float64 `json:"p_value,omitempty"`
	Alpha  float64  `json:"alpha,omitempty"`
	Method string   `json:"method"`
	// Severity is empty where nothing was found.
	Severity ai.Severity `json:"severity,omitempty"`
	// Message is a sentence with the figures, whatever the outcome.
	Message string `json:"message"`
}

// Judgement is what all checks say about one version in one window.
type Judgement struct {
	Key     ai.Key    `json:"key"`
	Window  ai.Window `json:"window"`
	Results []Result  `json:"results"`
}

// Findings returns what was found, in the order of the catalogue.
func (j *Judgement) Findings() []ai.Finding {
	var out []ai.Finding
	for i := range j.Results {
		if f, ok := j.Results[i].Finding(j.Key); ok {
			out = append(out, f)
		}
	}
	return out
}

// Judged returns how many checks of each layer gave an answer.
func (j *Judgement) Judged() map[ai.Layer]int {
	out := make(map[ai.Layer]int)
	for i := range j.Results {
		if r := &j.Results[i]; r.Score.Known {
			out[r.Kind.Layer]++
		}
	}
	return out
}

// Unknown returns, by layer, a sentence for each different reason why checks gave
// no answer, with the checks that it holds for.
func (j *Judgement) Unknown() map[ai.Layer][]string {
	out := make(map[ai.Layer][]string)
	for _, layer := range ai.Layers() {
		var reasons []string
		titles := make(map[string][]string)
		for i := range j.Results {
			r := &j.Results[i]
			if r.Score.Known || r.Kind.Layer != layer {
				continue
			}
			if titles[r.Score.Reason] == nil {
				reasons = append(reasons, r.Score.Reason)
			}
			titles[r.Score.Reason] = append(titles[r.Score.Reason], r.Kind.Title)
		}
		for _, reason := range reasons {
			out[layer] = append(out[layer], fmt.Sprintf("not judged (%s): %s.", strings.Join(titles[reason], ", "), strings.TrimSuffix(reason, ".")))
		}
	}
	return out
}

// Finding returns the result as a finding about a version; ok is false where
// nothing was found.
func (r *Result) Finding(key ai.Key) (f ai.Finding, ok bool) {
	if r.Severity == "" || !r.Score.Known {
		return ai.Finding{}, false
	}
	f = ai.Finding{
		Layer: r.Kind.Layer, Kind: r.Kind.ID, Severity: r.Severity, Key: key,
		Score: r.Score.Value, Threshold: r.Kind.Threshold, Direction: r.Kind.Direction, Unit: r.Kind.Unit,
		Method: r.Method, SampleSize: r.Score.N, Message: r.Message,
	}
	if r.Severity == ai.SeverityCritical {
		f.Threshold = *r.Kind.Critical
	}
	if r.PValue != nil {
		p, alpha := *r.PValue, r.Alpha
		f.PValue, f.PValueThreshold = &p, &alpha
	}
	return f, true
}

// subject is what a check looks at.
type subject struct {
	kind      Kind
	settings  *Settings
	current   *Window
	reference *Reference // Nil without a baseline.
	read      *readings
}

// readings are what several checks read from the current window, once.
type readings struct {
	estimate *Estimate
	report   *ClassificationReport
}

func (s *subject) estimate() Estimate {
	if s.read.estimate == nil {
		e := s.reference.Estimate(&s.current.Predictions)
		s.read.estimate = &e
	}
	return *s.read.estimate
}

func (s *subject) report() *ClassificationReport {
	if s.read.report == nil {
		r := s.current.Classification.Report()
		s.read.report = &r
	}
	return s.read.report
}

// Judge runs every check on a window of one version. reference is the
// baseline's side, and nil where there is no baseline; checks that need one are
// then unknown. Checks that are off, or have nothing to do with the model, give no
// result.
func Judge(key ai.Key, window ai.Window, current *Window, reference *Reference, settings Settings) Judgement {
	settings = settings.withDefaults()
	j := Judgement{Key: key, Window: window}
	read := new(readings)
	for _, kind := range Kinds() {
		limit := settings.Limits[kind.ID]
		kind = kind.with(limit)
		if kind.judge == nil || limit.Off || kind.OptIn {
			continue
		}
		s := &subject{kind: kind, settings: &settings, current: current, reference: reference, read: read}
		if kind.applies != nil && !kind.applies(s) {
			continue
		}
		if kind.Baseline && reference == nil {
			j.Results = append(j.Results, s.unknown(0, "there is no baseline yet"))
			continue
		}
		j.Results = append(j.Results, kind.judge(s))
	}
	return j
}

// either reports whether something holds of the window or of the baseline.
func (s *subject) either(holds func(*Window) bool) bool {
	return holds(s.current) || s.reference != nil && holds(s.reference.Window)
}

func (s *subject) classifies() bool {
	return s.either(func(w *Window) bool { return w.Predictions.answers > 0 || w.Classification.N() > 0 })
}

func (s *subject) regresses() bool {
	return s.either(func(w *Window) bool { return w.Predictions.numbers > 0 || w.Regression.N() > 0 })
}

func (s *subject) counts(of func(*Service) *Sketch) bool {
	return s.either(func(w *Window) bool { return of(&w.Service).Count() > 0 })
}

// unknown is the result of a check that cannot judge.
func (s *subject) unknown(n uint64, reason string) Result {
	return Result{Kind: s.kind, Score: unknown(n, reason), Message: s.kind.Title + ": " + reason + "."}
}

// few is the result of a check that has too few records.
func (s *subject) few(n, least uint64, what string) Result {
	return s.unknown(n, fmt.Sprintf("%d %s, at least %d are needed", n, what, least))
}

// result is the outcome of a check that judged. p is NaN where it is no test;
// a p-value above alpha is no finding, whatever the score.
func (s *subject) result(score Measure, p float64, method, message string) Result {
	r := Result{Kind: s.kind, Score: score, Method: method, Message: message}
	if !score.Known {
		return s.unknown(score.N, score.Reason)
	}
	significant := true
	if p == p {
		p = min(max(p, 0), 1)
		r.PValue, r.Alpha = &p, s.settings.Alpha
		significant = p <= s.settings.Alpha
	}
	beyond := func(limit float64) bool {
		if s.kind.Direction == ai.Below {
			return score.Value < limit
		}
		return score.Value > limit
	}
	switch {
	case !significant:
	case beyond(*s.kind.Critical):
		r.Severity = ai.SeverityCritical
	case beyond(s.kind.Threshold):
		r.Severity = s.kind.Severity
	}
	return r
}

// notATest stands for a p-value where there is none.
func notATest() float64 { return math.NaN() }

// differencePValue returns the one-sided p-value of a - b being above 0, from the
// interval of the difference: its lower half's width is z975 standard errors.
func differencePValue(difference float64, iv Interval) float64 {
	half := difference - iv.Low
	if !(half > 0) {
		return 1
	}
	return normalAbove(difference * z975 / half)
}

// figure writes a number for people: three significant digits.
func figure(x float64) string {
	switch {
	case math.IsInf(x, 0) || x != x:
		return "unbounded"
	case math.Abs(x) < 1e-12:
		return "0" // Rounding left it.
	case math.Abs(x) < 1e-4 || math.Abs(x) >= 1e6:
		return strconv.FormatFloat(x, 'e', 2, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	return strconv.FormatFloat(x, 'f', max(digits, 0), 64)
}

// between writes an interval for people.
func between(iv Interval) string { return betweenAs(iv, figure) }

// betweenAs writes an interval whose ends are written by write.
func betweenAs(iv Interval, write func(float64) string) string {
	switch low, high := math.IsInf(iv.Low, 0), math.IsInf(iv.High, 0); {
	case low && high:
		return "no 95% interval at this size"
	case low:
		return "at most " + write(iv.High) + " with 95% confidence"
	case high:
		return "at least " + write(iv.Low) + " with 95% confidence"
	}
	return "95% interval " + write(iv.Low) + " to " + write(iv.High)
}

// seconds writes a duration for people.
func seconds(x float64) string {
	switch {
	case x < 1e-3:
		return figure(x*1e6) + " µs"
	case x < 1:
		return figure(x*1e3) + " ms"
	}
	return figure(x) + " s"
}

// percent writes a ratio for people.
func percent(x float64) string { return figure(x*100) + "%" }
