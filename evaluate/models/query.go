package models

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/status"
)

// AnyService as a key's service selects the only service that has the model.
const AnyService = "*"

// sparkPoints is the number of windows in a sparkline.
const sparkPoints = 60

// ServicesView is the state of all services.
type ServicesView struct {
	At            time.Time     `json:"at,omitzero"`
	WindowSeconds float64       `json:"window_seconds"`
	Services      []ServiceView `json:"services"`
}

// ServiceView is the state of one service.
type ServiceView struct {
	Service      string           `json:"service"`
	Health       ai.Health        `json:"health"`
	Layers       []LayerView      `json:"layers"` // All four, in the order of ai.Layers.
	Models       []VersionSummary `json:"models"`
	Availability Availability     `json:"availability"`
}

// Availability is the share of time in which a service was up; nil where unknown.
type Availability struct {
	Day   *float64 `json:"24h"`
	Month *float64 `json:"30d"`
}

// LayerView is the state of one layer.
type LayerView struct {
	Layer     ai.Layer     `json:"layer"`
	Health    ai.Health    `json:"health"`
	Since     time.Time    `json:"since,omitzero"`
	Reasons   []string     `json:"reasons"`
	Findings  []ai.Finding `json:"findings"`
	Sparkline *Sparkline   `json:"sparkline"`
}

// Sparkline is one figure over the last windows.
type Sparkline struct {
	Title  string       `json:"title"`
	Unit   string       `json:"unit"`
	Points []SparkPoint `json:"points"`
}

// SparkPoint is one point; Value is nil where it is not known.
type SparkPoint struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value"`
}

// VersionSummary is a model version in a few figures; what is not known is nil.
type VersionSummary struct {
	Service string    `json:"service"`
	Model   string    `json:"model"`
	Version string    `json:"model_version"`
	Health  ai.Health `json:"health"`
	// Retired is whether the version was replaced or withdrawn.
	Retired  bool          `json:"retired"`
	First    time.Time     `json:"first,omitzero"`
	Last     time.Time     `json:"last,omitzero"`
	Window   *Point        `json:"window"` // The newest one that was judged.
	Baseline *BaselineInfo `json:"baseline"`
}

// ListView lists models.
type ListView struct {
	Models []ModelView `json:"models"`
}

// ModelView is one model of one service.
type ModelView struct {
	Service  string                  `json:"service"`
	Model    string                  `json:"model"`
	Health   ai.Health               `json:"health"`
	Versions []VersionSummary        `json:"versions"` // Newest first.
	Compare  *performance.Comparison `json:"comparison"`
}

// Services returns the state of every service.
func (e *Engine) Services(context.Context) (*ServicesView, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := &ServicesView{WindowSeconds: e.opt.Windows.Length.Seconds(), Services: []ServiceView{}}
	if e.report == nil {
		return out, nil
	}
	out.At = e.report.At
	for i := range e.report.Services {
		s := &e.report.Services[i]
		view := ServiceView{Service: s.Name, Health: s.Health, Models: []VersionSummary{}}
		for _, st := range s.Layers {
			view.Layers = append(view.Layers, e.layer(s.Name, st))
		}
		for j := range s.Models {
			if v := e.versions[s.Models[j].Key]; v != nil {
				view.Models = append(view.Models, e.summary(v))
			}
		}
		if e.opt.Availability != nil {
			view.Availability.Day, view.Availability.Month = e.opt.Availability(s.Name)
		}
		out.Services = append(out.Services, view)
	}
	return out, nil
}

// layer returns the view of a layer's state. The caller holds mu.
func (e *Engine) layer(service string, st ai.Status) LayerView {
	v := LayerView{Layer: st.Layer, Health: st.Health, Since: st.Since, Reasons: nonNil(st.Reasons), Findings: nonNil(st.Findings)}
	v.Sparkline = e.sparkline(service, st.Layer)
	return v
}

func nonNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// sparkline returns the figure that says most of a layer, over all versions of a
// service: requests a second, the worst 95th percentile of latency, the features that
// drifted, and the most used resource. The caller holds mu.
func (e *Engine) sparkline(service string, layer ai.Layer) *Sparkline {
	if layer == ai.LayerResource {
		s := &Sparkline{Title: "Most used of CPU, memory, disk and GPU", Unit: "ratio", Points: []SparkPoint{}}
		list := e.readings[service]
		if len(list) == 0 {
			list = e.readings[""]
		}
		for _, r := range list[max(len(list)-sparkPoints, 0):] {
			s.Points = append(s.Points, SparkPoint{r.At, &r.Value})
		}
		return s
	}
	s := &Sparkline{Title: "Requests", Unit: "requests/s", Points: []SparkPoint{}}
	pick, join := func(p *Point) *float64 { return p.Rate }, func(a, b float64) float64 { return a + b }
	switch layer {
	case ai.LayerModel:
		s.Title, s.Unit = "95th percentile of latency, worst version", "seconds"
		pick, join = func(p *Point) *float64 { return p.LatencyP95 }, func(a, b float64) float64 { return max(a, b) }
	case ai.LayerData:
		s.Title, s.Unit = "Drifted features", "features"
		pick = func(p *Point) *float64 {
			if p.Judged == 0 {
				return nil
			}
			x := float64(p.Drifted)
			return &x
		}
	case ai.LayerService, ai.LayerResource:
	}
	at := make(map[time.Time]*float64)
	var last time.Time
	for _, v := range e.versions {
		if v.key.Service != service {
			continue
		}
		for i := range v.history {
			p := &v.history[i]
			if p.Start.After(last) {
				last = p.Start
			}
			x := pick(p)
			if old := at[p.Start]; old != nil && x != nil {
				sum := join(*old, *x)
				x = &sum
			} else if x == nil {
				x = old
			}
			at[p.Start] = x
		}
	}
	if last.IsZero() {
		return s
	}
	// Windows without a record are gaps; rate is 0 there.
	if e.report != nil {
		if now := ai.WindowAt(e.report.At.Add(-e.opt.Windows.Length-2*e.opt.Windows.Lateness), e.opt.Windows.Length).Start; now.After(last) {
			last = now
		}
	}
	zero := 0.0
	var first time.Time
	for t := range at {
		if first.IsZero() || t.Before(first) {
			first = t
		}
	}
	from := last.Add(-(sparkPoints - 1) * e.opt.Windows.Length)
	if from.Before(first) {
		from = first
	}
	for t := from; !t.After(last); t = t.Add(e.opt.Windows.Length) {
		x, known := at[t]
		if !known && layer == ai.LayerService {
			x = &zero
		}
		s.Points = append(s.Points, SparkPoint{t, x})
	}
	return s
}

// summary returns a version in a few figures. The caller holds mu.
func (e *Engine) summary(v *version) VersionSummary {
	s := VersionSummary{
		Service: v.key.Service, Model: v.key.Model, Version: v.key.Version, Health: ai.Unknown, First: v.first, Last: v.seen,
	}
	if st := e.status(v.key); st != nil {
		s.Health, s.Retired = st.Health, st.Retired
	}
	if n := len(v.history); n > 0 {
		s.Window = &v.history[n-1]
		s.Window = new(*s.Window)
	}
	if v.baseline != nil {
		s.Baseline = new(e.live(v.baseline.info))
	}
	return s
}

// status returns the state of a version in the last report, or nil. The caller holds mu.
func (e *Engine) status(key ai.Key) *status.Version {
	if e.report == nil {
		return nil
	}
	for i := range e.report.Services {
		for j := range e.report.Services[i].Models {
			if m := &e.report.Services[i].Models[j]; m.Key == key {
				return m
			}
		}
	}
	return nil
}

// Models lists all models, or those of one service.
func (e *Engine) Models(_ context.Context, service string) (*ListView, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return &ListView{Models: e.models(func(k ai.Key) bool { return service == AnyService || k.Service == service })}, nil
}

