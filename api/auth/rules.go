package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Rule says which role a request needs.
type Rule struct {
	// Methods are those of HTTP, apart by spaces; GET includes HEAD.
	Methods string
	// Path is a pattern of [http.ServeMux] without method and host. The most
	// specific one decides.
	Path string
	// Need is the least role, or Public.
	Need Role
	// Quiet leaves requests that could change something out of the audit log:
	// queries, and data that is pushed all the time.
	Quiet bool
}

// anyMethod are the methods that rules can name. Others need the role admin.
const anyMethod = "GET POST PUT PATCH DELETE"

// Rules is the table of roles and paths. What is not in it needs the role admin.
func Rules() []Rule {
	return []Rule{
		// Pages hold no data. What they show comes from the paths below.
		{"GET", "/", Viewer, false},
		{"GET", "/login", Public, false},
		{"GET", "/assets/", Public, false},
		{"GET", "/favicon.svg", Public, false},
		{"GET", "/favicon.ico", Public, false},
		{"GET", "/scheme.js", Public, false},

		// The process.
		{"GET", "/-/healthy", Public, false},
		{"GET", "/-/ready", Public, false},
		{"GET", "/ready", Public, false},
		{anyMethod, "/-/", Admin, false},
		{anyMethod, "/debug/", Admin, false},
		{"GET", "/metrics", Viewer, false},
		{"GET", "/federate", Viewer, false},

		// Metrics: Prometheus's API.
		{"GET", "/api/", Admin, false},
		{"GET", "/api/v1/", Viewer, false},
		{"POST", "/api/v1/query", Viewer, true},
		{"POST", "/api/v1/query_range", Viewer, true},
		{"POST", "/api/v1/query_exemplars", Viewer, true},
		{"POST", "/api/v1/format_query", Viewer, true},
		{"POST", "/api/v1/parse_query", Viewer, true},
		{"POST", "/api/v1/labels", Viewer, true},
		{"POST", "/api/v1/series", Viewer, true},
		{"POST", "/api/v1/read", Viewer, true},
		{"POST", "/api/v1/search/", Viewer, true},
		{"POST", "/api/v1/write", Ingest, true},
		{"POST", "/api/v1/otlp/", Ingest, true},
		{anyMethod, "/api/v1/admin/", Admin, false},

		// Alerts: Alertmanager's API.
		{"GET", "/api/v2/", Viewer, false},
		{"POST", "/api/v2/alerts", Editor, true},
		{"POST", "/api/v2/silences", Editor, false},
		{"DELETE", "/api/v2/silence/{id}", Editor, false},

		// Logs: Loki's API.
		{"GET", "/loki/", Viewer, false},
		{"POST", "/loki/api/v1/query", Viewer, true},
		{"POST", "/loki/api/v1/query_range", Viewer, true},
		{"POST", "/loki/api/v1/labels", Viewer, true},
		{"POST", "/loki/api/v1/label", Viewer, true},
		{"POST", "/loki/api/v1/label/{name}/values", Viewer, true},
		{"POST", "/loki/api/v1/series", Viewer, true},
		{"POST", "/loki/api/v1/index/", Viewer, true},
		{"POST", "/loki/api/v1/patterns", Viewer, true},
		{"POST", "/loki/api/v1/detected_labels", Viewer, true},
		{"POST", "/loki/api/v1/detected_fields", Viewer, true},
		{"POST", "/loki/api/v1/detected_field/{name}/values", Viewer, true},
		{"POST", "/loki/api/v1/format_query", Viewer, true},
		{"POST", "/loki/api/v1/drilldown-limits", Viewer, true},
		{"POST", "/loki/api/v1/push", Ingest, true},
		{"POST", "/api/prom/push", Ingest, true},
		{anyMethod, "/loki/api/v1/delete", Admin, false},

		// OTLP.
		{"POST", "/v1/", Ingest, true},
		{"POST", "/otlp/v1/", Ingest, true},

		// Ours.
		{"GET", "/ai/", Admin, false},
		{"GET", "/ai/v1/", Viewer, false},
		{"POST", "/ai/v1/inferences", Ingest, true},
		{"POST", "/ai/v1/labels", Ingest, true},
		{"POST PUT PATCH DELETE", "/ai/v1/baselines", Editor, false},
		{"POST PUT PATCH DELETE", "/ai/v1/baselines/", Editor, false},
		{"POST PUT PATCH DELETE", "/ai/v1/alerting/", Editor, false},
		{"POST", "/ai/v1/alerting/preview", Viewer, true},
		{"POST", "/ai/v1/config/files", Editor, false},
		{"POST", "/ai/v1/config/files/check", Editor, true},
		{"POST PUT PATCH DELETE", "/ai/v1/config/files/", Editor, false},
		{"POST", "/ai/v1/config/files/{id}/check", Editor, true},
		{"POST", "/ai/v1/alerting/routes/test", Viewer, true}, // It only asks where an alert would go.

		// Who may do what.
		{anyMethod, "/ai/v1/auth/", Admin, false},
		{"GET", "/ai/v1/auth/me", Public, false},
		{"POST", "/ai/v1/auth/login", Public, false},
		{"POST", "/ai/v1/auth/logout", Public, false},
		{"GET", "/ai/v1/auth/oidc/login", Public, false},
		{"GET", "/ai/v1/auth/oidc/callback", Public, false},
		{"POST", "/ai/v1/auth/password", Viewer, false},
		{"GET", "/ai/v1/auth/sessions", Viewer, false},
		{"DELETE", "/ai/v1/auth/sessions", Viewer, false},
		{"DELETE", "/ai/v1/auth/sessions/{id}", Viewer, false},
	}
}

