package auth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
)

// issuer is an OpenID provider.
type issuer struct {
	*httptest.Server
	t     *testing.T
	key   *ecdsa.PrivateKey
	clock *clock

	mu     sync.Mutex
	claims map[string]any        // of the next ID token, over the usual ones
	codes  map[string]url.Values // what was asked for, by code
	signer *ecdsa.PrivateKey     // other than key to forge
	down   bool
	none   bool // no ID token
}

func newIssuer(t *testing.T) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	i := &issuer{t: t, key: key, signer: key, codes: map[string]url.Values{}}
	known := &oidctest.Server{
		PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.ES256}},
		Algorithms: []string{oidc.ES256},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		known.ServeHTTP(w, r)
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	known.SetIssuer(i.URL)
	return i
}

// token exchanges a code, if the verifier fits the challenge.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked, ok := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("code_challenge_method") != "S256" ||
		id != "modelwatch" || secret != "s3cret" || r.FormValue("redirect_uri") != asked.Get("redirect_uri") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	claims := map[string]any{
		"iss": i.URL, "aud": "modelwatch", "sub": "u-1", "exp": i.clock.now().Add(time.Hour).Unix(), "iat": i.clock.now().Unix(),
		"nonce": asked.Get("nonce"), "email": "Ann@example.org", "email_verified": true, "groups": []string{"staff", "ml"},
	}
	maps.Copy(claims, i.claims)
	text, _ := json.Marshal(claims)
	answer := map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": oidctest.SignIDToken(i.signer, "k", oidc.ES256, string(text))}
	if i.none {
		delete(answer, "id_token")
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (i *issuer) set(f func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f()
}

// agree is what the issuer's page does when the user agrees: where to it sends
// the browser back.
func (i *issuer) agree(to string) url.Values {
	u, err := url.Parse(to)
	require.NoError(i.t, err)
	require.True(i.t, strings.HasPrefix(to, i.URL+"/auth?"), to)
	q := u.Query()
	require.Equal(i.t, "code", q.Get("response_type"))
	require.Equal(i.t, "openid profile email groups", q.Get("scope"))
	require.Equal(i.t, "https://watch.example.org/ai/v1/auth/oidc/callback", q.Get("redirect_uri"))
	code := "code " + q.Get("state")
	i.set(func() { i.codes[code] = q })
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func openOIDC(t *testing.T, change ...func(*auth.OIDC)) (*world, *issuer) {
	t.Helper()
	i := newIssuer(t)
	o := &auth.OIDC{
		Name: "Example", Issuer: i.URL, ClientID: "modelwatch", ClientSecret: "s3cret", Client: i.Client(),
		Roles: map[string]auth.Role{"ml": auth.Editor, "root": auth.Admin, "staff": auth.Viewer},
	}
	for _, f := range change {
		f(o)
	}
	w := open(t, func(a *auth.Options) { a.OIDC = o })
	i.clock = w.clock
	return w, i
}

// sso goes through a whole log-in and returns where it ends.
func (b *browser) sso(i *issuer, next string) string {
	b.t.Helper()
	to := b.do("GET", "/ai/v1/auth/oidc/login?next="+url.QueryEscape(next), "").is(303).Header().Get("Location")
	return b.back(i.agree(to))
}

func (b *browser) back(q url.Values) string {
	b.t.Helper()
	return b.do("GET", "/ai/v1/auth/oidc/callback?"+q.Encode(), "").is(303).Header().Get("Location")
}

func TestOIDC(t *testing.T) {
	w, i := openOIDC(t)
	b := w.browser()
	me := b.do("GET", "/ai/v1/auth/me", "").is(200).json()
	require.Equal(t, map[string]any{"name": "Example", "path": "ai/v1/auth/oidc/login"}, me["oidc"])
	require.Equal(t, "/explore?q=up", b.sso(i, "/explore?q=up"))
	require.Len(t, b.cookies, 1, "the cookie of the log-in is gone")
	me = b.do("GET", "/ai/v1/auth/me", "").is(200).json()
	user := me["user"].(map[string]any)
	require.Equal(t, "Ann@example.org", user["name"])
	require.Equal(t, "editor", user["role"], "the highest of the groups")
	require.Equal(t, "oidc", user["source"])
	b.do("POST", "/api/v2/silences", "{}").is(200)
	b.do("POST", "/ai/v1/auth/password", `{"current":"x","new":"y"}`).is(409)
	w.with(basic("Ann@example.org", "")).do("GET", "/metrics", "").is(401)

	// The next log-in brings what the issuer says then, for the same account.
	i.set(func() { i.claims = map[string]any{"groups": "root", "email": "ann.lee@example.org"} })
	second := w.browser()
	require.Equal(t, "/", second.sso(i, "https://evil.test/"))
	require.Equal(t, user["id"], second.userID("ann.lee@example.org"))
	admin := w.admin()
	require.Len(t, admin.do("GET", "/ai/v1/auth/users", "").json()["users"], 2)
	admin.do("PATCH", "/ai/v1/auth/users/"+user["id"].(string), `{"role":"viewer"}`).is(409)
	admin.do("PATCH", "/ai/v1/auth/users/"+user["id"].(string), `{"resetPassword":true}`).is(409)

	// Who is disabled here stays out.
	admin.do("PATCH", "/ai/v1/auth/users/"+user["id"].(string), `{"disabled":true}`).is(200)
	second.do("GET", "/metrics", "").is(401)
	require.Equal(t, "/login?error=disabled", w.browser().sso(i, "/"))
	admin.do("PATCH", "/ai/v1/auth/users/"+user["id"].(string), `{"disabled":false}`).is(200)
	third := w.browser()
	require.Equal(t, "/", third.sso(i, "/"))

	// Sessions end with the setting.
	w.start()
	third.handler = w.handler
	third.do("GET", "/metrics", "").is(401)
	require.Equal(t, 404, w.browser().do("GET", "/ai/v1/auth/oidc/login", "").Code)
	require.Equal(t, 404, w.browser().do("GET", "/ai/v1/auth/oidc/callback", "").Code)
}

func TestOIDCRefusals(t *testing.T) {
	forger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		settings func(*auth.OIDC)
		claims   map[string]any
		issuer   func(*issuer)
		want     string
	}{
		"forged":         {issuer: func(i *issuer) { i.signer = forger }, want: "oidc"},
		"no ID token":    {issuer: func(i *issuer) { i.none = true }, want: "oidc"},
		"other audience": {claims: map[string]any{"aud": "somebody else"}, want: "oidc"},
		"other issuer":   {claims: map[string]any{"iss": "https://evil.test"}, want: "oidc"},
		"expired":        {claims: map[string]any{"exp": 1}, want: "oidc"},
		"other nonce":    {claims: map[string]any{"nonce": "replayed"}, want: "state"},
		"no nonce":       {claims: map[string]any{"nonce": nil}, want: "state"},
		"no group":       {claims: map[string]any{"groups": []string{"sales"}}, want: "no_role"},
		"no groups":      {claims: map[string]any{"groups": nil}, want: "no_role"},
		"group objects":  {claims: map[string]any{"groups": []any{map[string]any{"ml": 1}}}, want: "no_role"},
		"name taken":     {settings: func(o *auth.OIDC) { o.NameClaim = "nick" }, claims: map[string]any{"nick": "Admin"}, want: "name_taken"},
		"no name":        {claims: map[string]any{"email": nil}, want: "no_name"},
		"unverified":     {claims: map[string]any{"email_verified": false}, want: "no_name"},
		"not allowed":    {settings: func(o *auth.OIDC) { o.AllowedEmails = []string{"bob@example.org", "@example.com"} }, want: "not_allowed"},
		"suffix":         {settings: func(o *auth.OIDC) { o.AllowedEmails = []string{"@ample.org"} }, want: "not_allowed"},
		"allowed, unverified": {
			settings: func(o *auth.OIDC) { o.AllowedEmails = []string{"ann@example.org"} },
			claims:   map[string]any{"email_verified": "no"}, want: "email",
		},
		"allowed": {settings: func(o *auth.OIDC) { o.AllowedEmails = []string{"@EXAMPLE.org"} }},
		"trusted": {
			settings: func(o *auth.OIDC) { o.AllowedEmails, o.TrustEmail = []string{"ann@example.org"}, true },
			claims:   map[string]any{"email_verified": nil},
		},
		"nested":  {settings: func(o *auth.OIDC) { o.RoleClaim = "realm.roles" }, claims: map[string]any{"realm": map[string]any{"roles": []string{"ml"}}}},
		"default": {settings: func(o *auth.OIDC) { o.DefaultRole = auth.Viewer }, claims: map[string]any{"groups": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			settings := []func(*auth.OIDC){}
			if c.settings != nil {
				settings = append(settings, c.settings)
			}
			w, i := openOIDC(t, settings...)
			i.set(func() { i.claims = c.claims })
			if c.issuer != nil {
				i.set(func() { c.issuer(i) })
			}
			b := w.browser()
			got := b.sso(i, "/alerts")
			if c.want == "" {
				require.Equal(t, "/alerts", got, w.log)
				b.do("GET", "/metrics", "").is(200)
				return
			}
			require.Equal(t, "/login?error="+c.want, got, w.log)
			require.Empty(t, b.cookies)
			require.NotContains(t, w.log.String(), "s3cret")
			require.Contains(t, events(w.admin())[1]["action"], "refused: "+c.want)
		})
	}
}

func TestOIDCState(t *testing.T) {
	w, i := openOIDC(t)
	b := w.browser()
	to := b.do("GET", "/ai/v1/auth/oidc/login", "").is(303).Header().Get("Location")
	good := i.agree(to)

	// Another browser cannot finish it, nor be made to.
	require.Equal(t, "/login?error=state", w.browser().back(good))
	victim := w.browser()
	victim.do("GET", "/ai/v1/auth/oidc/login", "").is(303)
	require.Equal(t, "/login?error=state", victim.back(good))
	forged := w.browser()
	forged.cookies["modelwatch_oidc"] = base64.RawURLEncoding.EncodeToString(make([]byte, 100))
	require.Equal(t, "/login?error=state", forged.back(good))

	keep := maps.Clone(b.cookies)
	require.Equal(t, "/", b.back(good))
	// Nor is it good for a second time.
	b.cookies = keep
	require.Equal(t, "/login?error=oidc", b.back(good))

	// The user did not agree.
	b = w.browser()
	to = b.do("GET", "/ai/v1/auth/oidc/login", "").is(303).Header().Get("Location")
	state := i.agree(to).Get("state")
	require.Equal(t, "/login?error=denied", b.back(url.Values{"state": {state}, "error": {"access_denied"}}))

	// Too late.
	b = w.browser()
	to = b.do("GET", "/ai/v1/auth/oidc/login", "").is(303).Header().Get("Location")
	good = i.agree(to)
	w.clock.add(10 * time.Minute)
	require.Equal(t, "/login?error=state", b.back(good))

	// Not as often as one likes.
	codes := map[int]int{}
	for range 30 {
		codes[w.browser().do("GET", "/ai/v1/auth/oidc/callback?state=x", "").Code]++
	}
	require.Equal(t, 30, codes[303]+codes[429])
	require.Positive(t, codes[429])
}

func TestOIDCIssuerDown(t *testing.T) {
	w, i := openOIDC(t)
	i.set(func() { i.down = true })
	b := w.browser()
	for range 2 {
		require.Equal(t, "/login?error=issuer", b.do("GET", "/ai/v1/auth/oidc/login", "").is(303).Header().Get("Location"))
	}
	w.admin() // Others get in.
	i.set(func() { i.down = false })
	w.clock.add(5 * time.Second)
	require.Equal(t, "/", b.sso(i, "/"))
}

func TestOIDCSettings(t *testing.T) {
	good := auth.OIDC{Issuer: "https://login.example.org", ClientID: "m", Roles: map[string]auth.Role{"a": auth.Viewer}}
	require.NoError(t, good.Check())
	for want, edit := range map[string]func(*auth.OIDC){
		`issuer: "login" is not a URL`:          func(o *auth.OIDC) { o.Issuer = "login" },
		"issuer: tokens over http":              func(o *auth.OIDC) { o.Issuer = "http://login.example.org" },
		"client_id: it is missing":              func(o *auth.OIDC) { o.ClientID = "" },
		"roles: nobody could log in":            func(o *auth.OIDC) { o.Roles = nil },
		`roles: group "b": role "owner"`:        func(o *auth.OIDC) { o.Roles = map[string]auth.Role{"b": "owner"} },
		`default_role: role "ingest"`:           func(o *auth.OIDC) { o.DefaultRole = auth.Ingest },
		`allowed_emails: "example.org" is neit`: func(o *auth.OIDC) { o.AllowedEmails = []string{"example.org"} },
	} {
		o := good
		edit(&o)
		require.ErrorContains(t, o.Check(), want)
		_, _, err := auth.New(t.Context(), auth.Options{Enabled: true, Store: newStore(), Journal: newStore(), Logger: discard(), OIDC: &o})
		require.ErrorContains(t, err, want)
	}
}
