// Package comparison is what `modelwatch drift compare` does: it reads two files, has
// them judged by ai/drift/compare, and prints what came of it. It asks no server.
package comparison

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift/compare"
	"github.com/modelwatch/modelwatch/app/baselines"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/evaluate/models"
)

// Options say what is compared, and how.
type Options struct {
	// Baseline and Current are paths.
	Baseline, Current string
	// Format is csv, ndjson or parquet; empty means by the names of the files.
	Format  string
	Columns models.Columns
	// Presets are rules of compare.Presets; none means ours.
	Presets []string
	JSON    bool
	Out     io.Writer
}

// Run compares, prints, and reports whether there is drift. That nothing could be
// judged is an error, after what is known was printed.
func Run(ctx context.Context, o Options) (drifted bool, err error) {
	if len(o.Presets) == 0 {
		o.Presets = []string{compare.Modelwatch}
	}
	if err := checkPresets("--preset", o.Presets); err != nil { // Before files are read, which may take long.
		return false, err
	}
	baseline, err := o.read(ctx, "--baseline", o.Baseline)
	if err != nil {
		return false, err
	}
	current, err := o.read(ctx, "--current", o.Current)
	if err != nil {
		return false, err
	}
	report, err := compare.Compare(baseline, current, o.Presets)
	if err != nil {
		return false, err
	}
	if o.JSON {
		err = printJSON(o.Out, report)
	} else {
		err = print(o.Out, report)
	}
	if err != nil {
		return false, fmt.Errorf("print: %w", err)
	}
	return outcome(report)
}

// checkPresets checks the presets that flag, or a parameter of that name, chose.
func checkPresets(flag string, presets []string) error {
	for i, p := range presets {
		if !slices.Contains(compare.Presets(), p) {
			return fmt.Errorf("%s=%s is not known: use one of %s", flag, p, strings.Join(compare.Presets(), ", "))
		} else if slices.Contains(presets[:i], p) {
			return fmt.Errorf("%s=%s is there twice", flag, p)
		}
	}
	return nil
}

func printJSON(out io.Writer, doc any) error {
	in := json.NewEncoder(out)
	in.SetIndent("", "  ")
	return in.Encode(doc)
}

// outcome says whether a report found drift; that nothing could be judged is an error.
func outcome(r *compare.Report) (drifted bool, err error) {
	if !r.Drift && !slices.ContainsFunc(r.Results, func(x compare.Result) bool { return x.Verdict != ai.VerdictUnknown }) {
		return false, errors.New("no feature could be judged: both sides need the same features, and enough rows")
	}
	return r.Drift, nil
}

// read reads one file.
func (o *Options) read(ctx context.Context, flag, file string) (t *compare.Table, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %s: %w", flag, file, err)
		}
	}()
	format := o.Format
	if format == "" {
		if format = baselines.FormatOf(file); format == "" {
			return nil, errors.New("the name does not say what is in the file: add --format csv, ndjson or parquet")
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.Unwrap(err) // Without the path, which is there already.
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("this is a directory: name one file")
	}
	key := ai.Key{Service: "compared", Model: "compared"}
	var rows iter.Seq2[*models.Row, error]
	if format == "parquet" {
		if strings.HasSuffix(file, ".gz") || strings.HasSuffix(file, ".zst") {
			return nil, errors.New("a Parquet file is read from its end: decompress it first")
		}
		lines, err := inference.OpenParquet(ctx, f, o.Columns.Exclude)
		if err != nil {
			return nil, err
		}
		defer func() { _ = lines.Close() }()
		rows = models.ParquetRows(key, lines, o.Columns)
	} else {
		plain, done, err := baselines.Decompress(f, file)
		if err != nil {
			return nil, err
		}
		defer done()
		rows = models.CSVRows(key, plain, o.Columns)
		if format == "ndjson" {
			rows = models.NDJSONRows(key, plain, o.Columns)
		}
	}
	t = new(compare.Table)
	for row, err := range rows {
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		if err = t.Add(row.Inference); err != nil {
			return nil, fmt.Errorf("%w: leave columns out with --exclude, or take a sample of the rows", err)
		}
	}
	if t.Rows() == 0 {
		return nil, errors.New("there are no rows")
	}
	return t, nil
}

// print writes the report for people.
func print(out io.Writer, r *compare.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows of the baseline, %d rows now\n\n", r.BaselineRows, r.CurrentRows)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "FEATURE\tKIND\tPRESET\tMETHOD\tSCORE\tDRIFT FROM\tP-VALUE\tDRIFT UP TO\tROWS\tVERDICT\tCHANGE") // A Builder takes all.
	for _, x := range r.Results {
		change := x.Reason
		if x.Change != nil {
			change = shown(x.Change.String())
		}
		method := x.Method
		if method == "" {
			method = "-"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d / %d\t%s\t%s\n", shown(x.Feature), x.Kind, x.Preset, method,
			figure(x.Score), figure(x.Threshold), figure(x.PValue), figure(x.PValueThreshold), x.BaselineRows, x.CurrentRows, x.Verdict, change)
	}
	_ = w.Flush() // A Builder takes all.
	for _, list := range []struct {
		what  string
		names []string
	}{{"New", r.New}, {"Vanished", r.Vanished}} {
		if len(list.names) > 0 {
			fmt.Fprintf(&b, "\n%s: %s\n", list.what, shown(strings.Join(list.names, ", ")))
		}
	}
	for _, x := range r.Retyped {
		fmt.Fprintf(&b, "\nChanged type: %s was %s and is %s\n", shown(x.Feature), x.From, x.To)
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(out, strings.Join(lines, "\n"))
	return err
}

// shown keeps what a file says on its line of the terminal.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\ufffd'
	}, s)
}

func figure(x *float64) string {
	if x == nil {
		return "-"
	}
	return strconv.FormatFloat(*x, 'g', 4, 64)
}
