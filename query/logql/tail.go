package logql

import (
	"strings"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql/pipeline"
	"github.com/modelwatch/modelwatch/query/logql/syntax"
)

// Filter applies a log query to entries as they come, one at a time: for tailing, and for rules on ingestion. It is for
// one goroutine.
type Filter struct {
	matchers []*labels.Matcher
	runner   *pipeline.Runner
	stream   *pipeline.Stream
}

// NewFilter makes a filter of a log query.
func NewFilter(query string) (*Filter, error) {
	e, err := syntax.ParseLog(query)
	if err != nil {
		return nil, err
	}
	p, err := pipeline.Compile(e.Stages, nil, pipeline.Need{All: true, Line: true})
	if err != nil {
		return nil, err
	}
	return &Filter{matchers: e.Matchers, runner: p.NewRunner()}, nil
}

// Matchers are the conditions on streams.
func (f *Filter) Matchers() []*labels.Matcher { return f.matchers }

// Matches says whether the query selects a stream at all.
func (f *Filter) Matches(stream labels.Labels) bool {
	for _, m := range f.matchers {
		if !m.Matches(stream.Get(m.Name)) {
			return false
		}
	}
	return true
}

// Process takes an entry of a selected stream through the pipeline. It gives the labels and the entry as the query makes
// them, and false if the query drops it.
func (f *Filter) Process(stream labels.Labels, e logs.Entry) (labels.Labels, Entry, bool) {
	if f.stream == nil || !labels.Equal(f.stream.Labels, stream) {
		f.stream = pipeline.NewStream(stream)
	}
	if !f.runner.Process(f.stream, e.Timestamp, e.Line, e.Metadata) {
		return labels.EmptyLabels(), Entry{}, false
	}
	out := Entry{Timestamp: e.Timestamp, Line: strings.Clone(f.runner.Line())}
	_, out.Metadata, out.Parsed = f.runner.Categories()
	return f.runner.Labels(), out, true
}
