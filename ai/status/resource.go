package status

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// Reading is one measurement of a resource that a service runs on.
type Reading struct {
	// Service that the resource serves; empty where all services share it.
	Service string
	// Instance says which one, such as a host or a GPU.
	Instance string
	// Kind is the id of a catalogue line: "cpu", "memory", "gpu_memory", "disk",
	// "gpu_missing" or "host_down".
	Kind string
	// Value is in the line's unit: the used ratio, from 0 to 1, over the last
	// window for cpu, memory, gpu_memory and disk; the number of GPUs that are
	// missing of those expected for gpu_missing; 1 for a host that does not answer
	// and 0 for one that does for host_down.
	Value float64
	At    time.Time
}

// resource is one line of the catalogue.
type resource struct {
	ai.Check
	// say puts a value into words.
	say func(float64) string
}

// Catalogue returns the line of every kind of resource finding.
func Catalogue() []ai.Check {
	var out []ai.Check
	for _, r := range kinds() {
		out = append(out, r.Check)
	}
	return out
}

func kinds() []resource {
	return []resource{hostDown(), gpuMissing(), cpu(), memory(), gpuMemory(), disk()}
}

// Validate reports every id of a limit that is not in the catalogue.
func (o Options) Validate() error {
	ids := make([]string, 0, len(kinds()))
	for _, k := range kinds() {
		ids = append(ids, k.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(o.Limits)) {
		if !slices.Contains(ids, id) {
			return fmt.Errorf("resource check %q is not known: use one of %s", id, strings.Join(ids, ", "))
		}
	}
	return nil
}

// used says a ratio.
func used(what string) func(float64) string {
	return func(x float64) string { return fmt.Sprintf("%s is %.1f%% used", what, x*100) }
}

// resources judges the resource layer of a service. A reading that is stale, or no
// number, is unknown, and makes the layer unknown unless something is worse.
func resources(service string, in Input, o Options) ai.Status {
	st := ai.Status{Health: ai.Healthy}
	seen := 0
	for _, r := range in.Readings {
		if r.Service != "" && r.Service != service {
			continue
		}
		k := slices.IndexFunc(kinds(), func(k resource) bool { return k.ID == r.Kind })
		if k < 0 {
			continue // A reading that nobody judges.
		}
		kind := kinds()[k]
		limit := o.Limits[r.Kind]
		if limit.Off {
			continue
		}
		seen++
		where := ""
		if r.Instance != "" {
			where = r.Instance + ": "
		}
		var unknown string
		switch {
		case r.At.IsZero() || in.Now.Sub(r.At) > o.ReadingStaleAfter:
			unknown = fmt.Sprintf("%s%s: no reading for more than %s.", where, kind.Title, o.ReadingStaleAfter)
		case math.IsNaN(r.Value) || math.IsInf(r.Value, 0):
			unknown = fmt.Sprintf("%s%s: the reading is no number.", where, kind.Title)
		}
		if unknown != "" {
			st.Health = ai.Worst(st.Health, ai.Unknown)
			st.Reasons = append(st.Reasons, unknown)
			continue
		}
		if f, ok := kind.finding(service, r, limit, where); ok {
			st.Findings = append(st.Findings, f)
			st.Reasons = append(st.Reasons, f.Message)
			st.Health = ai.Worst(st.Health, of(f, o))
		}
	}
	if seen == 0 {
		st.Health = ai.Unknown
		st.Reasons = append(st.Reasons, "No reading of CPU, memory, disk or GPU: collect host metrics, or set the service's hosts.")
	}
	return st
}

func (k resource) finding(service string, r Reading, limit Limit, where string) (f ai.Finding, ok bool) {
	threshold, critical := k.Threshold, k.Critical
	if limit.Threshold != nil {
		threshold = *limit.Threshold
	}
	if limit.Critical != nil {
		critical = limit.Critical
	}
	f = ai.Finding{
		Layer: k.Layer, Kind: k.ID, Key: ai.Key{Service: service}, Feature: r.Instance,
		Score: r.Value, Threshold: threshold, Direction: k.Direction, Unit: k.Unit,
		Method: "reading", SampleSize: 1, Message: where + k.say(r.Value) + ".",
	}
	switch {
	case critical != nil && r.Value > *critical:
		f.Severity, f.Threshold = ai.SeverityCritical, *critical
	case r.Value > threshold:
		f.Severity = k.Severity
	default:
		return ai.Finding{}, false
	}
	return f, true
}
