package performance

import (
	"math"
	"strconv"

	"github.com/modelwatch/modelwatch/ai"
)

// Task says what a model answers.
type Task string

// The tasks. With TaskAuto a record counts as regression where prediction and
// label are numbers and no probabilities were given, and as classification
// otherwise. A classifier that answers with numbers and gives no
// probabilities needs TaskClassification.
const (
	TaskAuto           Task = ""
	TaskClassification Task = "classification"
	TaskRegression     Task = "regression"
)

// Options says how answers are read.
type Options struct {
	Task Task `json:"task,omitempty"`
	// PositiveClass is the class that precision, recall, F1 and the area under the
	// curve are about, where there are two classes. By default it is the greater
	// of the two names: as numbers if both are, by text otherwise ("1" of "0" and
	// "1", "yes" of "no" and "yes"), as scikit-learn has it.
	PositiveClass string `json:"positive_class,omitempty"`
	// MaxClasses bounds the classes told apart; further ones share one. 0 means
	// DefaultMaxClasses.
	MaxClasses int `json:"max_classes,omitempty"`
}

// DefaultMaxClasses is the default of Options.MaxClasses.
const DefaultMaxClasses = 64

// OtherClass is the class that counts all past Options.MaxClasses.
const OtherClass = "(other)"

// answer is what a classifier said about one record.
type answer struct {
	predicted string
	// confidence is the probability of the predicted class.
	confidence    float64
	hasConfidence bool
	// binary is whether there were one or two probabilities; score is then that of
	// the positive class.
	binary   bool
	positive string
	score    float64
}

// readAnswer reads the prediction and the probabilities of a classifier. ok is
// false where there is neither.
func (o *Options) readAnswer(inf *ai.Inference) (a answer, ok bool) {
	probs := probabilities(inf)
	switch len(probs) {
	case 0:
		a.predicted = category(inf.Prediction)
		return a, a.predicted != ""
	case 1:
		a.binary, a.positive, a.score = true, probs[0].Class, probs[0].P
	case 2:
		a.binary = true
		positive := probs[o.greater(probs[0].Class, probs[1].Class)]
		a.positive, a.score = positive.Class, positive.P
	}
	if inf.Prediction.IsMissing() {
		best := 0
		for i := range probs {
			if probs[i].P > probs[best].P {
				best = i
			}
		}
		a.predicted, a.confidence, a.hasConfidence = probs[best].Class, probs[best].P, true
		if len(probs) == 1 && a.score < 0.5 {
			a.predicted, a.confidence = "not "+a.positive, 1-a.score
		}
		return a, true
	}
	a.predicted, a.confidence, a.hasConfidence = lookUp(probs, inf.Prediction)
	return a, a.predicted != ""
}

// probabilities returns the probabilities of an inference, or none where one is
// not between 0 and 1: receivers refuse such records, but sums here must not
// depend on it.
func probabilities(inf *ai.Inference) []ai.ClassProbability {
	for i := range inf.Probabilities {
		if p := inf.Probabilities[i].P; !(p >= 0 && p <= 1) {
			return nil
		}
	}
	return inf.Probabilities
}

// greater returns which of two classes is the positive one.
func (o *Options) greater(first, second string) int {
	switch o.PositiveClass {
	case "":
	case first:
		return 0
	case second:
		return 1
	}
	if startsNumber(first) && startsNumber(second) {
		x, errX := strconv.ParseFloat(first, 64)
		y, errY := strconv.ParseFloat(second, 64)
		if errX == nil && errY == nil && x != y {
			if x > y {
				return 0
			}
			return 1
		}
	}
	if first > second {
		return 0
	}
	return 1
}

func startsNumber(s string) bool {
	return s != "" && (s[0] >= '0' && s[0] <= '9' || s[0] == '-' || s[0] == '.')
}

// lookUp returns the class that v names and its probability. Truth values and
// the numbers 0 and 1 name each other's classes, and 1 and true name the only
// class where one is given, because clients mix them; found is false where the
// value is none of the classes, and class is then its text.
func lookUp(probs []ai.ClassProbability, v ai.Value) (class string, p float64, found bool) {
	class = category(v)
	for i := range probs {
		if probs[i].Class == class {
			return class, probs[i].P, true
		}
	}
	twin := ""
	switch class {
	case "true":
		twin = "1"
	case "false":
		twin = "0"
	case "1":
		twin = "true"
	case "0":
		twin = "false"
	}
	if twin != "" {
		for i := range probs {
			if probs[i].Class == twin {
				return twin, probs[i].P, true
			}
		}
	}
	if len(probs) != 1 {
		return class, 0, false
	}
	if class == "1" || class == "true" {
		return probs[0].Class, probs[0].P, true
	}
	return class, 1 - probs[0].P, true
}

// category is Value.Category without an allocation for small whole numbers.
func category(v ai.Value) string {
	if x, ok := v.Number(); ok && x >= 0 && x < 100 && x == math.Trunc(x) {
		return strconv.Itoa(int(x))
	}
	return v.Category()
}

// sameKind returns the text of a label as its prediction would be written: a
// truth value beside a number is 0 or 1, and the other way round.
func sameKind(label, prediction ai.Value) string {
	if b, ok := label.Bool(); ok && prediction.Kind() == ai.KindNumber {
		if b {
			return "1"
		}
		return "0"
	}
	if x, ok := label.Number(); ok && prediction.Kind() == ai.KindBool {
		switch x {
		case 0:
			return "false"
		case 1:
			return "true"
		}
	}
	return category(label)
}
