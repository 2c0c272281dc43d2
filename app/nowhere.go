package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// apis are the paths under which nothing is a page.
var apis = []string{"/ai/", "/loki/", "/api/", "/otlp/", "/v1/", "/debug/", "/-/"}

// methods are those that an API may answer.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// elsewhere answers what mux, or a mux within it, has for a path of the APIs but
// not for the method, or not at all, in the form of all other errors. Without
// it, one would get the page, or the plain text of the mux that was asked last.
func elsewhere(mux *http.ServeMux) http.Handler {
	for _, api := range apis {
		mux.HandleFunc(api, http.NotFound) // Not the page; answered below.
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answers(mux, r) {
			mux.ServeHTTP(w, r)
			return
		}
		status, text := http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path
		if allowed := allowed(mux, r); allowed != nil {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			status, text = http.StatusMethodNotAllowed, text+", only "+strings.Join(allowed, ", ")
		} else {
			text += ": see docs/configuration.md for the paths"
		}
		refuse(w, status, text)
	})
}

// answers tells whether a request has a handler of its own.
func answers(mux *http.ServeMux, r *http.Request) bool {
	h, pattern := mux.Handler(r)
	if pattern == "" || slices.Contains(apis, pattern) {
		return false
	}
	inner, ok := h.(*http.ServeMux)
	return !ok || answers(inner, r)
}

// allowed are the methods for which the path of a request has a handler.
func allowed(mux *http.ServeMux, r *http.Request) []string {
	var out []string
	probe := r.Clone(r.Context())
	for _, probe.Method = range methods {
		if answers(mux, probe) {
			out = append(out, probe.Method)
		}
	}
	return out
}

// notFound answers for a path that exists elsewhere, but not here.
func notFound(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path+": see docs/configuration.md for the paths")
}

func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text}) // Nobody is left to tell if the client is gone.
}
