package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/snappy"

	"github.com/modelwatch/modelwatch/collect/receive/loki"
)

// steady is a load of lines that goes on for a while.
type steady struct {
	program  string
	rate     float64 // bytes a second
	duration time.Duration
}

// rulesCost measures what the built-in rules take of a modelwatch to which lines are pushed as fast as services write
// them: its CPU time without the rules, and with them.
func rulesCost(ctx context.Context, dir string, o steady) error {
	var share [2]float64
	for i, on := range []bool{false, true} {
		cpu, err := underLoad(ctx, filepath.Join(dir, fmt.Sprint("rules-", on)), o, on)
		if err != nil {
			return err
		}
		share[i] = cpu / o.duration.Seconds()
		fmt.Printf("built-in rules %-5v %6.2f s of CPU in %s at %.1f MB/s, %.1f %% of one CPU\n", on, cpu, o.duration, o.rate/1e6, 100*share[i])
	}
	fmt.Printf("the rules took %.1f %% of one CPU\n", 100*(share[1]-share[0]))
	return nil
}

// underLoad runs the program and returns the seconds of CPU that it took while lines were pushed.
func underLoad(ctx context.Context, dir string, o steady, rules bool) (cpu float64, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "modelwatch.yml")
	// The host has no part in it.
	text := fmt.Sprintf("metrics: {builtin_rules: %v}\ncollect: {host: false, gpu: {enabled: false}}\n", rules)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return 0, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return 0, err
	}
	p := &process{base: "http://" + address}
	p.cmd = exec.CommandContext(ctx, o.program, "serve", "--config.file="+file, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	p.cmd.Stderr = os.Stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	if err := p.cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = p.cmd.Process.Signal(os.Interrupt) // If it has not ended by itself.
		err = errors.Join(err, p.cmd.Wait())
	}()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		resp, err := http.Get(p.base + "/-/ready")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(begin) > 20*time.Second {
			return 0, fmt.Errorf("%s is not ready: %w", o.program, err)
		}
	}
	// The windows of the rules are full after a minute.
	if err := p.steadily(ctx, o, time.Minute); err != nil {
		return 0, err
	}
	before := p.cpu()
	err = p.steadily(ctx, o, o.duration)
	return p.cpu() - before, err
}

// steadily pushes lines of now, four times a second.
func (p *process) steadily(ctx context.Context, o steady, d time.Duration) error {
	const ticks = 4
	begin := time.Now()
	tick := time.NewTicker(time.Second / ticks)
	defer tick.Stop()
	for i := uint64(0); time.Since(begin) < d; i++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		size := int(o.rate / ticks)
		g := newGenerator(uint64(begin.UnixNano())+i, time.Now(), time.Microsecond)
		batch, _ := g.batch(size)
		resp, err := http.Post(p.base+"/loki/api/v1/push", "application/x-protobuf", bytes.NewReader(snappy.Encode(nil, loki.EncodeProtobuf(batch))))
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("push: %s: %s", resp.Status, text)
		}
	}
	return nil
}
