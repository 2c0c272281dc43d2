package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// wrongPassword is said whatever was wrong, so that nobody learns who has an
// account.
const wrongPassword = "wrong user or password"

// limited is an attempt beyond the limit.
type limited struct{ wait time.Duration }

func (limited) Error() string { return "too many attempts: wait and try again" }

// checkCredentials finds the user of a name and a password. Errors are a fault
// with status 401, limited, errBusy, or that of a context.
func (a *Auth) checkCredentials(ctx context.Context, name, password string, from netip.Addr) (*User, error) {
	wrong := refuse(http.StatusUnauthorized, wrongPassword)
	if len(name) > maxName || len(password) > maxPassword {
		return nil, wrong
	}
	now := a.opts.Now()
	u := a.userNamed(name)
	stored := a.dummy
	if u != nil && u.Hash != "" {
		stored = u.Hash
	}
	address := neighbourhood(from)
	account := foldName(name)
	if u != nil && slices.Contains(u.From, address) {
		account += " from " + address
	}
	// Clients that send their password with every request would cost a hash each,
	// and those that send a wrong one would use up the attempts of others. What is
	// known of one address says nothing to another, and nothing to one that has no
	// attempts left: it would be a way to guess without limit.
	what := []string{foldName(name), password, stored, address}
	switch right, known := a.checked.get(what, now); {
	case known && !right:
		return nil, wrong
	case known:
		if wait := max(a.perAddr.wait(address, now), a.perUser.wait(account, now)); wait > 0 {
			return nil, limited{wait}
		}
		if u == nil || u.Disabled {
			return nil, wrong
		}
		return u, nil
	}

	if wait, ok := a.perAddr.take(address, now); !ok {
		return nil, limited{wait}
	}
	if wait, ok := a.perUser.take(account, now); !ok {
		return nil, limited{wait}
	}
	right, err := a.hasher.matches(ctx, stored, password)
	if err != nil {
		return nil, err
	}
	right = right && u != nil && u.Hash != ""
	a.checked.put(what, right, now)
	if !right || u.Disabled {
		return nil, wrong
	}
	a.perAddr.refund(address, now)
	a.perUser.refund(account, now)
	if !slices.Contains(u.From, address) {
		a.cameIn(ctx, u.ID, from, false)
	}
	return u, nil
}

// checked remembers for a minute which credentials were right and which wrong,
// by a keyed hash of them, of the address, and of the stored hash, so that it ends
// with a change of the password. It holds at most maxChecked.
type checked struct {
	key []byte

	mu   sync.Mutex
	seen map[[sha256.Size]byte]verdict
}

type verdict struct {
	right bool
	until time.Time
}

const (
	maxChecked  = 4096
	checkedLife = time.Minute
)

func newChecked() *checked {
	return &checked{key: random(32), seen: map[[sha256.Size]byte]verdict{}}
}

func (c *checked) sum(what []string) (out [sha256.Size]byte) {
	mac := hmac.New(sha256.New, c.key)
	for _, s := range what {
		one := sha256.Sum256([]byte(s)) // Of one length, so that parts cannot run into each other.
		mac.Write(one[:])
	}
	copy(out[:], mac.Sum(nil))
	return out
}

func (c *checked) get(what []string, now time.Time) (right, known bool) {
	sum := c.sum(what)
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.seen[sum]
	return v.right, ok && now.Before(v.until)
}

func (c *checked) put(what []string, right bool, now time.Time) {
	sum := c.sum(what)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) >= maxChecked {
		for k, v := range c.seen {
			if !now.Before(v.until) {
				delete(c.seen, k)
			}
		}
	}
	for k := range c.seen { // Any one: to forget costs no more than a hash.
		if len(c.seen) < maxChecked {
			break
		}
		delete(c.seen, k)
	}
	c.seen[sum] = verdict{right: right, until: now.Add(checkedLife)}
}
