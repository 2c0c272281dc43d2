package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Options are what a caller may change. The zero value means the defaults.
type Options struct {
	// StaleAfter is the number of windows without an inference after which nothing
	// is known any more; default 3.
	StaleAfter int
	// RetireAfter is how long the newest version of a model may be silent, while
	// another part of the service works, until it is taken for withdrawn; default
	// 24 h. A version that a newer one has replaced is withdrawn as soon as it is stale.
	RetireAfter time.Duration
	// ReadingStaleAfter is the age from which a probe or a resource reading says
	// nothing; default 3 min.
	ReadingStaleAfter time.Duration
	// Fatal are the kinds of findings that, where critical, mean down and not only
	// degraded; nil means DefaultFatal.
	Fatal []string
	// Limits change the catalogue lines of resources, by id.
	Limits map[string]Limit
}

// Limit changes a catalogue line.
type Limit struct {
	// Off switches the check off.
	Off bool
	// Threshold and Critical replace those of the catalogue; nil leaves them.
	Threshold *float64
	Critical  *float64
}

// DefaultFatal returns the kinds of findings that mean down where critical.
func DefaultFatal() []string { return []string{"no_success", "host_down"} }

func (o Options) withDefaults() Options {
	o.StaleAfter = cmp.Or(max(o.StaleAfter, 0), 3)
	o.RetireAfter = cmp.Or(max(o.RetireAfter, 0), 24*time.Hour)
	o.ReadingStaleAfter = cmp.Or(max(o.ReadingStaleAfter, 0), 3*time.Minute)
	if o.Fatal == nil {
		o.Fatal = DefaultFatal()
	}
	return o
}

// Evidence is what is known of one model version in its newest judged window.
type Evidence struct {
	Key ai.Key
	// Window is the length of a window; 0 means a minute.
	Window time.Duration
	// First and Last are when the first inference ever and the newest arrived; zero
	// where there was none.
	First, Last time.Time
	// Findings of all layers.
	Findings []ai.Finding
	// Judged is the number of checks of each layer that gave an answer, whether or
	// not they found something.
	Judged map[ai.Layer]int
	// Notes are sentences by layer that are shown whatever the state: what could
	// not be judged and why, an unconfirmed baseline, what a guard left out.
	Notes map[ai.Layer][]string
}

// Take adds what one judge said of the version.
func (e *Evidence) Take(findings []ai.Finding, judged map[ai.Layer]int, notes map[ai.Layer][]string) {
	e.Findings = append(e.Findings, findings...)
	for layer, n := range judged {
		if e.Judged == nil {
			e.Judged = make(map[ai.Layer]int)
		}
		e.Judged[layer] += n
	}
	for layer, texts := range notes {
		e.note(layer, texts...)
	}
}

func (e *Evidence) note(layer ai.Layer, texts ...string) {
	if e.Notes == nil {
		e.Notes = make(map[ai.Layer][]string)
	}
	e.Notes[layer] = append(e.Notes[layer], texts...)
}

// Probe is one look at a service from outside, such as a scrape, or whether its
// processes run.
type Probe struct {
	Service string
	// Target says what was looked at, such as a URL.
	Target string
	Up     bool
	// Reason says why it is not up.
	Reason string
	// Says is the sentence for when it is not up, of a probe that does not ask Target
	// for an answer.
	Says string
	At   time.Time
}

// Input is all that statuses are made from.
type Input struct {
	Now      time.Time
	Versions []Evidence
	Probes   []Probe
	Readings []Reading
	// Previous is the report before this one, which Since is carried over from; may
	// be nil.
	Previous *Report
}

// Report is the state of everything at one time.
type Report struct {
	At       time.Time `json:"at"`
	Services []Service `json:"services"` // Sorted by name.
}

// Service is the state of one service.
type Service struct {
	Name   string    `json:"service"`
	Health ai.Health `json:"health"`
	// Layers has all four, in the order of ai.Layers.
	Layers []ai.Status `json:"layers"`
	Models []Version   `json:"models"` // Sorted by key.
}

// Version is the state of one model version.
type Version struct {
	Key    ai.Key    `json:"key"`
	Health ai.Health `json:"health"`
	// Retired is whether the version was replaced or withdrawn: it does not count.
	Retired bool      `json:"retired,omitempty"`
	Last    time.Time `json:"last,omitzero"`
	// Layers has service, model and data; resources belong to the service.
	Layers []ai.Status `json:"layers"`
}

// Evaluate returns the state of every service that any of the input names.
func Evaluate(in Input, o Options) Report {
	o = o.withDefaults()
	report := Report{At: in.Now, Services: []Service{}}
	for _, name := range services(in) {
		report.Services = append(report.Services, evaluateService(name, in, o))
	}
	carrySince(&report, in.Previous, in.Now)
	return report
}

