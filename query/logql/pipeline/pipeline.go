// Package pipeline takes log entries through the stages of a LogQL query, one at a time and without allocation where the
// stage allows it.
//
// It works out backwards which labels the rest of a query looks at, so that parsers extract only these and may stop early.
// It does not read from stores, group or aggregate.
package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/query/logql/syntax"
	"github.com/modelwatch/modelwatch/query/logql/unit"
)

// Need says what is looked at behind a pipeline.
type Need struct {
	// All labels, or those of Names.
	All   bool
	Names []string
	// Line is true if the line is looked at.
	Line bool
	// Partial allows what no result shows: to leave out a parser none of whose labels is needed, and to stop in the
	// middle of a line when all are found, so that an error behind is not noticed.
	Partial bool
}

func (n *Need) want(names ...string) {
	for _, name := range names {
		if !slices.Contains(n.Names, name) {
			n.Names = append(n.Names, name)
		}
	}
}

// errors says whether the error labels are looked at.
func (n *Need) errors() bool {
	return n.All || slices.Contains(n.Names, syntax.ErrorLabel) || slices.Contains(n.Names, syntax.ErrorDetailsLabel)
}

// Program is a compiled pipeline. It is not changed by running it.
type Program struct {
	stages []maker
	unwrap *unwrap
	before Need
}

// stage handles an entry; false drops it.
type stage interface {
	process(e *entry) bool
}

// maker makes a stage for one goroutine.
type maker func() stage

// Compile makes a program of the stages, and of an unwrap behind them or nil.
func Compile(stages []syntax.Stage, u *syntax.Unwrap, need Need) (*Program, error) {
	p := &Program{}
	need.Names = slices.Clone(need.Names)
	if u != nil {
		var err error
		if p.unwrap, err = compileUnwrap(u, &need); err != nil {
			return nil, err
		}
	}
	for _, stage := range slices.Backward(stages) {
		m, err := compileStage(stage, &need)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", stage, err)
		}
		if m != nil {
			p.stages = append(p.stages, m)
		}
	}
	slices.Reverse(p.stages)
	p.before = need
	return p, nil
}

// Before is what the pipeline itself looks at: labels of the stream and metadata, and whether the line.
func (p *Program) Before() Need { return p.before }

// Empty says whether the pipeline does nothing.
func (p *Program) Empty() bool { return len(p.stages) == 0 && p.unwrap == nil }

// compileStage makes a stage and turns need, what is looked at behind it, into what is looked at before it. It gives nil
// for a stage that changes nothing that is looked at.
func compileStage(s syntax.Stage, need *Need) (maker, error) {
	switch s := s.(type) {
	case *syntax.LineFilter:
		need.Line = true
		f, err := newLineFilter(s)
		return shared(f), err
	case *syntax.LabelFilter:
		c, err := newCond(s.Cond, need)
		return shared(&labelFilter{c}), err
	case *syntax.Parser:
		return compileParser(s, need)
	case *syntax.LineFormat:
		if !need.Line {
			return nil, nil
		}
		return newLineFormat(s, need)
	case *syntax.LabelFormat:
		return newLabelFormat(s, need)
	case *syntax.Decolorize:
		if !need.Line {
			return nil, nil
		}
		return func() stage { return &decolorize{} }, nil
	case *syntax.DropLabels:
		for _, r := range s.Labels {
			if r.Matcher != nil {
				need.want(r.Name)
			}
		}
		return shared(&drop{s.Labels}), nil
	case *syntax.KeepLabels:
		if need.All {
			need.All = false
			need.want(syntax.ErrorLabel)
			for _, r := range s.Labels {
				need.want(r.Name)
			}
		}
		for _, r := range s.Labels {
			if r.Matcher != nil {
				need.want(r.Name)
			}
		}
		return shared(&keep{s.Labels}), nil
	}
	return nil, fmt.Errorf("unknown stage %T", s)
}

// shared is a maker of a stage without a state.
func shared(s stage) maker { return func() stage { return s } }

// unwrap makes a label the value of an entry.
type unwrap struct {
	label   string
	convert func(string) (float64, error)
	after   []stage
}