// models groups versions by service and model. The caller holds mu.
func (e *Engine) models(want func(ai.Key) bool) []ModelView {
	out := []ModelView{}
	for _, v := range e.sorted() {
		if !want(v.key) {
			continue
		}
		n := len(out)
		if n == 0 || out[n-1].Service != v.key.Service || out[n-1].Model != v.key.Model {
			out = append(out, ModelView{Service: v.key.Service, Model: v.key.Model, Health: ai.Unknown})
			n++
		}
		m := &out[n-1]
		m.Versions = append(m.Versions, e.summary(v))
	}
	for i := range out {
		m := &out[i]
		slices.SortStableFunc(m.Versions, func(a, b VersionSummary) int { return b.First.Compare(a.First) })
		var states []ai.Health
		for _, v := range m.Versions {
			if !v.Retired {
				states = append(states, v.Health)
			}
		}
		m.Health = ai.Worst(states...)
		if v := e.versions[ai.Key{Service: m.Service, Model: m.Model, Version: m.Versions[0].Version}]; v != nil && v.result != nil {
			m.Compare = v.result.comparison
		}
	}
	return out
}

// Model returns one model.
func (e *Engine) Model(_ context.Context, service, model string) (*ModelView, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := e.models(func(k ai.Key) bool { return k.Model == model && (service == AnyService || k.Service == service) })
	switch len(found) {
	case 0:
		return nil, notFound("there is no model %q%s: GET /ai/v1/models lists them", model, ofService(service))
	case 1:
		return &found[0], nil
	}
	var names []string
	for _, m := range found {
		names = append(names, m.Service)
	}
	return nil, ambiguous(model, names)
}

func ofService(service string) string {
	if service == AnyService {
		return ""
	}
	return fmt.Sprintf(" of service %q", service)
}

func ambiguous(model string, services []string) error {
	return &Error{http.StatusConflict, fmt.Errorf("the services %s each have a model %q: say which with ?service=", strings.Join(services, ", "), model)}
}

