package server

import (
	"net/http"
	"net/http/httptest"
	"testing"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/collect/receive/loki"
	"github.com/modelwatch/modelwatch/logs"
	logstore "github.com/modelwatch/modelwatch/store/logs"
	"github.com/modelwatch/modelwatch/store/logs/contract"
	"github.com/modelwatch/modelwatch/store/logs/remote"
)

// TestRemoteContract runs the suite of log stores over Loki's protocol against another modelwatch.
func TestRemoteContract(t *testing.T) {
	contract.Run(t, contract.Subject{Open: func(t *testing.T) logstore.Store {
		_, h := open(t)
		s, err := remote.New(remote.Options{URL: h.URL, Encode: loki.EncodeProtobuf, PageSize: 700})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}})
}

// as adds credentials to requests.
func as(user, password string) http.RoundTripper {
	return commonconfig.NewBasicAuthRoundTripper(commonconfig.NewInlineSecret(user), commonconfig.NewInlineSecret(password), http.DefaultTransport)
}

func TestRemoteCredentialsAndProxy(t *testing.T) {
	_, h := open(t)
	var seen []http.Header
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Clone())
		if user, password, ok := r.BasicAuth(); !ok || user != "u" || password != "p" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		r.URL.Scheme, r.URL.Host = "http", h.Listener.Addr().String()
		h.Config.Handler.ServeHTTP(w, r)
	}))
	defer front.Close()
	s, err := remote.New(remote.Options{URL: front.URL + "/", Transport: as("u", "p"), Tenant: "team-a", Encode: loki.EncodeProtobuf})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, s.Ready(t.Context()))
	require.Equal(t, "team-a", seen[0].Get("X-Scope-OrgID"))
	proxy := httptest.NewServer(s.Proxy())
	defer proxy.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.URL+"/loki/api/v1/labels", nil)
	require.NoError(t, err)
	req.Header.Set("X-Scope-OrgID", "team-b")
	req.Header.Set("Authorization", "Bearer mine")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "team-a", seen[1].Get("X-Scope-OrgID"), "a tenant that is configured is nobody's choice")
	wrong, err := remote.New(remote.Options{URL: front.URL, Transport: as("u", "wrong"), Encode: loki.EncodeProtobuf})
	require.NoError(t, err)
	_, err = wrong.Series(t.Context(), nil, 0, 1)
	require.ErrorContains(t, err, "answered 401: who are you?")
	err = wrong.Append(t.Context(), []logs.Stream{{Labels: labels.FromStrings("a", "b"), Entries: []logs.Entry{{Line: "x"}}}})
	var coded interface{ StatusCode() int }
	require.ErrorAs(t, err, &coded)
	require.Equal(t, http.StatusBadGateway, coded.StatusCode())
	_, err = remote.New(remote.Options{URL: "loki:3100"})
	require.ErrorContains(t, err, "is not an address like http://loki:3100")
}
