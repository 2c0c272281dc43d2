// Command logs measures the log store with synthetic lines of an AI service, through its HTTP API, in a process of its own.
//
// It is a benchmark, not a load generator for production. It writes results.md and results.json.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelwatch/modelwatch/bench/logs/server"
	"github.com/modelwatch/modelwatch/collect/tail"
	"github.com/modelwatch/modelwatch/store/logs/local"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "logs:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	address := flag.String("serve", "", "only serve the Loki API on this address")
	promtail := flag.String("promtail", "", "with -serve, also collect by this promtail.yml")
	flag.StringVar(&o.dir, "dir", "", "directory of the store; default a temporary one that is removed afterwards")
	flag.Int64Var(&o.bytes, "mb", 2048, "size of the lines to push in MiB")
	flag.IntVar(&o.pushers, "pushers", 4, "number of clients that push at the same time")
	flag.DurationVar(&o.span, "span", time.Hour, "time over which the lines are spread")
	flag.IntVar(&o.tailed, "tailed", 300, "number of lines written to a file to measure until when they are found; 0 leaves it out")
	flag.StringVar(&o.out, "out", "bench/logs", "directory for results.md and results.json; - writes none")
	flag.BoolVar(&o.ingest, "ingest", false, "only measure ingestion")
	var load steady
	flag.StringVar(&load.program, "rules", "", "only measure what the built-in rules take, of this modelwatch, while lines are pushed to it")
	flag.Float64Var(&load.rate, "rate", 5, "with -rules, MB of lines a second")
	flag.DurationVar(&load.duration, "for", 2*time.Minute, "with -rules, for how long, after a first minute")
	again := flag.Bool("render", false, "only write results.md anew from results.json")
	flag.Parse()
	if *again {
		return render(o.out)
	}
	o.bytes <<= 20
	if o.dir == "" {
		temp, err := os.MkdirTemp("", "bench-logs-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temp) }()
		o.dir = temp
	}
	if load.rate *= 1e6; load.program != "" {
		return rulesCost(ctx, o.dir, load)
	}
	if *address != "" {
		return serve(ctx, *address, o.dir, *promtail)
	}
	return measure(ctx, o)
}

// serve serves until ctx ends.
func serve(ctx context.Context, address, dir, promtail string) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := server.New(ctx, local.Options{Dir: dir, Logger: logger})
	if err != nil {
		return err
	}
	if promtail != "" {
		stop, err := collect(s, dir, promtail)
		if err != nil {
			return errors.Join(err, s.Close())
		}
		defer stop()
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("POST /bench/seal", func(w http.ResponseWriter, r *http.Request) {
		for _, d := range s.Store.Status().Days {
			if err := s.Store.Seal(r.Context(), d.Day); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	})
	fmt.Println("serving on", l.Addr())
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = h.Close()
	}()
	err = h.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Close())
}

func collect(s *server.Server, dir, promtail string) (func(), error) {
	file, err := os.ReadFile(promtail)
	if err != nil {
		return nil, err
	}
	m, err := tail.New(tail.Options{Appender: s.Store, Dir: dir})
	if err != nil {
		return nil, err
	}
	p, err := m.Prepare(file)
	if err != nil {
		return nil, err
	}
	return m.Stop, m.Apply(p)
}
