package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// receiverTestTimeout bounds one test notification.
const receiverTestTimeout = 30 * time.Second

// ErrNoReceiver means that the configuration has no receiver of that name.
var ErrNoReceiver = errors.New("no such receiver")

// TestAlert is the alert of a test notification.
type TestAlert struct {
	// Labels and Annotations come on top of those that say that it is a test.
	Labels, Annotations model.LabelSet
	// Resolve sends a second notification, which says that the alert is resolved,
	// so that no incident stays open at the receiver.
	Resolve bool
}

// ReceiverTest is the outcome of testing a receiver.
type ReceiverTest struct {
	Receiver string `json:"receiver"`
	// Success says that every integration delivered. A receiver without
	// integrations delivers nothing, and is no success.
	Success bool              `json:"success"`
	Results []IntegrationTest `json:"results"`
	Alert   map[string]string `json:"alert"`
	Note    string            `json:"note,omitempty"`
}

// IntegrationTest is the outcome of one integration.
type IntegrationTest struct {
	Integration string  `json:"integration"`
	Success     bool    `json:"success"`
	Duration    float64 `json:"durationSeconds"`
	// Error holds no secrets. Retry says that it would have been tried again had
	// it not been a test.
	Error string `json:"error,omitempty"`
	Retry bool   `json:"retry,omitempty"`
}

// TestReceiver sends a test notification through each integration of a receiver,
// one attempt each, and reports what came of it. Routes, silences and time
// intervals are not asked.
func (m *Manager) TestReceiver(ctx context.Context, name string, test TestAlert) (ReceiverTest, error) {
	p := m.live.Load().prepared
	rcv, ok := p.receiverConfig(name)
	if !ok {
		return ReceiverTest{}, fmt.Errorf("%w: %q", ErrNoReceiver, name)
	}
	integrations := p.receivers[name]
	if integrations == nil {
		var err error
		if integrations, err = receiver.BuildReceiverIntegrations(rcv, p.tmpl, m.logger); err != nil {
			return ReceiverTest{}, fmt.Errorf("build receiver %q: %w", name, p.redact.err(err))
		}
	}
	now := time.Now()
	a := &alert.Alert{
		Alert: model.Alert{
			Labels: model.LabelSet{model.AlertNameLabel: "ModelwatchTest", "severity": "info"},
			Annotations: model.LabelSet{
				"summary":     "Test notification from modelwatch",
				"description": "Somebody asked modelwatch to test this receiver. Nothing is wrong.",
			},
			StartsAt: now, GeneratorURL: m.opts.ExternalURL.String(),
		},
		UpdatedAt: now,
	}
	maps.Copy(a.Labels, test.Labels)
	maps.Copy(a.Annotations, test.Annotations)

	out := ReceiverTest{Receiver: name, Success: true, Results: make([]IntegrationTest, len(integrations)), Alert: plain(a.Labels)}
	if len(integrations) == 0 {
		out.Success = false
		out.Note = "the receiver has no integrations, so nobody is told; its notifications are only recorded"
		return out, nil
	}
	ctx = testContext(ctx, name, a.Labels, now)
	wrapped := m.record(name, integrations, p.redact)
	var wg sync.WaitGroup
	for i := range wrapped {
		wg.Go(func() { out.Results[i] = testIntegration(ctx, &wrapped[i], a, test.Resolve) })
	}
	wg.Wait()
	for _, r := range out.Results {
		out.Success = out.Success && r.Success
	}
	return out, nil
}

// testContext returns a context with what integrations expect of the pipeline.
func testContext(ctx context.Context, receiverName string, set model.LabelSet, now time.Time) context.Context {
	ctx = amnotify.WithReceiverName(ctx, receiverName)
	// A key of its own, so that receivers that correlate do not mix up two tests.
	ctx = amnotify.WithGroupKey(ctx, fmt.Sprintf("modelwatch/test:%d:%s", now.UnixNano(), set))
	ctx = amnotify.WithGroupLabels(ctx, set)
	ctx = amnotify.WithRouteLabels(ctx, model.LabelSet{})
	ctx = amnotify.WithNow(ctx, now)
	ctx = amnotify.WithRepeatInterval(ctx, time.Hour)
	ctx = amnotify.WithNotificationReason(ctx, amnotify.ReasonFirstNotification)
	ctx = amnotify.WithFiringAlerts(ctx, []uint64{uint64(set.Fingerprint())})
	ctx = amnotify.WithResolvedAlerts(ctx, []uint64{})
	return ctx
}

// testIntegration makes one attempt, and another one for the resolved alert if it
// is wanted and the integration sends such.
func testIntegration(ctx context.Context, in *amnotify.Integration, a *alert.Alert, resolve bool) IntegrationTest {
	ctx, cancel := context.WithTimeout(ctx, receiverTestTimeout)
	defer cancel()
	ctx = amnotify.WithNflogStore(ctx, nflog.NewStore(nil))
	start := time.Now()
	out := IntegrationTest{Integration: in.String()}
	send := func(a *alert.Alert) error {
		f := &flush{test: true, cancel: func(error) {}}
		defer f.end() // There is no second attempt.
		retry, err := in.Notify(context.WithValue(ctx, flushKey{}, f), a)
		out.Retry = retry && err != nil
		return err
	}
	err := send(a)
	if err == nil && resolve && in.SendResolved() {
		ended := *a
		ended.EndsAt = time.Now()
		err = send(&ended)
	}
	out.Duration = time.Since(start).Seconds()
	out.Success = err == nil
	if err != nil {
		out.Error = err.Error()
	}
	return out
}
