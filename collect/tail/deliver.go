package tail

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/modelwatch/modelwatch/collect/tail/forward"
	"github.com/modelwatch/modelwatch/collect/tail/stage"
	"github.com/modelwatch/modelwatch/logs"
)

// Appender is modelwatch's own log store. Append returns when the entries are durable. If its error has a method
// StatusCode that says 400, some entries were refused for good and the others are stored.
type Appender interface {
	Append(ctx context.Context, streams []logs.Stream) error
}

// sink is where lines go.
type sink struct {
	own      Appender
	queue    *forward.Queue
	external map[string]string
	// tenant is that of lines of which no stage says another, and naming what the own store makes of it.
	tenant string
	naming logs.Naming
}

// deliver hands entries to all sinks and returns when all have taken them over. It tries until then or until ctx ends,
// whose error it returns.
func (r *run) deliver(ctx context.Context, entries []*stage.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, s := range r.sinks {
		for tenant, streams := range group(entries, s.external) {
			if s.own != nil {
				for i := range streams {
					streams[i].Labels = s.naming.Labels(streams[i].Labels, cmp.Or(tenant, s.tenant))
				}
			}
			if err := r.push(ctx, s, tenant, streams); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) push(ctx context.Context, s sink, tenant string, streams []logs.Stream) error {
	wait := 100 * time.Millisecond
	for {
		var err error
		if s.own != nil {
			err = s.own.Append(ctx, streams)
		} else {
			err = s.queue.Push(ctx, tenant, streams)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var coded interface{ StatusCode() int }
		if errors.As(err, &coded) && coded.StatusCode() == http.StatusBadRequest {
			// Trying again would be refused again.
			r.m.metrics.refused.Inc()
			r.m.complain("refused", "entries refused by the log store", err)
			return nil
		}
		r.m.metrics.retries.Inc()
		r.m.complain("retry", "log store does not take entries; trying again", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, 10*time.Second)
	}
}

// group sorts entries into streams by tenant and labels.
func group(entries []*stage.Entry, external map[string]string) map[string][]logs.Stream {
	out := map[string][]logs.Stream{}
	index := map[string]int{}
	var key strings.Builder
	var names []string
	for _, e := range entries {
		tenant := e.Labels[stage.TenantLabel]
		names = names[:0]
		for name, v := range e.Labels {
			if v != "" && !strings.HasPrefix(name, "__") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		key.Reset()
		key.WriteString(tenant)
		for _, name := range names {
			key.WriteByte(0)
			key.WriteString(name)
			key.WriteByte(0)
			key.WriteString(e.Labels[name])
		}
		i, ok := index[key.String()]
		if !ok {
			b := labels.NewBuilder(labels.EmptyLabels())
			for _, name := range names {
				b.Set(name, e.Labels[name])
			}
			for name, v := range external {
				if e.Labels[name] == "" {
					b.Set(name, v)
				}
			}
			i = len(out[tenant])
			index[key.String()] = i
			out[tenant] = append(out[tenant], logs.Stream{Labels: b.Labels()})
		}
		entry := logs.Entry{Timestamp: e.Time.UnixNano(), Line: e.Line}
		if len(e.Metadata) > 0 {
			entry.Metadata = labels.FromMap(e.Metadata)
		}
		out[tenant][i].Entries = append(out[tenant][i].Entries, entry)
	}
	return out
}
