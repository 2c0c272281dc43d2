package inference

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/status"
	receive "github.com/modelwatch/modelwatch/collect/receive/inferences"
	"github.com/modelwatch/modelwatch/collect/receive/jsonfile"
	"github.com/modelwatch/modelwatch/collect/receive/otlptraces"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/evaluate/models"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/inferences/join"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
	"github.com/modelwatch/modelwatch/store/state"
)

// checkpointDocument is the name under which the state of the analysis is kept.
const checkpointDocument = "analysis"

// checkpointInterval bounds what is replayed after a crash.
const checkpointInterval = 20 * time.Second

// Options is what a Pipeline needs.
type Options struct {
	// Dir holds the inferences.
	Dir    string
	Config config.Inferences
	// State keeps baselines, profiles and the state of the analysis.
	State *state.DB
	// Space says why the disk has no room for more, or nil.
	Space func() error
	// MaxBody bounds one request.
	MaxBody int64
	// Readings, Probes and Availability are as in models.Options.
	Readings     func() []status.Reading
	Probes       func() []status.Probe
	Availability func(service string) (day, month *float64)

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Pipeline takes inferences in and judges them.
type Pipeline struct {
	opts     Options
	Store    *store.Store
	Engine   *models.Engine
	Receiver *receive.Receiver
	Traces   *otlptraces.Handler
	files    []*jsonfile.Source

	// What follows belongs to the goroutine that delivers, and to Close after it.
	restored store.Position // What the analysis had counted when it was restored.
	position store.Position // What it has counted now.
	saved    time.Time
}

// New opens the pipeline. Nothing is judged before Start.
func New(o Options) (*Pipeline, error) {
	p := &Pipeline{opts: o}
	if err := p.open(); err != nil {
		return nil, errors.Join(err, p.closeStore())
	}
	return p, nil
}

func (p *Pipeline) open() (err error) {
	o, c := p.opts, p.opts.Config
	p.Engine, err = models.New(models.Options{
		Drift: c.DriftOptions(), Quality: c.QualityOptions(), Performance: c.PerformanceSettings(), NoClassifier: !*c.Drift.Classifier, Models: byModel(c),
		Tasks:     tasks(c),
		Private:   private(c.Raw),
		Records:   p.records,
		Profiles:  profiles{o.State},
		Baselines: baselines{o.State},
		Windows:   models.Windows{Length: time.Duration(c.Window), Lateness: time.Duration(c.Lateness)},
		Auto: models.Auto{
			Off: !*c.Baseline.Auto, Records: c.Baseline.Records,
			After: time.Duration(c.Baseline.After), Minimum: c.Baseline.Minimum,
		},
		Limits: models.Limits{
			Services: c.Limits.Services, Versions: c.Limits.Versions,
			PerModel: c.Limits.VersionsPerModel, Features: c.Limits.Features,
		},
		Readings:     o.Readings,
		Probes:       o.Probes,
		Availability: o.Availability,
		Logger:       o.Logger.With("component", "models"),
		Registerer:   o.Registerer,
	})
	if err != nil {
		return fmt.Errorf("set up analysis of models: %w", err)
	}
	if err := p.restore(); err != nil {
		return err
	}
	if err := forgetExports(filepath.Join(o.Dir, "inferences")); err != nil {
		return err
	}
	p.Store, err = store.Open(store.Options{
		Dir:        filepath.Join(o.Dir, "inferences"),
		Deliver:    p.deliver,
		Joined:     p.joined,
		Space:      o.Space,
		Join:       join.Options{Horizon: time.Duration(c.LabelHorizon)},
		Raw:        rawOptions(c.Raw),
		Logger:     o.Logger.With("component", "inferences"),
		Registerer: o.Registerer,
	})
	if err != nil {
		return fmt.Errorf("open inference store: %w", err)
	}
	retention := time.Duration(c.Raw.Retention)
	if p.Receiver, err = receive.New(receive.Options{
		Sink: sink{p.Store}, MaxBody: o.MaxBody, Retention: retention,
		Logger: o.Logger, Registerer: o.Registerer,
	}); err != nil {
		return fmt.Errorf("set up receiver of inferences: %w", err)
	}
	if p.Traces, err = otlptraces.New(otlptraces.Options{
		Sink: sink{p.Store}, MaxBody: o.MaxBody, Retention: retention,
		Logger: o.Logger, Registerer: o.Registerer,
	}); err != nil {
		return fmt.Errorf("set up receiver of traces: %w", err)
	}
	for i, f := range c.Files {
		source, err := jsonfile.New(jsonfile.Options{
			Name: f.Name, Paths: f.Paths, Fields: f.Fields, Labels: f.Labels, FromEnd: f.FromEnd,
			Positions: filepath.Join(o.Dir, "inferences", fmt.Sprintf("positions-%s.json", f.Name)),
			Sink:      sink{p.Store}, Retention: retention,
			Logger: o.Logger, Registerer: o.Registerer,
		})
		if err != nil {
			return fmt.Errorf("inferences.files[%d]: %w", i, err)
		}
		p.files = append(p.files, source)
	}
	return nil
}

// private returns which features single values must not be kept of, as they are.
func private(c config.RawInferences) func(string) bool {
	patterns := slices.Concat(c.Exclude, c.Hash)
	return func(feature string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { ok, _ := path.Match(p, feature); return ok })
	}
}

