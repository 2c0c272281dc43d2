// Command spine measures modelwatch beside Prometheus and Alertmanager: memory
// when idle, time to ready, CPU per scraped sample, latency of queries, and
// the time from a breach to its mail. All run in the same run, in turn, on the
// same targets. It writes results.md and results.json beside itself.
//
//	go run ./bench/spine -binary bin/modelwatch
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/bench/boot"
)

type settings struct {
	binary  string
	out     string
	dir     string
	series  int
	targets int
	scrape  time.Duration
	measure time.Duration
	starts  int
	mails   int
	queries int
	only    string
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "bin/modelwatch", "modelwatch to measure")
	flag.StringVar(&s.out, "out", "bench/spine", "directory of the results")
	flag.IntVar(&s.series, "series", 100_000, "series to scrape")
	flag.IntVar(&s.targets, "targets", 10, "targets that serve them")
	flag.DurationVar(&s.scrape, "scrape", time.Second, "scrape interval of the CPU measurement")
	flag.DurationVar(&s.measure, "measure", 60*time.Second, "time over which CPU is measured")
	flag.IntVar(&s.starts, "starts", 7, "starts to measure the time to ready")
	flag.IntVar(&s.mails, "mails", 10, "breaches to measure the time to the mail")
	flag.IntVar(&s.queries, "queries", 60, "runs of each query")
	flag.StringVar(&s.only, "only", "", "measure only what has this word in its name")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "spine:", err)
		os.Exit(1)
	}
}

func run(s settings) error {
	for _, name := range []string{"prometheus", "prometheus-alertmanager"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: install the peers (Debian: apt-get install prometheus prometheus-alertmanager)", err)
		}
	}
	abs, err := filepath.Abs(s.binary)
	if err != nil {
		return err
	}
	s.binary = abs
	if s.dir, err = os.MkdirTemp("", "modelwatch-bench"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	if err := boot.Forget(s.binary, "prometheus", "prometheus-alertmanager"); err != nil {
		return err
	}
	r := newReport(s)
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	for _, m := range []struct {
		name string
		run  func(settings, *report) error
	}{
		{"time to ready and idle memory", measureIdle},
		{"cpu per sample and queries", measureScraping},
		{"breach to mail", measureMails},
	} {
		if !strings.Contains(m.name, s.only) {
			continue
		}
		logger.Info("Measuring", "what", m.name)
		if err := m.run(s, r); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return r.write()
}
