package main

import (
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

func checkCommand(cli *kingpin.Application) command {
	c := cli.Command("check", "Check configuration files of every kind: modelwatch, Prometheus, rules, Alertmanager, Promtail, web.")
	files := c.Arg("file", "Files to check; those that they name are checked too.").Required().Strings()
	return command{c, func() error { return app.Check(os.Stdout, *files) }}
}
