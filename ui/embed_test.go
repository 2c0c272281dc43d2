package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const testIndex = `<html><head><base href="/" /><meta property="csp-nonce" nonce="MODELWATCH_NONCE"></head></html>`

func testFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, "console.log(1)")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return fstest.MapFS{
		"index.html":           {Data: []byte(testIndex)},
		"placeholder.html":     {Data: []byte("run make build")},
		"favicon.svg":          {Data: []byte("<svg/>")},
		".vite/manifest.json":  {Data: []byte("{}")},
		"assets/app-123.js":    {Data: []byte("console.log(1)")},
		"assets/app-123.js.gz": {Data: zipped.Bytes()},
		"assets/app-123.js.br": {Data: []byte("brotli")},
		"assets/plain-456.css": {Data: []byte("a{}")},
	}
}

func get(t *testing.T, h http.Handler, target string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	defer func() { require.NoError(t, r.Body.Close()) }()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func TestPathsOfPagesGetTheIndex(t *testing.T) {
	h := Handler(Options{files: testFiles(t)})
	for _, target := range []string{"/", "/index.html", "/status/targets", "/services/a.b/models/m", "/placeholder.html", "/.vite/manifest.json"} {
		got := get(t, h, target, map[string]string{"Accept": "text/html"})
		require.Equal(t, http.StatusOK, got.StatusCode, target)
		require.Equal(t, "no-store", got.Header.Get("Cache-Control"), target)
		require.Contains(t, body(t, got), "<base href", target)
	}
}

func TestEveryIndexHasItsOwnNonce(t *testing.T) {
	h := Handler(Options{files: testFiles(t)})
	seen := map[string]bool{}
	for range 3 {
		got := get(t, h, "/", nil)
		m := regexp.MustCompile(`nonce="([A-Za-z0-9_-]{24})"`).FindStringSubmatch(body(t, got))
		require.Len(t, m, 2)
		require.False(t, seen[m[1]])
		seen[m[1]] = true
		policy := got.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "style-src 'self' 'nonce-"+m[1]+"'")
		require.Contains(t, policy, "script-src 'self';")
		require.NotContains(t, policy, "unsafe")
	}
}

func TestPrefixIsWrittenAndEscaped(t *testing.T) {
	for prefix, want := range map[string]string{
		"":            `<base href="/"`,
		"watch":       `<base href="/watch/"`,
		"/watch/":     `<base href="/watch/"`,
		`/"><script>`: `<base href="/&#34;&gt;&lt;script&gt;/"`,
	} {
		h := Handler(Options{files: testFiles(t), Prefix: prefix})
		require.Contains(t, body(t, get(t, h, "/", nil)), want, prefix)
	}
}

func TestAssetsAreCachedForeverAndCompressed(t *testing.T) {
	h := Handler(Options{files: testFiles(t)})
	for _, c := range []struct{ accept, coding string }{
		{"", ""},
		{"gzip", "gzip"},
		{"gzip, deflate, br", "br"},
		{"gzip, br;q=0", "gzip"},
		{"GZIP ; q=0.5", "gzip"},
		{"identity", ""},
	} {
		got := get(t, h, "/assets/app-123.js", map[string]string{"Accept-Encoding": c.accept})
		require.Equal(t, http.StatusOK, got.StatusCode)
		require.Equal(t, c.coding, got.Header.Get("Content-Encoding"), c.accept)
		require.Equal(t, "public, max-age=31536000, immutable", got.Header.Get("Cache-Control"))
		require.Contains(t, got.Header.Get("Content-Type"), "javascript")
		require.Equal(t, "nosniff", got.Header.Get("X-Content-Type-Options"))
	}
	got := get(t, h, "/assets/plain-456.css", map[string]string{"Accept-Encoding": "br, gzip"})
	require.Empty(t, got.Header.Get("Content-Encoding"))
	require.Equal(t, "a{}", body(t, got))
}

func TestWhatIsGoneIsNotAPage(t *testing.T) {
	h := Handler(Options{files: testFiles(t)})
	for _, target := range []string{"/assets/app-old.js", "/assets/app-123.js.gz", "/robots.txt", "/assets/../.vite/x.json"} {
		got := get(t, h, target, map[string]string{"Accept": "*/*"})
		require.Equal(t, http.StatusNotFound, got.StatusCode, target)
	}
}

func TestOnlyReadingIsAllowed(t *testing.T) {
	h := Handler(Options{files: testFiles(t)})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x")))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Zero(t, w.Body.Len())
}

func TestUnbuiltSaysSo(t *testing.T) {
	files := testFiles(t)
	delete(files, "index.html")
	require.Contains(t, body(t, get(t, Handler(Options{files: files}), "/", nil)), "make build")
	require.Contains(t, body(t, get(t, Handler(Options{files: fstest.MapFS{}}), "/", nil)), "make build")
}

func TestEmbeddedFilesAreServed(t *testing.T) {
	require.Contains(t, body(t, get(t, Handler(Options{HSTS: true}), "/", nil)), "modelwatch")
}
