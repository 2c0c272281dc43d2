package inferences

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type exporter struct {
	asked Query
	err   error
}

func (e *exporter) Export(_ context.Context, q Query) (io.ReadCloser, int64, error) {
	e.asked = q
	return io.NopCloser(strings.NewReader("PAR1")), 4, e.err
}

type nothing struct{ error }

func (nothing) StatusCode() int { return http.StatusNotFound }

func TestExport(t *testing.T) {
	ask := func(e *exporter, query string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h := New(Options{Lister: &lister{}, Now: func() time.Time { return now }}).Export(e)
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ai/v1/inferences/export"+query, nil))
		return w
	}
	e := &exporter{}
	w := ask(e, "?service=s&model=m&version=v&since=15m&errors=true")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "PAR1", w.Body.String())
	require.Equal(t, ParquetType, w.Header().Get("Content-Type"))
	require.Equal(t, "4", w.Header().Get("Content-Length"))
	require.Equal(t, Query{Service: "s", Model: "m", Version: "v", Since: now.Add(-15 * time.Minute), Errors: true, Limit: DefaultLimit}, e.asked)
	for query, want := range map[string]string{
		"?limit=5":     "leave out limit",
		"?order=asc":   "leave out order",
		"?mod=x":       `parameter "mod" is not known: use service, model, version, endpoint, request_id, since, until, errors`,
		"?since=never": `since is "never"`,
	} {
		w := ask(e, query)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), want)
	}
	require.Equal(t, http.StatusNotFound, ask(&exporter{err: nothing{errors.New("none")}}, "").Code)
	require.Equal(t, http.StatusServiceUnavailable, ask(&exporter{err: errors.New("disk full")}, "").Code)
}
