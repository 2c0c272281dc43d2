package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const authOn = "web:\n  auth: {enabled: true}\n"

// who sends requests as somebody: a browser with cookies, or a program with an
// Authorization header.
type who struct {
	t      *testing.T
	s      *server
	client *http.Client
	header http.Header
}

func (s *server) nobody() *who {
	return &who{t: s.t, s: s, client: &http.Client{Timeout: 20 * time.Second}, header: http.Header{}}
}

func (s *server) browser() *who {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	w := s.nobody()
	w.client.Jar = jar
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return w
}

func (s *server) bearer(token string) *who {
	w := s.nobody()
	w.header.Set("Authorization", "Bearer "+token)
	return w
}

func (s *server) basic(user, password string) *who {
	w := s.nobody()
	r := &http.Request{Header: w.header}
	r.SetBasicAuth(user, password)
	return w
}

func (w *who) do(method, path, body string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.s.url+path, strings.NewReader(body))
	require.NoError(w.t, err)
	maps.Copy(req.Header, w.header)
	if body != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := w.client.Do(req)
	require.NoError(w.t, err)
	return resp
}

func (w *who) ask(method, path, body string) (int, string) {
	w.t.Helper()
	return read(w.t, w.do(method, path, body))
}

// want asks, insists on the status, and returns the answer's JSON.
func (w *who) want(status int, method, path, body string) map[string]any {
	w.t.Helper()
	got, text := w.ask(method, path, body)
	require.Equal(w.t, status, got, "%s %s: %s", method, path, text)
	out := map[string]any{}
	_ = json.Unmarshal([]byte(text), &out) // Not every answer is JSON.
	return out
}

// login begins a session and keeps its CSRF token.
func (w *who) login(user, password string) map[string]any {
	w.t.Helper()
	w.header.Del("X-CSRF-Token")
	me := w.want(200, "POST", "/ai/v1/auth/login", fmt.Sprintf(`{"user":%q,"password":%q}`, user, password))
	w.header.Set("X-CSRF-Token", me["csrfToken"].(string))
	return me
}

// change sets a new password.
func (w *who) change(current, to string) {
	w.t.Helper()
	me := w.want(200, "POST", "/ai/v1/auth/password", fmt.Sprintf(`{"current":%q,"new":%q}`, current, to))
	w.header.Set("X-CSRF-Token", me["csrfToken"].(string))
}

var printed = regexp.MustCompile(`(?m)^  password  (\S+)$`)

// printedPassword is the one that was told at start.
func (s *server) printedPassword() string {
	s.t.Helper()
	m := printed.FindAllStringSubmatch(s.out.String(), -1)
	require.Len(s.t, m, 1, "%s", s.out)
	return m[0][1]
}

const adminPassword = "four walruses on a lake"

// startWithAuth starts with authentication on, and returns the admin, who has
// changed the first password.
func startWithAuth(t *testing.T, config string, args ...string) (s *server, admin *who, file, data string) {
	t.Helper()
	dir := t.TempDir()
	file, data = write(t, dir, "modelwatch.yml", config), filepath.Join(dir, "data")
	s = start(t, options{args: append([]string{"--config.file=" + file, "--storage.path=" + data}, args...)})
	admin = s.browser()
	first := s.printedPassword()
	require.Equal(t, true, admin.login("admin", first)["mustChangePassword"])
	admin.change(first, adminPassword)
	return s, admin, file, data
}

// token makes a token of a role.
func (w *who) token(role, ttl string) string {
	w.t.Helper()
	out := w.want(201, "POST", "/ai/v1/auth/tokens", fmt.Sprintf(`{"name":"%s %s","role":%q,"ttl":%q}`, role, ttl, role, ttl))
	return out["token"].(string)
}

// user makes a user of a role, who has a session and has changed the password.
func (w *who) user(name, role string) *who {
	w.t.Helper()
	first := w.want(201, "POST", "/ai/v1/auth/users", fmt.Sprintf(`{"name":%q,"role":%q}`, name, role))["password"].(string)
	u := w.s.browser()
	u.login(name, first)
	u.change(first, "the password of "+name+" 1")
	return u
}

func TestAuthFirstStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, data := write(t, dir, "modelwatch.yml", authOn), filepath.Join(dir, "data")
	args := []string{"--config.file=" + file, "--storage.path=" + data}
	s := start(t, options{args: args})
	first := s.printedPassword()
	for line := range strings.Lines(s.out.String()) {
		if strings.Contains(line, "level=") {
			require.NotContains(t, line, first, "the log must not hold it")
		}
	}
	nobody := s.nobody()
	nobody.want(401, "GET", "/api/v1/query?query=up", "")
	nobody.want(200, "GET", "/-/healthy", "")
	nobody.want(200, "GET", "/ready", "")
	require.Nil(t, nobody.want(200, "GET", "/ai/v1/auth/me", "")["user"])

	// A browser is shown the page of log-in, and comes back to what it asked for.
	b := s.browser()
	b.header.Set("Accept", "text/html")
	resp := b.do("GET", "/alerts?state=firing", "")
	_ = resp.Body.Close()
	require.Equal(t, 303, resp.StatusCode)
	require.Equal(t, "/login?next=%2Falerts%3Fstate%3Dfiring", resp.Header.Get("Location"))
	b.header.Del("Accept")

	// Until the password is changed nothing else is possible, by any way.
	require.Equal(t, true, b.login("admin", first)["mustChangePassword"])
	require.Equal(t, "password_change_required", b.want(403, "GET", "/api/v1/query?query=up", "")["code"])
	require.Equal(t, "password_change_required", b.want(403, "POST", "/ai/v1/auth/tokens", `{"name":"x","role":"admin"}`)["code"])
	require.Equal(t, "password_change_required", s.basic("admin", first).want(403, "GET", "/metrics", "")["code"])
	b.want(400, "POST", "/ai/v1/auth/password", fmt.Sprintf(`{"current":%q,"new":"short"}`, first))
	b.want(400, "POST", "/ai/v1/auth/password", fmt.Sprintf(`{"current":%q,"new":%q}`, first, first))
	b.change(first, adminPassword)
	b.want(200, "GET", "/api/v1/query?query=up", "")

	// modelwatch goes on watching itself.
	eventually(t, 40*time.Second, func() error {
		_, text := b.ask("GET", "/api/v1/query?query=up%7Bjob%3D%22modelwatch%22%7D", "")
		if !strings.Contains(text, `"1"]`) {
			return fmt.Errorf("modelwatch does not scrape itself: %s", text)
		}
		return nil
	})
	_, metrics := b.ask("GET", "/metrics", "")
	require.Contains(t, metrics, `modelwatch_auth_logins_total{method="password",result="ok"}`)

	// A session and the password outlive a restart; none is printed again.
	s.stop()
	require.Contains(t, s.out.String(), "curl -u NAME '"+s.url+"/api/v1/targets'", "what is proposed must work")
	s2 := start(t, options{args: args})
	b.s = s2
	b.want(200, "GET", "/metrics", "")
	require.NotRegexp(t, printed, s2.out.String())
	s2.stop()

	// The way back in.
	s3 := start(t, options{args: append(args, "--auth.reset-admin")})
	second := s3.printedPassword()
	require.NotEqual(t, first, second)
	b.s = s3
	b.want(401, "GET", "/metrics", "")
	s3.browser().want(401, "POST", "/ai/v1/auth/login", fmt.Sprintf(`{"user":"admin","password":%q}`, adminPassword))
	require.Equal(t, true, s3.browser().login("admin", second)["mustChangePassword"])
}

