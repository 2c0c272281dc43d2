// Command ingest measures how many inferences a second modelwatch takes in over
// HTTP, durably: NDJSON and Arrow, 20 features a record of 200 that each model
// has, by a load generator on the same machine. The subject is the program
// itself, with its analysis and its files of raw inferences, started anew for
// each workload. It writes results.md and results.json.
//
//	go run ./bench/ingest -binary bin/modelwatch
//	go run ./bench/ingest -url http://127.0.0.1:9090 -pid 1234   # one that runs already
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/bench/boot"
)

type settings struct {
	binary  string
	url     string
	pid     int
	out     string
	only    string
	models  int
	batch   int
	senders int
	measure time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "bin/modelwatch", "modelwatch to measure")
	flag.StringVar(&s.url, "url", "", "a running modelwatch to measure instead")
	flag.IntVar(&s.pid, "pid", 0, "its process, to measure memory and CPU")
	flag.StringVar(&s.out, "out", "bench/ingest", "directory of the results")
	flag.StringVar(&s.only, "only", "", "measure only what has this word in its name")
	flag.IntVar(&s.models, "models", 10, "models that the records are of")
	flag.IntVar(&s.batch, "batch", 1000, "records in a request")
	flag.IntVar(&s.senders, "senders", 8, "connections")
	flag.DurationVar(&s.measure, "measure", 20*time.Second, "duration of each measurement")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

func run(s settings) (err error) {
	dir, err := os.MkdirTemp(s.out, ".data")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	r := newReport(s)
	for _, w := range workloads(s) {
		if !strings.Contains(w.name, s.only) {
			continue
		}
		one, stop := s, func() error { return nil }
		if s.url == "" {
			if err := boot.Forget(s.binary); err != nil {
				return err
			}
			if one.url, one.pid, stop, err = start(s.binary, filepath.Join(dir, w.name)); err != nil {
				return err
			}
		}
		err := measure(one, w, r)
		if serr := stop(); err == nil {
			err = serr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return r.write()
}
