package models

import (
	"context"
	"fmt"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// makeBaselines makes the automatic baselines that are ready.
func (e *Engine) makeBaselines(now time.Time) bool {
	var due []*version
	e.mu.Lock()
	for _, v := range e.versions {
		if v.auto != nil && v.baseline == nil && v.auto.ready(now) {
			v.auto.sealed = true
			due = append(due, v)
		}
	}
	e.mu.Unlock()
	made := false
	for _, v := range due {
		if err := e.makeBaseline(v); err != nil {
			e.metrics.failures.Inc()
			e.log.Error("The automatic baseline cannot be made; it will be tried again", "model", v.key.String(), "err", err)
			continue
		}
		made = true
	}
	return made
}

func (e *Engine) makeBaseline(v *version) error {
	e.baselining.Lock()
	defer e.baselining.Unlock()
	e.mu.Lock()
	c := v.auto
	e.mu.Unlock()
	if c == nil {
		return nil // Somebody gave one meanwhile.
	}
	note := fmt.Sprintf("%d records from %s to %s", c.seen, c.from.UTC().Format(time.RFC3339), c.to.UTC().Format(time.RFC3339))
	content, err := c.build(e.meta(v.key, ai.SourceAuto, note, false), e.opt.builderOptions())
	if err != nil {
		return err
	}
	b := &baseline{Baseline: content, counts: c.counts, sample: c.sampleOf(content, e.opt.Private)}
	b.info.From, b.info.To = c.from, c.to
	// The truth is not stored with it but in the checkpoint, with the place in the log
	// up to which it is counted.
	if err := e.store(context.Background(), b, true); err != nil {
		return err
	}
	e.log.Info("Made an automatic baseline", "model", v.key.String(), "baseline", b.ID, "records", b.Rows, "features", b.info.Features)
	return nil
}
