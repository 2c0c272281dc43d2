package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
)

// What follows bounds the judgement of all features together, for which records of a
// window are compared with records of the baseline: memory of the records, and the
// number of judgements, each of which takes about 25 ms of a processor.
const (
	togetherRows     = 150 // Of a window and of a baseline.
	togetherFeatures = 200
	togetherBytes    = 256 << 10 // Of one sample.
	togetherMemory   = 64 << 20  // Of all windows.
	togetherRate     = 2         // Judgements a second: five percent of a processor.
	togetherBurst    = 120
)

// sample is an even sample of records: the values of some features, encoded. Vectors
// are left out, and so are records without any feature.
type sample struct {
	Features []string
	Rows     [][]byte

	index map[string]int
	row   []ai.Value // Scratch.
	seen  uint64
	bytes int
	limit int // Of rows; less than togetherRows once there is no more memory.
}

func newSample(features []string) *sample {
	s := &sample{Features: features, index: make(map[string]int, len(features)), limit: togetherRows}
	for i, name := range features {
		s.index[name] = i
	}
	return s
}

// add takes one record, keeps no reference to it, and returns by how many bytes the
// sample has grown; room is how many there are.
func (s *sample) add(inf *ai.Inference, room int) int {
	if len(inf.Features) == 0 {
		return 0
	}
	s.seen++
	at := len(s.Rows)
	if at >= s.limit {
		// The sample depends on the count alone, as that of collector does.
		if at = int(mix(s.seen) % s.seen); at >= len(s.Rows) {
			return 0
		}
	}
	s.row = slices.Grow(s.row[:0], len(s.Features))[:len(s.Features)]
	clear(s.row)
	for i := range inf.Features {
		if f, ok := s.index[inf.Features[i].Name]; ok && inf.Features[i].Value.Kind() != ai.KindVector {
			s.row[f] = inf.Features[i].Value
		}
	}
	var row []byte
	for _, v := range s.row {
		row = appendValue(row, v)
	}
	if at < len(s.Rows) {
		grown := len(row) - len(s.Rows[at])
		s.Rows[at], s.bytes = row, s.bytes+grown
		return grown
	}
	if s.bytes+len(row) > togetherBytes || len(row) > room {
		s.limit = len(s.Rows)
		return 0
	}
	s.Rows, s.bytes = append(s.Rows, row), s.bytes+len(row)
	return len(row)
}

// values decodes the rows; those that are damaged are left out.
func (s *sample) values() [][]ai.Value {
	out := make([][]ai.Value, 0, len(s.Rows))
	for _, b := range s.Rows {
		d, row := rowDecoder{b}, make([]ai.Value, len(s.Features))
		for i := range row {
			row[i] = d.value()
		}
		if d.b != nil && len(d.b) == 0 {
			out = append(out, row)
		}
	}
	return out
}

// sampleOf returns a sample of the collected records for the baseline made of them;
// nil where they have no feature that may be kept.
func (c *collector) sampleOf(b *ai.Baseline, private func(string) bool) *sample {
	s := sampleFor(b, private)
	if s == nil {
		return nil
	}
	for _, row := range c.rows {
		if inf, err := decodeRow(row); err == nil {
			s.add(inf, togetherBytes)
		}
	}
	return s
}

// sampleOfSpan returns a sample of the single inferences that are kept of the span of a
// baseline; nil where there are none.
func (e *Engine) sampleOfSpan(ctx context.Context, b *baseline) *sample {
	s := sampleFor(b.Baseline, e.opt.Private)
	if s == nil || e.opt.Records == nil {
		return nil
	}
	err := e.opt.Records(ctx, b.Key, b.info.From, b.info.To.Add(1), 10*togetherRows, func(inf *ai.Inference) { s.add(inf, togetherBytes) })
	if err != nil {
		e.log.Warn("A baseline has no single records to judge all features together by", "baseline", b.ID, "model", b.Key.String(), "err", err)
		return nil
	}
	if len(s.Rows) == 0 {
		return nil
	}
	return s
}

// taken checks a sample of an imported document, and leaves out what is private here;
// nil where nothing is left.
func (s *sample) taken(b *ai.Baseline, private func(string) bool) (*sample, error) {
	if s == nil {
		return nil, nil
	}
	if len(s.Rows) > togetherRows || len(s.Features) > togetherFeatures {
		return nil, fmt.Errorf("sample: it has %d rows of %d features, the limits are %d and %d", len(s.Rows), len(s.Features), togetherRows, togetherFeatures)
	}
	for i, name := range s.Features {
		if f := b.Features[name]; f == nil || ai.Derived(name) || f.Kind == ai.KindVector || slices.Contains(s.Features[:i], name) {
			return nil, fmt.Errorf("sample: %q is no feature of the baseline that it can have, or is there twice", name)
		}
	}
	rows := s.values()
	if len(rows) < len(s.Rows) {
		return nil, fmt.Errorf("sample: %d of %d rows are damaged", len(s.Rows)-len(rows), len(s.Rows))
	}
	out := newSample(slices.DeleteFunc(slices.Clone(s.Features), func(name string) bool { return private != nil && private(name) }))
	for _, row := range rows {
		inf := ai.Inference{Features: make([]ai.Feature, 0, len(row))}
		for i, v := range row {
			inf.Features = append(inf.Features, ai.Feature{Name: s.Features[i], Value: v})
		}
		out.add(&inf, togetherBytes)
	}
	if len(out.Features) == 0 || len(out.Rows) == 0 {
		return nil, nil
	}
	return out, nil
}

// sampleFor returns an empty sample of the features of a baseline that may be kept; nil
// where there are none.
func sampleFor(b *ai.Baseline, private func(string) bool) *sample {
	var features []string
	for name, f := range b.Features {
		if !ai.Derived(name) && f.Kind != ai.KindVector && (private == nil || !private(name)) {
			features = append(features, name)
		}
	}
	slices.Sort(features)
	if n := len(features); n > togetherFeatures {
		for i := range togetherFeatures {
			features[i] = features[i*n/togetherFeatures]
		}
		features = features[:togetherFeatures]
	}
	if len(features) == 0 {
		return nil
	}
	return newSample(features)
}

// observe adds a record to the sample of a window, as far as the memory of all windows
// allows.
func (w *window) observe(inf *ai.Inference, memory *int) {
	if w.sample != nil {
		*memory += w.sample.add(inf, togetherMemory-*memory)
	}
}

// joinSamples returns the records of two windows of one baseline.
func joinSamples(a, b *sample) *sample {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	out := *a
	out.Rows = slices.Concat(a.Rows, b.Rows)
	return &out
}

// tokens allow so many judgements for now.
type tokens struct {
	left float64
	at   time.Time
}

func (t *tokens) take(now time.Time) bool {
	if t.at.IsZero() {
		t.left = togetherBurst
	} else if d := now.Sub(t.at).Seconds(); d > 0 {
		t.left = min(t.left+togetherRate*d, togetherBurst)
	}
	t.at = now
	if t.left < 1 {
		return false
	}
	t.left--
	return true
}

// together judges all features at once: can a classifier tell the records of the window
// from those of the baseline? ok is false where there is nothing to say about it. The
// caller holds ticking.
func (e *Engine) together(j *judge, w *closedWindow, now time.Time) (r drift.Result, ok bool) {
	if w.together != nil {
		return *w.together, true // As it was before a restart.
	}
	if j.NoClassifier || w.baseline == nil {
		return r, false
	}
	r = drift.Result{Feature: ai.AllFeatures, Verdict: ai.VerdictUnknown, Method: drift.MethodClassifier, Direction: ai.Above}
	switch {
	case w.baseline.sample == nil:
		r.Reason = "the baseline has no single records to compare with: " + whyNoRecords(w.baseline.Source)
		return r, true
	case w.sample == nil || w.profile.Inputs < uint64(j.Drift.MinRows):
		return r, false
	case !e.allowance.take(now):
		r.Reason = "all classifiers together may not take more of a processor"
		return r, true
	}
	m, _ := drift.MethodByID(drift.MethodClassifier)
	threshold := m.Threshold
	if t, set := j.Drift.Thresholds[drift.MethodClassifier]; set {
		threshold = t
	}
	res, err := drift.Classify(w.baseline.sample.values(), w.sample.values(), drift.ClassifierOptions{
		MaxRows: togetherRows, Permutations: 200, Seed: uint64(w.Start.UnixNano()),
		Alpha: j.Drift.Alpha, PossibleAlpha: j.Drift.PossibleAlpha, Threshold: threshold,
	})
	if err != nil {
		r.Reason = strings.TrimPrefix(err.Error(), "classify: ")
		return r, true
	}
	res.Feature = ai.AllFeatures
	if res.Verdict != ai.VerdictUnknown {
		res.Tests = []drift.Test{{
			Method: res.Method, Statistic: res.Statistic, Score: res.Score, Threshold: res.Threshold, PValue: res.PValue,
			Weight: 1, BaselineRows: res.BaselineRows, WindowRows: res.WindowRows,
		}}
	}
	return res, true
}

// whyNoRecords says why a baseline has no sample.
func whyNoRecords(source ai.Source) string {
	if source == ai.SourceRange {
		return "none of its span were kept when it was made (inferences.raw), or it was imported from an export without them"
	}
	return "it was imported from an export without them, or may keep no feature (inferences.raw.exclude, inferences.raw.hash)"
}
