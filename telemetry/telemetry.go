// Package telemetry holds what modelwatch says of itself: its logger and its
// readiness. It is not the place for metrics of one component; each component
// registers its own in the Registerer that it is given.
package telemetry

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
)

// LogOptions chooses how modelwatch logs.
type LogOptions struct {
	// Level is one of debug, info, warn, error.
	Level string
	// Format is logfmt or json.
	Format string
}

// NewLogger returns a logger that writes to w, and its level, which may be
// changed. It refuses levels and formats that it does not know and names the
// ones that it does.
func NewLogger(w io.Writer, opts LogOptions) (*slog.Logger, *slog.LevelVar, error) {
	level := &slog.LevelVar{}
	if err := level.UnmarshalText([]byte(cmp.Or(opts.Level, "info"))); err != nil {
		return nil, nil, fmt.Errorf("unknown log level %q: use debug, info, warn or error", opts.Level)
	}
	handlerOptions := &slog.HandlerOptions{Level: level}
	switch opts.Format {
	case "logfmt", "":
		return slog.New(slog.NewTextHandler(w, handlerOptions)), level, nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, handlerOptions)), level, nil
	default:
		return nil, nil, fmt.Errorf("unknown log format %q: use logfmt or json", opts.Format)
	}
}

// State is a stage in the life of the process.
type State int32

// The states of a process, in the order in which they are passed.
const (
	Starting State = iota
	Ready
	Stopping
)

// String returns the state as it is shown to people.
func (s State) String() string {
	switch s {
	case Starting:
		return "starting"
	case Ready:
		return "ready"
	default:
		return "stopping"
	}
}

// Readiness says whether the process can serve. The zero value is Starting.
// It is safe for concurrent use.
type Readiness struct {
	state atomic.Int32
}

// Set moves the process to state s.
func (r *Readiness) Set(s State) { r.state.Store(int32(s)) }

// State returns the current state.
func (r *Readiness) State() State { return State(r.state.Load()) }

// Ready reports whether requests can be served.
func (r *Readiness) Ready() bool { return r.State() == Ready }
