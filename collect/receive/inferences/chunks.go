package inferences

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/modelwatch/modelwatch/collect/receive/inferences/decode"
)

// outcome is what became of a request.
type outcome struct {
	accepted  int
	rejected  []decode.Rejection
	duplicate bool
}

// rejection is how a rejected record is named in an answer.
type rejection struct {
	Index int    `json:"index"`
	Error string `json:"error"`
}

// answer is the body of a 202. Where it cannot name all rejected records it
// says how many there were.
func (o *outcome) answer(most int) []byte {
	a := struct {
		Accepted int         `json:"accepted"`
		Rejected []rejection `json:"rejected"`
		Total    int         `json:"rejected_total,omitempty"`
	}{o.accepted, make([]rejection, 0, min(most, len(o.rejected))), 0}
	for i := range o.rejected[:min(most, len(o.rejected))] {
		a.Rejected = append(a.Rejected, rejection{o.rejected[i].Index, o.rejected[i].Err.Error()})
	}
	if len(o.rejected) > most {
		a.Total = len(o.rejected)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(a) // A struct of numbers and strings.
	return b.Bytes()
}

// chunks hands the records of one request to the sink a chunk at a time, so
// that memory is bounded, and goes on decoding while they are being stored. The
// chunks of a request divide it by place alone, so a repetition has the same.
type chunks struct {
	r       *Receiver
	ctx     context.Context //nolint:containedctx // It is that of the one request this lives for.
	id      string
	kind    decode.Kind
	out     *outcome
	arrival time.Time

	n  int
	wg sync.WaitGroup
	// room is for the chunks with the sink: decoding waits for them, and does not pile up what is decoded.
	room chan struct{}
	mu   sync.Mutex
	err  error // The first one: the others say the same.
	// kept is the number of records in chunks that were stored.
	kept int
}

func (c *chunks) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err != nil
}

// wait returns when all chunks are durable, or why one is not, and what that means for
// who sends the request again.
func (c *chunks) wait() error {
	c.wg.Wait()
	switch {
	case c.err == nil || c.kept == 0:
		return c.err
	case c.id == "":
		return fmt.Errorf("%w (%d records of this request are kept already, and count twice if it is sent again: give requests a %s, and repetitions the same)", c.err, c.kept, BatchIDHeader)
	default:
		return fmt.Errorf("%w (%d records of this request are kept already, and count once if it is sent again with the same %s)", c.err, c.kept, BatchIDHeader)
	}
}

// send takes over a decoder with a chunk in it.
func (c *chunks) send(d *decode.Decoder) {
	o := c.out
	o.accepted += len(d.Records) + len(d.Labels)
	o.rejected = append(o.rejected, d.Rejected...)
	if len(d.Records)+len(d.Labels) == 0 {
		c.r.putDecoder(d)
		c.n++
		return
	}
	b := Batch{Arrival: c.arrival, Records: d.Records, Labels: d.Labels, Release: func() { c.r.putDecoder(d) }}
	if c.kind == decode.Labels {
		b.Records = nil
	} else {
		b.Labels = nil
	}
	if c.id != "" {
		b.ID = c.id
		if c.n > 0 {
			b.ID += "#" + strconv.Itoa(c.n)
		}
	}
	c.n++
	size := len(b.Records) + len(b.Labels) // The sink has them from then on.
	select {
	case c.room <- struct{}{}:
	default: // Others may decode meanwhile.
		<-c.r.slots
		c.room <- struct{}{}
		c.r.slots <- struct{}{}
	}
	c.wg.Go(func() {
		defer func() { <-c.room }()
		duplicate, err := c.r.o.Sink.Append(c.ctx, b)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.out.duplicate = c.out.duplicate || duplicate
		if err == nil {
			c.kept += size
		} else if c.err == nil {
			c.err = err
		}
	})
}

// chunksAtOnce is how many chunks of one request the sink has at a time.
const chunksAtOnce = 2

// refuse is the answer to a request of which nothing can be read.
func refuse(text string) error { return &problem{status: http.StatusBadRequest, text: text} }

func (c *chunks) lines(data []byte) error {
	rest, index := data, 0
	for len(rest) > 0 && !c.failed() {
		d := c.r.decoder(c.arrival)
		rest, index = d.Lines(c.kind, rest, index, c.r.o.ChunkRecords)
		if len(rest) == 0 && len(d.Records)+len(d.Labels)+c.out.accepted == 0 {
			rejected := append(c.out.rejected, d.Rejected...)
			c.r.putDecoder(d)
			return c.nothing(data, rejected, index)
		}
		c.send(d)
	}
	if len(data) == 0 {
		return refuse("request is empty: send one record a line")
	}
	return nil
}

// nothing judges NDJSON without a good record: where not even one line is JSON,
// it is no NDJSON.
func (c *chunks) nothing(data []byte, rejected []decode.Rejection, n int) error {
	if n == 0 {
		return refuse("request is empty: send one record a line")
	}
	for i := range rejected {
		if rejected[i].Reason != decode.ReasonSyntax {
			c.out.rejected = rejected
			return nil
		}
	}
	line := 1
	for _, b := range data {
		if b == '\n' {
			line++
		} else if b > ' ' {
			break
		}
	}
	c.r.metrics.rejected.WithLabelValues(string(decode.ReasonSyntax)).Add(float64(n))
	return refuse(fmt.Sprintf("nothing could be read: line %d: %s", line, rejected[0].Err))
}

func (c *chunks) document(data []byte) error {
	doc, err := decode.NewDocument(data)
	if err != nil {
		if at, ok := errors.AsType[*decode.SyntaxError](err); ok {
			done := data[:min(at.Offset, len(data))]
			line := bytes.Count(done, []byte("\n")) + 1
			column := len(done) - bytes.LastIndexByte(done, '\n')
			err = fmt.Errorf("%s at line %d, column %d (byte %d)", at.Problem, line, column, at.Offset)
		}
		c.r.metrics.rejected.WithLabelValues(string(decode.ReasonSyntax)).Inc()
		return refuse("not JSON: " + err.Error())
	}
	for more := true; more && !c.failed(); {
		d := c.r.decoder(c.arrival)
		more = d.Next(c.kind, doc, c.r.o.ChunkRecords)
		c.send(d)
	}
	return nil
}

func (c *chunks) arrow(data []byte) error {
	if bytes.HasPrefix(data, []byte("ARROW1")) {
		return refuse("not an Arrow stream but an Arrow file: write it as a stream, such as by pyarrow.ipc.new_stream")
	}
	t, err := decode.ReadTable(data, int(c.r.o.MaxBody))
	if err != nil {
		c.r.metrics.rejected.WithLabelValues(string(decode.ReasonSyntax)).Inc()
		return refuse("not an Arrow stream of inferences: " + err.Error())
	}
	for more := true; more && !c.failed(); {
		d := c.r.decoder(c.arrival)
		if more, err = d.Rows(t, c.r.o.ChunkRecords); err != nil {
			c.r.putDecoder(d)
			return refuse(err.Error())
		}
		c.send(d)
	}
	return nil
}