// services returns the names of all services, sorted. A reading of no service
// belongs to all of them, and makes none.
func services(in Input) []string {
	var names []string
	for i := range in.Versions {
		names = append(names, in.Versions[i].Key.Service)
	}
	for _, p := range in.Probes {
		names = append(names, p.Service)
	}
	for _, r := range in.Readings {
		if r.Service != "" {
			names = append(names, r.Service)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func evaluateService(name string, in Input, o Options) Service {
	var versions []Evidence
	for i := range in.Versions {
		if in.Versions[i].Key.Service == name {
			versions = append(versions, in.Versions[i])
		}
	}
	slices.SortStableFunc(versions, func(a, b Evidence) int { return a.Key.Compare(b.Key) })
	s := Service{Name: name, Models: []Version{}}
	for i := range versions {
		s.Models = append(s.Models, evaluateVersion(&versions[i], versions, in.Now, o))
	}
	for _, layer := range ai.Layers() {
		var st ai.Status
		if layer == ai.LayerResource {
			st = resources(name, in, o)
		} else {
			st = rollUp(name, layer, s.Models)
		}
		st.Service, st.Layer = name, layer
		if layer == ai.LayerService {
			st = withProbes(st, in, o)
		}
		sortFindings(st.Findings)
		s.Layers = append(s.Layers, st)
	}
	states := make([]ai.Health, 0, len(s.Layers))
	for i := range s.Layers {
		states = append(states, s.Layers[i].Health)
	}
	s.Health = ai.Worst(states...)
	return s
}

// stale returns why a version says nothing, or an empty text.
func stale(e *Evidence, now time.Time, o Options) string {
	if e.Last.IsZero() {
		return "No inference has been received yet."
	}
	window := cmp.Or(max(e.Window, 0), time.Minute)
	if age := now.Sub(e.Last); age > time.Duration(o.StaleAfter)*window {
		return fmt.Sprintf("No inference for %s (more than %d windows of %s), the last at %s.",
			age.Round(time.Second), o.StaleAfter, window, e.Last.UTC().Format(time.RFC3339))
	}
	return ""
}

// retired reports whether a silent version does not count any more: a newer
// version of its model works, or something else in the service does and it has
// been silent for long.
func retired(e *Evidence, all []Evidence, now time.Time, o Options) bool {
	if stale(e, now, o) == "" {
		return false
	}
	since := e.Last
	if since.IsZero() {
		return false // Announced, and never seen: somebody waits for it.
	}
	for i := range all {
		other := &all[i]
		if other.Key == e.Key || stale(other, now, o) != "" {
			continue
		}
		if other.Key.Model == e.Key.Model && other.First.After(e.First) || now.Sub(since) > o.RetireAfter {
			return true
		}
	}
	return false
}

func evaluateVersion(e *Evidence, all []Evidence, now time.Time, o Options) Version {
	v := Version{Key: e.Key, Last: e.Last, Retired: retired(e, all, now, o)}
	silent := stale(e, now, o)
	var states []ai.Health
	for _, layer := range ai.Layers() {
		if layer == ai.LayerResource {
			continue
		}
		st := ai.Status{Service: e.Key.Service, Layer: layer}
		if silent != "" {
			st.Health, st.Reasons = ai.Unknown, []string{silent}
		} else {
			judgeLayer(&st, e, o)
		}
		v.Layers = append(v.Layers, st)
		states = append(states, st.Health)
	}
	v.Health = ai.Worst(states...)
	return v
}

// judgeLayer sets the state of a layer of a version that has data.
func judgeLayer(st *ai.Status, e *Evidence, o Options) {
	st.Health = ai.Healthy
	for _, f := range e.Findings {
		if f.Layer == st.Layer {
			st.Findings = append(st.Findings, f)
		}
	}
	sortFindings(st.Findings)
	for _, f := range st.Findings {
		st.Health = ai.Worst(st.Health, of(f, o))
		st.Reasons = append(st.Reasons, f.Message)
	}
	if st.Health == ai.Healthy && e.Judged[st.Layer] == 0 {
		st.Health = ai.Unknown
		if len(e.Notes[st.Layer]) == 0 {
			st.Reasons = append(st.Reasons, "No check of this layer gave an answer.")
		}
	}
	st.Reasons = append(st.Reasons, e.Notes[st.Layer]...)
}

// of returns the state that one finding means.
func of(f ai.Finding, o Options) ai.Health {
	switch {
	case f.Severity == ai.SeverityCritical && slices.Contains(o.Fatal, f.Kind):
		return ai.Down
	case f.Severity == ai.SeverityCritical || f.Severity == ai.SeverityWarning:
		return ai.Degraded
	default:
		return ai.Healthy
	}
}

// rollUp returns the worst of the versions' states of a layer.
func rollUp(service string, layer ai.Layer, versions []Version) ai.Status {
	st := ai.Status{}
	var states []ai.Health
	active := 0
	for i := range versions {
		if !versions[i].Retired {
			active++
		}
	}
	for i := range versions {
		v := &versions[i]
		if v.Retired {
			if layer == ai.LayerService {
				st.Reasons = append(st.Reasons, fmt.Sprintf("%s is silent since %s and does not count: it was replaced or withdrawn.",
					name(v.Key), v.Last.UTC().Format(time.RFC3339)))
			}
			continue
		}
		k := slices.IndexFunc(v.Layers, func(s ai.Status) bool { return s.Layer == layer })
		if k < 0 {
			continue
		}
		states = append(states, v.Layers[k].Health)
		st.Findings = append(st.Findings, v.Layers[k].Findings...)
		for _, reason := range v.Layers[k].Reasons {
			if active > 1 {
				reason = name(v.Key) + ": " + reason
			}
			st.Reasons = append(st.Reasons, reason)
		}
	}
	st.Health = ai.Worst(states...)
	if len(states) == 0 {
		st.Reasons = append(st.Reasons, fmt.Sprintf("No model of %s is known yet.", cmp.Or(service, "the service")))
	}
	return st
}

// name returns model@version for sentences about one service.
func name(k ai.Key) string {
	k.Service = ""
	return k.String()
}

// shownProbes is how many failing probes of one service are told one by one.
const shownProbes = 3

// withProbes adds what probes saw to the service layer: it is down if all of them
// fail, and degraded if some do. Probes that answer do not make it healthy: that a
// process answers does not say that it serves.
func withProbes(st ai.Status, in Input, o Options) ai.Status {
	fresh, answers := 0, false
	var failed []string
	var stalest *Probe // One is enough to say.
	for i := range in.Probes {
		p := &in.Probes[i]
		if p.Service != st.Service {
			continue
		}
		if in.Now.Sub(p.At) > o.ReadingStaleAfter {
			stalest = p
			continue
		}
		fresh++
		answers = answers || p.Up && p.Says == ""
		if !p.Up {
			failed = append(failed, cmp.Or(p.Says,
				fmt.Sprintf("%s does not answer: %s.", cmp.Or(p.Target, "The service"), cmp.Or(strings.TrimSuffix(p.Reason, "."), "no reason given"))))
		}
	}
	switch {
	case fresh > 0 && len(failed) == fresh:
		st.Health = ai.Down
	case len(failed) > 0:
		st.Health = ai.Worst(st.Health, ai.Degraded)
	case answers && st.Health == ai.Unknown:
		st.Reasons = append(st.Reasons, "It answers when it is looked at from outside.")
	}
	if more := len(failed) - shownProbes; more > 0 {
		failed = append(failed[:shownProbes], fmt.Sprintf("%d more do not answer, of %d.", more, fresh))
	}
	st.Reasons = append(failed, st.Reasons...)
	if stalest != nil {
		since := "so far"
		if !stalest.At.IsZero() {
			since = "since " + stalest.At.UTC().Format(time.RFC3339)
		}
		st.Reasons = append(st.Reasons, fmt.Sprintf("Whether %s answers is not known %s.", cmp.Or(stalest.Target, "the service"), since))
	}
	return st
}

// sortFindings puts what matters most first.
func sortFindings(findings []ai.Finding) {
	slices.SortStableFunc(findings, func(a, b ai.Finding) int {
		return cmp.Or(
			cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
			a.Key.Compare(b.Key),
			cmp.Compare(a.Kind, b.Kind),
			cmp.Compare(a.Feature, b.Feature))
	})
}

// carrySince sets since when each layer is in its state, and since when each
// finding is found where nobody said.
func carrySince(r, previous *Report, now time.Time) {
	before := make(map[ai.Key]map[ai.Layer]ai.Status)
	remember := func(key ai.Key, layers []ai.Status) {
		m := make(map[ai.Layer]ai.Status, len(layers))
		for _, st := range layers {
			m[st.Layer] = st
		}
		before[key] = m
	}
	// A service is kept under a key without a model; no version has one.
	if previous != nil {
		for i := range previous.Services {
			remember(ai.Key{Service: previous.Services[i].Name}, previous.Services[i].Layers)
			for j := range previous.Services[i].Models {
				remember(previous.Services[i].Models[j].Key, previous.Services[i].Models[j].Layers)
			}
		}
	}
	carry := func(key ai.Key, layers []ai.Status) {
		for i := range layers {
			layers[i].Since = now
			if old, ok := before[key][layers[i].Layer]; ok && old.Health == layers[i].Health && !old.Since.IsZero() && !old.Since.After(now) {
				layers[i].Since = old.Since
			}
			for j := range layers[i].Findings {
				if f := &layers[i].Findings[j]; f.Since.IsZero() {
					f.Since = sinceBefore(before[key][layers[i].Layer].Findings, f, now)
				}
			}
		}
	}
	for i := range r.Services {
		carry(ai.Key{Service: r.Services[i].Name}, r.Services[i].Layers)
		for j := range r.Services[i].Models {
			carry(r.Services[i].Models[j].Key, r.Services[i].Models[j].Layers)
		}
	}
}

// sinceBefore returns since when a finding is found: as the report before said, or
// now.
func sinceBefore(findings []ai.Finding, f *ai.Finding, now time.Time) time.Time {
	for i := range findings {
		if old := &findings[i]; old.Kind == f.Kind && old.Feature == f.Feature && old.Key == f.Key && !old.Since.After(now) {
			return old.Since
		}
	}
	return now
}
