// Package syntax reads LogQL: text to tokens to a tree, and back to text in a canonical or an indented form.
//
// It checks everything that can be known without data, such as regular expressions, patterns, templates' places and which
// functions go together. It does not run anything: package pipeline makes stages of it, package logql a plan.
package syntax

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// The labels that hold what went wrong with an entry in a pipeline.
const (
	ErrorLabel        = "__error__"
	ErrorDetailsLabel = "__error_details__"
)

// Expr is a LogQL query: a *LogExpr, which gives log lines, or a SampleExpr, which gives numbers.
type Expr interface {
	// String is the query on one line. Parsing it gives the same tree.
	String() string
	pretty(p *printer)
}

// SampleExpr is a query for numbers.
type SampleExpr interface {
	Expr
	// Scalar is true when the value is one number and not a vector.
	Scalar() bool
}

// LogExpr selects streams and takes their lines through a pipeline.
type LogExpr struct {
	Matchers []*labels.Matcher
	Stages   []Stage
}

// Stage is one step of a pipeline.
type Stage interface {
	String() string
}

// LineOp says how a line filter looks at a line.
type LineOp uint8

// The line filters. The negative of each comes right after it.
const (
	LineContains LineOp = iota
	LineNotContains
	LineMatch
	LineNotMatch
	LinePattern
	LineNotPattern
)

// Negative is true for operators that drop what they find.
func (op LineOp) Negative() bool { return op%2 == 1 }

// String is the operator.
func (op LineOp) String() string {
	return [...]string{"|=", "!=", "|~", "!~", "|>", "!>"}[op]
}

// LineOperand is what a line filter looks for.
type LineOperand struct {
	Text string
	// IP is true for ip("…"): Text is an address, a range or a network.
	IP bool
}

// LineFilter keeps lines in which an operand is found or, for negative operators, in which none is.
type LineFilter struct {
	Op       LineOp
	Operands []LineOperand
}

// ParserKind names a parser without parameters but one string.
type ParserKind string

// The parsers.
const (
	ParseJSON    ParserKind = "json"
	ParseLogfmt  ParserKind = "logfmt"
	ParseRegexp  ParserKind = "regexp"
	ParsePattern ParserKind = "pattern"
	ParseUnpack  ParserKind = "unpack"
)

// Parser takes labels out of the line.
type Parser struct {
	Kind ParserKind
	// Param is the expression of regexp and pattern.
	Param string
	// Fields are what to take, for json and logfmt; none takes all.
	Fields []Field
	// Strict and KeepEmpty are flags of logfmt.
	Strict, KeepEmpty bool
}

// Field is `label="path"` of a json or logfmt parser.
type Field struct {
	Label, Path string
}

// LabelFilter keeps entries by their labels.
type LabelFilter struct {
	Cond Cond
}

// Cond is a condition on labels: *StringCond, *NumberCond, *IPCond or *BoolCond.
type Cond interface {
	String() string
}

// StringCond compares a label with text. A missing label equals the empty text.
type StringCond struct {
	Matcher *labels.Matcher
}

// CmpOp compares numbers.
type CmpOp uint8

// The comparisons.
const (
	CmpEqual CmpOp = iota
	CmpNotEqual
	CmpGreater
	CmpGreaterEqual
	CmpLess
	CmpLessEqual
)

// String is the operator.
func (op CmpOp) String() string { return [...]string{"=", "!=", ">", ">=", "<", "<="}[op] }

// ValueKind says how a label's text becomes a number.
type ValueKind uint8

// The conversions.
const (
	NumberValue ValueKind = iota
	DurationValue
	BytesValue
)

// NumberCond compares a label, converted, with a number.
type NumberCond struct {
	Name string
	Op   CmpOp
	Kind ValueKind
	// Number is the number or the number of bytes, Duration the duration.
	Number   float64
	Duration time.Duration
	text     string // as written
}

// IPCond compares a label with an address, a range or a network.
type IPCond struct {
	Name     string
	Pattern  string
	Negative bool
}

// BoolCond joins two conditions.
type BoolCond struct {
	Or          bool
	Left, Right Cond
}

// LineFormat replaces the line.
type LineFormat struct {
	Template string
}

// LabelFormat renames or sets labels.
type LabelFormat struct {
	Formats []Format
}

// Format is one assignment of a LabelFormat.
type Format struct {
	Name string
	// Source is the label to rename, or the template.
	Source string
	Rename bool
}

