package main

import (
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

func versionCommand(cli *kingpin.Application) command {
	c := cli.Command("version", "Print the version.")
	return command{c, func() error {
		_, err := fmt.Println(app.VersionString())
		return err
	}}
}
