package auth

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

const maxNext = 2048

// safeNext is where to go after log-in: next if it is a path of this origin, and
// the first page otherwise. Browsers read a backslash as a slash and drop tabs
// and line ends, so none of these may be in it.
func safeNext(next string) string {
	if next == "" || len(next) > maxNext || next[0] != '/' || strings.HasPrefix(next, "//") {
		return "/"
	}
	for i := range len(next) {
		if c := next[i]; c <= ' ' || c == '\\' || c == 0x7f {
			return "/"
		}
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	if strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") || u.Path == "/login" || strings.HasPrefix(u.Path, "/ai/v1/auth/") {
		return "/"
	}
	return next
}

// client is the address that a request comes from, as far as it can be trusted:
// of X-Forwarded-For only what trusted proxies have added counts.
func (a *Auth) client(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if !a.trusted(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			break
		}
		addr = hop.Unmap().WithZone("")
		if !a.trusted(addr) {
			break
		}
	}
	return addr
}

func (a *Auth) trusted(addr netip.Addr) bool {
	for _, p := range a.opts.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// neighbourhood is what limits count as one address: one of IPv4, and of IPv6
// the /64 that a single customer gets.
func neighbourhood(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
