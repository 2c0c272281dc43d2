package auth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func mustRequest(t *testing.T, method, path string) *http.Request {
	return httptest.NewRequestWithContext(t.Context(), method, path, nil)
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestFirstStart(t *testing.T) {
	w := &world{t: t, store: newStore(), clock: newClock(), log: newLog()}
	w.start()
	require.Len(t, w.first, 27)
	require.NotContains(t, w.log.String(), w.first)

	// Until there is a new password nothing else is possible.
	b := w.login("admin", w.first)
	require.Equal(t, true, b.do("GET", "/ai/v1/auth/me", "").is(200).json()["mustChangePassword"])
	require.Equal(t, "password_change_required", b.do("GET", "/api/v1/query?query=up", "").is(403).json()["code"])
	require.Equal(t, 403, w.with(basic("admin", w.first)).do("GET", "/metrics", "").Code)
	b.header.Set("Accept", "text/html")
	require.Equal(t, "/login?change=1&next=%2Fexplore%3Fq%3Dup", b.do("GET", "/explore?q=up", "").is(303).Header().Get("Location"))
	b.header.Del("Accept")

	old := b.cookies[auth.CookieName]
	b.do("POST", "/ai/v1/auth/password", `{"current":"wrong","new":"correct horse battery"}`).is(403)
	for _, bad := range []string{"short", "aaaaaaaaaaaaaaaa", "admin-admin1", w.first} {
		b.do("POST", "/ai/v1/auth/password", `{"current":"`+w.first+`","new":"`+bad+`"}`).is(400)
	}
	b.do("POST", "/ai/v1/auth/password", `{"current":"`+w.first+`","new":"`+adminPassword+`"}`).is(200)
	require.NotEqual(t, old, b.cookies[auth.CookieName], "a new password is a new session")
	b.do("GET", "/api/v1/query?query=up", "").is(200)

	// The second start makes no password, and everything is still there.
	w.start()
	require.Empty(t, w.first)
	b.handler = w.handler
	b.do("GET", "/api/v1/query?query=up", "").is(200)

	// Whoever may start the process gets back in.
	w.start(func(o *auth.Options) { o.ResetAdmin = true })
	require.NotEmpty(t, w.first)
	b.do("GET", "/api/v1/query?query=up", "").is(401)
	w.login("admin", w.first)
}

func TestSessionsExpire(t *testing.T) {
	w := open(t)
	b := w.admin()
	for range 13 { // Used now and then, for 6.5 days.
		w.clock.add(11*time.Hour + 59*time.Minute)
		b.do("GET", "/api/v1/query", "").is(200)
	}
	idle := w.admin()
	w.clock.add(12 * time.Hour)
	require.Contains(t, idle.do("GET", "/api/v1/query", "").is(401).json()["error"], "the session has ended")
	require.Empty(t, idle.cookies, "the cookie is taken back")
	b.do("GET", "/api/v1/query", "").is(401)

	b = w.admin()
	for i := range 15 {
		w.clock.add(11*time.Hour + 12*time.Minute)
		want := 200
		if i == 14 { // 7 days.
			want = 401
		}
		b.do("GET", "/metrics", "").is(want)
	}
}

func TestRunWritesAndForgets(t *testing.T) {
	w := open(t)
	admin := w.admin()
	token := w.token(admin, "agent", "viewer", "1d")
	w.clock.add(time.Hour)
	admin.do("GET", "/metrics", "").is(200)
	w.with("Bearer "+token).do("GET", "/metrics", "").is(200)
	run := func() {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { w.auth.Run(ctx) })
		cancel()
		wg.Wait()
	}
	run()
	w.start()
	admin.handler = w.handler
	list := admin.do("GET", "/ai/v1/auth/tokens", "").is(200).json()["tokens"].([]any)
	require.Equal(t, "2026-03-01T14:00:00Z", list[0].(map[string]any)["lastUsed"])
	count := func() (n int) {
		records, err := w.store.Records(t.Context())
		require.NoError(t, err)
		for k := range records {
			if strings.HasPrefix(k, "session/") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 2, count())
	w.clock.add(13 * time.Hour)
	run()
	require.Zero(t, count())
}

func TestSecretsAreStoredAsHashes(t *testing.T) {
	w := open(t, (*auth.Options).Dear)
	b := w.admin()
	token := w.token(b, "agent", "viewer", "")
	records, err := w.store.Records(t.Context())
	require.NoError(t, err)
	all := ""
	for k, v := range records {
		all += k + string(v)
	}
	require.Contains(t, all, "$argon2id$v=19$m=19456,t=2,p=1$")
	for _, secret := range []string{adminPassword, b.cookies[auth.CookieName], strings.TrimPrefix(token, "mw_"), b.csrf} {
		require.NotContains(t, all, secret)
		require.NotContains(t, w.log.String(), secret)
		for _, e := range events(b) {
			for _, v := range e {
				require.NotContains(t, fmt.Sprint(v), secret)
			}
		}
	}
}

func TestFixation(t *testing.T) {
	w := open(t)
	victim := w.browser()
	planted := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	victim.cookies[auth.CookieName] = planted
	victim.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(200)
	require.NotEqual(t, planted, victim.cookies[auth.CookieName])

	// A session that the attacker has and plants ends when the victim logs in.
	attacker := w.admin()
	victim = w.browser()
	victim.cookies[auth.CookieName] = attacker.cookies[auth.CookieName]
	victim.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(200)
	attacker.do("GET", "/metrics", "").is(401)
	victim.do("GET", "/metrics", "").is(200)
}

func TestForgery(t *testing.T) {
	w := open(t)
	b, other := w.admin(), w.admin()
	for _, token := range []string{"", "x", other.csrf, strings.ToUpper(b.csrf), b.csrf + "A"} {
		forged := &browser{world: w, cookies: b.cookies, csrf: token, header: http.Header{}, from: b.from}
		r := forged.do("POST", "/api/v2/silences", "{}").is(403)
		require.Equal(t, "csrf", r.json()["code"], token)
		forged.do("POST", "/api/v1/query", "").is(403)
		forged.do("POST", "/ai/v1/auth/logout", "").is(403)
		forged.do("GET", "/api/v1/query", "").is(200)
	}
	b.do("POST", "/api/v2/silences", "{}").is(200)
	// A form of another page cannot log somebody in.
	form := w.browser()
	form.header.Set("Content-Type", "text/plain")
	form.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(415)
}

func TestLogoutAndOwnSessions(t *testing.T) {
	w := open(t)
	admin := w.admin()
	password := w.add(admin, "ann", "viewer")
	w.clock.add(time.Hour)
	a, b, c := w.login("ann", password), w.login("ann", password), w.login("ann", password)
	list := a.do("GET", "/ai/v1/auth/sessions", "").is(200).json()["sessions"].([]any)
	require.Len(t, list, 4, "three, and the one in which the password was set")
	current := 0
	for _, s := range list {
		if s.(map[string]any)["current"] == true {
			current++
		}
	}
	require.Equal(t, 1, current)

	adminID := admin.do("GET", "/ai/v1/auth/sessions", "").is(200).json()["sessions"].([]any)[0].(map[string]any)["id"].(string)
	a.do("DELETE", "/ai/v1/auth/sessions/"+adminID, "").is(404)
	admin.do("GET", "/metrics", "").is(200)

	out := b.cookies[auth.CookieName]
	b.do("POST", "/ai/v1/auth/logout", "").is(204)
	require.Empty(t, b.cookies)
	b.cookies[auth.CookieName] = out
	b.do("GET", "/metrics", "").is(401)
	b.do("POST", "/ai/v1/auth/logout", "").is(204)

	require.EqualValues(t, 2, a.do("DELETE", "/ai/v1/auth/sessions", "").is(200).json()["ended"])
	c.do("GET", "/metrics", "").is(401)
	a.do("GET", "/metrics", "").is(200)
	own := a.do("GET", "/ai/v1/auth/sessions", "").is(200).json()["sessions"].([]any)[0].(map[string]any)["id"].(string)
	a.do("DELETE", "/ai/v1/auth/sessions/"+own, "").is(204)
	require.Empty(t, a.cookies)

	token := w.with("Bearer " + w.token(admin, "t", "viewer", ""))
	require.Contains(t, token.do("GET", "/ai/v1/auth/sessions", "").is(403).json()["error"], "a token has no account")
}

func TestManySessions(t *testing.T) {
	w := open(t)
	var all []*browser
	for range 52 {
		all = append(all, w.admin())
		w.clock.add(time.Second)
	}
	all[0].do("GET", "/metrics", "").is(401)
	all[1].do("GET", "/metrics", "").is(401)
	all[2].do("GET", "/metrics", "").is(200)
	all[51].do("GET", "/metrics", "").is(200)
}

func TestBruteForceOnAUser(t *testing.T) {
	w := open(t)
	guess := func(i int, from string) reply {
		b := w.browser()
		b.from = from
		return b.do("POST", "/ai/v1/auth/login", credentials("Admin", "a wrong guess "+strconv.Itoa(i)))
	}
	// From many addresses: five guesses, then two a minute.
	var tried int
	for i := range 100 {
		r := guess(i, "198.51.100."+strconv.Itoa(i)+":1")
		if r.Code == 429 {
			require.NotEmpty(t, r.Header().Get("Retry-After"))
			continue
		}
		require.Equal(t, "wrong user or password", r.is(401).json()["error"])
		tried++
	}
	require.Equal(t, 5, tried)
	// Where admin last came from, there is a way in all the same.
	w.admin()
	// From elsewhere even the right password has to wait.
	b := w.browser()
	b.from = "198.51.100.200:1"
	wait := b.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(429).Header().Get("Retry-After")
	seconds, err := strconv.Atoi(wait)
	require.NoError(t, err)
	w.clock.add(time.Duration(seconds) * time.Second)
	b.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(200)
	require.EqualValues(t, 95+1, testutil.ToFloat64(counter(t, w, "modelwatch_auth_logins_total", "limited")))
}

func TestBruteForceFromAnAddress(t *testing.T) {
	w := open(t)
	tried := 0
	for i := range 60 {
		b := w.browser()
		b.from = "[2001:db8:1:2::" + strconv.Itoa(i+1) + "]:1" // One customer's /64.
		if b.do("POST", "/ai/v1/auth/login", credentials("user"+strconv.Itoa(i), "guess")).Code != 429 {
			tried++
		}
	}
	require.Equal(t, 10, tried)
}

func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	w := open(t)
	admin := w.admin()
	password := w.add(admin, "bob", "viewer")
	users := admin.do("GET", "/ai/v1/auth/users", "").is(200).json()["users"].([]any)
	admin.do("PATCH", "/ai/v1/auth/users/"+users[1].(map[string]any)["id"].(string), `{"disabled":true}`).is(200)
	w.clock.add(time.Hour)
	var bodies []string
	for _, c := range [][2]string{{"admin", "a wrong guess 1"}, {"nobody", "a wrong guess 1"}, {"bob", password}, {strings.Repeat("x", 500), "y"}} {
		b := w.browser()
		r := b.do("POST", "/ai/v1/auth/login", credentials(c[0], c[1])).is(401)
		bodies = append(bodies, r.Body.String())
		require.Empty(t, b.cookies)
	}
	for _, body := range bodies {
		require.Equal(t, bodies[0], body)
	}
}

