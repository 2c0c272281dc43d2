package app

import (
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/modelwatch/modelwatch/collect/host"
	"github.com/modelwatch/modelwatch/collect/host/gpu"
	"github.com/modelwatch/modelwatch/collect/host/process"
	"github.com/modelwatch/modelwatch/config"
)

// watched starts what modelwatch measures itself and returns its registries.
func (a *App) watched() (prometheus.Gatherers, error) {
	c := a.config.Collect
	collected, err := host.New(host.Options{
		Logger:      a.logger.With("component", "host"),
		WithoutHost: !*c.Host,
		WithoutGPU:  !*c.GPU.Enabled,
		ProcPath:    c.Paths.Procfs,
		SysPath:     c.Paths.Sysfs,
		RootPath:    c.Paths.Rootfs,
		Processes:   watches(c),
		GPU: gpu.Options{
			Command:   c.GPU.NvidiaSMI,
			Expected:  c.GPU.ExpectedCount,
			StateFile: filepath.Join(a.config.Storage.Path, "gpus.json"),
		},
	})
	if err != nil {
		return nil, err
	}
	a.host = collected
	a.cleanups.add("stop host metrics", collected.Close)
	registry := prometheus.NewRegistry()
	if err := collected.Register(registry); err != nil {
		return nil, err
	}
	return prometheus.Gatherers{registry, a.inferences.Engine}, nil
}

func watches(c config.Collect) []process.Watch {
	out := make([]process.Watch, 0, len(c.Processes))
	for _, p := range c.Processes {
		out = append(out, process.Watch{Service: p.Service, PIDFile: p.PIDFile, Port: p.Port, Command: p.Command})
	}
	return out
}
