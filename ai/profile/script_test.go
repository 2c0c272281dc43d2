package profile_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/internal/script"
	"github.com/modelwatch/modelwatch/ai/profile"
)

// TestScripts runs the scripts in testdata: inferences in, profiles out. Run
// "go test ./ai/profile -run TestScripts -rewrite" to write what comes out.
//
//	new [window=1m] [lateness=10s] [max-features=n] ...   a new accumulator
//	add now=12:00:05                                      records, one JSON line each
//	generate n=.. seed=.. start=.. [now=..]               records, one feature a line
//	baseline id=.. n=.. seed=.. [freeze=..] [passes=2]    makes and sets a baseline
//	close now=..  |  flush  |  snapshot                   profiles that come out
//	rollup to=..                                          what the closed windows add up to
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{t: t}
		w.start(profile.Options{})
		datadriven.RunTest(t, path, w.run)
	})
}

type world struct {
	t        *testing.T
	acc      *profile.Accumulator
	roll     *profile.Rollup
	baseline *ai.Baseline
}

func (w *world) start(opt profile.Options) {
	w.acc = profile.NewAccumulator(ai.Key{Service: "shop", Model: "ranker", Version: "v1"}, w.baseline, opt)
	w.roll = profile.NewRollup()
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	w.t = t
	switch d.Cmd {
	case "new":
		w.start(w.options(d))
		return ""
	case "add":
		return w.add(d)
	case "generate":
		return w.generate(d)
	case "baseline":
		return w.makeBaseline(d)
	case "no-baseline":
		w.acc.SetBaseline(nil)
		return ""
	case "close":
		return w.show(w.acc.Close(w.time(d, "now")), true)
	case "flush":
		return w.show(w.acc.Flush(), true)
	case "snapshot":
		return w.show(w.acc.Snapshot(), false)
	case "rollup":
		return w.show(w.roll.Close(w.time(d, "to")), false)
	}
	t.Fatalf("%s: %q is not a command", d.Pos, d.Cmd)
	return ""
}

func (w *world) options(d *datadriven.TestData) (o profile.Options) {
	duration := func(name string, to *time.Duration) {
		if s := arg(d, name); s != "" {
			var err error
			*to, err = time.ParseDuration(s)
			require.NoError(w.t, err)
		}
	}
	duration("window", &o.Window)
	duration("lateness", &o.Lateness)
	duration("future", &o.Future)
	d.MaybeScanArgs(w.t, "max-features", &o.MaxFeatures)
	d.MaybeScanArgs(w.t, "max-classes", &o.MaxClasses)
	d.MaybeScanArgs(w.t, "max-open", &o.MaxOpen)
	d.MaybeScanArgs(w.t, "max-closed", &o.MaxClosed)
	d.MaybeScanArgs(w.t, "max-dim", &o.MaxVectorDim)
	require.NoError(w.t, o.Validate())
	return o
}

func arg(d *datadriven.TestData, name string) string {
	for _, a := range d.CmdArgs {
		if a.Key == name {
			return strings.Join(a.Vals, ",")
		}
	}
	return ""
}

func (w *world) time(d *datadriven.TestData, name string) time.Time {
	at, err := script.Time(strings.ReplaceAll(arg(d, name), "_", " "))
	require.NoError(w.t, err, d.Pos)
	return at
}

func (w *world) add(d *datadriven.TestData) string {
	now, counted, all := w.time(d, "now"), 0, 0
	for line := range strings.SplitSeq(d.Input, "\n") {
		inf, err := script.Record(line)
		require.NoError(w.t, err, d.Pos)
		require.NoError(w.t, inf.Validate(), d.Pos)
		if w.acc.Add(&inf, now) {
			counted++
		}
		all++
	}
	if counted < all {
		return fmt.Sprintf("%d of %d counted", counted, all)
	}
	return ""
}

func (w *world) records(d *datadriven.TestData, start time.Time) []ai.Inference {
	var n int
	var seed uint64
	d.ScanArgs(w.t, "n", &n)
	d.ScanArgs(w.t, "seed", &seed)
	records, err := script.Generate(d.Input, n, seed, start)
	require.NoError(w.t, err, d.Pos)
	return records
}

func (w *world) generate(d *datadriven.TestData) string {
	start := w.time(d, "start")
	for _, inf := range w.records(d, start) {
		require.NoError(w.t, inf.Validate(), d.Pos)
		w.acc.Add(&inf, inf.Timestamp)
	}
	return ""
}

