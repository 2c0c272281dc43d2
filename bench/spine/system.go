package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// system is what is measured: one program, or two that do its work together.
type system struct {
	name  string
	url   string
	procs []*exec.Cmd
	logs  []*bytes.Buffer
}

// files are the configuration of one measurement, the same for both systems.
type files struct {
	prometheus   string
	rules        string
	alertmanager string
}

// startModelwatch runs modelwatch on files below dir.
func startModelwatch(s settings, dir string, f files) (*system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := f.write(dir, ""); err != nil {
		return nil, err
	}
	sys := &system{name: "modelwatch", url: "http://" + address}
	err = sys.start(s.binary, "serve", "--web.listen-address="+address, "--storage.path="+filepath.Join(dir, "data"),
		"--prometheus.config="+filepath.Join(dir, "prometheus.yml"), "--alertmanager.config="+filepath.Join(dir, "alertmanager.yml"), "--log.level=warn")
	return sys, err
}

// startPeers runs Prometheus and Alertmanager on the same files.
func startPeers(_ settings, dir string, f files) (*system, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	alertAddress, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := f.write(dir, alertAddress); err != nil {
		return nil, err
	}
	sys := &system{name: "Prometheus + Alertmanager", url: "http://" + address}
	if err := sys.start("prometheus-alertmanager", "--config.file="+filepath.Join(dir, "alertmanager.yml"), "--storage.path="+filepath.Join(dir, "alerts"),
		"--web.listen-address="+alertAddress, "--cluster.listen-address=", "--log.level=warn"); err != nil {
		return nil, err
	}
	err = sys.start("prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	return sys, err
}

func (f files) write(dir, alertmanager string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	text := f.prometheus
	if f.rules != "" {
		text += "rule_files: [rules.yml]\n"
	}
	if alertmanager != "" {
		text += fmt.Sprintf("alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}\n", alertmanager)
	}
	am := f.alertmanager
	if am == "" {
		am = "route: {receiver: none}\nreceivers: [{name: none}]\n"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(f.rules), 0o600),
		os.WriteFile(filepath.Join(dir, "alertmanager.yml"), []byte(am), 0o600),
	)
}

func (y *system) start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	log := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = log, log
	// Measured as it is installed: no tuning from the environment.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	y.procs, y.logs = append(y.procs, cmd), append(y.logs, log)
	return nil
}

// waitReady polls every millisecond.
func (y *system) waitReady() error {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := http.Get(y.url + "/-/ready"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("%s is not ready after 30 s: %s", y.name, y.output())
}

func (y *system) output() string {
	var b strings.Builder
	for _, l := range y.logs {
		b.WriteString(l.String())
	}
	return b.String()
}

func (y *system) stop() error {
	var errs []error
	for _, p := range y.procs {
		errs = append(errs, p.Process.Signal(syscall.SIGTERM))
	}
	for _, p := range y.procs {
		// Old versions of the peers end with a status of their own.
		if err := p.Wait(); err != nil && y.name == "modelwatch" {
			errs = append(errs, fmt.Errorf("%w: %s", err, y.output()))
		}
	}
	return errors.Join(errs...)
}

// resident is the memory of all processes, in bytes, and what of it is private
// (not the mapped program file).
func (y *system) resident() (rss, anonymous float64, err error) {
	for _, p := range y.procs {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
		if err != nil {
			return 0, 0, err
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			kb, _ := strconv.ParseFloat(fields[1], 64)
			switch fields[0] {
			case "VmRSS:":
				rss += kb * 1024
			case "RssAnon:":
				anonymous += kb * 1024
			}
		}
	}
	return rss, anonymous, nil
}

// cpu is the processor time that all processes have used, in seconds.
func (y *system) cpu() (float64, error) {
	const ticks = 100 // USER_HZ is 100 on Linux.
	var total float64
	for _, p := range y.procs {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		total += (user + system) / ticks
	}
	return total, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
