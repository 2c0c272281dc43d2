package models

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/quality"
)

const (
	// maxPooled is the number of windows that are judged together at most.
	maxPooled = 10
	// comparedWindows is the number of windows that versions are compared over.
	comparedWindows = 10
	// maxUnsaved is the number of closed windows of one version kept while the store
	// refuses them; older ones are then given up.
	maxUnsaved = 256
)

// result is all that was found in one window of a version. It is immutable.
type result struct {
	window   ai.Window
	profile  *ai.ModelProfile
	baseline *baseline // Whose bins the profile counts in; may be nil.
	// reference is the baseline's performance side as it was then.
	reference   *performance.Reference
	performance *performance.Window // With the labels that were there then.

	// judgedWindow, judgedProfile and judgedBaseline are what drift and findings of
	// data are about: the window itself, or several small ones together.
	judgedWindow   ai.Window
	judgedProfile  *ai.ModelProfile
	judgedBaseline *baseline
	drift          []drift.Result
	quality        []ai.Finding
	// carried means that they are those of the window before: there were too few
	// records to judge anew.
	carried bool
	// next and collecting are what there was beside judgedBaseline when the window was judged: the active baseline, and
	// whether an automatic one is being collected.
	next       *baseline
	collecting bool

	judgement      performance.Judgement
	comparison     *performance.Comparison
	estimate       *performance.Estimate
	classification *performance.ClassificationReport
	regression     *performance.RegressionReport

	findings []ai.Finding // All that is confirmed, and the rest as information.
	judged   map[ai.Layer]int
	notes    map[ai.Layer][]string
}

type findingID struct{ kind, feature string }

// judgeClosed judges and stores the windows that were closed, oldest first.
func (e *Engine) judgeClosed(now time.Time) bool {
	type due struct {
		v *version
		w *closedWindow
	}
	var all []due
	e.mu.Lock()
	for _, v := range e.versions {
		for _, w := range v.closing {
			all = append(all, due{v, w})
		}
	}
	e.mu.Unlock()
	slices.SortFunc(all, func(a, b due) int {
		if c := a.w.Start.Compare(b.w.Start); c != 0 {
			return c
		}
		return a.v.key.Compare(b.v.key)
	})
	failed := false
	done := false
	for _, d := range all {
		r, point := e.judge(d.v, d.w, now)
		rows, err := e.coder.encodeWindow(r, point)
		if err == nil {
			err = e.opt.Profiles.SaveProfiles(context.Background(), rows)
		}
		if err != nil {
			e.metrics.failures.Inc()
			if !failed {
				e.log.Error("A window cannot be stored; it will be tried again", "model", d.v.key.String(), "window", d.w.Window.String(), "err", err)
			}
			failed = true
		}
		e.finish(d.v, d.w, r, point, now, err == nil)
		done = done || err == nil
	}
	return done
}

// finish takes a judged window off those that wait, unless it has to be stored yet.
func (e *Engine) finish(v *version, w *closedWindow, r *result, point Point, now time.Time, stored bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.early(w, now) {
		e.keep(v, w, r, point)
	}
	if !stored && len(v.closing) <= maxUnsaved {
		return
	}
	if !stored {
		e.log.Error("A window is given up: the store has refused too many", "model", v.key.String(), "window", w.Window.String())
	}
	if i := slices.Index(v.closing, w); i >= 0 {
		if w.sample != nil {
			e.samples -= w.sample.bytes
		}
		v.closing = slices.Delete(v.closing, i, i+1)
		e.closing--
	}
	e.due.Store(true)
	if levels := e.opt.levels(); len(levels) > 0 && stored {
		e.dirty[span{v.key, ai.WindowAt(w.Start, levels[0])}] = true
	}
}

// keep makes a result the newest of its version, if it is. The caller holds mu.
func (e *Engine) keep(v *version, w *closedWindow, r *result, point Point) {
	i, found := slices.BinarySearchFunc(v.history, w.Start, func(p Point, t time.Time) int { return p.Start.Compare(t) })
	if found {
		v.history[i] = point
	} else {
		v.history = slices.Insert(v.history, i, point)
		if n := len(v.history) - e.opt.Windows.History; n > 0 {
			v.history = slices.Delete(v.history, 0, n)
		}
	}
	if v.result == nil || !r.window.Start.Before(v.result.window.Start) {
		v.result = r
		delete(e.static, v.key)
	}
}