func TestBasicAuth(t *testing.T) {
	w := open(t)
	password := w.add(w.admin(), "grafana", "viewer")
	w.clock.add(time.Hour)
	good := w.with(basic("grafana", password))
	started := time.Now()
	for range 200 {
		good.do("GET", "/api/v1/query", "").is(200)
	}
	require.Less(t, time.Since(started), 3*time.Second, "the password is hashed once, not 200 times")
	good.do("POST", "/api/v1/query", "").is(200) // No page of another origin can send the header.
	good.do("POST", "/api/v2/silences", "").is(403)

	// A wrong password in a scraper's settings does not shut the person out.
	bad := w.with(basic("grafana", "not the password"))
	for range 100 {
		bad.do("GET", "/metrics", "").is(401)
	}
	w.login("grafana", password)

	// Guesses are limited as they are at log-in.
	codes := map[int]int{}
	for i := range 50 {
		codes[w.with(basic("grafana", "guess "+strconv.Itoa(i))).do("GET", "/metrics", "").Code]++
	}
	require.Equal(t, map[int]int{401: 4, 429: 46}, codes)

	// A change of the password holds at once.
	admin := w.with(basic("admin", adminPassword))
	admin.from = "192.0.2.9:1"
	for _, u := range admin.do("GET", "/ai/v1/auth/users", "").is(200).json()["users"].([]any) {
		if u := u.(map[string]any); u["name"] == "grafana" {
			admin.do("PATCH", "/ai/v1/auth/users/"+u["id"].(string), `{"resetPassword":true}`).is(200)
		}
	}
	require.Contains(t, []int{401, 429}, good.do("GET", "/api/v1/query", "").Code)
}

