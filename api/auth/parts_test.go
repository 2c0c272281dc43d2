package auth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
)

func TestSafeNext(t *testing.T) {
	for next, want := range map[string]string{
		"/explore?q=up&t=1#x":      "/explore?q=up&t=1#x",
		"/":                        "/",
		"/a//b":                    "/a//b",
		"/?next=https://evil.test": "/?next=https://evil.test",
		"/loginhelp":               "/loginhelp",
	} {
		require.Equal(t, want, auth.SafeNext(next))
	}
	for _, next := range []string{
		"", "explore", "https://evil.test/", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/\t/evil.test",
		"/\n/evil.test", " //evil.test", "javascript:alert(1)", "/%5cevil.test", "/%2f%2fevil.test/..", "/%2Fevil.test", "http:evil.test", "/%",
		"/login", "/login?next=/login", "/ai/v1/auth/oidc/login", "@evil.test", "/" + strings.Repeat("a", 3000), "/\x00", "/\x7f",
	} {
		require.Equal(t, "/", auth.SafeNext(next), "%q", next)
	}
}

func FuzzSafeNext(f *testing.F) {
	for _, s := range []string{"/a?b", "//x", "/\\x", "/%2f/x", "https://x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://watch.example.org/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := auth.SafeNext(next)
		u, err := base.Parse(got)
		require.NoError(t, err)
		require.Equal(t, "watch.example.org", u.Host)
		require.Equal(t, "https", u.Scheme)
		require.NotContains(t, got, "\\")
		require.False(t, strings.HasPrefix(got, "//"))
		require.Equal(t, got, auth.SafeNext(got))
	})
}

func FuzzBearer(f *testing.F) {
	f.Add("Bearer mw_" + strings.Repeat("A", 43))
	f.Add("bearer  mw_x")
	f.Add("Basic abc")
	shape := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	f.Fuzz(func(t *testing.T, header string) {
		secret, ok := auth.ParseBearer(header)
		if ok {
			require.Regexp(t, shape, secret)
			require.Contains(t, header, "mw_"+secret)
		}
	})
}

// FuzzCookie sends whatever a browser could: nobody gets in by it.
func FuzzCookie(f *testing.F) {
	f.Add(auth.CookieName + "=" + strings.Repeat("A", 43))
	f.Add(auth.CookieName + "=; " + auth.CookieName + "=x")
	f.Add(`a="b; ` + auth.CookieName)
	store := newStore()
	a, _, err := auth.New(f.Context(), auth.Options{Enabled: true, Store: store, Journal: store, Logger: discard()})
	if err != nil {
		f.Fatal(err)
	}
	reached := false
	h := a.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	f.Fuzz(func(t *testing.T, cookie string) {
		r := mustRequest(t, "GET", "/metrics")
		r.Header.Set("Cookie", cookie)
		rec := newRecorder()
		h.ServeHTTP(rec, r)
		require.Equal(t, 401, rec.Code)
		require.False(t, reached)
	})
}

func TestHashes(t *testing.T) {
	const good = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	got, err := auth.ParseHash(good)
	require.NoError(t, err)
	require.Equal(t, good, got)
	for _, change := range [][2]string{
		{"argon2id", "argon2i"},
		{"v=19", "v=16"},
		{"m=19456", "m=99999999"},
		{"t=2", "t=0"},
		{"t=2", "t=99999"},
		{"p=1", "p=17"},
		{"p=1", "p=-1"},
		{",p=1", ""},
		{"AAAAAAAAAAAAAAAAAAAAAA$", "$"},
		{"$m", "m"},
		{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAA"},
	} {
		_, err := auth.ParseHash(strings.Replace(good, change[0], change[1], 1))
		require.ErrorContains(t, err, "hash: ", change)
	}
}

func FuzzHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=08,t=+1,p=1$$")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := auth.ParseHash(s)
		if err != nil {
			return
		}
		again, err := auth.ParseHash(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

func TestNewPasswordsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		p := auth.NewPassword()
		require.Regexp(t, `^([a-hjkmnp-z02-9]{6}-){3}[a-hjkmnp-z02-9]{6}$`, p)
		require.False(t, seen[p])
		seen[p] = true
	}
}

func TestBuckets(t *testing.T) {
	b := auth.NewBuckets(3, 10*time.Second, 2)
	now := newClock().now()
	take := func(key string) bool { _, ok := b.Take(key, now); return ok }
	for range 3 {
		require.True(t, take("a"))
	}
	wait, ok := b.Take("a", now)
	require.False(t, ok)
	require.Equal(t, 10*time.Second, wait)
	now = now.Add(4 * time.Second)
	wait, _ = b.Take("a", now)
	require.Equal(t, 6*time.Second, wait, "to ask is no attempt")
	now = now.Add(6 * time.Second)
	require.True(t, take("a"))
	require.False(t, take("a"))
	b.Refund("a", now)
	require.True(t, take("a"))
	b.Refund("never seen", now)

	// Many keys share one bucket and take no memory.
	require.True(t, take("b"))
	allowed := 0
	for i := range 1000 {
		if take(fmt.Sprint("attacker ", i)) {
			allowed++
		}
	}
	require.Equal(t, 3, allowed)
	require.Equal(t, 2, b.Len())
	require.True(t, take("b"), "who was there before has an own one")
	now = now.Add(time.Minute)
	require.True(t, take("c"), "keys that have won all back make room")
	require.Equal(t, 1, b.Len())
	// A clock that goes backwards gives nothing away, and breaks nothing.
	now = now.Add(-time.Hour)
	require.True(t, take("c"))
	require.True(t, take("c"))
	require.False(t, take("c"))
}
