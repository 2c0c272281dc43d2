package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options is what New needs.
type Options struct {
	// Enabled turns authentication on. Without it everybody may do everything, and
	// Store, Journal and what follows from them are not used.
	Enabled bool
	Store   Store
	Journal Journal
	// ExternalURL is where people reach modelwatch. Its path comes before redirects
	// and into cookies, and OpenID Connect comes back to it.
	ExternalURL *url.URL
	// Secure keeps cookies to HTTPS; set it where TLS ends here or before.
	Secure bool
	// SessionTTL is the longest that a session lasts, IdleTimeout how long without a
	// request; 0 means 7 days and 12 hours.
	SessionTTL  time.Duration
	IdleTimeout time.Duration
	// AuditEvents and AuditAge bound the audit log; 0 means 100,000 and 400 days.
	AuditEvents int
	AuditAge    time.Duration
	// TrustedProxies may say by X-Forwarded-For whom they ask for.
	TrustedProxies []netip.Prefix
	// OIDC is log-in elsewhere; nil is none.
	OIDC *OIDC
	// Rules are added to the table of roles and paths.
	Rules []Rule
	// ResetAdmin gives the user admin a new password, its role back, and makes it
	// anew if it is gone: the way back in for whoever may start the process.
	ResetAdmin bool
	// Now is the clock; nil means time.Now.
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer

	cost cost // of hashes; zero means owasp
}

// Bounds of what is kept.
const (
	maxUsers           = 10_000
	maxTokens          = 10_000
	maxSessionsPerUser = 50
)

// Auth knows users, sessions and tokens.
type Auth struct {
	opts    Options
	prefix  string // path of ExternalURL, without the last slash
	logger  *slog.Logger
	metrics *metrics
	table   *table
	hasher  *hasher
	dummy   string
	checked *checked
	perUser *buckets
	perAddr *buckets
	noise   *buckets
	oidc    *oidcClient
	handler *http.ServeMux

	// change is held over every change, writing included.
	change sync.Mutex
	// mu guards the maps. Users in them never change; they are replaced.
	mu       sync.RWMutex
	users    map[string]*User    // by id
	names    map[string]string   // id by folded name
	sessions map[string]*session // by hash of the secret
	tokens   map[string]*token   // by hash of the secret
}

// New reads what is stored. If there is no user yet, or ResetAdmin is set, the
// user admin gets a random password, which is returned to be shown to people
// once. Run must follow.
func New(ctx context.Context, opts Options) (a *Auth, password string, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.SessionTTL == 0 {
		opts.SessionTTL = 7 * 24 * time.Hour
	}
	if opts.IdleTimeout == 0 {
		opts.IdleTimeout = 12 * time.Hour
	}
	if opts.AuditEvents == 0 {
		opts.AuditEvents = 100_000
	}
	if opts.AuditAge == 0 {
		opts.AuditAge = 400 * 24 * time.Hour
	}
	if opts.cost == (cost{}) {
		opts.cost = owasp
	}
	a = &Auth{
		opts:     opts,
		logger:   opts.Logger.With("component", "auth"),
		hasher:   newHasher(opts.cost),
		users:    map[string]*User{},
		names:    map[string]string{},
		sessions: map[string]*session{},
		tokens:   map[string]*token{},
		// Five guesses at once, then two a minute for a user and ten for an address.
		perUser: newBuckets(5, 30*time.Second, 10_000),
		perAddr: newBuckets(10, 6*time.Second, 10_000),
		// What strangers can put into the audit log: one a second.
		noise: newBuckets(60, time.Second, 1),
	}
	a.checked = newChecked()
	if opts.ExternalURL != nil {
		a.prefix = strings.TrimSuffix(opts.ExternalURL.Path, "/")
	}
	a.handler = a.routes()
	if !opts.Enabled {
		return a, "", nil
	}
	if opts.Store == nil || opts.Journal == nil {
		return nil, "", errors.New("authentication needs a store and a journal")
	}
	if a.table, err = newTable(append(Rules(), opts.Rules...)); err != nil {
		return nil, "", err
	}
	if opts.OIDC != nil {
		if a.oidc, err = newOIDC(*opts.OIDC, opts.ExternalURL); err != nil {
			return nil, "", err
		}
	}
	if err := a.load(ctx); err != nil {
		return nil, "", err
	}
	if a.dummy, err = a.hasher.hash(ctx, newPassword()); err != nil {
		return nil, "", err
	}
	if len(a.users) == 0 || opts.ResetAdmin {
		if password, err = a.resetAdmin(ctx); err != nil {
			return nil, "", err
		}
	}
	a.metrics = newMetrics(opts.Registerer, a.liveSessions)
	return a, password, nil
}

// Run writes down when sessions and tokens were last used and forgets what has
// ended, until ctx is done.
func (a *Auth) Run(ctx context.Context) {
	if !a.opts.Enabled {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		if n%120 == 0 {
			a.trim(ctx)
		}
		select {
		case <-tick.C:
			a.sweep(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			a.sweep(last)
			cancel()
			return
		}
	}
}

// sweep is one round of Run.
func (a *Auth) sweep(ctx context.Context) {
	a.change.Lock()
	defer a.change.Unlock()
	now := a.opts.Now()
	save := map[string][]byte{}
	var gone []string
	a.mu.RLock()
	for hash, s := range a.sessions {
		switch seen := s.lastSeen(); {
		case !a.alive(s, now):
			gone = append(gone, hash)
			save[sessionKey+hash] = nil
		case seen.After(s.Seen):
			r := s.sessionRecord
			r.Seen = seen
			save[sessionKey+hash] = encode(r)
		}
	}
	for hash, t := range a.tokens {
		if used := t.lastUsed(); used.After(t.Used) {
			r := t.tokenRecord
			r.Used = used
			save[tokenKey+hash] = encode(r)
		}
	}
	a.mu.RUnlock()
	if len(save) == 0 {
		return
	}
	if err := a.opts.Store.SaveRecords(ctx, save); err != nil {
		a.logger.Warn("Write down when sessions were last used", "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, hash := range gone {
		delete(a.sessions, hash)
	}
	for _, s := range a.sessions {
		if r, ok := save[sessionKey+s.Hash]; ok && r != nil {
			s.Seen = s.lastSeen()
		}
	}
	for hash, t := range a.tokens {
		if _, ok := save[tokenKey+hash]; ok {
			t.Used = t.lastUsed()
		}
	}
}

func (a *Auth) liveSessions() float64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return float64(len(a.sessions))
}

// newSecret makes 256 random bits to be handed out, and the hash to be kept.
func newSecret() (secret, hash string) {
	secret = base64.RawURLEncoding.EncodeToString(random(32))
	return secret, hashOf(secret)
}

// secretSize is the length of a secret as text.
const secretSize = 43

func isSecret(s string) bool {
	if len(s) != secretSize {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil
}

// hashOf is enough for secrets of 256 random bits: there is nothing to guess.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newID names a record.
func newID() string { return hex.EncodeToString(random(10)) }

// foldName is how names of users are compared.
func foldName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// fault is an error that people get to read, with its status.
type fault struct {
	status int
	text   string
}

func (f *fault) Error() string { return f.text }

func refuse(status int, format string, args ...any) error {
	return &fault{status: status, text: fmt.Sprintf(format, args...)}
}
