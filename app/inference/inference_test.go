package inference_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/app/inference"
	"github.com/modelwatch/modelwatch/config"
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
