package inference_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/config"
	"github.com/modelwatch/modelwatch/evaluate/models"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/state"
)

// Several sets of files can be read at once, each with counters of its own.
func TestFilesOfInferences(t *testing.T) {
	dir := t.TempDir()
	db, err := state.Open(state.Options{Path: filepath.Join(dir, "state.db"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := config.Default().Inferences
	for _, name := range []string{"gateway", "batch"} {
		file := filepath.Join(dir, name+".jsonl")
		require.NoError(t, os.WriteFile(file, []byte(`{"model":"`+name+`","features":{"a":1}}`+"\n"), 0o600))
		c.Files = append(c.Files, config.InferenceFile{Name: name, Paths: []string{file}})
	}
	registry := prometheus.NewPedanticRegistry()
	p, err := inference.New(inference.Options{
		Dir: dir, Config: c, State: db, MaxBody: 1 << 20, Logger: slog.New(slog.DiscardHandler), Registerer: registry,
	})
	require.NoError(t, err)
	require.NoError(t, p.Start())
	done := make(chan struct{})
	go func() { p.Run(t.Context()); close(done) }()
	t.Cleanup(func() {
		<-done
		require.NoError(t, p.Close())
	})
	require.Eventually(t, func() bool {
		rows, err := p.Store.List(t.Context(), store.Filter{})
		return err == nil && len(rows) == 2
	}, 20*time.Second, 50*time.Millisecond)
	families, err := registry.Gather()
	require.NoError(t, err)
	var sources []string
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == "modelwatch_receive_file_records_total" && l.GetName() == "source" && m.GetCounter().GetValue() > 0 {
					sources = append(sources, l.GetValue())
				}
			}
		}
	}
	require.ElementsMatch(t, []string{"gateway", "batch"}, sources)
}

// Bare numbers are classes of a model of which the configuration says so, and
// numbers of all others.
func TestTaskOfAModel(t *testing.T) {
	dir := t.TempDir()
	db, err := state.Open(state.Options{Path: filepath.Join(dir, "state.db"), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c, problems := config.Parse("modelwatch.yml", []byte("inferences: {models: {churn: {task: classification, positive_class: \"0\"}}}"))
	require.NoError(t, problems.Err())
	p, err := inference.New(inference.Options{
		Dir: dir, Config: c.Inferences, State: db, MaxBody: 1 << 20, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewPedanticRegistry(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	answers := models.Answers{Engine: p.Engine}
	for model, want := range map[string]string{"churn": "classification", "price": "regression"} {
		rows := "age,prediction,label\n" + strings.Repeat("30,1,1\n40,0,1\n50,0,0\n", 100)
		key := ai.Key{Service: "shop", Model: model, Version: "v1"}
		_, err := answers.FromTable(t.Context(), models.Origin{Key: key, Activate: true}, models.Table{Format: "csv", Prediction: "prediction", Label: "label"}, strings.NewReader(rows))
		require.NoError(t, err)
		list, err := answers.Baselines(t.Context(), key)
		require.NoError(t, err)
		text, err := json.Marshal(list)
		require.NoError(t, err)
		var ids struct{ Baselines []struct{ ID string } }
		require.NoError(t, json.Unmarshal(text, &ids))
		document, err := answers.Export(t.Context(), ids.Baselines[0].ID, false)
		require.NoError(t, err)
		var made struct {
			Performance struct {
				Window map[string]json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(document, &made))
		require.Contains(t, made.Performance.Window, want, "%s: %s", model, document)
		if model == "churn" {
			require.JSONEq(t, `{"task":"classification","positive_class":"0"}`, string(made.Performance.Window["options"]))
		}
	}
}
