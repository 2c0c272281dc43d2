package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/config"
	amcommoncfg "github.com/prometheus/alertmanager/config/common"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

// Routing is the configuration in force as a page shows it. It holds no secrets.
type Routing struct {
	Route         RouteNode          `json:"route"`
	Receivers     []ReceiverInfo     `json:"receivers"`
	TimeIntervals []TimeIntervalInfo `json:"timeIntervals"`
	InhibitRules  []InhibitInfo      `json:"inhibitRules"`
	// Warnings say what works but is hardly what was meant.
	Warnings []string `json:"warnings"`
}

// RouteNode is a route with what it inherits from its parents. Durations are
// written as in the configuration, matchers as amtool writes them.
type RouteNode struct {
	ID                  string            `json:"id"`
	Receiver            string            `json:"receiver"`
	Matchers            []string          `json:"matchers"`
	Continue            bool              `json:"continue"`
	GroupBy             []string          `json:"groupBy"`
	GroupByAll          bool              `json:"groupByAll"`
	GroupWait           string            `json:"groupWait"`
	GroupInterval       string            `json:"groupInterval"`
	RepeatInterval      string            `json:"repeatInterval"`
	MuteTimeIntervals   []string          `json:"muteTimeIntervals"`
	ActiveTimeIntervals []string          `json:"activeTimeIntervals"`
	Labels              map[string]string `json:"labels"`
	Routes              []RouteNode       `json:"routes"`
}

// ReceiverInfo is a receiver with its integrations, such as "email[0]".
type ReceiverInfo struct {
	Name         string            `json:"name"`
	Labels       map[string]string `json:"labels"`
	Integrations []string          `json:"integrations"`
	// Used says whether a route leads to it.
	Used bool `json:"used"`
}

// TimeIntervalInfo is a time interval and whether it is active now.
type TimeIntervalInfo struct {
	Name string `json:"name"`
	// Definition is the interval as YAML.
	Definition string `json:"definition"`
	Active     bool   `json:"active"`
}

// InhibitInfo is an inhibition rule, whichever form it was written in.
type InhibitInfo struct {
	Name           string   `json:"name"`
	SourceMatchers []string `json:"sourceMatchers"`
	TargetMatchers []string `json:"targetMatchers"`
	Equal          []string `json:"equal"`
}

// Routing returns the configuration in force.
func (m *Manager) Routing() Routing {
	l := m.live.Load()
	p, now := l.prepared, time.Now()
	out := Routing{
		Route:         routeNode(p.routes),
		Receivers:     make([]ReceiverInfo, 0, len(p.cfg.Receivers)),
		TimeIntervals: make([]TimeIntervalInfo, 0, len(p.intervals)),
		InhibitRules:  make([]InhibitInfo, 0, len(p.cfg.InhibitRules)),
		Warnings:      append([]string{}, p.Warnings...),
	}
	for _, rcv := range p.cfg.Receivers {
		info := ReceiverInfo{Name: rcv.Name, Labels: rcv.Labels, Integrations: []string{}, Used: p.used[rcv.Name]}
		if info.Labels == nil {
			info.Labels = map[string]string{}
		}
		for i := range p.receivers[rcv.Name] {
			info.Integrations = append(info.Integrations, p.receivers[rcv.Name][i].String())
		}
		out.Receivers = append(out.Receivers, info)
	}
	for name, intervals := range p.intervals {
		active, _, err := l.intervener.Mutes([]string{name}, now)
		definition, yamlErr := yaml.Marshal(intervals)
		if err != nil || yamlErr != nil {
			continue // Cannot be: the interval was loaded from the configuration.
		}
		out.TimeIntervals = append(out.TimeIntervals, TimeIntervalInfo{Name: name, Definition: string(definition), Active: active})
	}
	slices.SortFunc(out.TimeIntervals, func(a, b TimeIntervalInfo) int { return strings.Compare(a.Name, b.Name) })
	for _, rule := range p.cfg.InhibitRules {
		out.InhibitRules = append(out.InhibitRules, InhibitInfo{
			Name:           rule.Name,
			SourceMatchers: ruleMatchers(rule.SourceMatch, rule.SourceMatchRE, rule.SourceMatchers),
			TargetMatchers: ruleMatchers(rule.TargetMatch, rule.TargetMatchRE, rule.TargetMatchers),
			Equal:          append([]string{}, rule.Equal...),
		})
	}
	return out
}

// ruleMatchers writes the three forms of matchers as one.
func ruleMatchers(equal map[string]string, regexps amcommoncfg.MatchRegexps, modern amcommoncfg.Matchers) []string {
	out := []string{}
	for k, v := range equal {
		out = append(out, fmt.Sprintf("%s=%q", k, v))
	}
	for k, v := range regexps {
		out = append(out, fmt.Sprintf("%s=~%q", k, v.String()))
	}
	slices.Sort(out)
	return append(out, matcherStrings(labels.Matchers(modern))...)
}

