package stage

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// names reads a mapping of new names to the extracted values that they take; the default is the value of the same name.
func names(r *node.Reader, n *yaml.Node, where string, key *yaml.Node, labels bool) map[string]string {
	out := map[string]string{}
	before := len(r.Problems)
	r.Pairs(n, where, func(name string, v *yaml.Node) {
		if labels && !model.LegacyValidation.IsValidLabelName(name) {
			r.Fail(v, "letters, digits and underscores only, and no digit first", "%s: %q is not a label name", where, name)
			return
		}
		out[name] = name
		if !node.Null(v) && v.Value != "" {
			out[name] = v.Value
		}
	})
	if len(out) == 0 && len(r.Problems) == before {
		r.Fail(key, "", "%s needs at least one name", where)
		return nil
	}
	return out
}

// readLabels reads the stage labels: extracted values become labels.
func readLabels(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	wanted := names(r, n, where, key, true)
	return always(func(e *Entry) bool {
		for label, source := range wanted {
			if v, ok := textOf(e.Extracted[source]); ok && v != "" {
				e.Labels[label] = v
			}
		}
		return true
	})
}

// readMetadata reads the stage structured_metadata: extracted values become structured metadata.
func readMetadata(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	wanted := names(r, n, where, key, false)
	return always(func(e *Entry) bool {
		for name, source := range wanted {
			v, ok := textOf(e.Extracted[source])
			if !ok || v == "" {
				continue
			}
			if e.Metadata == nil {
				e.Metadata = map[string]string{}
			}
			e.Metadata[name] = v
		}
		return true
	})
}

// readStaticLabels reads the stage static_labels.
func readStaticLabels(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	out := map[string]string{}
	r.Pairs(n, where, func(name string, v *yaml.Node) {
		if !model.LegacyValidation.IsValidLabelName(name) {
			r.Fail(v, "letters, digits and underscores only, and no digit first", "%s: %q is not a label name", where, name)
			return
		}
		var text string
		r.String(&text, where+"."+name)(v)
		out[name] = text
	})
	if len(out) == 0 {
		r.Fail(key, "", "%s needs at least one label", where)
		return nil
	}
	return always(func(e *Entry) bool {
		for name, v := range out {
			if v != "" {
				e.Labels[name] = v
			}
		}
		return true
	})
}

// readLabelDrop reads the stage labeldrop.
func readLabelDrop(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	var drop []string
	r.Strings(&drop, where)(n)
	return always(func(e *Entry) bool {
		for _, name := range drop {
			delete(e.Labels, name)
		}
		return true
	})
}

// readLabelAllow reads the stage labelallow.
func readLabelAllow(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	var allow []string
	r.Strings(&allow, where)(n)
	return always(func(e *Entry) bool {
		for name := range e.Labels {
			if !slices.Contains(allow, name) {
				delete(e.Labels, name)
			}
		}
		return true
	})
}

// readOutput reads the stage output: an extracted value becomes the line.
func readOutput(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var source string
	r.Map(n, where, node.Fields{"source": r.String(&source, where+".source")})
	if source == "" {
		r.Fail(key, "", "%s needs a source", where)
		return nil
	}
	return always(func(e *Entry) bool {
		if v, ok := textOf(e.Extracted[source]); ok {
			e.Line = v
		}
		return true
	})
}

// TenantLabel is the label that carries the tenant through the pipeline. It is not stored.
const TenantLabel = "__tenant_id__"

// readTenant reads the stage tenant: who the entry belongs to.
func readTenant(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var label, source, value string
	r.Map(n, where, node.Fields{
		"label": r.String(&label, where+".label"), "source": r.String(&source, where+".source"), "value": r.String(&value, where+".value"),
	})
	set := 0
	for _, s := range []string{label, source, value} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		r.Fail(key, "", "%s needs exactly one of label, source and value", where)
		return nil
	}
	return always(func(e *Entry) bool {
		tenant := value
		if label != "" {
			tenant = e.Labels[label]
		} else if source != "" {
			tenant, _ = textOf(e.Extracted[source])
		}
		if tenant != "" {
			e.Labels[TenantLabel] = tenant
		}
		return true
	})
}

// entryKey is the key under which pack keeps the line.
const entryKey = "_entry"

