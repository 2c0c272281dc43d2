package performance

import (
	"strings"

	"github.com/modelwatch/modelwatch/ai"
)

// Predictions counts what a classifier said and how sure it was, without
// labels: what performance is estimated from. It keeps the model's own
// probabilities, so the same counts can be read again under another
// calibration. Merging is addition. The zero Predictions is empty and ready; it
// is not safe for concurrent use.
type Predictions struct {
	// top has the probability of the predicted class, all on side 0.
	top scores
	// binary has the probability of the positive class; side 1 where it was predicted.
	binary   scores
	positive string
	mixed    bool

	answers uint64 // Answers that are a class.
	numbers uint64 // Answers that are a number without probabilities.
	silent  uint64 // Answers without the probability of the predicted class.
}

// Observe counts one answer.
func (p *Predictions) Observe(o *Options, inf *ai.Inference) {
	if len(inf.Probabilities) == 0 && o.Task != TaskClassification && inf.Prediction.Kind() == ai.KindNumber ||
		o.Task == TaskRegression {
		if !inf.Prediction.IsMissing() {
			p.numbers++
		}
		return
	}
	a, ok := o.readAnswer(inf)
	if !ok {
		return
	}
	p.answers++
	if !a.hasConfidence {
		p.silent++
		return
	}
	p.top.add(a.confidence, 0)
	if !a.binary {
		p.mixed = true
		return
	}
	if p.positive == "" {
		p.positive = strings.Clone(a.positive)
	}
	if p.positive != a.positive {
		p.mixed = true
		return
	}
	side := 0
	if a.predicted == a.positive {
		side = 1
	}
	p.binary.add(a.score, side)
}

// Merge adds what o counted; o is not changed.
func (p *Predictions) Merge(o *Predictions) {
	p.answers += o.answers
	p.numbers += o.numbers
	p.silent += o.silent
	p.mixed = p.mixed || o.mixed
	p.top.merge(&o.top)
	switch {
	case o.positive == "":
	case p.positive == "" || p.positive == o.positive:
		p.positive = o.positive
		p.binary.merge(&o.binary)
	default:
		p.mixed = true
	}
}

// N returns the number of answers that estimates can be made from.
func (p *Predictions) N() uint64 { return p.top.total() }

func (p *Predictions) reset() {
	p.top.reset()
	p.binary.reset()
	*p = Predictions{top: p.top, binary: p.binary}
}

// whyNoEstimate says in a sentence why performance cannot be estimated; it is
// empty where it can.
func (p *Predictions) whyNoEstimate() string {
	switch {
	case p.N() > 0:
		return ""
	case p.answers == 0 && p.numbers == 0:
		return "no predictions"
	case p.answers == 0:
		return "the model answers with numbers: without labels nothing is known of its error"
	default:
		return "no prediction came with the probability of its class"
	}
}