// find returns the version that a key means. The caller holds mu.
func (e *Engine) find(key ai.Key) (*version, error) {
	var found []*version
	for _, v := range e.sorted() {
		if v.key.Model == key.Model && v.key.Version == key.Version && (key.Service == AnyService || key.Service == v.key.Service) {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 0:
		return nil, notFound("there is no version %q of model %q%s: GET /ai/v1/models lists them", key.Version, key.Model, ofService(key.Service))
	case 1:
		return found[0], nil
	}
	var names []string
	for _, v := range found {
		names = append(names, v.key.Service)
	}
	return nil, ambiguous(key.Model, names)
}

// VersionView is all that is known of one version but its features.
type VersionView struct {
	VersionSummary
	WindowSeconds float64     `json:"window_seconds"`
	Layers        []LayerView `json:"layers"` // Service, model and data.
	// Performance is of the newest window; nil before there is one.
	Performance *PerformanceView `json:"performance"`
	Accuracy    AccuracyView     `json:"accuracy"`
	// Comparison is with the version before, while both work.
	Comparison *performance.Comparison `json:"comparison"`
	History    []Point                 `json:"history"`
	Endpoints  []EndpointView          `json:"endpoints"`
	Dropped    ai.Dropped              `json:"dropped"`
}

// PerformanceView is how a version served in one window.
type PerformanceView struct {
	Start    time.Time           `json:"start"`
	Summary  performance.Summary `json:"summary"`
	Outcomes map[string]uint64   `json:"outcomes"`
	Errors   map[string]uint64   `json:"errors"`
	// Checks are all that were made, found or not.
	Checks []performance.Result `json:"checks"`
}

// AccuracyView is how right a version is.
type AccuracyView struct {
	// Measured are figures with labels, over LabelSpan up to the newest labelled
	// inference.
	Classification *performance.ClassificationReport `json:"classification"`
	Regression     *performance.RegressionReport     `json:"regression"`
	// Estimate needs no labels.
	Estimate         *performance.Estimate `json:"estimate"`
	LabelSpanSeconds float64               `json:"label_span_seconds"`
	NewestLabelled   time.Time             `json:"newest_labelled,omitzero"`
	// Baseline is the measured accuracy of the baseline.
	Baseline *performance.ClassificationReport `json:"baseline"`
	// History are measured figures by when the inferences were made.
	History []AccuracyPoint `json:"history"`
}

// AccuracyPoint is measured performance of a span of inferences.
type AccuracyPoint struct {
	Start         time.Time           `json:"start"`
	LengthSeconds float64             `json:"length_seconds"`
	Labelled      uint64              `json:"labelled"`
	Accuracy      performance.Measure `json:"accuracy"`
	MAE           performance.Measure `json:"mae"`
}

// EndpointView is what is counted of one endpoint since the start, and lately.
type EndpointView struct {
	Endpoint string               `json:"endpoint"`
	Total    uint64               `json:"total"`
	Lately   *performance.Summary `json:"lately"`
}

// Version returns what is known of a version.
func (e *Engine) Version(_ context.Context, key ai.Key) (*VersionView, error) {
	now := e.opt.Clock()
	e.mu.Lock()
	defer e.mu.Unlock()
	v, err := e.find(key)
	if err != nil {
		return nil, err
	}
	out := &VersionView{
		VersionSummary: e.summary(v), WindowSeconds: e.opt.Windows.Length.Seconds(), Layers: []LayerView{},
		History: nonNil(slices.Clone(v.history)), Endpoints: []EndpointView{}, Dropped: v.dropped,
	}
	if st := e.status(v.key); st != nil {
		for _, l := range st.Layers {
			view := e.layer(v.key.Service, l)
			view.Sparkline = nil
			out.Layers = append(out.Layers, view)
		}
	}
	lately, length := v.lately(now)
	for i, total := range v.totals() {
		if total == nil {
			continue
		}
		view := EndpointView{Endpoint: v.endpoints[i], Total: total.Requests}
		if lately != nil {
			view.Lately = new(lately[i].Summary(length))
		}
		out.Endpoints = append(out.Endpoints, view)
	}
	out.Accuracy = e.accuracy(v)
	r := v.result
	if r == nil {
		return out, nil
	}
	out.Comparison = r.comparison
	svc := &r.performance.Service
	p := &PerformanceView{
		Start: r.window.Start, Summary: svc.Summary(r.window.Length), Outcomes: map[string]uint64{}, Errors: map[string]uint64{},
		Checks: nonNil(r.judgement.Results),
	}
	for _, c := range performance.Classes() {
		p.Outcomes[c.String()] = svc.Outcomes[c]
	}
	maps.Copy(p.Errors, svc.Errors)
	out.Performance = p
	return out, nil
}

// accuracy returns how right a version is. The caller holds mu.
func (e *Engine) accuracy(v *version) AccuracyView {
	out := AccuracyView{LabelSpanSeconds: e.opt.Labels.Span.Seconds(), NewestLabelled: v.labels.newest, History: []AccuracyPoint{}}
	if l := v.labels.current(e.opt.Clock(), &e.opt); l != nil {
		if l.Classification.N() > 0 {
			out.Classification = new(l.Classification.Report())
		}
		if l.Regression.N() > 0 {
			out.Regression = new(l.Regression.Report())
		}
	}
	for _, b := range v.labels.buckets {
		p := AccuracyPoint{Start: b.Start, LengthSeconds: b.Length.Seconds(), Labelled: b.counts.Labelled()}
		p.Accuracy, p.MAE = b.counts.Classification.Report().Accuracy, b.counts.Regression.Report().MAE
		out.History = append(out.History, p)
	}
	if v.result != nil {
		out.Estimate = v.result.estimate
	}
	if b := v.baseline; b != nil && b.reference != nil && b.reference.Window.Classification.N() > 0 {
		out.Baseline = new(b.reference.Window.Classification.Report())
	}
	return out
}
