package local

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	logstore "github.com/modelwatch/modelwatch/store/logs"
)

// limiter holds the rate limits.
type limiter struct {
	rate, burst             float64
	streamRate, streamBurst float64

	mu      sync.Mutex
	all     bucket
	streams map[uint64]*bucket
	swept   time.Time
}

// bucket is a token bucket of bytes.
type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(o Options) *limiter {
	return &limiter{
		rate: o.Rate, burst: o.RateBurst, streamRate: o.StreamRate, streamBurst: o.StreamBurst,
		streams: map[uint64]*bucket{},
	}
}

func (b *bucket) fill(rate, burst float64, now time.Time) {
	if b.at.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+rate*now.Sub(b.at).Seconds())
	}
	b.at = now
}

// allow takes bytes from the limits, or says why it may not. Either all of a stream's entries pass or none.
func (l *limiter) allow(hash uint64, ls labels.Labels, bytes int64, entries int, now time.Time) *logstore.Refusal {
	if l.rate <= 0 && l.streamRate <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := float64(bytes)
	if l.streamRate > 0 {
		b := l.streams[hash]
		if b == nil {
			l.sweep(now)
			b = &bucket{}
			l.streams[hash] = b
		}
		b.fill(l.streamRate, l.streamBurst, now)
		if b.tokens < n {
			return &logstore.Refusal{Reason: logstore.StreamRate, Entries: entries, Explanation: fmt.Sprintf(
				"stream %s sends more than its limit of %s a second (burst %s): %s now; send again later, split the stream, or raise logs.stream_rate", ls, size(l.streamRate), size(l.streamBurst), size(n))}
		}
		if l.rate <= 0 {
			b.tokens -= n
			return nil
		}
		defer func() { b.tokens -= n }()
	}
	l.all.fill(l.rate, l.burst, now)
	if l.all.tokens < n {
		return &logstore.Refusal{Reason: logstore.RateLimited, Entries: entries, Explanation: fmt.Sprintf(
			"all streams together send more than the limit of %s a second (burst %s): %s for %s now; send again later or raise logs.rate", size(l.rate), size(l.burst), size(n), ls)}
	}
	l.all.tokens -= n
	return nil
}

// sweep forgets streams whose buckets are full again.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Minute {
		return
	}
	l.swept = now
	full := time.Duration(l.streamBurst / l.streamRate * float64(time.Second))
	for h, b := range l.streams {
		if now.Sub(b.at) > full {
			delete(l.streams, h)
		}
	}
}

func size(n float64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", n/(1<<10))
	}
	return fmt.Sprintf("%.0f B", n)
}

// count adds the label values of a stream to the day's.
func (d *day) count(st *streamInfo) {
	st.labels.Range(func(l labels.Label) {
		v := d.values[l.Name]
		if v == nil {
			v = map[string]struct{}{}
			d.values[l.Name] = v
		}
		v[l.Value] = struct{}{}
	})
}

// guard refuses a new stream if the day has too many streams or one of the labels too many values, and says which
// labels are to blame.
func (s *Store) guard(d *day, number int64, ls labels.Labels) *logstore.Refusal {
	var crowded string
	ls.Range(func(l labels.Label) {
		if v := d.values[l.Name]; crowded == "" && len(v) >= s.o.MaxLabelValues {
			if _, known := v[l.Value]; !known {
				crowded = l.Name
			}
		}
	})
	const wayOut = "put such a value into structured metadata or the line, where it can be searched just as well, or raise "
	if crowded != "" {
		return &logstore.Refusal{Reason: logstore.TooManyValues, Explanation: fmt.Sprintf(
			"stream %s refused: label %q already has %d values on %s (limit %d), for example %s; %s",
			ls, crowded, len(d.values[crowded]), dayName(number), s.o.MaxLabelValues, examples(d.values[crowded]), wayOut+"logs.max_label_values")}
	}
	if len(d.streams) < s.o.MaxStreams {
		return nil
	}
	return &logstore.Refusal{Reason: logstore.TooManyStreams, Explanation: fmt.Sprintf(
		"stream %s refused: there are already %d streams on %s (limit %d), most of them by %s; %s",
		ls, len(d.streams), dayName(number), s.o.MaxStreams, blame(d.values), wayOut+"logs.max_streams")}
}

// blame lists the labels with the most values.
func blame(values map[string]map[string]struct{}) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if n := len(values[b]) - len(values[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, name := range names[:min(3, len(names))] {
		parts = append(parts, fmt.Sprintf("label %q (%d values, for example %s)", name, len(values[name]), examples(values[name])))
	}
	return strings.Join(parts, ", ")
}

func examples(values map[string]struct{}) string {
	var out []string
	for v := range values {
		if len(v) > 40 {
			v = v[:40] + "..."
		}
		out = append(out, fmt.Sprintf("%q", v))
		if len(out) == 2 {
			break
		}
	}
	slices.Sort(out)
	return strings.Join(out, " and ")
}