// Who may do what, at all APIs. The status says whether a role got past the
// guard: what comes after is the API's own judgement of a poor request.
func TestAuthRoles(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn+"metrics: {admin_api: true}\n")
	people := map[string]*who{"viewer": admin.user("vera", "viewer"), "editor": admin.user("ed", "editor"), "admin": admin}
	programs := map[string]*who{}
	for _, role := range []string{"viewer", "editor", "admin", "ingest"} {
		programs[role] = s.bearer(admin.token(role, "1h"))
	}
	read, change, push, govern := "viewer editor admin", "editor admin", "ingest editor admin", "admin"
	cases := []struct{ method, path, body, may string }{
		{"GET", "/", "", read},
		{"GET", "/metrics", "", read},
		{"GET", "/federate?match[]=up", "", read},
		{"GET", "/api/v1/query?query=up", "", read},
		{"POST", "/api/v1/query?query=up", "", read},
		{"GET", "/api/v1/targets", "", read},
		{"GET", "/api/v1/status/config", "", read},
		{"POST", "/api/v1/read", "", read},
		{"POST", "/api/v1/write", "", push},
		{"POST", "/api/v1/otlp/v1/metrics", "", push},
		{"POST", "/v1/metrics", "", push},
		{"POST", "/v1/logs", "", push},
		{"POST", "/v1/traces", "", push},
		{"POST", "/otlp/v1/logs", "", push},
		{"POST", "/api/v1/admin/tsdb/clean_tombstones", "", govern},
		{"PUT", "/api/v1/admin/tsdb/clean_tombstones", "", govern},
		{"GET", "/api/v2/status", "", read},
		{"GET", "/api/v2/alerts", "", read},
		{"POST", "/api/v2/alerts", "[]", change},
		{"POST", "/api/v2/silences", "{}", change},
		{"DELETE", "/api/v2/silence/none", "", change},
		{"GET", "/loki/api/v1/labels", "", read},
		{"POST", "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D", "", read},
		{"GET", "/loki/api/v1/tail?query=%7Ba%3D%22b%22%7D", "", read},
		{"POST", "/loki/api/v1/push", `{"streams":[]}`, push},
		{"POST", "/api/prom/push", `{"streams":[]}`, push},
		{"GET", "/loki/api/v1/delete", "", govern},
		{"POST", "/loki/api/v1/delete", "", govern},
		{"GET", "/ai/v1/services", "", read},
		{"GET", "/ai/v1/inferences", "", read},
		{"POST", "/ai/v1/inferences", "[]", push},
		{"POST", "/ai/v1/labels", "[]", push},
		{"POST", "/ai/v1/baselines", "{}", change},
		{"POST", "/ai/v1/alerting/test", "{}", change},
		{"POST", "/ai/v1/something/new", "{}", govern},
		{"POST", "/-/reload", "", govern},
		{"GET", "/debug/pprof/cmdline", "", govern},
		{"GET", "/debug/pprof/goroutine", "", govern},
		{"GET", "/ai/v1/auth/users", "", govern},
		{"GET", "/ai/v1/auth/tokens", "", govern},
		{"GET", "/ai/v1/auth/audit", "", govern},
		{"PROPFIND", "/api/v1/query?query=up", "", govern},
		{"DELETE", "/api/v1/series", "", govern},
	}
	for _, c := range cases {
		// Other ways to write the path.
		paths := []string{c.path}
		if c.path != "/" {
			paths = append(paths, "/"+c.path, strings.Replace(c.path, "/", "/./", 1), "/x/.."+c.path, strings.Replace(c.path, "/", "/%2e/", 1))
		}
		for i, path := range paths {
			for role, w := range programs {
				// What is not refused does not have to exist.
				got, text := w.ask(c.method, path, c.body)
				refused := got == 401 || got == 403
				if i == 0 {
					require.Equal(t, !strings.Contains(" "+c.may+" ", " "+role+" "), refused, "%s with %s %s: %d %s", role, c.method, path, got, text)
				} else if !strings.Contains(" "+c.may+" ", " "+role+" ") {
					require.NotContains(t, []int{200, 201, 202, 204}, got, "%s with %s %s: %s", role, c.method, path, text)
				}
			}
			got, _ := s.nobody().ask(c.method, path, c.body)
			require.Contains(t, []int{401, 307}, got, "nobody with %s %s", c.method, path)
		}
		for role, w := range people {
			got, text := w.ask(c.method, c.path, c.body)
			require.Equal(t, !strings.Contains(" "+c.may+" ", " "+role+" "), got == 401 || got == 403, "%s with %s %s: %d %s", role, c.method, c.path, got, text)
		}
	}
	refusal := programs["viewer"].want(403, "POST", "/-/reload", "")
	require.Equal(t, "admin", refusal["role"])
	require.Contains(t, refusal["error"], "this needs the role admin, and token viewer 1h has viewer")
	people["viewer"].want(200, "GET", "/ai/v1/auth/sessions", "")

	// What is pushed with a token arrives.
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	programs["ingest"].want(204, "POST", "/loki/api/v1/push", `{"streams":[{"stream":{"app":"shop"},"values":[["`+now+`","sold"]]}]}`)
	eventually(t, 10*time.Second, func() error {
		if _, text := programs["viewer"].ask("GET", "/loki/api/v1/query_range?query=%7Bapp%3D%22shop%22%7D", ""); !strings.Contains(text, "sold") {
			return fmt.Errorf("not there yet: %s", text)
		}
		return nil
	})
}

