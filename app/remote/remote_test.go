package remote_test

import (
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/app/remote"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    remote.Options
		want string
	}{
		"nobody":              {remote.Options{}, ""},
		"token":               {remote.Options{Token: "t1"}, "Bearer t1"},
		"token of a file":     {remote.Options{TokenFile: file(t, "t2\n"), User: "ann", Password: "p"}, "Bearer t2"},
		"user":                {remote.Options{User: "ann", Password: "secret"}, "Basic YW5uOnNlY3JldA=="},
		"password of a file":  {remote.Options{User: "ann", PasswordFile: file(t, "secret\r\n")}, "Basic YW5uOnNlY3JldA=="},
		"user in the address": {remote.Options{URL: "ann:secret@"}, "Basic YW5uOnNlY3JldA=="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got string
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
			t.Cleanup(srv.Close)
			c.o.URL = "http://" + c.o.URL + strings.TrimPrefix(srv.URL, "http://")
			client, err := remote.New(c.o)
			require.NoError(t, err)
			require.NoError(t, client.JSON(t.Context(), remote.Request{Path: "/x"}, nil, nil))
			require.Equal(t, c.want, got)
		})
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]remote.Options{
		`"localhost:9090" is not the address of a modelwatch: write it as http://127.0.0.1:9090`: {URL: "localhost:9090"},
		"has a query": {URL: "http://h/?a=b"},
		"user ann has no password: name a file with":   {User: "ann"},
		"must hold it on one line":                     {TokenFile: file(t, "a\nb\n")},
		"read token: open /nowhere":                    {TokenFile: "/nowhere"},
		"the token has blanks or line ends in it":      {Token: "a b"},
		"holds none in PEM form":                       {CAFile: file(t, "x")},
		`"ftp://u:xxxxx@h" is not the address of a mo`: {URL: "ftp://u:hunter2@h"},
	} {
		_, err := remote.New(o)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestAnswersOfFailure(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/p/json":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"error":"two services have it"}`)
		case "/p/text":
			http.Error(w, "too many streams", http.StatusTooManyRequests)
		case "/p/401":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"log in first","code":"login"}`)
		case "/p/login":
			http.Redirect(w, r, "/login", http.StatusFound)
		case "/p/html":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
		case "/p/broken":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "abc")
		}
	}))
	t.Cleanup(srv.Close)
	client, err := remote.New(remote.Options{URL: srv.URL + "/p/"})
	require.NoError(t, err)
	for path, want := range map[string]string{
		"/json":   "two services have it (409 Conflict)",
		"/text":   "too many streams (429 Too Many Requests)",
		"/401":    "log in first (401 Unauthorized): log in with --token-file or MODELWATCH_TOKEN, or with --user and --password-file",
		"/login":  `302 Found: it refers to "/login"; give the address of modelwatch itself`,
		"/html":   "404 Not Found: does the address belong to a modelwatch of this version?",
		"/broken": "broke off after 3 bytes",
	} {
		_, err := client.Download(t.Context(), remote.Request{Path: path, Query: url.Values{"a": {"b c"}}}, io.Discard)
		require.ErrorContains(t, err, want)
	}
	var status *remote.Error
	_, err = client.Do(t.Context(), remote.Request{Path: "/json"})
	require.ErrorAs(t, err, &status)
	require.Equal(t, http.StatusConflict, status.Status)

	srv.Close()
	err = client.JSON(t.Context(), remote.Request{Path: "/x"}, map[string]int{"a": 1}, nil)
	require.ErrorContains(t, err, "connection refused (is modelwatch running there? Say where with --url or MODELWATCH_URL)")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, client.JSON(ctx, remote.Request{Path: "/x"}, nil, nil), context.Canceled)
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"a":1}`) }))
	t.Cleanup(srv.Close)
	client, err := remote.New(remote.Options{URL: srv.URL})
	require.NoError(t, err)
	require.ErrorContains(t, client.JSON(t.Context(), remote.Request{Path: "/"}, nil, nil), "name the certificate of its authority with --ca-file")

	ca := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	client, err = remote.New(remote.Options{URL: srv.URL, CAFile: ca})
	require.NoError(t, err)
	var out struct{ A int }
	require.NoError(t, client.JSON(t.Context(), remote.Request{Path: "/"}, nil, &out))
	require.Equal(t, 1, out.A)
}
