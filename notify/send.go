package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
)

// Send hands alerts over. It makes a Manager a Sender for the rule manager of
// Prometheus. An alert that is not valid is counted and logged, and does not keep
// the others back.
func (m *Manager) Send(alerts ...*notifier.Alert) {
	if err := m.Put(context.Background(), alerts...); err != nil {
		m.logger.Error("Alerts were refused", "err", err)
	}
}

// Put hands alerts over and returns once they are routed on their way; it does
// not wait for notifications. The error joins what is wrong with each alert that
// is not valid; the others are taken all the same.
//
// As in Alertmanager's API, an alert without a start starts now (or at its end),
// and one without an end is resolved after resolve_timeout unless it is sent again.
// Alerts may be reused by the caller afterwards.
func (m *Manager) Put(ctx context.Context, alerts ...*notifier.Alert) error {
	now := time.Now()
	timeout := time.Duration(m.live.Load().prepared.cfg.Global.ResolveTimeout)
	valid := make([]*alert.Alert, 0, len(alerts))
	var errs []error
	for _, in := range alerts {
		a := convert(in, now, timeout)
		if a.ResolvedAt(now) {
			m.received.WithLabelValues("resolved").Inc()
		} else {
			m.received.WithLabelValues("firing").Inc()
		}
		if err := a.Validate(); err != nil {
			m.invalid.Inc()
			errs = append(errs, fmt.Errorf("alert %s: %w", in.Labels, err))
			continue
		}
		valid = append(valid, a)
	}
	if err := m.alerts.Put(eventrecorder.WithEventRecording(ctx), valid...); err != nil {
		errs = append(errs, fmt.Errorf("store alerts: %w", err))
	}
	return errors.Join(errs...)
}

// convert turns an alert as Prometheus sends it into one as Alertmanager holds it.
func convert(in *notifier.Alert, now time.Time, timeout time.Duration) *alert.Alert {
	a := &alert.Alert{
		Alert: model.Alert{
			Labels:       labelSet(in.Labels, false),
			Annotations:  labelSet(in.Annotations, true),
			StartsAt:     in.StartsAt,
			EndsAt:       in.EndsAt,
			GeneratorURL: in.GeneratorURL,
		},
		UpdatedAt: now,
	}
	if a.StartsAt.IsZero() {
		if a.StartsAt = a.EndsAt; a.EndsAt.IsZero() {
			a.StartsAt = now
		}
	}
	if a.EndsAt.IsZero() {
		a.Timeout = true
		a.EndsAt = now.Add(timeout)
	}
	return a
}

// labelSet converts labels. An empty label is as good as an absent one, an empty
// annotation is not.
func labelSet(ls labels.Labels, keepEmpty bool) model.LabelSet {
	set := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) {
		if keepEmpty || l.Value != "" {
			set[model.LabelName(l.Name)] = model.LabelValue(l.Value)
		}
	})
	return set
}
