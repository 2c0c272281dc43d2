package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"time"

	engine "github.com/prometheus/prometheus/promql"

	"github.com/modelwatch/modelwatch/ai/status"
	apiinferences "github.com/modelwatch/modelwatch/api/inferences"
	apimodels "github.com/modelwatch/modelwatch/api/models"
	"github.com/modelwatch/modelwatch/app/comparison"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/store/metrics"
	"github.com/modelwatch/modelwatch/store/state"
)

// setUpInferences opens the database of state and everything that concerns
// inferences. Nothing is judged before Start.
func (a *App) setUpInferences(guard *metrics.Guard) error {
	db, err := state.Open(state.Options{Path: filepath.Join(a.config.Storage.Path, "state.db"), Logger: a.logger.With("component", "state")})
	if err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	a.state = db
	a.cleanups.add("close state", db.Close)
	a.facts = &facts{app: a}
	a.inferences, err = inference.New(inference.Options{
		Dir:    a.config.Storage.Path,
		Config: a.config.Inferences,
		State:  db,
		Space: func() error {
			if guard.Refusing() {
				return metrics.ErrDiskFull
			}
			return nil
		},
		MaxBody:      int64(a.config.Web.MaxRequestBytes),
		Readings:     a.facts.current,
		Availability: a.facts.availability,
		Logger:       a.logger,
		Registerer:   a.registry,
	})
	if err != nil {
		return err
	}
	a.cleanups.add("close inferences", a.inferences.Close)
	return nil
}

// routeModels says who answers the paths of inferences and models.
func (a *App) routeModels(mux *http.ServeMux) {
	mux.Handle("POST /ai/v1/inferences", a.inferences.Receiver.Inferences())
	lister := inference.Lister{Store: a.inferences.Store, Dir: filepath.Join(a.config.Storage.Path, "inferences")}
	list := apiinferences.New(apiinferences.Options{Lister: lister, Logger: a.logger.With("component", "api")})
	mux.Handle("GET /ai/v1/inferences", list)
	mux.Handle("GET /ai/v1/inferences/export", list.Export(lister))
	mux.Handle("POST /ai/v1/labels", a.inferences.Receiver.Labels())
	mux.Handle("POST /v1/traces", a.inferences.Traces)
	answers := models.Answers{Engine: a.inferences.Engine, Spool: a.config.Storage.Path, Parquet: inference.OpenParquet}
	comparer := comparison.NewLive(a.inferences.Store, a.inferences.Engine)
	mux.Handle("/ai/v1/", apimodels.New(apimodels.Options{Models: answers, Baselines: answers, Comparer: comparer, Logger: a.logger.With("component", "api")}))
}

// judgeBy takes other settings of verdicts over. Judges that would be the same stay,
// with what they have computed once.
func (a *App) judgeBy(c config.Inferences, judges *models.Judges) {
	now := &a.config.Inferences
	if reflect.DeepEqual(c.Judging, now.Judging) && reflect.DeepEqual(c.Models, now.Models) {
		return
	}
	running := now.Answers()
	now.Judging, now.Models = c.Judging, make(map[string]config.Model)
	for name, m := range c.Models {
		now.Models[name] = config.Model{Judging: m.Judging, Answers: running[name]} // Answers wait for a start.
	}
	for name, a := range running {
		now.Models[name] = config.Model{Judging: now.Models[name].Judging, Answers: a}
	}
	a.inferences.Engine.Apply(judges)
}

// maxReferenceBytes bounds the file of a baseline. Its rows are read as they come, or
// kept on disk meanwhile, so it may be larger than what has to be in memory.
const maxReferenceBytes = 2 << 30

// bodyLimit is how long the body of a request may be, where limit is that of most.
func bodyLimit(r *http.Request, limit int64) int64 {
	if r.Method == http.MethodPost && r.URL.Path == "/ai/v1/baselines" {
		return max(limit, maxReferenceBytes)
	}
	return limit
}

// facts are what the metrics store knows and the status of services needs:
// resources, and how long services were up. They are asked for in the
// background, since judging must not wait for queries.
type facts struct {
	app      *App
	readings atomic.Pointer[[]status.Reading]
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

// availabilityQuery gives the share of the known time in which services were
// not down, over a span: status 1 is unknown and counts neither way, 3 is down.
const availabilityQuery = `avg by (service) (avg_over_time(((modelwatch_status{job="modelwatch",layer="service"} != 1) < bool 3)[%s:%s]))`

// run asks until ctx ends.
func (f *facts) run(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		f.readResources(ctx)
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

// availability is the share of the last day and month in which a service was
// up.
func (f *facts) availability(service string) (day, month *float64) {
	if u := f.uptime.Load(); u != nil {
		shares := (*u)[service]
		return shares[0], shares[1]
	}
	return nil, nil
}
