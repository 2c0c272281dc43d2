package models

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/modelwatch/modelwatch/ai"
)

// The types that the API shares with this package are plain structs, so that neither
// imports the other.
type (
	// Origin says what a new baseline is of.
	Origin = struct {
		Key      ai.Key
		Note     string
		Activate bool
	}
	// Table says how rows are to be read: Format is "csv", "ndjson" or "parquet";
	// Prediction and Label name columns that are no features, Exclude those that are
	// left out.
	Table = struct {
		Format, Prediction, Label string
		Exclude                   []string
	}
)

// Answers gives what the engine knows in the form that the HTTP API asks for it:
// documents to be written as JSON.
type Answers struct {
	Engine *Engine
	// Spool is the folder for what has to be a file to be read; empty means that of the
	// system. Nothing stays in it.
	Spool string
	// Parquet turns a file into JSON lines, less the columns that are excluded. Its
	// errors are those of the file. Nil means that Parquet is not read.
	Parquet func(ctx context.Context, file *os.File, exclude []string) (io.ReadCloser, error)
}

// answer turns a typed answer into a document.
func answer[T any](x T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return x, nil
}

// Services answers GET /ai/v1/services.
func (a Answers) Services(ctx context.Context) (any, error) { return answer(a.Engine.Services(ctx)) }

// Models answers GET /ai/v1/models; a service of AnyService selects all.
func (a Answers) Models(ctx context.Context, service string) (any, error) {
	return answer(a.Engine.Models(ctx, service))
}

// Model answers GET /ai/v1/models/{model}.
func (a Answers) Model(ctx context.Context, service, model string) (any, error) {
	return answer(a.Engine.Model(ctx, service, model))
}

// Version answers GET /ai/v1/models/{model}/versions/{version}.
func (a Answers) Version(ctx context.Context, key ai.Key) (any, error) {
	return answer(a.Engine.Version(ctx, key))
}

// Features answers GET /ai/v1/models/{model}/versions/{version}/features.
func (a Answers) Features(ctx context.Context, key ai.Key) (any, error) {
	return answer(a.Engine.Features(ctx, key))
}

// Feature answers GET /ai/v1/models/{model}/versions/{version}/features/{feature}.
func (a Answers) Feature(ctx context.Context, key ai.Key, feature string) (any, error) {
	return answer(a.Engine.Feature(ctx, key, feature))
}

// Drift answers GET /ai/v1/drift.
func (a Answers) Drift(ctx context.Context, q DriftQuery) (any, error) {
	return answer(a.Engine.Drift(ctx, q))
}

// Catalogue answers GET /ai/v1/metrics/catalogue.
func (a Answers) Catalogue() any { return Catalogue() }

// Baselines answers GET /ai/v1/baselines.
func (a Answers) Baselines(_ context.Context, key ai.Key) (any, error) {
	return map[string]any{"baselines": a.Engine.Baselines(key)}, nil
}

// Baseline answers GET /ai/v1/baselines/{id}.
func (a Answers) Baseline(_ context.Context, id string) (any, error) {
	return answer(a.Engine.info(id))
}

// Confirm answers POST /ai/v1/baselines/{id}/confirm.
func (a Answers) Confirm(ctx context.Context, id string) (any, error) {
	return answer(a.Engine.ConfirmBaseline(ctx, id))
}

// Activate answers POST /ai/v1/baselines/{id}/activate.
func (a Answers) Activate(ctx context.Context, id string) (any, error) {
	return answer(a.Engine.ActivateBaseline(ctx, id))
}

// Delete answers DELETE /ai/v1/baselines/{id}.
func (a Answers) Delete(ctx context.Context, id string) error {
	return a.Engine.DeleteBaseline(ctx, id)
}

// Export answers GET /ai/v1/baselines/{id}/export.
func (a Answers) Export(ctx context.Context, id string, records bool) ([]byte, error) {
	return a.Engine.ExportBaseline(ctx, id, records)
}

// Import answers POST /ai/v1/baselines with an exported document.
func (a Answers) Import(ctx context.Context, document []byte, key ai.Key, activate bool) (any, error) {
	return answer(a.Engine.ImportBaseline(ctx, document, key, activate))
}

// FromRange answers POST /ai/v1/baselines with a range of time.
func (a Answers) FromRange(ctx context.Context, o Origin, from, to time.Time) (any, error) {
	return answer(a.Engine.CreateBaselineFromRange(ctx, NewBaseline(o), from, to))
}

// FromTable answers POST /ai/v1/baselines with rows.
func (a Answers) FromTable(ctx context.Context, o Origin, t Table, body io.Reader) (any, error) {
	columns := Columns{Prediction: t.Prediction, Label: t.Label, Exclude: t.Exclude}
	if t.Format == "parquet" {
		return a.fromParquet(ctx, o, t, body)
	}
	lines := bufio.NewReader(body)
	if head, _ := lines.Peek(len(parquetHead)); string(head) == parquetHead {
		return nil, badRequest("this is a Parquet file and no %s: send it as application/vnd.apache.parquet", t.Format)
	}
	body = lines
	switch t.Format {
	case "csv":
		return answer(a.Engine.CreateBaseline(ctx, NewBaseline(o), CSVRows(o.Key, body, columns)))
	case "ndjson":
		return answer(a.Engine.CreateBaseline(ctx, NewBaseline(o), NDJSONRows(o.Key, body, columns)))
	}
	return nil, &Error{http.StatusUnsupportedMediaType, fmt.Errorf("format %q is not known: use csv, ndjson or parquet", t.Format)}
}

// parquetHead is how Parquet files begin.
const parquetHead = "PAR1"

// fromParquet makes a baseline of a Parquet file, which is read from its end.
func (a Answers) fromParquet(ctx context.Context, o Origin, t Table, body io.Reader) (any, error) {
	if a.Parquet == nil {
		return nil, &Error{http.StatusUnsupportedMediaType, errors.New("no Parquet is read here: use csv or ndjson")}
	}
	f, err := spool(a.Spool, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines, err := a.Parquet(ctx, f, t.Exclude)
	if err != nil {
		return nil, badRequest("%w", err)
	}
	defer func() { _ = lines.Close() }()
	columns := Columns{Prediction: t.Prediction, Label: t.Label, Exclude: t.Exclude}
	return answer(a.Engine.CreateBaseline(ctx, NewBaseline(o), ParquetRows(o.Key, lines, columns)))
}

// spool keeps a body in a file without a name: whatever happens, nothing stays behind.
func spool(dir string, body io.Reader) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".baseline-*")
	if err != nil {
		return nil, fmt.Errorf("keep the file for reading: %w", err)
	}
	if err = os.Remove(f.Name()); err == nil {
		_, err = io.Copy(f, body)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keep the file for reading: %w", err), f.Close())
	}
	return f, nil
}
