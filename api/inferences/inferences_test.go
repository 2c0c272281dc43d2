package inferences

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type lister struct {
	asked Query
	err   error
}

func (l *lister) List(_ context.Context, q Query) (any, int, string, error) {
	l.asked = q
	return []string{"row"}, 1, "sampled", l.err
}

func get(l *lister, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	New(Options{Lister: l, Now: func() time.Time { return now }}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ai/v1/inferences"+query, nil))
	return w
}

func TestParameters(t *testing.T) {
	for query, want := range map[string]Query{
		"": {Limit: 100},
		"?service=s&model=m&version=v&endpoint=/e&request_id=r&errors=true&limit=5&order=asc": {
			Service: "s", Model: "m", Version: "v", Endpoint: "/e", RequestID: "r", Errors: true, Limit: 5, Oldest: true,
		},
		"?since=15m&until=2026-03-01T13:00:00%2B01:00&errors=false&order=desc&limit=": {Limit: 100, Since: now.Add(-15 * time.Minute), Until: now},
		"?since=1772366400.5": {Limit: 100, Since: now.Add(500 * time.Millisecond)},
	} {
		l := &lister{}
		w := get(l, query)
		require.Equal(t, 200, w.Code, w.Body.String())
		require.JSONEq(t, `{"inferences":["row"],"count":1,"notice":"sampled"}`, w.Body.String())
		require.Equal(t, want, l.asked, query)
	}
}

func TestBadParameters(t *testing.T) {
	for query, want := range map[string]string{
		"?mod=x":                      `parameter "mod" is not known: use service, model, version,`,
		"?model=x&model=y":            `parameter "model" is given 2 times`,
		"?since=yesterday":            `since is "yesterday": want RFC 3339 (2006-01-02T15:04:05Z), Unix seconds, or how long ago (15m)`,
		"?until=1e99":                 `until is "1e99"`,
		"?since=5m&until=10m":         "since (2026-03-01T11:55:00Z) is not before until (2026-03-01T11:50:00Z)",
		"?errors=maybe":               `errors is "maybe": want true or false`,
		"?limit=0":                    `limit is "0": want a number from 1 to 10000`,
		"?limit=many":                 `limit is "many"`,
		"?order=up":                   `order is "up": want desc (newest first) or asc`,
		"?model=%zz":                  "parameters: invalid URL escape",
		"?since=0001-01-01T00:00:00Z": `since is "0001-01-01T00:00:00Z"`,
	} {
		w := get(&lister{}, query)
		require.Equal(t, 400, w.Code, query)
		require.Contains(t, w.Body.String(), want)
	}
	w := get(&lister{err: errors.New("they are turned off")}, "")
	require.Equal(t, 503, w.Code)
	require.Contains(t, w.Body.String(), "they are turned off")
	w = httptest.NewRecorder()
	New(Options{Lister: &lister{}}).ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/ai/v1/inferences", nil))
	require.Equal(t, 405, w.Code)
}
