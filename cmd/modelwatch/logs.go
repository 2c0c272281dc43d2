package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

// logsCommands are the subcommands of logs.
func logsCommands(cli *kingpin.Application) []command {
	c := cli.Command("logs", "Log lines.")
	export := c.Command("export", "Write log lines into a Parquet file: of a running modelwatch or a Loki, or of a data directory.")
	var o app.ExportOptions
	export.Arg("file", "Parquet file to write.").Required().StringVar(&o.File)
	export.Flag("query", "LogQL of the lines, such as '{job=\"ai_service\"} |= \"error\"'.").Short('q').Required().StringVar(&o.Query)
	export.Flag("from", "First time: 2026-11-28T15:04:05Z, a date, or how long ago, such as 6h.").Default("1h").StringVar(&o.From)
	export.Flag("to", "Time before which lines are written, likewise.").Default("now").StringVar(&o.To)
	export.Flag("force", "Replace the file if it is there.").BoolVar(&o.Replace)
	export.Flag("storage.path", "Data directory of a modelwatch that does not run, to read instead of asking --url.").StringVar(&o.Dir)
	export.Flag("tenant", "Tenant, if --url is a Loki with tenants (X-Scope-OrgID).").StringVar(&o.Tenant)
	server := serverFlags(export)
	return []command{{export, func() error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		client, err := connect(server, os.Getenv)
		if err != nil {
			return err
		}
		o.Client = client
		n, err := app.ExportLogs(ctx, o)
		if err == nil {
			fmt.Printf("%d lines written to %s\n", n, o.File)
		}
		return err
	}}}
}
