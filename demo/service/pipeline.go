package service

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

// BehaviourFeatures is how many behaviour features the model was trained with.
const BehaviourFeatures = 100

// BehaviourName is the name of the n-th behaviour feature, from 1.
func BehaviourName(n int) string { return fmt.Sprintf("behaviour_%03d", n) }

// Reference is what a feature looked like in the training data.
type Reference struct {
	// Mean and StdDev are in the feature's own unit.
	Mean, StdDev float64
}

// TrainingData describes the training data of a feature: ages of 18 to 60 and
// incomes of 3,000 to 10,000, both uniform, and behaviours around 1. It
// reports false for a feature that was not in it.
func TrainingData(name string) (Reference, bool) {
	switch name {
	case "age":
		return Reference{Mean: 39, StdDev: math.Sqrt((43*43 - 1) / 12.0)}, true
	case "income":
		return Reference{Mean: 6500, StdDev: 7000 / math.Sqrt(12)}, true
	}
	var n int
	if _, err := fmt.Sscanf(name, "behaviour_%03d", &n); err == nil && n >= 1 && n <= BehaviourFeatures && name == BehaviourName(n) {
		return Reference{Mean: 1, StdDev: 0.25}, true
	}
	return Reference{}, false
}

// features is one row of input, in order of name. A missing value is NaN.
type features struct {
	names  []string
	values []float64
}

func (f features) asMap() map[string]any {
	m := make(map[string]any, len(f.names))
	for i, name := range f.names {
		m[name] = nil
		if !math.IsNaN(f.values[i]) {
			m[name] = f.values[i]
		}
	}
	return m
}

// pipeline makes the model's input of what a request brings. The upstream
// faults live here.
type pipeline struct {
	mu    sync.Mutex
	count int // features of the row before
}

// change tells that rows have another number of features than before.
type change struct{ before, after int }

func (p *pipeline) run(asked map[string]*float64, faults *faults, noise *noise) (features, *change) {
	row := make(map[string]float64, 2*len(asked))
	for name, value := range asked {
		row[name] = math.NaN()
		if value != nil {
			row[name] = *value
		}
	}
	if age, ok := row["age"]; ok && faults.on(Drift) {
		row["age"] = age * 1.4
	}
	if _, ok := row["income"]; ok && faults.on(Missing) && noise.float() < 0.6 {
		row["income"] = math.NaN()
	}
	if faults.on(Features) || faults.on(Rollout) {
		for n := 1; n <= BehaviourFeatures; n++ {
			this, ok := row[BehaviourName(n)]
			next, okNext := row[BehaviourName(n%BehaviourFeatures+1)]
			if ok && okNext {
				row[BehaviourName(BehaviourFeatures+n)] = this * next
			}
		}
	}
	var f features
	for name := range row {
		f.names = append(f.names, name)
	}
	slices.Sort(f.names)
	for _, name := range f.names {
		f.values = append(f.values, row[name])
	}
	return f, p.note(len(f.names))
}

func (p *pipeline) note(count int) *change {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.count
	p.count = count
	if before == 0 || before == count {
		return nil
	}
	return &change{before, count}
}
