// Package logs holds the words that log collection, storage and queries share: entries and streams on the way in,
// selections, batches and cursors on the way out.
//
// It is vocabulary only. It does not store, parse LogQL, speak a protocol or start a goroutine, and it imports nothing
// but the standard library and Prometheus's label sets.
package logs

import (
	"github.com/prometheus/prometheus/model/labels"
)

// Entry is one log line of a stream.
type Entry struct {
	// Timestamp is in nanoseconds since the Unix epoch.
	Timestamp int64
	// Line is the text without its newline.
	Line string
	// Metadata is the structured metadata of this entry alone; most entries have none.
	Metadata labels.Labels
}

// Stream is a label set and entries that belong to it. The entries need not be in order of time.
type Stream struct {
	Labels  labels.Labels
	Entries []Entry
}

// Bytes is the size of the entry's line and metadata (names and values), which is what limits and statistics count.
func (e Entry) Bytes() int {
	n := len(e.Line)
	e.Metadata.Range(func(l labels.Label) { n += len(l.Name) + len(l.Value) })
	return n
}
