package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A record has features of all that its model has, in turn.
const (
	features    = 20
	allFeatures = 200
)

// feature names the f-th feature of the n-th record.
func feature(n, f int) string { return fmt.Sprintf("feature_%03d", (n*features+f)%allFeatures) }

// workload is a set of requests that are sent again and again.
type workload struct {
	name, contentType, what string
	goal                    float64 // Records a second.
	batch                   int
	bodies                  [][]byte
}

func workloads(s settings) []*workload {
	lines := &workload{name: "ndjson", contentType: "application/x-ndjson", goal: 50_000, batch: s.batch, what: "NDJSON"}
	rows := &workload{name: "arrow", contentType: "application/vnd.apache.arrow.stream", goal: 200_000, batch: s.batch, what: "Arrow IPC stream"}
	ids := &workload{name: "labelled", contentType: "application/x-ndjson", goal: 50_000, batch: s.batch, what: "NDJSON with request ids, kept for labels"}
	rng := rand.New(rand.NewPCG(1, 2))
	for m := range s.models {
		lines.bodies = append(lines.bodies, ndjson(rng, m, s.batch, false))
		ids.bodies = append(ids.bodies, ndjson(rng, m, s.batch, true))
	}
	for turn := range allFeatures / features {
		for m := range s.models {
			rows.bodies = append(rows.bodies, stream(rng, m, s.batch, turn))
		}
	}
	return []*workload{lines, rows, ids}
}

// ndjson writes records whose numbers have all their digits, as measurements do.
func ndjson(rng *rand.Rand, m, n int, ids bool) []byte {
	var b []byte
	for i := range n {
		b = fmt.Appendf(b, `{"model":"model-%02d","service":"bench","model_version":"v1","endpoint":"/predict","duration_seconds":%v,"status_code":200`, m, rng.Float64())
		if ids {
			b = fmt.Appendf(b, `,"request_id":"%016x"`, rng.Uint64())
		}
		b = append(b, `,"features":{`...)
		for f := range features {
			if f > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `%q:`, feature(i, f))
			b = strconv.AppendFloat(b, rng.NormFloat64(), 'g', -1, 64)
		}
		b = fmt.Appendf(b, "},\"prediction\":%v}\n", rng.Float64())
	}
	return b
}

// stream writes the same as Arrow. The features of a record batch are its
// columns, so that all records of a request have the same ones.
func stream(rng *rand.Rand, m, n, turn int) []byte {
	fields := []arrow.Field{
		{Name: "model", Type: arrow.BinaryTypes.String},
		{Name: "service", Type: arrow.BinaryTypes.String},
		{Name: "model_version", Type: arrow.BinaryTypes.String},
		{Name: "endpoint", Type: arrow.BinaryTypes.String},
		{Name: "duration_seconds", Type: arrow.PrimitiveTypes.Float64},
		{Name: "status_code", Type: arrow.PrimitiveTypes.Int16},
		{Name: "prediction", Type: arrow.PrimitiveTypes.Float64},
	}
	for f := range features {
		fields = append(fields, arrow.Field{Name: "features." + feature(turn, f), Type: arrow.PrimitiveTypes.Float64})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	defer b.Release()
	for range n {
		for i, text := range []string{fmt.Sprintf("model-%02d", m), "bench", "v1", "/predict"} {
			b.Field(i).(*array.StringBuilder).Append(text)
		}
		b.Field(4).(*array.Float64Builder).Append(rng.Float64())
		b.Field(5).(*array.Int16Builder).Append(200)
		b.Field(6).(*array.Float64Builder).Append(rng.Float64())
		for f := range features {
			b.Field(7 + f).(*array.Float64Builder).Append(rng.NormFloat64())
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	if err := w.Write(rec); err != nil {
		panic(err) // Into memory.
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// sent is what became of a measurement.
type sent struct {
	records   int
	refused   int // Requests answered with 429, or not at all by then.
	took      time.Duration
	latencies []time.Duration
}

func (r *sent) rate() float64 { return float64(r.records) / r.took.Seconds() }

func (r *sent) quantile(q float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(int(q*float64(len(r.latencies))), len(r.latencies)-1)]
}

// send sends for a time: at a rate of records a second, or, if that is 0, as
// fast as it is answered. Latencies count from when a request should have been
// sent, so that waiting for the server is in them.
func send(s settings, w *workload, rate float64, d time.Duration) (*sent, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.senders}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	out := &sent{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var turn atomic.Int64
	var failed error
	begin := time.Now()
	for range s.senders {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := turn.Add(1) - 1
				due := time.Now()
				if rate > 0 {
					due = begin.Add(time.Duration(float64(i) * float64(w.batch) / rate * 1e9))
					time.Sleep(time.Until(due))
					if ctx.Err() != nil {
						return
					}
				}
				code, err := post(client, s.url+"/ai/v1/inferences", w.contentType, w.bodies[int(i)%len(w.bodies)])
				took := time.Since(due)
				mu.Lock()
				switch {
				case err != nil:
					failed = err
				case code == http.StatusAccepted:
					out.records += w.batch
					out.latencies = append(out.latencies, took)
				case code == http.StatusTooManyRequests:
					out.refused++
				default:
					failed = fmt.Errorf("answered with %d", code)
				}
				mu.Unlock()
				if err != nil {
					return
				}
				if code == http.StatusTooManyRequests {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	out.took = time.Since(begin)
	slices.Sort(out.latencies)
	return out, failed
}

func post(c *http.Client, url, contentType string, body []byte) (int, error) {
	resp, err := c.Post(url, contentType, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
