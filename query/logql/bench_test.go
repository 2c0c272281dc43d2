package logql_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/query/logql"
)

// replay is a store that delivers the same batch again and again, with times that go on.
type replay struct {
	batch   *logs.Batch
	batches int
}

func (r *replay) Select(_ context.Context, sel logs.Selection) (logs.Cursor, error) {
	return &replayCursor{replay: r, sel: sel}, nil
}

type replayCursor struct {
	*replay
	sel logs.Selection
	n   int
}

func (c *replayCursor) Next() (*logs.Batch, error) {
	if c.n == c.batches {
		return nil, io.EOF
	}
	b := *c.batch
	b.Timestamps = make([]int64, len(c.batch.Timestamps))
	width := (c.sel.End - c.sel.Start) / int64(c.batches)
	for i := range b.Timestamps {
		b.Timestamps[i] = c.sel.Start + int64(c.n)*width + int64(i)*width/int64(len(b.Timestamps))
	}
	c.n++
	return &b, nil
}

func (c *replayCursor) Stats() logs.Stats { return logs.Stats{} }
func (c *replayCursor) Close() error      { return nil }

// serviceLines are like those of an AI service, about 150 bytes each.
func serviceLines(n int) []string {
	r := rand.New(rand.NewPCG(1, 2))
	lines := make([]string, n)
	for i := range lines {
		level := []string{"info", "info", "info", "warn", "error"}[r.IntN(5)]
		lines[i] = fmt.Sprintf(`{"ts":"2026-11-22T10:%02d:%02dZ","level":%q,"model":"llm-7b","latency_ms":%.2f,"user":"u%d","path":"/v1/chat","status":%d,"msg":"request done"}`,
			r.IntN(60), r.IntN(60), level, r.ExpFloat64()*120, r.IntN(500), []int{200, 200, 500}[r.IntN(3)])
	}
	return lines
}

func BenchmarkQuery(b *testing.B) {
	const size, batches = 2048, 256
	batch := &logs.Batch{Lines: serviceLines(size), Timestamps: make([]int64, size), Stream: make([]uint32, size)}
	for i := range 8 {
		batch.Streams = append(batch.Streams, labels.FromStrings("job", "ai_service", "host", fmt.Sprint("h", i)))
	}
	for i := range batch.Stream {
		batch.Stream[i] = uint32(i % 8)
	}
	store := &replay{batch, batches}
	start := time.Unix(1_700_000_000, 0)
	for _, q := range []string{
		`sum by (level) (count_over_time({job="ai_service"} | json [1m]))`,
		`sum by (level, status) (count_over_time({job="ai_service"} | json [5m]))`,
		`sum(count_over_time({job="ai_service"}[1m]))`,
		`count_over_time({job="ai_service"}[1m])`,
		`quantile_over_time(0.99, {job="ai_service"} | json | unwrap latency_ms [5m]) by (status)`,
		`sum by (status) (rate({job="ai_service"} | json | latency_ms > 100 and level="error" [1m]))`,
		`sum by (level) (count_over_time({job="ai_service"} | logfmt [1m]))`,
		`sum by (l) (count_over_time({job="ai_service"} | json | label_format l="{{.level}}-{{.status}}" [1m]))`,
		`sum by (lvl) (count_over_time({job="ai_service"} | pattern "<_>level\":\"<lvl>\"<_>" [1m]))`,
	} {
		b.Run(q, func(b *testing.B) {
			engine := logql.New(store, logql.Options{MaxSeries: 10000})
			b.ReportAllocs()
			for b.Loop() {
				_, err := engine.Range(b.Context(), logql.Query{Text: q, Start: start, End: start.Add(time.Hour), Step: time.Minute})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size/batches, "ns/entry")
		})
	}
}
