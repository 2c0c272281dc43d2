package performance

import (
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Window is all that is counted of one model version in one span of time. Labels
// belong to the window of their inference, however late they come. Merging is
// addition, so longer windows are merges of shorter ones. It is not safe for
// concurrent use; make one with NewWindow.
type Window struct {
	Options        Options
	Service        Service
	Predictions    Predictions
	Classification *Classification
	Regression     Regression
}

// NewWindow returns an empty window.
func NewWindow(o Options) *Window {
	return &Window{Options: o, Classification: NewClassification(o)}
}

// Observe counts one inference as it arrives. It keeps no reference to it.
func (w *Window) Observe(inf *ai.Inference) {
	w.Service.Observe(inf)
	if !inf.Failed() {
		w.Predictions.Observe(&w.Options, inf)
	}
}

// ObserveLabel counts the truth of an inference that Observe has counted. It
// returns false where the two cannot be compared: no prediction, no label, or
// for a numeric model no number.
func (w *Window) ObserveLabel(inf *ai.Inference, label ai.Value) bool {
	switch w.Options.Task {
	case TaskRegression:
		return w.Regression.Observe(inf, label)
	case TaskClassification:
		return w.Classification.Observe(inf, label)
	default:
		if len(inf.Probabilities) == 0 && w.Regression.Observe(inf, label) {
			return true
		}
		return w.Classification.Observe(inf, label)
	}
}

// Merge adds what o counted; o is not changed.
func (w *Window) Merge(o *Window) {
	if o == nil {
		return
	}
	w.Service.Merge(&o.Service)
	w.Predictions.Merge(&o.Predictions)
	if w.Classification == nil {
		w.Classification = NewClassification(w.Options)
	}
	w.Classification.Merge(o.Classification)
	w.Regression.Merge(&o.Regression)
}

// Reset empties the window and keeps most of its memory.
func (w *Window) Reset() {
	w.Service.Reset()
	w.Predictions.reset()
	w.Classification = NewClassification(w.Options)
	w.Regression = Regression{}
}

// Labelled returns the number of labels counted.
func (w *Window) Labelled() uint64 {
	n := w.Regression.N()
	if w.Classification != nil {
		n += w.Classification.N()
	}
	return n
}

// Reference is the performance side of a baseline: what a model version did on
// reference data or in a past span, and how its probabilities are to be
// read. It is immutable once made.
type Reference struct {
	// Window is all that was counted.
	Window *Window
	// Length is the span that Window covers; 0 where it is no span, as with a file.
	Length time.Duration
	// Top calibrates the probability of the predicted class, Binary that of the
	// positive class where there are two.
	Top, Binary Calibration

	// What is read from Window again and again: the estimate of its own predictions,
	// and its report.
	estimate Estimate
	report   ClassificationReport
}

// NewReference makes a reference of a window, and decides from its labels how
// probabilities are calibrated. The same counts always give the same
// reference. It keeps w, which must not be changed afterwards. Judge takes only
// references that were made here or decoded.
func NewReference(w *Window, length time.Duration) *Reference {
	r := &Reference{Window: w, Length: length}
	if c := w.Classification; c != nil {
		r.Top = calibrate(&c.top.scores)
		r.Binary = calibrate(&c.binary.scores)
		r.report = c.Report()
	}
	r.estimate = r.Estimate(&w.Predictions)
	return r
}

// calibrationNote says what probabilities are taken for.
func (r *Reference) calibrationNote(p *Predictions) string {
	c := &r.Binary
	if p.mixed || p.positive == "" {
		c = &r.Top
	}
	if c.Labelled == 0 {
		return "the baseline has no labels: the model's own probabilities are taken as right"
	}
	return c.Reason
}
