// Command logs measures the log store with synthetic lines of an AI service, through its HTTP API.
//
// It is a benchmark, not a load generator for production. It writes results.md and results.json.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/modelwatch/modelwatch/bench/logs/server"
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
	address := flag.String("serve", "", "only serve the Loki API on this address")
	dir := flag.String("dir", "", "directory of the store; default a temporary one that is removed afterwards")
	flag.Parse()
	if *dir == "" {
		temp, err := os.MkdirTemp("", "bench-logs-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		*dir = temp
	}
	return serve(ctx, *address, *dir)
}

// serve serves until ctx ends.
func serve(ctx context.Context, address, dir string) error {
	s, err := server.New(ctx, local.Options{Dir: dir})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	fmt.Println("serving on", l.Addr())
	h := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
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
