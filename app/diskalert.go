package app

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"

	"github.com/modelwatch/modelwatch/store/metrics"
)

// alertWhenFull tells of a full disk until ctx ends. It is no rule: a rule
// stands on samples, and while the disk is full there may be none.
func (a *App) alertWhenFull(guard *metrics.Guard) func(ctx context.Context) {
	return func(ctx context.Context) {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		var since time.Time
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			now := time.Now()
			switch {
			case guard.Refusing():
				if since.IsZero() {
					since = now
				}
				a.rules.Send(a.diskFull(guard, since, now.Add(time.Minute)))
			case !since.IsZero():
				a.rules.Send(a.diskFull(guard, since, now))
				since = time.Time{}
			}
		}
	}
}

func (a *App) diskFull(guard *metrics.Guard, since, until time.Time) *notifier.Alert {
	return &notifier.Alert{
		Labels: labels.FromStrings(
			"alertname", "ModelwatchDiskFull", "severity", "critical", "service", "modelwatch",
			"job", metrics.SelfJob, "instance", a.self.Instance,
		),
		Annotations: labels.FromStrings(
			"summary", "modelwatch refuses writes: the disk is full",
			"description", fmt.Sprintf("%d bytes are free under %s. Reading and notifying go on. Free some space: writing resumes by itself.", guard.Free(), a.config.Storage.Path),
		),
		StartsAt:     since,
		EndsAt:       until,
		GeneratorURL: a.URL() + "/status",
	}
}
