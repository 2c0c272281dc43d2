package comparison_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/ai/drift/compare"
	apimodels "github.com/modelwatch/modelwatch/api/models"
	"github.com/modelwatch/modelwatch/app/baselines"
	"github.com/modelwatch/modelwatch/app/comparison"
	"github.com/modelwatch/modelwatch/app/remote"
	"github.com/modelwatch/modelwatch/evaluate/models"
	"github.com/modelwatch/modelwatch/evaluate/models/memory"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/inferences/raw"
)

var _ apimodels.Comparer = (*comparison.Live)(nil)

// live is a store of inferences, and what compares those in it.
type live struct {
	*comparison.Live
	store  *store.Store
	engine *models.Engine
	start  time.Time
}

func newLive(t *testing.T, change func(*raw.Options)) *live {
	t.Helper()
	o := store.Options{Dir: t.TempDir(), ExportInterval: time.Hour}
	now := time.Now().UTC().Truncate(time.Hour).Add(-time.Hour)
	l := &live{start: now.Add(-4 * time.Hour)}
	if change != nil {
		change(&o.Raw)
	}
	kept := new(memory.Store)
	var err error
	l.engine, err = models.New(models.Options{Profiles: kept, Baselines: kept, Auto: models.Auto{Off: true}})
	require.NoError(t, err)
	o.Deliver = func(_ store.Position, records []ai.Inference, _ []ai.Label) { l.engine.Consume(records) }
	o.Joined = func(store.Position, []store.Joined) {}
	l.store, err = store.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.store.Close()) })
	l.store.Start()
	l.Live = comparison.NewLive(l.store, l.engine)
	return l
}

// add keeps one inference for each row, a millisecond after the other.
func (l *live) add(t *testing.T, model string, from time.Time, rows int, row func(i int, inf *ai.Inference)) {
	t.Helper()
	var b store.Batch
	for i := range rows {
		inf := ai.Inference{Service: "shop", Model: model, ModelVersion: "v1", Timestamp: from.Add(time.Duration(i) * time.Millisecond)}
		row(i, &inf)
		b.Records = append(b.Records, inf)
	}
	_, err := l.store.Append(t.Context(), b)
	require.NoError(t, err)
}

// query is about two spans of an hour.
func (l *live) query(model string) comparison.Query {
	version := "v1"
	return comparison.Query{
		Model: model, Version: &version,
		BaselineSince: l.start, BaselineUntil: l.start.Add(time.Hour), Since: l.start.Add(time.Hour), Until: l.start.Add(2 * time.Hour),
	}
}

func (l *live) known(t *testing.T, model string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := l.engine.OneVersion(models.DriftQuery{Model: &model})
		return err == nil
	}, 20*time.Second, time.Millisecond)
}

func (l *live) compare(t *testing.T, q comparison.Query) *comparison.Answer {
	t.Helper()
	out, err := l.Compare(t.Context(), q)
	require.NoError(t, err)
	return out.(*comparison.Answer)
}

// peers is what the tools themselves said about samples.
type peers []struct {
	Name      string
	Ref, Cur  []ai.Value
	Evidently map[string]struct {
		Method           string
		Score, Threshold float64
		Drift            bool
	}
	NannyML struct {
		JensenShannon [2]float64 `json:"jensen_shannon"`
	}
	Whylogs struct {
		Algorithm string
		Statistic *float64
		PValue    float64
		Category  string `json:"drift_category"`
	}
}

// The rules of other tools say of raw inferences what the tools say of the same values,
// and what the command says of the same inferences in files.
func TestLiveEqualsThePeers(t *testing.T) {
	const tolerance = 1e-6
	text, err := os.ReadFile("../../test/golden/drift.json")
	require.NoError(t, err)
	var golden struct{ Peers peers }
	require.NoError(t, json.Unmarshal(text, &golden))
	require.NotEmpty(t, golden.Peers)
	l := newLive(t, nil)
	verdicts := map[string]ai.Verdict{"NO_DRIFT": ai.VerdictNone, "POSSIBLE_DRIFT": ai.VerdictPossible, "DRIFT": ai.VerdictDrift}
	for i, c := range golden.Peers {
		t.Run(c.Name, func(t *testing.T) {
			model := fmt.Sprintf("m%d", i)
			values := func(v []ai.Value) func(i int, inf *ai.Inference) {
				return func(i int, inf *ai.Inference) { inf.Features = []ai.Feature{{Name: "x", Value: v[i]}} }
			}
			q := l.query(model)
			q.Presets = compare.Presets()
			l.add(t, model, q.BaselineSince, len(c.Ref), values(c.Ref))
			l.add(t, model, q.Since, len(c.Cur), values(c.Cur))
			l.known(t, model)
			a := l.compare(t, q)
			require.Empty(t, a.Notices)
			require.Equal(t, "shop", a.Service)
			require.EqualValues(t, len(c.Ref), a.Baseline.Kept)
			require.Equal(t, len(c.Cur), a.Current.Compared)
			for _, r := range a.Results {
				switch want := c.Evidently["default"]; r.Preset {
				case "evidently":
					score, threshold := r.Score, r.Threshold
					if r.PValue != nil {
						score, threshold = r.PValue, r.PValueThreshold
					}
					require.InDelta(t, want.Score, *score, tolerance)
					require.InDelta(t, want.Threshold, *threshold, tolerance)
					require.Equal(t, want.Method, r.Method)
					require.Equal(t, want.Drift, r.Verdict == ai.VerdictDrift)
				case "nannyml":
					require.InDelta(t, c.NannyML.JensenShannon[0], *r.Score, tolerance)
					require.InDelta(t, c.NannyML.JensenShannon[1], *r.Threshold, tolerance)
				case "whylogs":
					require.InDelta(t, c.Whylogs.PValue, *r.PValue, tolerance)
					if c.Whylogs.Statistic != nil {
						require.InDelta(t, *c.Whylogs.Statistic, *r.Score, tolerance)
					}
					require.Equal(t, c.Whylogs.Algorithm, r.Method)
					require.Equal(t, verdicts[c.Whylogs.Category], r.Verdict)
				}
			}
			// The same rows in files.
			export := func(since, until time.Time) string {
				file := filepath.Join(t.TempDir(), "rows.parquet")
				_, err := l.store.Export(t.Context(), store.Filter{Model: model, Since: since, Until: until}, file)
				require.NoError(t, err)
				return file
			}
			var out bytes.Buffer
			_, err := comparison.Run(t.Context(), comparison.Options{
				Baseline: export(q.BaselineSince, q.BaselineUntil), Current: export(q.Since, q.Until),
				Presets: compare.Presets(), JSON: true, Out: &out,
			})
			require.NoError(t, err)
			var files compare.Report
			require.NoError(t, json.Unmarshal(out.Bytes(), &files))
			require.Equal(t, a.Report, files)
		})
	}
}

// number is a value that is not what it was where moved is set.
func number(moved float64) func(i int, inf *ai.Inference) {
	return func(i int, inf *ai.Inference) {
		inf.Features = []ai.Feature{{Name: "age", Value: ai.Number(float64(i*7919%50) + moved)}, {Name: "city", Value: ai.String([]string{"Graz", "Linz"}[i%2])}}
		inf.Prediction = ai.Bool(i%3 == 0)
	}
}

// Days that were sampled, and rows that were, are said.
func TestLiveSaysWhatIsMissing(t *testing.T) {
	l := newLive(t, func(o *raw.Options) { o.DayBytes, o.SampleRate = 1, 0.5 })
	l.add(t, "m", l.start, 2000, number(0))
	_, err := l.store.List(t.Context(), store.Filter{}) // The day is full from here on.
	require.NoError(t, err)
	l.add(t, "m", l.start.Add(time.Hour), 2000, number(0))
	l.known(t, "m")
	q := l.query("m")
	q.Exclude = []string{"city"}
	a := l.compare(t, q)
	require.Len(t, a.Results, 2) // The age and the prediction.
	require.Less(t, a.Current.Kept, int64(1500))
	require.Greater(t, a.Current.Inferences, 1500.0)
	require.Contains(t, a.Notices[len(a.Notices)-1], "days beyond inferences.raw.day_size are sampled")
	require.False(t, a.Drift)

	q.Rows = 300
	a = l.compare(t, q)
	require.InDelta(t, 300, a.Current.Compared, 100)
	require.Contains(t, fmt.Sprint(a.Notices), fmt.Sprintf("Of the current data, %d of the %d inferences that are kept were taken evenly.", a.Current.Compared, a.Current.Kept))
}

