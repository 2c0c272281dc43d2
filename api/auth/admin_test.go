package auth_test

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/api/auth/memory"
)

func newStore() *memory.Store { return memory.New() }
func newLog() *bytes.Buffer   { return &bytes.Buffer{} }

// counter reads one counter of the registry, by name and the value of one of its
// labels.
func counter(t *testing.T, w *world, name, value string) prometheus.Collector {
	t.Helper()
	families, err := w.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if value == "" && len(m.GetLabel()) == 0 || hasLabel(m, value) {
				c := prometheus.NewCounter(prometheus.CounterOpts{Name: "copy"})
				c.Add(m.GetCounter().GetValue())
				if value == "" || m.GetCounter().GetValue() > 0 {
					return c
				}
			}
		}
	}
	t.Fatalf("no %s with %q above 0", name, value)
	return nil
}

func hasLabel(m *dto.Metric, value string) bool {
	for _, l := range m.GetLabel() {
		if l.GetValue() == value {
			return true
		}
	}
	return false
}

func (b *browser) userID(name string) string {
	b.t.Helper()
	for _, u := range b.do("GET", "/ai/v1/auth/users", "").is(200).json()["users"].([]any) {
		if u := u.(map[string]any); u["name"] == name {
			return u["id"].(string)
		}
	}
	b.t.Fatalf("no user %s", name)
	return ""
}

func TestUsers(t *testing.T) {
	w := open(t)
	admin := w.admin()
	for body, want := range map[string]string{
		`{"name":"","role":"viewer"}`:                                                     "name: it is empty",
		`{"name":"a:b","role":"viewer"}`:                                                  "no colon",
		`{"name":"a\u0007","role":"viewer"}`:                                              "cannot be seen",
		`{"name":"` + strings.Repeat("x", 101) + `","role":"viewer"}`:                     "longer than 100 bytes",
		`{"name":"ann","role":"owner"}`:                                                   `role "owner" does not exist: choose viewer, editor or admin`,
		`{"name":"ann","role":"ingest"}`:                                                  "choose viewer, editor or admin",
		`{"name":"ann","role":"viewer","password":"short"}`:                               "password: the password needs at least 12 characters",
		`{"name":"annabelle-lee","role":"viewer","password":"Annabelle-Lee1"}`:            "little more than the name",
		`{"name":"ann","role":"viewer","admin":true}`:                                     "documented fields",
		`{"name":7,"role":"viewer"}`:                                                      "name: it must be a string",
		`{"name":"ann","role":"viewer"} {}`:                                               "goes on after",
		`{"name":`:                                                                        "documented fields",
		`{"name":"ann","role":"viewer","password":"` + strings.Repeat("p", 20_000) + `"}`: "over 16384 bytes",
	} {
		r := admin.do("POST", "/ai/v1/auth/users", body)
		require.GreaterOrEqual(t, r.Code, 400, body)
		require.Contains(t, r.json()["error"], want, body)
	}
	password := w.add(admin, "Ann Lee", "viewer")
	admin.do("POST", "/ai/v1/auth/users", `{"name":"ann lee","role":"viewer"}`).is(409)
	ann := w.login("ANN LEE", password)
	ann.do("POST", "/api/v2/silences", "{}").is(403)
	ann.do("GET", "/ai/v1/auth/users", "").is(403)

	// A new role holds at once, a lock too.
	id := admin.userID("Ann Lee")
	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"role":"editor"}`).is(200)
	ann.do("POST", "/api/v2/silences", "{}").is(200)
	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"disabled":true}`).is(200)
	ann.do("GET", "/metrics", "").is(401)
	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"disabled":false}`).is(200)
	ann.do("GET", "/metrics", "").is(401)
	ann = w.login("Ann Lee", password)

	made := admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"resetPassword":true}`).is(200).json()["password"].(string)
	ann.do("GET", "/metrics", "").is(401)
	w.browser().do("POST", "/ai/v1/auth/login", credentials("Ann Lee", password)).is(401)
	ann = w.login("Ann Lee", made)
	ann.do("GET", "/metrics", "").is(403)
	require.EqualValues(t, 1, admin.do("DELETE", "/ai/v1/auth/users/"+id+"/sessions", "").is(200).json()["ended"])

	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{}`).is(400)
	admin.do("PATCH", "/ai/v1/auth/users/nobody", `{"disabled":true}`).is(404)
	admin.do("DELETE", "/ai/v1/auth/users/"+id, "").is(204)
	admin.do("DELETE", "/ai/v1/auth/users/"+id, "").is(404)
	w.browser().do("POST", "/ai/v1/auth/login", credentials("Ann Lee", made)).is(401)

	// Deleted is deleted after a start too.
	w.start()
	require.Empty(t, w.first)
}

func TestTheLastAdminStays(t *testing.T) {
	w := open(t)
	admin := w.admin()
	id := admin.userID("admin")
	for _, body := range []string{`{"role":"viewer"}`, `{"disabled":true}`} {
		require.Contains(t, admin.do("PATCH", "/ai/v1/auth/users/"+id, body).is(409).json()["error"], "last admin")
	}
	admin.do("DELETE", "/ai/v1/auth/users/"+id, "").is(409)
	w.add(admin, "second", "admin")
	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"role":"viewer"}`).is(200)
	admin.do("GET", "/ai/v1/auth/users", "").is(403)
}