func TestGuessesFromElsewhereDoNotStopGrafana(t *testing.T) {
	w := open(t)
	password := w.add(w.admin(), "grafana", "viewer")
	w.clock.add(time.Hour)
	grafana := w.with(basic("grafana", password))
	grafana.from = "192.0.2.77:1"
	grafana.do("GET", "/api/v1/query", "").is(200)
	attack := func() {
		for i := range 30 {
			b := w.browser()
			b.from = "198.51.100." + strconv.Itoa(i) + ":1"
			b.do("POST", "/ai/v1/auth/login", credentials("grafana", "guess "+strconv.Itoa(i)))
		}
	}
	for range 5 {
		attack()
		grafana.do("GET", "/api/v1/query", "").is(200)
		w.clock.add(90 * time.Second) // Nothing is remembered any more.
	}
	w.start()
	grafana.handler = w.handler
	attack()
	grafana.do("GET", "/api/v1/query", "").is(200)
}

func TestAuthorizationAloneDecides(t *testing.T) {
	w := open(t)
	b := w.admin()
	b.header.Set("Authorization", "Bearer mw_"+strings.Repeat("A", 43))
	b.do("GET", "/metrics", "").is(401)
	require.NotEmpty(t, b.cookies, "the session stays")
	for _, h := range []string{"Bearer", "Bearer mw_", "bearer x", "Digest x", "Basic !!!", " "} {
		b.header.Set("Authorization", h)
		b.do("GET", "/metrics", "").is(401)
	}
}