// The ports of the programs that modelwatch stands in for are no way around the
// roles.
func TestAuthOnCompatPorts(t *testing.T) {
	t.Parallel()
	// The ports are fixed, so the address is one that nobody else has.
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	dir := t.TempDir()
	file := write(t, dir, "modelwatch.yml", authOn)
	s := start(t, options{address: host + ":9090", args: []string{"--compat.ports", "--config.file=" + file, "--storage.path=" + filepath.Join(dir, "data")}})
	admin := s.browser()
	first := s.printedPassword()
	admin.login("admin", first)
	admin.change(first, adminPassword)
	sessions := map[string]*who{"viewer": admin.user("vera", "viewer"), "editor": admin.user("ed", "editor"), "admin": admin}
	tokens := map[string]string{}
	for _, role := range []string{"ingest", "viewer", "editor", "admin"} {
		tokens[role] = admin.token(role, "1h")
	}
	for _, port := range []string{"9093", "3100"} {
		there := *s
		there.url = "http://" + host + ":" + port
		for _, c := range []struct{ method, path, body, may string }{
			{"GET", "/ready", "", "nobody ingest viewer editor admin"},
			{"GET", "/", "", "viewer editor admin"},
			{"GET", "/metrics", "", "viewer editor admin"},
			{"GET", "/api/v1/query?query=up", "", "viewer editor admin"},
			{"GET", "/api/v2/alerts", "", "viewer editor admin"},
			{"POST", "/api/v2/alerts", "[]", "editor admin"},
			{"POST", "/api/v2/silences", "{}", "editor admin"},
			{"DELETE", "/api/v2/silence/none", "", "editor admin"},
			{"GET", "/loki/api/v1/labels", "", "viewer editor admin"},
			{"GET", "/loki/api/v1/query_range?query=%7Ba%3D%22b%22%7D", "", "viewer editor admin"},
			{"POST", "/loki/api/v1/push", `{"streams":[]}`, "ingest editor admin"},
			{"POST", "/loki/api/v1/delete", "", "admin"},
			{"GET", "/ai/v1/auth/users", "", "admin"},
			{"POST", "/-/reload", "", "admin"},
		} {
			ask := func(role string, w *who) {
				got, text := w.ask(c.method, c.path, c.body)
				may := slices.Contains(strings.Fields(c.may), role)
				require.Equal(t, may, got != 401 && got != 403, "%s at %s with %s %s: %d %s", role, port, c.method, c.path, got, text)
			}
			ask("nobody", there.nobody())
			for role, token := range tokens {
				ask(role, there.bearer(token))
			}
			for role, w := range sessions { // Browsers send cookies to all ports of a host.
				here := *w
				here.s = &there
				ask(role, &here)
			}
		}
	}
	// What was refused there is in the log with the rest.
	_, log := admin.ask("GET", "/ai/v1/auth/audit", "")
	require.Contains(t, log, "/-/reload")
}

