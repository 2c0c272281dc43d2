package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app/comparison"
)

// errDrift ends the program with status 2, which scripts tell from a failure.
var errDrift = errors.New("there is drift")

// driftCommand is drift compare. It needs no running modelwatch.
func driftCommand(cli *kingpin.Application) command {
	c := cli.Command("drift", "Drift of data in files.").
		Command("compare", "Compare two files (CSV, NDJSON, Parquet), feature by feature. Exit status: 0 without drift, 2 with drift, 1 if something failed.")
	o := comparison.Options{Out: os.Stdout}
	c.Flag("baseline", "File with what the data was like. Names that end in .gz or .zst are decompressed, but for Parquet.").Required().StringVar(&o.Baseline)
	c.Flag("current", "File with what it is like now.").Required().StringVar(&o.Current)
	c.Flag("preset", "Rule to judge by: modelwatch (default), or that of evidently, nannyml or whylogs; repeat to see them side by side.").StringsVar(&o.Presets)
	c.Flag("format", "csv, ndjson or parquet, of both files (default by their names).").EnumVar(&o.Format, "", "csv", "ndjson", "parquet")
	c.Flag("prediction", "Column that is the prediction (default prediction).").StringVar(&o.Columns.Prediction)
	c.Flag("label", "Column that is the truth, which is not compared (default label).").StringVar(&o.Columns.Label)
	c.Flag("exclude", "Column to leave out (repeat for more).").StringsVar(&o.Columns.Exclude)
	c.Flag("json", "Print JSON instead of a table.").BoolVar(&o.JSON)
	return command{c, func() error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		found, err := comparison.Run(ctx, o)
		if err == nil && found {
			return errDrift
		}
		return err
	}}
}
