package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Reasons are the values of the label "reason" of modelwatch_gpu_scrape_errors_total.
const (
	ReasonMissing = "missing"  // nvidia-smi is not installed any more, and GPUs are expected
	ReasonStart   = "start"    // nvidia-smi could not be started
	ReasonTimeout = "timeout"  // nvidia-smi took too long and was killed
	ReasonHung    = "hung"     // nvidia-smi cannot be killed; none other is started meanwhile
	ReasonExit    = "exit"     // nvidia-smi failed, for example because the driver is not loaded
	ReasonParse   = "parse"    // nvidia-smi printed nothing that can be read
	ReasonLost    = "gpu_lost" // nvidia-smi gave up at a lost GPU, and the others are not known
)

// Limits of one run.
const (
	maxOutput = 1 << 20 // bytes
	waitDelay = time.Second
)

// outcome is a reading or a fault.
type outcome struct {
	reading *reading
	fault   *fault
}

// take makes one reading. Known are the buses of GPUs seen before.
func (c *Collector) take(ctx context.Context, path string, known []string) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	r, err := query(ctx, path, arguments()...)
	if err != nil && (ctx.Err() != nil || isStart(err)) {
		return failed(ctx, err)
	}

	if len(r.gpus) == 0 && len(r.lost) > 0 {
		// Some drivers stop at the first GPU that is lost. The others are asked one by one.
		others, complete := c.others(r.lost, known)
		for _, bus := range others {
			one, oneErr := query(ctx, path, append([]string{"--id=" + bus + ".0"}, arguments()...)...)
			if ctx.Err() != nil {
				return failed(ctx, oneErr)
			}
			r.merge(one)
		}
		if len(r.gpus) == 0 && !complete {
			return outcome{fault: &fault{ReasonLost, errors.New("nvidia-smi gave up at a lost GPU, and which others there are is not known")}}
		}
		r.settle()
		return outcome{reading: &r}
	}
	r.settle()
	switch {
	case len(r.gpus) > 0 || r.none:
		// With warnings, say of a corrupted infoROM, the exit code is not 0 either, but the figures are good.
		return outcome{reading: &r}
	case err != nil:
		return outcome{fault: &fault{ReasonExit, fmt.Errorf("%w: %s", err, strings.Join(r.notes, " "))}}
	default:
		return outcome{fault: &fault{ReasonParse, fmt.Errorf("output of nvidia-smi cannot be read: %q", r.notes)}}
	}
}

func failed(ctx context.Context, err error) outcome {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return outcome{fault: &fault{ReasonTimeout, context.Canceled}}
	case ctx.Err() != nil:
		return outcome{fault: &fault{ReasonTimeout, errors.New("nvidia-smi took too long and was killed")}}
	default:
		return outcome{fault: &fault{ReasonStart, err}}
	}
}

// isStart reports whether err is that of a program that did not run at all.
func isStart(err error) bool {
	_, ran := errors.AsType[*exec.ExitError](err)
	return !ran && !errors.Is(err, exec.ErrWaitDelay)
}

// query runs nvidia-smi and reads both of its outputs: where a lost GPU is reported depends on the version. The error
// is that of the program; the reading may be good in spite of it.
func query(ctx context.Context, path string, args ...string) (reading, error) {
	var out, errs bounded
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &errs
	// A wrapper script's children go with it, and cannot keep us waiting for the end of their output.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = waitDelay
	err := cmd.Run()
	r := parse(out.String())
	said := parse(errs.String())
	said.gpus = nil // Figures belong on the standard output.
	r.merge(said)
	r.none = r.none || said.none
	return r, err
}

// bounded keeps the first maxOutput bytes and drops the rest.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), maxOutput-b.Len())])
	return len(p), nil
}

// others returns the buses of the GPUs of this machine that are not lost. Complete says whether all GPUs are known:
// the driver lists them in procfs, and those seen before are remembered.
func (c *Collector) others(lost []identity, known []string) (buses []string, complete bool) {
	entries, err := os.ReadDir(filepath.Join(c.opts.ProcPath, "driver/nvidia/gpus"))
	if err == nil {
		known = nil
		for _, e := range entries {
			known = append(known, normalBus(e.Name()))
		}
	}
	for _, bus := range known {
		isLost := slices.ContainsFunc(lost, func(id identity) bool { return id.Bus == bus })
		if bus != "" && !isLost && !slices.Contains(buses, bus) {
			buses = append(buses, bus)
		}
	}
	return buses, len(known) > 0
}
