package app

import (
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"

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
		Probes:       a.facts.targets,
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