func TestTokens(t *testing.T) {
	w := open(t)
	admin := w.admin()
	for body, want := range map[string]string{
		`{"name":"a","role":"owner"}`:              "choose ingest, viewer, editor or admin",
		`{"name":"a","role":"viewer","ttl":"x"}`:   "write it as 90d",
		`{"name":"a","role":"viewer","ttl":"11y"}`: "at most 10y",
		`{"name":"","role":"viewer"}`:              "name",
	} {
		require.Contains(t, admin.do("POST", "/ai/v1/auth/tokens", body).is(400).json()["error"], want)
	}
	token := w.token(admin, "short", "viewer", "1h")
	require.Regexp(t, `^mw_[A-Za-z0-9_-]{43}$`, token)
	forever := w.token(admin, "forever", "ingest", "never")
	year := w.token(admin, "year", "editor", "")
	admin.do("POST", "/ai/v1/auth/tokens", `{"name":"year","role":"viewer"}`).is(409)

	get := func(token string) int { return w.with("Bearer "+token).do("GET", "/metrics", "").Code }
	require.Equal(t, 200, get(token))
	require.Equal(t, 401, get(token[:len(token)-1]+"!"))
	w.clock.add(time.Hour)
	require.Equal(t, 401, get(token))
	w.clock.add(364 * 24 * time.Hour)
	require.Equal(t, 200, get(year))
	w.clock.add(24 * time.Hour)
	require.Equal(t, 401, get(year))
	require.Equal(t, 200, w.with("Bearer "+forever).do("POST", "/ai/v1/inferences", "{}").Code)
	require.Equal(t, 403, get(forever))

	admin = w.admin()
	list := admin.do("GET", "/ai/v1/auth/tokens", "").is(200)
	require.NotContains(t, list.Body.String(), forever)
	tokens := list.json()["tokens"].([]any)
	require.Len(t, tokens, 3)
	first := tokens[0].(map[string]any)
	require.Equal(t, "forever", first["name"])
	require.Equal(t, forever[:7], first["start"])
	require.Equal(t, "admin", first["createdBy"])
	require.NotContains(t, first, "expires")
	require.Equal(t, true, tokens[1].(map[string]any)["expired"])

	admin.do("DELETE", "/ai/v1/auth/tokens/"+first["id"].(string), "").is(204)
	admin.do("DELETE", "/ai/v1/auth/tokens/"+first["id"].(string), "").is(404)
	require.Equal(t, 401, w.with("Bearer "+forever).do("POST", "/ai/v1/inferences", "{}").Code)
	// What was used survives a start; what was revoked does not.
	w.start()
	require.Equal(t, 401, w.with("Bearer "+forever).do("POST", "/ai/v1/inferences", "{}").Code)
}

func TestChangesAreRefusedWhereTheyCannotBeStored(t *testing.T) {
	w := open(t)
	admin := w.admin()
	id := admin.userID("admin")
	w.store.Fail(fmt.Errorf("disk full"))
	w.browser().do("POST", "/ai/v1/auth/login", credentials("admin", adminPassword)).is(500)
	admin.do("POST", "/ai/v1/auth/users", `{"name":"ann","role":"viewer"}`).is(503)
	admin.do("POST", "/ai/v1/auth/logout", "").is(500)
	w.store.Fail(nil)
	admin.do("GET", "/ai/v1/auth/users", "").is(200)
	require.Equal(t, id, admin.userID("admin"))
	require.NotContains(t, w.log.String(), adminPassword)
}

// TestAtOnce is for the race detector.
func TestAtOnce(t *testing.T) {
	w := open(t, func(o *auth.Options) { o.TrustedProxies = append(o.TrustedProxies, prefix("192.0.2.0/24")) })
	admin := w.admin()
	token := w.token(admin, "agent", "viewer", "")
	password := w.add(admin, "ann", "editor")
	id := admin.userID("ann")
	stop := make(chan struct{})
	var background, wg sync.WaitGroup
	background.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.auth.Sweep(t.Context())
			}
		}
	})
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				c := w.with("Bearer " + token)
				c.do("GET", "/metrics", "").is(200)
				b := w.browser()
				b.header.Set("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i*20+n+1))
				if r := b.do("POST", "/ai/v1/auth/login", credentials("ann", password)); r.Code == 200 {
					b.do("POST", "/api/v2/silences", "{}")
					b.do("GET", "/ai/v1/auth/sessions", "")
					b.do("POST", "/ai/v1/auth/logout", "")
				} else {
					require.Contains(t, []int{429, 401}, r.Code)
				}
			}
		})
	}
	for i := range 10 {
		admin.do("PATCH", "/ai/v1/auth/users/"+id, fmt.Sprintf(`{"disabled":%t}`, i%2 == 0)).is(200)
		w.token(admin, fmt.Sprint("t", i), "ingest", "")
	}
	wg.Wait()
	close(stop)
	background.Wait()
	w.clock.add(time.Hour)
	ann := w.login("ann", password)
	require.NotEmpty(t, ann.do("GET", "/ai/v1/auth/sessions", "").is(200).json()["sessions"])
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }
