package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api"
)

// document is openapi.yaml.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err == nil {
		doc.Servers = nil
	}
	return doc, err
})

// asked are the operations whose answers were checked.
var asked sync.Map

// obey checks an answer against openapi.yaml. Statuses that it does not tell of,
// such as those of a store that fails, are not looked at.
func obey(t *testing.T, req *http.Request, rec *httptest.ResponseRecorder) {
	t.Helper()
	doc, err := document()
	require.NoError(t, err)
	route, params := find(doc, req)
	if route == nil {
		return
	}
	if rec.Code < 400 {
		asked.Store(route.Method+" "+route.Path, true)
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route},
		Status:                 rec.Code, Header: rec.Header(), Options: &openapi3filter.Options{MultiError: true},
	}
	in.SetBodyBytes(rec.Body.Bytes())
	require.NoError(t, openapi3filter.ValidateResponse(t.Context(), in), "%s %s: %s", req.Method, req.URL, rec.Body)
}

// find returns the operation that a request is for, nil where there is none.
func find(doc *openapi3.T, req *http.Request) (*routers.Route, map[string]string) {
	parts := strings.Split(req.URL.Path, "/")
	for path, item := range doc.Paths.Map() {
		names := strings.Split(path, "/")
		op := item.GetOperation(req.Method)
		if op == nil || !strings.HasPrefix(path, "/ai/v1/auth/") || len(names) != len(parts) {
			continue
		}
		params := map[string]string{}
		fits := true
		for i, name := range names {
			if strings.HasPrefix(name, "{") {
				params[strings.Trim(name, "{}")] = parts[i]
			} else if name != parts[i] {
				fits = false
			}
		}
		if fits {
			return &routers.Route{Spec: doc, Path: path, PathItem: item, Method: req.Method, Operation: op}, params
		}
	}
	return nil, nil
}

// Every operation that is described is also served, and its answers are checked.
func TestDescribed(t *testing.T) {
	w, i := openOIDC(t)
	admin := w.admin()
	admin.do("GET", "/ai/v1/auth/me", "").is(200)
	w.add(admin, "vera", "viewer")
	id := admin.userID("vera")
	admin.do("PATCH", "/ai/v1/auth/users/"+id, `{"resetPassword":true}`).is(200)
	admin.do("DELETE", "/ai/v1/auth/users/"+id+"/sessions", "").is(200)
	admin.do("DELETE", "/ai/v1/auth/users/"+id, "").is(204)
	w.token(admin, "k", "viewer", "1d")
	tokens := admin.do("GET", "/ai/v1/auth/tokens", "").is(200).json()["tokens"].([]any)
	admin.do("DELETE", "/ai/v1/auth/tokens/"+tokens[0].(map[string]any)["id"].(string), "").is(204)
	admin.do("GET", "/ai/v1/auth/audit?limit=5", "").is(200)
	admin.do("DELETE", "/ai/v1/auth/sessions", "").is(200)
	sessions := admin.do("GET", "/ai/v1/auth/sessions", "").is(200).json()["sessions"].([]any)
	admin.do("DELETE", "/ai/v1/auth/sessions/"+sessions[0].(map[string]any)["id"].(string), "").is(204)
	other := w.admin()
	other.do("POST", "/ai/v1/auth/logout", "").is(204)
	w.browser().sso(i, "/")
	doc, err := document()
	require.NoError(t, err)
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if strings.HasPrefix(path, "/ai/v1/auth/") {
				_, ok := asked.Load(method + " " + path)
				require.True(t, ok, "%s %s is described, and was not answered", method, path)
			}
		}
	}
}
