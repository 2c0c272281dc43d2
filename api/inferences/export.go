package inferences

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ParquetType is the media type of Parquet files.
const ParquetType = "application/vnd.apache.parquet"

// Exporter writes inferences as a Parquet file. Limit and Oldest of q do not matter.
// The caller closes the file, and nothing of it stays. An error whose chain has a
// method StatusCode is answered with that status, others with 503.
type Exporter interface {
	Export(ctx context.Context, q Query) (file io.ReadCloser, size int64, err error)
}

// Export returns the handler of GET /ai/v1/inferences/export, which answers with all
// inferences that the parameters let through, as Parquet.
func (h *Handler) Export(e Exporter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			http.Error(w, "parameters: "+err.Error(), http.StatusBadRequest)
			return
		}
		for name := range values {
			if name == "limit" || name == "order" {
				http.Error(w, "an export is of all inferences that the others let through, by time: leave out "+name+", and narrow since and until", http.StatusBadRequest)
				return
			}
			if !slices.Contains(parameters, name) {
				all := slices.DeleteFunc(slices.Clone(parameters), func(p string) bool { return p == "limit" || p == "order" })
				http.Error(w, "parameter "+strconv.Quote(name)+" is not known: use "+strings.Join(all, ", "), http.StatusBadRequest)
				return
			}
		}
		q, err := Parse(values, h.o.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		file, size, err := e.Export(r.Context(), q)
		if err != nil {
			status := http.StatusServiceUnavailable
			if known, ok := errors.AsType[interface {
				error
				StatusCode() int
			}](err); ok {
				status = known.StatusCode()
			} else if r.Context().Err() == nil {
				h.o.Logger.Error("Export inferences", "err", err)
			}
			http.Error(w, err.Error(), status)
			return
		}
		defer func() { _ = file.Close() }()
		w.Header().Set("Content-Type", ParquetType)
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "inferences.parquet"}))
		_, _ = io.Copy(w, file) // Who asked sees from the length that something is missing.
	})
}
