package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/modelwatch/modelwatch/ai/drift"
)

// report is what is kept.
type report struct {
	Command     string            `json:"command"`
	Date        string            `json:"date"`
	Machine     string            `json:"machine"`
	Seconds     float64           `json:"seconds"`
	Versions    map[string]string `json:"versions,omitempty"`
	Plan        plan              `json:"plan"`
	Calibration []falseAlarms     `json:"calibration"`
	Power       []power           `json:"power"`
}

// fair returns the p-value that a test may reject at for a false alarm rate of
// alpha: alpha, or more for a test whose p-values are too large, as those of
// Kolmogorov-Smirnov are with ties. null has its p-values without drift.
func fair(null []float64, alpha float64) float64 {
	p := slices.Clone(null)
	slices.Sort(p)
	// Where alpha of them is not even five, the quantile is guesswork: scale up
	// from the one that is known.
	k := int(alpha * float64(len(p)))
	if k < 5 {
		k = min(max(5, len(p)/100), len(p))
		return max(alpha, p[k-1]*alpha*float64(len(p))/float64(k))
	}
	return max(alpha, p[k-1])
}

// misses lists the figures that miss the bar: at most 1 % false verdicts, and
// power at most 5 points below Kolmogorov-Smirnov at the same false alarm rate.
func (r *report) misses() []string {
	var out []string
	for _, c := range r.Calibration {
		if c.Drift > 0.01 {
			out = append(out, fmt.Sprintf("%s, %d against %d rows: %.1f %% of %d windows are false verdicts of drift",
				c.Workload, c.WindowRows, c.BaselineRows, 100*c.Drift, c.Windows))
		}
		if long := c.LongDrift + c.LongPossible; long > 0.01 {
			out = append(out, fmt.Sprintf("%s, %d against %d rows: %.2f %% of %d windows are false verdicts of drift or possible drift",
				c.Workload, c.WindowRows, c.BaselineRows, 100*long, c.LongWindows))
		}
	}
	for _, l := range r.Power {
		name := fmt.Sprintf("%s shift of %.3g, %d against %d rows", l.Shift, l.Size, l.WindowRows, l.BaselineRows)
		if l.KS01 != nil && l.P01 < *l.KS01-0.05 {
			out = append(out, fmt.Sprintf("%s: found %.0f %% at 1 %%, Kolmogorov-Smirnov %.0f %%", name, 100*l.P01, 100**l.KS01))
		}
		if l.KS != nil && l.P < *l.KS-0.05 {
			out = append(out, fmt.Sprintf("%s: found %.0f %% by default, Kolmogorov-Smirnov %.0f %%", name, 100*l.P, 100**l.KS))
		}
		if l.KS != nil && l.Practical && l.Drift < *l.KS-0.05 {
			out = append(out, fmt.Sprintf("%s: verdict %.0f %%, Kolmogorov-Smirnov %.0f %%", name, 100*l.Drift, 100**l.KS))
		}
	}
	return out
}

func (r *report) sort(ws []workload) {
	order := make(map[string]int)
	for i, w := range ws {
		order[w.Name] = i
	}
	slices.SortFunc(r.Calibration, func(a, b falseAlarms) int {
		return cmp.Or(cmp.Compare(order[a.Workload], order[b.Workload]), cmp.Compare(a.BaselineRows, b.BaselineRows), cmp.Compare(a.WindowRows, b.WindowRows))
	})
	slices.SortStableFunc(r.Power, func(a, b power) int {
		return cmp.Or(cmp.Compare(a.BaselineRows, b.BaselineRows), cmp.Compare(a.WindowRows, b.WindowRows))
	})
}