func TestLiveRefuses(t *testing.T) {
	l := newLive(t, nil)
	l.add(t, "m", l.start, 100, number(0))
	l.add(t, "m", l.start.Add(time.Hour), 100, number(0))
	l.known(t, "m")
	rows := func(yield func(*models.Row, error) bool) {
		for i := range 100 {
			row := &models.Row{Inference: ai.Inference{Service: "shop", Model: "m", ModelVersion: "v1"}}
			number(0)(i, &row.Inference)
			if !yield(row, nil) {
				return
			}
		}
	}
	file, err := l.engine.CreateBaseline(t.Context(), models.NewBaseline{Key: ai.Key{Service: "shop", Model: "m", Version: "v1"}}, rows)
	require.NoError(t, err)
	for want, change := range map[string]func(*comparison.Query){
		"preset=alibi is not known: use one of":          func(q *comparison.Query) { q.Presets = []string{"alibi"} },
		"model is required":                              func(q *comparison.Query) { q.Model = "" },
		`there is no such version of model "no"`:         func(q *comparison.Query) { q.Model = "no" },
		"since and until are required":                   func(q *comparison.Query) { q.Since = time.Time{} },
		"baseline_since and baseline_until are required": func(q *comparison.Query) { q.BaselineUntil = time.Time{} },
		"is not before until":                            func(q *comparison.Query) { q.Until = q.Since },
		"of the baseline no raw inferences of shop/m@v1 from": func(q *comparison.Query) {
			q.BaselineSince, q.BaselineUntil = q.BaselineSince.Add(-time.Hour), q.BaselineSince
		},
		"has no baseline in use: give a span by baseline_since": func(q *comparison.Query) { q.BaselineSince, q.BaselineUntil = time.Time{}, time.Time{} },
		"leave one out": func(q *comparison.Query) { q.BaselineID = file.ID },
		"was not made of inferences of shop/m@v1, so none of its rows are kept here: compare files (modelwatch drift": func(q *comparison.Query) {
			q.BaselineSince, q.BaselineUntil, q.BaselineID = time.Time{}, time.Time{}, file.ID
		},
		"there is no baseline b-none": func(q *comparison.Query) {
			q.BaselineSince, q.BaselineUntil, q.BaselineID = time.Time{}, time.Time{}, "b-none"
		},
	} {
		q := l.query("m")
		change(&q)
		_, err := l.Compare(t.Context(), q)
		require.ErrorContains(t, err, want)
	}
	l.Limit = 4 * 60 // A row is three values, and one more.
	_, err = l.Compare(t.Context(), l.query("m"))
	require.ErrorContains(t, err, "the baseline has 100 rows: row 61 is beyond 240 values, the most that is compared")
	require.ErrorContains(t, err, "take a sample by rows=54")

	none := newLive(t, func(o *raw.Options) { o.Disabled = true })
	none.add(t, "m", none.start, 1, number(0))
	none.known(t, "m")
	_, err = none.Compare(t.Context(), none.query("m"))
	require.ErrorContains(t, err, "raw inferences are not kept")
}

// slowRows keep a comparison busy until they are let go.
type slowRows struct{ begun, end chan struct{} }

func (s slowRows) Extent(context.Context, store.Selection) (store.Extent, error) {
	close(s.begun)
	<-s.end
	return store.Extent{}, nil
}

func (slowRows) Scan(context.Context, store.Selection, func(features, prediction []byte) error) error {
	return nil
}

func TestOneComparisonAtATime(t *testing.T) {
	l := newLive(t, nil)
	l.add(t, "m", l.start, 1, number(0))
	l.known(t, "m")
	rows := slowRows{make(chan struct{}), make(chan struct{})}
	busy := comparison.NewLive(rows, l.engine)
	busy.Wait = time.Millisecond
	done := make(chan error)
	go func() {
		_, err := busy.Compare(t.Context(), l.query("m"))
		done <- err
	}()
	<-rows.begun
	rec := httptest.NewRecorder()
	apimodels.New(apimodels.Options{Comparer: busy}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet,
		"/ai/v1/drift/compare?model=m&baseline_since=1&baseline_until=2&since=3", nil))
	require.Equal(t, http.StatusTooManyRequests, rec.Code)
	require.Equal(t, "60", rec.Header().Get("Retry-After"))
	require.Contains(t, rec.Body.String(), "another comparison is under way")
	close(rows.end)
	require.ErrorContains(t, <-done, "no raw inferences")
}

// The command asks a server, of the baseline in use, and prints what that says.
func TestAsk(t *testing.T) {
	l := newLive(t, nil)
	l.add(t, "m", l.start, 500, number(0))
	l.add(t, "m", l.start.Add(time.Hour), 500, number(30))
	l.known(t, "m")
	srv := httptest.NewServer(apimodels.New(apimodels.Options{Comparer: l}))
	t.Cleanup(srv.Close)
	client, err := remote.New(remote.Options{URL: srv.URL})
	require.NoError(t, err)
	var out bytes.Buffer
	stamp := func(h int) string { return l.start.Add(time.Duration(h) * time.Hour).Format(time.RFC3339) }
	q := comparison.Question{
		Key:           baselines.Key{Model: "m"},
		BaselineSince: stamp(0), BaselineUntil: stamp(1), Since: stamp(1), Until: stamp(2),
		Presets: []string{"evidently", "modelwatch"}, Exclude: []string{"city"}, Out: &out,
	}
	require.True(t, q.Asked())
	drifted, err := q.Ask(t.Context(), client)
	require.NoError(t, err)
	require.True(t, drifted)
	require.Contains(t, out.String(), "Raw inferences of shop/m@v1, UTC\nbaseline  "+l.start.Format(time.DateTime))
	require.Contains(t, out.String(), "500 rows of the baseline, 500 rows now")
	require.Contains(t, out.String(), "evidently")
	require.NotContains(t, out.String(), "city")
	out.Reset()
	q.JSON = true
	q.Since, q.Until = q.BaselineSince, q.BaselineUntil
	drifted, err = q.Ask(t.Context(), client)
	require.NoError(t, err)
	require.False(t, drifted)
	var a comparison.Answer
	require.NoError(t, json.Unmarshal(out.Bytes(), &a))
	require.Equal(t, 500, a.Current.Compared)
	q.Since = "yesterday"
	_, err = q.Ask(t.Context(), client)
	require.ErrorContains(t, err, `--since is "yesterday": write RFC 3339`)
	require.False(t, new(comparison.Question).Asked())
}
