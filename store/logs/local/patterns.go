package local

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs/drain"
	"github.com/modelwatch/modelwatch/store/logs/duck"
)

const (
	// patternStep is the width in time of the numbers that are kept of a pattern.
	patternStep = int64(10 * time.Second)
	// patternSample is how many lines of a stream are looked at in one commit; each stands for its share of the others.
	patternSample = 25
	// patternStreams is how many streams are mined at the same time.
	patternStreams = 2000
	// patternFlush is how often the numbers go into the day's file.
	patternFlush = time.Minute
	// maxPatterns is how many patterns an answer has.
	maxPatterns = 300
)

// Pattern is a template of log lines, "<_>" standing for what differs, and how many lines there were like it.
type Pattern struct {
	Text string
	// Samples are pairs of Unix seconds and a number of lines.
	Samples [][2]int64
	// Lines is the sum of the samples.
	Lines int64
}

// patternLog mines patterns from a sample of what is committed. Samples that come faster than they are looked at are
// dropped; a commit is never held up.
type patternLog struct {
	samples chan []sample
	mu      sync.Mutex
	miners  map[string]*drain.Miner
	counts  map[patternKey]int64
	fresh   func()
}

type patternKey struct {
	labels, text string
	bucket       int64
}

// sample is a line that stands for as many as its weight.
type sample struct {
	labels labels.Labels
	line   string
	ts     int64
	weight int64
}

// offer takes a sample of each stream of a commit.
func (l *patternLog) offer(b *builder) {
	total := make([]int, len(b.labels))
	for _, id := range b.stream {
		total[id]++
	}
	seen := make([]int, len(b.labels))
	var out []sample
	for row, id := range b.stream {
		stride := (total[id] + patternSample - 1) / patternSample
		if seen[id]%stride == 0 {
			// The line may belong to a large request, which should not stay in memory for it.
			line := strings.ToValidUTF8(strings.Clone(b.line[row][:min(len(b.line[row]), 1024)]), "")
			out = append(out, sample{b.labels[id], line, b.ts[row], int64(min(stride, total[id]-seen[id]))})
		}
		seen[id]++
	}
	select {
	case l.samples <- out:
	default:
	}
}

// minePatterns runs until the store is closed.
func (s *Store) minePatterns(ctx context.Context) {
	tick := time.NewTicker(patternFlush)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.flushPatterns(ctx)
		case samples := <-s.patterns.samples:
			s.patterns.learn(samples)
		}
	}
}

func (l *patternLog) learn(samples []sample) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := map[uint64]string{}
	for i := range samples {
		x := &samples[i]
		h := x.labels.Hash()
		key, ok := keys[h]
		if !ok {
			key = encodeLabels(x.labels)
			keys[h] = key
		}
		m := l.miners[key]
		if m == nil {
			if len(l.miners) >= patternStreams {
				clear(l.miners)
			}
			m = drain.New(drain.Options{})
			l.miners[key] = m
		}
		text, fresh := m.Add(x.line)
		if fresh {
			l.fresh()
		}
		if text != "" {
			l.counts[patternKey{key, text, x.ts - mod(x.ts, patternStep)}] += x.weight
		}
	}
}

// drop forgets the patterns of streams that match.
func (l *patternLog) drop(matchers []*labels.Matcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := func(text string) bool {
		ls, err := decodeLabels(text)
		return err != nil || matches(ls, matchers)
	}
	for k := range l.miners {
		if gone(k) {
			delete(l.miners, k)
		}
	}
	for k := range l.counts {
		if gone(k.labels) {
			delete(l.counts, k)
		}
	}
}

func mod(a, b int64) int64 { return (a%b + b) % b }

// take empties the numbers, sorted by day.
func (l *patternLog) take() map[int64]map[patternKey]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[int64]map[patternKey]int64{}
	for k, n := range l.counts {
		d := dayOf(k.bucket)
		if out[d] == nil {
			out[d] = map[patternKey]int64{}
		}
		out[d][k] = n
	}
	l.counts = map[patternKey]int64{}
	return out
}

