package comparison_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/ai/drift/compare"
	"github.com/modelwatch/modelwatch/app/comparison"
	"github.com/modelwatch/modelwatch/evaluate/models"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

var rewrite = flag.Bool("rewrite", false, "write the expected tables anew")

const pandas = "../../store/inferences/parquet/testdata/pandas.parquet"

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func csv(n, shift int, extra string) string {
	var b strings.Builder
	b.WriteString("age,city," + extra + ",label\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%s,%d,yes\n", 20+shift+i*7919%50, []string{"Graz", "Wien", "Linz"}[i%3], i%7)
	}
	return b.String()
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	drifted, err := comparison.Run(t.Context(), comparison.Options{
		Baseline: write(t, "a.csv", csv(1200, 0, "old")), Current: write(t, "b.csv", csv(600, 30, "new")), Presets: compare.Presets(), Out: &out,
	})
	require.NoError(t, err)
	require.True(t, drifted)
	const golden = "testdata/table.txt"
	if *rewrite {
		require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

func TestFormats(t *testing.T) {
	lines := write(t, "a.ndjson", strings.Repeat(`{"x":1,"y":"u"}`+"\n"+`{"x":2,"y":"v"}`+"\n", 100))
	for _, c := range []struct {
		file    string
		exclude []string
	}{{write(t, "a.csv", csv(300, 0, "z")), nil}, {lines, nil}, {pandas, []string{"when", "bin"}}} {
		var out bytes.Buffer
		drifted, err := comparison.Run(t.Context(), comparison.Options{
			Baseline: c.file, Current: c.file, JSON: true, Out: &out, Columns: models.Columns{Exclude: c.exclude},
		})
		require.NoError(t, err, c.file)
		require.False(t, drifted, c.file)
		var r compare.Report
		require.NoError(t, json.Unmarshal(out.Bytes(), &r))
		require.NotEmpty(t, r.Results)
		require.Equal(t, compare.Modelwatch, r.Results[0].Preset)
	}
}

// Compressed files say what the plain ones do, whichever side they are on.
func TestCompressed(t *testing.T) {
	old, now := csv(400, 0, "z"), csv(300, 20, "z")
	run := func(baseline, current string) string {
		t.Helper()
		var out bytes.Buffer
		drifted, err := comparison.Run(t.Context(), comparison.Options{Baseline: baseline, Current: current, Presets: compare.Presets(), JSON: true, Out: &out})
		require.NoError(t, err)
		require.True(t, drifted)
		return out.String()
	}
	gz := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, errors.Join(err, w.Close()))
		return b.String()
	}
	z, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, z.Close()) })
	zst := func(text string) string { return string(z.EncodeAll([]byte(text), nil)) }
	want := run(write(t, "a.csv", old), write(t, "b.csv", now))
	require.Equal(t, want, run(write(t, "a.csv.gz", gz(old)), write(t, "b.csv.zst", zst(now))))
	require.Equal(t, want, run(write(t, "a.csv.zst", zst(old)), write(t, "b.csv.gz", gz(now))))
	for name, text := range map[string]string{"half.csv.gz": gz(old), "half.csv.zst": zst(old)} {
		_, err := comparison.Run(t.Context(), comparison.Options{
			Baseline: write(t, name, text[:len(text)/2]), Current: write(t, "b.csv", now), Out: new(bytes.Buffer),
		})
		require.ErrorContains(t, err, "--baseline: ", name)
		require.ErrorContains(t, err, "unexpected EOF", name)
	}
}

func TestBadInput(t *testing.T) {
	good := write(t, "good.csv", csv(300, 0, "z"))
	for _, c := range []struct{ name, text, want string }{
		{"a.txt", "x", "the name does not say what is in the file"},
		{"a.csv", "", "the table is empty"},
		{"b.csv", "x,y\n", "there are no rows"},
		{"c.csv", "x,y\n1\n", "line 2: wrong number of fields"},
		{"d.ndjson", "{\"x\":1}\nno\n", "line 2: not a JSON object"},
		{"e.parquet", "no", "cannot be read as Parquet"},
		{"f.parquet.gz", "no", "decompress it first"},
		{"g.csv.gz", "no", "it is not gzip"},
		{"h.csv", "a,b\n1,2\n", "--current: "},
	} {
		file := write(t, c.name, c.text)
		o := comparison.Options{Baseline: file, Current: file, Out: new(bytes.Buffer)}
		if c.name == "h.csv" {
			o.Current = filepath.Join(t.TempDir(), "none.csv")
		}
		_, err := comparison.Run(t.Context(), o)
		require.ErrorContains(t, err, c.want, c.name)
	}
	few := write(t, "few.csv", "age\n1\n2\n")
	_, err := comparison.Run(t.Context(), comparison.Options{Baseline: few, Current: few, Out: new(bytes.Buffer)})
	require.ErrorContains(t, err, "no feature could be judged")
	_, err = comparison.Run(t.Context(), comparison.Options{Baseline: good, Current: good, Presets: []string{"alibi"}, Out: new(bytes.Buffer)})
	require.ErrorContains(t, err, "use one of modelwatch, evidently, nannyml, whylogs")
}