func TestAuthTokensEnd(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn)
	short, long := s.bearer(admin.token("viewer", "1500ms")), s.bearer(admin.token("viewer", "never"))
	long.want(200, "GET", "/metrics", "")
	eventually(t, 5*time.Second, func() error {
		if got, _ := short.ask("GET", "/metrics", ""); got != 401 {
			return fmt.Errorf("an expired token gets %d", got)
		}
		return nil
	})
	list := admin.want(200, "GET", "/ai/v1/auth/tokens", "")["tokens"].([]any)
	require.Len(t, list, 2)
	for _, one := range list {
		one := one.(map[string]any)
		require.NotContains(t, one, "token", "it is shown once")
		require.Equal(t, one["name"] == "viewer 1500ms", one["expired"])
		if one["name"] == "viewer never" {
			require.NotEmpty(t, one["lastUsed"])
			admin.want(204, "DELETE", "/ai/v1/auth/tokens/"+one["id"].(string), "")
		}
	}
	long.want(401, "GET", "/metrics", "")
	require.Contains(t, s.bearer("mw_nonsense").want(401, "GET", "/metrics", "")["error"], "does not exist")
	for _, bad := range []string{`{"name":"a","role":"boss"}`, `{"name":"a","role":"viewer","ttl":"soon"}`, `{"name":"","role":"viewer"}`, `{"nam":"a"}`, `[`} {
		admin.want(400, "POST", "/ai/v1/auth/tokens", bad)
	}
}

func TestAuthForgeryAndGuessing(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn)
	// A session changes nothing without its CSRF token, whatever the method.
	csrf := admin.header.Get("X-CSRF-Token")
	for _, wrong := range []string{"", "guessed", csrf[1:]} {
		admin.header.Set("X-CSRF-Token", wrong)
		for _, c := range [][2]string{{"POST", "/-/reload"}, {"PUT", "/-/reload"}, {"POST", "/api/v2/silences"}, {"DELETE", "/api/v2/silence/x"}, {"POST", "/ai/v1/auth/users"}, {"POST", "/ai/v1/auth/logout"}, {"DELETE", "/ai/v1/auth/sessions"}, {"POST", "/loki/api/v1/push"}, {"POST", "/api/v1/query"}} {
			got, text := admin.ask(c[0], c[1], "{}")
			require.Equal(t, 403, got, "%v: %s", c, text)
			require.Contains(t, text, "X-CSRF-Token", "%v", c)
		}
	}
	admin.header.Set("X-CSRF-Token", csrf)
	// Nor for a page of another origin, even if it knew the token.
	admin.header.Set("Sec-Fetch-Site", "cross-site")
	got, _ := admin.ask("POST", "/-/reload", "")
	require.Equal(t, 403, got)
	admin.header.Del("Sec-Fetch-Site")
	admin.want(200, "POST", "/-/reload", "")

	// Guessing ends, for a user and for one that does not exist alike.
	for _, name := range []string{"admin", "nobody at all"} {
		b := s.browser()
		var last *http.Response
		for range 8 {
			if last != nil {
				_ = last.Body.Close()
			}
			last = b.do("POST", "/ai/v1/auth/login", fmt.Sprintf(`{"user":%q,"password":"guess %d of many"}`, name, time.Now().UnixNano()))
			if last.StatusCode == http.StatusTooManyRequests {
				break
			}
			require.Equal(t, 401, last.StatusCode)
		}
		require.Equal(t, 429, last.StatusCode, name)
		wait, err := strconv.Atoi(last.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Positive(t, wait)
		text, err := io.ReadAll(last.Body)
		_ = last.Body.Close()
		require.NoError(t, err)
		require.Contains(t, string(text), fmt.Sprintf("try again in %d s", wait))
	}
	admin.want(200, "GET", "/metrics", "") // Those who are in stay in.
}

func TestAuditSurvivesKill(t *testing.T) {
	t.Parallel()
	s, admin, file, data := startWithAuth(t, authOn)
	admin.want(201, "POST", "/ai/v1/auth/users", `{"name":"vera","role":"viewer","password":"a secret that nobody sees"}`)
	admin.want(200, "POST", "/-/reload", "")
	key := admin.token("ingest", "never")
	s.kill()
	s2 := start(t, options{args: []string{"--config.file=" + file, "--storage.path=" + data}})
	admin.s = s2
	_, text := admin.ask("GET", "/ai/v1/auth/audit", "")
	for _, want := range []string{
		`"action":"set a new password of the user admin"`, `"action":"change the own password"`,
		`"action":"make the user vera with role viewer"`, `"path":"/-/reload"`, `"action":"make the token ingest never with role ingest"`,
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "nobody sees")
	require.NotContains(t, text, key)
	require.NotContains(t, text, `"status":0`)
	s2.bearer(key).want(204, "POST", "/loki/api/v1/push", fmt.Sprintf(`{"streams":[{"stream":{"app":"a"},"values":[["%d","x"]]}]}`, time.Now().UnixNano()))
	// Page by page, newest first, without a hole or a repetition.
	var seqs []float64
	for next := ""; ; {
		page := admin.want(200, "GET", "/ai/v1/auth/audit?limit=2"+next, "")
		for _, e := range page["events"].([]any) {
			seqs = append(seqs, e.(map[string]any)["seq"].(float64))
		}
		if page["next"] == nil {
			break
		}
		next = fmt.Sprintf("&before=%.0f", page["next"])
	}
	for i, seq := range seqs {
		require.InDelta(t, float64(len(seqs)-i), seq, 0)
	}
}

func TestAuthSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	refused := func(want string, args ...string) {
		t.Helper()
		s := launch(t, options{args: append(args, "--storage.path="+filepath.Join(dir, "data"))})
		<-s.exited
		require.Error(t, s.err)
		require.Contains(t, s.out.String(), want)
	}
	// Basic auth of the web config and users of one's own exclude each other.
	write(t, dir, "web.yml", "basic_auth_users: {a: $2b$10$hNf2lSsxfm0.i4a.1kVpSOVyBCfIB51VRjgBUyv6kdnyTlgWj81Ay}\n")
	both := write(t, dir, "both.yml", "web:\n  config_file: web.yml\n  auth: {enabled: true}\n")
	refused("basic_auth_users and web.auth cannot be used together", "--config.file="+both)
	out, err := check(both)
	require.Error(t, err)
	require.Contains(t, out, "both.yml: web config "+filepath.Join(dir, "web.yml")+": basic_auth_users and web.auth cannot be used together")

	refused("--auth.reset-admin: authentication is off", "--auth.reset-admin")
	bad := write(t, dir, "bad.yml", "web:\n  auth:\n    enabled: true\n    oidc: {issuer: https://login.example.org, client_id: a, client_secret_file: none, default_role: viewer}\n")
	refused("client_secret_file", "--config.file="+bad)
	out, err = check(bad)
	require.Error(t, err)
	require.Contains(t, out, "client_secret_file")
	require.Contains(t, out, "hint: check the path")
	out, err = check(write(t, dir, "typo.yml", "web:\n  auth:\n    enabeld: true\n"))
	require.Error(t, err)
	require.Contains(t, out, "typo.yml:3: field enabeld not found")

	// Beyond loopback: a warning without authentication, another without TLS.
	for want, args := range map[string][]string{
		"is open to the network without authentication": {},
		"can be read on the way":                        {"--config.file=" + write(t, dir, "on.yml", authOn)},
		"":                                              {"--config.file=" + write(t, dir, "proxy.yml", "web:\n  external_url: https://watch.example.org\n  auth: {enabled: true}\n")},
	} {
		s := launch(t, options{address: "0.0.0.0:0", args: append(args, "--storage.path="+t.TempDir())})
		eventually(t, 20*time.Second, func() error {
			if !strings.Contains(s.out.String(), "Try next:") {
				return fmt.Errorf("not ready: %s", s.out)
			}
			return nil
		})
		s.stop()
		if want == "" {
			require.NotContains(t, s.out.String(), "WARNING")
		} else {
			require.Contains(t, s.out.String(), want)
		}
		require.LessOrEqual(t, strings.Count(s.out.String(), "WARNING"), 1)
	}
}

// With authentication off everybody may do everything, and the page can tell.
func TestAuthOff(t *testing.T) {
	t.Parallel()
	s := start(t, options{args: []string{"--storage.path=" + t.TempDir()}})
	me := s.nobody().want(200, "GET", "/ai/v1/auth/me", "")
	require.Equal(t, false, me["authEnabled"])
	require.Equal(t, "admin", me["role"])
	require.Contains(t, s.nobody().want(404, "GET", "/ai/v1/auth/users", "")["error"], "web.auth.enabled")
	s.nobody().want(200, "POST", "/-/reload", "")
}

// check runs `modelwatch check`.
func check(file string) (string, error) {
	out, err := exec.Command(binary, "check", file).CombinedOutput()
	return string(out), err
}
