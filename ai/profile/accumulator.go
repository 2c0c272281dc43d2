package profile

import (
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Accumulator profiles the inferences of one model version in windows.
//
// Windows are by the records' own timestamps, aligned as ai.WindowAt says. A
// window is handed out once, by Close, when the clock is past its end by
// Options.Lateness and no record came for it for as long; records for a window
// that was handed out are counted as late and left out. A backlog (an old log
// file, a queue after an outage) opens the windows of its time and closes each
// one as it moves on, live traffic beside it or not.
//
// It is not safe for concurrent use.
type Accumulator struct {
	key      ai.Key
	baseline *ai.Baseline
	opt      Options

	slots  []slot           // What the windows' counters are indexed by.
	byName map[string]int32 // Index in slots.
	hints  []int32          // The slot of the i-th feature of the last record,
	hintsP []int32          // and of its i-th class.
	free   []int32          // Slots to use again.
	inputs int              // Slots of features that are not derived.
	// classes is the number of slots of class probabilities.
	classes int
	full    bool // A search for slots to free found none; cleared when a window closes.

	open    []*window
	last    *window // The window of the last record.
	ready   []result
	history closedWindows
	recent  *duplicates
	seq     uint64 // Of records, to notice a feature that a record has twice.

	prediction, confidence int32 // Slots of the derived features, −1 before they are used.
}

// slot is a feature that the accumulator knows.
type slot struct {
	name     string
	hash     uint64
	baseline *ai.FeatureBaseline // Nil where the baseline does not have it.
	kind     ai.Kind             // Missing until the first value.
	derived  bool
}

// window is one open window.
type window struct {
	ai.Window
	counters    []counterAt // By slot; nil counters where it was not seen.
	records     uint64
	inputs      uint64 // Records that the features are about.
	duplicates  uint64
	dropped     ai.Dropped
	first, last time.Time // Timestamps of records.
	opened      time.Time // By the clock.
	touched     time.Time // By the clock.
}

type counterAt struct {
	*Counter
	seen uint64 // Records that had the feature.
	seq  uint64 // The last of them.
}

// NewAccumulator returns an accumulator without records. baseline may be nil.
func NewAccumulator(key ai.Key, baseline *ai.Baseline, opt Options) *Accumulator {
	a := &Accumulator{key: key, opt: opt.withDefaults(), recent: newDuplicates()}
	a.use(baseline)
	return a
}

// Key returns the model version that is profiled.
func (a *Accumulator) Key() ai.Key { return a.key }

// Baseline returns the baseline in use, or nil.
func (a *Accumulator) Baseline() *ai.Baseline { return a.baseline }

// SetBaseline changes the baseline. What open windows have counted so far is
// handed out under the old baseline's id when the window is over; the rest of
// their records are counted under the new one's.
func (a *Accumulator) SetBaseline(b *ai.Baseline) {
	for len(a.open) > 0 {
		a.close(0, false)
	}
	a.use(b)
}

// use starts again with the features of a baseline, which may be nil.
func (a *Accumulator) use(b *ai.Baseline) {
	a.baseline = b
	a.slots, a.free, a.hints, a.hintsP = nil, nil, nil, nil
	a.byName = make(map[string]int32)
	a.inputs, a.classes, a.full = 0, 0, false
	a.prediction, a.confidence = -1, -1
	if b == nil {
		return
	}
	names := make([]string, 0, len(b.Features))
	for name := range b.Features {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a.addSlot(name)
	}
}

// Add counts one inference, which must be valid. now is the clock: a record
// without a timestamp gets it. It reports whether the record was counted; those
// which were not are in the next profile's Dropped.
func (a *Accumulator) Add(inf *ai.Inference, now time.Time) bool {
	ts := inf.Timestamp
	if ts.IsZero() {
		ts = now
	}
	w := a.window(ts, now)
	if w == nil {
		return false
	}
	a.seq++
	w.touched = now
	w.records++
	if w.records == 1 || ts.Before(w.first) {
		w.first = ts
	}
	if ts.After(w.last) {
		w.last = ts
	}
	if len(inf.Features) > 0 || !inf.Failed() {
		w.inputs++
		a.addFeatures(w, inf.Features)
	}
	a.addAnswer(w, inf)
	return true
}

// addFeatures counts the inputs of a record.
func (a *Accumulator) addFeatures(w *window, features []ai.Feature) {
	var row uint64
	for len(a.hints) < len(features) {
		a.hints = append(a.hints, -1)
	}
	for i := range features {
		f := &features[i]
		s := a.hints[i]
		if s < 0 || a.slots[s].name != f.Name {
			var ok bool
			if s, ok = a.slot(f.Name); !ok {
				w.dropped.Features++
				continue
			}
			a.hints[i] = s
		}
		row += a.recent.feature(a.slots[s].hash, f.Value)
		a.update(w, s, f.Value)
	}
	if len(features) > 0 && a.recent.row(row) {
		w.duplicates++
	}
}

// addAnswer counts the prediction and the probabilities of a record. A failed
// inference without an answer is not one with a missing answer.
func (a *Accumulator) addAnswer(w *window, inf *ai.Inference) {
	if !inf.Prediction.IsMissing() || !inf.Failed() && a.prediction >= 0 {
		if a.prediction < 0 {
			a.prediction, _ = a.slot(ai.PredictionFeature)
		}
		a.update(w, a.prediction, inf.Prediction)
	}
	if len(inf.Probabilities) == 0 {
		return
	}
	var best float64
	for i := range inf.Probabilities {
		c := &inf.Probabilities[i]
		best = max(best, c.P)
		if i == len(a.hintsP) {
			a.hintsP = append(a.hintsP, -1)
		}
		s := a.hintsP[i]
		if s < 0 || a.slots[s].name[len(ai.ProbabilityPrefix):] != c.Class {
			var ok bool
			if s, ok = a.classSlot(c.Class); !ok {
				w.dropped.Classes++
				continue
			}
			a.hintsP[i] = s
		}
		a.update(w, s, ai.Number(c.P))
	}
	if a.confidence < 0 {
		a.confidence, _ = a.slot(ai.ConfidenceFeature)
	}
	a.update(w, a.confidence, ai.Number(best))
}

// update counts one value of the feature in slot s.
func (a *Accumulator) update(w *window, s int32, v ai.Value) {
	if v.Dim() > a.opt.MaxVectorDim {
		w.dropped.Vectors++
		return
	}
	for int(s) >= len(w.counters) {
		w.counters = append(w.counters, counterAt{})
	}
	c := &w.counters[s]
	if c.seq == a.seq {
		w.dropped.Repeated++
		return
	}
	c.seq = a.seq
	c.seen++
	if c.Counter == nil {
		sl := &a.slots[s]
		if sl.kind == ai.KindMissing {
			sl.kind = v.Kind()
		}
		if sl.kind == ai.KindMissing {
			return // Nulls only, so far: seen says how many.
		}
		c.Counter = a.newCounter(sl)
		// What was seen before this value were nulls.
		c.p.Missing = c.seen - 1
	}
	c.Update(v)
}

func (a *Accumulator) newCounter(sl *slot) *Counter {
	if sl.baseline != nil {
		return NewCounter(sl.baseline.Kind, sl.baseline.Bins)
	}
	return NewCounter(sl.kind, nil)
}

// slot returns the slot of a feature, and makes one where there is room.
func (a *Accumulator) slot(name string) (int32, bool) {
	if s, ok := a.byName[name]; ok {
		return s, true
	}
	if name == "" {
		return -1, false
	}
	if !ai.Derived(name) && a.inputs >= a.opt.MaxFeatures && !a.reclaim() {
		return -1, false
	}
	return a.addSlot(strings.Clone(name)), true
}

// classSlot returns the slot of a class's probability, and makes one where there
// is room.
func (a *Accumulator) classSlot(class string) (int32, bool) {
	name := ai.ProbabilityPrefix + class
	if s, ok := a.byName[name]; ok {
		return s, true
	}
	if a.classes >= a.opt.MaxClasses {
		return -1, false
	}
	return a.addSlot(name), true
}

func (a *Accumulator) addSlot(name string) int32 {
	sl := slot{name: name, hash: a.recent.name(name), derived: ai.Derived(name)}
	if a.baseline != nil {
		if fb := a.baseline.Features[name]; fb != nil {
			sl.baseline, sl.kind = fb, fb.Kind
		}
	}
	switch {
	case !sl.derived:
		a.inputs++
	case strings.HasPrefix(name, ai.ProbabilityPrefix):
		a.classes++
	case name == ai.PredictionFeature:
		a.prediction = int32(len(a.slots))
	case name == ai.ConfidenceFeature:
		a.confidence = int32(len(a.slots))
	}
	var s int32
	if n := len(a.free); n > 0 && !sl.derived {
		s, a.free = a.free[n-1], a.free[:n-1]
		a.slots[s] = sl
	} else {
		s = int32(len(a.slots))
		a.slots = append(a.slots, sl)
	}
	a.byName[name] = s
	return s
}

// reclaim frees the slots of features that neither the baseline nor an open
// window has, and reports whether there were any. Names that came once (a typing
// error, an attack) do not keep others out for good.
func (a *Accumulator) reclaim() bool {
	if a.full {
		return false
	}
	for s := range a.slots {
		sl := &a.slots[s]
		if sl.derived || sl.baseline != nil || sl.name == "" || a.inUse(s) {
			continue
		}
		delete(a.byName, sl.name)
		*sl = slot{}
		a.free = append(a.free, int32(s))
		a.inputs--
	}
	a.full = a.inputs >= a.opt.MaxFeatures
	return !a.full
}

func (a *Accumulator) inUse(s int) bool {
	for _, w := range a.open {
		if s < len(w.counters) && w.counters[s].seen > 0 {
			return true
		}
	}
	return false
}