func (w *world) makeBaseline(d *datadriven.TestData) string {
	var opt profile.BuilderOptions
	passes := 1
	d.MaybeScanArgs(w.t, "freeze", &opt.Freeze)
	d.MaybeScanArgs(w.t, "max-categories", &opt.MaxCategories)
	d.MaybeScanArgs(w.t, "max-features", &opt.MaxFeatures)
	d.MaybeScanArgs(w.t, "passes", &passes)
	b := profile.NewBuilder(opt)
	records := w.records(d, script.Day)
	if passes == 2 {
		for i := range records {
			require.NoError(w.t, b.Learn(&records[i]))
		}
	}
	for i := range records {
		require.NoError(w.t, b.Add(&records[i]))
	}
	base, err := b.Build(profile.Meta{Key: w.acc.Key(), ID: arg(d, "id"), Number: 1, Created: script.Day, Source: ai.SourceFile})
	require.NoError(w.t, err, d.Pos)
	require.NoError(w.t, base.Validate())
	w.baseline = base
	w.acc.SetBaseline(base)

	var s strings.Builder
	fmt.Fprintf(&s, "rows %d inputs %d duplicates %d%s\n", base.Rows, base.Inputs, base.Duplicates, droppedText(base.Dropped))
	for _, name := range slices.Sorted(maps.Keys(base.Features)) {
		f := base.Features[name]
		fmt.Fprintf(&s, "%s\n  %s\n", line(name, f.Profile, f.Bins), schemaText(f))
	}
	return s.String()
}

// show writes profiles. closed ones are added to the rollup.
func (w *world) show(profiles []*ai.ModelProfile, closed bool) string {
	if len(profiles) == 0 {
		return "nothing\n"
	}
	var s strings.Builder
	for _, m := range profiles {
		fmt.Fprintf(&s, "%s baseline=%q records %d inputs %d", m.Window, m.BaselineID, m.Records, m.Inputs)
		if m.Duplicates > 0 {
			fmt.Fprintf(&s, " duplicates %d", m.Duplicates)
		}
		s.WriteString(droppedText(m.Dropped))
		if !m.First.IsZero() {
			fmt.Fprintf(&s, " from %s to %s", m.First.Format("15:04:05"), m.Last.Format("15:04:05"))
		}
		s.WriteByte('\n')
		for _, name := range slices.Sorted(maps.Keys(m.Features)) {
			p := m.Features[name]
			require.NoError(w.t, p.Validate(), name)
			bins := ai.DefaultBins()
			if w.baseline != nil && m.BaselineID == w.baseline.ID && w.baseline.Features[name] != nil {
				bins = w.baseline.Features[name].Bins
			}
			s.WriteString(line(name, p, bins) + "\n")
		}
		if closed {
			require.NoError(w.t, w.roll.Add(m))
		}
	}
	return s.String()
}

// line writes one feature's profile.
func line(name string, p *ai.Profile, bins *ai.Bins) string {
	var s strings.Builder
	fmt.Fprintf(&s, "  %s: %s count %d", name, p.Kind, p.Count)
	part := func(what string, n uint64) {
		if n > 0 {
			fmt.Fprintf(&s, " %s %d", what, n)
		}
	}
	part("missing", p.Missing)
	part("absent", p.Absent)
	for _, k := range []ai.Kind{ai.KindNumber, ai.KindString, ai.KindBool, ai.KindVector} {
		part(k.String()+" instead", p.TypeErrors.Of(k))
	}
	part("not finite", p.NotFinite)
	if p.Vector != nil {
		part("wrong dimension", p.Vector.WrongDim)
	}
	if p.Count == 0 {
		return s.String()
	}
	if p.Kind == ai.KindNumber || p.Kind == ai.KindVector {
		fmt.Fprintf(&s, " mean %.4g std %.4g min %.4g max %.4g", p.Mean, p.Std(), p.Min, p.Max)
	}
	if p.Kind == ai.KindNumber {
		fmt.Fprintf(&s, " p50 %.4g p95 %.4g", p.Quantile(bins, 0.5), p.Quantile(bins, 0.95))
	}
	if p.Distinct != nil {
		fmt.Fprintf(&s, " distinct %.0f", math.Round(p.DistinctEstimate()))
	}
	if bins != nil && bins.Categories != nil && p.BinsID == bins.ID() {
		for i, c := range bins.Categories {
			fmt.Fprintf(&s, " %s=%d", c, p.Counts[i])
		}
		fmt.Fprintf(&s, " other=%d", p.Counts[len(p.Counts)-1])
	}
	for _, e := range p.Top.Sorted() {
		fmt.Fprintf(&s, " %s:%d", e.Category, e.Count)
	}
	return s.String()
}

func schemaText(f *ai.FeatureBaseline) string {
	c := f.Schema
	s := fmt.Sprintf("cells %d tail %d schema %s nullable=%v optional=%v", f.Bins.Len(), f.Bins.Tail, c.Kind, c.Nullable, c.Optional)
	if c.Min != nil {
		s += fmt.Sprintf(" integer=%v range %.4g to %.4g", c.Integer, *c.Min, *c.Max)
	}
	if c.Categories != nil {
		s += fmt.Sprintf(" categories %q", c.Categories)
	}
	if f.Kind == ai.KindString {
		s += fmt.Sprintf(" unseen %.3g", f.Unseen)
	}
	if c.Dim > 0 {
		s += fmt.Sprintf(" dimension %d eigenvalues %d", c.Dim, len(f.Kernel.Eigenvalues))
	}
	return s
}

func droppedText(d ai.Dropped) string {
	if d.Total() == 0 {
		return ""
	}
	return fmt.Sprintf(" dropped %+v", d)
}