// table finds the rule of a request.
//
// It asks a ServeMux, so that paths mean here what they mean to the mux that
// serves them.
type table struct {
	mux   *http.ServeMux
	rules map[string]Rule
}

// otherwise is the rule of what no rule names.
var otherwise = Rule{Need: Admin}

func newTable(rules []Rule) (t *table, err error) {
	t = &table{mux: http.NewServeMux(), rules: map[string]Rule{}}
	for _, r := range rules {
		if r.Need != Public && r.Need != Ingest && r.Need.rank() == 0 {
			return nil, fmt.Errorf("rule for %s %s: role %q does not exist", r.Methods, r.Path, r.Need)
		}
		for m := range strings.FieldsSeq(r.Methods) {
			if err := t.add(m+" "+r.Path, r); err != nil {
				return nil, fmt.Errorf("rule for %s %s: %w", m, r.Path, err)
			}
		}
	}
	return t, nil
}

func (t *table) add(pattern string, r Rule) (err error) {
	defer func() { // ServeMux has no other way to say that a pattern is wrong.
		if p := recover(); p != nil {
			err = errors.New(fmt.Sprint(p))
		}
	}()
	t.mux.Handle(pattern, http.NotFoundHandler())
	t.rules[pattern] = r
	return nil
}

// of gives the rule of a request. The path may be written with escapes (%2F),
// which handlers read in two ways: as they stand and decoded. Then the stricter
// rule holds.
func (t *table) of(r *http.Request) Rule {
	rule := t.lookup(r)
	if r.URL.RawPath == "" {
		return rule
	}
	decoded := r.Clone(r.Context())
	decoded.URL = &url.URL{Path: r.URL.Path}
	other := t.lookup(decoded)
	switch {
	case rule.Need == other.Need:
		rule.Quiet = rule.Quiet && other.Quiet
		return rule
	case stricter(other.Need, rule.Need):
		return other
	default:
		return rule
	}
}

func (t *table) lookup(r *http.Request) Rule {
	_, pattern := t.mux.Handler(r)
	if rule, ok := t.rules[pattern]; ok {
		return rule
	}
	return otherwise
}

// stricter orders what rules need. Ingest and Viewer are not comparable; that
// Viewer counts as more keeps tokens that may only push from reading.
func stricter(a, b Role) bool {
	order := []Role{Public, Ingest, Viewer, Editor, Admin}
	return slices.Index(order, a) > slices.Index(order, b)
}

// safe tells whether a method changes nothing.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
