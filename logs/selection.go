package logs

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// FilterOp says how a LineFilter looks at a line.
type FilterOp uint8

// The line filters that a store applies itself. Everything else that LogQL can ask is done by the query engine.
const (
	// Contains keeps lines that hold any of the patterns as plain text.
	Contains FilterOp = iota
	// NotContains keeps lines that hold none of the patterns as plain text.
	NotContains
	// Match keeps lines in which any of the patterns, RE2 expressions that are not anchored, matches somewhere.
	Match
	// NotMatch keeps lines in which none of the patterns matches.
	NotMatch
)

// String is the operator as LogQL spells it.
func (op FilterOp) String() string {
	switch op {
	case Contains:
		return "|="
	case NotContains:
		return "!="
	case Match:
		return "|~"
	case NotMatch:
		return "!~"
	}
	return fmt.Sprintf("FilterOp(%d)", uint8(op))
}

// LineFilter is a condition on the text of a line.
//
// Regular expressions have Go's syntax and defaults: case counts, and a dot does not match a newline, unless flags in the
// pattern such as (?i) and (?s) say otherwise.
type LineFilter struct {
	Op FilterOp
	// Patterns are alternatives and never empty. An empty pattern is contained in, and matches, every line.
	Patterns []string
}

// String is the filter as LogQL spells it.
func (f LineFilter) String() string {
	quoted := make([]string, len(f.Patterns))
	for i, p := range f.Patterns {
		quoted[i] = strconv.Quote(p)
	}
	return f.Op.String() + " " + strings.Join(quoted, " or ")
}

// Order is the order in which a cursor delivers entries.
type Order uint8

const (
	// Unordered lets the store deliver as it likes, which is the fastest. Entries of one stream may come in any order.
	Unordered Order = iota
	// Forward delivers the oldest entries first, over all streams.
	Forward
	// Backward delivers the newest entries first, over all streams.
	Backward
)

// String names the order.
func (o Order) String() string {
	switch o {
	case Unordered:
		return "unordered"
	case Forward:
		return "forward"
	case Backward:
		return "backward"
	}
	return fmt.Sprintf("Order(%d)", uint8(o))
}

// Columns says which columns of a batch the reader will look at; a store need not fetch the others. Stream and
// timestamp are always there.
type Columns uint8

const (
	// ColumnLine asks for Batch.Lines.
	ColumnLine Columns = 1 << iota
	// ColumnSize asks for Batch.Sizes, the length of each line. It is there when ColumnLine is not.
	ColumnSize
	// ColumnMetadata asks for Batch.Metadata.
	ColumnMetadata
)

// AllColumns asks for whole entries.
const AllColumns = ColumnLine | ColumnMetadata

// Selection is what a reader wants of a store. Every field but the hints is a condition that the store applies exactly,
// so that nobody needs to look again.
type Selection struct {
	// Matchers are conditions on the labels of streams. All of them hold, and at least one of them does not match the
	// empty string. A missing label equals the empty one.
	Matchers []*labels.Matcher
	// Start and End bound the timestamps in nanoseconds since the Unix epoch: Start <= t < End.
	Start, End int64
	// Filters are conditions on the line. All of them hold.
	Filters []LineFilter
	// LabelFilters are conditions on the labels of the entry's stream and, for a name that the stream does not have, on
	// the entry's metadata. All of them hold. A missing label equals the empty one.
	LabelFilters []*labels.Matcher
	// Order is the order of delivery. Entries with equal timestamps are in the order of their arrival within a stream
	// and in any order between streams, for Backward in the reverse of it.
	Order Order
	// Limit is the greatest number of entries to deliver, the first in Order; 0 is no limit.
	Limit int

	// Columns says what the reader will look at. 0 is none but stream and timestamp.
	Columns Columns
	// Expect is a hint: the reader will probably close the cursor after about so many entries, because conditions that
	// the store cannot see come after. A store should not sort or fetch the whole range before the first batch. 0 is
	// unknown, usually everything.
	Expect int
}

// Batch is a run of entries in columns of equal length.
//
// The strings of a batch may point into memory of the store. They are valid until Release; who keeps one longer copies
// it. The label sets in Streams and Metadata are ordinary values and stay valid.
type Batch struct {
	// Streams is the table of streams into which Stream points. A later batch of the same cursor has the same table or
	// a longer one that begins with it, so work on labels is done once a stream. No stream appears twice.
	Streams []labels.Labels
	// Stream holds for each entry an index into Streams.
	Stream []uint32
	// Timestamps are in nanoseconds since the Unix epoch.
	Timestamps []int64
	// Lines is nil unless ColumnLine was asked for.
	Lines []string
	// Sizes is the length of each line in bytes; nil unless ColumnSize was asked for without ColumnLine.
	Sizes []uint32
	// Metadata is nil unless ColumnMetadata was asked for and an entry of the batch has some.
	Metadata []labels.Labels

	// Free, if set, gives the memory back to the store. Call Release instead.
	Free func()
}

// Len is the number of entries.
func (b *Batch) Len() int { return len(b.Timestamps) }

// Release gives the batch back. It must be called once, from any goroutine, before the cursor's Close returns.
func (b *Batch) Release() {
	if b.Free != nil {
		b.Free()
		b.Free = nil
	}
}

// Entry is the i-th entry, with the line not copied.
func (b *Batch) Entry(i int) Entry {
	e := Entry{Timestamp: b.Timestamps[i]}
	if b.Lines != nil {
		e.Line = b.Lines[i]
	}
	if b.Metadata != nil {
		e.Metadata = b.Metadata[i]
	}
	return e
}

// Cursor delivers the entries of a selection.
type Cursor interface {
	// Next returns the next batch, which is never empty, or io.EOF when there is no more. It waits no longer than the
	// context that Select was given. Batches may be held while Next is called again; Next itself is called by one
	// goroutine at a time.
	Next() (*Batch, error)
	// Stats is what the store read so far for this cursor.
	Stats() Stats
	// Close ends the selection, also in the middle. All batches must have been released. It may be called twice.
	Close() error
}

// Stats is what a store read to answer.
type Stats struct {
	// Streams is the number of streams that the matchers selected.
	Streams int
	// Lines and Bytes are what was looked at (not what was delivered): entries and the bytes of their lines and
	// metadata. A store that skips rows by an index may count only what it did not skip.
	Lines, Bytes int64
	// Delivered is the number of entries handed to the reader.
	Delivered int64
}

// Add adds what another cursor read.
func (s *Stats) Add(o Stats) {
	s.Streams += o.Streams
	s.Lines += o.Lines
	s.Bytes += o.Bytes
	s.Delivered += o.Delivered
}
