package app

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyKnownPagesMayChange(t *testing.T) {
	t.Parallel()
	h := knownOrigins(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		&url.URL{Scheme: "https", Host: "watch.example.org:8443", Path: "/mw"})
	for _, c := range []struct {
		method, host, origin string
		want                 int
	}{
		{"POST", "rebound.example:9090", "http://rebound.example:9090", 403},
		{"DELETE", "rebound.example", "http://rebound.example", 403},
		{"POST", "rebound.example:9090", "null", 403},
		{"GET", "rebound.example:9090", "http://rebound.example:9090", 204}, // Told apart from no program.
		{"POST", "rebound.example:9090", "", 204},                           // A program.
		{"POST", "127.0.0.1:9090", "http://127.0.0.1:9090", 204},
		{"POST", "[::1]:9090", "http://[::1]:9090", 204},
		{"PUT", "LOCALHOST:9090", "http://localhost:9090", 204},
		{"POST", "mw.localhost:9090", "http://mw.localhost:9090", 204},
		{"POST", "watch.example.org", "https://watch.example.org", 204},
		{"POST", "notlocalhost:9090", "http://notlocalhost:9090", 403},
	} {
		r := httptest.NewRequest(c.method, "/ai/v1/config/files", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, c.want, w.Code, "%+v: %s", c, w.Body)
	}
}
