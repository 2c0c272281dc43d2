package app

import (
	"cmp"
	"fmt"
	"runtime/debug"

	promconfig "github.com/prometheus/prometheus/config"
)

// applyRuntime takes over the section runtime of prometheus.yml.
//
// gogc is by how much the heap may grow before garbage is collected, in percent:
// as written there, else as the environment's GOGC says, else 75, all as in
// Prometheus. log_level wins over the flag, unless it is info: that is also what
// Prometheus reads where nothing is written.
func (a *App) applyRuntime(cfg *promconfig.Config) error {
	debug.SetGCPercent(cfg.Runtime.GoGC)
	level := cmp.Or(a.opts.LogLevel, "info")
	if written := string(cfg.Runtime.LogLevel); written != string(promconfig.DefaultRuntimeConfig.LogLevel) {
		level = written
	}
	if err := a.logLevel.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("log level: %w", err)
	}
	return nil
}
