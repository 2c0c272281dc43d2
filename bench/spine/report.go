package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report collects figures by measurement and system.
type report struct {
	settings settings
	figures  map[string]map[string][]float64
}

func newReport(s settings) *report {
	return &report{settings: s, figures: map[string]map[string][]float64{}}
}

func (r *report) add(what, system string, v float64) {
	if r.figures[what] == nil {
		r.figures[what] = map[string][]float64{}
	}
	r.figures[what][system] = append(r.figures[what][system], v)
}

// quantile of sorted values by the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// format shows a figure in the unit that its name says.
func format(what string, v float64) string {
	switch {
	case strings.HasSuffix(what, "_bytes"):
		return fmt.Sprintf("%.1f MB", v/1e6)
	case strings.HasPrefix(what, "query_seconds"):
		return fmt.Sprintf("%.2f ms", v*1e3)
	default:
		return fmt.Sprintf("%.3f s", v)
	}
}

func (r *report) write() error {
	version := func(name string, args ...string) string {
		out, _ := exec.Command(name, args...).CombinedOutput()
		first, _, _ := strings.Cut(string(out), "\n")
		return first
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The spine beside Prometheus and Alertmanager\n\n")
	fmt.Fprintf(&b, "Command: `make bench`. %s, %d CPUs, %s.\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version())
	fmt.Fprintf(&b, "Workload: %d series on %d targets every %s, CPU over %s; %d starts; %d breaches with intervals of 1 s; each query %d times.\n",
		r.settings.series, r.settings.targets, r.settings.scrape, r.settings.measure, r.settings.starts, r.settings.mails, r.settings.queries)
	fmt.Fprintf(&b, "Peers: %s; %s. modelwatch collects its host and itself as well in every measurement.\n"+
		"Before, the kernel forgot all program files: each was read from disk as it was used, as after a boot. More is resident of a program that was just built.\n\n", version("prometheus", "--version"), version("prometheus-alertmanager", "--version"))
	fmt.Fprintf(&b, "| figure | modelwatch p50 | p99 | peers p50 | p99 | ratio of p50 |\n|---|---|---|---|---|---|\n")
	for _, what := range slices.Sorted(maps.Keys(r.figures)) {
		ours, peers := slices.Sorted(slices.Values(r.figures[what]["modelwatch"])), slices.Sorted(slices.Values(r.figures[what]["peers"]))
		if len(ours) == 0 || len(peers) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.2f |\n", what,
			format(what, quantile(ours, .5)), format(what, quantile(ours, .99)), format(what, quantile(peers, .5)), format(what, quantile(peers, .99)),
			quantile(ours, .5)/quantile(peers, .5))
	}
	raw, err := json.MarshalIndent(r.figures, "", " ")
	if err != nil {
		return err
	}
	fmt.Print(b.String())
	return errors.Join(
		os.WriteFile(filepath.Join(r.settings.out, "results.md"), []byte(b.String()), 0o600),
		os.WriteFile(filepath.Join(r.settings.out, "results.json"), append(raw, '\n'), 0o600),
	)
}
