package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
)

// TestRolesAndPaths is the table that users read in docs/authentication.md.
func TestRolesAndPaths(t *testing.T) {
	w := open(t, func(o *auth.Options) {
		o.Rules = []auth.Rule{{Methods: "POST", Path: "/ai/v1/dashboards/", Need: auth.Editor}}
	})
	admin := w.admin()
	clients := map[string]*browser{"nobody": w.browser()}
	for _, role := range []string{"ingest", "viewer", "editor", "admin"} {
		clients[role] = w.with("Bearer " + w.token(admin, role, role, "1d"))
	}
	const (
		public = "nobody ingest viewer editor admin"
		viewer = "viewer editor admin"
		editor = "editor admin"
		ingest = "ingest editor admin"
		only   = "admin"
	)
	for _, c := range []struct{ methods, path, who string }{
		{"GET HEAD", "/-/healthy", public},
		{"GET HEAD", "/-/ready", public},
		{"GET", "/ready", public},
		{"GET", "/login", public},
		{"GET", "/login?next=%2Fexplore", public},
		{"GET", "/assets/index-abc.js", public},
		{"GET", "/favicon.svg", public},
		{"GET", "/scheme.js", public},
		{"GET HEAD", "/", viewer},
		{"GET", "/explore", viewer},
		{"GET", "/metrics", viewer},
		{"GET", "/federate?match[]=up", viewer},
		{"GET POST", "/api/v1/query", viewer},
		{"GET POST", "/api/v1/query_range", viewer},
		{"GET POST", "/api/v1/query_exemplars", viewer},
		{"GET POST", "/api/v1/series", viewer},
		{"GET POST", "/api/v1/labels", viewer},
		{"GET POST", "/api/v1/format_query", viewer},
		{"GET POST", "/api/v1/parse_query", viewer},
		{"POST", "/api/v1/read", viewer},
		{"GET POST", "/api/v1/search/metric_names", viewer},
		{"GET", "/api/v1/label/job/values", viewer},
		{"GET", "/api/v1/label/a%2Fb/values", viewer},
		{"GET", "/api/v1/targets", viewer},
		{"GET", "/api/v1/status/config", viewer},
		{"DELETE", "/api/v1/series", only},
		{"POST PUT", "/api/v1/admin/tsdb/delete_series", only},
		{"GET POST", "/api/v1/admin/tsdb/snapshot", only},
		{"POST", "/api/v1/write", ingest},
		{"POST", "/api/v1/otlp/v1/metrics", ingest},
		{"GET", "/api/v1/write", viewer},
		{"GET", "/api/v3/things", only},
		{"GET", "/api/v2/alerts", viewer},
		{"GET", "/api/v2/silences", viewer},
		{"POST", "/api/v2/alerts", editor},
		{"POST", "/api/v2/silences", editor},
		{"DELETE", "/api/v2/silence/abc", editor},
		{"PUT PATCH", "/api/v2/silences", only},
		{"GET POST", "/loki/api/v1/query_range", viewer},
		{"GET POST", "/loki/api/v1/query", viewer},
		{"GET POST", "/loki/api/v1/index/volume", viewer},
		{"GET POST", "/loki/api/v1/label/app/values", viewer},
		{"GET POST", "/loki/api/v1/detected_fields", viewer},
		{"GET", "/loki/api/v1/tail", viewer},
		{"POST", "/loki/api/v1/push", ingest},
		{"POST", "/api/prom/push", ingest},
		{"GET POST PUT DELETE", "/loki/api/v1/delete", only},
		{"POST", "/v1/metrics", ingest},
		{"POST", "/v1/logs", ingest},
		{"POST", "/otlp/v1/logs", ingest},
		{"DELETE", "/v1/logs", only},
		{"GET", "/ai/v1/models", viewer},
		{"GET", "/ai/v1/models/churn/versions/3/features", viewer},
		{"POST", "/ai/v1/models", only},
		{"POST", "/ai/v1/inferences", ingest},
		{"GET", "/ai/v1/inferences", viewer},
		{"DELETE", "/ai/v1/inferences", only},
		{"POST", "/ai/v1/labels", ingest},
		{"GET", "/ai/v1/baselines", viewer},
		{"POST", "/ai/v1/baselines", editor},
		{"POST PUT DELETE", "/ai/v1/baselines/7/confirm", editor},
		{"POST", "/ai/v1/alerting/routes/test", viewer},
		{"POST", "/ai/v1/alerting/receivers/mail/test", editor},
		{"POST", "/ai/v1/alerting/receivers/a%2Fb/test", editor},
		{"POST", "/ai/v1/dashboards/3", editor},
		{"PUT", "/ai/v1/config", only},
		{"POST", "/ai/v1/config/files", editor},
		{"POST", "/ai/v1/config/files/check", editor},
		{"POST PUT", "/-/reload", only},
		{"POST PUT", "/-/quit", only},
		{"GET", "/debug/pprof/heap", only},
		{"GET", "/ai/v1/auth/me", public},
		{"GET", "/ai/v1/auth/users", only},
		{"GET", "/ai/v1/auth/tokens", only},
		{"GET", "/ai/v1/auth/audit", only},
		{"POST PATCH PUT DELETE", "/somewhere/else", only},
		{"OPTIONS", "/api/v1/query", only},
		{"BREW", "/api/v1/query", only},
		// Ways around.
		{"GET", "/debug%2Fpprof%2Fheap", only},
		{"POST", "/api/v1/query/../admin/tsdb/delete_series", only},
		{"POST", "//api/v1/admin/tsdb/delete_series", only},
		{"POST", "/api/v1/admin%2Ftsdb%2Fdelete_series", only},
		{"POST", "/API/V1/query", only},
		{"GET", "/assets/../debug/pprof/heap", only},
		{"GET", "/login/", viewer},
		{"GET", "/ai/v1/auth", only},
		{"GET", "/ai/v1/./auth/users", only},
	} {
		for method := range strings.FieldsSeq(c.methods) {
			for who, client := range clients {
				got := client.do(method, c.path, "").Code
				may := strings.Contains(" "+c.who+" ", " "+who+" ")
				want := http.StatusForbidden
				if who == "nobody" {
					want = http.StatusUnauthorized
				}
				if may {
					require.NotContains(t, []int{401, 403}, got, "%s %s as %s", method, c.path, who)
				} else {
					require.Equal(t, want, got, "%s %s as %s", method, c.path, who)
				}
			}
		}
	}
}

