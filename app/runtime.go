package app

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	promconfig "github.com/prometheus/prometheus/config"
)

// applyRuntime takes over the section runtime of prometheus.yml.
//
// gogc is by how much the heap may grow before garbage is collected, in percent:
// as written there, else as the environment's GOGC says. 75, which is what
// Prometheus reads where nothing is written, leaves it to heapGrowth. log_level wins over the
// flag, unless it is info: that is also what Prometheus reads where nothing is
// written.
func (a *App) applyRuntime(cfg *promconfig.Config) error {
	level := cmp.Or(a.opts.LogLevel, "info")
	if written := string(cfg.Runtime.LogLevel); written != string(promconfig.DefaultRuntimeConfig.LogLevel) {
		level = written
	}
	if err := a.logLevel.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("log level: %w", err)
	}
	a.heap.set(func(h *heapGrowth) { h.configured, h.chosen = cfg.Runtime.GoGC, os.Getenv("GOGC") != "" })
	return nil
}

const (
	// usualPercent is Go's own default: with 75, a scraped sample takes about a tenth
	// more CPU (bench/spine).
	usualPercent = 100
	// busyBytes of inferences a second, as they are logged, make a heap of which
	// most is gone a moment later.
	busyBytes = 4 << 20
	// busyPercent is by how much the heap may grow then. It takes about a fifth off
	// the resident size at 200,000 records a second, and nothing measurable off the
	// speed (bench/ingest).
	busyPercent = 50
	// busyLook is how often it is looked.
	busyLook = 2 * time.Second
)

// heapGrowth is by how many percent the heap may grow before garbage is collected.
type heapGrowth struct {
	mu         sync.Mutex
	configured int
	chosen     bool // By the environment.
	busy       bool // Many inferences come in.
}

// set changes what the growth depends on, and the growth.
func (h *heapGrowth) set(change func(*heapGrowth)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
	debug.SetGCPercent(h.percent())
}

// percent depends on what is to do, unless somebody chose it.
func (h *heapGrowth) percent() int {
	switch {
	case h.chosen, h.configured != promconfig.DefaultGoGCPercentage:
		return h.configured
	case h.busy:
		return busyPercent
	default:
		return usualPercent
	}
}

// watchIngest bounds the heap while many inferences come in, until ctx ends.
func (a *App) watchIngest(ctx context.Context) {
	tick := time.NewTicker(busyLook)
	defer tick.Stop()
	busy, before := false, a.inferences.Store.Synced()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := a.inferences.Store.Synced()
		if was := busy; was != (float64(now-before) > busyBytes*busyLook.Seconds()) {
			busy = !was
			a.heap.set(func(h *heapGrowth) { h.busy = busy })
		}
		before = now
	}
}
