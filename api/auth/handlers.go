package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// Handler serves /ai/v1/auth/. It stands behind Middleware, like everything else.
func (a *Auth) Handler() *http.ServeMux { return a.handler }

// maxBody bounds what these endpoints read.
const maxBody = 16 << 10

func (a *Auth) routes() *http.ServeMux {
	mux := http.NewServeMux()
	const at = "/ai/v1/auth/"
	handle := func(pattern string, f func(w http.ResponseWriter, r *http.Request) error) {
		mux.Handle(pattern, a.handle(f))
	}
	mux.Handle("GET "+at+"me", http.HandlerFunc(a.serveMe))
	if !a.opts.Enabled {
		mux.HandleFunc(at, func(w http.ResponseWriter, _ *http.Request) {
			a.answer(w, http.StatusNotFound, problem{Error: "authentication is off: web.auth.enabled turns it on", Code: "off"})
		})
		return mux
	}
	handle("POST "+at+"login", a.serveLogin)
	handle("POST "+at+"logout", a.serveLogout)
	handle("POST "+at+"password", a.servePassword)
	handle("GET "+at+"sessions", a.serveSessions)
	handle("DELETE "+at+"sessions", a.serveEndSessions)
	handle("DELETE "+at+"sessions/{id}", a.serveEndSession)
	mux.HandleFunc("GET "+at+"oidc/login", a.serveOIDCLogin)
	mux.HandleFunc("GET "+at+"oidc/callback", a.serveOIDCCallback)

	handle("GET "+at+"users", a.serveUsers)
	handle("POST "+at+"users", a.serveAddUser)
	handle("PATCH "+at+"users/{id}", a.serveEditUser)
	handle("DELETE "+at+"users/{id}", a.serveDeleteUser)
	handle("DELETE "+at+"users/{id}/sessions", a.serveEndUserSessions)
	handle("GET "+at+"tokens", a.serveTokens)
	handle("POST "+at+"tokens", a.serveAddToken)
	handle("DELETE "+at+"tokens/{id}", a.serveDeleteToken)
	handle("GET "+at+"audit", a.serveAudit)
	return mux
}

// handle answers the error of f.
func (a *Auth) handle(f func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f(w, r)
		var (
			fl   *fault
			over limited
		)
		switch {
		case err == nil:
		case errors.As(err, &fl):
			a.answer(w, fl.status, problem{Error: fl.text})
		case errors.As(err, &over):
			a.tooMany(w, over)
		case errors.Is(err, errBusy):
			w.Header().Set("Retry-After", "1")
			a.answer(w, http.StatusServiceUnavailable, problem{Error: err.Error(), Code: "busy"})
		default:
			if r.Context().Err() == nil {
				a.logger.Error("Answer a request", "method", r.Method, "path", r.URL.Path, "err", err)
			}
			a.answer(w, http.StatusInternalServerError, problem{Error: "this did not work: see the log of modelwatch"})
		}
	})
}

// decode reads a JSON object strictly. The content type must say so: a form of
// another page cannot.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return refuse(http.StatusUnsupportedMediaType, "send JSON, with Content-Type: application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return refuse(http.StatusRequestEntityTooLarge, "the body is over %d bytes", maxBody)
		}
		// The text of the error may hold what was sent, a password even.
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return refuse(http.StatusBadRequest, "the body is not JSON, at byte %d", syntax.Offset)
		}
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && kind.Field != "" {
			return refuse(http.StatusBadRequest, "%s: it must be a %s", kind.Field, kind.Type)
		}
		return refuse(http.StatusBadRequest, "the body is not a JSON object of the documented fields")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return refuse(http.StatusBadRequest, "the body goes on after the JSON object")
	}
	return nil
}

type meView struct {
	AuthEnabled bool        `json:"authEnabled"`
	User        *userView   `json:"user"`
	Role        Role        `json:"role,omitempty"`
	Kind        string      `json:"kind,omitempty"`
	CSRFToken   string      `json:"csrfToken,omitempty"`
	MustChange  bool        `json:"mustChangePassword"`
	Expires     *time.Time  `json:"expires,omitempty"`
	MinPassword int         `json:"minPasswordLength"`
	OIDC        *oidcButton `json:"oidc,omitempty"`
}

type oidcButton struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