// TestEscapedPaths: a handler may read %2F as a slash or not. Whatever it does,
// it is not reached by somebody who may not.
func TestEscapedPaths(t *testing.T) {
	w := open(t)
	admin := w.admin()
	ingest := w.with("Bearer " + w.token(admin, "i", "ingest", ""))
	viewer := w.with("Bearer " + w.token(admin, "v", "viewer", ""))
	for _, path := range []string{
		"/api/v1/otlp/..%2Fadmin%2Ftsdb%2Fdelete_series",
		"/v1%2F..%2Fapi%2Fv1%2Fadmin%2Ftsdb%2Fdelete_series",
		"/loki/api%2Fv1/delete",
		"/loki/api/v1/label/..%2F..%2Fdelete/values",
	} {
		require.Equal(t, 403, viewer.do("POST", path, "").Code, path)
		require.Equal(t, 403, ingest.do("POST", path, "").Code, path)
	}
}

func TestDenialNamesTheRole(t *testing.T) {
	w := open(t)
	viewer := w.with("Bearer " + w.token(w.admin(), "grafana", "viewer", ""))
	got := viewer.do("POST", "/api/v2/silences", "{}").is(403).json()
	require.Equal(t, "editor", got["role"])
	require.Equal(t, "role", got["code"])
	require.Equal(t, "this needs the role editor, and token grafana has viewer: ask an admin, or use a token of that role", got["error"])
}

func TestOff(t *testing.T) {
	a, password, err := auth.New(t.Context(), auth.Options{Logger: discard()})
	require.NoError(t, err)
	require.Empty(t, password)
	w := &world{t: t, auth: a, handler: a.Middleware(a.Handler())}
	me := w.browser().do("GET", "/ai/v1/auth/me", "").is(200).json()
	require.Equal(t, false, me["authEnabled"])
	require.Equal(t, "admin", me["role"])
	require.Nil(t, me["user"])
	require.Contains(t, w.browser().do("POST", "/ai/v1/auth/login", credentials("admin", "x")).is(404).json()["error"], "web.auth.enabled")
	reached := false
	a.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		p, ok := auth.From(r.Context())
		reached = ok && p.Role == auth.Admin && p.Kind == auth.ByNobody
	})).ServeHTTP(nil, mustRequest(t, "DELETE", "/anything"))
	require.True(t, reached)
}

func TestWrongRulesAreErrors(t *testing.T) {
	w := open(t)
	for _, rule := range []auth.Rule{
		{Methods: "GET", Path: "/{", Need: auth.Viewer},
		{Methods: "GET", Path: "/", Need: auth.Viewer},
		{Methods: "GET", Path: "/x", Need: "owner"},
		{Methods: "GET", Path: "/x"},
	} {
		_, _, err := auth.New(t.Context(), auth.Options{
			Enabled: true, Store: w.store, Journal: w.store, Logger: discard(), Rules: []auth.Rule{rule},
		})
		require.ErrorContains(t, err, "rule for GET "+rule.Path)
	}
}
