package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app/baselines"
)

// baselineCommands are the subcommands of baseline. All ask a running modelwatch.
func baselineCommands(cli *kingpin.Application) []command {
	b := cli.Command("baseline", "Baselines of a running modelwatch: what windows of inferences are compared with.")
	var all []command
	add := func(c *kingpin.CmdClause, run func(context.Context, *baselines.Commands) error) {
		server := serverFlags(c)
		server.Idle = time.Hour // Millions of rows are read before the answer begins.
		asJSON := c.Flag("json", "Print the server's JSON.").Bool()
		all = append(all, command{c, func() error {
			client, err := connect(server, os.Getenv)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return run(ctx, &baselines.Commands{Client: client, In: os.Stdin, Out: os.Stdout, JSON: *asJSON})
		}})
	}
	key := func(c *kingpin.CmdClause, k *baselines.Key, why string) {
		c.Flag("model", "Model"+why).StringVar(&k.Model)
		c.Flag("version", "Version of the model"+why).StringVar(&k.Version)
		c.Flag("service", "Service that the model belongs to"+why).StringVar(&k.Service)
	}
	id := func(c *kingpin.CmdClause) *string {
		return c.Arg("id", "Id of the baseline, as modelwatch baseline list shows it.").Required().String()
	}

	create := b.Command("create", "Make a baseline of a file (CSV, NDJSON, Parquet) or of past inferences.")
	var source baselines.Source
	key(create, &source.Key, " that it is of.")
	create.Flag("file", "Reference data; - reads the standard input. Names that end in .gz or .zst are decompressed.").StringVar(&source.File)
	create.Flag("format", "csv, ndjson or parquet (default by the name of the file).").EnumVar(&source.Format, "", "csv", "ndjson", "parquet")
	create.Flag("prediction", "Column that is the prediction (default prediction).").StringVar(&source.Prediction)
	create.Flag("label", "Column that is the truth (default label).").StringVar(&source.Label)
	create.Flag("exclude", "Column to leave out (repeat for more).").StringsVar(&source.Exclude)
	create.Flag("from", "Instead of a file: past inferences from this time on (RFC 3339, or how long ago: 24h).").StringVar(&source.From)
	create.Flag("to", "Up to this time (default now).").StringVar(&source.To)
	create.Flag("note", "What people should know about it.").StringVar(&source.Note)
	create.Flag("unused", "Leave the baseline in use as it is.").BoolVar(&source.Unused)
	add(create, func(ctx context.Context, c *baselines.Commands) error { return c.Create(ctx, source) })

	list := b.Command("list", "List baselines.")
	var listed baselines.Key
	key(list, &listed, " to list (default all).")
	add(list, func(ctx context.Context, c *baselines.Commands) error { return c.List(ctx, listed) })

	show := b.Command("show", "Show one baseline.")
	shown := id(show)
	add(show, func(ctx context.Context, c *baselines.Commands) error { return c.Show(ctx, *shown) })

	use := b.Command("use", "Switch to a baseline, from the next window on.")
	used := id(use)
	add(use, func(ctx context.Context, c *baselines.Commands) error { return c.Use(ctx, *used) })

	confirm := b.Command("confirm", "Note that somebody has looked at a baseline and found it right.")
	confirmed := id(confirm)
	add(confirm, func(ctx context.Context, c *baselines.Commands) error { return c.Confirm(ctx, *confirmed) })

	export := b.Command("export", "Write a baseline as JSON.")
	exported := id(export)
	to := export.Flag("file", "File to write (default the standard output).").String()
	bare := export.Flag("without-records", "Leave out the few single records that it has, without which all features are not judged together.").Bool()
	add(export, func(ctx context.Context, c *baselines.Commands) error { return c.Export(ctx, *exported, *to, *bare) })

	imported := b.Command("import", "Take an exported baseline as a new one.")
	from := imported.Flag("file", "File to read; - reads the standard input.").String()
	unused := imported.Flag("unused", "Leave the baseline in use as it is.").Bool()
	var as baselines.Key
	key(imported, &as, " that it is of (default as in the file).")
	add(imported, func(ctx context.Context, c *baselines.Commands) error { return c.Import(ctx, *from, as, *unused) })

	forget := b.Command("delete", "Forget a baseline that is not in use.")
	forgotten := id(forget)
	add(forget, func(ctx context.Context, c *baselines.Commands) error { return c.Delete(ctx, *forgotten) })
	return all
}
