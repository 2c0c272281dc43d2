package models

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// FeaturesView lists the features of a version.
type FeaturesView struct {
	Service    string        `json:"service"`
	Model      string        `json:"model"`
	Version    string        `json:"model_version"`
	Start      time.Time     `json:"start,omitzero"`
	End        time.Time     `json:"end,omitzero"`
	Records    uint64        `json:"records"`
	BaselineID string        `json:"baseline_id"`
	Features   []FeatureView `json:"features"` // Worst first.
}

// FeatureView is one feature in the newest judged window, beside its baseline.
type FeatureView struct {
	drift.Result
	Derived bool `json:"derived"` // From the answer, and no input.
	// Window and Baseline are nil where it was not seen there.
	Window   *FeatureFigures `json:"window"`
	Baseline *FeatureFigures `json:"baseline"`
	Findings []ai.Finding    `json:"findings"`
}

// FeatureFigures are the figures of a profile; what is not known is nil.
type FeatureFigures struct {
	Count        uint64   `json:"count"`
	MissingRatio *float64 `json:"missing_ratio"`
	InvalidRatio *float64 `json:"invalid_ratio"`
	Mean         *float64 `json:"mean"`
	Std          *float64 `json:"std"`
	Min          *float64 `json:"min"`
	Max          *float64 `json:"max"`
	P05          *float64 `json:"p05"`
	Median       *float64 `json:"p50"`
	P95          *float64 `json:"p95"`
	Distinct     *float64 `json:"distinct"`
}

func figures(p *ai.Profile, bins *ai.Bins) *FeatureFigures {
	if p == nil {
		return nil
	}
	f := &FeatureFigures{Count: p.Count, MissingRatio: finite(p.MissingRatio()), Distinct: finite(p.DistinctEstimate())}
	if rows := p.Rows(); rows > 0 {
		bad := p.TypeErrors.Total() + p.NotFinite
		if p.Vector != nil {
			bad += p.Vector.WrongDim
		}
		f.InvalidRatio = finite(float64(bad) / float64(rows))
	}
	if p.Count == 0 || p.Kind.Categorical() {
		return f
	}
	f.Mean, f.Std, f.Min, f.Max = finite(p.Mean), finite(p.Std()), finite(p.Min), finite(p.Max)
	if bins == nil && p.BinsID == ai.DefaultBins().ID() {
		bins = ai.DefaultBins()
	}
	if bins.ID() == p.BinsID && bins.Len() == len(p.Counts) {
		f.P05, f.Median, f.P95 = finite(p.Quantile(bins, 0.05)), finite(p.Quantile(bins, 0.5)), finite(p.Quantile(bins, 0.95))
	}
	return f
}

// Features returns the features of a version's newest judged window.
func (e *Engine) Features(_ context.Context, key ai.Key) (*FeaturesView, error) {
	e.mu.Lock()
	v, err := e.find(key)
	var r *result
	if err == nil {
		r, key = v.result, v.key
	}
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := &FeaturesView{Service: key.Service, Model: key.Model, Version: key.Version, Features: []FeatureView{}}
	if r == nil || r.judgedProfile == nil {
		return out, nil
	}
	out.Start, out.End, out.Records, out.BaselineID = r.judgedWindow.Start, r.judgedWindow.End(), r.judgedProfile.Records, r.judgedBaseline.id()
	for i := range r.drift {
		out.Features = append(out.Features, r.feature(i))
	}
	slices.SortStableFunc(out.Features, func(a, b FeatureView) int {
		return cmp.Or(cmp.Compare(urgency(&b), urgency(&a)), cmp.Compare(b.Score, a.Score), cmp.Compare(a.Feature, b.Feature))
	})
	return out, nil
}

// urgency orders features by what a person should look at first.
func urgency(f *FeatureView) int {
	rank := 0
	for _, x := range f.Findings {
		rank = max(rank, 2*x.Severity.Rank())
	}
	switch f.Verdict {
	case ai.VerdictDrift:
		rank = max(rank, 4)
	case ai.VerdictPossible:
		rank = max(rank, 2)
	case ai.VerdictUnknown:
		rank = max(rank, 1)
	case ai.VerdictNone:
	}
	return rank
}