// Decolorize removes ANSI colour sequences from the line.
type Decolorize struct{}

// DropLabels drops labels.
type DropLabels struct {
	Labels []LabelRef
}

// KeepLabels drops all labels but these.
type KeepLabels struct {
	Labels []LabelRef
}

// LabelRef names a label, or a label with a condition on its value.
type LabelRef struct {
	Name    string
	Matcher *labels.Matcher // nil for the name alone
}

// Conversion is the function around the label of an unwrap.
type Conversion string

// The conversions of unwrap. ConvertDuration gives seconds, ConvertBytes bytes.
const (
	ConvertNumber          Conversion = ""
	ConvertDuration        Conversion = "duration"
	ConvertDurationSeconds Conversion = "duration_seconds"
	ConvertBytes           Conversion = "bytes"
)

// Unwrap makes a label the value of each entry.
type Unwrap struct {
	Label   string
	Convert Conversion
	// After are the filters behind the unwrap.
	After []*LabelFilter
}

// LogRange is a log query over a window of time behind each point.
type LogRange struct {
	Log    *LogExpr
	Unwrap *Unwrap // nil if lines themselves are looked at
	Range  time.Duration
	Offset time.Duration
}

// RangeOp is a function over a LogRange.
type RangeOp string

// The range aggregations.
const (
	CountOverTime    RangeOp = "count_over_time"
	Rate             RangeOp = "rate"
	BytesOverTime    RangeOp = "bytes_over_time"
	BytesRate        RangeOp = "bytes_rate"
	AbsentOverTime   RangeOp = "absent_over_time"
	SumOverTime      RangeOp = "sum_over_time"
	AvgOverTime      RangeOp = "avg_over_time"
	MinOverTime      RangeOp = "min_over_time"
	MaxOverTime      RangeOp = "max_over_time"
	FirstOverTime    RangeOp = "first_over_time"
	LastOverTime     RangeOp = "last_over_time"
	StddevOverTime   RangeOp = "stddev_over_time"
	StdvarOverTime   RangeOp = "stdvar_over_time"
	QuantileOverTime RangeOp = "quantile_over_time"
	RateCounter      RangeOp = "rate_counter"
)

// rangeOps says of each range aggregation whether it can, or must, have an unwrap and may have a grouping.
var rangeOps = map[RangeOp]struct{ unwrapped, lines, grouping bool }{
	CountOverTime: {lines: true}, Rate: {lines: true, unwrapped: true}, BytesOverTime: {lines: true}, BytesRate: {lines: true},
	AbsentOverTime: {lines: true, unwrapped: true},
	SumOverTime:    {unwrapped: true}, RateCounter: {unwrapped: true},
	AvgOverTime: {unwrapped: true, grouping: true}, MinOverTime: {unwrapped: true, grouping: true}, MaxOverTime: {unwrapped: true, grouping: true},
	FirstOverTime: {unwrapped: true, grouping: true}, LastOverTime: {unwrapped: true, grouping: true},
	StddevOverTime: {unwrapped: true, grouping: true}, StdvarOverTime: {unwrapped: true, grouping: true},
	QuantileOverTime: {unwrapped: true, grouping: true},
}

// Grouping is a by or without clause.
type Grouping struct {
	Without bool
	Labels  []string
}

// RangeAgg is a range aggregation.
type RangeAgg struct {
	Op    RangeOp
	Param float64 // of quantile_over_time
	Range *LogRange
	// Grouping is nil if there is none.
	Grouping *Grouping
}

// VectorOp is an aggregation over the elements of a vector.
type VectorOp string

// The vector aggregations.
const (
	Sum        VectorOp = "sum"
	Avg        VectorOp = "avg"
	Min        VectorOp = "min"
	Max        VectorOp = "max"
	Count      VectorOp = "count"
	Stddev     VectorOp = "stddev"
	Stdvar     VectorOp = "stdvar"
	TopK       VectorOp = "topk"
	BottomK    VectorOp = "bottomk"
	ApproxTopK VectorOp = "approx_topk"
	Sort       VectorOp = "sort"
	SortDesc   VectorOp = "sort_desc"
)

var vectorOps = []VectorOp{Sum, Avg, Min, Max, Count, Stddev, Stdvar, TopK, BottomK, ApproxTopK, Sort, SortDesc}

// ranks is true for aggregations that take a number of elements.
func (op VectorOp) ranks() bool { return op == TopK || op == BottomK || op == ApproxTopK }

func (op VectorOp) groups() bool { return op != Sort && op != SortDesc && op != ApproxTopK }