func (a *Auth) me(p *Principal) meView {
	m := meView{AuthEnabled: a.opts.Enabled, MinPassword: minPassword}
	if a.oidc != nil {
		m.OIDC = &oidcButton{Name: a.oidc.opts.Name, Path: "ai/v1/auth/oidc/login"}
	}
	if p == nil {
		return m
	}
	m.Role, m.Kind = p.Role, p.Kind
	if p.user != nil {
		v := viewOf(p.user)
		m.User, m.MustChange = &v, p.user.MustChange
	} else if p.Name != "" {
		m.User = &userView{Name: p.Name, Role: p.Role, Source: p.Kind}
	}
	if p.session != nil {
		m.CSRFToken, m.Expires = csrfToken(p.secret), &p.session.Expires
	}
	return m
}

// serveMe answers everybody, so that the page of log-in knows what to show.
func (a *Auth) serveMe(w http.ResponseWriter, r *http.Request) {
	if !a.opts.Enabled {
		writeJSON(w, http.StatusOK, a.me(&Principal{Kind: ByNobody, Role: Admin}))
		return
	}
	p, err := a.identify(r)
	if err != nil && !errors.Is(err, errNobody) && r.Header.Get("Authorization") != "" {
		a.stranger(w, r, err)
		return
	}
	if errors.Is(err, errUnknown) {
		a.dropCookie(w, r)
	}
	writeJSON(w, http.StatusOK, a.me(p))
}

func (a *Auth) serveLogin(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	e := a.eventOf(r, nil)
	e.Who = "somebody unknown" // Not what was typed: it may be a password.
	if u := a.userNamed(in.User); u != nil {
		e.Who = u.Name
	}
	u, err := a.checkCredentials(r.Context(), in.User, in.Password, a.client(r))
	if err == nil {
		err = a.letIn(w, r, u, "password")
	}
	if err != nil {
		result := "error"
		var f *fault
		switch {
		case errors.As(err, &limited{}), errors.Is(err, errBusy):
			result = "limited"
		case errors.As(err, &f) && f.status == http.StatusUnauthorized:
			result = "wrong"
			e.Action, e.Status = "log-in refused", f.status
			a.noteStranger(r.Context(), e)
		}
		a.metrics.logins.WithLabelValues("password", result).Inc()
		return err
	}
	a.metrics.logins.WithLabelValues("password", "ok").Inc()
	return nil
}

// letIn opens a session for a user whose identity is proven, and answers.
func (a *Auth) letIn(w http.ResponseWriter, r *http.Request, u *User, method string) error {
	p, err := a.open(w, r, u, method)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, a.me(p))
	return nil
}

func (a *Auth) open(w http.ResponseWriter, r *http.Request, u *User, method string) (*Principal, error) {
	secret, s, err := a.startSession(r.Context(), u, method, r)
	if err != nil {
		return nil, err
	}
	a.cameIn(r.Context(), u.ID, a.client(r), true)
	p := &Principal{Kind: BySession, Name: u.Name, Role: u.Role, user: u, session: s, secret: secret}
	e := a.eventOf(r, p)
	e.Query = "" // It may hold the code of OpenID Connect.
	e.Action, e.Status = "logged in by "+method, http.StatusOK
	a.note(r.Context(), e)
	a.setCookie(w, r, secret, s)
	return p, nil
}

