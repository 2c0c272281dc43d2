package logql_test

import (
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/logs"
	"github.com/modelwatch/modelwatch/logs/memory"
	"github.com/modelwatch/modelwatch/query/logql"
)

// countQueries are those for which the store is asked to count by a field of JSON lines.
var countQueries = []string{
	`sum by (level) (count_over_time({job="x"} | json | __error__="" [1m]))`,
	`sum by (level, job) (count_over_time({job="x"} | json | __error__="" [1m]))`,
	`sum by (a) (bytes_over_time({job="x"} | json | __error__="" [1m]))`,
	`sum by (level) (count_over_time({job="x"} | json [1m]))`,
}

// checkCounted says that a store that counts gives what the engine makes of the lines itself.
func checkCounted(t *testing.T, line string) {
	t.Helper()
	store := memory.New()
	require.NoError(t, store.Append(t.Context(), []logs.Stream{{
		Labels:  labels.FromStrings("job", "x"),
		Entries: []logs.Entry{{Timestamp: 5e9, Line: line}, {Timestamp: 6e9, Line: `{"level":"info","a":1}`}},
	}}))
	type selectOnly struct{ logql.Store }
	for _, q := range countQueries {
		counted, err := logql.New(store, logql.Options{}).Instant(t.Context(), q, time.Unix(10, 0))
		read, readErr := logql.New(selectOnly{store}, logql.Options{}).Instant(t.Context(), q, time.Unix(10, 0))
		if readErr != nil {
			require.Error(t, err, "%s: %q", q, line)
			continue
		}
		require.NoError(t, err, "%s: %q", q, line)
		// An empty value and none are the same to whoever gets the answer.
		values := func(r *logql.Result) map[string]float64 {
			out := map[string]float64{}
			for _, s := range r.Vector {
				out[s.Labels.WithoutEmpty().String()] += s.Point.V
			}
			return out
		}
		require.Equal(t, values(read), values(counted), "%s: %q", q, line)
	}
}

var countLines = []string{
	`plain`, ``, `{}`, `{"level":"error"}`, `{"level":"error","broken`, `{"broken`, `{"level":"in\xfo"}`, `{"level":"info","level":"\x"}`, `{"x":{"level":"\x"},"level":"x"}`,
	`{"level":{"a":1},"level":"x"}`, `{"a":"\x","level":"a"}`, ` { "level" : 7 } more`, `{" ":{"level":"w"}}`, `{" ":{"level`, `{"level":"","a":""}`, `{"level":null,"a":[1]}`, `{"a":{"":1}}`,
}

func TestCounted(t *testing.T) {
	for _, line := range countLines {
		checkCounted(t, line)
	}
}

func FuzzCounted(f *testing.F) {
	for _, line := range countLines {
		f.Add(line)
	}
	f.Fuzz(checkCounted)
}
