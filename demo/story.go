package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/client"
	"github.com/modelwatch/modelwatch/demo/mail"
	"github.com/modelwatch/modelwatch/demo/service"
)

const (
	alertName     = "HighInferenceLatency"
	latencyLimit  = 1.5 // seconds, as in configs/alert_rules.yml
	healthyBelow  = 1.0 // seconds
	latencyQuery  = `max(model_inference_latency_seconds{job="ai_service",endpoint="/predict"})`
	featuresQuery = `count(input_data_mean{job="ai_service"})`
	upQuery       = `max(up{job="ai_service"})`
	qpsQuery      = `sum(model_qps{job="ai_service"})`
	errorLines    = `{job="ai_service"} |~ "error"`
	pollInterval  = 100 * time.Millisecond
)

// story is one telling, from good health to recovery.
type story struct {
	opts       Options
	tell       *narrator
	watch      *watcher
	ai         *service.Service
	client     *client.Client
	letters    *inbox
	base       string
	serviceURL string
	dir        string

	features   float64 // how many there are in good health
	toldAbsent bool    // that inferences are not taken
}

// run tells the story and, unless it is told once, stays until the context
// ends.
func (s *story) run(ctx context.Context) error {
	err := s.tellAll(ctx)
	switch {
	case ctx.Err() != nil && s.opts.Once:
		return fmt.Errorf("interrupted before the end of the story: %w", ctx.Err())
	case ctx.Err() != nil:
		s.tell.say("Stopping.")
		return nil
	case s.opts.Once:
		return err
	}
	if err != nil {
		s.tell.say("This did not go as it should: %v", err)
	}
	s.tell.block("The service, its users and modelwatch go on running until you press Ctrl-C. Break something yourself:",
		fmt.Sprintf(`curl -d '{"kind":"drift","on":true}' %s/fault`, s.serviceURL),
		"Kinds: "+kinds()+`. "on":false mends it.`)
	<-ctx.Done()
	s.tell.say("Stopping.")
	return err
}

func kinds() string {
	var names []string
	for _, f := range service.AllFaults() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func (s *story) tellAll(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.ready, s.healthy, s.breach, s.fire, s.explain, s.linger, s.recover} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// until waits for something that the platform should do. The check tells what
// it saw, for the error if it does not happen.
func (s *story) until(ctx context.Context, what string, check func(context.Context) (done bool, seen string)) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	last := "nothing was seen"
	for {
		done, seen := check(ctx)
		if done {
			return nil
		}
		if ctx.Err() == nil {
			last = seen
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s did not happen within %s: %s", what, s.opts.Patience, last)
		}
	}
}

// untilValue waits until a query's value satisfies a condition, and returns it.
func (s *story) untilValue(ctx context.Context, what, query string, ok func(float64) bool) (float64, error) {
	var got float64
	err := s.until(ctx, what, func(ctx context.Context) (bool, string) {
		v, found, err := s.watch.value(ctx, query)
		switch {
		case err != nil:
			return false, err.Error()
		case !found:
			return false, query + " has no value"
		}
		got = v
		return ok(v), fmt.Sprintf("%s is %g", query, v)
	})
	return got, err
}