// VectorAgg aggregates the elements of a vector.
type VectorAgg struct {
	Op       VectorOp
	K        int // of topk, bottomk, approx_topk
	Expr     SampleExpr
	Grouping *Grouping // nil if there is none
}

// BinaryOp is an operator between two sample expressions.
type BinaryOp string

// The binary operators.
const (
	OpAdd          BinaryOp = "+"
	OpSub          BinaryOp = "-"
	OpMul          BinaryOp = "*"
	OpDiv          BinaryOp = "/"
	OpMod          BinaryOp = "%"
	OpPow          BinaryOp = "^"
	OpEqual        BinaryOp = "=="
	OpNotEqual     BinaryOp = "!="
	OpGreater      BinaryOp = ">"
	OpGreaterEqual BinaryOp = ">="
	OpLess         BinaryOp = "<"
	OpLessEqual    BinaryOp = "<="
	OpAnd          BinaryOp = "and"
	OpOr           BinaryOp = "or"
	OpUnless       BinaryOp = "unless"
)

// Comparison is true for operators that filter.
func (op BinaryOp) Comparison() bool {
	return slices.Contains([]BinaryOp{OpEqual, OpNotEqual, OpGreater, OpGreaterEqual, OpLess, OpLessEqual}, op)
}

// Set is true for and, or and unless.
func (op BinaryOp) Set() bool { return op == OpAnd || op == OpOr || op == OpUnless }

// precedence of binary operators, from loosest to tightest.
func (op BinaryOp) precedence() int {
	switch op {
	case OpOr:
		return 1
	case OpAnd, OpUnless:
		return 2
	case OpAdd, OpSub:
		return 4
	case OpMul, OpDiv, OpMod:
		return 5
	case OpPow:
		return 6
	}
	return 3
}

// Side says which side of a binary operation may have several elements for one of the other.
type Side uint8

// The sides.
const (
	OneToOne Side = iota
	ManyLeft
	ManyRight
)

// Matching says which elements of two vectors belong together.
type Matching struct {
	// On is true if Labels are those that count, false if they are those that do not.
	On     bool
	Labels []string
	Many   Side
	// Include are labels to take over from the side of one.
	Include []string
}

// Binary is a binary operation.
type Binary struct {
	Op   BinaryOp
	Bool bool
	// Matching is nil if nothing was said.
	Matching    *Matching
	Left, Right SampleExpr
}

// LabelReplace is the function label_replace.
type LabelReplace struct {
	Expr                           SampleExpr
	Dst, Replacement, Src, Pattern string
}

// Vector is the function vector.
type Vector struct {
	Value float64
}

// Literal is a number.
type Literal struct {
	Value float64
}

// Scalar implements SampleExpr.
func (*RangeAgg) Scalar() bool { return false }

// Scalar implements SampleExpr.
func (*VectorAgg) Scalar() bool { return false }

// Scalar implements SampleExpr.
func (e *Binary) Scalar() bool { return e.Left.Scalar() && e.Right.Scalar() }

// Scalar implements SampleExpr.
func (*LabelReplace) Scalar() bool { return false }

// Scalar implements SampleExpr.
func (*Vector) Scalar() bool { return false }

// Scalar implements SampleExpr.
func (*Literal) Scalar() bool { return true }

// LogFilter is the line filter as a store knows it, and whether it knows it.
func (s *LineFilter) LogFilter() (logs.LineFilter, bool) {
	if s.Op >= LinePattern {
		return logs.LineFilter{}, false
	}
	out := logs.LineFilter{Op: logs.FilterOp(s.Op)}
	for _, o := range s.Operands {
		if o.IP {
			return logs.LineFilter{}, false
		}
		text := o.Text
		if s.Op >= LineMatch && strings.Contains(text, ".") {
			text = "(?s)" + text // in LogQL a dot matches newlines too
		}
		out.Patterns = append(out.Patterns, text)
	}
	return out, true
}

// Simple gives the line filters of a log query that has nothing else behind its selector, as a store knows them, and
// whether it is one.
func (e *LogExpr) Simple() ([]logs.LineFilter, bool) {
	out := make([]logs.LineFilter, 0, len(e.Stages))
	for _, s := range e.Stages {
		f, ok := s.(*LineFilter)
		if !ok {
			return nil, false
		}
		lf, ok := f.LogFilter()
		if !ok {
			return nil, false
		}
		out = append(out, lf)
	}
	return out, true
}
