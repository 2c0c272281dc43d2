package loki

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/logs"
)

const (
	// maxDelay bounds delay_for, the time for which lines are kept back to be put in order.
	maxDelay = 5 * time.Second
	// tailBuffer is how many commits may wait for a tail before it is cut off.
	tailBuffer = 256
	// tailSend is how long a client may take for one message before it is dropped.
	tailSend = 10 * time.Second
	// pingEvery keeps connections through proxies alive.
	pingEvery = 30 * time.Second
)

// follow is one live tail.
type follow struct {
	conn  *websocket.Conn
	query *Parsed
	run   func(labels.Labels, logs.Entry) (labels.Labels, string, bool)
	delay time.Duration
	wait  []Stream
}

// tail streams new lines that a log query selects over a WebSocket.
func (a *API) tail(w http.ResponseWriter, r *http.Request) {
	source, ok := a.o.Store.(Follower)
	if !ok {
		a.fail(w, r, statusError{http.StatusNotImplemented, errors.New("this log store cannot be followed")})
		return
	}
	f, q, err := a.newFollow(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	f.conn, err = websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: a.o.Origins})
	if err != nil {
		return // Accept has answered.
	}
	a.tails.Inc()
	defer a.tails.Dec()
	// Whatever the client says is read only to notice that it is gone.
	ctx := f.conn.CloseRead(r.Context())
	// Following begins before the past is read, so that nothing falls between; what is in both is left out by time.
	commits, stop := source.Follow(tailBuffer)
	defer stop()
	err = a.serveTail(ctx, f, q, commits)
	switch {
	case errors.Is(err, errSlow):
		a.slow.Inc()
		_ = f.conn.Close(websocket.StatusPolicyViolation, "too slow: lines came faster than they were read")
	case errors.Is(err, errStopping):
		_ = f.conn.Close(websocket.StatusGoingAway, "modelwatch is stopping")
	case err != nil && ctx.Err() == nil:
		_ = f.conn.Close(websocket.StatusInternalError, trim(err.Error(), 120))
	default:
		_ = f.conn.CloseNow()
	}
}

func trim(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

var (
	errSlow     = errors.New("client is too slow")
	errStopping = errors.New("stopping")
)

func (a *API) newFollow(r *http.Request) (*follow, Query, error) {
	q := Query{Forward: true}
	var err error
	if q.Text, err = queryParam(r); err != nil {
		return nil, q, err
	}
	p, err := a.o.Queries.Parse(q.Text)
	if err != nil {
		return nil, q, err
	}
	if p.Metric {
		return nil, q, bad(errors.New("only a log query can be followed"))
	}
	f := &follow{query: p, run: p.Run()}
	seconds, err := intParam(r, "delay_for", 0)
	if err != nil {
		return nil, q, err
	}
	if f.delay = time.Duration(seconds) * time.Second; f.delay > maxDelay {
		return nil, q, bad(errors.New("delay_for can't be greater than 5"))
	}
	if q.Limit, err = intParam(r, "limit", 100); err != nil {
		return nil, q, err
	}
	q.Limit = min(max(q.Limit, 1), a.o.MaxEntries)
	if q.Start, err = timeParam(r, "start", a.o.Now().Add(-time.Hour)); err != nil {
		return nil, q, err
	}
	return f, q, nil
}

func (a *API) serveTail(ctx context.Context, f *follow, q Query, commits <-chan []logs.Stream) error {
	q.End = a.o.Now().Add(time.Nanosecond)
	q.Forward = false
	past, err := a.o.Queries.Range(ctx, q)
	if err != nil {
		return err
	}
	// The newest lines of the past, oldest first.
	for i := range past.Streams {
		slices.Reverse(past.Streams[i].Entries)
	}
	sent := map[int64]map[string]bool{}
	for _, st := range past.Streams {
		for _, e := range st.Entries {
			if sent[e.Timestamp] == nil {
				sent[e.Timestamp] = map[string]bool{}
			}
			sent[e.Timestamp][st.Labels.String()+"\x00"+e.Line] = true
		}
	}
	if len(past.Streams) > 0 {
		if err := f.send(ctx, past.Streams); err != nil {
			return err
		}
	}
	begin := q.End.UnixNano()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.stop:
			return errStopping
		case streams, ok := <-commits:
			if !ok {
				return errSlow
			}
			f.take(streams)
			if sent != nil {
				f.leaveOut(sent)
				if a.o.Now().UnixNano() > begin+int64(10*time.Second) {
					sent = nil
				}
			}
			if len(f.wait) > 0 && f.delay > 0 {
				if due == nil {
					due = time.After(f.delay)
				}
				continue
			}
			if err := f.flush(ctx); err != nil {
				return err
			}
		case <-due:
			due = nil
			if err := f.flush(ctx); err != nil {
				return err
			}
		case <-ping.C:
			pingCtx, cancel := context.WithTimeout(ctx, tailSend)
			err := f.conn.Ping(pingCtx)
			cancel()
			if err != nil {
				return errSlow
			}
		}
	}
}

// take puts the lines of a commit that the query selects aside.
func (f *follow) take(streams []logs.Stream) {
	for _, st := range streams {
		if !matches(st.Labels, f.query.Matchers) {
			continue
		}
		for _, e := range st.Entries {
			if ls, line, ok := f.run(st.Labels, e); ok {
				f.add(ls, Entry{Timestamp: e.Timestamp, Line: line})
			}
		}
	}
}

func (f *follow) add(ls labels.Labels, e Entry) {
	if n := len(f.wait); n > 0 && labels.Equal(f.wait[n-1].Labels, ls) {
		f.wait[n-1].Entries = append(f.wait[n-1].Entries, e)
		return
	}
	for i := range f.wait {
		if labels.Equal(f.wait[i].Labels, ls) {
			f.wait[i].Entries = append(f.wait[i].Entries, e)
			return
		}
	}
	f.wait = append(f.wait, Stream{Labels: ls, Entries: []Entry{e}})
}

// leaveOut drops waiting lines that were sent already.
func (f *follow) leaveOut(sent map[int64]map[string]bool) {
	for i := range f.wait {
		st := &f.wait[i]
		st.Entries = slices.DeleteFunc(st.Entries, func(e Entry) bool {
			return sent[e.Timestamp] != nil && sent[e.Timestamp][st.Labels.String()+"\x00"+e.Line]
		})
	}
	f.wait = slices.DeleteFunc(f.wait, func(st Stream) bool { return len(st.Entries) == 0 })
}

func (f *follow) flush(ctx context.Context) error {
	if len(f.wait) == 0 {
		return nil
	}
	for i := range f.wait {
		slices.SortStableFunc(f.wait[i].Entries, func(a, b Entry) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	}
	streams := f.wait
	f.wait = nil
	return f.send(ctx, streams)
}

func (f *follow) send(ctx context.Context, streams []Stream) error {
	e := &encoder{}
	e.raw(`{"streams":`)
	e.streams(streams, false)
	e.raw(`}`)
	sendCtx, cancel := context.WithTimeout(ctx, tailSend)
	defer cancel()
	if err := f.conn.Write(sendCtx, websocket.MessageText, e.b); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return errSlow
	}
	return nil
}

func matches(ls labels.Labels, matchers []*labels.Matcher) bool {
	for _, m := range matchers {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}