func compileUnwrap(u *syntax.Unwrap, need *Need) (*unwrap, error) {
	out := &unwrap{label: u.Label}
	for _, f := range u.After {
		c, err := newCond(f.Cond, need)
		if err != nil {
			return nil, err
		}
		out.after = append(out.after, &labelFilter{c})
	}
	need.want(u.Label)
	switch u.Convert {
	case syntax.ConvertNumber:
		out.convert = func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }
	case syntax.ConvertDuration, syntax.ConvertDurationSeconds:
		out.convert = func(s string) (float64, error) {
			d, err := time.ParseDuration(s)
			return d.Seconds(), err
		}
	case syntax.ConvertBytes:
		out.convert = func(s string) (float64, error) {
			n, err := unit.ParseBytes(s)
			return float64(n), err
		}
	}
	return out, nil
}

// process gives the value, and false for an entry that has none.
func (u *unwrap) process(e *entry) (float64, bool) {
	s, _ := e.get(u.label)
	if s == "" {
		return 0, false
	}
	v, err := u.convert(s)
	if err != nil {
		v = 0
		e.fail(errSample, err.Error())
	}
	for _, f := range u.after {
		if !f.process(e) {
			return 0, false
		}
	}
	return v, true
}

// Runner runs a program for one goroutine. What it gives about an entry is valid until the next Process.
type Runner struct {
	stages []stage
	unwrap *unwrap
	e      entry
	value  float64
}

// NewRunner makes a runner.
func (p *Program) NewRunner() *Runner {
	r := &Runner{unwrap: p.unwrap}
	for _, m := range p.stages {
		r.stages = append(r.stages, m())
	}
	return r
}

// Process takes an entry through the pipeline and says whether it comes out.
func (r *Runner) Process(s *Stream, ts int64, line string, meta labels.Labels) bool {
	r.e.reset(s, ts, line, meta)
	for _, st := range r.stages {
		if !st.process(&r.e) {
			return false
		}
	}
	if r.unwrap != nil {
		var ok bool
		if r.value, ok = r.unwrap.process(&r.e); !ok {
			return false
		}
	}
	return true
}

// Line is the line as the pipeline left it.
func (r *Runner) Line() string { return r.e.line }

// Value is the unwrapped value.
func (r *Runner) Value() float64 { return r.value }

// Error is the value of __error__, "" if all went well, and of __error_details__.
func (r *Runner) Error() (kind, details string) { return r.e.err, r.e.details }

// Label is a label's value and whether the entry has it.
func (r *Runner) Label(name string) (string, bool) {
	if strings.HasPrefix(name, "__error") {
		v := r.e.text(name)
		return v, v != ""
	}
	return r.e.get(name)
}

// Plain says whether the labels are exactly those of the stream.
func (r *Runner) Plain() bool { return r.e.plain() }

// Pairs are all labels, sorted by name.
func (r *Runner) Pairs() []Pair { return r.e.pairs() }

// Labels are all labels, those of the stream, of the metadata and of the pipeline together. They stay valid.
func (r *Runner) Labels() labels.Labels {
	if r.e.plain() {
		return r.e.stream.Labels
	}
	return NewLabels(r.e.pairs())
}

// Categories are the labels apart: of the stream, of the metadata, and of the pipeline with its errors. They stay valid.
func (r *Runner) Categories() (stream, metadata, parsed labels.Labels) {
	e := &r.e
	pick := func(from []Pair) labels.Labels {
		e.all = e.all[:0]
		for _, p := range from {
			if e.visible(p.Name) {
				e.all = append(e.all, p)
			}
		}
		return NewLabels(e.all)
	}
	stream = e.stream.Labels
	if len(e.parsed) > 0 || len(e.deleted) > 0 {
		stream = pick(e.stream.pairs)
	}
	metadata = pick(e.meta)
	e.all = append(e.all[:0], e.parsed...)
	if e.err != "" {
		e.all = append(e.all, Pair{syntax.ErrorLabel, e.err})
	}
	if e.details != "" {
		e.all = append(e.all, Pair{syntax.ErrorDetailsLabel, e.details})
	}
	slices.SortFunc(e.all, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	return stream, metadata, NewLabels(e.all)
}

// NewLabels makes a label set of pairs sorted by name. Empty values stay. The text is copied.
func NewLabels(ps []Pair) labels.Labels {
	if len(ps) == 0 {
		return labels.EmptyLabels()
	}
	b := labels.NewScratchBuilder(len(ps))
	for _, p := range ps {
		b.Add(p.Name, p.Value)
	}
	return b.Labels()
}
