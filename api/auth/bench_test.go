package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/modelwatch/modelwatch/api/auth"
)

// BenchmarkMiddleware is what the guard adds to a request.
func BenchmarkMiddleware(b *testing.B) {
	store := newStore()
	a, first, err := auth.New(b.Context(), auth.Options{Enabled: true, Store: store, Journal: store, Logger: discard()})
	if err != nil {
		b.Fatal(err)
	}
	h := a.Middleware(a.Handler())
	call := func(method, path, body string, set func(*http.Request)) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		set(r)
		h.ServeHTTP(rec, r)
		return rec
	}
	rec := call("POST", "/ai/v1/auth/login", credentials("admin", first), func(*http.Request) {})
	cookie := rec.Result().Cookies()[0]
	csrf, _ := jsonField(rec, "csrfToken")
	const password = "correct horse battery"
	rec = call("POST", "/ai/v1/auth/password", `{"current":"`+first+`","new":"`+password+`"}`, func(r *http.Request) {
		r.AddCookie(cookie)
		r.Header.Set(auth.CSRFHeader, csrf)
	})
	cookie = rec.Result().Cookies()[0]
	csrf, _ = jsonField(rec, "csrfToken")
	rec = call("POST", "/ai/v1/auth/tokens", `{"name":"t","role":"viewer"}`, func(r *http.Request) {
		r.AddCookie(cookie)
		r.Header.Set(auth.CSRFHeader, csrf)
	})
	token, _ := jsonField(rec, "token")
	next := a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, set := range map[string]func(*http.Request){
		"session": func(r *http.Request) { r.AddCookie(cookie) },
		"token":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		"basic":   func(r *http.Request) { r.SetBasicAuth("admin", password) },
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), "GET", "/api/v1/query_range?query=up", nil)
			set(r)
			rec := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				next.ServeHTTP(rec, r)
			}
			if rec.Code != http.StatusOK {
				b.Fatal(rec.Code, rec.Body)
			}
		})
	}
	b.Run("password", func(b *testing.B) { // The same work as one log-in.
		for b.Loop() {
			if _, _, err := auth.New(b.Context(), auth.Options{Enabled: true, Store: store, Journal: store, Logger: discard()}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