// judge says everything about one closed window.
func (e *Engine) judge(v *version, w *closedWindow, now time.Time) (*result, Point) {
	j := e.judges.Load().of(v.key.Model)
	e.mu.Lock()
	if !e.early(w, now) {
		v.remember(w)
	}
	w.baseline.refresh()
	r := &result{
		window: w.Window, profile: w.profile, baseline: w.baseline, next: v.baseline, collecting: v.auto != nil,
		judged: map[ai.Layer]int{}, notes: map[ai.Layer][]string{},
	}
	if w.baseline != nil {
		r.reference = w.baseline.reference
	}
	r.performance = &performance.Window{
		Options: w.performance.Options, Service: w.performance.Service, Predictions: w.performance.Predictions,
		Classification: performance.NewClassification(v.task),
	}
	if l := v.labels.current(now, &e.opt); l != nil {
		r.performance.Classification, r.performance.Regression = l.Classification, l.Regression
	}
	older := e.older(v)
	e.mu.Unlock()

	e.judgeData(j, v, w, r, now)
	r.judgement = performance.Judge(v.key, w.Window, r.performance, r.reference, j.Performance)
	r.read()
	if older != nil {
		c := performance.Compare(older.side(w.Start, e.opt.Windows.Length), v.side(w.Start, e.opt.Windows.Length), e.opt.Margins, j.Performance)
		r.comparison = &c
		if limit := j.Performance.Limits["version"]; !limit.Off {
			r.judgement.Results = append(r.judgement.Results, c.Result(j.Performance))
		}
	}
	r.collect(v, &e.opt)
	v.confirm(r)
	return r, r.point()
}

// judgeData compares the data of a window with its baseline: alone if it has enough
// records, else together with the windows after it.
func (e *Engine) judgeData(j *judge, v *version, w *closedWindow, r *result, now time.Time) {
	p := &closedWindow{Window: w.Window, baseline: w.baseline, profile: w.profile, sample: w.sample, together: w.together}
	if v.pool != nil && v.pool.baseline.id() != w.baseline.id() {
		v.pool, v.pooled = nil, 0
	}
	if v.pool != nil || w.profile.Inputs < e.opt.Windows.Together {
		p = v.pooledWith(w)
		if p.profile.Inputs < e.opt.Windows.Together && v.pooled < maxPooled {
			v.pool = p
			// What was found before still holds, until there is more to say.
			if before := v.result; before != nil && before.judgedBaseline.id() == w.baseline.id() {
				r.judgedWindow, r.judgedProfile, r.judgedBaseline = before.judgedWindow, before.judgedProfile, before.judgedBaseline
				r.drift, r.quality, r.carried = before.drift, before.quality, true
				return
			}
		} else {
			v.pool, v.pooled = nil, 0
		}
	}
	r.judgedWindow, r.judgedProfile, r.judgedBaseline = p.Window, p.profile, p.baseline
	if p.profile.Records > 0 {
		r.drift = j.drift.Evaluate(p.baseline.content(), p.profile.Features)
		if all, ok := e.together(j, p, now); ok {
			r.drift = append(r.drift, all)
		}
	}
	r.quality = quality.Evaluate(p.baseline.content(), p.profile, j.Quality)
}

// pooledWith returns the pooled windows and w together.
func (v *version) pooledWith(w *closedWindow) *closedWindow {
	sum := &ai.ModelProfile{Key: v.key, Window: w.Window, BaselineID: w.profile.BaselineID}
	if v.pool != nil {
		sum.Window.Start = v.pool.Start
		sum.Window.Length = w.End().Sub(v.pool.Start)
		if sum.Window.Length <= 0 || sum.Merge(v.pool.profile) != nil {
			sum = &ai.ModelProfile{Key: v.key, Window: w.Window, BaselineID: w.profile.BaselineID}
			v.pooled = 0
		}
	}
	v.pooled++
	_ = sum.Merge(w.profile) // The bins are the same, for the baseline is.
	joined := &closedWindow{Window: sum.Window, baseline: w.baseline, profile: sum, sample: w.sample, together: w.together}
	if v.pooled > 1 {
		joined.sample = joinSamples(v.pool.sample, w.sample)
	}
	return joined
}

// read takes the figures that several readers want from the window.
func (r *result) read() {
	if c := r.performance.Classification; c.N() > 0 {
		report := c.Report()
		r.classification = &report
	}
	if r.performance.Regression.N() > 0 {
		report := r.performance.Regression.Report()
		r.regression = &report
	}
	if r.performance.Predictions.N() > 0 && r.reference != nil {
		estimate := r.reference.Estimate(&r.performance.Predictions)
		r.estimate = &estimate
	}
}

// collect gathers findings, answers and notes of all judges.
func (r *result) collect(v *version, opt *Options) {
	single := slices.ContainsFunc(r.drift, func(d drift.Result) bool {
		return d.Verdict == ai.VerdictDrift && !ai.Derived(d.Feature) && d.Kind != ai.KindVector
	})
	for i := range r.drift {
		// Where a feature drifted that the classifier sees too, it says nothing more.
		if d := &r.drift[i]; d.Verdict == ai.VerdictDrift && !r.carried && (d.Feature != ai.AllFeatures || !single) {
			r.findings = append(r.findings, d.Finding(v.key))
		}
		if r.drift[i].Verdict != ai.VerdictUnknown {
			r.judged[ai.LayerData]++
		}
	}
	if r.carried {
		for _, f := range v.result.findings {
			if f.Layer == ai.LayerData {
				r.findings = append(r.findings, f)
			}
		}
	} else {
		r.findings = append(r.findings, r.quality...)
	}
	r.findings = append(r.findings, r.judgement.Findings()...)
	for layer, n := range r.judgement.Judged() {
		r.judged[layer] += n
	}
	r.note(opt)
}

