package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api"
)

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// Whatever openapi.yaml does not describe is refused in the form of all other
// errors: a wrong method with those that are right, a wrong path as not there.
func TestPathsAndMethodsThatDoNotExist(t *testing.T) {
	t.Parallel()
	s, admin, _, _ := startWithAuth(t, authOn)
	program := s.bearer(admin.token("admin", "1h"))
	refused := func(method, path string, status int) *http.Response {
		resp := program.do(method, path, "")
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		require.Equal(t, status, resp.StatusCode, "%s %s: %s", method, path, body)
		require.Equal(t, "application/json", resp.Header.Get("Content-Type"), "%s %s", method, path)
		if method != http.MethodHead {
			var answer map[string]string
			require.NoError(t, json.Unmarshal(body, &answer), "%s %s: %s", method, path, body)
			require.Contains(t, answer["error"], "there is no "+method+" "+path)
		}
		return resp
	}

	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	require.NoError(t, err)
	methods := []string{"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"}
	checked := 0
	for path := range doc.Paths.Map() {
		var want []string
		for other, item := range doc.Paths.Map() {
			// A path may be one of those that another one stands for, too.
			if pattern := "^" + placeholder.ReplaceAllString(other, "[^/]+") + "$"; !regexp.MustCompile(pattern).MatchString(path) {
				continue
			}
			for method := range item.Operations() {
				if want = append(want, method); method == http.MethodGet {
					want = append(want, http.MethodHead)
				}
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		for _, method := range methods {
			if slices.Contains(want, method) {
				continue
			}
			checked++
			resp := refused(method, placeholder.ReplaceAllString(path, "x"), http.StatusMethodNotAllowed)
			allowed := strings.Split(resp.Header.Get("Allow"), ", ")
			slices.Sort(allowed)
			require.Equal(t, want, allowed, "Allow of %s", path)
		}
	}
	require.Greater(t, checked, 50)

	for _, path := range []string{
		"/ai/v1/", "/ai/v1/nothing", "/ai/v2/services", "/ai/v1/models/x/nothing", "/ai/v1/config/nothing", "/ai/v1/auth/nothing",
		"/ai/v1/alerting/nothing", "/ai/v1/notifications/nothing", "/ai/v1/inferences/nothing", "/loki/nothing", "/-/nothing",
	} {
		for _, method := range []string{"GET", "PUT"} {
			require.Empty(t, refused(method, path, http.StatusNotFound).Header.Get("Allow"))
		}
	}
	require.Equal(t, "POST, PUT", refused("GET", "/-/reload", http.StatusMethodNotAllowed).Header.Get("Allow"))
}
