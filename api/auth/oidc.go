package auth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// OIDC says how people log in by OpenID Connect.
type OIDC struct {
	// Name is what the button of the page says.
	Name string
	// Issuer is the URL below which /.well-known/openid-configuration lies.
	Issuer       string
	ClientID     string
	ClientSecret string
	// Scopes are asked for besides openid; nil means profile, email and groups.
	Scopes []string
	// NameClaim names the user; empty means email, then preferred_username.
	NameClaim string
	// RoleClaim holds groups, as a list or one text; dots lead into objects. Empty
	// means groups.
	RoleClaim string
	// Roles are the roles of groups. The highest of somebody's groups counts.
	Roles map[string]Role
	// DefaultRole is for those in none of these groups; empty refuses them.
	DefaultRole Role
	// AllowedEmails are addresses, or domains as @example.org; nil allows all.
	AllowedEmails []string
	// TrustEmail takes addresses that the issuer does not call verified.
	TrustEmail bool
	// Client makes the requests; nil means one with a limit of 10 s.
	Client *http.Client
}

// Check says what is wrong with the settings.
func (o OIDC) Check() error {
	var errs []error
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		errs = append(errs, fmt.Errorf("issuer: %q is not a URL such as https://login.example.org", o.Issuer))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		errs = append(errs, errors.New("issuer: tokens over http can be read on the way: use https"))
	}
	if o.ClientID == "" {
		errs = append(errs, errors.New("client_id: it is missing: register modelwatch with the issuer"))
	}
	if len(o.Roles) == 0 && o.DefaultRole == "" {
		errs = append(errs, errors.New("roles: nobody could log in: give groups their roles, or set default_role"))
	}
	for group, role := range o.Roles {
		if _, err := ParseUserRole(string(role)); err != nil {
			errs = append(errs, fmt.Errorf("roles: group %q: %w", group, err))
		}
	}
	if o.DefaultRole != "" {
		if _, err := ParseUserRole(string(o.DefaultRole)); err != nil {
			errs = append(errs, fmt.Errorf("default_role: %w", err))
		}
	}
	for _, e := range o.AllowedEmails {
		if at := strings.LastIndexByte(e, '@'); at < 0 || at == len(e)-1 {
			errs = append(errs, fmt.Errorf("allowed_emails: %q is neither an address nor a domain such as @example.org", e))
		}
	}
	return errors.Join(errs...)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// stateCookie holds what the browser brings back besides the answer of the
// issuer.
const (
	stateCookie = "modelwatch_oidc"
	stateLife   = 10 * time.Minute
)