func TestRedirectToLogin(t *testing.T) {
	w := open(t)
	b := w.browser()
	b.header.Set("Accept", "text/html,application/xhtml+xml")
	for path, want := range map[string]string{
		"/":                             "/login",
		"/alerts":                       "/login?next=%2Falerts",
		"/explore?q=a%26b":              "/login?next=%2Fexplore%3Fq%3Da%2526b",
		"/\\evil.example":               "/login",
		"/" + strings.Repeat("x", 3000): "/login",
	} {
		require.Equal(t, want, b.do("GET", strings.ReplaceAll(path, "\\", "%5C"), "").is(303).Header().Get("Location"), path)
	}
	b.header.Set("Sec-Fetch-Mode", "cors")
	r := b.do("GET", "/alerts", "").is(401)
	require.Equal(t, []string{`Bearer realm="modelwatch"`}, r.Header().Values("WWW-Authenticate"))
	b.do("POST", "/alerts", "").is(401)
	require.Len(t, w.browser().do("GET", "/metrics", "").is(401).Header().Values("WWW-Authenticate"), 2)

	w.start(func(o *auth.Options) { o.ExternalURL = o.ExternalURL.JoinPath("watch/") })
	b = w.browser()
	b.header.Set("Accept", "text/html")
	require.Equal(t, "/watch/login?next=%2Falerts", b.do("GET", "/alerts", "").is(303).Header().Get("Location"))
	login := w.browser().do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(200).Result()
	require.Equal(t, "/watch/", login.Cookies()[0].Path)
	require.True(t, login.Cookies()[0].Secure)
}

