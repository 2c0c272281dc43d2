package models

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// Row is one record of reference data. Label is missing where the truth is not known.
type Row struct {
	Inference ai.Inference
	Label     ai.Value
}

const (
	// maxReferenceRows and maxReferenceBytes bound what is kept of reference data;
	// longer data is sampled evenly.
	maxReferenceRows  = 20_000
	maxReferenceBytes = 64 << 20
)

// NewBaseline says what baseline is to be made.
type NewBaseline struct {
	Key      ai.Key
	Note     string
	Activate bool
}

// CreateBaseline makes a baseline of reference data. Rows beyond 20,000 are sampled
// evenly; all of them count for performance. An error of rows ends it.
func (e *Engine) CreateBaseline(ctx context.Context, n NewBaseline, rows iter.Seq2[*Row, error]) (BaselineInfo, error) {
	if err := e.complete(&n); err != nil {
		return BaselineInfo{}, err
	}
	task := e.opt.task(n.Key)
	c := newCollector(Auto{Records: maxReferenceRows, Bytes: maxReferenceBytes}, 0, task, e.opt.Clock())
	served := false
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return BaselineInfo{}, err
		}
		inf := &row.Inference
		c.add(inf, inf.Timestamp)
		if !row.Label.IsMissing() {
			c.counts.ObserveLabel(inf, row.Label)
		}
		served = served || inf.HasDuration() || inf.StatusCode != 0 || inf.Error != ""
	}
	if c.seen == 0 {
		return BaselineInfo{}, badRequest("there are no rows: a baseline needs reference data")
	}
	if !served {
		c.counts.Service = performance.Service{} // Rows of a table are no requests.
	}
	if int(c.seen) > len(c.rows) {
		n.Note = joinNotes(n.Note, fmt.Sprintf("%d rows sampled evenly from %d", len(c.rows), c.seen))
	}
	e.baselining.Lock()
	defer e.baselining.Unlock()
	content, err := c.build(e.meta(n.Key, ai.SourceFile, n.Note, true), e.opt.builderOptions())
	if err != nil {
		return BaselineInfo{}, badRequest("%w", err)
	}
	b := &baseline{Baseline: content, counts: c.counts, sample: c.sampleOf(content, e.opt.Private)}
	if err := e.store(ctx, b, n.Activate); err != nil {
		return BaselineInfo{}, err
	}
	return b.info, nil
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// DefaultService is the service of inferences that name none.
const DefaultService = "default"

