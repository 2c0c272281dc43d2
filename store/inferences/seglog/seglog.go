// Package seglog is a log of batches on disk: append-only segment files, synced
// before a batch counts as accepted, and each batch once by its identifier.
//
// It knows nothing of what a batch holds, and it is not a queue: whoever reads
// keeps its own position and says when segments may go.
//
// A segment is a file of frames. A frame's checksum covers its position in the
// log, so nothing that a batch contains can be taken for a frame. After a kill,
// what was written last may be torn: it was never acknowledged, and is cut off
// when the log is opened. Damage with whole frames behind it is something else:
// it is skipped, counted, and the file is kept.
package seglog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
)

// Position is a place between two frames of the log: the number of bytes ever
// written before it. Positions only grow, over restarts too.
type Position uint64

// Frame is one batch.
type Frame struct {
	// ID makes a repetition of the batch count once; empty means that it is not
	// known to be the repetition of anything. At most MaxIDLength bytes.
	ID string
	// Arrival is when the batch came, to the millisecond.
	Arrival time.Time
	// Kind and Count are the caller's own: what the payload is, and how many
	// records it holds.
	Kind  uint8
	Count uint32
	// Payload is the batch. Append takes it over; Read lends it until its
	// function returns.
	Payload []byte
}

// MaxIDLength is the longest identifier of a batch, in bytes.
const MaxIDLength = 200

// MaxPayload is the largest payload, in bytes.
const MaxPayload = 256 << 20

// Options configures a Log.
type Options struct {
	// Dir holds the segments; it is made if it is not there.
	Dir string
	// SegmentBytes is the size at which a segment is finished. Default 64 MiB.
	SegmentBytes int64
	// IDHorizon is how long identifiers are remembered, and MaxIDs how many at
	// most. Defaults one hour and 131,072 (about 12 MiB).
	IDHorizon time.Duration
	MaxIDs    int
	// Synced is called for every frame in the order of the log, after it is on
	// disk and before its Append returns. It must not block for long: nothing is
	// written meanwhile. value is what Append was given.
	Synced func(end Position, value any)
	// Observe is called with the duration of each sync and the number of frames
	// in it; may be nil.
	Observe func(sync time.Duration, frames int)
	// Logger is for damage found. Default: none.
	Logger *slog.Logger

	create func(path string) (file, error) // Replaced by tests of a full disk.
}

func (o Options) withDefaults() Options {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.IDHorizon <= 0 {
		o.IDHorizon = time.Hour
	}
	if o.MaxIDs <= 0 {
		o.MaxIDs = 1 << 17
	}
	if o.Synced == nil {
		o.Synced = func(Position, any) {}
	}
	if o.Observe == nil {
		o.Observe = func(time.Duration, int) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.create == nil {
		o.create = func(path string) (file, error) {
			return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o640)
		}
	}
	return o
}

// file is what the log needs of *os.File.
type file interface {
	io.Writer
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("segment log is closed")

// Recovery says what Open found.
type Recovery struct {
	// TornBytes were cut off behind the last whole frame: never acknowledged.
	TornBytes int64
	// DamagedBytes were skipped between whole frames: data lost by the disk.
	DamagedBytes int64
	// Frames is the number of whole frames, of which Repeated are repetitions
	// that Read leaves out.
	Frames, Repeated int
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}
