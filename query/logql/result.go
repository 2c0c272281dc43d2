package logql

import (
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// ResultType says which part of a Result is filled.
type ResultType string

// The kinds of results, as Loki names them.
const (
	Streams ResultType = "streams"
	Vector  ResultType = "vector"
	Matrix  ResultType = "matrix"
	Scalar  ResultType = "scalar"
)

// Result is the answer to a query.
type Result struct {
	Type ResultType
	// Streams are the answer to a log query, in the order of their first entries.
	Streams []Stream
	// Vector is the answer to a metric query at one point of time, sorted by labels, or as sort and topk order it.
	Vector []Sample
	// Matrix is the answer to a metric query over a range of time, sorted by labels.
	Matrix []Series
	// Scalar is the answer to a number, of which only Point counts.
	Scalar Sample
	// Warnings are for the user to read.
	Warnings []string
	Stats    Stats
}

// Stream is entries with the same labels.
type Stream struct {
	Labels labels.Labels
	// Entries are in the direction that the query asked for.
	Entries []Entry
}

// Entry is a log line of a result.
type Entry struct {
	// Timestamp is in Unix nanoseconds.
	Timestamp int64
	Line      string
	// Metadata and Parsed are the labels from structured metadata and from the pipeline. They are filled if the query
	// asked for categories.
	Metadata, Parsed labels.Labels
}

// Point is a value at a time in Unix milliseconds.
type Point struct {
	T int64
	V float64
}

// Sample is a value of a series.
type Sample struct {
	Labels labels.Labels
	Point  Point
}

// Series is the values of a series, in order of time.
type Series struct {
	Labels labels.Labels
	Points []Point
}

// Stats is what a query cost.
type Stats struct {
	// Store is what was read from the store, over all Scans.
	Store logs.Stats
	// Scans is the number of selections and counts asked of the store, Counted those of them that it answered by counting.
	Scans, Counted int
	// Kept is the number of entries that came out of the pipelines, Returned those in the result.
	Kept, Returned int64
	// Series is the number of series in the result.
	Series int
	// Duration is from beginning to end.
	Duration time.Duration
}
