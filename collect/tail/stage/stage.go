// Package stage takes log entries through Promtail's pipeline stages: parse, change, drop, join.
//
// It works on entries in memory. It does not read files, and it does not send anything.
package stage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/modelwatch/modelwatch/collect/tail/node"
)

// Entry is a log line on its way through a pipeline.
type Entry struct {
	Labels map[string]string
	// Extracted is what stages took out of the line for later stages; it begins with the labels.
	Extracted map[string]any
	Metadata  map[string]string
	Time      time.Time
	Line      string
	// Start and End are where in its source the entry begins and the next one begins.
	Start, End int64
}

// NewEntry returns an entry with a copy of the labels.
func NewEntry(labels map[string]string, t time.Time, line string) *Entry {
	e := &Entry{Labels: make(map[string]string, len(labels)+2), Extracted: make(map[string]any, len(labels)+4), Time: t, Line: line}
	for k, v := range labels {
		e.Labels[k] = v
		e.Extracted[k] = v
	}
	return e
}

// Env is what the stages of all pipelines share.
type Env struct {
	Metrics *Metrics
	// Now is the clock.
	Now func() time.Time
	// Stop, if not nil, ends waiting for a rate limit.
	Stop <-chan struct{}
}

// next takes an entry to the stage after.
type next func(*Entry)

// stage is one step of a pipeline for one source of lines. It calls next for each entry that goes on.
type stage interface {
	process(e *Entry, next next)
}

// holder is a stage that keeps entries back to join them with later ones.
type holder interface {
	// due is when what is held must go on; zero if nothing is held.
	due() time.Time
	// flush lets go of everything that is due at now.
	flush(now time.Time, next next)
	// held is the Start of the oldest entry kept back.
	held() (int64, bool)
}

// maker makes a stage for a source. What all sources of a job share, such as a rate limit, is made once and kept by it.
type maker func(env *Env) stage

// Pipeline is the stages of a job.
type Pipeline struct{ makers []maker }

// Read reads a list of stages, noting every mistake.
func Read(r *node.Reader, n *yaml.Node, where string) *Pipeline {
	p := &Pipeline{}
	r.List(n, where, func(i int, n *yaml.Node) {
		at := fmt.Sprintf("%s[%d]", where, i)
		if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
			// A stage without settings, such as "- cri:" or "- cri: {}", has one key as well.
			if n.Kind == yaml.ScalarNode && !node.Null(n) {
				n = &yaml.Node{Kind: yaml.MappingNode, Line: n.Line, Content: []*yaml.Node{n, {Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}}}
			} else {
				r.Fail(n, `write it as "- name:" with its settings below`, "%s must be one stage", at)
				return
			}
		}
		key, value := n.Content[0], n.Content[1]
		for value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		read, known := kinds()[key.Value]
		switch reason, unsupported := unsupportedStages()[key.Value]; {
		case unsupported:
			r.Fail(key, reason, "stage %q cannot be honoured", key.Value)
		case !known:
			r.Fail(key, "known are "+strings.Join(Names(), ", "), "there is no stage %q", key.Value)
		default:
			if m := read(r, value, at+"."+key.Value, key); m != nil {
				p.makers = append(p.makers, m)
			}
		}
	})
	return p
}

// reader reads the settings of one kind of stage. key is where the stage begins. It returns nil after a mistake.
type reader func(r *node.Reader, n *yaml.Node, where string, key *yaml.Node) maker

func kinds() map[string]reader {
	return map[string]reader{
		"cri": readCRI, "decolorize": readDecolorize, "docker": readDocker, "drop": readDrop, "json": readJSON,
		"labelallow": readLabelAllow, "labeldrop": readLabelDrop, "labels": readLabels, "limit": readLimit,
		"logfmt": readLogfmt, "match": readMatch, "metrics": readMetrics, "multiline": readMultiline, "output": readOutput,
		"pack": readPack, "regex": readRegex, "replace": readReplace, "sampling": readSampling,
		"static_labels": readStaticLabels, "structured_metadata": readMetadata, "template": readTemplate,
		"tenant": readTenant, "timestamp": readTimestamp, "unpack": readUnpack,
	}
}