// feature returns the view of the i-th feature of a result.
func (r *result) feature(i int) FeatureView {
	d := r.drift[i]
	f := FeatureView{Result: d, Derived: ai.Derived(d.Feature), Findings: []ai.Finding{}}
	var bins *ai.Bins
	if b := r.judgedBaseline.content(); b != nil {
		if fb := b.Features[d.Feature]; fb != nil {
			bins = fb.Bins
			f.Baseline = figures(fb.Profile, bins)
		}
	}
	f.Window = figures(r.judgedProfile.Features[d.Feature], bins)
	for _, x := range r.findings {
		if x.Feature == d.Feature {
			f.Findings = append(f.Findings, x)
		}
	}
	return f
}

// share returns n of all as a ratio, nil of nothing.
func share(n, of uint64) *float64 {
	if of == 0 {
		return nil
	}
	return finite(float64(n) / float64(of))
}

// FeatureDetail is one feature with its distribution and its past.
type FeatureDetail struct {
	FeatureView
	Service string        `json:"service"`
	Model   string        `json:"model"`
	Version string        `json:"model_version"`
	Start   time.Time     `json:"start,omitzero"`
	End     time.Time     `json:"end,omitzero"`
	Schema  *ai.Schema    `json:"schema"`
	Bins    []BinView     `json:"bins"`
	Top     []TopView     `json:"top"` // Frequent categories that the baseline does not have.
	History []FeaturePast `json:"history"`
}

// BinView is one cell of a distribution. Low and High are of numbers: Low < x <= High,
// nil where there is no bound. Shares are nil where there is nothing to share.
type BinView struct {
	Low           *float64 `json:"low"`
	High          *float64 `json:"high"`
	Category      *string  `json:"category"`
	Other         bool     `json:"other"` // All other categories.
	BaselineCount uint64   `json:"baseline_count"`
	WindowCount   uint64   `json:"window_count"`
	BaselineShare *float64 `json:"baseline_share"`
	WindowShare   *float64 `json:"window_share"`
}

// TopView is a frequent category.
type TopView struct {
	Category string `json:"category"`
	Count    uint64 `json:"count"`
}

// FeaturePast is a feature in one past window.
type FeaturePast struct {
	Start   time.Time       `json:"start"`
	Figures *FeatureFigures `json:"figures"`
	Verdict ai.Verdict      `json:"verdict"`
	Score   *float64        `json:"score"`
	PValue  *float64        `json:"p_value"`
	Method  string          `json:"method,omitempty"`
}

// shownBins is about how many cells a distribution is shown in.
const shownBins = 30

// Feature returns one feature of a version, with the windows of the last hours.
func (e *Engine) Feature(ctx context.Context, key ai.Key, feature string) (*FeatureDetail, error) {
	e.mu.Lock()
	v, err := e.find(key)
	var r *result
	if err == nil {
		r, key = v.result, v.key
	}
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	i := -1
	if r != nil {
		i = slices.IndexFunc(r.drift, func(d drift.Result) bool { return d.Feature == feature })
	}
	if i < 0 {
		return nil, notFound("%s has no feature %q in its newest window or its baseline: GET /ai/v1/models/{model}/versions/{version}/features lists them", key, feature)
	}
	out := &FeatureDetail{
		FeatureView: r.feature(i), Service: key.Service, Model: key.Model, Version: key.Version,
		Start: r.judgedWindow.Start, End: r.judgedWindow.End(), Bins: []BinView{}, Top: []TopView{}, History: []FeaturePast{},
	}
	p := r.judgedProfile.Features[feature]
	var bins *ai.Bins
	if b := r.judgedBaseline.content(); b != nil {
		if fb := b.Features[feature]; fb != nil {
			out.Schema, bins = &fb.Schema, fb.Bins
			out.Bins = distribution(bins, fb.Profile, p)
		}
	}
	if bins == nil && p != nil && p.BinsID == ai.DefaultBins().ID() {
		bins = ai.DefaultBins()
		out.Bins = distribution(bins, nil, p)
	}
	if p != nil {
		for _, t := range p.Top.Entries {
			out.Top = append(out.Top, TopView{t.Category, t.Count})
		}
		slices.SortStableFunc(out.Top, func(a, b TopView) int { return cmp.Compare(b.Count, a.Count) })
	}
	to := r.window.End()
	from := to.Add(-time.Duration(e.opt.Windows.History) * e.opt.Windows.Length)
	rows, err := e.opt.Profiles.Profiles(ctx, ProfileQuery{Key: key, Features: []string{"", feature}, Length: e.opt.Windows.Length, From: from, To: to})
	if err != nil {
		return nil, err
	}
	past, err := e.coder.decodeWindows(rows)
	if err != nil {
		return nil, err
	}
	for _, w := range past {
		out.History = append(out.History, featurePast(&w, feature, bins))
	}
	return out, nil
}