func TestClientBehindProxies(t *testing.T) {
	w := open(t, func(o *auth.Options) {
		o.TrustedProxies = append(o.TrustedProxies, prefix("10.0.0.0/8"))
	})
	for _, c := range []struct{ from, forwarded, want string }{
		{"10.0.0.1:1", "203.0.113.7", "203.0.113.7"},
		{"10.0.0.1:1", "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"},
		{"10.0.0.1:1", "garbage", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"203.0.113.9:1", "1.1.1.1", "203.0.113.9"},
	} {
		b := w.browser()
		b.from = c.from
		b.header.Set("X-Forwarded-For", c.forwarded)
		b.do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(200)
		require.Equal(t, c.want, events(b)[0]["address"])
	}
}

func TestAudit(t *testing.T) {
	w := open(t)
	admin := w.admin()
	token := w.token(admin, "ci", "editor", "30d")
	ci := w.with("Bearer " + token)
	ci.do("POST", "/api/v2/silences?x=1", "{}").is(200)
	ci.do("POST", "/api/v1/query", "").is(200)  // Not a change.
	ci.do("POST", "/api/v2/alerts", "").is(200) // Data.
	ci.do("POST", "/-/reload", "").is(403)
	w.browser().do("POST", "/ai/v1/auth/login", credentials("admin", "a wrong guess")).is(401)
	w.browser().do("POST", "/ai/v1/auth/login", credentials("my secret typed here", "x")).is(401)
	log := events(admin)
	pick := func(i int, fields ...string) (out []any) {
		for _, f := range fields {
			out = append(out, log[i][f])
		}
		return out
	}
	require.Equal(t, []any{"somebody unknown", "log-in refused", 401.0}, pick(0, "who", "action", "status"))
	require.Equal(t, []any{"admin", "log-in refused", 401.0}, pick(1, "who", "action", "status"))
	require.Equal(t, []any{"token ci", "editor", "POST", "/-/reload", 403.0}, pick(2, "who", "role", "method", "path", "status"))
	require.Equal(t, []any{"token ci", "token", "/api/v2/silences", "x=1", 200.0}, pick(3, "who", "kind", "path", "query", "status"))
	require.Equal(t, []any{"admin", "make the token ci with role editor", 201.0}, pick(4, "who", "action", "status"))
	require.Equal(t, "192.0.2.1", log[4]["address"])

	page := admin.do("GET", "/ai/v1/auth/audit?limit=2", "").is(200).json()
	require.Len(t, page["events"], 2)
	next := strconv.Itoa(int(page["next"].(float64)))
	require.Equal(t, log[2], admin.do("GET", "/ai/v1/auth/audit?limit=1&before="+next, "").is(200).json()["events"].([]any)[0])
	admin.do("GET", "/ai/v1/auth/audit?limit=0", "").is(400)
	admin.do("GET", "/ai/v1/auth/audit?before=x", "").is(400)

	// What cannot be written down is not done.
	w.store.Fail(errors.New("disk full"))
	r := ci.do("POST", "/api/v2/silences", "{}").is(503)
	require.Empty(t, r.Header().Get("X-Reached"))
	ci.do("GET", "/metrics", "").is(200)
	w.store.Fail(nil)
	require.EqualValues(t, 1, testutil.ToFloat64(counter(t, w, "modelwatch_auth_audit_errors_total", "")))
}

func TestStrangersCannotFlushTheAuditLog(t *testing.T) {
	w := open(t)
	viewer := w.with("Bearer " + w.token(w.admin(), "v", "viewer", ""))
	for range 500 {
		viewer.do("POST", "/-/reload", "").is(403)
	}
	require.Less(t, len(events(w.admin())), 80)
}

func TestAuditIsBounded(t *testing.T) {
	w := open(t, func(o *auth.Options) { o.AuditEvents = 10 })
	admin := w.admin()
	for range 30 {
		admin.do("POST", "/api/v2/silences", "{}").is(200)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.auth.Run(ctx)
	require.Len(t, events(admin), 10)
}
