package inference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/modelwatch/modelwatch/config"
	store "github.com/modelwatch/modelwatch/store/inferences"
	"github.com/modelwatch/modelwatch/store/inferences/join"
)

// ExportStopped writes raw inferences of a data directory that no process uses to a
// Parquet file, and returns their number. Nothing is judged, and what the next start
// has to read is left as it is.
func ExportStopped(ctx context.Context, dir string, c config.Inferences, f store.Filter, file string) (n int64, err error) {
	if _, err := os.Stat(filepath.Join(dir, "inferences")); err != nil {
		return 0, fmt.Errorf("there are no inferences in %s: %w", dir, err)
	}
	s, err := store.Open(store.Options{
		Dir: filepath.Join(dir, "inferences"), Raw: rawOptions(c.Raw),
		Join: join.Options{Disabled: true}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Export(ctx, f, file)
}
