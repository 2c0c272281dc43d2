package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

// generator makes lines of an AI service, about 150 bytes each: in half of the streams JSON, in the others logfmt, one in a
// hundred an error, one in ten thousand an OutOfMemory.
type generator struct {
	r      *rand.Rand
	from   time.Time
	step   time.Duration
	next   int64
	stream []labels.Labels
	buf    []byte
}

const streams = 8

func newGenerator(seed uint64, from time.Time, step time.Duration) *generator {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), from: from, step: step}
	for i := range streams {
		format := "json"
		if i%2 == 1 {
			format = "logfmt"
		}
		g.stream = append(g.stream, labels.FromStrings("job", "ai_service", "replica", strconv.Itoa(i), "format", format))
	}
	return g
}

var (
	paths = []string{"/predict", "/embed", "/v1/chat", "/health"}
	users = []string{"ann", "bob", "eve", "joe", "kim"}
)

// batch makes about size bytes of lines and returns them with their exact size.
func (g *generator) batch(size int) ([]logs.Stream, int) {
	out := make([]logs.Stream, streams)
	for i := range out {
		out[i].Labels = g.stream[i]
	}
	total := 0
	for total < size {
		i := g.r.IntN(streams)
		line := g.line(i)
		total += len(line)
		out[i].Entries = append(out[i].Entries, logs.Entry{Timestamp: g.from.UnixNano() + g.next*int64(g.step), Line: line})
		g.next++
	}
	return out, total
}

func (g *generator) line(stream int) string {
	level, msg := "info", "request served"
	switch n := g.r.IntN(10_000); {
	case n == 0:
		level, msg = "error", "failed: OutOfMemory on device 0"
	case n < 100:
		level, msg = "error", "failed: upstream timeout"
	case n < 500:
		level, msg = "warn", "slow request"
	}
	path, user := paths[g.r.IntN(len(paths))], users[g.r.IntN(len(users))]
	latency, tokens, id := g.r.ExpFloat64()*120, g.r.IntN(4096), g.r.Uint64()
	if stream%2 == 0 {
		g.buf = fmt.Appendf(g.buf[:0], `{"level":%q,"latency_ms":%.2f,"path":%q,"status":200,"user":%q,"tokens":%d,"request_id":"%016x","msg":%q}`, level, latency, path, user, tokens, id, msg)
	} else {
		g.buf = fmt.Appendf(g.buf[:0], `level=%s latency_ms=%.2f path=%s status=200 user=%s tokens=%d request_id=%016x model=llm-7b version=v1.2 msg=%q`, level, latency, path, user, tokens, id, msg)
	}
	return string(g.buf)
}
