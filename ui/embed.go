// Package ui serves the web pages: a single-page application that is embedded
// in the binary.
//
// It holds no data and knows no API: what the pages show they ask of the other
// paths of the same origin. The application is built by "npm run build" in this
// folder; a binary built without it serves a page that says so.
package ui

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// dist is what "npm run build" makes. The committed placeholder keeps the
// pattern valid before that.
//
//go:embed all:dist
var dist embed.FS

const (
	// nonceWord is what the build leaves in index.html where a nonce belongs.
	nonceWord = "MODELWATCH_NONCE"
	// baseTag is rewritten to the prefix under which people reach modelwatch.
	baseTag = `<base href="/"`
)

// Options is what code passes to Handler.
type Options struct {
	// Prefix is the path of the external URL, such as "/modelwatch/" behind a
	// proxy that strips it. Empty means "/".
	Prefix string
	// HSTS adds Strict-Transport-Security; set it where TLS is served.
	HSTS bool

	// files replaces the embedded ones in tests.
	files fs.FS
}

// Handler serves the application: its files as they are, and index.html for
// every other path that a page could have, so that links and reloads work.
// It answers GET and HEAD alone and starts nothing that must be stopped.
func Handler(opts Options) http.Handler {
	files := opts.files
	if files == nil {
		files, _ = fs.Sub(dist, "dist") // The name is valid, so it cannot fail.
	}
	prefix := opts.Prefix
	if !strings.HasPrefix(prefix, "/") {
		prefix = "/" + prefix
	}
	if !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	h := &handler{files: files, hsts: opts.HSTS}
	index, err := fs.ReadFile(files, "index.html")
	if err != nil {
		index, err = fs.ReadFile(files, "placeholder.html")
	}
	if err != nil {
		index = []byte("<!doctype html><title>modelwatch</title>modelwatch is running, without its pages: run \"make build\".\n")
	}
	base := fmt.Sprintf(`<base href="%s"`, html.EscapeString(prefix))
	h.index = bytes.Replace(index, []byte(baseTag), []byte(base), 1)
	return h
}

type handler struct {
	files fs.FS
	index []byte
	hsts  bool
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method "+r.Method+" is not allowed here: pages are read with GET", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	if name == "" || name == "index.html" {
		h.serveIndex(w, r)
		return
	}
	if hidden(name) || !h.serveFile(w, r, name) {
		// An asset of another build is gone: a page in its place would only
		// confuse the browser.
		if strings.HasPrefix(name, "assets/") || path.Ext(name) != "" && !strings.Contains(r.Header.Get("Accept"), "text/html") {
			h.secure(w, "")
			w.Header().Set("Cache-Control", "no-store")
			http.Error(w, "there is no file "+strconv.Quote(name), http.StatusNotFound)
			return
		}
		h.serveIndex(w, r)
	}
}

// hidden names are of the build and not for browsers.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.") || name == "placeholder.html" ||
		strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".br")
}

// serveIndex writes index.html with a fresh nonce. It is never cached, since
// it names the files of this build.
func (h *handler) serveIndex(w http.ResponseWriter, r *http.Request) {
	var raw [18]byte
	_, _ = rand.Read(raw[:]) // It never fails, or ends the process.
	nonce := base64.RawURLEncoding.EncodeToString(raw[:])
	page := bytes.ReplaceAll(h.index, []byte(nonceWord), []byte(nonce))
	h.secure(w, nonce)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(page)
	}
}

// serveFile tells whether there is such a file.
func (h *handler) serveFile(w http.ResponseWriter, r *http.Request, name string) bool {
	info, err := fs.Stat(h.files, name)
	if err != nil || info.IsDir() {
		return false
	}
	h.secure(w, "")
	header := w.Header()
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		header.Set("Content-Type", t)
	}
	// The build puts a hash of the content into the names of assets.
	if strings.HasPrefix(name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		header.Set("Cache-Control", "public, max-age=300")
	}
	header.Add("Vary", "Accept-Encoding")
	served := name
	for _, c := range [...]struct{ coding, suffix string }{{"br", ".br"}, {"gzip", ".gz"}} {
		if !accepts(r, c.coding) {
			continue
		}
		if _, err := fs.Stat(h.files, name+c.suffix); err == nil {
			served = name + c.suffix
			header.Set("Content-Encoding", c.coding)
			break
		}
	}
	data, err := fs.ReadFile(h.files, served)
	if err != nil {
		return false
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return true
}

// accepts reads Accept-Encoding: the coding must be named, and not with q=0.
func accepts(r *http.Request, coding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		key, value, found := strings.Cut(strings.TrimSpace(params), "=")
		if !found || !strings.EqualFold(strings.TrimSpace(key), "q") {
			return true
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q > 0
	}
	return false
}

// secure sets what a browser must not do with the answer: run or load anything
// that is not of this origin, be framed, guess types, tell others where it was.
func (h *handler) secure(w http.ResponseWriter, nonce string) {
	styles := "'self'"
	if nonce != "" {
		styles += " 'nonce-" + nonce + "'"
	}
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src "+styles+
		"; img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if h.hsts {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
