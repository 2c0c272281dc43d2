package auth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// tokenPrefix makes tokens recognisable, for people and for scanners of secrets.
const tokenPrefix = "mw_"

// tokenRecord is what is stored of a token, under the hash of its secret.
type tokenRecord struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Start is the beginning of the token, to recognise it by.
	Start   string    `json:"start"`
	By      string    `json:"by"`
	Created time.Time `json:"created"`
	// Expires is zero where the token never does.
	Expires time.Time `json:"expires,omitzero"`
	// Used is when it was last used, as stored.
	Used time.Time `json:"used,omitzero"`
}

type token struct {
	tokenRecord
	used atomic.Int64 // nanoseconds since 1970
}

func (t *token) lastUsed() time.Time {
	if n := t.used.Load(); n > 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

func (t *token) expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// parseBearer takes the token out of an Authorization header; ok is false where
// it is not one of ours.
func parseBearer(header string) (secret string, ok bool) {
	scheme, rest, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	rest, found = strings.CutPrefix(strings.TrimSpace(rest), tokenPrefix)
	return rest, found && isSecret(rest)
}

func (a *Auth) findToken(header string) *token {
	secret, ok := parseBearer(header)
	if !ok {
		return nil
	}
	now := a.opts.Now()
	a.mu.RLock()
	t := a.tokens[hashOf(secret)]
	a.mu.RUnlock()
	if t == nil || t.expired(now) {
		return nil
	}
	t.used.Store(now.UnixNano())
	return t
}

// addToken makes a token and returns it with its text, which is not kept.
func (a *Auth) addToken(ctx context.Context, r tokenRecord) (*token, string, error) {
	secret, hash := newSecret()
	r.ID, r.Created, r.Start = newID(), a.opts.Now().UTC(), tokenPrefix+secret[:4]
	t := &token{tokenRecord: r}
	a.change.Lock()
	defer a.change.Unlock()
	a.mu.RLock()
	n := len(a.tokens)
	for _, other := range a.tokens {
		if other.Name == r.Name {
			a.mu.RUnlock()
			return nil, "", refuse(http.StatusConflict, "there is a token %s already: revoke it first, or choose another name", r.Name)
		}
	}
	a.mu.RUnlock()
	if n >= maxTokens {
		return nil, "", refuse(http.StatusConflict, "there are %d tokens, the most that are kept: revoke some first", n)
	}
	if err := a.opts.Store.SaveRecords(ctx, map[string][]byte{tokenKey + hash: encode(r)}); err != nil {
		return nil, "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens[hash] = t
	return t, tokenPrefix + secret, nil
}

func (a *Auth) deleteToken(ctx context.Context, id string) (*token, error) {
	a.change.Lock()
	defer a.change.Unlock()
	var hash string
	var t *token
	a.mu.RLock()
	for h, one := range a.tokens {
		if one.ID == id {
			hash, t = h, one
		}
	}
	a.mu.RUnlock()
	if t == nil {
		return nil, refuse(http.StatusNotFound, "there is no such token")
	}
	if err := a.opts.Store.SaveRecords(ctx, map[string][]byte{tokenKey + hash: nil}); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.tokens, hash)
	return t, nil
}

// allTokens are the tokens by name, those that have expired too.
func (a *Auth) allTokens() []*token {
	a.mu.RLock()
	defer a.mu.RUnlock()
	out := make([]*token, 0, len(a.tokens))
	for _, t := range a.tokens {
		out = append(out, t)
	}
	slices.SortFunc(out, func(x, y *token) int { return strings.Compare(x.Name, y.Name) })
	return out
}
