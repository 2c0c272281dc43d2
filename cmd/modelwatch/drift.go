package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app/comparison"
	"github.com/modelwatch/modelwatch/app/remote"
)

// errDrift ends the program with status 2, which scripts tell from a failure.
var errDrift = errors.New("there is drift")

// driftCommand is drift compare. Of files, it needs no running modelwatch.
func driftCommand(cli *kingpin.Application) command {
	c := cli.Command("drift", "Drift of data in files, or of what a running modelwatch keeps.").
		Command("compare", "Compare two files (CSV, NDJSON, Parquet), or two spans of the raw inferences that a running modelwatch keeps, feature by feature. "+
			"Exit status: 0 without drift, 2 with drift, 1 if something failed.")
	o := comparison.Options{Out: os.Stdout}
	q := comparison.Question{Out: os.Stdout}
	c.Flag("baseline", "File with what the data was like. Names that end in .gz or .zst are decompressed, but for Parquet.").StringVar(&o.Baseline)
	c.Flag("current", "File with what it is like now.").StringVar(&o.Current)
	c.Flag("preset", "Rule to judge by: modelwatch (default), or that of evidently, nannyml or whylogs; repeat to see them side by side.").StringsVar(&o.Presets)
	c.Flag("format", "Of files: csv, ndjson or parquet, of both (default by their names).").EnumVar(&o.Format, "", "csv", "ndjson", "parquet")
	c.Flag("prediction", "Of files: column that is the prediction (default prediction).").StringVar(&o.Columns.Prediction)
	c.Flag("label", "Of files: column that is the truth, which is not compared (default label).").StringVar(&o.Columns.Label)
	c.Flag("exclude", "Feature to leave out (repeat for more).").StringsVar(&o.Columns.Exclude)
	c.Flag("json", "Print JSON instead of a table.").BoolVar(&o.JSON)
	server := serverFlags(c)
	server.Idle = 10 * time.Minute // Rows are read before the answer begins.
	c.Flag("model", "Of a running modelwatch: model whose raw inferences are compared.").StringVar(&q.Model)
	c.Flag("version", "Its version (default the only one).").StringVar(&q.Version)
	c.Flag("service", "Its service (default the only one that has the model).").StringVar(&q.Service)
	c.Flag("since", "Compare inferences from this time on: RFC 3339, or how long ago (1h).").StringVar(&q.Since)
	c.Flag("until", "Up to this time (default now).").StringVar(&q.Until)
	c.Flag("baseline-id", "With those of the span of this baseline (default the one in use).").StringVar(&q.BaselineID)
	c.Flag("baseline-since", "Or with those from this time on,").StringVar(&q.BaselineSince)
	c.Flag("baseline-until", "up to this time.").StringVar(&q.BaselineUntil)
	c.Flag("rows", "Take about so many rows of each side, evenly (default all).").IntVar(&q.Rows)
	return command{c, func() error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		found, err := compareDrift(ctx, o, q, server)
		if err == nil && found {
			return errDrift
		}
		return err
	}}
}

func compareDrift(ctx context.Context, o comparison.Options, q comparison.Question, server *remote.Options) (bool, error) {
	files := o.Baseline != "" || o.Current != ""
	switch {
	case files && q.Asked():
		return false, errors.New("--baseline and --current are files: leave them out to compare what a running modelwatch keeps (--baseline-id is for one of its baselines)")
	case files && (o.Baseline == "" || o.Current == ""):
		return false, errors.New("two files are compared: name both, with --baseline and --current")
	case files:
		return comparison.Run(ctx, o)
	case !q.Asked():
		return false, comparison.ErrNothingAsked
	}
	client, err := connect(server, os.Getenv)
	if err != nil {
		return false, err
	}
	q.Presets, q.Exclude, q.JSON = o.Presets, o.Columns.Exclude, o.JSON
	return q.Ask(ctx, client)
}
