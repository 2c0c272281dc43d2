package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" //nolint:gosec // It serves on 127.0.0.1, in a benchmark.
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/modelwatch/modelwatch/ai"
	receive "github.com/modelwatch/modelwatch/collect/receive/inferences"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
)

type sink struct{ s *store.Store }

func (k sink) Append(ctx context.Context, b receive.Batch) (bool, error) {
	return k.s.Append(ctx, store.Batch(b))
}

// serve runs receiver and store, and an analysis that only looks at every value
// and checkpoints each second.
func serve(addr, dir string, keepRaw bool) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var s *store.Store
	last, sum := time.Now(), 0.0
	s, err := store.Open(store.Options{
		Dir: dir, Logger: logger, Registerer: reg, Raw: raw.Options{Disabled: !keepRaw},
		Deliver: func(pos store.Position, records []ai.Inference, _ []ai.Label) {
			for i := range records {
				for j := range records[i].Features {
					x, _ := records[i].Features[j].Value.Number()
					sum += x
				}
			}
			if time.Since(last) > time.Second {
				last = time.Now()
				if err := s.Checkpoint(pos); err != nil {
					logger.Error("Checkpoint", "err", err)
				}
			}
		},
	})
	if err != nil {
		return err
	}
	s.Start()
	r, err := receive.New(receive.Options{Sink: sink{s}, Logger: logger, Registerer: reg})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("POST /ai/v1/inferences", r.Inferences())
	mux.Handle("POST /ai/v1/labels", r.Labels())
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.Handle("/debug/pprof/", http.DefaultServeMux)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	if err := os.WriteFile(filepath.Join(dir, "address"), []byte(l.Addr().String()), 0o600); err != nil {
		return errors.Join(err, s.Close())
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		_ = srv.Close() // What is under way is of no interest.
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, s.Close())
	}
	return s.Close()
}

// start runs this program as a server.
func start(dir string, keepRaw bool) (url string, pid int, stop func() error, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", 0, nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	cmd := exec.Command(exe, "-serve", "127.0.0.1:0", "-dir", dir, "-raw="+strconv.FormatBool(keepRaw))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return cmd.Wait()
	}
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		if addr, err := os.ReadFile(filepath.Join(dir, "address")); err == nil && len(addr) > 0 {
			return "http://" + string(addr), cmd.Process.Pid, stop, nil
		}
	}
	return "", 0, nil, errors.Join(fmt.Errorf("the server did not start in %s", dir), stop())
}
