package auth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// User is somebody who logs in.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Subject is the issuer and the subject of OpenID Connect; empty for users with
	// a password.
	Subject string `json:"subject,omitempty"`
	// Hash is the password's, as a PHC string.
	Hash string `json:"hash,omitempty"`
	// MustChange lets the user do nothing before a new password is set.
	MustChange bool      `json:"mustChange,omitempty"`
	Disabled   bool      `json:"disabled,omitempty"`
	Created    time.Time `json:"created"`
	LastLogin  time.Time `json:"lastLogin,omitzero"`
	// From is where the right password came from, the last one first. Guesses from
	// elsewhere do not use up the attempts from there.
	From []string `json:"from,omitempty"`
}

const (
	maxName = 100
	maxFrom = 8
)

func checkName(name string) error {
	switch {
	case name == "" || name != strings.TrimSpace(name):
		return refuse(http.StatusBadRequest, "name: it is empty, or begins or ends with a space")
	case len(name) > maxName:
		return refuse(http.StatusBadRequest, "name: it is longer than %d bytes", maxName)
	case !utf8.ValidString(name):
		return refuse(http.StatusBadRequest, "name: it is not UTF-8")
	case strings.Contains(name, ":"):
		return refuse(http.StatusBadRequest, "name: basic auth allows no colon in it")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return refuse(http.StatusBadRequest, "name: it has characters that cannot be seen")
	}
	return nil
}

func (a *Auth) user(id string) *User {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.users[id]
}

func (a *Auth) userNamed(name string) *User {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.users[a.names[foldName(name)]]
}

// allUsers are the users by name.
func (a *Auth) allUsers() []*User {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]*User, 0, len(a.users))
	for _, u := range a.users {
		out = append(out, u)
	}
	slices.SortFunc(out, func(x, y *User) int { return strings.Compare(foldName(x.Name), foldName(y.Name)) })
	return out
}

// putUser stores a user, and ends those of its sessions that drop names, at once.
// The caller holds change.
func (a *Auth) putUser(ctx context.Context, u *User, drop func(*session) bool) error {
	save := map[string][]byte{userKey + u.ID: encode(u)}
	gone := a.sessionsToDrop(u.ID, drop, save)
	if err := a.opts.Store.SaveRecords(ctx, save); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users[u.ID] = u
	a.names[foldName(u.Name)] = u.ID
	for _, hash := range gone {
		delete(a.sessions, hash)
	}
	return nil
}

func (a *Auth) sessionsToDrop(user string, drop func(*session) bool, save map[string][]byte) (gone []string) {
	if drop == nil {
		return nil
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for hash, s := range a.sessions {
		if s.User == user && drop(s) {
			gone = append(gone, hash)
			save[sessionKey+hash] = nil
		}
	}
	return gone
}

func everySession(*session) bool { return true }

// addUser makes a user. The name must be free.
func (a *Auth) addUser(ctx context.Context, u *User) error {
	a.change.Lock()
	defer a.change.Unlock()
	if a.userNamed(u.Name) != nil {
		return refuse(http.StatusConflict, "there is a user %s already", u.Name)
	}
	a.mu.RLock()
	n := len(a.users)
	a.mu.RUnlock()
	if n >= maxUsers {
		return refuse(http.StatusConflict, "there are %d users, the most that are kept: delete some first", n)
	}
	u.ID, u.Created = newID(), a.opts.Now().UTC()
	return a.putUser(ctx, u, nil)
}

// editUser changes a user by edit, on a copy. Sessions that drop names end.
func (a *Auth) editUser(ctx context.Context, id string, drop func(*session) bool, edit func(*User) error) (*User, error) {
	a.change.Lock()
	defer a.change.Unlock()
	old := a.user(id)
	if old == nil {
		return nil, refuse(http.StatusNotFound, "there is no such user")
	}
	u := *old
	if err := edit(&u); err != nil {
		return nil, err
	}
	if err := a.keepAdmin(old, &u); err != nil {
		return nil, err
	}
	return &u, a.putUser(ctx, &u, drop)
}

func (u *User) ableAdmin() bool {
	return u != nil && u.Role == Admin && !u.Disabled && u.Subject == ""
}

// keepAdmin refuses the change by which nobody could let anybody in any more.
func (a *Auth) keepAdmin(from, to *User) error {
	if !from.ableAdmin() || to.ableAdmin() {
		return nil
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, u := range a.users {
		if u.ID != from.ID && u.ableAdmin() {
			return nil
		}
	}
	return refuse(http.StatusConflict, "%s is the last admin with a password: make another one first", from.Name)
}

func (a *Auth) deleteUser(ctx context.Context, id string) (*User, error) {
	a.change.Lock()
	defer a.change.Unlock()
	u := a.user(id)
	if u == nil {
		return nil, refuse(http.StatusNotFound, "there is no such user")
	}
	if err := a.keepAdmin(u, nil); err != nil {
		return nil, err
	}
	save := map[string][]byte{userKey + id: nil}
	gone := a.sessionsToDrop(id, everySession, save)
	if err := a.opts.Store.SaveRecords(ctx, save); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.users, id)
	delete(a.names, foldName(u.Name))
	for _, hash := range gone {
		delete(a.sessions, hash)
	}
	return u, nil
}

// resetAdmin makes the user admin, or gives it a new password.
func (a *Auth) resetAdmin(ctx context.Context) (password string, err error) {
	password = newPassword()
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	set := func(u *User) error {
		if u.Subject != "" {
			return errors.New("the name admin belongs to a user of OpenID Connect")
		}
		u.Role, u.Hash, u.MustChange, u.Disabled = Admin, hash, true, false
		return nil
	}
	if u := a.userNamed("admin"); u != nil {
		_, err = a.editUser(ctx, u.ID, everySession, set)
	} else {
		u := &User{Name: "admin"}
		_ = set(u) // It has no subject.
		err = a.addUser(ctx, u)
	}
	if err != nil {
		return "", err
	}
	a.note(ctx, Event{Who: "start of the process", Action: "set a new password of the user admin"})
	return password, nil
}

// cameIn notes where the right password of a user came from, and the time if it
// opened a session.
func (a *Auth) cameIn(ctx context.Context, id string, from netip.Addr, session bool) {
	_, err := a.editUser(ctx, id, nil, func(u *User) error {
		address := neighbourhood(from)
		others := slices.DeleteFunc(slices.Clone(u.From), func(s string) bool { return s == address })
		u.From = append([]string{address}, others[:min(len(others), maxFrom-1)]...)
		if session {
			u.LastLogin = a.opts.Now().UTC()
		}
		return nil
	})
	if err != nil {
		a.logger.Warn("Note a log-in", "err", err)
	}
}
