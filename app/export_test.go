package app_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/ai"
	"github.com/modelwatch/modelwatch/app"
	store "github.com/modelwatch/modelwatch/store/inferences"
)

// What a killed process accepted is in the export of its directory, as the privacy of
// its configuration wants it, and the next start still finds everything.
func TestExportOfADirectory(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(store.Options{Dir: filepath.Join(dir, "inferences")})
	require.NoError(t, err)
	var records []ai.Inference
	for i := range 50 {
		records = append(records, ai.Inference{
			Service: "shop", Model: "ranker", Timestamp: time.Now().Add(-time.Duration(i) * time.Second),
			Features: []ai.Feature{{Name: "card", Value: ai.String("4711-is-private")}},
		})
	}
	_, err = s.Append(t.Context(), store.Batch{Records: records})
	require.NoError(t, err)
	require.NoError(t, s.Close()) // It was not started: nothing is in the raw files yet.

	settings := filepath.Join(t.TempDir(), "modelwatch.yml")
	require.NoError(t, os.WriteFile(settings, []byte("inferences: {raw: {exclude: [card]}}\n"), 0o600))
	var told, out bytes.Buffer
	file := filepath.Join(t.TempDir(), "x.parquet")
	e := app.InferenceExport{File: file, StoragePath: dir, ConfigFile: settings, Out: &out, Told: &told, Since: "1h", Service: "shop"}
	require.NoError(t, app.ExportInferences(t.Context(), e))
	require.Equal(t, "Wrote "+file+", 50 inferences.\n", told.String())
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(text), "4711")

	e.File = "-"
	require.NoError(t, app.ExportInferences(t.Context(), e))
	require.Equal(t, "PAR1", out.String()[:4])
	e.Model = "none"
	require.ErrorContains(t, app.ExportInferences(t.Context(), e), "there are no raw inferences of that kind and time")
	e.StoragePath = t.TempDir()
	require.ErrorContains(t, app.ExportInferences(t.Context(), e), "there are no inferences in")
	e.StoragePath = "/nowhere"
	require.ErrorContains(t, app.ExportInferences(t.Context(), e), "data directory")
	e.File = ""
	require.ErrorContains(t, app.ExportInferences(t.Context(), e), "say where to write with --file")

	seen := 0
	s, err = store.Open(store.Options{Dir: filepath.Join(dir, "inferences"), Deliver: func(_ store.Position, r []ai.Inference, _ []ai.Label) { seen += len(r) }})
	require.NoError(t, err)
	s.Start()
	<-s.Replayed()
	require.NoError(t, s.Close())
	require.Equal(t, 50, seen)
}