// state is what a log-in under way must remember. It is sealed into a cookie, so
// that nobody can fill our memory by beginning log-ins.
type state struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"x"`
	Expires  time.Time `json:"e"`
}

type oidcClient struct {
	opts     OIDC
	redirect string
	client   *http.Client
	seal     cipher.AEAD

	mu       sync.Mutex
	provider *oidc.Provider
	failed   time.Time
	err      error
}

func newOIDC(o OIDC, external *url.URL) (*oidcClient, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("OpenID Connect: %w", err)
	}
	if external == nil {
		return nil, errors.New("OpenID Connect needs the external URL to come back to")
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email", "groups"}
	}
	if o.RoleClaim == "" {
		o.RoleClaim = "groups"
	}
	if o.Name == "" {
		o.Name = "OpenID Connect"
	}
	c := &oidcClient{opts: o, redirect: external.JoinPath("ai/v1/auth/oidc/callback").String(), client: o.Client}
	if c.client == nil {
		c.client = &http.Client{Timeout: 10 * time.Second}
	}
	block, err := aes.NewCipher(random(32))
	if err != nil {
		return nil, fmt.Errorf("OpenID Connect: %w", err)
	}
	if c.seal, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("OpenID Connect: %w", err)
	}
	return c, nil
}

// find asks the issuer for its addresses, when somebody first logs in: the issuer
// may be down when modelwatch starts. A failure holds for five seconds.
func (c *oidcClient) find(now time.Time) (*oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider != nil {
		return c.provider, nil
	}
	if c.err != nil && now.Sub(c.failed) < 5*time.Second {
		return nil, c.err
	}
	// Its keys are fetched with this context later on, whoever asked first.
	p, err := oidc.NewProvider(oidc.ClientContext(context.Background(), c.client), c.opts.Issuer)
	if err != nil {
		c.failed, c.err = now, fmt.Errorf("ask issuer %s: %w", c.opts.Issuer, err)
		return nil, c.err
	}
	c.provider, c.err = p, nil
	return p, nil
}

func (c *oidcClient) config(p *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.opts.ClientID, ClientSecret: c.opts.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: c.redirect, Scopes: append([]string{oidc.ScopeOpenID}, c.opts.Scopes...),
	}
}

func (c *oidcClient) wrap(s state) string {
	nonce := random(c.seal.NonceSize())
	return base64.RawURLEncoding.EncodeToString(c.seal.Seal(nonce, nonce, encode(s), nil))
}

func (c *oidcClient) unwrap(text string, now time.Time) (state, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < c.seal.NonceSize() {
		return state{}, errors.New("the cookie of the log-in is damaged")
	}
	n := c.seal.NonceSize()
	plain, err := c.seal.Open(nil, raw[:n], raw[n:], nil)
	if err != nil {
		return state{}, errors.New("the cookie of the log-in is not of this process")
	}
	var s state
	if err := json.Unmarshal(plain, &s); err != nil {
		return state{}, errors.New("the cookie of the log-in is damaged")
	}
	if !now.Before(s.Expires) {
		return state{}, errors.New("the log-in took too long")
	}
	return s, nil
}

func (a *Auth) stateCookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: stateCookie, Value: value, Path: a.prefix + "/ai/v1/auth/oidc/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.opts.Secure || r.TLS != nil,
	}
}

// serveOIDCLogin sends the browser to the issuer.
func (a *Auth) serveOIDCLogin(w http.ResponseWriter, r *http.Request) {
	if a.oidc == nil {
		a.answer(w, http.StatusNotFound, problem{Error: "there is no log-in by OpenID Connect: web.auth.oidc sets it up", Code: "off"})
		return
	}
	now := a.opts.Now()
	p, err := a.oidc.find(now)
	if err != nil {
		a.oidcFailed(w, r, "issuer", "error", err)
		return
	}
	s := state{
		State: base64.RawURLEncoding.EncodeToString(random(32)), Nonce: base64.RawURLEncoding.EncodeToString(random(32)),
		Verifier: oauth2.GenerateVerifier(), Next: safeNext(r.FormValue("next")), Expires: now.Add(stateLife),
	}
	http.SetCookie(w, a.stateCookie(r, a.oidc.wrap(s), int(stateLife.Seconds())))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.oidc.config(p).AuthCodeURL(s.State, oidc.Nonce(s.Nonce), oauth2.S256ChallengeOption(s.Verifier)), http.StatusSeeOther)
}

// reason is an error with the word by which the page explains it.
type reason struct {
	word string
	error
}

// serveOIDCCallback takes the browser back from the issuer.
func (a *Auth) serveOIDCCallback(w http.ResponseWriter, r *http.Request) {
	if a.oidc == nil {
		a.answer(w, http.StatusNotFound, problem{Error: "there is no log-in by OpenID Connect", Code: "off"})
		return
	}
	address := neighbourhood(a.client(r))
	if wait, ok := a.perAddr.take(address, a.opts.Now()); !ok {
		a.metrics.logins.WithLabelValues("oidc", "limited").Inc()
		a.tooMany(w, limited{wait})
		return
	}
	http.SetCookie(w, a.stateCookie(r, "", -1))
	next, err := a.oidcLogin(w, r)
	if err != nil {
		word, result := "oidc", "error"
		if why, ok := errors.AsType[reason](err); ok {
			word, result = why.word, "wrong"
		}
		a.oidcFailed(w, r, word, result, err)
		return
	}
	a.perAddr.refund(address, a.opts.Now())
	a.metrics.logins.WithLabelValues("oidc", "ok").Inc()
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.prefix+next, http.StatusSeeOther)
}

// oidcFailed sends the browser back to the page of log-in. It says there only a
// word of a fixed list; the log says all.
func (a *Auth) oidcFailed(w http.ResponseWriter, r *http.Request, word, result string, err error) {
	a.metrics.logins.WithLabelValues("oidc", result).Inc()
	a.logger.Warn("Log in by OpenID Connect", "reason", word, "err", err)
	e := a.eventOf(r, nil)
	e.Query, e.Action, e.Status = "", "log-in by OpenID Connect refused: "+word, http.StatusUnauthorized
	a.noteStranger(r.Context(), e)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.prefix+"/login?error="+word, http.StatusSeeOther)
}

func (a *Auth) oidcLogin(w http.ResponseWriter, r *http.Request) (next string, err error) {
	c := a.oidc
	cookie, err := r.Cookie(stateCookie)
	if err != nil {
		return "", reason{"state", errors.New("the browser brought no cookie of the log-in")}
	}
	s, err := c.unwrap(cookie.Value, a.opts.Now())
	if err != nil {
		return "", reason{"state", err}
	}
	if subtle.ConstantTimeCompare([]byte(r.FormValue("state")), []byte(s.State)) != 1 {
		return "", reason{"state", errors.New("the answer belongs to another log-in")}
	}
	if word := r.FormValue("error"); word != "" {
		return "", reason{"denied", fmt.Errorf("the issuer says %q: %q", clip(word, 100), clip(r.FormValue("error_description"), 300))}
	}
	p, err := c.find(a.opts.Now())
	if err != nil {
		return "", err
	}
	ctx := oidc.ClientContext(r.Context(), c.client)
	tokens, err := c.config(p).Exchange(ctx, r.FormValue("code"), oauth2.VerifierOption(s.Verifier))
	if err != nil {
		return "", fmt.Errorf("exchange the code: %w", err)
	}
	raw, ok := tokens.Extra("id_token").(string)
	if !ok {
		return "", errors.New("the issuer gave no ID token")
	}
	id, err := p.VerifierContext(ctx, &oidc.Config{ClientID: c.opts.ClientID, Now: a.opts.Now}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("check the ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(s.Nonce)) != 1 {
		return "", reason{"state", errors.New("the ID token belongs to another log-in")}
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("read the ID token: %w", err)
	}
	name, role, err := c.judge(claims)
	if err != nil {
		return "", err
	}
	u, err := a.oidcUser(r.Context(), id.Issuer+" "+id.Subject, name, role)
	if err != nil {
		return "", err
	}
	if _, err := a.open(w, r, u, "oidc"); err != nil {
		return "", err
	}
	return s.Next, nil
}

// judge says who the claims are about and what they may do.
func (c *oidcClient) judge(claims map[string]any) (name string, role Role, err error) {
	email, _ := claims["email"].(string)
	verified := c.opts.TrustEmail || claims["email_verified"] == true || claims["email_verified"] == "true"
	if len(c.opts.AllowedEmails) > 0 {
		if email == "" || !verified {
			return "", "", reason{"email", errors.New("the issuer gives no verified email address: ask for the scope email, or set trust_email if the issuer can be trusted with it")}
		}
		if !allowedEmail(c.opts.AllowedEmails, email) {
			return "", "", reason{"not_allowed", fmt.Errorf("%q is not among allowed_emails", clip(email, 200))}
		}
	}
	role = c.opts.DefaultRole
	groups := claimTexts(claims, c.opts.RoleClaim)
	for _, g := range groups {
		if to, ok := c.opts.Roles[g]; ok && to.rank() > role.rank() {
			role = to
		}
	}
	if role.rank() == 0 {
		return "", "", reason{"no_role", fmt.Errorf("none of the %d groups in the claim %s has a role", len(groups), c.opts.RoleClaim)}
	}
	candidates := []string{c.opts.NameClaim}
	if c.opts.NameClaim == "" {
		candidates = []string{"email", "preferred_username"}
	}
	for _, claim := range candidates {
		if claim == "email" && !verified {
			continue
		}
		for _, text := range claimTexts(claims, claim) {
			if checkName(text) == nil {
				return text, role, nil
			}
		}
	}
	return "", "", reason{"no_name", fmt.Errorf("the claims %s hold no name", strings.Join(candidates, ", "))}
}

func allowedEmail(allowed []string, email string) bool {
	email = foldName(email)
	return slices.ContainsFunc(allowed, func(one string) bool {
		one = foldName(one)
		if strings.HasPrefix(one, "@") {
			at := strings.LastIndexByte(email, '@')
			return at > 0 && email[at:] == one
		}
		return one == email
	})
}

// claimTexts reads a claim that is a text or a list of texts. A name with dots is
// first looked up as it stands, then through objects.
func claimTexts(claims map[string]any, name string) []string {
	v, ok := claims[name]
	for rest := name; !ok; {
		first, after, more := strings.Cut(rest, ".")
		inner, isObject := claims[first].(map[string]any)
		if !more || !isObject {
			return nil
		}
		claims, rest = inner, after
		v, ok = claims[rest]
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, one := range v {
			if s, ok := one.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// oidcUser finds the user of a subject, or makes it, and sets name and role as
// the issuer says today. A user is known by issuer and subject alone: a name
// that somebody else has is refused, not taken over.
func (a *Auth) oidcUser(ctx context.Context, subject, name string, role Role) (*User, error) {
	var known *User
	for _, u := range a.allUsers() {
		if u.Subject == subject {
			known = u
		}
	}
	taken := a.userNamed(name)
	if taken != nil && taken.Subject != subject {
		return nil, reason{"name_taken", fmt.Errorf("there is another user %s: an admin may delete it", name)}
	}
	if known == nil {
		u := &User{Name: name, Role: role, Subject: subject}
		if err := a.addUser(ctx, u); err != nil {
			return nil, err
		}
		return u, nil
	}
	if known.Disabled {
		return nil, reason{"disabled", fmt.Errorf("the user %s is disabled", known.Name)}
	}
	if known.Name == name && known.Role == role {
		return known, nil
	}
	return a.renameUser(ctx, known.ID, name, role)
}

func (a *Auth) renameUser(ctx context.Context, id, name string, role Role) (*User, error) {
	var was string
	u, err := a.editUser(ctx, id, nil, func(u *User) error {
		if other := a.userNamed(name); other != nil && other.ID != id {
			return reason{"name_taken", fmt.Errorf("there is another user %s", name)}
		}
		was = u.Name
		u.Name, u.Role = name, role
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if foldName(was) != foldName(name) && a.names[foldName(was)] == id {
		delete(a.names, foldName(was))
	}
	return u, nil
}
