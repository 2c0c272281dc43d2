package main

import (
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
	// Written piece by piece, because the clients share the CPUs with the server that is measured.
	b := g.buf[:0]
	number := func(before string) {
		b = strconv.AppendFloat(append(b, before...), latency, 'f', 2, 64)
	}
	text := func(before, value string) { b = append(append(b, before...), value...) }
	if stream%2 == 0 {
		text(`{"level":"`, level)
		number(`","latency_ms":`)
		text(`,"path":"`, path)
		text(`","status":200,"user":"`, user)
		b = strconv.AppendInt(append(b, `","tokens":`...), int64(tokens), 10)
		b = appendHex(append(b, `,"request_id":"`...), id)
		text(`","msg":"`, msg)
		b = append(b, `"}`...)
	} else {
		text(`level=`, level)
		number(` latency_ms=`)
		text(` path=`, path)
		text(` status=200 user=`, user)
		b = strconv.AppendInt(append(b, ` tokens=`...), int64(tokens), 10)
		b = appendHex(append(b, ` request_id=`...), id)
		text(` model=llm-7b version=v1.2 msg="`, msg)
		b = append(b, '"')
	}
	g.buf = b
	return string(g.buf)
}

// appendHex appends the sixteen digits of a number.
func appendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}