func featurePast(w *storedWindow, feature string, bins *ai.Bins) FeaturePast {
	f := FeaturePast{Start: w.row.Point.Start, Verdict: ai.VerdictUnknown, Figures: figures(w.profile.Features[feature], bins)}
	for i := range w.row.Drift {
		if c := &w.row.Drift[i]; c.Feature == feature {
			f.Verdict, f.Score, f.PValue, f.Method = c.Verdict, finite(c.Score), finite(c.PValue), c.Method
		}
	}
	return f
}

// distribution returns the cells of a baseline and of a window side by side,
// neighbours joined to a number that can be shown. Either profile may be nil.
func distribution(bins *ai.Bins, base, window *ai.Profile) []BinView {
	counts := func(p *ai.Profile) []uint64 {
		if p == nil || p.BinsID != bins.ID() || len(p.Counts) != bins.Len() {
			return make([]uint64, bins.Len())
		}
		return p.Counts
	}
	was, is := counts(base), counts(window)
	var sumWas, sumIs uint64
	for i := range was {
		sumWas += was[i]
		sumIs += is[i]
	}
	var out []BinView
	if bins.Categories != nil {
		out = categories(bins, was, is)
	} else {
		out = intervals(bins, was, is, sumWas+sumIs)
	}
	for i := range out {
		out[i].BaselineShare, out[i].WindowShare = share(out[i].BaselineCount, sumWas), share(out[i].WindowCount, sumIs)
	}
	return out
}

// categories returns the most frequent categories and one cell for all others.
func categories(bins *ai.Bins, was, is []uint64) []BinView {
	order := make([]int, len(bins.Categories))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(max(was[b], is[b]), max(was[a], is[a])) })
	var out []BinView
	rest := BinView{Other: true, BaselineCount: was[len(order)], WindowCount: is[len(order)]}
	for n, i := range order {
		if n >= shownBins {
			rest.BaselineCount += was[i]
			rest.WindowCount += is[i]
			continue
		}
		out = append(out, BinView{Category: &bins.Categories[i], BaselineCount: was[i], WindowCount: is[i]})
	}
	return append(out, rest)
}

// intervals joins neighbouring cells until each holds its part of all counts.
func intervals(bins *ai.Bins, was, is []uint64, total uint64) []BinView {
	var out []BinView
	least := total / shownBins
	open := false
	for i := range was {
		lo, hi := bins.Bounds(i)
		if was[i]+is[i] == 0 && !open && len(out) == 0 {
			continue // Nothing is that low.
		}
		if !open {
			out = append(out, BinView{Low: finite(lo)})
			open = true
		}
		b := &out[len(out)-1]
		b.BaselineCount += was[i]
		b.WindowCount += is[i]
		b.High = finite(hi)
		if b.BaselineCount+b.WindowCount > least {
			open = false
		}
	}
	for n := len(out); n > 0 && out[n-1].BaselineCount+out[n-1].WindowCount == 0; n-- {
		out = out[:n-1] // Nothing is that high.
	}
	return out
}

// DriftView is which features drifted when: a matrix of versions' features by time.
type DriftView struct {
	From        time.Time   `json:"from"`
	To          time.Time   `json:"to"`
	StepSeconds float64     `json:"step_seconds"`
	Times       []time.Time `json:"times"` // Starts of windows: the columns.
	Rows        []DriftRow  `json:"rows"`  // Most drifted first.
	// LeftOut is the number of rows past the limit.
	LeftOut int `json:"left_out"`
}

// DriftRow is one feature. Verdicts and Scores have one element a column; what is not
// known is nil.
type DriftRow struct {
	Service  string        `json:"service"`
	Model    string        `json:"model"`
	Version  string        `json:"model_version"`
	Feature  string        `json:"feature"`
	Verdicts []*ai.Verdict `json:"verdicts"`
	Scores   []*float64    `json:"scores"`
	PValues  []*float64    `json:"p_values"`
	drifted  int
	possible int
	worst    float64
}

// DriftQuery selects versions and a span of time; nil selects all.
type DriftQuery = struct {
	Service, Model, Version *string
	From, To                time.Time // The zero time means the last sixty windows.
	Limit                   int       // Of rows; 0 means 200.
}

