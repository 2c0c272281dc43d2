package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

const (
	// maxHanging bounds the attempts of one integration that were given up while
	// the receiver neither answered nor closed the connection.
	maxHanging = 8
	// hangGrace is how long after the end of its context an attempt may return.
	hangGrace = time.Second
)

// recorder is an integration that keeps a record of what it sends.
type recorder struct {
	inner    amnotify.Integration
	receiver string
	redact   *redactor
	journal  *journal
	status   Status // Of a success.
	timeout  time.Duration
	hanging  atomic.Int32 // Attempts that were given up and have not returned.
	gauge    prometheus.Gauge
}

// record wraps the integrations of a receiver. A receiver without any gets one
// that records what would have been sent.
func (m *Manager) record(name string, integrations []amnotify.Integration, redact *redactor) []amnotify.Integration {
	status := Sent
	if len(integrations) == 0 {
		status = Recorded
		integrations = []amnotify.Integration{amnotify.NewIntegration(nowhere{}, nowhere{}, "none", 0, name)}
	}
	wrapped := make([]amnotify.Integration, len(integrations))
	for i, in := range integrations {
		r := &recorder{
			inner: in, receiver: name, redact: redact, journal: m.journal, status: status,
			timeout: m.opts.AttemptTimeout,
			gauge:   m.metrics.hangingAttempts,
		}
		wrapped[i] = amnotify.NewIntegration(r, &in, in.Name(), in.Index(), name)
	}
	return wrapped
}

// nowhere is the integration of a receiver that has none.
type nowhere struct{}

func (nowhere) Notify(context.Context, ...*alert.Alert) (bool, error) { return false, nil }
func (nowhere) SendResolved() bool                                    { return true }

// Notify implements Alertmanager's Notifier: it makes one attempt.
func (r *recorder) Notify(ctx context.Context, alerts ...*alert.Alert) (bool, error) {
	f := flushFrom(ctx)
	o := f.open(r, func() *note { return r.journal.begin(r.describe(ctx, alerts, time.Now())) })
	o.startAttempt()
	attempt, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	retry, err := r.attempt(attempt, alerts)
	now := time.Now()
	if err == nil {
		o.succeeded(r.status, now)
		f.done(r)
		return false, nil
	}
	if ctx.Err() == nil && attempt.Err() != nil {
		// The attempt took too long, the group still has time.
		retry = true
		err = fmt.Errorf("gave up the attempt after %s: %w", r.timeout, err)
	}
	if errors.Is(err, context.Canceled) && errors.Is(context.Cause(ctx), errInterrupted) {
		err = errInterrupted
	}
	err = r.redact.err(err)
	o.failedAttempt(err, now)
	if !retry {
		o.close(Failed, now)
		f.done(r)
	}
	f.attemptFailed()
	return retry, err
}

// attempt calls the integration. Some integrations wait for their peer without
// heed to the context; such a call is left to itself, so that it does not hold up
// the group, but only so many of them.
func (r *recorder) attempt(ctx context.Context, alerts []*alert.Alert) (bool, error) {
	if n := r.hanging.Load(); n >= maxHanging {
		return true, fmt.Errorf("%d earlier attempts still wait for an answer of the receiver", n)
	}
	type result struct {
		retry bool
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var res result
		defer func() {
			if p := recover(); p != nil { // One receiver must not take the others down.
				res = result{false, fmt.Errorf("the integration panicked: %v", p)}
			}
			done <- res
		}()
		res.retry, res.err = r.inner.Notify(ctx, alerts...)
	}()
	select {
	case res := <-done:
		return res.retry, res.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(hangGrace)
	defer grace.Stop()
	select {
	case res := <-done:
		return res.retry, res.err
	case <-grace.C:
		r.hanging.Add(1)
		r.gauge.Inc()
		go func() {
			<-done
			r.hanging.Add(-1)
			r.gauge.Dec()
		}()
		return true, fmt.Errorf("the receiver neither answers nor closes the connection: %w", ctx.Err())
	}
}

// describe returns the record of a notification before its first attempt.
func (r *recorder) describe(ctx context.Context, alerts []*alert.Alert, now time.Time) Notification {
	n := Notification{
		Time: now, Receiver: r.receiver, Integration: r.inner.Name(), Index: r.inner.Index(),
		GroupLabels: map[string]string{}, Alerts: []string{}, Test: flushFrom(ctx).test,
	}
	n.GroupKey, _ = amnotify.GroupKey(ctx)
	if set, ok := amnotify.GroupLabels(ctx); ok {
		n.GroupLabels = plain(set)
	}
	if reason, ok := amnotify.NotificationReason(ctx); ok {
		n.Reason = reason.String()
	}
	for _, a := range alerts {
		if a.Resolved() {
			n.Resolved++
		} else {
			n.Firing++
		}
		if name := a.Name(); len(n.Alerts) < maxAlertNames && !slices.Contains(n.Alerts, name) {
			n.Alerts = append(n.Alerts, name)
		}
	}
	return n
}

func plain(set model.LabelSet) map[string]string {
	m := make(map[string]string, len(set))
	for k, v := range set {
		m[string(k)] = string(v)
	}
	return m
}
