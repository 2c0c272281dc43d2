package app

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// knownOrigins refuses changes that a browser sends from a page whose name is
// none of modelwatch's own. Such a page is of the same origin as far as the
// browser knows, because a stranger's name can be made to lead to this machine
// (DNS rebinding). Without authentication nothing else would stop it; with it,
// the page has no session. Programs send no Origin, and are not concerned.
func knownOrigins(next http.Handler, external *url.URL) http.Handler {
	own := []string{"localhost", external.Hostname()}
	if name, err := os.Hostname(); err == nil {
		own = append(own, name)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" && changes(r.Method) && !known(r.Host, own) {
			http.Error(w, "a page at "+r.Host+" may change nothing here, because this name is not known to be modelwatch's: open the page at "+
				external.String()+", or set web.external_url to the address that people use", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// known tells whether a host, with or without port, is an address or one of own.
func known(host string, own []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	if net.ParseIP(host) != nil || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	for _, o := range own {
		if o != "" && strings.EqualFold(host, o) {
			return true
		}
	}
	return false
}
