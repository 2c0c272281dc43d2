package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

func serveCommand(cli *kingpin.Application) command {
	c := cli.Command("serve", "Run modelwatch.")
	o := app.Options{Stdout: os.Stdout, Stderr: os.Stderr}
	c.Flag("config.file", "modelwatch.yml; without it the defaults watch modelwatch and its host.").StringVar(&o.ConfigFile)
	c.Flag("storage.path", "Data directory (default data).").StringVar(&o.StoragePath)
	c.Flag("web.listen-address", "host:port to serve on; port 0 takes any free one (default 127.0.0.1:9090).").StringVar(&o.ListenAddress)
	c.Flag("web.config.file", "TLS, basic auth and headers, in the format of Prometheus's exporter-toolkit.").StringVar(&o.WebConfigFile)
	c.Flag("web.external-url", "Where people reach modelwatch, for links in alerts.").StringVar(&o.ExternalURL)
	c.Flag("prometheus.config", "prometheus.yml.").StringVar(&o.PrometheusConfig)
	c.Flag("alertmanager.config", "alertmanager.yml.").StringVar(&o.AlertmanagerConfig)
	c.Flag("promtail.config", "promtail.yml.").StringVar(&o.PromtailConfig)
	c.Flag("compat.ports", "Listen on 9093 (Alertmanager) and 3100 (Loki) too, so that their clients need no change.").BoolVar(&o.CompatPorts)
	c.Flag("auth.reset-admin", "Give the user admin a new password, printed once, and end all its sessions.").BoolVar(&o.ResetAdmin)
	clusterFlags(c, &o.Cluster)
	c.Flag("log.level", "debug, info, warn or error.").Default("info").EnumVar(&o.LogLevel, "debug", "info", "warn", "error")
	c.Flag("log.format", "logfmt or json.").Default("logfmt").EnumVar(&o.LogFormat, "logfmt", "json")
	return command{c, func() error {
		o.Flags = map[string]string{}
		for _, f := range c.Model().Flags {
			o.Flags[f.Name] = f.Value.String()
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		hup := make(chan os.Signal, 1)
		signal.Notify(hup, syscall.SIGHUP)
		o.Reload = hup
		return app.Run(ctx, o)
	}}
}
