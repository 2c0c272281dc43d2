package parquet

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

// unnamed opens a copy of a file that has lost its name, as the body of a request.
func unnamed(t *testing.T, file string) *os.File {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	f, err := os.CreateTemp(t.TempDir(), "p")
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	_, err = f.Write(text)
	require.NoError(t, err)
	require.NoError(t, os.Remove(f.Name()))
	return f
}

func lines(t *testing.T, file string, exclude ...string) ([]string, error) {
	t.Helper()
	r, err := Open(t.Context(), unnamed(t, file), exclude)
	if err != nil {
		return nil, err
	}
	defer func() { require.NoError(t, r.Close()) }()
	var out []string
	s := bufio.NewScanner(r)
	for s.Scan() {
		require.True(t, json.Valid(s.Bytes()), s.Text())
		out = append(out, s.Text())
	}
	return out, s.Err()
}

// The files are of pyarrow and pandas: see testdata/make.py.
func TestFilesOfPandas(t *testing.T) {
	got, err := lines(t, "testdata/pandas.parquet")
	require.NoError(t, err)
	require.Len(t, got, 1000)
	require.JSONEq(t, `{"age":42.76467353651829,"count":3,"city":"Graz","vip":true,"cat":"b","when":"2026-01-01 00:00:00","prediction":"no","label":"yes",
		"emb":[-0.23522798717021942,0.3217809498310089,-2.372920036315918],"price":1.25,"nanf":null,"bin":"x","fsl":[1.0,2.0]}`, got[0])
	require.Contains(t, got[3], `"age":null`, "NaN")
	require.Contains(t, got[4], `"city":null`)
	require.Contains(t, got[5], `"nanf":null`, "infinite")

	got, err = lines(t, "testdata/pandas.parquet", "age", "emb", "when")
	require.NoError(t, err)
	require.NotContains(t, got[0], "age")
	require.NotContains(t, got[0], "emb")

	got, err = lines(t, "testdata/nested.parquet")
	require.NoError(t, err)
	require.JSONEq(t, `{"features":{"a":1.5,"b":"x"},"probabilities":{"no":0.75,"yes":0.25},"prediction":"no"}`, got[0])
}

func TestWhatCannotBeRead(t *testing.T) {
	_, err := lines(t, "testdata/structs.parquet")
	require.EqualError(t, err, `column "a" is of type STRUCT(x BIGINT)[], which is no value of a feature: want numbers, texts, truth values or lists of numbers, or leave the column out by exclude`)
	_, err = lines(t, "testdata/structs.parquet", "a")
	require.EqualError(t, err, "no columns are left: exclude leaves all of them out")

	whole, err := os.ReadFile("testdata/pandas.parquet")
	require.NoError(t, err)
	for name, change := range map[string]func([]byte) []byte{
		"text":  func([]byte) []byte { return []byte("a,b\n1,2\n3,4\n") },
		"empty": func([]byte) []byte { return nil },
		"cut":   func(b []byte) []byte { return b[:len(b)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(file, change(append([]byte(nil), whole...)), 0o600))
			_, err := lines(t, file)
			require.ErrorContains(t, err, "the file cannot be read as Parquet: ")
			require.NotContains(t, err.Error(), "/dev/fd")
		})
	}
	t.Run("data of zeros", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "f")
		damaged := append([]byte(nil), whole...)
		clear(damaged[8000:20000])
		require.NoError(t, os.WriteFile(file, damaged, 0o600))
		_, err := lines(t, file)
		require.ErrorContains(t, err, "the file cannot be read as Parquet: ")
	})
}

func TestAReaderThatStopsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Open(ctx, unnamed(t, "testdata/pandas.parquet"), nil)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 10))
	require.NoError(t, err)
	cancel()
	require.NoError(t, r.Close())
}

func TestNames(t *testing.T) {
	got := selection([]column{{`a"b`, "DOUBLE"}, {"features", "VARCHAR"}, {"prediction", "VARCHAR"}, {"city", "VARCHAR"}})
	require.True(t, strings.HasPrefix(got, `CASE WHEN isfinite("a""b") THEN "a""b" END AS "a""b", CAST("features" AS JSON)`), got)
	require.Contains(t, got, `CAST("prediction" AS JSON) AS "prediction", "city" AS "city"`)
}