// serveLogout works without a session too: then there is nothing left to do.
func (a *Auth) serveLogout(w http.ResponseWriter, r *http.Request) error {
	s, secret := a.findSession(r)
	if s != nil {
		p := &Principal{Kind: BySession, session: s, secret: secret}
		if u := a.user(s.User); u != nil {
			p.Name, p.Role = u.Name, u.Role
		}
		if !a.csrfHolds(r, p) {
			return refuse(http.StatusForbidden, "the header %s is missing or does not belong to this session", CSRFHeader)
		}
		if _, err := a.endSessions(r.Context(), s.User, func(o *session) bool { return o == s }); err != nil {
			return err
		}
		e := a.eventOf(r, p)
		e.Action, e.Status = "logged out", http.StatusNoContent
		a.note(r.Context(), e)
	}
	a.dropCookie(w, r)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// person is who asks, where that must be somebody with an account.
func person(r *http.Request) (*Principal, error) {
	p, ok := From(r.Context())
	if !ok || p.user == nil {
		return nil, refuse(http.StatusForbidden, "this is for people: a token has no account")
	}
	return p, nil
}

func (a *Auth) servePassword(w http.ResponseWriter, r *http.Request) error {
	p, err := person(r)
	if err != nil {
		return err
	}
	if p.user.Subject != "" {
		return refuse(http.StatusConflict, "your password is kept where you log in by OpenID Connect: change it there")
	}
	var in struct {
		Current string `json:"current"`
		New     string `json:"new"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	say(r.Context(), "change the own password")
	if _, err := a.checkCredentials(r.Context(), p.Name, in.Current, a.client(r)); err != nil {
		if _, ok := errors.AsType[*fault](err); ok {
			return refuse(http.StatusForbidden, "current: this is not your password")
		}
		return err
	}
	if err := checkPassword(in.New, p.Name); err != nil {
		return refuse(http.StatusBadRequest, "new: %s", err)
	}
	if in.New == in.Current {
		return refuse(http.StatusBadRequest, "new: it is the password that you have")
	}
	hash, err := a.hasher.hash(r.Context(), in.New)
	if err != nil {
		return err
	}
	// Whoever may know the old password is out.
	u, err := a.editUser(r.Context(), p.user.ID, everySession, func(u *User) error {
		u.Hash, u.MustChange = hash, false
		return nil
	})
	if err != nil {
		return err
	}
	if p.Kind != BySession {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return a.letIn(w, r, u, "new password")
}

type sessionView struct {
	ID      string    `json:"id"`
	Current bool      `json:"current"`
	Method  string    `json:"method"`
	Address string    `json:"address,omitempty"`
	Agent   string    `json:"userAgent,omitempty"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"lastSeen"`
	Expires time.Time `json:"expires"`
}

func (a *Auth) serveSessions(w http.ResponseWriter, r *http.Request) error {
	p, err := person(r)
	if err != nil {
		return err
	}
	out := []sessionView{}
	for _, s := range a.sessionsOf(p.user.ID) {
		out = append(out, sessionView{s.id(), s == p.session, s.Method, s.Address, s.Agent, s.Created, s.lastSeen(), s.Expires})
	}
	writeJSON(w, http.StatusOK, map[string]any{"sessions": out})
	return nil
}

// serveEndSessions ends all of one's sessions but the one that asks.
func (a *Auth) serveEndSessions(w http.ResponseWriter, r *http.Request) error {
	p, err := person(r)
	if err != nil {
		return err
	}
	n, err := a.endSessions(r.Context(), p.user.ID, func(s *session) bool { return s != p.session })
	if err != nil {
		return err
	}
	say(r.Context(), fmt.Sprintf("end %d other sessions of one's own", n))
	writeJSON(w, http.StatusOK, map[string]int{"ended": n})
	return nil
}

func (a *Auth) serveEndSession(w http.ResponseWriter, r *http.Request) error {
	p, err := person(r)
	if err != nil {
		return err
	}
	say(r.Context(), "end a session of one's own")
	id := r.PathValue("id")
	n, err := a.endSessions(r.Context(), p.user.ID, func(s *session) bool { return s.id() == id })
	if err != nil {
		return err
	}
	if n == 0 {
		return refuse(http.StatusNotFound, "you have no such session")
	}
	if p.session != nil && p.session.id() == id {
		a.dropCookie(w, r)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *Auth) serveAudit(w http.ResponseWriter, r *http.Request) error {
	limit, before := 100, int64(0)
	var err error
	if s := r.FormValue("limit"); s != "" {
		if limit, err = strconv.Atoi(s); err != nil || limit < 1 || limit > 1000 {
			return refuse(http.StatusBadRequest, "parameter limit: %q is not a number from 1 to 1000", clip(s, 50))
		}
	}
	if s := r.FormValue("before"); s != "" {
		if before, err = strconv.ParseInt(s, 10, 64); err != nil || before < 1 {
			return refuse(http.StatusBadRequest, "parameter before: %q is not the seq of an event", clip(s, 50))
		}
	}
	events, err := a.events(r.Context(), before, limit)
	if err != nil {
		return err
	}
	out := struct {
		Events []Event `json:"events"`
		// Next is the value of before for the next page.
		Next int64 `json:"next,omitempty"`
	}{Events: events}
	if len(events) == limit && events[len(events)-1].Seq > 1 {
		out.Next = events[len(events)-1].Seq
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}