func (s *story) ready(ctx context.Context) error {
	err := s.until(ctx, "modelwatch becoming ready", func(ctx context.Context) (bool, string) {
		if err := s.watch.get(ctx, "/-/ready", nil, nil); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	if err != nil {
		return err
	}
	s.tell.block("modelwatch is ready. Look on while it happens:",
		"page     "+s.base+"/",
		"metrics  "+latencyQuery,
		"         "+featuresQuery,
		"logs     "+errorLines,
		"shell    promtool query instant "+s.base+" 'model_inference_latency_seconds'",
		"         amtool --alertmanager.url="+s.base+" alert",
		"files    "+s.dir,
	)
	_, err = s.untilValue(ctx, "the AI service being scraped", upQuery, func(v float64) bool { return v == 1 })
	if err != nil {
		return err
	}
	s.tell.say("The AI service at %s is up: a recommender that answers POST %s for its users.", s.serviceURL, service.Endpoint)
	return nil
}

func (s *story) healthy(ctx context.Context) error {
	latency, err := s.untilValue(ctx, "a healthy latency", latencyQuery, func(v float64) bool { return v > 0 && v < healthyBelow })
	if err != nil {
		return err
	}
	s.tell.say("It is healthy: %.2f s an inference. The alert %s waits for more than %g s.", latency, alertName, latencyLimit)
	if err := pause(ctx, s.opts.Healthy); err != nil {
		return err
	}
	latency, err = s.untilValue(ctx, "a latency still healthy", latencyQuery, func(v float64) bool { return v > 0 })
	if err != nil {
		return err
	}
	rate, _, err := s.watch.value(ctx, qpsQuery)
	if err != nil {
		return err
	}
	s.features, _, err = s.watch.value(ctx, featuresQuery)
	if err != nil {
		return err
	}
	s.tell.say("Still healthy after %s: %.2f s an inference, %.1f a second, %.0f input features.", s.opts.Healthy, latency, rate, s.features)
	s.tellInferences()
	return nil
}

// tellInferences says what became of the records that the service hands over.
func (s *story) tellInferences() {
	stats := s.client.Stats()
	switch {
	case stats.Sent > 0:
		s.tell.say("It has handed %d inferences and labels over to %s/ai/v1/ through the Go client.", stats.Sent, s.base)
	case stats.Drops.Refused > 0 && !s.toldAbsent:
		s.toldAbsent = true
		s.tell.say("This modelwatch did not take the inferences that it handed over: %v. Nothing of the story depends on them.", stats.LastError)
	}
}

func (s *story) breach(ctx context.Context) error {
	if err := s.ai.SetFault(service.Features, true); err != nil {
		return err
	}
	s.tell.say("Now something upstream doubles the behaviour features, from 100 to 200. Nobody tells the model.")
	latency, err := s.untilValue(ctx, "the latency passing its limit", latencyQuery, func(v float64) bool { return v > latencyLimit })
	if err != nil {
		return err
	}
	s.tell.say("modelwatch sees it: %.2f s an inference, above %g s.", latency, latencyLimit)
	return nil
}

func (s *story) fire(ctx context.Context) error {
	start := time.Now()
	told := ""
	err := s.until(ctx, "the alert "+alertName+" firing", func(ctx context.Context) (bool, string) {
		state, err := s.watch.alertState(ctx, alertName)
		if err != nil {
			return false, err.Error()
		}
		if state != told && state != "inactive" {
			told = state
			s.tell.say("The alert %s is %s.", alertName, state)
		}
		return state == "firing", "it is " + state
	})
	if err != nil {
		return err
	}
	// The mail may have overtaken the question.
	came, err := s.untilMail(ctx, start, "FIRING", alertName)
	if err != nil {
		return err
	}
	s.tell.say("From the breach seen to the mail: %.1f s, of which the rule waited 5 s and the grouping 1 s.", came.Received.Sub(start).Seconds())
	return nil
}

func (s *story) untilMail(ctx context.Context, since time.Time, words ...string) (mail.Mail, error) {
	var found mail.Mail
	err := s.until(ctx, "a mail with "+strings.Join(words, " and ")+" in its subject", func(context.Context) (bool, string) {
		m, ok := s.letters.find(since, words...)
		found = m
		return ok, s.letters.subjects()
	})
	return found, err
}

// explain looks for the reason as the mail's reader would. That there are no
// logs to search is told, and no failure.
func (s *story) explain(ctx context.Context) error {
	features, err := s.untilValue(ctx, "the number of features growing", featuresQuery, func(v float64) bool { return v > s.features })
	if err != nil {
		return err
	}
	s.tell.say("Why? %s is %.0f. It was %.0f.", featuresQuery, features, s.features)
	var lines []string
	absent := false
	err = s.until(ctx, "error lines of the AI service in the logs", func(ctx context.Context) (bool, string) {
		var err error
		lines, err = s.watch.lines(ctx, errorLines, 2)
		absent = errors.Is(err, errAbsent)
		if err != nil {
			return absent, err.Error()
		}
		return len(lines) > 0, errorLines + " finds nothing"
	})
	switch {
	case err != nil:
		return err
	case absent:
		s.tell.say("This modelwatch does not search logs. The service's own is %s/ai_service.log.", s.dir)
		return nil
	}
	s.tell.block("And the log, by "+errorLines+":", lines...)
	return nil
}

// linger leaves time to look at what is broken.
func (s *story) linger(ctx context.Context) error { return pause(ctx, s.opts.Broken) }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *story) recover(ctx context.Context) error {
	start := time.Now()
	if err := s.ai.SetFault(service.Features, false); err != nil {
		return err
	}
	s.tell.say("The features go back to 100.")
	latency, err := s.untilValue(ctx, "the latency coming back", latencyQuery, func(v float64) bool { return v < healthyBelow })
	if err != nil {
		return err
	}
	s.tell.say("modelwatch sees %.2f s an inference.", latency)
	if _, err := s.untilMail(ctx, start, "RESOLVED", alertName); err != nil {
		return err
	}
	s.tellInferences()
	s.tell.say("That was the story, in %.0f s: breach, alert, mail, recovery, mail.", time.Since(s.tell.start).Seconds())
	return nil
}
