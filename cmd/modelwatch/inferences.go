package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

// inferencesCommand is inferences export. It asks a running modelwatch, which has the
// files open and may be elsewhere; a directory can be read once nothing runs on it.
func inferencesCommand(cli *kingpin.Application) command {
	c := cli.Command("inferences", "Raw inferences that modelwatch keeps.").
		Command("export", "Write raw inferences as Parquet, of a running modelwatch or of a data directory.")
	server := serverFlags(c)
	server.Idle = time.Hour // The file is made before the answer begins.
	e := app.InferenceExport{Out: os.Stdout, Told: os.Stderr}
	c.Flag("file", "Parquet file to write; - is the standard output.").StringVar(&e.File)
	c.Flag("service", "Only of this service.").StringVar(&e.Service)
	c.Flag("model", "Only of this model.").StringVar(&e.Model)
	c.Flag("version", "Only of this version.").StringVar(&e.Version)
	c.Flag("endpoint", "Only of this endpoint.").StringVar(&e.Endpoint)
	c.Flag("since", "From this time on: RFC 3339, Unix seconds, or how long ago (24h).").StringVar(&e.Since)
	c.Flag("until", "Before this time.").StringVar(&e.Until)
	c.Flag("errors", "Only failed ones.").BoolVar(&e.Errors)
	c.Flag("storage.path", "Read this data directory, of a modelwatch that does not run, instead of asking one.").StringVar(&e.StoragePath)
	c.Flag("config.file", "modelwatch.yml of that directory: what it says of privacy holds here too.").StringVar(&e.ConfigFile)
	return command{c, func() (err error) {
		if e.Server, err = connect(server, os.Getenv); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return app.ExportInferences(ctx, e)
	}}
}
