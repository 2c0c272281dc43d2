// Command drift measures how often modelwatch says drift where there is none,
// and how often where there is, beside Evidently and SciPy on the same data in
// the same run. It prints the tables and keeps them in bench/drift.
//
//	go run ./bench/drift [-quick] [-python python3] [-out bench/drift]
//
// With -python "" the peers are left out.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/drift:", err)
		os.Exit(1)
	}
}

func run() error {
	quick := flag.Bool("quick", false, "fewer windows and no peers: seconds instead of minutes")
	python := flag.String("python", "python3", "the Python that has what requirements.txt lists; empty for no peers")
	script := flag.String("script", "bench/drift/peer.py", "the peers' side of the comparison")
	out := flag.String("out", "bench/drift", "the folder where results.md and results.json are kept; empty to only print")
	seed := flag.Uint64("seed", 20241107, "makes the data")
	flag.Parse()

	p := fullPlan(*seed)
	if *quick {
		p = quickPlan(*seed)
		*python = ""
	}
	start := time.Now()
	report, err := measure(p, *python, *script)
	if err != nil {
		return err
	}
	report.Command = "go run ./bench/drift"
	if *quick {
		report.Command += " -quick"
	}
	report.Date = start.UTC().Format(time.DateOnly)
	report.Seconds = time.Since(start).Round(time.Second).Seconds()
	report.Machine = machine()
	var md bytes.Buffer
	report.write(&md)
	if _, err := os.Stdout.Write(md.Bytes()); err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	if *out != "" && !*quick {
		data, err := json.MarshalIndent(report, "", " ")
		if err != nil {
			return fmt.Errorf("encode the results: %w", err)
		}
		if err := errors.Join(
			os.WriteFile(filepath.Join(*out, "results.md"), md.Bytes(), 0o644),
			os.WriteFile(filepath.Join(*out, "results.json"), append(data, '\n'), 0o644),
		); err != nil {
			return fmt.Errorf("keep the results: %w", err)
		}
	}
	if bad := report.misses(); len(bad) > 0 {
		for _, b := range bad {
			fmt.Fprintln(os.Stderr, "missed:", b)
		}
		return fmt.Errorf("%d figures miss the bar", len(bad))
	}
	return nil
}