// maxColumns is the number of columns of a drift view.
const maxColumns = 300

// Drift returns the verdicts of a span of time, in windows of the shortest length that
// fits maxColumns.
func (e *Engine) Drift(ctx context.Context, q DriftQuery) (*DriftView, error) {
	if q.To.IsZero() {
		q.To = e.opt.Clock()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-sparkPoints * e.opt.Windows.Length)
	}
	if !q.From.Before(q.To) {
		return nil, badRequest("until (%s) is not after since (%s)", q.To.Format(time.RFC3339), q.From.Format(time.RFC3339))
	}
	length := e.opt.Windows.Length
	for _, l := range e.opt.levels() {
		if q.To.Sub(q.From) > maxColumns*length {
			length = l
		}
	}
	if q.To.Sub(q.From) > maxColumns*length {
		return nil, badRequest("the range of %s is longer than %d windows of %s: ask for less", q.To.Sub(q.From).Round(time.Second), maxColumns, length)
	}
	out := &DriftView{
		From: ai.WindowAt(q.From, length).Start, To: q.To.UTC(), StepSeconds: length.Seconds(), Times: []time.Time{}, Rows: []DriftRow{},
	}
	column := make(map[int64]int)
	for t := out.From; t.Before(q.To); t = t.Add(length) {
		column[t.UnixNano()] = len(out.Times)
		out.Times = append(out.Times, t)
	}
	for _, key := range e.keys(q) {
		rows, err := e.opt.Profiles.Profiles(ctx, ProfileQuery{Key: key, Features: []string{""}, Length: length, From: out.From, To: q.To})
		if err != nil {
			return nil, err
		}
		windows, err := e.coder.decodeWindows(rows)
		if err != nil {
			return nil, err
		}
		out.add(key, windows, column)
	}
	slices.SortStableFunc(out.Rows, func(a, b DriftRow) int {
		return cmp.Or(cmp.Compare(b.drifted, a.drifted), cmp.Compare(b.possible, a.possible), cmp.Compare(b.worst, a.worst),
			ai.Key{Service: a.Service, Model: a.Model, Version: a.Version}.Compare(ai.Key{Service: b.Service, Model: b.Model, Version: b.Version}),
			cmp.Compare(a.Feature, b.Feature))
	})
	if limit := cmp.Or(q.Limit, 200); len(out.Rows) > limit {
		out.LeftOut = len(out.Rows) - limit
		out.Rows = out.Rows[:limit]
	}
	return out, nil
}

// add fills in the verdicts of one version.
func (d *DriftView) add(key ai.Key, windows []storedWindow, column map[int64]int) {
	index := make(map[string]int)
	for w := range windows {
		at, ok := column[windows[w].row.Point.Start.UnixNano()]
		if !ok {
			continue
		}
		for _, c := range windows[w].row.Drift {
			i, ok := index[c.Feature]
			if !ok {
				i = len(d.Rows)
				index[c.Feature] = i
				n := len(d.Times)
				d.Rows = append(d.Rows, DriftRow{
					Service: key.Service, Model: key.Model, Version: key.Version, Feature: c.Feature,
					Verdicts: make([]*ai.Verdict, n), Scores: make([]*float64, n), PValues: make([]*float64, n), worst: math.Inf(-1),
				})
			}
			r := &d.Rows[i]
			r.Verdicts[at], r.Scores[at], r.PValues[at] = &c.Verdict, finite(c.Score), finite(c.PValue)
			r.worst = max(r.worst, c.Score)
			switch c.Verdict {
			case ai.VerdictDrift:
				r.drifted++
			case ai.VerdictPossible:
				r.possible++
			case ai.VerdictNone, ai.VerdictUnknown:
			}
		}
	}
}

// keys returns the versions that a query selects: those that work, and those that have
// a baseline.
func (e *Engine) keys(q DriftQuery) []ai.Key {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make(map[ai.Key]bool)
	for key := range e.versions {
		all[key] = true
	}
	for _, info := range e.infos {
		all[info.Key()] = true
	}
	var out []ai.Key
	is := func(want *string, x string) bool { return want == nil || *want == x }
	for key := range all {
		if is(q.Service, key.Service) && is(q.Model, key.Model) && is(q.Version, key.Version) {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, ai.Key.Compare)
	return out
}
