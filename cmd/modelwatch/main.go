// Command modelwatch keeps AI services available: it collects what they do,
// stores it, judges it, and tells somebody. This package turns flags and
// signals into options of package app, and nothing else.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"
)

// command is one subcommand.
type command struct {
	clause *kingpin.CmdClause
	run    func() error
}

func main() {
	cli := kingpin.New("modelwatch", "Keeps AI services available: metrics, alerts, logs, inferences and their drift in one program.")
	cli.HelpFlag.Short('h')
	commands := []command{serveCommand(cli), checkCommand(cli), demoCommand(cli), versionCommand(cli), inferencesCommand(cli), driftCommand(cli)}
	commands = append(commands, baselineCommands(cli)...)
	commands = append(commands, logsCommands(cli)...)
	chosen := kingpin.MustParse(cli.Parse(os.Args[1:]))
	for _, c := range commands {
		if c.clause.FullCommand() != chosen {
			continue
		}
		if err := c.run(); errors.Is(err, errDrift) {
			os.Exit(2)
		} else if err != nil {
			fmt.Fprintf(os.Stderr, "modelwatch %s: %v\n", chosen, err)
			os.Exit(1)
		}
	}
}
