package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// CookieName is the cookie of a session, CSRFHeader the header that a change by
// such a session must carry.
const (
	CookieName = "modelwatch_session"
	CSRFHeader = "X-CSRF-Token"
)

// sessionRecord is what is stored of a session, under the hash of its secret.
type sessionRecord struct {
	Hash    string    `json:"hash"`
	User    string    `json:"user"`
	Method  string    `json:"method"`
	Address string    `json:"address,omitempty"`
	Agent   string    `json:"agent,omitempty"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	// Seen is when it was last used, as stored.
	Seen time.Time `json:"seen"`
}

// session is a session with what changes without being stored at once.
type session struct {
	sessionRecord
	seen atomic.Int64 // nanoseconds since 1970
}

func (s *session) touch(t time.Time)   { s.seen.Store(t.UnixNano()) }
func (s *session) lastSeen() time.Time { return time.Unix(0, s.seen.Load()).UTC() }

// id is the session's name for people. It does not let anybody in.
func (s *session) id() string { return s.Hash[:20] }

func (a *Auth) alive(s *session, now time.Time) bool {
	return now.Before(s.Expires) && now.Sub(s.lastSeen()) < a.opts.IdleTimeout
}

// startSession opens a session, always with a new secret: what the browser had
// before counts for nothing.
func (a *Auth) startSession(ctx context.Context, u *User, method string, r *http.Request) (secret string, s *session, err error) {
	now := a.opts.Now().UTC()
	secret, hash := newSecret()
	s = &session{sessionRecord: sessionRecord{
		Hash: hash, User: u.ID, Method: method, Address: a.client(r).String(), Agent: clip(r.UserAgent(), 200),
		Created: now, Expires: now.Add(a.opts.SessionTTL), Seen: now,
	}}
	s.touch(now)
	a.change.Lock()
	defer a.change.Unlock()
	// Between checking the password and now the user may have been shut out.
	if today := a.user(u.ID); today == nil || today.Disabled || today.Hash != u.Hash {
		return "", nil, refuse(http.StatusUnauthorized, "%s", wrongPassword)
	}
	save := map[string][]byte{sessionKey + hash: encode(s.sessionRecord)}
	// The one that this browser had ends, and the oldest beyond the limit.
	old := a.sessionsOf(u.ID)
	var drop []*session
	if n := len(old) - maxSessionsPerUser + 1; n > 0 {
		drop = append(drop, old[len(old)-n:]...)
	}
	if was := a.sessionOf(r); was != nil {
		drop = append(drop, was)
	}
	for _, d := range drop {
		save[sessionKey+d.Hash] = nil
	}
	if err := a.opts.Store.SaveRecords(ctx, save); err != nil {
		return "", nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[hash] = s
	for _, d := range drop {
		delete(a.sessions, d.Hash)
	}
	return secret, s, nil
}

// sessionsOf are the live sessions of a user, the last used first.
func (a *Auth) sessionsOf(user string) []*session {
	now := a.opts.Now()
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []*session
	for _, s := range a.sessions {
		if s.User == user && a.alive(s, now) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y *session) int { return y.lastSeen().Compare(x.lastSeen()) })
	return out
}

// sessionOf finds the live session of a request's cookie; nil if there is none.
func (a *Auth) sessionOf(r *http.Request) *session {
	s, _ := a.findSession(r)
	return s
}

func (a *Auth) findSession(r *http.Request) (*session, string) {
	// Another cookie of this name, of a wider domain, may stand before.
	for i, c := range r.CookiesNamed(CookieName) {
		if i == 4 {
			break
		}
		if !isSecret(c.Value) {
			continue
		}
		hash := hashOf(c.Value)
		a.mu.RLock()
		s := a.sessions[hash]
		a.mu.RUnlock()
		if s != nil && a.alive(s, a.opts.Now()) {
			return s, c.Value
		}
	}
	return nil, ""
}

// endSessions ends those that drop names, of one user.
func (a *Auth) endSessions(ctx context.Context, user string, drop func(*session) bool) (n int, err error) {
	a.change.Lock()
	defer a.change.Unlock()
	save := map[string][]byte{}
	gone := a.sessionsToDrop(user, drop, save)
	if len(gone) == 0 {
		return 0, nil
	}
	if err := a.opts.Store.SaveRecords(ctx, save); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, hash := range gone {
		delete(a.sessions, hash)
	}
	return len(gone), nil
}

// csrfToken belongs to one session. Only a page that may read our answers knows
// it, since the secret is in a cookie that no script can read.
func csrfToken(secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("modelwatch csrf"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (a *Auth) setCookie(w http.ResponseWriter, r *http.Request, secret string, s *session) {
	http.SetCookie(w, a.cookie(r, secret, int(s.Expires.Sub(a.opts.Now()).Seconds())))
}

func (a *Auth) dropCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, a.cookie(r, "", -1))
}

func (a *Auth) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: CookieName, Value: value, Path: a.prefix + "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: a.opts.Secure || r.TLS != nil,
	}
}

// clip shortens a text to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n]
}
