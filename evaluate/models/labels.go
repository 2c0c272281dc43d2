package models

import (
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
)

// Labelled is the truth of one inference joined with what the model had said.
type Labelled struct {
	Key           ai.Key
	Prediction    ai.Value
	Probabilities []ai.ClassProbability
	Label         ai.Value
	// PredictedAt is when the inference was made.
	PredictedAt time.Time
}

// labels counts the truth by when the inferences were made: in short buckets for
// recent ones, longer ones the older they get, so that memory is bounded however
// late labels come.
type labels struct {
	task    performance.Options
	buckets []*labelBucket // By start; they do not overlap.
	newest  time.Time      // PredictedAt of the newest labelled inference.
	late    uint64         // Labels past the horizon.
	odd     uint64         // Labels that cannot be compared with the prediction.
}

type labelBucket struct {
	ai.Window
	counts *performance.Window
}

// at returns the window of the bucket for inferences of a time: ten windows long
// within the last two hundred, sixty within the last two thousand, then a day's.
func (l *labels) at(t time.Time, window time.Duration) ai.Window {
	for _, level := range [...]struct{ length, after time.Duration }{{24 * 60 * window, 2000 * window}, {60 * window, 200 * window}} {
		if at := ai.WindowAt(t, level.length); l.newest.Sub(at.End()) >= level.after {
			return at
		}
	}
	return ai.WindowAt(t, 10*window)
}

// add counts one label.
func (l *labels) add(in *Labelled, inf *ai.Inference, opt *Options) {
	if in.PredictedAt.After(l.newest) {
		l.newest = in.PredictedAt
		l.compact(opt)
	}
	if l.newest.Sub(in.PredictedAt) > opt.Labels.Horizon {
		l.late++
		return
	}
	if !l.bucket(in.PredictedAt, opt).counts.ObserveLabel(inf, in.Label) {
		l.odd++
	}
}

// bucket returns the bucket of a time, and makes it if there is none.
func (l *labels) bucket(t time.Time, opt *Options) *labelBucket {
	for _, v := range slices.Backward(l.buckets) {
		if v.Contains(t) {
			return v
		}
	}
	b := &labelBucket{Window: l.at(t, opt.Windows.Length), counts: performance.NewWindow(l.task)}
	i, _ := slices.BinarySearchFunc(l.buckets, b.Start, func(b *labelBucket, t time.Time) int { return b.Start.Compare(t) })
	l.buckets = slices.Insert(l.buckets, i, b)
	// A bucket for an old time takes in the short ones that it covers.
	l.buckets = slices.DeleteFunc(l.buckets, func(o *labelBucket) bool {
		if o == b || o.Start.Before(b.Start) || o.End().After(b.End()) {
			return false
		}
		b.counts.Merge(o.counts)
		return true
	})
	return b
}

// compact joins buckets that have become old, and drops those past the horizon.
func (l *labels) compact(opt *Options) {
	var out []*labelBucket
	for _, b := range l.buckets {
		if l.newest.Sub(b.End()) > opt.Labels.Horizon {
			continue
		}
		at := l.at(b.Start, opt.Windows.Length)
		if at.Length < b.Length {
			at = b.Window
		}
		if n := len(out); n > 0 && out[n-1].Window == at {
			out[n-1].counts.Merge(b.counts)
			continue
		}
		out = append(out, &labelBucket{Window: at, counts: b.counts})
	}
	l.buckets = out
}

// current returns what is measured of the newest labelled inferences; nil where
// there are none, or none that say something of now.
func (l *labels) current(now time.Time, opt *Options) *performance.Window {
	if l.newest.IsZero() || now.Sub(l.newest) > opt.Labels.Stale {
		return nil
	}
	from := l.newest.Add(-opt.Labels.Span)
	out := performance.NewWindow(l.task)
	for _, b := range l.buckets {
		if b.End().After(from) {
			out.Merge(b.counts)
		}
	}
	if out.Labelled() == 0 {
		return nil
	}
	return out
}