func matcherStrings(ms labels.Matchers) []string {
	out := make([]string, 0, len(ms))
	for _, matcher := range ms {
		out = append(out, matcher.String())
	}
	return out
}

func routeNode(r *dispatch.Route) RouteNode {
	o := r.RouteOpts
	n := RouteNode{
		ID: r.ID(), Receiver: o.Receiver, Matchers: matcherStrings(r.Matchers), Continue: r.Continue,
		GroupBy: []string{}, GroupByAll: o.GroupByAll,
		GroupWait:           model.Duration(o.GroupWait).String(),
		GroupInterval:       model.Duration(o.GroupInterval).String(),
		RepeatInterval:      model.Duration(o.RepeatInterval).String(),
		MuteTimeIntervals:   append([]string{}, o.MuteTimeIntervals...),
		ActiveTimeIntervals: append([]string{}, o.ActiveTimeIntervals...),
		Labels:              plain(o.Labels),
		Routes:              make([]RouteNode, 0, len(r.Routes)),
	}
	for l := range o.GroupBy {
		n.GroupBy = append(n.GroupBy, string(l))
	}
	slices.Sort(n.GroupBy)
	for _, child := range r.Routes {
		n.Routes = append(n.Routes, routeNode(child))
	}
	return n
}

// RouteTest says where an alert with certain labels would go.
type RouteTest struct {
	// Receivers are the distinct receivers, in the order of the routes.
	Receivers []string       `json:"receivers"`
	Routes    []RouteOutcome `json:"routes"`
	// SilencedBy and InhibitedBy name the silences and the fingerprints of the
	// alerts that would mute it now, whatever time was asked for.
	SilencedBy  []string `json:"silencedBy"`
	InhibitedBy []string `json:"inhibitedBy"`
}

// RouteOutcome is a route that the alert matches. Its Routes are left out.
type RouteOutcome struct {
	RouteNode

	// GroupLabels are the labels of the group that the alert would be in.
	GroupLabels map[string]string `json:"groupLabels"`
	// Muted says whether the time is one at which the route does not notify;
	// MutedBy names the time intervals that make it so.
	Muted   bool     `json:"muted"`
	MutedBy []string `json:"mutedBy"`
}

// TestRoute says where an alert with these labels goes at a time.
func (m *Manager) TestRoute(ctx context.Context, set model.LabelSet, at time.Time) (RouteTest, error) {
	l := m.live.Load()
	out := RouteTest{Receivers: []string{}, Routes: []RouteOutcome{}, SilencedBy: []string{}, InhibitedBy: []string{}}
	for _, r := range l.prepared.routes.Match(set) {
		outcome := RouteOutcome{RouteNode: routeNode(r), GroupLabels: map[string]string{}, MutedBy: []string{}}
		outcome.RouteNode.Routes = []RouteNode{}
		for k, v := range set {
			if _, by := r.RouteOpts.GroupBy[k]; by || r.RouteOpts.GroupByAll {
				outcome.GroupLabels[string(k)] = string(v)
			}
		}
		if names := r.RouteOpts.MuteTimeIntervals; len(names) > 0 {
			muted, by, err := l.intervener.Mutes(names, at)
			if err != nil {
				return out, fmt.Errorf("look up mute time intervals: %w", err)
			}
			if muted {
				outcome.Muted, outcome.MutedBy = true, append(outcome.MutedBy, by...)
			}
		}
		if names := r.RouteOpts.ActiveTimeIntervals; len(names) > 0 {
			active, _, err := l.intervener.Mutes(names, at)
			if err != nil {
				return out, fmt.Errorf("look up active time intervals: %w", err)
			}
			if !active {
				outcome.Muted, outcome.MutedBy = true, append(outcome.MutedBy, names...)
			}
		}
		if !slices.Contains(out.Receivers, outcome.Receiver) {
			out.Receivers = append(out.Receivers, outcome.Receiver)
		}
		out.Routes = append(out.Routes, outcome)
	}
	status := marker.NewAlertMarker()
	ctx = marker.WithContext(ctx, status)
	l.inhibitor.Mutes(ctx, set)
	m.silencer.Mutes(ctx, set)
	s := status.Status(set.Fingerprint())
	out.SilencedBy = append(out.SilencedBy, s.SilencedBy...)
	out.InhibitedBy = append(out.InhibitedBy, s.InhibitedBy...)
	return out, nil
}

// receiverConfig returns the receiver of that name.
func (p *Prepared) receiverConfig(name string) (config.Receiver, bool) {
	for _, rcv := range p.cfg.Receivers {
		if rcv.Name == name {
			return rcv, true
		}
	}
	return config.Receiver{}, false
}