// note says what is not certain, and what could not be judged.
func (r *result) note(opt *Options) {
	data := &[]string{}
	say := func(format string, args ...any) { *data = append(*data, fmt.Sprintf(format, args...)) }
	switch b := r.judgedBaseline; {
	case b == nil && opt.Auto.Off:
		say("There is no baseline: make one with POST /ai/v1/baselines.")
	case b == nil && r.next != nil:
		say("Baseline %d is compared with from the next window on.", r.next.Number)
	case b == nil && !r.collecting:
		say("There is no baseline yet.")
	case b != nil && !b.Confirmed:
		say("The baseline is the automatic one of the first %d records (%s), and nobody has confirmed it: POST /ai/v1/baselines/%s/confirm.", b.Rows, b.Note, b.ID)
	}
	if p := r.judgedProfile; p != nil && r.judgedBaseline != nil && r.judged[ai.LayerData] == 0 {
		say("%d records in %s are too few to compare with the baseline.", p.Inputs, r.judgedWindow.Length)
	}
	if d := r.profile.Dropped; d.Total() > 0 {
		say("Guards left out %d values or records of the last window.", d.Total())
	}
	r.notes[ai.LayerData] = *data
	for layer, texts := range r.judgement.Unknown() {
		r.notes[layer] = append(r.notes[layer], texts...)
	}
}

// sure is the p-value below which one window is enough for a finding: a hundredth of
// what it had to be.
const sure = 0.01

// confirm keeps findings that could be chance out of alarms until a second window in
// a row has them: they are for information until then. It sets since when each is
// found.
func (v *version) confirm(r *result) {
	since := make(map[findingID]time.Time, len(r.findings))
	for i := range r.findings {
		f := &r.findings[i]
		id := findingID{f.Kind, f.Feature}
		if r.carried && f.Layer == ai.LayerData {
			since[id] = f.Since
			continue
		}
		start, before := v.since[id]
		if !before || start.After(r.window.Start) {
			start, before = r.window.Start, false
		}
		since[id], f.Since = start, start
		if !before && f.PValue != nil && f.PValueThreshold != nil && *f.PValue > sure*(*f.PValueThreshold) {
			f.Severity = ai.SeverityInfo
			f.Message += " One window so far: the next one must confirm it."
		}
	}
	// Windows of a backlog do not change what is known of the present.
	if v.result == nil || !r.window.Start.Before(v.result.window.Start) {
		v.since = since
	}
}

// remember makes a closed window one of those that versions are compared over.
func (v *version) remember(w *closedWindow) {
	if slices.ContainsFunc(v.recent, func(o *closedWindow) bool { return o.Start.Equal(w.Start) }) {
		return
	}
	v.recent = append(v.recent, &closedWindow{Window: w.Window, performance: w.performance})
	slices.SortFunc(v.recent, func(a, b *closedWindow) int { return a.Start.Compare(b.Start) })
	if n := len(v.recent) - comparedWindows; n > 0 {
		v.recent = slices.Delete(v.recent, 0, n)
	}
}

// older returns the version that v is compared with: the newest of those before it
// that still work. The caller holds mu.
func (e *Engine) older(v *version) *version {
	var best *version
	for _, o := range e.versions {
		if o == v || o.key.Service != v.key.Service || o.key.Model != v.key.Model || !e.before(o, v) || len(o.recent) == 0 {
			continue
		}
		if v.seen.Sub(o.seen) > comparedWindows*e.opt.Windows.Length {
			continue
		}
		if best == nil || e.before(best, o) {
			best = o
		}
	}
	return best
}

// before reports whether a is an older version than b: it was there a window earlier, or,
// where both were there from the start, it has the smaller name.
func (e *Engine) before(a, b *version) bool {
	if d := b.first.Sub(a.first); d.Abs() > e.opt.Windows.Length {
		return d > 0
	}
	return natural(a.key.Version, b.key.Version) < 0
}

// natural compares names as people do: v9 is before v10.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingDigits(a), leadingDigits(b)
		if x == "" || y == "" {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) string {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return s[:i]
}

// side returns what a version did lately, up to the window that starts then.
func (v *version) side(until time.Time, length time.Duration) performance.Side {
	s := performance.Side{Key: v.key, Window: performance.NewWindow(v.task), Length: comparedWindows * length}
	from := until.Add(-comparedWindows * length)
	for _, w := range v.recent {
		if w.Start.After(from) && !w.Start.After(until) {
			s.Window.Merge(w.performance)
		}
	}
	if r := v.result; r != nil {
		s.Window.Classification = r.performance.Classification
	}
	return s
}
