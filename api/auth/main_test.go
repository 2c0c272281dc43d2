package auth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/api/auth/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is modelwatch as far as auth sees it.
type world struct {
	t       *testing.T
	auth    *auth.Auth
	store   *memory.Store
	clock   *clock
	handler http.Handler
	first   string // password of admin
	log     *bytes.Buffer
	reg     *prometheus.Registry
}

const adminPassword = "correct horse battery"

// open makes a world, with admin's password set to adminPassword.
func open(t *testing.T, change ...func(*auth.Options)) *world {
	t.Helper()
	w := &world{t: t, store: memory.New(), clock: newClock(), log: &bytes.Buffer{}}
	w.start(change...)
	require.NotEmpty(t, w.first)
	b := w.login("admin", w.first)
	b.do("POST", "/ai/v1/auth/password", `{"current":"`+w.first+`","new":"`+adminPassword+`"}`).is(200)
	w.clock.add(time.Hour)
	return w
}

// start starts the process on what is stored.
func (w *world) start(change ...func(*auth.Options)) {
	w.t.Helper()
	w.reg = prometheus.NewRegistry()
	external, _ := url.Parse("https://watch.example.org/")
	o := auth.Options{
		Enabled: true, Store: w.store, Journal: w.store, ExternalURL: external, Secure: true, Now: w.clock.now,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)), Registerer: w.reg,
	}
	o.Cheap()
	for _, f := range change {
		f(&o)
	}
	a, first, err := auth.New(w.t.Context(), o)
	require.NoError(w.t, err)
	w.auth, w.first = a, first
	mux := http.NewServeMux()
	mux.Handle("/ai/v1/auth/", a.Handler())
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if p, ok := auth.From(r.Context()); ok {
			name = p.Name
		}
		rw.Header().Set("X-Reached", name)
		_, _ = io.WriteString(rw, "reached as "+name)
	})
	w.handler = a.Middleware(mux)
}

// browser keeps cookies and the token against forgery.
type browser struct {
	*world
	cookies map[string]string
	csrf    string
	header  http.Header
	from    string
}

func (w *world) browser() *browser {
	return &browser{world: w, cookies: map[string]string{}, header: http.Header{}, from: "192.0.2.1:4000"}
}

// with is a client that sends an Authorization header.
func (w *world) with(authorization string) *browser {
	b := w.browser()
	b.header.Set("Authorization", authorization)
	return b
}

type reply struct {
	*httptest.ResponseRecorder
	t    *testing.T
	what string
}

func (r reply) is(status int) reply {
	r.t.Helper()
	require.Equal(r.t, status, r.Code, "%s: %s", r.what, r.Body)
	return r
}

// json decodes the body into a map.
func (r reply) json() map[string]any {
	r.t.Helper()
	var out map[string]any
	require.NoError(r.t, json.Unmarshal(r.Body.Bytes(), &out), r.Body.String())
	return out
}

func (b *browser) do(method, path, body string) reply {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr = b.from
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.csrf != "" {
		r.Header.Set(auth.CSRFHeader, b.csrf)
	}
	maps.Copy(r.Header, b.header)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	obey(b.t, r, w)
	for _, c := range w.Result().Cookies() {
		require.True(b.t, c.HttpOnly, c.Name)
		require.Equal(b.t, http.SameSiteLaxMode, c.SameSite, c.Name)
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	out := reply{w, b.t, method + " " + path}
	if token, ok := jsonField(w, "csrfToken"); ok {
		b.csrf = token
	}
	return out
}

func jsonField(w *httptest.ResponseRecorder, name string) (string, bool) {
	var fields map[string]any
	if json.Unmarshal(w.Body.Bytes(), &fields) != nil {
		return "", false
	}
	s, ok := fields[name].(string)
	return s, ok
}

func credentials(user, password string) string {
	out, _ := json.Marshal(map[string]string{"user": user, "password": password})
	return string(out)
}

func (w *world) login(user, password string) *browser {
	w.t.Helper()
	b := w.browser()
	b.do("POST", "/ai/v1/auth/login", credentials(user, password)).is(200)
	return b
}

func (w *world) admin() *browser { return w.login("admin", adminPassword) }

// add makes a user who has set a password of their own.
func (w *world) add(admin *browser, name, role string) (password string) {
	w.t.Helper()
	made := admin.do("POST", "/ai/v1/auth/users", `{"name":"`+name+`","role":"`+role+`"}`).is(201).json()
	password = "a password of " + name + " 42"
	b := w.login(name, made["password"].(string))
	b.do("POST", "/ai/v1/auth/password", `{"current":"`+made["password"].(string)+`","new":"`+password+`"}`).is(200)
	return password
}

func (w *world) token(admin *browser, name, role, ttl string) string {
	w.t.Helper()
	return admin.do("POST", "/ai/v1/auth/tokens", `{"name":"`+name+`","role":"`+role+`","ttl":"`+ttl+`"}`).is(201).json()["token"].(string)
}

func events(admin *browser) (out []map[string]any) {
	for _, e := range admin.do("GET", "/ai/v1/auth/audit?limit=1000", "").is(200).json()["events"].([]any) {
		out = append(out, e.(map[string]any))
	}
	return out
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
