package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Bounds of passwords: in characters at least, in bytes at most.
const (
	minPassword = 12
	maxPassword = 1024
)

// cost is how much work a hash is.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// owasp is the least for argon2id by OWASP's Password Storage Cheat Sheet: 19 MiB,
// two passes, one thread.
var owasp = cost{memory: 19 * 1024, time: 2, threads: 1}

const (
	saltSize = 16
	keySize  = 32
)

// hashed is an argon2id hash, read from its text.
type hashed struct {
	cost cost
	salt []byte
	key  []byte
}

// String writes the hash in the PHC string format.
func (h hashed) String() string {
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.memory, h.cost.time, h.cost.threads, enc.EncodeToString(h.salt), enc.EncodeToString(h.key))
}

// parseHash reads a PHC string of argon2id. It refuses costs that would bring
// the process down.
func parseHash(s string) (hashed, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return hashed{}, errors.New("hash: not a PHC string of argon2id")
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return hashed{}, fmt.Errorf("hash: version %q is not known", parts[2])
	}
	var h hashed
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return hashed{}, errors.New("hash: parameters are not m, t and p")
	}
	limits := []struct {
		name     string
		min, max uint64
	}{{"m=", 8, 256 * 1024}, {"t=", 1, 16}, {"p=", 1, 16}}
	values := make([]uint64, 3)
	for i, l := range limits {
		text, ok := strings.CutPrefix(params[i], l.name)
		v, err := strconv.ParseUint(text, 10, 32)
		if !ok || err != nil || v < l.min || v > l.max {
			return hashed{}, fmt.Errorf("hash: parameter %q is not from %s%d to %d", params[i], l.name, l.min, l.max)
		}
		values[i] = v
	}
	h.cost = cost{memory: uint32(values[0]), time: uint32(values[1]), threads: uint8(values[2])}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil || len(h.salt) < 8 || len(h.salt) > 64 {
		return hashed{}, errors.New("hash: salt is not base64 of 8 to 64 bytes")
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil || len(h.key) < 16 || len(h.key) > 64 {
		return hashed{}, errors.New("hash: key is not base64 of 16 to 64 bytes")
	}
	return h, nil
}

func (h hashed) derive(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.time, h.cost.memory, h.cost.threads, uint32(len(h.key)))
}

// matches takes the same time whatever part of the password is right.
func (h hashed) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1
}

// hasher bounds how many hashes are worked out at once, since each takes 19 MiB
// and all of a core.
type hasher struct {
	cost    cost
	slots   chan struct{}
	waiting chan struct{}
}

// errBusy is an attempt when too many others are waiting.
var errBusy = errors.New("too many log-ins at once: try again in a moment")

func newHasher(c cost) *hasher {
	return &hasher{cost: c, slots: make(chan struct{}, 2), waiting: make(chan struct{}, 64)}
}

// enter waits for a turn; leave must follow where the error is nil.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.waiting <- struct{}{}:
	default:
		return errBusy
	}
	defer func() { <-h.waiting }()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) leave() { <-h.slots }

func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	out := hashed{cost: h.cost, salt: random(saltSize), key: make([]byte, keySize)}
	out.key = out.derive(password)
	return out.String(), nil
}

// matches compares a password with a stored hash.
func (h *hasher) matches(ctx context.Context, stored, password string) (bool, error) {
	parsed, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	if err := h.enter(ctx); err != nil {
		return false, err
	}
	defer h.leave()
	return parsed.matches(password), nil
}

// checkPassword says why a new password will not do.
func checkPassword(password, user string) error {
	switch {
	case len(password) > maxPassword:
		return fmt.Errorf("the password is longer than %d bytes", maxPassword)
	case !utf8.ValidString(password):
		return errors.New("the password is not UTF-8")
	case utf8.RuneCountInString(password) < minPassword:
		return fmt.Errorf("the password needs at least %d characters: a few words will do", minPassword)
	case strings.Contains(foldName(password), foldName(user)) && len(password) < len(user)+8:
		return errors.New("the password is little more than the name of the user")
	case distinct(password) < 5:
		return errors.New("the password has fewer than 5 different characters")
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, c := range s {
		seen[c] = true
	}
	return len(seen)
}

// newPassword makes a password of 120 random bits, without characters that look
// alike.
func newPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz023456789" // 32, so that 5 bits are one.
	raw := random(24)
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%6 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[c&31])
	}
	return b.String()
}

// random gives n random bytes. crypto/rand never fails, or ends the process.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