// readPack reads the stage pack: the line and some labels become one JSON object.
func readPack(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	var wanted []string
	ingest := true
	r.Map(n, where, node.Fields{
		"labels":           r.Strings(&wanted, where+".labels"),
		"ingest_timestamp": r.Bool(&ingest, where+".ingest_timestamp"),
	})
	return func(env *Env) stage {
		return each(func(e *Entry) bool {
			packed := map[string]string{entryKey: e.Line}
			for _, name := range wanted {
				if v, ok := textOf(e.Extracted[name]); ok {
					packed[name] = v
				}
				if v, ok := e.Labels[name]; ok {
					packed[name] = v
					delete(e.Labels, name)
				}
			}
			// Maps are written with sorted keys.
			text, err := json.Marshal(packed)
			if err != nil {
				return true
			}
			e.Line = string(text)
			if ingest {
				e.Time = env.Now()
			}
			return true
		})
	}
}

// readUnpack reads the stage unpack, the reverse of pack.
func readUnpack(r *node.Reader, n *yaml.Node, where string, _ *yaml.Node) maker {
	r.Map(n, where, node.Fields{})
	return always(func(e *Entry) bool {
		var packed map[string]string
		if json.Unmarshal([]byte(e.Line), &packed) != nil {
			return true
		}
		line, ok := packed[entryKey]
		if !ok {
			return true
		}
		e.Line = line
		for name, v := range packed {
			if name != entryKey && v != "" {
				e.Labels[name] = v
			}
		}
		return true
	})
}

// readTimestamp reads the stage timestamp: an extracted value becomes the time of the entry.
func readTimestamp(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker {
	var source, format, zone, failure string
	var fallbacks []string
	zoneNode, failureNode := key, key
	r.Map(n, where, node.Fields{
		"source":            r.String(&source, where+".source"),
		"format":            r.String(&format, where+".format"),
		"fallback_formats":  r.Strings(&fallbacks, where+".fallback_formats"),
		"location":          func(v *yaml.Node) { zoneNode = v; r.String(&zone, where+".location")(v) },
		"action_on_failure": func(v *yaml.Node) { failureNode = v; r.String(&failure, where+".action_on_failure")(v) },
	})
	if source == "" || format == "" {
		r.Fail(key, "", "%s needs source and format", where)
		return nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		r.Fail(zoneNode, `write it like "Europe/Berlin"`, "%s.location %q is not known", where, zone)
		return nil
	}
	if failure != "" && failure != "fudge" && failure != "skip" {
		r.Fail(failureNode, "known are fudge and skip", "%s.action_on_failure cannot be %q", where, failure)
		return nil
	}
	var parsers []func(string) (time.Time, error)
	for _, f := range append([]string{format}, fallbacks...) {
		parsers = append(parsers, timeParser(f, location))
	}
	return func(env *Env) stage {
		// The last good time of each stream, for "fudge".
		last := map[string]time.Time{}
		return each(func(e *Entry) bool {
			text, ok := textOf(e.Extracted[source])
			if ok {
				for _, parse := range parsers {
					t, err := parse(strings.TrimSpace(text))
					if err != nil {
						continue
					}
					if t.Year() == 0 {
						t = withYear(t, env.Now())
					}
					e.Time = t
					if failure != "skip" {
						if len(last) > 10_000 {
							clear(last)
						}
						last[labelKey(e.Labels)] = t
					}
					return true
				}
			}
			if failure != "skip" {
				k := labelKey(e.Labels)
				if t, ok := last[k]; ok {
					e.Time = t.Add(1)
					last[k] = e.Time
				}
			}
			return true
		})
	}
}

// withYear completes a time that was written without its year, so that it is not in the future.
func withYear(t, now time.Time) time.Time {
	t = t.AddDate(now.Year(), 0, 0)
	if t.After(now.Add(24 * time.Hour)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t
}

func timeParser(format string, location *time.Location) func(string) (time.Time, error) {
	unix := func(unit time.Duration) func(string) (time.Time, error) {
		return func(s string) (time.Time, error) { return parseUnix(s, unit) }
	}
	switch format {
	case "Unix":
		return unix(time.Second)
	case "UnixMs":
		return unix(time.Millisecond)
	case "UnixUs":
		return unix(time.Microsecond)
	case "UnixNs":
		return unix(time.Nanosecond)
	}
	if layout, ok := map[string]string{
		"ANSIC": time.ANSIC, "UnixDate": time.UnixDate, "RubyDate": time.RubyDate, "RFC822": time.RFC822, "RFC822Z": time.RFC822Z,
		"RFC850": time.RFC850, "RFC1123": time.RFC1123, "RFC1123Z": time.RFC1123Z, "RFC3339": time.RFC3339, "RFC3339Nano": time.RFC3339Nano,
	}[format]; ok {
		format = layout
	}
	return func(s string) (time.Time, error) { return time.ParseInLocation(format, s, location) }
}
