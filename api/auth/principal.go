package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Kinds of principals.
const (
	ByNobody  = "off" // authentication is off
	BySession = "session"
	ByToken   = "token"
	ByBasic   = "basic"
)

// Principal is who asks.
type Principal struct {
	// Kind says how we know.
	Kind string
	// Name is the user's, or the token's.
	Name string
	Role Role

	user    *User // nil for tokens
	session *session
	secret  string // of the session
}

// Who is how the audit log names a principal.
func (p *Principal) who() string {
	if p.Kind == ByToken {
		return "token " + p.Name
	}
	return p.Name
}

type principalKey struct{}

// From returns who asks; ok is false outside of the middleware and on public
// paths.
func From(ctx context.Context) (p *Principal, ok bool) {
	p, ok = ctx.Value(principalKey{}).(*Principal)
	return p, ok
}

// errNobody is a request without credentials, errUnknown one whose session or
// token is not, or no longer, known.
var (
	errNobody  = errors.New("no credentials")
	errUnknown = errors.New("unknown credentials")
)

// identify finds who asks. An Authorization header alone decides where there is
// one. Errors are errNobody, errUnknown and those of checkCredentials.
func (a *Auth) identify(r *http.Request) (*Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		if name, password, ok := r.BasicAuth(); ok {
			u, err := a.checkCredentials(r.Context(), name, password, a.client(r))
			if err != nil {
				return nil, err
			}
			return &Principal{Kind: ByBasic, Name: u.Name, Role: u.Role, user: u}, nil
		}
		t := a.findToken(header)
		if t == nil {
			return nil, errUnknown
		}
		return &Principal{Kind: ByToken, Name: t.Name, Role: t.Role}, nil
	}
	if len(r.CookiesNamed(CookieName)) == 0 {
		return nil, errNobody
	}
	s, secret := a.findSession(r)
	if s == nil {
		return nil, errUnknown
	}
	u := a.user(s.User)
	if u == nil || u.Disabled || !a.belongs(u) {
		return nil, errUnknown
	}
	s.touch(a.opts.Now())
	return &Principal{Kind: BySession, Name: u.Name, Role: u.Role, user: u, session: s, secret: secret}, nil
}

// belongs tells whether a user of OpenID Connect comes from the issuer that is
// configured now.
func (a *Auth) belongs(u *User) bool {
	return u.Subject == "" || a.oidc != nil && strings.HasPrefix(u.Subject, a.oidc.opts.Issuer+" ")
}