func unsupportedStages() map[string]string {
	return map[string]string{
		"geoip":           "it needs a location database, which modelwatch does not read; remove the stage",
		"eventlogmessage": "it is for Windows event logs, which modelwatch does not collect; remove the stage",
		"luhn":            "use a replace stage with an expression for card numbers",
	}
}

// Names are the stages that there are.
func Names() []string {
	var out []string
	for name := range kinds() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Running is a pipeline for one source of lines. It is used by one goroutine.
type Running struct {
	stages []stage
	nexts  []next
	out    next
}

// Start makes the stages for a source; out receives what comes out at the end.
func (p *Pipeline) Start(env *Env, out func(*Entry)) *Running {
	run := &Running{stages: make([]stage, len(p.makers)), nexts: make([]next, len(p.makers)+1), out: out}
	for i, m := range p.makers {
		run.stages[i] = m(env)
	}
	run.nexts[len(p.makers)] = out
	for i := len(p.makers) - 1; i >= 0; i-- {
		s, after := run.stages[i], run.nexts[i+1]
		run.nexts[i] = func(e *Entry) { s.process(e, after) }
	}
	return run
}

// Process takes an entry through the pipeline.
func (run *Running) Process(e *Entry) { run.nexts[0](e) }

// Due is when Flush must be called; zero if nothing is held back.
func (run *Running) Due() time.Time {
	var first time.Time
	for _, s := range run.stages {
		if h, ok := s.(holder); ok {
			if t := h.due(); !t.IsZero() && (first.IsZero() || t.Before(first)) {
				first = t
			}
		}
	}
	return first
}

// Flush lets go of what was held back long enough at now. With a time in the far future it lets go of everything.
func (run *Running) Flush(now time.Time) {
	for i, s := range run.stages {
		if h, ok := s.(holder); ok {
			h.flush(now, run.nexts[i+1])
		}
	}
}

// FlushAll lets go of everything.
func (run *Running) FlushAll() { run.Flush(time.Unix(math.MaxInt32, 0)) }

// Held is the Start of the oldest entry that is held back, if there is one.
func (run *Running) Held() (int64, bool) {
	oldest, found := int64(0), false
	for _, s := range run.stages {
		if h, ok := s.(holder); ok {
			if at, ok := h.held(); ok && (!found || at < oldest) {
				oldest, found = at, true
			}
		}
	}
	return oldest, found
}

// each is a stage that changes entries one by one. It returns false to drop one.
type each func(e *Entry) bool

func (f each) process(e *Entry, next next) {
	if f(e) {
		next(e)
	}
}

// always makes the same stage for every source.
func always(f each) maker { return func(*Env) stage { return f } }

// textOf is an extracted value as text; false if there is none.
func textOf(v any) (string, bool) {
	switch x := v.(type) {
	case nil:
		return "", false
	case string:
		return x, true
	case bool:
		return strconv.FormatBool(x), true
	case int:
		return strconv.Itoa(x), true
	case int64:
		return strconv.FormatInt(x, 10), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	}
	return fmt.Sprint(v), true
}

// sourceText is an extracted value, or the line if no source is named.
func (e *Entry) sourceText(source string) (string, bool) {
	if source == "" {
		return e.Line, true
	}
	v, ok := e.Extracted[source]
	if !ok {
		return "", false
	}
	return textOf(v)
}

// number is an extracted value as a number; text is read as one.
func number(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case string:
		if f, err := strconv.ParseFloat(strings.TrimSpace(x), 64); err == nil {
			return f, true
		}
		if d, err := time.ParseDuration(x); err == nil {
			return d.Seconds(), true
		}
	}
	return 0, false
}
