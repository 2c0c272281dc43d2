// Command ingest measures how many inferences a second modelwatch takes in over
// HTTP, durably: NDJSON and Arrow, 20 features a record, by a load generator on
// the same machine. It finds the rate that is sustained when the generator sends
// as fast as it is answered, then the latency of a request at half of it, and
// the largest resident memory. It writes results.md and results.json.
//
//	go run ./bench/ingest                              # receiver and store alone, in a process of their own
//	go run ./bench/ingest -url http://127.0.0.1:9090   # a running modelwatch
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

type settings struct {
	url     string
	pid     int
	out     string
	dir     string
	serve   string
	only    string
	raw     bool
	models  int
	batch   int
	senders int
	measure time.Duration
}

func main() {
	var s settings
	flag.StringVar(&s.url, "url", "", "a running modelwatch; empty measures receiver and store alone")
	flag.IntVar(&s.pid, "pid", 0, "its process, to measure memory and CPU")
	flag.StringVar(&s.out, "out", "bench/ingest", "directory of the results")
	flag.StringVar(&s.dir, "dir", "", "directory of the data; empty means a temporary one")
	flag.StringVar(&s.serve, "serve", "", "serve on this address instead of measuring")
	flag.StringVar(&s.only, "only", "", "measure only what has this word in its name")
	flag.BoolVar(&s.raw, "raw", true, "keep raw inferences too")
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
	if s.serve != "" {
		return serve(s.serve, s.dir, s.raw)
	}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp(s.out, ".data"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(s.dir) }()
	}
	alone := s.url == ""
	r := newReport(s)
	for _, w := range workloads(s) {
		if !strings.Contains(w.name, s.only) {
			continue
		}
		stop := func() error { return nil }
		if alone {
			if s.url, s.pid, stop, err = start(filepath.Join(s.dir, w.name), s.raw); err != nil {
				return err
			}
		}
		err := measure(s, w, r)
		if serr := stop(); err == nil {
			err = serr
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return r.write()
}
