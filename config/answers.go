package config

import "github.com/modelwatch/modelwatch/ai/performance"

// Model is what is set for the model of one name.
type Model struct {
	Judging `yaml:",inline"`
	Answers `yaml:",inline"`
}

// Answers says how the answers of a model are read. It is taken over at a start,
// since windows that are open were counted by it.
type Answers struct {
	// Task is classification or regression; by default answers tell by what they
	// are.
	Task string `yaml:"task,omitempty"`
	// PositiveClass is the class that precision and recall are about, where there
	// are two.
	PositiveClass string `yaml:"positive_class,omitempty"`
}

// Options returns the settings as the analysis takes them.
func (a Answers) Options() performance.Options {
	return performance.Options{Task: performance.Task(a.Task), PositiveClass: a.PositiveClass}
}

func (a Answers) validate(add func(reason, hint string, path ...string), at ...string) {
	switch performance.Task(a.Task) {
	case performance.TaskAuto, performance.TaskClassification:
	case performance.TaskRegression:
		if a.PositiveClass != "" {
			add("there are no classes where the task is regression", "leave it out, or use task: classification", append(at, "positive_class")...)
		}
	default:
		add("task "+a.Task+" is not known", "use classification or regression, or leave it out to tell by the answers", append(at, "task")...)
	}
}

// Answers are how the answers of models are read, by name, where that is set.
func (c Inferences) Answers() map[string]Answers {
	out := map[string]Answers{}
	for name, m := range c.Models {
		if m.Answers != (Answers{}) {
			out[name] = m.Answers
		}
	}
	return out
}
