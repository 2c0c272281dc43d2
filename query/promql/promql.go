// Package promql answers PromQL: the Prometheus engine with its limits set.
// It does not store samples or serve HTTP.
package promql

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/logging"
)

// Options bounds what queries may take.
type Options struct {
	// MaxSamples is how many samples one query may hold in memory.
	MaxSamples int
	// Timeout ends a query that takes longer.
	Timeout time.Duration
	// MaxConcurrency is how many queries run at once; others wait.
	MaxConcurrency int
	// LookbackDelta is how old a sample may be to count as present.
	LookbackDelta time.Duration
	// Experimental also accepts what Prometheus keeps behind feature flags:
	// experimental functions and modifiers, and delayed removal of names.
	Experimental bool
	// Dir keeps the list of queries that were running at a crash.
	Dir string

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Engine runs PromQL. It is safe for concurrent use.
type Engine struct {
	*promql.Engine
	parser   parser.Parser
	subquery atomic.Int64
}

// NewParser parses all of PromQL; with experimental also what Prometheus keeps
// behind feature flags.
func NewParser(experimental bool) parser.Parser {
	return parser.NewParser(parser.Options{
		EnableExperimentalFunctions:  experimental,
		ExperimentalDurationExpr:     experimental,
		EnableExtendedRangeSelectors: experimental,
		EnableBinopFillModifiers:     experimental,
	})
}

// New makes an engine.
func New(opts Options) (*Engine, error) {
	e := &Engine{parser: NewParser(opts.Experimental)}
	e.subquery.Store(time.Minute.Milliseconds())
	tracker, err := promql.NewActiveQueryTracker(opts.Dir, opts.MaxConcurrency, opts.Logger.With("component", "query"))
	if err != nil {
		return nil, fmt.Errorf("track active queries in %s: %w", opts.Dir, err)
	}
	e.Engine = promql.NewEngine(promql.EngineOpts{
		Logger:                   opts.Logger.With("component", "query"),
		Reg:                      opts.Registerer,
		MaxSamples:               opts.MaxSamples,
		Timeout:                  opts.Timeout,
		ActiveQueryTracker:       tracker,
		LookbackDelta:            opts.LookbackDelta,
		NoStepSubqueryIntervalFn: func(int64) int64 { return e.subquery.Load() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		EnableDelayedNameRemoval: opts.Experimental,
		UseStartTimestamps:       opts.Experimental,
		Parser:                   e.parser,
	})
	return e, nil
}

// Parser parses the language that the engine runs.
func (e *Engine) Parser() parser.Parser { return e.parser }

// Apply takes over the default subquery step and the query log of cfg.
func (e *Engine) Apply(cfg *config.Config) error {
	e.subquery.Store(time.Duration(cfg.GlobalConfig.EvaluationInterval).Milliseconds())
	// The engine closes the logger that it replaces.
	if cfg.GlobalConfig.QueryLogFile == "" {
		e.SetQueryLogger(nil)
		return nil
	}
	l, err := logging.NewJSONFileLogger(cfg.GlobalConfig.QueryLogFile)
	if err != nil {
		return fmt.Errorf("open query log: %w", err)
	}
	e.SetQueryLogger(l)
	return nil
}

// Close ends the engine; running queries fail.
func (e *Engine) Close() error {
	if err := e.Engine.Close(); err != nil {
		return fmt.Errorf("close query engine: %w", err)
	}
	return nil
}
