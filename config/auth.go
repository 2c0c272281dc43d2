package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// Auth says who may do what over HTTP; see docs/authentication.md.
type Auth struct {
	// Enabled turns authentication on. Without it everybody may do everything.
	Enabled bool `yaml:"enabled,omitempty"`
	// SessionLifetime is the longest that a session of the page lasts,
	// SessionIdle how long without a request.
	SessionLifetime model.Duration `yaml:"session_lifetime,omitempty"`
	SessionIdle     model.Duration `yaml:"session_idle,omitempty"`
	// TrustedProxies are addresses or networks whose X-Forwarded-For counts.
	TrustedProxies []string `yaml:"trusted_proxies,omitempty"`
	// OIDC is log-in by OpenID Connect; nil is none.
	OIDC *OIDC `yaml:"oidc,omitempty"`
}

// OIDC is log-in by OpenID Connect.
type OIDC struct {
	// Name is on the button of the page.
	Name     string `yaml:"name,omitempty"`
	Issuer   string `yaml:"issuer"`
	ClientID string `yaml:"client_id"`
	// ClientSecretFile holds the secret; empty is a public client.
	ClientSecretFile string `yaml:"client_secret_file,omitempty"`
	// Scopes are asked for besides openid.
	Scopes    []string `yaml:"scopes,omitempty"`
	NameClaim string   `yaml:"name_claim,omitempty"`
	RoleClaim string   `yaml:"role_claim,omitempty"`
	// Roles are the roles of groups, DefaultRole that of everybody else; empty
	// refuses them.
	Roles       map[string]string `yaml:"roles,omitempty"`
	DefaultRole string            `yaml:"default_role,omitempty"`
	// AllowedEmails are addresses, or domains as @example.org.
	AllowedEmails []string `yaml:"allowed_emails,omitempty"`
	// TrustEmail takes addresses that the issuer does not call verified.
	TrustEmail bool `yaml:"trust_email,omitempty"`
}

// Default lives of sessions.
const (
	DefaultSessionLifetime = 7 * 24 * time.Hour
	DefaultSessionIdle     = 12 * time.Hour
)

func (a *Auth) setDefaults() {
	set(&a.SessionLifetime, model.Duration(DefaultSessionLifetime))
	set(&a.SessionIdle, model.Duration(DefaultSessionIdle))
}

// paths are the files that the section names.
func (a *Auth) paths() []*string {
	if a.OIDC == nil {
		return nil
	}
	return []*string{&a.OIDC.ClientSecretFile}
}

// Proxies are TrustedProxies, read. Validated ones have no error.
func (a *Auth) Proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, text := range a.TrustedProxies {
		p, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// parseNetwork reads an address or a network.
func parseNetwork(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network", text)
	}
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// adder notes a problem of the setting at path.
type adder func(reason, hint string, path ...string)

func (a *Auth) validate(add adder) {
	at := func(path ...string) []string { return append([]string{"web", "auth"}, path...) }
	if a.SessionLifetime != 0 && a.SessionIdle > a.SessionLifetime {
		add("longer than session_lifetime", "a session cannot idle for longer than it lasts", at("session_idle")...)
	}
	for i, text := range a.TrustedProxies {
		p, err := parseNetwork(text)
		switch {
		case err != nil:
			add(err.Error(), "write an address such as 10.0.0.7, or a network such as 10.0.0.0/24", at("trusted_proxies", strconv.Itoa(i))...)
		case p.Bits() == 0:
			add(fmt.Sprintf("%q is everybody, who could then claim any address", text), "name the addresses of your proxies alone", at("trusted_proxies", strconv.Itoa(i))...)
		}
	}
	if a.OIDC != nil {
		a.OIDC.validate(add, at("oidc"))
	}
}

var userRoles = []string{"viewer", "editor", "admin"}

const roleHint = "choose viewer, editor or admin"

func (o *OIDC) validate(add adder, path []string) {
	at := func(more ...string) []string { return append(slices.Clone(path), more...) }
	u, err := url.Parse(o.Issuer)
	switch {
	case o.Issuer == "":
		add("issuer is missing", "it is the URL below which /.well-known/openid-configuration lies", at()...)
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		add(fmt.Sprintf("%q is not a URL", o.Issuer), "write it as the issuer does, for example https://login.example.org", at("issuer")...)
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		add("tokens over http can be read on the way", "use https", at("issuer")...)
	}
	if o.ClientID == "" {
		add("client_id is missing", "register modelwatch with the issuer", at()...)
	}
	if len(o.Roles) == 0 && o.DefaultRole == "" {
		add("nobody could log in", "give groups their roles under roles, or set default_role", at()...)
	}
	for group, role := range o.Roles {
		if !slices.Contains(userRoles, role) {
			add(fmt.Sprintf("the role %q does not exist", role), roleHint, at("roles", group)...)
		}
	}
	if o.DefaultRole != "" && !slices.Contains(userRoles, o.DefaultRole) {
		add(fmt.Sprintf("the role %q does not exist", o.DefaultRole), roleHint, at("default_role")...)
	}
	for i, e := range o.AllowedEmails {
		if n := strings.LastIndexByte(e, '@'); n < 0 || n == len(e)-1 {
			add(fmt.Sprintf("%q is neither an address nor a domain", e), "write me@example.org or @example.org", at("allowed_emails", strconv.Itoa(i))...)
		}
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
