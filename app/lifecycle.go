package app

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// cleanups is a stack of named steps that undo the set-up, last in first out.
type cleanups struct {
	steps []cleanup
}

type cleanup struct {
	name string
	run  func() error
}

// add registers a step. It is called as soon as there is something to undo.
func (c *cleanups) add(name string, run func() error) {
	c.steps = append(c.steps, cleanup{name, run})
}

// run runs all steps, last in first out, whatever fails, and joins the errors.
// A step is run once even if run is called again.
func (c *cleanups) run(logger *slog.Logger) error {
	var errs []error
	for i, step := range slices.Backward(c.steps) {

		c.steps = c.steps[:i]
		start := time.Now()
		if err := step.run(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
		}
		if took := time.Since(start); took > time.Second {
			logger.Warn("Stopping took long", "part", step.name, "seconds", took.Seconds())
		}
	}
	return errors.Join(errs...)
}
