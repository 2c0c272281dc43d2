package models

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift"
	"github.com/modelwatch/modelwatch/ai/performance"
	"github.com/modelwatch/modelwatch/ai/profile"
	"github.com/modelwatch/modelwatch/ai/quality"
	"github.com/modelwatch/modelwatch/ai/status"
)

// Options is what an Engine needs. Profiles and Baselines must be set; the zero
// value of everything else means the defaults.
type Options struct {
	Profiles  ProfileStore
	Baselines BaselineStore
	// Clock tells the time; default time.Now.
	Clock func() time.Time

	Windows Windows
	Auto    Auto
	Limits  Limits
	Labels  Labels

	Drift       drift.Options
	Quality     quality.Options
	Performance performance.Settings
	// NoClassifier is as in Judging.
	NoClassifier bool
	// Private reports whether values of a feature must not be kept; nil means that all
	// may.
	Private func(feature string) bool
	// Records reads about so many single inferences of a version's past that are kept,
	// evenly, with their features, oldest first; until is not in. Nil means that none are.
	Records func(ctx context.Context, key ai.Key, since, until time.Time, about int, f func(*ai.Inference)) error
	// Models are judged otherwise, by name.
	Models map[string]Judging
	Status status.Options
	// Margins are what matters between two versions; the zero value means
	// performance.DefaultMargins.
	Margins performance.Margins
	// Tasks says how the answers of a model are read, by model name.
	Tasks map[string]performance.Options

	// Readings returns what is known of resources, and Probes of services seen from
	// outside; those of services that have no inferences are left out. Both are called once a second or so and must not block; nil means
	// nothing is known.
	Readings func() []status.Reading
	Probes   func() []status.Probe
	// Availability returns the share of the last 24 hours and 30 days in which a
	// service was up, from 0 to 1; nil where it is not known.
	Availability func(service string) (day, month *float64)

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Windows says how time is cut.
type Windows struct {
	// Length of a window; it must divide an hour. Default one minute.
	Length time.Duration
	// Lateness is how long a window waits after its end for records on their way;
	// default 10 s, and at most the length.
	Lateness time.Duration
	// Future is how far ahead of the clock a timestamp may be; default 5 minutes.
	Future time.Duration
	// MaxOpen is the number of windows open at once for a version; default 8.
	MaxOpen int
	// Levels are the lengths that windows are merged up to; default 10 minutes, an
	// hour and a day. Those that are not longer than Length are left out.
	Levels []time.Duration
	// History is the number of windows kept at hand for each version; default 240.
	History int
	// Publish is how often series are renewed from windows still open; default 2 s.
	Publish time.Duration
	// Together is the number of records below which windows are judged together
	// with those after them, up to ten; default 50.
	Together uint64
	// Forget is how long a version may be silent before its series vanish and its
	// memory is freed; default 24 hours.
	Forget time.Duration
}

// Auto says how the automatic baseline of a version is made.
type Auto struct {
	// Off switches automatic baselines off.
	Off bool
	// Records is the number of records that make a baseline, sampled evenly if a
	// window has more; default 2,000.
	Records int
	// After makes the baseline once that much time has passed since the first
	// record, if there are Minimum records; default 10 minutes and 200.
	After   time.Duration
	Minimum int
	// Bytes bounds the memory of one collection; default 8 MiB.
	Bytes int
}

// Limits guard memory. What they leave out is counted and said.
type Limits struct {
	Services  int // Default 100.
	Versions  int // Of all models together; default 500.
	PerModel  int // Versions of one model; default 20.
	Features  int // Of one version; default 1,000.
	Endpoints int // Of one version; default 50, the rest counts as "(other)".
	// Series is the number of features with series of their own; default 500.
	Series int
}

// Labels says how the truth is looked at when it comes.
type Labels struct {
	// Span is the time, by when the inferences were made, that measured performance
	// is about: the newest labelled inference and what is at most that much older.
	// Default 60 windows.
	Span time.Duration
	// Horizon is the age of inferences beyond which labels are not counted; default
	// 30 days.
	Horizon time.Duration
	// Stale is the age from which the newest labelled inference says nothing of the
	// present; default 2 days.
	Stale time.Duration
}

func orElse[T int | uint64 | time.Duration](x *T, def T) {
	if *x <= 0 {
		*x = def
	}
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	clock := o.Clock
	o.Clock = func() time.Time { return clock().Round(0) } // A monotonic reading would hide that the clock was set.
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	w := &o.Windows
	orElse(&w.Length, time.Minute)
	orElse(&w.Lateness, min(10*time.Second, w.Length))
	orElse(&w.Future, 5*time.Minute)
	orElse(&w.MaxOpen, 8)
	orElse(&w.History, 240)
	orElse(&w.Publish, 2*time.Second)
	orElse(&w.Together, 50)
	orElse(&w.Forget, 24*time.Hour)
	if w.Levels == nil {
		w.Levels = profile.Levels()
	}
	orElse(&o.Auto.Records, 2000)
	orElse(&o.Auto.After, 10*time.Minute)
	orElse(&o.Auto.Minimum, min(200, o.Auto.Records))
	orElse(&o.Auto.Bytes, 8<<20)
	orElse(&o.Limits.Services, 100)
	orElse(&o.Limits.Versions, 500)
	orElse(&o.Limits.PerModel, 20)
	orElse(&o.Limits.Features, 1000)
	orElse(&o.Limits.Endpoints, 50)
	orElse(&o.Limits.Series, 500)
	orElse(&o.Labels.Span, 60*w.Length)
	orElse(&o.Labels.Horizon, 30*24*time.Hour)
	orElse(&o.Labels.Stale, 48*time.Hour)
	if o.Margins == (performance.Margins{}) {
		o.Margins = performance.DefaultMargins()
	}
	if o.Status.ReadingStaleAfter == 0 {
		o.Status.ReadingStaleAfter = max(3*time.Minute, 3*w.Length)
	}
	return o
}

// Validate reports everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	o = o.withDefaults()
	if time.Hour%o.Windows.Length != 0 {
		errs = append(errs, fmt.Errorf("window length %s does not divide an hour: use 10s, 30s, 1m, 5m or the like", o.Windows.Length))
	}
	before := o.Windows.Length
	for _, level := range o.Windows.Levels {
		if level > o.Windows.Length && (level%before != 0 || 24*time.Hour%level != 0) {
			errs = append(errs, fmt.Errorf("windows of %s do not add up to windows of %s, or those not to a day: use lengths of which each is a multiple of the one before", before, level))
		}
		before = max(before, level)
	}
	if o.Auto.Minimum > o.Auto.Records {
		errs = append(errs, fmt.Errorf("an automatic baseline needs at least %d records but keeps only %d: raise the one or lower the other", o.Auto.Minimum, o.Auto.Records))
	}
	if o.Profiles == nil || o.Baselines == nil {
		errs = append(errs, errors.New("a store of profiles and one of baselines must be given"))
	}
	return errors.Join(append(errs, o.Drift.Validate(), o.Quality.Validate(), o.Performance.Validate(), o.Status.Validate())...)
}

// levels returns the lengths to merge up to, shortest first.
func (o *Options) levels() []time.Duration {
	var out []time.Duration
	for _, l := range o.Windows.Levels {
		if l > o.Windows.Length {
			out = append(out, l)
		}
	}
	return out
}

func (o *Options) profileOptions() profile.Options {
	return profile.Options{
		Window: o.Windows.Length, Lateness: o.Windows.Lateness, Future: o.Windows.Future,
		MaxOpen: 1, MaxClosed: 1, MaxFeatures: o.Limits.Features,
	}
}

func (o *Options) task(key ai.Key) performance.Options { return o.Tasks[key.Model] }