// complete checks what a baseline is to be of. A service that is not named is the only
// one that has the model, or DefaultService where there is none yet.
func (e *Engine) complete(n *NewBaseline) error {
	probe := ai.Inference{Service: n.Key.Service, Model: n.Key.Model, ModelVersion: n.Key.Version}
	if err := probe.Validate(); err != nil {
		return badRequest("the baseline's %w", err)
	}
	if len(n.Note) > 1000 {
		return badRequest("the note is %d bytes long, the limit is 1000", len(n.Note))
	}
	if n.Key.Service != "" {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var services []string
	for _, v := range e.sorted() {
		if v.key.Model == n.Key.Model && !slices.Contains(services, v.key.Service) {
			services = append(services, v.key.Service)
		}
	}
	switch len(services) {
	case 0:
		n.Key.Service = DefaultService
	case 1:
		n.Key.Service = services[0]
	default:
		return ambiguous(n.Key.Model, services)
	}
	return nil
}

// CreateBaselineFromRange makes a baseline of a past span of a version's own
// inferences, from its stored profiles. Features keep the bins that they were counted
// in then.
func (e *Engine) CreateBaselineFromRange(ctx context.Context, n NewBaseline, from, to time.Time) (BaselineInfo, error) {
	if err := e.complete(&n); err != nil {
		return BaselineInfo{}, err
	}
	if !from.Before(to) {
		return BaselineInfo{}, badRequest("the range ends at %s, which is not after its start at %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	windows, err := e.stored(ctx, n.Key, from, to)
	if err != nil {
		return BaselineInfo{}, err
	}
	if len(windows) == 0 {
		return BaselineInfo{}, notFound("%s has no stored windows between %s and %s: GET /ai/v1/models/%s/versions/%s shows those it has",
			n.Key, from.Format(time.RFC3339), to.Format(time.RFC3339), n.Key.Model, versionPath(n.Key.Version))
	}
	b, err := e.sumBaseline(ctx, n, windows) // Judging does not wait for what it reads.
	if err != nil {
		return BaselineInfo{}, err
	}
	e.baselining.Lock()
	defer e.baselining.Unlock()
	if err := e.store(ctx, b, n.Activate); err != nil {
		return BaselineInfo{}, err
	}
	return b.info, nil
}

// stored reads the windows of a span, in the longest windows that fit it and the
// shorter ones at its ends.
func (e *Engine) stored(ctx context.Context, key ai.Key, from, to time.Time) ([]storedWindow, error) {
	levels := append([]time.Duration{e.opt.Windows.Length}, e.opt.levels()...)
	unmade := e.unmade(key, to)
	var out []storedWindow
	at := from
	for at.Before(to) {
		took := false
		for _, length := range slices.Backward(levels) {
			w := ai.WindowAt(at, length)
			if !w.Start.Equal(at) || w.End().After(to) {
				continue
			}
			// Read a run of that length at once.
			until := ai.WindowAt(to, length).Start
			if bigger := slices.Index(levels, length) + 1; bigger < len(levels) {
				if next := ai.WindowAt(at.Add(levels[bigger]-1), levels[bigger]).Start; next.After(at) && next.Before(until) {
					until = next
				}
			}
			if length != levels[0] && until.After(unmade) {
				if until = ai.WindowAt(unmade, length).Start; !until.After(at) {
					continue
				}
			}
			rows, err := e.opt.Profiles.Profiles(ctx, ProfileQuery{Key: key, Length: length, From: at, To: until})
			if err != nil {
				return nil, fmt.Errorf("read stored windows of %s: %w", key, err)
			}
			windows, err := e.coder.decodeWindows(rows)
			if err != nil {
				return nil, err
			}
			out = append(out, windows...)
			at, took = until, true
			break
		}
		if !took {
			at = ai.WindowAt(at, levels[0]).End()
		}
	}
	return out, nil
}

// unmade returns from when on the longer windows of a version may not be made yet.
func (e *Engine) unmade(key ai.Key, to time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := to
	for s := range e.dirty {
		if s.key == key && s.at.Start.Before(first) {
			first = s.at.Start
		}
	}
	return first
}

// sumBaseline makes a baseline of stored windows: those that count in the bins of one
// and the same baseline, which most records do.
func (e *Engine) sumBaseline(ctx context.Context, n NewBaseline, windows []storedWindow) (*baseline, error) {
	records := make(map[string]uint64)
	for _, w := range windows {
		records[w.profile.BaselineID] += w.profile.Inputs
	}
	most := ""
	for id, count := range records {
		if count > records[most] || count == records[most] && id > most {
			most = id
		}
	}
	var old *baseline
	if most != "" {
		var err error
		if old, err = e.readBaseline(ctx, most); err != nil {
			return nil, fmt.Errorf("the bins of that time: %w", err)
		}
	}
	sum := &ai.ModelProfile{Key: n.Key, BaselineID: most}
	b := &baseline{counts: performance.NewWindow(e.opt.task(n.Key))}
	left := uint64(0)
	for _, w := range windows {
		if w.profile.BaselineID != most {
			left += w.profile.Records
			continue
		}
		if err := sum.Merge(w.profile); err != nil {
			return nil, err
		}
		if w.row.Performance != nil {
			b.counts.Merge(w.row.Performance)
		}
		start, end := w.row.Point.Start, w.row.Point.Start.Add(w.row.Point.Length)
		if b.info.From.IsZero() || start.Before(b.info.From) {
			b.info.From = start
		}
		if end.After(b.info.To) {
			b.info.To = end.Add(-1)
		}
	}
	if sum.Inputs == 0 {
		return nil, badRequest("the windows between %s and %s hold no records", b.info.From.Format(time.RFC3339), b.info.To.Format(time.RFC3339))
	}
	if left > 0 {
		n.Note = joinNotes(n.Note, fmt.Sprintf("%d records of that time are not in it, for they were counted in the bins of another baseline", left))
	}
	note := joinNotes(n.Note, fmt.Sprintf("%s to %s", b.info.From.UTC().Format(time.RFC3339), b.info.To.UTC().Format(time.RFC3339)))
	m := e.meta(n.Key, ai.SourceRange, note, true)
	b.Baseline = &ai.Baseline{
		Key: m.Key, ID: m.ID, Number: m.Number, Created: m.Created, Source: m.Source, Note: m.Note, Confirmed: true,
		Rows: sum.Records, Inputs: sum.Inputs, Duplicates: sum.Duplicates, Dropped: sum.Dropped, Features: map[string]*ai.FeatureBaseline{},
	}
	for name, p := range sum.Features {
		var before *ai.FeatureBaseline
		if old != nil {
			before = old.Features[name]
		}
		if fb := featureBaseline(p, before); fb != nil {
			b.Features[name] = fb
		}
	}
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("baseline of a range: %w", err)
	}
	b.sample = e.sampleOfSpan(ctx, b)
	e.addLabels(n.Key, b)
	b.refresh()
	return b, nil
}

// addLabels adds the truth of the inferences of a baseline's span, as far as it is
// counted in buckets within the span.
func (e *Engine) addLabels(key ai.Key, b *baseline) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.versions[key]
	if v == nil {
		return
	}
	for _, l := range v.labels.buckets {
		if !l.Start.Before(b.info.From) && !l.End().Add(-1).After(b.info.To) {
			b.counts.Merge(l.counts)
		}
	}
}

// featureBaseline makes the reference of a feature from its profile, in the bins of
// the baseline before, or those that profiles have without one. Nil where the profile
// does not say enough: categories without bins, of which too many were seen.
func featureBaseline(p *ai.Profile, before *ai.FeatureBaseline) *ai.FeatureBaseline {
	fb := &ai.FeatureBaseline{Kind: p.Kind, Profile: p}
	switch {
	case before != nil && before.Kind == p.Kind && before.Bins.ID() == p.BinsID:
		fb.Bins, fb.Kernel = before.Bins, before.Kernel
	case p.Kind == ai.KindNumber && p.BinsID == ai.DefaultBins().ID():
		fb.Bins = ai.DefaultBins()
	case p.Kind.Categorical() && p.BinsID == 0:
		if !binCategories(fb) {
			return nil
		}
	default:
		return nil
	}
	p = fb.Profile
	fb.Schema = ai.Schema{Kind: p.Kind, Nullable: p.Missing > 0, Optional: p.Absent > 0}
	switch {
	case p.Kind == ai.KindNumber && p.Count > 0:
		fb.Schema.Integer = p.Integers == p.Count
		fb.Schema.Min, fb.Schema.Max = new(p.Min), new(p.Max)
	case p.Kind.Categorical() && p.Count > 0:
		other := p.Counts[len(p.Counts)-1]
		once := uint64(0)
		for i, c := range fb.Bins.Categories {
			if p.Counts[i] > 0 {
				fb.Schema.Categories = append(fb.Schema.Categories, c)
			}
			if p.Counts[i] == 1 {
				once++
			}
		}
		if other > 0 {
			fb.Schema.Categories = nil
		}
		if p.Kind == ai.KindString {
			fb.Unseen = float64(max(other, once)) / float64(p.Count)
		}
	case p.Kind == ai.KindVector && fb.Bins.Projection != nil:
		fb.Schema.Dim = fb.Bins.Projection.Dim
	}
	return fb
}

// binCategories gives categories that were counted without bins a cell each, if all
// of them are known.
func binCategories(fb *ai.FeatureBaseline) bool {
	p := fb.Profile.Clone()
	counts := make(map[string]uint64)
	var sum uint64
	for _, t := range p.Top.Entries {
		if t.Over > 0 {
			return false
		}
		counts[t.Category] = t.Count
		sum += t.Count
	}
	if sum != p.Count || sum == 0 {
		return false
	}
	if p.Kind == ai.KindBool {
		counts["false"] += 0
		counts["true"] += 0
	}
	bins, _, err := profile.FreezeCategories(counts)
	if err != nil {
		return false
	}
	p.BinsID, p.Counts, p.Top = bins.ID(), make([]uint64, bins.Len()), ai.Top{}
	for c, n := range counts {
		p.Counts[bins.CategoryIndex(c)] += n
	}
	fb.Bins, fb.Profile = bins, p
	return true
}

// versionPath is a version as paths of the API have it: "-" stands for none.
func versionPath(version string) string {
	if version == "" {
		return "-"
	}
	return version
}
