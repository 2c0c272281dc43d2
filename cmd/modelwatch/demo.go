package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app"
)

func demoCommand(cli *kingpin.Application) command {
	c := cli.Command("demo", "Watch an AI service slow down, and the mail that says so.")
	o := app.DemoOptions{Stdout: os.Stdout, Stderr: os.Stderr}
	c.Flag("once", "End after the story; without it, it goes on until Ctrl-C.").BoolVar(&o.Once)
	c.Flag("keep", "Leave configuration, data and logs behind.").BoolVar(&o.Keep)
	c.Flag("rate", "Requests a second that the users make.").Default("4").Float64Var(&o.Rate)
	c.Flag("window", "Time that is judged at once, such as 5s, to see drift soon (default 1m).").DurationVar(&o.Window)
	c.Flag("log", "Show modelwatch's own log too.").BoolVar(&o.Log)
	c.Flag("web.listen-address", "host:port of the page (default 127.0.0.1:9090, or any free port).").StringVar(&o.ListenAddress)
	return command{c, func() error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		return app.Demo(ctx, o)
	}}
}
