package logs

import (
	"errors"

	"github.com/prometheus/prometheus/model/labels"
)

// ErrNotPushed is returned by a store that cannot do exactly what was asked of it as an optional capability. The reader
// then does the work itself from a cursor. It is returned before any work is done.
var ErrNotPushed = errors.New("store cannot answer this itself")

// FieldKind says where a field to group by comes from.
type FieldKind uint8

const (
	// StreamLabel is a label of the stream.
	StreamLabel FieldKind = iota
	// EntryLabel is a label of the stream or, where it has none of that name, the entry's metadata.
	EntryLabel
	// JSONField is what LogQL's `| json` makes of the line for a label of that name, as far as neither the stream nor
	// the entry's metadata has a label of that name. A store that answers it must do so by JSONLabel of package logs/scan,
	// or by a column that was filled with its result.
	JSONField
)

// Field is something to group counts by.
type Field struct {
	Kind FieldKind
	Name string
}

// CountRequest asks for numbers of entries per group and bucket of time. Bucket k holds the timestamps t with
// Start + k*Width <= t < Start + (k+1)*Width, and End of the selection cuts the last one short.
type CountRequest struct {
	// Selection says what is counted; its Order, Limit, Columns and Expect are not looked at.
	Selection Selection
	// By are the fields to group by. None groups everything into one.
	By []Field
	// Whole leaves out the entries on whose line LogQL's `| json` fails, looking for the JSONFields of By: those that
	// `| __error__=""` behind it drops.
	Whole bool
	// Width of a bucket in nanoseconds.
	Width int64
}

// Group is one set of values of the fields of a CountRequest with its counts.
type Group struct {
	// Values are in the order of CountRequest.By; a missing field is "".
	Values []string
	// Failed is true for entries of which a JSONField could not be had because the line is not JSON. They are a group
	// of their own beside those with the same values.
	Failed bool
	// Buckets has the buckets that are not empty, in order.
	Buckets []Bucket
}

// Bucket is what fell into one bucket of time.
type Bucket struct {
	// Index is the k of CountRequest.
	Index int64
	// Entries is their number, Bytes the sum of the lengths of their lines.
	Entries, Bytes int64
}

// Counts is the answer to a CountRequest.
type Counts struct {
	Groups []Group
	Stats  Stats
}

// VolumeRequest asks how many bytes of log lines streams hold.
type VolumeRequest struct {
	Matchers   []*labels.Matcher
	Start, End int64
	// Labels are the names of stream labels to add up by; none keeps streams apart.
	Labels []string
	// Width of a bucket of time in nanoseconds, as in CountRequest; 0 asks for one bucket.
	Width int64
	// Limit is the greatest number of groups to return, the largest first; 0 is no limit.
	Limit int
}

// Volume is a group of streams with its bytes.
type Volume struct {
	Labels  labels.Labels
	Bytes   int64
	Buckets []Bucket
}
