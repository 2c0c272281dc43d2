package baselines_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	apimodels "github.com/modelwatch/modelwatch/api/models"
	"github.com/modelwatch/modelwatch/app/baselines"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/app/remote"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const pandas = "../../store/inferences/parquet/testdata/pandas.parquet"

// desk is a modelwatch and the commands that ask it.
type desk struct {
	*baselines.Commands
	out   *bytes.Buffer
	spool string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	store := new(memory.Store)
	e, err := models.New(models.Options{Profiles: store, Baselines: store, Clock: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }})
	require.NoError(t, err)
	spool := t.TempDir()
	a := models.Answers{Engine: e, Spool: spool, Parquet: inference.OpenParquet}
	srv := httptest.NewServer(apimodels.New(apimodels.Options{Models: a, Baselines: a}))
	t.Cleanup(srv.Close)
	client, err := remote.New(remote.Options{URL: srv.URL})
	require.NoError(t, err)
	out := new(bytes.Buffer)
	return desk{&baselines.Commands{Client: client, In: strings.NewReader(""), Out: out}, out, spool}
}

// said returns what was printed since it was asked last.
func (d desk) said(t *testing.T, err error) string {
	t.Helper()
	require.NoError(t, err)
	text := d.out.String()
	d.out.Reset()
	return text
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func table(n int) string {
	var b strings.Builder
	b.WriteString("age,city,prediction,label\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,%s,%s,yes\n", 20+i%50, []string{"Graz", "Wien"}[i%2], []string{"yes", "no"}[i%3%2])
	}
	return b.String()
}

// id is the id that a text names.
func id(t *testing.T, text string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, "b-")
	require.True(t, found, text)
	return "b-" + rest[:16]
}

func TestLifeOfABaseline(t *testing.T) {
	d := newDesk(t)
	require.Equal(t, "There are no baselines.\n", d.said(t, d.List(t.Context(), baselines.Key{})))
	key := baselines.Key{Service: "shop", Model: "ranker", Version: "v1"}

	csv := write(t, "reference.csv", table(300))
	text := d.said(t, d.Create(t.Context(), baselines.Source{Key: key, File: csv, Note: "March"}))
	first := id(t, text)
	require.Equal(t, "Baseline 1 of shop/ranker@v1: "+first+", 300 rows, 2 features.\nIt is in use from the next window on.\n", text)

	text = d.said(t, d.Create(t.Context(), baselines.Source{Key: key, File: pandas, Exclude: []string{"when", "bin"}, Unused: true}))
	second := id(t, text)
	require.Equal(t, "Baseline 2 of shop/ranker@v1: "+second+", 1000 rows, 8 features.\nIt is not in use: modelwatch baseline use "+second+" switches to it.\n", text)

	text = d.said(t, d.List(t.Context(), key))
	require.Regexp(t, `(?m)^`+second+` +shop +ranker +v1 +2 +spare +file +1000 +8 +2026-03-01T12:00:00Z`, text)
	require.Regexp(t, `(?m)^`+first+` +shop +ranker +v1 +1 +in use +file +300 +2 +2026-03-01T12:00:00Z +March$`, text)

	text = d.said(t, d.Use(t.Context(), second))
	require.Contains(t, text, "state     in use\n")
	require.Contains(t, d.said(t, d.Show(t.Context(), first)), "state     spare\n")
	require.Contains(t, d.said(t, d.Confirm(t.Context(), first)), "note      March\n")

	file := filepath.Join(t.TempDir(), "b.json")
	require.NoError(t, d.Export(t.Context(), first, file, false))
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(whole), `"sample"`)
	text = d.said(t, d.Import(t.Context(), file, baselines.Key{Version: "v2"}, false))
	require.Contains(t, text, "Baseline 1 of shop/ranker@v2: ")
	require.NoError(t, d.Export(t.Context(), first, "-", true))
	exported := d.said(t, nil)
	require.Contains(t, exported, `"format"`)
	require.NotContains(t, exported, `"sample"`)

	require.ErrorContains(t, d.Delete(t.Context(), second), "is in use: activate another one of shop/ranker@v1 first (409 Conflict)")
	require.Equal(t, "Deleted "+first+".\n", d.said(t, d.Delete(t.Context(), first)))
	require.ErrorContains(t, d.Show(t.Context(), first), "there is no baseline "+first)
	require.ErrorContains(t, d.Export(t.Context(), first, filepath.Join(t.TempDir(), "x"), false), "404 Not Found")

	d.JSON = true
	require.Contains(t, d.said(t, d.Show(t.Context(), second)), `"model": "ranker"`)
}

func TestCompressedAndStandardInput(t *testing.T) {
	d := newDesk(t)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, err := w.Write([]byte(table(60)))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	key := baselines.Key{Model: "m"}
	file := write(t, "r.CSV.gz", z.String())
	require.Contains(t, d.said(t, d.Create(t.Context(), baselines.Source{Key: key, File: file})), "60 rows")
	d.In = strings.NewReader(table(70))
	require.Contains(t, d.said(t, d.Create(t.Context(), baselines.Source{Key: key, File: "-", Format: "csv"})), "70 rows")
}

func TestBadInput(t *testing.T) {
	d := newDesk(t)
	key := baselines.Key{Model: "m"}
	for want, s := range map[string]baselines.Source{
		"say which model it is of with --model":                                    {File: "x.csv"},
		"say what it is made of: a file with --file, or past":                      {Key: key},
		"say what it is made of":                                                   {Key: key, File: "x.csv", From: "1h"},
		"does not say what is in the file: add --format csv, ndjson or parquet":    {Key: key, File: "rows.txt"},
		"no such file or directory":                                                {Key: key, File: "/nowhere/x.csv"},
		"is a directory: name one file":                                            {Key: key, File: t.TempDir(), Format: "csv"},
		"it is not gzip":                                                           {Key: key, File: write(t, "a.csv.gz", "a,b\n")},
		`--from is "yesterday": write RFC 3339`:                                    {Key: key, From: "yesterday"},
		"has no stored windows between":                                            {Key: key, From: "24h"},
		"line 3: probabilities.yes: 7 is not a probability (0 to 1) (400 Bad":      {Key: key, File: write(t, "a.csv", "probability:yes\n0.5\n7\n")},
		"line 2: not a JSON object":                                                {Key: key, File: write(t, "a.jsonl", "{}\nx\n")},
		"there are no rows: a baseline needs reference data":                       {Key: key, File: write(t, "a.csv", "a,b\n")},
		"this is a Parquet file and no csv":                                        {Key: key, File: pandas, Format: "csv"},
		"the file cannot be read as Parquet":                                       {Key: key, File: write(t, "a.parquet", "a,b\n1,2\n")},
		`column "a" is of type STRUCT(x BIGINT)[], which is no value of a feature`: {Key: key, File: strings.Replace(pandas, "pandas", "structs", 1)},
		"row 2: status_code: 42.76":                                                {Key: key, File: "testdata/status.parquet"},
	} {
		require.ErrorContains(t, d.Create(t.Context(), s), want)
	}
	left, err := os.ReadDir(d.spool)
	require.NoError(t, err)
	require.Empty(t, left, "nothing stays where files are kept for reading")
	require.Equal(t, "There are no baselines.\n", d.said(t, d.List(t.Context(), baselines.Key{})))
	require.ErrorContains(t, d.Import(t.Context(), write(t, "x.json", "{"), key, false), "the body is not JSON")
}