// flushPatterns writes the numbers into the hot files of their days. Those of a day without one, because it was sealed
// since, are dropped.
func (s *Store) flushPatterns(ctx context.Context) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.writer == nil {
		return
	}
	for number, counts := range s.patterns.take() {
		s.mu.RLock()
		var g *segment
		if d := s.days[number]; d != nil {
			g = d.hot()
		}
		s.mu.RUnlock()
		if g == nil {
			continue
		}
		var texts, patterns []string
		var at, n []int64
		for k, v := range counts {
			texts, patterns = append(texts, k.labels), append(patterns, k.text)
			at, n = append(at, k.bucket), append(n, v)
		}
		err := s.appendTo(ctx, g.catalog, "patterns", []duck.Type{duck.Varchar, duck.BigInt, duck.Varchar, duck.BigInt},
			[]duck.Column{{Strings: texts}, {Int64s: at}, {Strings: patterns}, {Int64s: n}}, len(at))
		if err != nil {
			s.o.Logger.Warn("write log patterns", "day", dayName(number), "err", err)
		}
	}
}

// Patterns returns the patterns of lines of streams that match, with their numbers in steps of time, the most frequent
// first. The numbers are estimates where lines came faster than they were looked at.
func (s *Store) Patterns(ctx context.Context, matchers []*labels.Matcher, start, end, step int64) ([]Pattern, error) {
	step = max(step-mod(step, patternStep), patternStep)
	sums := map[string]map[int64]int64{}
	wanted := map[string]bool{}
	add := func(text, pattern string, at, n int64) error {
		want, known := wanted[text]
		if !known {
			ls, err := decodeLabels(text)
			if err != nil {
				return fmt.Errorf("labels of a pattern: %w", err)
			}
			want = matches(ls, matchers)
			wanted[strings.Clone(text)] = want
		}
		if !want {
			return nil
		}
		p := sums[pattern]
		if p == nil {
			p = map[int64]int64{}
			sums[strings.Clone(pattern)] = p
		}
		p[at-mod(at, step)] += n
		return nil
	}
	if err := s.storedPatterns(ctx, start, end, add); err != nil {
		return nil, err
	}
	s.patterns.mu.Lock()
	for k, n := range s.patterns.counts {
		if k.bucket >= start && k.bucket < end {
			if err := add(k.labels, k.text, k.bucket, n); err != nil {
				s.patterns.mu.Unlock()
				return nil, err
			}
		}
	}
	s.patterns.mu.Unlock()
	out := make([]Pattern, 0, len(sums))
	for text, buckets := range sums {
		p := Pattern{Text: text}
		for at, n := range buckets {
			p.Samples = append(p.Samples, [2]int64{at / int64(time.Second), n})
			p.Lines += n
		}
		slices.SortFunc(p.Samples, func(a, b [2]int64) int { return cmp.Compare(a[0], b[0]) })
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Pattern) int { return cmp.Or(cmp.Compare(b.Lines, a.Lines), cmp.Compare(a.Text, b.Text)) })
	return out[:min(len(out), maxPatterns)], nil
}

func (s *Store) storedPatterns(ctx context.Context, start, end int64, add func(text, pattern string, at, n int64) error) error {
	p := s.plan(nil, nil, start-mod(start, dayLength), end)
	defer p.release()
	if len(p.sources) == 0 {
		return nil
	}
	c, err := s.conn(ctx)
	if err != nil {
		return err
	}
	defer s.putConn(c)
	for _, src := range p.sources {
		query := fmt.Sprintf("SELECT labels, pattern, ts, CAST(sum(entries) AS BIGINT) FROM %s.patterns WHERE ts >= %d AND ts < %d GROUP BY ALL", src.seg.catalog, start, end)
		err := each(ctx, c, query, func(k *duck.Chunk) error {
			texts, patterns := k.Strings(0), k.Strings(1)
			at, n := duck.Fixed[int64](k, 2), duck.Fixed[int64](k, 3)
			for i := range k.Len() {
				if err := add(texts.At(i), patterns.At(i), at[i], n[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return s.queryError(err, []*source{src})
		}
	}
	return nil
}
