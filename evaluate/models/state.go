package models

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/status"
)

// reading is the worst of the resources of a service at a time, for sparklines.
type reading struct {
	At    time.Time
	Value float64
}

// maxReadings is the number of readings kept for a sparkline.
const maxReadings = 120

// renewStatus makes the report of now. The caller holds ticking.
func (e *Engine) renewStatus(now time.Time) {
	in := status.Input{Now: now}
	if e.opt.Readings != nil {
		in.Readings = e.opt.Readings()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	in.Previous = e.report
	for _, v := range e.versions {
		if !v.seen.IsZero() { // Labels alone, of one that was forgotten, say nothing of now.
			in.Versions = append(in.Versions, e.evidence(v))
		}
	}
	in.Probes = e.probes(in.Versions)
	slices.SortFunc(in.Versions, func(a, b status.Evidence) int { return a.Key.Compare(b.Key) })
	report := status.Evaluate(in, e.opt.Status)
	e.noteRefused(&report, now)
	e.report = &report
	e.noteReadings(in.Readings, now)
}

// probes are those of the services of versions: not all that answers is an AI service.
func (e *Engine) probes(versions []status.Evidence) []status.Probe {
	if e.opt.Probes == nil {
		return nil
	}
	services := make(map[string]bool)
	for i := range versions {
		services[versions[i].Key.Service] = true
	}
	return slices.DeleteFunc(slices.Clone(e.opt.Probes()), func(p status.Probe) bool { return !services[p.Service] })
}

// evidence is what is known of a version. The caller holds mu.
func (e *Engine) evidence(v *version) status.Evidence {
	ev := status.Evidence{Key: v.key, Window: e.opt.Windows.Length, First: v.first, Last: v.seen}
	if r := v.result; r != nil {
		ev.Take(r.findings, r.judged, r.notes)
	} else if !v.seen.IsZero() {
		text := "The first window is still open."
		ev.Take(nil, nil, map[ai.Layer][]string{ai.LayerService: {text}, ai.LayerModel: {text}, ai.LayerData: {text}})
	}
	if c := v.auto; c != nil && v.baseline == nil {
		ev.Take(nil, nil, map[ai.Layer][]string{ai.LayerData: {c.progress()}})
	}
	if v.labels.late > 0 {
		ev.Take(nil, nil, map[ai.Layer][]string{ai.LayerModel: {
			fmt.Sprintf("%d labels came later than %s after their inferences and were not counted.", v.labels.late, e.opt.Labels.Horizon),
		}})
	}
	return ev
}

// limit is one that was reached: of what, by which setting of inferences.limits, and in
// which service; empty where it is one of all services.
type limit struct{ of, setting, service string }

// noteRefused says what was left out whole, in the service that it is about or in every
// one. The caller holds mu.
func (e *Engine) noteRefused(report *status.Report, now time.Time) {
	texts := make(map[string][]string)
	for l, r := range e.refused {
		if now.Sub(r.last) > time.Hour {
			delete(e.refused, l)
			continue
		}
		texts[l.service] = append(texts[l.service], fmt.Sprintf("%d inferences were left out, the last at %s: the limit of %s is reached (inferences.limits.%s).",
			r.n, r.last.UTC().Format(time.RFC3339), l.of, l.setting))
	}
	for i := range report.Services {
		about := texts[""]
		if service := report.Services[i].Name; service != "" {
			about = slices.Concat(about, texts[service])
		}
		slices.Sort(about)
		for j := range report.Services[i].Layers {
			if st := &report.Services[i].Layers[j]; st.Layer == ai.LayerData {
				st.Reasons = append(st.Reasons, about...)
			}
		}
	}
}

// noteReadings remembers the worst use of a resource by service. The caller holds mu.
func (e *Engine) noteReadings(readings []status.Reading, now time.Time) {
	worst := make(map[string]float64)
	for _, r := range readings {
		switch r.Kind {
		case "cpu", "memory", "gpu_memory", "disk":
			if finite(r.Value) != nil {
				worst[r.Service] = max(worst[r.Service], r.Value)
			}
		}
	}
	for service, x := range worst {
		list := e.readings[service]
		if n := len(list); n > 0 && now.Sub(list[n-1].At) < e.opt.Windows.Length/2 {
			continue
		}
		list = append(list, reading{now, x})
		e.readings[service] = list[max(len(list)-maxReadings, 0):]
	}
}

// Report returns the state of everything as of the last look; nil before the first.
// It is shared and must not be changed.
func (e *Engine) Report() *status.Report {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.report
}

// sorted returns the versions by key. The caller holds mu.
func (e *Engine) sorted() []*version {
	out := make([]*version, 0, len(e.versions))
	for _, v := range e.versions {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b *version) int { return cmp.Or(a.key.Compare(b.key)) })
	return out
}
