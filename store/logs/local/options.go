package local

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configures a Store. The zero value of each field but Dir means its default.
type Options struct {
	// Dir is where the days are kept. It is made if it is not there.
	Dir string

	// MemoryLimit is what DuckDB may use, in bytes, for all queries and writes together. Default 256 MiB. The process
	// needs about 300 MB beside it.
	MemoryLimit int64
	// Threads is the number of threads that DuckDB computes with. Default: one a CPU.
	Threads int
	// TempDir is where DuckDB puts what does not fit into memory. Default: Dir/tmp. TempLimit bounds it; default 4 GiB.
	TempDir   string
	TempLimit int64
	// Queries is the number of queries that run at a time; more wait. Default 8.
	Queries int

	// Retention is the age at which a day is removed, counted from its end. 0 keeps days for ever.
	Retention time.Duration
	// RetentionBytes is the size on disk above which the oldest days are removed. 0 is no bound. Today stays.
	RetentionBytes int64
	// SealAfter is how long after its end a day is sealed. Default 1 hour.
	SealAfter time.Duration

	// MaxAge is how far in the past an entry may lie to be accepted. Default a week; negative accepts any.
	MaxAge time.Duration
	// MaxAhead is how far in the future an entry may lie to be accepted. Default 10 minutes; negative accepts any.
	MaxAhead time.Duration
	// MaxLine is the greatest length of a line in bytes. Default 1 MiB.
	MaxLine int

	// Rate is the number of bytes a second that are accepted over all streams, RateBurst how many at once. 0 is no
	// limit; the burst's default is ten seconds' worth.
	Rate, RateBurst float64
	// StreamRate and StreamBurst are the same for each stream.
	StreamRate, StreamBurst float64
	// MaxStreams is the number of streams a day. Default 100,000.
	MaxStreams int
	// MaxLabelValues is the number of values that one label may take in a day. Default 50,000.
	MaxLabelValues int
	// MaxLabels is the number of labels of a stream. Default 30.
	MaxLabels int

	// Logger and Registerer are for the store's own log lines and metrics. Default: none.
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	dur := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	num := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.MemoryLimit, 256<<20)
	def(&o.TempLimit, 4<<30)
	num(&o.Queries, 8)
	dur(&o.SealAfter, time.Hour)
	dur(&o.MaxAge, 7*24*time.Hour)
	dur(&o.MaxAhead, 10*time.Minute)
	num(&o.MaxLine, 1<<20)
	num(&o.MaxStreams, 100_000)
	num(&o.MaxLabelValues, 50_000)
	num(&o.MaxLabels, 30)
	if o.RateBurst == 0 {
		o.RateBurst = 10 * o.Rate
	}
	if o.StreamBurst == 0 {
		o.StreamBurst = 10 * o.StreamRate
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }
