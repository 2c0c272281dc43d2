package auth

import (
	"context"
	"time"
)

// Cheap makes passwords cost next to nothing.
func (o *Options) Cheap() { o.cost = cost{memory: 64, time: 1, threads: 1} }

// Dear makes them cost what they do in earnest.
func (o *Options) Dear() { o.cost = owasp }

// Sweep is one round of Run.
func (a *Auth) Sweep(ctx context.Context) { a.sweep(ctx) }

// What the tests of this package look at.
var (
	SafeNext    = safeNext
	ParseBearer = parseBearer
	NewPassword = newPassword
)

// ParseHash reads a PHC string and writes it again.
func ParseHash(s string) (string, error) {
	h, err := parseHash(s)
	return h.String(), err
}

// Buckets are limits by key.
type Buckets struct{ b *buckets }

// NewBuckets makes them.
func NewBuckets(burst int, interval time.Duration, limit int) Buckets {
	return Buckets{newBuckets(burst, interval, limit)}
}

// Take spends an attempt.
func (b Buckets) Take(key string, now time.Time) (time.Duration, bool) { return b.b.take(key, now) }

// Refund gives one back.
func (b Buckets) Refund(key string, now time.Time) { b.b.refund(key, now) }

// Len is how many keys are kept.
func (b Buckets) Len() int { return len(b.b.keys) }
