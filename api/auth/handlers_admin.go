package auth

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

type userView struct {
	ID         string     `json:"id,omitempty"`
	Name       string     `json:"name"`
	Role       Role       `json:"role"`
	Source     string     `json:"source"`
	MustChange bool       `json:"mustChangePassword"`
	Disabled   bool       `json:"disabled"`
	Created    *time.Time `json:"created,omitempty"`
	LastLogin  *time.Time `json:"lastLogin,omitempty"`
}

func viewOf(u *User) userView {
	v := userView{ID: u.ID, Name: u.Name, Role: u.Role, Source: "password", MustChange: u.MustChange, Disabled: u.Disabled, Created: &u.Created}
	if u.Subject != "" {
		v.Source = "oidc"
	}
	if !u.LastLogin.IsZero() {
		v.LastLogin = &u.LastLogin
	}
	return v
}

// userAnswer is a user, with the password made for it, shown this once.
type userAnswer struct {
	userView
	Password string `json:"password,omitempty"`
}

func (a *Auth) serveUsers(w http.ResponseWriter, _ *http.Request) error {
	out := []userView{}
	for _, u := range a.allUsers() {
		out = append(out, viewOf(u))
	}
	writeJSON(w, http.StatusOK, map[string]any{"users": out})
	return nil
}

