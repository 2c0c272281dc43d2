package app

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	engine "github.com/prometheus/prometheus/promql"

	"github.com/modelwatch/modelwatch/ai/status"
)

// facts are what the metrics store knows and the status of services needs:
// resources, whether services answer when they are scraped, and how long they
// were up. They are asked for in the
// background, since judging must not wait for queries.
type facts struct {
	app      *App
	readings atomic.Pointer[[]status.Reading]
	probes   atomic.Pointer[[]status.Probe]
	uptime   atomic.Pointer[map[string][2]*float64]
}

// resourceQueries give the used share of each resource of the host, by
// instance; their keys are kinds of readings.
var resourceQueries = map[string]string{
	"cpu":         `1 - avg by (instance) (rate(node_cpu_seconds_total{job="modelwatch",mode="idle"}[1m]))`,
	"memory":      `node_memory_usage_bytes{job="modelwatch"} / node_memory_MemTotal_bytes{job="modelwatch"}`,
	"disk":        `max by (instance) (1 - node_filesystem_avail_bytes{job="modelwatch",fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660"} / node_filesystem_size_bytes{job="modelwatch",fstype!~"tmpfs|ramfs|squashfs|overlay|iso9660"})`,
	"gpu_memory":  `max by (instance) (modelwatch_gpu_memory_used_bytes{job="modelwatch"} / modelwatch_gpu_memory_total_bytes{job="modelwatch"})`,
	"gpu_missing": `modelwatch_gpu_expected_count{job="modelwatch"} - modelwatch_gpu_count{job="modelwatch"}`,
}

// upQuery tells of each target whether any scrape of the last minute succeeded,
// or the last scrape where they are rarer: one that fails alone is no outage.
const upQuery = `max_over_time(up[1m]) or up`

// processQuery tells of each service that is watched by its processes whether any
// ran in the last minute.
const processQuery = `max by (service) (max_over_time(modelwatch_process_up{job="modelwatch"}[1m]))`

// availabilityQuery gives the share of the known time in which services were
// not down, over a span: status 1 is unknown and counts neither way, 3 is down.
const availabilityQuery = `avg by (service) (avg_over_time(((modelwatch_status{job="modelwatch",layer="service"} != 1) < bool 3)[%s:%s]))`

// run asks until ctx ends.
func (f *facts) run(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		f.readResources(ctx)
		f.readTargets(ctx)
		if n%20 == 0 {
			f.readAvailability(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (f *facts) ask(ctx context.Context, expr string) engine.Vector {
	q, err := f.app.engine.NewInstantQuery(ctx, f.app.store.Queryable(), nil, expr, time.Now())
	if err != nil {
		f.app.logger.Error("Cannot ask for facts", "query", expr, "err", err)
		return nil
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		if ctx.Err() == nil {
			f.app.logger.Warn("Cannot ask for facts", "query", expr, "err", res.Err)
		}
		return nil
	}
	v, err := res.Vector()
	if err != nil {
		return nil
	}
	// The vector's memory goes back with the query.
	return append(engine.Vector(nil), v...)
}

func (f *facts) readResources(ctx context.Context) {
	var readings []status.Reading
	for kind, expr := range resourceQueries {
		for _, s := range f.ask(ctx, expr) {
			readings = append(readings, status.Reading{Instance: s.Metric.Get("instance"), Kind: kind, Value: s.F, At: time.Now()})
		}
	}
	f.readings.Store(&readings)
}

// readTargets takes scrapes for probes of the service that the label service of a
// target names, or else its job, and the processes by which a service is watched.
func (f *facts) readTargets(ctx context.Context) {
	reasons := map[[2]string]string{} // Of the last scrape, by job and instance.
	for _, targets := range f.app.scraper.Manager().TargetsActive() {
		for _, t := range targets {
			if err := t.LastError(); err != nil {
				reasons[[2]string{t.GetValue("job"), t.GetValue("instance")}] = err.Error()
			}
		}
	}
	var probes []status.Probe
	for _, s := range f.ask(ctx, upQuery) {
		job, instance := s.Metric.Get("job"), s.Metric.Get("instance")
		probes = append(probes, status.Probe{
			Service: cmp.Or(s.Metric.Get("service"), job), Target: instance, Up: s.F > 0, Reason: reasons[[2]string{job, instance}], At: time.Now(),
		})
	}
	for _, s := range f.ask(ctx, processQuery) {
		service := s.Metric.Get("service")
		probes = append(probes, status.Probe{
			Service: service, Target: "a process", Up: s.F > 0, Says: fmt.Sprintf("No process of %s runs.", service), At: time.Now(),
		})
	}
	f.probes.Store(&probes)
}

func (f *facts) readAvailability(ctx context.Context) {
	uptime := map[string][2]*float64{}
	for i, span := range [2][2]string{{"24h", "2m"}, {"30d", "1h"}} {
		for _, s := range f.ask(ctx, fmt.Sprintf(availabilityQuery, span[0], span[1])) {
			shares := uptime[s.Metric.Get("service")]
			shares[i] = &s.F
			uptime[s.Metric.Get("service")] = shares
		}
	}
	f.uptime.Store(&uptime)
}

// current is the newest reading of every resource.
func (f *facts) current() []status.Reading {
	if r := f.readings.Load(); r != nil {
		return *r
	}
	return nil
}

// targets are the newest looks at services from outside.
func (f *facts) targets() []status.Probe {
	if p := f.probes.Load(); p != nil {
		return *p
	}
	return nil
}

// availability is the share of the last day and month in which a service was
// up.
func (f *facts) availability(service string) (day, month *float64) {
	if u := f.uptime.Load(); u != nil {
		shares := (*u)[service]
		return shares[0], shares[1]
	}
	return nil, nil
}