// write writes the tables as Markdown.
func (r *report) write(w io.Writer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	p("# Drift: false alarms and power\n\n")
	p("`%s`, %s, %.0f s, %s", r.Command, r.Date, r.Seconds, r.Machine)
	if v := r.Versions["scipy"]; v != "" {
		p(", SciPy %s", v)
	}
	if v := r.Versions["evidently"]; v != "" {
		p(", Evidently %s", v)
	} else if e := r.Versions["error"]; e != "" {
		p(" (Evidently cannot be imported: %s)", e)
	}
	p(". Seed %d.\n\n", r.Plan.Seed)
	p("## No drift at all: share of false verdicts\n\n")
	p("Baseline and windows come from one distribution. Each figure of modelwatch is the share of `drift` at default settings "+
		"over the %d windows that Evidently's default rule (in brackets) judged too; a baseline of 1,001 rows is drawn anew for each "+
		"window, one of 100,000 for each 20.\n\n", r.Plan.Repeats)
	r.calibrationTable(p, false, func(c falseAlarms) string {
		s := percent(c.Drift, 1)
		if c.Evidently != nil {
			s += " (" + percent(*c.Evidently, 1) + ")"
		}
		return s
	})
	if r.Plan.Long > 0 {
		p("\nThe same for modelwatch alone over %d more windows each: `drift`, and in brackets `drift` or `possible`. "+
			"Nominal rates are %s and %s.\n\n", r.Plan.Long, percent(drift.DefaultAlpha, 2), percent(drift.DefaultPossibleAlpha, 2))
		r.calibrationTable(p, false, longCell)
	}
	if r.Plan.Extra {
		p("\nAwkward features, over %d windows each:\n\n", r.Plan.Long/2)
		r.calibrationTable(p, true, longCell)
	}
	p("\n## Power\n\n")
	p("Share of windows with drift that are found, over %d windows each, and in brackets by SciPy's two-sample Kolmogorov-Smirnov test "+
		"on the values themselves at the same false alarm rate: where its p-values are too large (ties), it rejects at the p-value that "+
		"gives that rate. A missing value is one below all others for it. \"p ≤ α\" is the test at the default α of %v, \"verdict\" wants a "+
		"score above the floor as well. Shifts of the first kind are of a size that Kolmogorov-Smirnov finds about half of at a false alarm rate of 1 %%, "+
		"those of the second kind are the same at all sample sizes.\n\n", r.Plan.Power, drift.DefaultAlpha)
	p("| baseline | window | shift | size | false alarms at p ≤ 0.01 | found at p ≤ 0.01 | found at p ≤ α | verdict |\n|---|---|---|---|---|---|---|---|\n")
	for _, practical := range []bool{false, true} {
		for _, l := range r.Power {
			if l.Practical != practical {
				continue
			}
			p("| %s | %s | %s | %.3g %s | %s | %s | %s | %s |\n", thousands(l.BaselineRows), thousands(l.WindowRows), l.Shift, l.Size, l.Unit,
				beside(l.False01, l.FalseKS01, 1), beside(l.P01, l.KS01, 0), beside(l.P, l.KS, 0), percent(l.Drift, 0))
		}
	}
	if bad := r.misses(); len(bad) > 0 {
		p("\nMissed:\n\n")
		for _, b := range bad {
			p("- %s\n", b)
		}
	}
}

func longCell(c falseAlarms) string {
	return percent(c.LongDrift, 2) + " (" + percent(c.LongDrift+c.LongPossible, 2) + ")" + unknown(c)
}

func unknown(c falseAlarms) string {
	if c.Unknown == 0 {
		return ""
	}
	return ", " + percent(c.Unknown, 0) + " unknown"
}

func (r *report) calibrationTable(p func(string, ...any), extra bool, cell func(falseAlarms) string) {
	p("| values | baseline |")
	for _, m := range r.Plan.Windows {
		p(" %s rows |", thousands(m))
	}
	p("\n|---|---|%s\n", strings.Repeat("---|", len(r.Plan.Windows)))
	last := ""
	for _, c := range r.Calibration {
		if c.Extra != extra {
			continue
		}
		if line := c.Workload + strconv.Itoa(c.BaselineRows); line != last {
			if last != "" {
				p("\n")
			}
			p("| %s | %s |", c.Workload, thousands(c.BaselineRows))
			last = line
		}
		p(" %s |", cell(c))
	}
	p("\n")
}

func percent(x float64, digits int) string { return strconv.FormatFloat(100*x, 'f', digits, 64) + " %" }

func beside(ours float64, theirs *float64, digits int) string {
	s := percent(ours, digits)
	if theirs != nil {
		s += " (" + percent(*theirs, digits) + ")"
	}
	return s
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	if len(s) > 3 {
		s = s[:len(s)-3] + "," + s[len(s)-3:]
	}
	return s
}

// machine describes where this ran.
func machine() string {
	model := runtime.GOARCH
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(data)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d × %s, %s", runtime.NumCPU(), model, runtime.Version())
}
