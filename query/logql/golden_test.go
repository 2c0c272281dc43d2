package logql_test

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
	"github.com/modelwatch/modelwatch/query/logql"
)

const goldenDir = "../../test/logql/"

// goldenBase is any multiple of half an hour.
const goldenBase = 1_700_000_000 / 1800 * 1800

func readGzip(t testing.TB, name string, into any) {
	t.Helper()
	f, err := os.Open(goldenDir + name)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(into))
}

// goldenStore holds the data that Loki was asked about.
func goldenStore(t testing.TB) *memory.Store {
	t.Helper()
	var data []struct {
		Stream map[string]string   `json:"stream"`
		Values [][]json.RawMessage `json:"values"`
	}
	readGzip(t, "data.json.gz", &data)
	store := memory.New()
	for _, d := range data {
		s := logs.Stream{Labels: labels.FromMap(d.Stream)}
		for _, v := range d.Values {
			var ts, line string
			meta := map[string]string{}
			require.NoError(t, json.Unmarshal(v[0], &ts))
			require.NoError(t, json.Unmarshal(v[1], &line))
			if len(v) > 2 {
				require.NoError(t, json.Unmarshal(v[2], &meta))
			}
			n, err := strconv.ParseInt(ts, 10, 64)
			require.NoError(t, err)
			s.Entries = append(s.Entries, logs.Entry{Timestamp: goldenBase*1e9 + n, Line: line, Metadata: labels.FromMap(meta)})
		}
		require.NoError(t, store.Append(t.Context(), []logs.Stream{s}))
	}
	return store
}

// row is a stream or a series in the form of the recording: its labels as JSON and its values.
type row struct {
	labels string
	values [][2]string
}

// golden is an answer in the form of the recording.
type golden struct {
	Status int             `json:"status"`
	Type   string          `json:"type"`
	Result json.RawMessage `json:"result"`
}

func (g golden) rows(t *testing.T) []row {
	t.Helper()
	if g.Type == "scalar" {
		var v []string
		require.NoError(t, json.Unmarshal(g.Result, &v))
		return []row{{values: [][2]string{{"", v[0]}}}}
	}
	var raw [][]json.RawMessage
	require.NoError(t, json.Unmarshal(g.Result, &raw))
	var out []row
	for _, r := range raw {
		var text string
		require.NoError(t, json.Unmarshal(r[0], &text))
		var ls map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &ls))
		var values [][2]json.RawMessage
		require.NoError(t, json.Unmarshal(r[1], &values))
		rw := row{labels: labelText(ls)}
		for _, v := range values {
			var s string
			require.NoError(t, json.Unmarshal(v[1], &s))
			f, err := strconv.ParseFloat(string(v[0]), 64)
			require.NoError(t, err)
			rw.values = append(rw.values, [2]string{formatTime(f), s})
		}
		out = append(out, rw)
	}
	return sorted(out)
}

func formatTime(f float64) string { return strconv.FormatFloat(f, 'f', 3, 64) }

// labelText is labels as JSON with sorted names, empty values included.
func labelText(ls map[string]string) string {
	b, _ := json.Marshal(ls)
	return string(b)
}

func labelMap(ls labels.Labels) map[string]string {
	m := map[string]string{}
	ls.Range(func(l labels.Label) { m[l.Name] = l.Value })
	return m
}

func sorted(rows []row) []row {
	for _, r := range rows {
		slices.SortStableFunc(r.values, func(a, b [2]string) int {
			x, _ := strconv.ParseFloat(a[0], 64)
			y, _ := strconv.ParseFloat(b[0], 64)
			return cmp.Or(cmp.Compare(x, y), strings.Compare(a[1], b[1]))
		})
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.labels, b.labels), strings.Compare(fmt.Sprint(a.values), fmt.Sprint(b.values)))
	})
	return rows
}

// rowsOf brings an answer into the form of the recording.
func rowsOf(res *logql.Result) []row {
	value := func(p logql.Point) [2]string {
		return [2]string{formatTime(float64(p.T)/1000 - goldenBase), strconv.FormatFloat(p.V, 'f', -1, 64)}
	}
	var out []row
	switch res.Type {
	case logql.Streams:
		for _, s := range res.Streams {
			r := row{labels: labelText(labelMap(s.Labels))}
			for _, e := range s.Entries {
				r.values = append(r.values, [2]string{formatTime(float64(e.Timestamp - goldenBase*1e9)), e.Line})
			}
			out = append(out, r)
		}
	case logql.Matrix:
		for _, s := range res.Matrix {
			r := row{labels: labelText(labelMap(s.Labels))}
			for _, p := range s.Points {
				r.values = append(r.values, value(p))
			}
			out = append(out, r)
		}
	case logql.Vector:
		for _, s := range res.Vector {
			out = append(out, row{labels: labelText(labelMap(s.Labels)), values: [][2]string{value(s.Point)}})
		}
	case logql.Scalar:
		v := value(res.Scalar.Point)
		v[0] = ""
		out = append(out, row{values: [][2]string{v}})
	}
	return sorted(out)
}

// sameRows compares numbers to 1e-6 and everything else exactly.
func sameRows(want, got []row) error {
	if len(want) != len(got) {
		return fmt.Errorf("%d rows, want %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		if w.labels != g.labels {
			return fmt.Errorf("labels %s, want %s", g.labels, w.labels)
		}
		if len(w.values) != len(g.values) {
			return fmt.Errorf("%s: %d values, want %d", w.labels, len(g.values), len(w.values))
		}
		for j, v := range w.values {
			if u := g.values[j]; u[0] != v[0] || !sameValue(u[1], v[1]) {
				return fmt.Errorf("%s: %q, want %q", w.labels, u, v)
			}
		}
	}
	return nil
}

func sameValue(a, b string) bool {
	if a == b {
		return true
	}
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	return math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= max(1e-6*max(math.Abs(x), math.Abs(y)), 1e-9)
}

// TestLoki asks the queries that a Loki was asked, with and without counting in the store.
func TestLoki(t *testing.T) {
	var want map[string]golden
	readGzip(t, "golden.json.gz", &want)
	queries, err := os.ReadFile(goldenDir + "queries.txt")
	require.NoError(t, err)
	store := goldenStore(t)
	type selectOnly struct{ logql.Store }
	for name, st := range map[string]logql.Store{"counting": store, "scanning": selectOnly{store}} {
		t.Run(name, func(t *testing.T) {
			engine := logql.New(st, logql.Options{})
			asked := 0
			for line := range strings.Lines(string(queries)) {
				line = strings.TrimRight(line, "\n")
				if line == "" || line[0] == '#' {
					continue
				}
				asked++
				kind, query, _ := strings.Cut(line, " ")
				start := time.Unix(goldenBase, 0)
				end := start.Add(30 * time.Minute)
				var res *logql.Result
				var err error
				if kind == "instant" {
					res, err = engine.Instant(t.Context(), query, end)
				} else {
					res, err = engine.Range(t.Context(), logql.Query{Text: query, Start: start, End: end, Step: time.Minute, Limit: 5000, Forward: true})
				}
				w, ok := want[line]
				require.True(t, ok, "no recording of %s", line)
				if w.Status != 200 {
					if err == nil {
						t.Errorf("%s: answered, Loki refused it", line)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", line, err)
					continue
				}
				if string(res.Type) != w.Type {
					t.Errorf("%s: %s, want %s", line, res.Type, w.Type)
					continue
				}
				if err := sameRows(w.rows(t), rowsOf(res)); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
			require.Equal(t, len(want), asked)
		})
	}
}
