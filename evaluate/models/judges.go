package models

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/quality"
)

// Judging says how strict verdicts are. The zero value means the defaults.
type Judging struct {
	Drift       drift.Options
	Quality     quality.Options
	Performance performance.Settings
	// NoClassifier switches the judgement of all features together off.
	NoClassifier bool
}

// Judges are what judges windows, by the name of the model. They are immutable.
type Judges struct {
	all     *judge
	byModel map[string]*judge
}

type judge struct {
	Judging
	drift *drift.Evaluator
}

// NewJudges returns judges for all models, and those that differ by the name of the
// model. Errors name every bad option.
func NewJudges(all Judging, byModel map[string]Judging) (*Judges, error) {
	j := &Judges{byModel: make(map[string]*judge)}
	var err error
	if j.all, err = newJudge(all); err != nil {
		return nil, err
	}
	var errs []error
	for _, model := range slices.Sorted(maps.Keys(byModel)) {
		if j.byModel[model], err = newJudge(byModel[model]); err != nil {
			errs = append(errs, fmt.Errorf("model %q: %w", model, err))
		}
	}
	return j, errors.Join(errs...)
}

func newJudge(o Judging) (*judge, error) {
	if err := errors.Join(o.Quality.Validate(), o.Performance.Validate()); err != nil {
		return nil, err
	}
	e, err := drift.NewEvaluator(o.Drift)
	if err != nil {
		return nil, err
	}
	return &judge{o, e}, nil
}

func (j *Judges) of(model string) *judge {
	if one := j.byModel[model]; one != nil {
		return one
	}
	return j.all
}

// Apply takes other judges, for the windows that are judged from now on.
func (e *Engine) Apply(j *Judges) { e.judges.Store(j) }