// judging returns the settings of verdicts as the analysis takes them.
func judging(j config.Judging) models.Judging {
	return models.Judging{
		Drift: j.DriftOptions(), Quality: j.QualityOptions(), Performance: j.PerformanceSettings(), NoClassifier: !*j.Drift.Classifier,
	}
}

func byModel(c config.Inferences) map[string]models.Judging {
	out := make(map[string]models.Judging)
	for name, m := range c.Models {
		out[name] = judging(m.Over(c.Judging))
	}
	return out
}

// tasks says how answers are read, by model.
func tasks(c config.Inferences) map[string]performance.Options {
	out := make(map[string]performance.Options)
	for name, a := range c.Answers() {
		out[name] = a.Options()
	}
	return out
}

// Judges returns what judges models by a configuration, for models.Engine.Apply.
func Judges(c config.Inferences) (*models.Judges, error) {
	j, err := models.NewJudges(judging(c.Judging), byModel(c))
	if err != nil {
		return nil, fmt.Errorf("inferences: %w", err)
	}
	return j, nil
}

// forgetExports deletes what a kill left of exports.
func forgetExports(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, exportPrefix+"*"))
	for _, name := range left {
		err = errors.Join(err, os.RemoveAll(name))
	}
	if err != nil {
		return fmt.Errorf("delete unfinished exports: %w", err)
	}
	return nil
}

func rawOptions(c config.RawInferences) raw.Options {
	return raw.Options{
		Disabled: !*c.Enabled, DayBytes: int64(c.DaySize), SampleRate: *c.SampleRate,
		Retention: time.Duration(c.Retention), MaxBytes: int64(c.RetentionSize),
		Exclude: c.Exclude, Hash: c.Hash,
	}
}

// restore takes the analysis up where its last checkpoint left off. The state
// and the position that it stands for are one document, so they cannot differ.
func (p *Pipeline) restore() error {
	document, ok, err := p.opts.State.Document(context.Background(), checkpointDocument)
	if err != nil {
		return fmt.Errorf("read state of the analysis: %w", err)
	}
	if !ok {
		return nil
	}
	if len(document) < 8 {
		return errors.New("read state of the analysis: the document is cut off")
	}
	if err := p.Engine.Restore(document[8:]); err != nil {
		return err
	}
	p.restored = store.Position(binary.BigEndian.Uint64(document))
	p.position = p.restored
	return nil
}

// deliver gets every batch in the order of the log.
func (p *Pipeline) deliver(pos store.Position, records []ai.Inference, _ []ai.Label) {
	if pos <= p.restored {
		// The process died between keeping this state and telling the log so.
		return
	}
	p.Engine.Consume(records)
	p.position = pos
	if time.Since(p.saved) >= checkpointInterval {
		if err := p.checkpoint(); err != nil {
			p.opts.Logger.Error("Cannot keep the state of the analysis; it will be made again from the log", "err", err)
		}
	}
}

// joined gets the truth about inferences, before deliver gets the batch that
// brought it.
func (p *Pipeline) joined(pos store.Position, joined []store.Joined) {
	if pos <= p.restored {
		return
	}
	labelled := make([]models.Labelled, len(joined))
	for i, j := range joined {
		labelled[i] = models.Labelled{
			Key: j.Key, Prediction: j.Prediction, Probabilities: j.Probabilities,
			Label: j.Label, PredictedAt: j.PredictedAt,
		}
	}
	p.Engine.ConsumeLabels(labelled)
}

// checkpoint keeps the state of the analysis, so that the log need not be read
// again up to here.
func (p *Pipeline) checkpoint() error {
	p.saved = time.Now()
	saved, err := p.Engine.Checkpoint()
	if err != nil {
		return err
	}
	document := binary.BigEndian.AppendUint64(nil, uint64(p.position))
	if err := p.opts.State.SetDocument(context.Background(), checkpointDocument, append(document, saved...)); err != nil {
		return err
	}
	return p.Store.Checkpoint(p.position)
}

// Start replays what lies behind the last checkpoint, and then takes what
// arrives.
func (p *Pipeline) Start() error {
	p.saved = time.Now()
	// If the process died between keeping the state and telling the log so, the
	// log is told now: what the state holds must not be delivered again.
	if err := p.Store.Checkpoint(p.restored); err != nil {
		return fmt.Errorf("go on from the last checkpoint: %w", err)
	}
	p.Store.Start()
	return nil
}

// Run judges, and reads files, until ctx ends.
func (p *Pipeline) Run(ctx context.Context) {
	done := make(chan struct{}, len(p.files))
	for _, f := range p.files {
		go func() { f.Run(ctx); done <- struct{}{} }()
	}
	p.Engine.Run(ctx)
	for range p.files {
		<-done
	}
}

// Close takes what was accepted into the state of the analysis and keeps that.
// Run must have ended.
func (p *Pipeline) Close() error {
	err := p.closeStore()
	// Nothing is delivered any more: this is the only goroutine.
	return errors.Join(err, p.checkpoint())
}

func (p *Pipeline) closeStore() error {
	if p.Store == nil {
		return nil
	}
	return p.Store.Close()
}