// serveAddUser makes a user. Without a password it makes one, and answers it.
// The user has to change either at the first log-in.
func (a *Auth) serveAddUser(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name     string `json:"name"`
		Role     string `json:"role"`
		Password string `json:"password"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := checkName(in.Name); err != nil {
		return err
	}
	role, err := ParseUserRole(in.Role)
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	password, made, err := choosePassword(in.Password, in.Name)
	if err != nil {
		return err
	}
	say(r.Context(), fmt.Sprintf("make the user %s with role %s", in.Name, role))
	hash, err := a.hasher.hash(r.Context(), password)
	if err != nil {
		return err
	}
	u := &User{Name: in.Name, Role: role, Hash: hash, MustChange: true}
	if err := a.addUser(r.Context(), u); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, userAnswer{viewOf(u), made})
	return nil
}

// choosePassword checks the one that was sent, or makes one.
func choosePassword(sent, name string) (password, made string, err error) {
	if sent == "" {
		made = newPassword()
		return made, made, nil
	}
	if err := checkPassword(sent, name); err != nil {
		return "", "", refuse(http.StatusBadRequest, "password: %s", err)
	}
	return sent, "", nil
}

// serveEditUser changes the role, shuts out, lets in again, or sets a password.
func (a *Auth) serveEditUser(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Role     *string `json:"role"`
		Disabled *bool   `json:"disabled"`
		// Password is the new one; ResetPassword makes one and answers it.
		Password      string `json:"password"`
		ResetPassword bool   `json:"resetPassword"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	old := a.user(r.PathValue("id"))
	if old == nil {
		return refuse(http.StatusNotFound, "there is no such user")
	}
	var did []string
	var role Role
	if in.Role != nil {
		var err error
		if role, err = ParseUserRole(*in.Role); err != nil {
			return refuse(http.StatusBadRequest, "%s", err)
		}
		if old.Subject != "" {
			return refuse(http.StatusConflict, "the role of %s comes from OpenID Connect at each log-in: change the groups there, or web.auth.oidc.roles", old.Name)
		}
		did = append(did, "role "+string(role))
	}
	if in.Disabled != nil {
		did = append(did, fmt.Sprintf("disabled %t", *in.Disabled))
	}
	var hash, made string
	if in.Password != "" || in.ResetPassword {
		if old.Subject != "" {
			return refuse(http.StatusConflict, "%s logs in by OpenID Connect and has no password here", old.Name)
		}
		if in.Password != "" && in.ResetPassword {
			return refuse(http.StatusBadRequest, "send password or resetPassword, not both")
		}
		password, m, err := choosePassword(in.Password, old.Name)
		if err != nil {
			return err
		}
		if hash, err = a.hasher.hash(r.Context(), password); err != nil {
			return err
		}
		made = m
		did = append(did, "a new password")
	}
	if len(did) == 0 {
		return refuse(http.StatusBadRequest, "nothing to change: send role, disabled, password or resetPassword")
	}
	say(r.Context(), "set for the user "+old.Name+": "+strings.Join(did, ", "))
	var drop func(*session) bool
	if hash != "" || in.Disabled != nil && *in.Disabled {
		drop = everySession
	}
	u, err := a.editUser(r.Context(), old.ID, drop, func(u *User) error {
		if in.Role != nil {
			u.Role = role
		}
		if in.Disabled != nil {
			u.Disabled = *in.Disabled
		}
		if hash != "" {
			u.Hash, u.MustChange = hash, true
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, userAnswer{viewOf(u), made})
	return nil
}

func (a *Auth) serveDeleteUser(w http.ResponseWriter, r *http.Request) error {
	if u := a.user(r.PathValue("id")); u != nil {
		say(r.Context(), "delete the user "+u.Name)
	}
	if _, err := a.deleteUser(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (a *Auth) serveEndUserSessions(w http.ResponseWriter, r *http.Request) error {
	u := a.user(r.PathValue("id"))
	if u == nil {
		return refuse(http.StatusNotFound, "there is no such user")
	}
	say(r.Context(), "end the sessions of the user "+u.Name)
	n, err := a.endSessions(r.Context(), u.ID, everySession)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]int{"ended": n})
	return nil
}

type tokenView struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Role    Role       `json:"role"`
	Start   string     `json:"start"`
	By      string     `json:"createdBy"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Expired bool       `json:"expired"`
	Used    *time.Time `json:"lastUsed,omitempty"`
}

func (a *Auth) tokenView(t *token) tokenView {
	v := tokenView{ID: t.ID, Name: t.Name, Role: t.Role, Start: t.Start, By: t.By, Created: t.Created, Expired: t.expired(a.opts.Now())}
	if !t.Expires.IsZero() {
		v.Expires = &t.Expires
	}
	if used := t.lastUsed(); !used.IsZero() {
		v.Used = &used
	}
	return v
}

func (a *Auth) serveTokens(w http.ResponseWriter, _ *http.Request) error {
	out := []tokenView{}
	for _, t := range a.allTokens() {
		out = append(out, a.tokenView(t))
	}
	writeJSON(w, http.StatusOK, map[string]any{"tokens": out})
	return nil
}

// Life of tokens.
const (
	defaultTokenLife = 365 * 24 * time.Hour
	maxTokenLife     = 10 * 365 * 24 * time.Hour
)

// serveAddToken makes a token and answers its text, this once.
func (a *Auth) serveAddToken(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name string `json:"name"`
		Role string `json:"role"`
		// TTL is a duration such as 90d, or never; nothing is a year.
		TTL string `json:"ttl"`
	}
	if err := decode(w, r, &in); err != nil {
		return err
	}
	if err := checkName(in.Name); err != nil {
		return err
	}
	role, err := ParseTokenRole(in.Role)
	if err != nil {
		return refuse(http.StatusBadRequest, "%s", err)
	}
	record := tokenRecord{Name: in.Name, Role: role}
	switch in.TTL {
	case "never":
	case "":
		record.Expires = a.opts.Now().UTC().Add(defaultTokenLife)
	default:
		ttl, err := model.ParseDuration(in.TTL)
		if err != nil || ttl <= 0 || time.Duration(ttl) > maxTokenLife {
			return refuse(http.StatusBadRequest, "ttl: %q is not a duration of at most 10y: write it as 90d or 12h, or never", clip(in.TTL, 50))
		}
		record.Expires = a.opts.Now().UTC().Add(time.Duration(ttl))
	}
	if p, ok := From(r.Context()); ok {
		record.By = p.who()
	}
	say(r.Context(), fmt.Sprintf("make the token %s with role %s", in.Name, role))
	t, text, err := a.addToken(r.Context(), record)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, struct {
		tokenView
		Token string `json:"token"`
	}{a.tokenView(t), text})
	return nil
}

func (a *Auth) serveDeleteToken(w http.ResponseWriter, r *http.Request) error {
	t, err := a.deleteToken(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	say(r.Context(), "revoke the token "+t.Name)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
